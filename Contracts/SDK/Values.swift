/// 32 bytes, held as four words so that a comparison is four instructions and a copy needs no heap.
struct Bytes32: Equatable {
    /// The bytes in order, eight to a word, least significant first: the layout in memory.
    private var words: (UInt64, UInt64, UInt64, UInt64)

    static let byteCount = 32
    static var zero: Bytes32 { Bytes32(words: (0, 0, 0, 0)) }

    private init(words: (UInt64, UInt64, UInt64, UInt64)) { self.words = words }

    /// Reads 32 bytes at `pointer`, which need not be aligned.
    init(at pointer: UnsafeRawPointer) {
        words = (
            pointer.loadUnaligned(fromByteOffset: 0, as: UInt64.self),
            pointer.loadUnaligned(fromByteOffset: 8, as: UInt64.self),
            pointer.loadUnaligned(fromByteOffset: 16, as: UInt64.self),
            pointer.loadUnaligned(fromByteOffset: 24, as: UInt64.self)
        )
    }

    static func == (l: Bytes32, r: Bytes32) -> Bool {
        (l.words.0 ^ r.words.0) | (l.words.1 ^ r.words.1) | (l.words.2 ^ r.words.2) | (l.words.3 ^ r.words.3) == 0
    }

    func withPointer<Result>(_ body: (UnsafeRawPointer) -> Result) -> Result {
        withUnsafePointer(to: words) { body(UnsafeRawPointer($0)) }
    }
}

/// The name of an account, for ever: of a person, a worker or a contract.
struct Account: Equatable {
    var bytes: Bytes32
    static var zero: Account { Account(bytes: .zero) }
}

/// A SHA-256 digest.
struct Digest: Equatable {
    var bytes: Bytes32
    static var zero: Digest { Digest(bytes: .zero) }
}

/// Milliseconds of header time, the chain's only clock.
typealias Milliseconds = UInt64

/// Money, in the smallest unit.
typealias Amount = UInt128

extension UInt128 {
    /// `self * part / whole` rounded down; `part <= whole`, so the result never exceeds `self`.
    /// 0 for an empty whole. By hand, in 32-bit limbs: the target has no 128-bit division.
    func share(_ part: UInt32, of whole: UInt32) -> UInt128 {
        guard whole > 0, part <= whole else { return 0 }
        // Long division from the top limb; the remainder stays below 2^32.
        var product: UInt128 = 0
        var remainder: UInt64 = 0
        func divideLimb(_ limb: UInt64) {
            let digits = remainder << 32 | limb
            // The quotient and part are below 2^32, so their product fits a u64; and shifting by a
            // limb keeps the sum at most self, because part <= whole.
            product = product << 32 &+ UInt128(digits / UInt64(whole) &* UInt64(part))
            remainder = digits % UInt64(whole)
        }
        let high = UInt64(truncatingIfNeeded: self >> 64)
        let low = UInt64(truncatingIfNeeded: self)
        divideLimb(high >> 32)
        divideLimb(high & 0xFFFF_FFFF)
        divideLimb(low >> 32)
        divideLimb(low & 0xFFFF_FFFF)
        return product &+ UInt128(remainder &* UInt64(part) / UInt64(whole))
    }
}

/// Sums of outside values stop at the top instead of trapping.
func saturatingAdd<Integer: FixedWidthInteger & UnsignedInteger>(_ a: Integer, _ b: Integer) -> Integer {
    let (sum, overflow) = a.addingReportingOverflow(b)
    return overflow ? .max : sum
}
