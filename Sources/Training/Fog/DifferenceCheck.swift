/// What the cloud demands of a difference before it looks at what it does: each refusal by name.
public struct DifferenceCheck: Sendable {
    /// Parameters of the model.
    public let count: Int
    /// The largest norm that is taken. No honest epoch moves the weights by several times their own size.
    public let largestNorm: Double
    /// Differences within this share of each other's norm are one and the same, sent twice with a little noise.
    static let nearness = 1e-3

    private struct Seen: Sendable {
        let place: UInt16
        let norm: Double
        let values: [Float]
    }
    private var seen: [Seen] = []

    /// - Parameter weights: the model's, from which the round started.
    public init(weights: [Float]) {
        count = weights.count
        largestNorm = 4 * (1 + RobustMean.squaredNorm(weights).squareRoot())
    }

    /// Nil when the difference can be used. It is then remembered, and the same again is refused.
    public mutating func refusal(of difference: [Float], from place: UInt16) -> Refusal? {
        guard difference.count == count else { return .wrongShape(expected: [count], found: [difference.count]) }
        guard difference.allFinite else { return .values }
        let norm = RobustMean.squaredNorm(difference).squareRoot()
        guard norm <= largestNorm else {
            return .norm(found: Float(norm), limit: Float(largestNorm))
        }
        if norm > 0 {
            for other in seen where abs(other.norm - norm) <= Self.nearness * norm {
                let distance = RobustMean.squaredDistance(other.values, difference).squareRoot()
                if distance <= Self.nearness * norm { return .copied(of: other.place) }
            }
        }
        seen.append(Seen(place: place, norm: norm, values: difference))
        return nil
    }
}
