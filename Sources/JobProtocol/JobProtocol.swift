/// # JobProtocol
///
/// What workers, clients and the job contract tell each other on the chain: the specification of a job, the actions,
/// the answers to queries, events.
///
/// The module promises
/// - **one description**: the contract compiles these same files (`Contracts/build`), under Embedded Swift and over the
///   contract SDK's encoder; the names that differ there are in `Contracts/Job/Shared.swift`. So host and contract
///   can't drift apart;
/// - **canonical bytes**: every type is Borsh with bounded decoding (see `Encoding`);
/// - **one set of rules**: `JobSpec.brokenRule` is what the contract refuses by, and what `job check` says.
///
/// Because the files serve both worlds they use `JobText` for text and `JobBytes` for byte strings, state names as
/// `StaticString`, and keep what only the host has behind `hasFeature(Embedded)`.

#if !hasFeature(Embedded)
import Cryptography
import Encoding
import Primitives

/// A value of the job protocol.
public typealias JobValue = BorshCodable & Hashable & Sendable
/// One that the contract keeps, and that changes in place.
public typealias JobStoredValue = BorshCodable
/// UTF-8 text; in a contract, its bytes.
public typealias JobText = String
/// The specification in a status; in a contract, its bytes as they were registered.
public typealias JobStatusSpec = JobSpec
/// A byte string.
public typealias JobBytes = [UInt8]

package var jobNoText: JobText { "" }

extension JobText { package var byteCount: Int { utf8.count } }
extension JobBytes { package var byteCount: Int { count } }

extension BorshDecoder {
    /// A u8 that must be one of the raw values.
    package mutating func tag<Tag: RawRepresentable>(_ type: Tag.Type = Tag.self) throws(BorshError) -> Tag
    where Tag.RawValue == UInt8 {
        let start = self
        let raw: UInt8 = try integer()
        guard let tag = Tag(rawValue: raw) else { throw start.failure(.unknownTag(raw)) }
        return tag
    }
}

extension ActionId {
    // The owner's actions on a job contract.
    public static let pauseJob = ActionId(256)
    public static let resumeJob = ActionId(257)
    public static let abortJob = ActionId(258)
}
#endif

/// A 64-bit set of participants, by slot.
public struct JobSlots: JobValue {
    public var bits: UInt64

    /// The most participants that a job has at a time.
    public static let capacity: UInt16 = 64

    public init(bits: UInt64 = 0) { self.bits = bits }

    public var isEmpty: Bool { bits == 0 }
    public var count: UInt16 { UInt16(truncatingIfNeeded: bits.nonzeroBitCount) }

    public func contains(_ slot: UInt8) -> Bool { bits & Self.mask(slot) != 0 }
    public func isSubset(of other: JobSlots) -> Bool { bits & ~other.bits == 0 }

    public mutating func insert(_ slot: UInt8) { bits |= Self.mask(slot) }
    public mutating func remove(_ slot: UInt8) { bits &= ~Self.mask(slot) }

    public static func | (l: JobSlots, r: JobSlots) -> JobSlots { JobSlots(bits: l.bits | r.bits) }
    public static func & (l: JobSlots, r: JobSlots) -> JobSlots { JobSlots(bits: l.bits & r.bits) }
    public static func - (l: JobSlots, r: JobSlots) -> JobSlots { JobSlots(bits: l.bits & ~r.bits) }

    /// 0 for a slot that no job has.
    private static func mask(_ slot: UInt8) -> UInt64 { slot < 64 ? 1 << UInt64(slot) : 0 }

    public func encode(to encoder: inout BorshEncoder) { encoder.integer(bits) }
    public init(from decoder: inout BorshDecoder) throws(BorshError) { bits = try decoder.integer() }
}

extension JobSlots: Sequence {
    public struct Iterator: IteratorProtocol {
        fileprivate var bits: UInt64
        public mutating func next() -> UInt8? {
            guard bits != 0 else { return nil }
            let slot = UInt8(truncatingIfNeeded: bits.trailingZeroBitCount)
            bits &= bits &- 1
            return slot
        }
    }
    /// Ascending.
    public func makeIterator() -> Iterator { Iterator(bits: bits) }
}
