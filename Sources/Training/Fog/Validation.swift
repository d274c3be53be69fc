/// What the cloud demands of the differences of one round, each tried on the reserved samples: the weights before, moved
/// by a part of the difference, ``part(of:)``.
///
/// Not the whole difference: an epoch of a single fog node overshoots and overfits, each in its way, so that the weights
/// after it are often worse than those before, which are a mean of several, and one that leads backwards hides among
/// them. A small step in an honest direction lowers the loss, or raises it as little as those of the others do; one that
/// leads backwards raises it. The loss, since accuracy does not see everything: weights that know nothing can hardly
/// become less accurate, and neither do those that name the same class for everything, where training on house numbers
/// rests for a while.
///
/// So a difference is refused when the loss is above that of the weights before *and* above those of the round's best
/// third, by more than these are apart and twice what they gain (1 % at most). As long as a third of the differences is
/// honest, the others have no say in what is usual. With fewer than three there is nothing to compare with, and the
/// weights before alone count.
///
/// When the mean of those that are left is worse than the weights before, only those stay whose share in it does best, as
/// many as give the best mean.
public struct Validation: Sendable {
    public let before: Evaluation
    public let classes: Int
    /// In millionths of accuracy: how much worse a round may make the weights and still be accepted.
    public let epsilonMicro: UInt64

    public init(before: Evaluation, classes: Int, epsilonMicro: UInt64) {
        self.before = before
        self.classes = classes
        self.epsilonMicro = epsilonMicro
    }

    /// Differences that can be compared with each other.
    static let fewest = 3
    /// The largest part that is tried where there are others.
    static let largestPart: Float = 1 / 8
    /// By which share of itself a loss may be above what the others say where these gain nothing; twice as much at most, or
    /// one that gains much by itself would make room for another that harms.
    static let lossTolerance = 0.005
    /// And above the weights before or a guess, ln(classes), where there are no others: an honest epoch from weights that
    /// know nothing may overshoot.
    static let lonelyLossFactor = 1.25

    /// How much of each of so many differences is tried: what would go into their mean, but where they can be compared an
    /// eighth or less.
    public static func part(of count: Int) -> Float {
        let share = 1 / Float(max(count, 1))
        return count < fewest ? share : min(share, largestPart)
    }

    /// - Parameter parts: of the weights before moved by a part of each difference.
    /// - Returns: for each why it is refused; nil for those that are taken.
    public func refusals(of parts: [Evaluation]) -> [Refusal?] {
        guard parts.count >= Self.fewest else {
            let needed = before.accuracyMicro - min(before.accuracyMicro, epsilonMicro)
            let known = before.meanLoss.isFinite ? before.meanLoss : 0
            let most = max(known, RealFunctions.log(Double(max(classes, 2)))) * Self.lonelyLossFactor
            return parts.map { part in
                part.accuracyMicro < needed
                    ? .worsens(needed: needed, after: part.accuracyMicro) : Self.refusal(of: part, most: most)
            }
        }
        let best = Array(parts.map(\.meanLoss).filter(\.isFinite).sorted().prefix((parts.count + 2) / 3))
        let (least, most) = (best.first ?? 0, best.last ?? 0)
        let known = before.meanLoss.isFinite ? before.meanLoss : most
        let gain = best.isEmpty ? 0 : known - best[best.count / 2]
        let margin = most - least + (gain > 0 ? 2 * gain : known * Self.lossTolerance)
        let limit = max(known, most) + min(margin, 2 * known * Self.lossTolerance)
        return parts.map { Self.refusal(of: $0, most: limit) }
    }

    /// A loss that is no number has an accuracy all the same.
    private static func refusal(of part: Evaluation, most: Double) -> Refusal? {
        part.meanLoss <= most ? nil : .misleads(most: Micro.of(most), after: part.lossMicro)
    }

    /// Why weights moved by the mean of the accepted differences are not taken; nil when they are.
    public func refusal(ofMean after: Evaluation) -> Refusal? {
        let needed = before.accuracyMicro - min(before.accuracyMicro, epsilonMicro)
        return after.meanLoss.isFinite && after.accuracyMicro >= needed
            ? nil : .spoils(needed: needed, after: after.accuracyMicro)
    }

    /// The places of evaluations from the smallest loss on.
    func ranked(_ evaluations: [Evaluation]) -> [Int] {
        evaluations.indices.sorted {
            let (one, other) = (evaluations[$0].meanLoss, evaluations[$1].meanLoss)
            return one == other ? $0 < $1 : one < other
        }
    }
}
