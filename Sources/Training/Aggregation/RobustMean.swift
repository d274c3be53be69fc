/// Ways to make one difference of many. Sums run in the order in which the differences stand (the roster's), each
/// entry on its own, and are divided once: the same bits on every machine.
public enum RobustMean {
    /// All differences have the same length; `[]` for none.
    public static func combine(_ differences: [[Float]], by aggregation: Aggregation) -> [Float] {
        guard let first = differences.first else { return [] }
        switch aggregation {
        case .mean, .secureSum: return mean(differences)
        case .trimmed(let share): return trimmed(differences, share: share)
        case .median: return entries(differences, count: first.count, median)
        case .krum(let malicious): return differences[krum(differences, malicious: Int(malicious))]
        }
    }

    public static func mean(_ differences: [[Float]]) -> [Float] {
        guard var sum = differences.first else { return [] }
        for difference in differences.dropFirst() {
            for index in 0..<min(sum.count, difference.count) { sum[index] += difference[index] }
        }
        let divisor = Float(differences.count)
        for index in sum.indices { sum[index] /= divisor }
        return sum
    }

    /// Yin et al., "Byzantine-robust distributed learning", ICML 2018. At least one value is left.
    static func trimmed(_ differences: [[Float]], share: UInt32) -> [Float] {
        let number = differences.count
        let cut = min(number * Int(share) / 1_000_000, (number - 1) / 2)
        return entries(differences, count: differences.first?.count ?? 0) { sorted in
            var sum: Float = 0
            for index in cut..<number - cut { sum += sorted[index] }
            return sum / Float(number - 2 * cut)
        }
    }

    private static func median(_ sorted: UnsafeMutableBufferPointer<Float>) -> Float {
        let middle = sorted.count / 2
        return sorted.count % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
    }

    /// Calls `body` with the sorted values of each entry.
    private static func entries(
        _ differences: [[Float]], count: Int, _ body: (UnsafeMutableBufferPointer<Float>) -> Float
    ) -> [Float] {
        var column = [Float](repeating: 0, count: differences.count)
        var result = [Float](repeating: 0, count: count)
        column.withUnsafeMutableBufferPointer { column in
            for index in 0..<count {
                // Insertion: there are few differences, and many entries.
                for (place, difference) in differences.enumerated() {
                    let value = difference[index]
                    var position = place
                    while position > 0, column[position - 1] > value {
                        column[position] = column[position - 1]
                        position -= 1
                    }
                    column[position] = value
                }
                result[index] = body(column)
            }
        }
        return result
    }

    /// The index of the difference that Krum chooses (Blanchard et al., NeurIPS 2017): the least sum of squared
    /// distances to its `n - f - 2` nearest neighbours (at least one), the first among equals. Its guarantee holds from
    /// `n >= 2 f + 3` on.
    public static func krum(_ differences: [[Float]], malicious: Int) -> Int {
        let number = differences.count
        guard number > 1 else { return 0 }
        var distances = [[Double]](repeating: Array(repeating: 0, count: number), count: number)
        for first in 0..<number {
            for second in first + 1..<max(number, first + 1) {
                let distance = squaredDistance(differences[first], differences[second])
                distances[first][second] = distance
                distances[second][first] = distance
            }
        }
        let neighbours = min(max(1, number - malicious - 2), number - 1)
        var best = (score: Double.infinity, index: 0)
        for index in 0..<number {
            var others = distances[index]
            others.remove(at: index)
            others.sort()
            let score = others.prefix(neighbours).reduce(0, +)
            if score < best.score { best = (score, index) }
        }
        return best.index
    }

    package static func squaredDistance(_ first: [Float], _ second: [Float]) -> Double {
        var sum = 0.0
        for index in 0..<min(first.count, second.count) {
            let difference = Double(first[index]) - Double(second[index])
            sum += difference * difference
        }
        return sum
    }

    package static func squaredNorm(_ values: [Float]) -> Double {
        values.reduce(0.0) { $0 + Double($1) * Double($1) }
    }
}
