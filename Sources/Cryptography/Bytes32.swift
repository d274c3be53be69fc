import Encoding

/// Exactly 32 bytes, held inline. The types below give them meanings that cannot be mixed up.
public protocol Bytes32: BorshCodable, Hashable, Comparable, Sendable, CustomStringConvertible {
    var words: Words256 { get }
    init(words: Words256)
}

/// Storage of 32 bytes: four big-endian words, so that word order is byte order.
public struct Words256: Hashable, Comparable, Sendable {
    var a: UInt64, b: UInt64, c: UInt64, d: UInt64

    static let zero = Words256(a: 0, b: 0, c: 0, d: 0)

    public static func < (lhs: Words256, rhs: Words256) -> Bool {
        (lhs.a, lhs.b, lhs.c, lhs.d) < (rhs.a, rhs.b, rhs.c, rhs.d)
    }

    init(a: UInt64, b: UInt64, c: UInt64, d: UInt64) {
        (self.a, self.b, self.c, self.d) = (a, b, c, d)
    }

    /// Nil unless there are exactly 32 bytes.
    init?(_ bytes: some Collection<UInt8>) {
        guard bytes.count == 32 else { return nil }
        if let words = bytes.withContiguousStorageIfAvailable({ Words256(contiguous: UnsafeRawBufferPointer($0)) }) {
            self = words
            return
        }
        var values: (UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0)
        var index = 0
        for byte in bytes {
            switch index >> 3 {
            case 0: values.0 = values.0 << 8 | UInt64(byte)
            case 1: values.1 = values.1 << 8 | UInt64(byte)
            case 2: values.2 = values.2 << 8 | UInt64(byte)
            default: values.3 = values.3 << 8 | UInt64(byte)
            }
            index += 1
        }
        (a, b, c, d) = values
    }

    /// The buffer has 32 bytes.
    init(contiguous bytes: UnsafeRawBufferPointer) {
        func word(_ index: Int) -> UInt64 { UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: index * 8, as: UInt64.self)) }
        self.init(a: word(0), b: word(1), c: word(2), d: word(3))
    }

    var bytes: [UInt8] { withBytes { Array($0) } }

    /// The 32 bytes, without an array around them.
    func withBytes<Result>(_ body: (UnsafeRawBufferPointer) -> Result) -> Result {
        withUnsafeBytes(of: (a.bigEndian, b.bigEndian, c.bigEndian, d.bigEndian), body)
    }
}

extension Words256: BorshCodable {
    public func encode(to encoder: inout BorshEncoder) { encoder.bigEndianWords(a, b, c, d) }

    public init(from decoder: inout BorshDecoder) throws(BorshError) {
        (a, b, c, d) = try decoder.bigEndianWords()
    }
}

extension Bytes32 {
    /// Nil unless there are exactly 32 bytes.
    public init?(_ bytes: some Collection<UInt8>) {
        guard let words = Words256(bytes) else { return nil }
        self.init(words: words)
    }

    /// Nil unless the text is 64 hexadecimal digits.
    public init?(hex: String) {
        guard let bytes = Hexadecimal.decode(hex) else { return nil }
        self.init(bytes)
    }

    public static var zero: Self { Self(words: .zero) }

    public var bytes: [UInt8] { words.bytes }
    public var hex: String { Hexadecimal.encode(bytes) }
    public var description: String { hex }

    /// Bit `index` from the most significant one of the first byte (0) to the least of the last (255).
    public func bit(_ index: Int) -> Bool {
        let word =
            switch index >> 6 {
            case 0: words.a
            case 1: words.b
            case 2: words.c
            default: words.d
            }
        return word >> UInt64(63 - (index & 63)) & 1 == 1
    }

    public static func < (lhs: Self, rhs: Self) -> Bool { lhs.words < rhs.words }

    public func encode(to encoder: inout BorshEncoder) { words.encode(to: &encoder) }

    public init(from decoder: inout BorshDecoder) throws(BorshError) {
        self.init(words: try Words256(from: &decoder))
    }
}
