/// Sharing only the largest entries of a difference (Shokri and Shmatikov, "Privacy-preserving deep learning", CCS
/// 2015), with error feedback (Seide et al., 2014): what was not shared is added to the next difference, so that it
/// comes through in the end.
public struct LargestFraction: Sendable, Equatable {
    /// What has not been shared yet.
    public private(set) var residual: [Float] = []

    public init() {}

    /// The `ceil(fraction * count)` entries of largest magnitude (among equals those that come first) of the difference
    /// plus what was left over; the rest is kept.
    ///
    /// - Parameter fraction: in millionths. With all of them it is dense and nothing is kept.
    public mutating func share(_ difference: [Float], fraction: UInt32) -> Difference {
        var sum = difference
        if residual.count == sum.count {
            for index in sum.indices { sum[index] += residual[index] }
        }
        guard fraction < TrainingPlan.one else {
            residual = []
            return .dense(sum)
        }
        let wanted = max(1, (sum.count * Int(fraction) + 999_999) / 1_000_000)
        let threshold = Self.magnitude(ofRank: wanted, in: sum)
        // Everything above the threshold, and of what equals it as many as there is room for.
        let above = sum.reduce(0) { $0 + ($1.bitPattern & 0x7FFF_FFFF > threshold ? 1 : 0) }
        var room = wanted - above
        var positions: [UInt32] = []
        var values: [Float] = []
        for index in sum.indices {
            let magnitude = sum[index].bitPattern & 0x7FFF_FFFF
            guard magnitude > threshold || (magnitude == threshold && room > 0) else { continue }
            if magnitude == threshold { room -= 1 }
            positions.append(UInt32(index))
            values.append(sum[index])
            sum[index] = 0
        }
        residual = sum
        return .sparse(count: difference.count, positions: positions, values: values)
    }

    /// The magnitude, as the bits of its number, of the entry that has this rank from the largest (1). Two passes over
    /// 16 bits each, in place of a sort.
    private static func magnitude(ofRank rank: Int, in values: [Float]) -> UInt32 {
        var remaining = rank
        var upper = [Int](repeating: 0, count: 1 << 16)
        for value in values { upper[Int(value.bitPattern & 0x7FFF_FFFF) >> 16] += 1 }
        var high = upper.count - 1
        while high > 0, upper[high] < remaining {
            remaining -= upper[high]
            high -= 1
        }
        var lower = [Int](repeating: 0, count: 1 << 16)
        for value in values where Int(value.bitPattern & 0x7FFF_FFFF) >> 16 == high {
            lower[Int(value.bitPattern & 0xFFFF)] += 1
        }
        var low = lower.count - 1
        while low > 0, lower[low] < remaining {
            remaining -= lower[low]
            low -= 1
        }
        return UInt32(high << 16 | low)
    }
}
