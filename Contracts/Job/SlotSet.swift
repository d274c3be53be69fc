/// A set of participants, by slot. A slot is the order of application, 0 to 63, so a set is one
/// word: it is stored, compared and counted at once, and is always walked in the same order.
struct SlotSet: Equatable, Sequence {
    private var bits: UInt64

    /// The most participants a job has.
    static let capacity: UInt16 = 64

    init() { bits = 0 }
    private init(bits: UInt64) { self.bits = bits }

    var isEmpty: Bool { bits == 0 }
    var count: UInt16 { UInt16(truncatingIfNeeded: bits.nonzeroBitCount) }

    func contains(_ slot: UInt8) -> Bool { bits & Self.mask(slot) != 0 }
    func isSubset(of other: SlotSet) -> Bool { bits & ~other.bits == 0 }
    /// The members with smaller slots.
    func before(_ slot: UInt8) -> SlotSet { SlotSet(bits: bits & (Self.mask(slot) &- 1)) }

    mutating func insert(_ slot: UInt8) { bits |= Self.mask(slot) }
    mutating func remove(_ slot: UInt8) { bits &= ~Self.mask(slot) }

    static func | (l: SlotSet, r: SlotSet) -> SlotSet { SlotSet(bits: l.bits | r.bits) }
    static func & (l: SlotSet, r: SlotSet) -> SlotSet { SlotSet(bits: l.bits & r.bits) }
    static func - (l: SlotSet, r: SlotSet) -> SlotSet { SlotSet(bits: l.bits & ~r.bits) }

    private static func mask(_ slot: UInt8) -> UInt64 { 1 &<< UInt64(slot) }

    struct Iterator: IteratorProtocol {
        fileprivate var bits: UInt64
        mutating func next() -> UInt8? {
            guard bits != 0 else { return nil }
            let slot = UInt8(truncatingIfNeeded: bits.trailingZeroBitCount)
            bits &= bits &- 1
            return slot
        }
    }
    func makeIterator() -> Iterator { Iterator(bits: bits) }
}

extension SlotSet: BorshCodable {
    init(from reader: inout Reader) { bits = reader.integer() }
    func encode(to writer: inout Writer) { writer.write(bits) }
}
