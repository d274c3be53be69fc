/// Bytes that somebody else wrote: input, stored values, parts of them. A view into the call's
/// ``Arena``, so a copy is a pointer and a length.
struct Bytes: RandomAccessCollection {
    let start: UnsafeRawPointer
    let count: Int

    var startIndex: Int { 0 }
    var endIndex: Int { count }

    /// An index from outside must be checked before: out of range ends the call without a message.
    subscript(index: Int) -> UInt8 {
        guard index >= 0, index < count else { fatalError() }
        return start.load(fromByteOffset: index, as: UInt8.self)
    }

    static var empty: Bytes { Bytes(start: UnsafeRawPointer(Arena.take(0)), count: 0) }

    init(start: UnsafeRawPointer, count: Int) {
        self.start = start
        self.count = count
    }

    init(_ literal: StaticString) {
        self.init(start: literal.utf8Start, count: literal.utf8CodeUnitCount)
    }

    /// Whether the bytes are UTF-8 (RFC 3629): shortest forms only, no surrogates, nothing above
    /// U+10FFFF.
    var isUTF8: Bool {
        var index = 0
        while index < count {
            let lead = self[index]
            index &+= 1
            // The second byte's bounds rule out overlong forms and surrogates.
            var (tail, low, high): (Int, UInt8, UInt8) = (1, 0x80, 0xBF)
            switch lead {
            case 0x00...0x7F: continue
            case 0xC2...0xDF: break
            case 0xE0: (tail, low) = (2, 0xA0)
            case 0xED: (tail, high) = (2, 0x9F)
            case 0xE1...0xEF: tail = 2
            case 0xF0: (tail, low) = (3, 0x90)
            case 0xF4: (tail, high) = (3, 0x8F)
            case 0xF1...0xF3: tail = 3
            default: return false
            }
            guard count &- index >= tail else { return false }
            while tail > 0 {
                guard self[index] >= low, self[index] <= high else { return false }
                (low, high) = (0x80, 0xBF)
                index &+= 1
                tail &-= 1
            }
        }
        return true
    }
}
