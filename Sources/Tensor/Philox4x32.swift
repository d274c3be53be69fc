/// Philox4x32-10, the counter-based generator of Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as
/// 1, 2, 3" (SC11): 128 random bits as a function of a 64-bit key and a 128-bit counter. Not for secrets.
public enum Philox4x32 {
    public static func block(counter: SIMD4<UInt32>, key: SIMD2<UInt32>) -> SIMD4<UInt32> {
        var (counter, key) = (counter, key)
        for _ in 0..<10 {
            let first = UInt32(0xD251_1F53).multipliedFullWidth(by: counter[0])
            let second = UInt32(0xCD9E_8D57).multipliedFullWidth(by: counter[2])
            counter = SIMD4(
                second.high ^ counter[1] ^ key[0], second.low,
                first.high ^ counter[3] ^ key[1], first.low)
            key = key &+ SIMD2(0x9E37_79B9, 0xBB67_AE85)
        }
        return counter
    }
}

/// The random numbers of one purpose: a sequence named by a key and by round, worker and step, with no state outside.
///
/// Block `i` of the stream is Philox4x32-10 of the counter `(i, step, worker, round)`; its words are used in order.
public struct RandomStream: Sendable {
    private let key: SIMD2<UInt32>
    private var counter: SIMD4<UInt32>
    private var words: SIMD4<UInt32> = .zero
    private var used = 4

    /// A stream has 2^34 words; afterwards it repeats.
    public init(key: UInt64, round: UInt32 = 0, worker: UInt32 = 0, step: UInt32 = 0) {
        self.key = SIMD2(UInt32(truncatingIfNeeded: key), UInt32(truncatingIfNeeded: key >> 32))
        counter = SIMD4(0, step, worker, round)
    }

    public mutating func nextWord() -> UInt32 {
        if used == 4 {
            words = Philox4x32.block(counter: counter, key: key)
            counter[0] = counter[0] &+ 1
            used = 0
        }
        defer { used += 1 }
        return words[used]
    }

    /// Uniform in `0..<1`, a multiple of 2^-24: the 24 high bits of the next word.
    public mutating func nextUnit() -> Float {
        Float(nextWord() >> 8) * 0x1p-24
    }

    /// Uniform in `0..<bound`, and 0 where the bound is not positive.
    ///
    /// The high half of `bound` times 64 random bits (low word first). Its bias, below `bound / 2^64`, is nothing that
    /// anybody could measure, and the draw takes two words always.
    public mutating func nextIndex(below bound: Int) -> Int {
        let low = UInt64(nextWord())
        let high = UInt64(nextWord())
        guard bound > 0 else { return 0 }
        return Int(truncatingIfNeeded: (high << 32 | low).multipliedFullWidth(by: UInt64(bound)).high)
    }
}
