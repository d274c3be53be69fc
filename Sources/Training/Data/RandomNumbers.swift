public import Cryptography
public import Tensor

/// Where uniform random words come from: counter-based ones that everybody can repeat, or secret ones.
public protocol WordSource: Sendable {
    mutating func nextWord() -> UInt32
}

extension RandomStream: WordSource {}
extension SecretStream: WordSource {}

/// Normal random numbers of mean 0 and deviation 1 by Marsaglia's polar method, which needs no more than a logarithm
/// and a square root: the project's own and IEEE 754's, so the bits are the same everywhere.
public struct GaussianStream<Words: WordSource>: Sendable {
    private var words: Words
    private var spare: Float?

    public init(_ words: Words) {
        self.words = words
    }

    public mutating func next() -> Float {
        if let value = spare {
            spare = nil
            return value
        }
        while true {
            // Odd multiples of 2^-24 in -1..<1: never 0, and the same on both sides of it.
            let x = Float(Int32(words.nextWord() >> 8) * 2 + 1 - (1 << 24)) * 0x1p-24
            let y = Float(Int32(words.nextWord() >> 8) * 2 + 1 - (1 << 24)) * 0x1p-24
            let square = x * x + y * y
            guard square < 1, square > 0 else { continue }
            let factor = (-2 * Transcendental.log(square) / square).squareRoot()
            spare = y * factor
            return x * factor
        }
    }
}

extension RandomStream {
    /// `count` of the numbers `0..<total`, each at most once, in random order (the first steps of Fisher and Yates).
    public mutating func choose(_ count: Int, of total: Int) -> [Int] {
        var items = Array(0..<max(total, 0))
        let count = min(max(count, 0), items.count)
        for index in 0..<count {
            items.swapAt(index, index + nextIndex(below: items.count - index))
        }
        return Array(items.prefix(count))
    }
}
