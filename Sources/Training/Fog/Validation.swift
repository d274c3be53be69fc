/// What the cloud demands of the differences of one round, each tried alone on the reserved samples.
///
/// A single fog node's weights after an epoch are often less accurate than those before, which are a mean of several:
/// honest differences measured by `before` alone would be refused, and no round go on. So a difference may also be as
/// accurate as those of the others: it is refused when it is worse than the weights before *and* worse than the round's
/// median. With fewer than three there is no median to trust. When the mean of those that are left is worse than the
/// weights before, only the half with the smaller losses stays. A round in which most are bad is the committee's to undo.
///
/// Accuracy does not see everything: weights that know nothing can hardly become less accurate, and neither do those that
/// name the same class for everything, where training on house numbers rests for a while; poisoned differences would be
/// taken there, and the job never leave. So the same holds for the loss, which tells such differences apart.
public struct Validation: Sendable {
    public let before: Evaluation
    public let classes: Int
    /// In millionths of accuracy: how much worse a difference may make the weights and still be accepted.
    public let epsilonMicro: UInt64

    public init(before: Evaluation, classes: Int, epsilonMicro: UInt64) {
        self.before = before
        self.classes = classes
        self.epsilonMicro = epsilonMicro
    }

    /// Evaluations from which there is a median to trust.
    static let fewest = 3
    /// So many median deviations from the median are usual; of the accuracy, in millionths, at most so much.
    static let usualDeviations: UInt64 = 3
    static let largestSlack: UInt64 = 100_000
    /// By how much a loss may be above what the others say, and above the weights before or a guess, ln(classes), where
    /// there are no others: an honest epoch from weights that know nothing may overshoot.
    static let lossTolerance = 1.01
    static let lonelyLossTolerance = 1.25

    /// - Parameter evaluations: of the weights before with each difference alone.
    /// - Returns: for each why it is refused; nil for those that are taken.
    public func refusals(of evaluations: [Evaluation]) -> [Refusal?] {
        var needed = before.accuracyMicro
        let known = before.meanLoss.isFinite ? before.meanLoss : 0
        var most = max(known, RealFunctions.log(Double(max(classes, 2)))) * Self.lonelyLossTolerance
        if evaluations.count >= Self.fewest {
            let accuracies = evaluations.map(\.accuracyMicro)
            let median = Self.median(accuracies)
            let deviation = Self.median(accuracies.map { max($0, median) - min($0, median) })
            needed = min(needed, median - min(median, min(Self.usualDeviations * deviation, Self.largestSlack)))
            let losses = evaluations.map(\.meanLoss).filter(\.isFinite)
            if losses.count > evaluations.count / 2 {
                let median = Self.median(losses)
                let deviation = Self.median(losses.map { abs($0 - median) })
                most = max(known, median + Double(Self.usualDeviations) * deviation) * Self.lossTolerance
            }
        }
        needed -= min(needed, epsilonMicro)
        return evaluations.map { evaluation in
            guard evaluation.accuracyMicro >= needed else {
                return .worsens(needed: needed, after: evaluation.accuracyMicro)
            }
            // A loss that is no number has an accuracy all the same.
            guard evaluation.meanLoss <= most else {
                return .misleads(most: Micro.of(most), after: evaluation.lossMicro)
            }
            return nil
        }
    }

    /// Why weights moved by the mean of the accepted differences are not taken; nil when they are.
    public func refusal(ofMean after: Evaluation) -> Refusal? {
        let needed = before.accuracyMicro - min(before.accuracyMicro, epsilonMicro)
        return after.meanLoss.isFinite && after.accuracyMicro >= needed
            ? nil : .spoils(needed: needed, after: after.accuracyMicro)
    }

    /// Which differences stay when their mean is refused: the half with the smaller losses, or `quorum` of them.
    /// - Returns: their places in `evaluations`, rising.
    func better(_ evaluations: [Evaluation], atLeast quorum: Int) -> [Int] {
        let ranked = evaluations.indices.sorted {
            let (one, other) = (evaluations[$0].meanLoss, evaluations[$1].meanLoss)
            return one == other ? $0 < $1 : one < other
        }
        return ranked.prefix(max((evaluations.count + 1) / 2, quorum)).sorted()
    }

    /// The middle one; of an even number the upper of the two.
    private static func median<Value: Comparable & ExpressibleByIntegerLiteral>(_ values: [Value]) -> Value {
        values.isEmpty ? 0 : values.sorted()[values.count / 2]
    }
}
