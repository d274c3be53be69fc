public import Cryptography
import Tensor

/// The cloud's part in one round of fog learning, as a pure state machine: it waits for the fog nodes' differences,
/// refuses by name what can't be used, validates each on reserved samples, and moves the weights by what the plan makes
/// of the accepted ones: `W <- W + mean` (paper B).
///
/// Nothing that a fog node sends makes it throw. Who is refused is simply absent.
///
/// In an asynchronous job the differences may have been made from the weights of earlier rounds; each counts with the
/// weight that the job gives to its age (``Event/stale(from:_:weight:)``), so that
/// `W <- W + (1 / n) * sum of weight_i * difference_i`.
public struct FogCloudRound: Sendable {
    public enum Event: Sendable {
        case difference(from: UInt16, FogDifferenceMessage)
        /// One that may be of an earlier round: it counts with this weight, at most 1.
        case stale(from: UInt16, FogDifferenceMessage, weight: Float)
        /// The time for differences is over.
        case timedOut
        case sent(Digest)
    }

    public enum Action: Sendable, Equatable {
        case send(to: UInt16, AnyTrainingMessage)
        case refuse(from: UInt16, Refusal)
        case dropped(UInt16)
        case completed
        /// Fewer differences were accepted than the quorum: the weights stay.
        case starved
    }

    /// A difference that was accepted.
    public struct Verdict: Sendable, Equatable {
        public let place: UInt16
        /// While the fog node trained.
        public let loss: Double
    }

    public let plan: TrainingPlan
    public let round: UInt32
    public let quorum: Int
    /// In millionths of accuracy: how much worse a difference may make the weights and still be accepted.
    public let epsilonMicro: UInt64
    private let start: Network
    /// Nil for a cloud that accepts whatever is well-formed.
    private let validation: FeatureSet?
    private let threads: Int
    private let answers: Bool
    private var awaitedPlaces: [UInt16]
    private var check: DifferenceCheck
    private var taken: [UInt16: (values: [Float], loss: Double)] = [:]
    private var answered: [UInt16] = []
    private var log = StepLog()
    private var isOver = false
    private var moved: Network?
    /// Of the weights before the round; nil without validation.
    public private(set) var before: Evaluation?
    /// The accepted differences, in the order of places.
    public private(set) var accepted: [Verdict] = []

    /// - Parameter answers: whether the fog nodes are told how far the weights moved. In an asynchronous round they
    ///   started from different weights, and fetch the new ones.
    public init(
        plan: TrainingPlan, round: UInt32, places: [UInt16], quorum: Int, network: Network, validation: FeatureSet?,
        epsilonMicro: UInt64, threads: Int = 1, answers: Bool = true
    ) throws(TrainingError) {
        let roster = places.sorted()
        guard !roster.isEmpty, zip(roster, roster.dropFirst()).allSatisfy({ $0 < $1 }) else {
            throw .invalidPlan("a roster needs fog nodes, each once")
        }
        guard (1...roster.count).contains(quorum) else {
            throw .invalidPlan("a quorum of \(quorum) among \(roster.count) fog nodes")
        }
        if case .secureSum = plan.aggregation {
            throw .invalidPlan("a secure sum has a round of its own: single differences are never seen")
        }
        self.plan = plan
        self.round = round
        self.quorum = quorum
        self.epsilonMicro = epsilonMicro
        start = network
        self.validation = validation
        self.threads = threads
        self.answers = answers
        awaitedPlaces = roster
        check = DifferenceCheck(weights: network.parameters)
    }

    /// Fog nodes whose difference is still to come.
    public var awaited: [UInt16] { isOver ? [] : awaitedPlaces }

    public mutating func handle(_ event: Event) throws(TrainingError) -> [Action] {
        switch event {
        case .sent(let commitment):
            try log.record(commitment)
            return []
        case .difference(let place, let message):
            guard message.round == round else {
                return [.refuse(from: place, .wrongRound(expected: round, found: message.round))]
            }
            return try take(message, from: place, weight: 1)
        case .stale(let place, let message, let weight):
            guard message.round <= round, weight > 0, weight <= 1 else {
                return [.refuse(from: place, .wrongRound(expected: round, found: message.round))]
            }
            return try take(message, from: place, weight: weight)
        case .timedOut:
            guard !isOver else { return [] }
            let missing = awaitedPlaces
            awaitedPlaces = []
            return try conclude(missing.map { .dropped($0) })
        }
    }

    /// The outcome, once the commitments of all messages are reported. The artifact is the digest of the weights.
    public func result() throws(TrainingError) -> (result: RoundResult, network: Network) {
        guard let moved else { throw .unexpectedEvent("the round has no result") }
        let loss = accepted.reduce(0.0) { $0 + $1.loss } / Double(max(accepted.count, 1))
        return (
            RoundResult(
                stepsRoot: try log.root(), artifact: moved.weightsDigest, meanLoss: loss, log: log), moved
        )
    }

    /// Notes a difference, weighed: each value times the weight, rounded once.
    private mutating func take(
        _ message: FogDifferenceMessage, from place: UInt16, weight: Float
    ) throws(TrainingError) -> [Action] {
        if let refusal = refusal(of: message, from: place) { return [.refuse(from: place, refusal)] }
        guard let values = message.difference.values else { return [.refuse(from: place, .wrongForm)] }
        if let refusal = check.refusal(of: values, from: place) { return [.refuse(from: place, refusal)] }
        taken[place] = (weight == 1 ? values : values.map { $0 * weight }, message.loss)
        awaitedPlaces.removeAll { $0 == place }
        return awaitedPlaces.isEmpty ? try conclude([]) : []
    }

    private func refusal(of message: FogDifferenceMessage, from place: UInt16) -> Refusal? {
        guard message.step == 0 else { return .wrongStep(expected: 0, found: message.step) }
        if taken[place] != nil { return .duplicate }
        return isOver || !awaitedPlaces.contains(place) ? .notInRound : nil
    }

    private mutating func conclude(_ soFar: [Action]) throws(TrainingError) -> [Action] {
        isOver = true
        var actions = soFar
        before = try validation.map { samples throws(TrainingError) in try start.evaluate(on: samples, threads: threads) }
        let places = taken.keys.sorted()
        let rule = before.map { Validation(before: $0, classes: plan.model.classes, epsilonMicro: epsilonMicro) }
        let refusals = try rule?.refusals(of: tried(places, by: Validation.part(of: places.count)))
        for (index, place) in places.enumerated() {
            if let refusal = refusals?[index] {
                actions.append(.refuse(from: place, refusal))
                continue
            }
            accepted.append(Verdict(place: place, loss: taken[place]?.loss ?? 0))
        }
        guard accepted.count >= quorum else { return actions + [.starved] }
        var (mean, network) = try combined(accepted)
        if let validation, let rule {
            let after = try network.evaluate(on: validation, threads: threads)
            // Something bad has got in that looks good alone, and the committee would undo the round.
            if let refusal = rule.refusal(ofMean: after) {
                let shares = try tried(accepted.map(\.place), by: 1 / Float(accepted.count))
                let kept = try best(rule.ranked(shares), by: rule, on: validation)
                for (index, verdict) in accepted.enumerated() where !kept.contains(index) {
                    actions.append(.refuse(from: verdict.place, refusal))
                }
                accepted = kept.map { accepted[$0] }
                (mean, network) = try combined(accepted)
            }
        }
        guard network.isFinite else { throw .diverged(step: 0) }
        moved = network
        guard answers else { return actions + [.completed] }
        let message = FogMeanMessage(round: round, difference: .dense(mean))
        // Also to those that were refused: they start the next round from the same weights.
        let receivers = taken.keys.sorted()
        log.expected += receivers.count
        return actions + receivers.map { .send(to: $0, .fogMean(message)) } + [.completed]
    }

    /// What the weights do on the reserved samples when they are moved by this part of each one's difference.
    private func tried(_ places: [UInt16], by part: Float) throws(TrainingError) -> [Evaluation] {
        guard let validation else { return [] }
        var evaluations: [Evaluation] = []
        for place in places {
            let step = (taken[place]?.values ?? []).map { $0 * part }
            evaluations.append(try start.adding(step).evaluate(on: validation, threads: threads))
        }
        return evaluations
    }

    /// What the plan makes of these differences, and the weights moved by it.
    private func combined(_ verdicts: [Verdict]) throws(TrainingError) -> (mean: [Float], network: Network) {
        let mean = RobustMean.combine(verdicts.compactMap { taken[$0.place]?.values }, by: plan.aggregation)
        return (mean, try start.adding(mean))
    }

    /// Of the accepted differences, best first, as many as give the best mean: the quorum, or more. One that would not be
    /// refused is better than all that would; of their like the one with the smallest loss is best.
    /// - Returns: their places in `accepted`, rising.
    private func best(_ ranked: [Int], by rule: Validation, on validation: FeatureSet) throws(TrainingError) -> [Int] {
        var best: (isGood: Bool, loss: Double, kept: [Int]) = (false, .infinity, ranked.sorted())
        for count in quorum...max(quorum, ranked.count) {
            let kept = ranked.prefix(count).sorted()
            let network = try combined(kept.map { accepted[$0] }).network
            let after = try network.evaluate(on: validation, threads: threads)
            let isGood = rule.refusal(ofMean: after) == nil
            if isGood == best.isGood ? after.meanLoss <= best.loss : isGood { best = (isGood, after.meanLoss, kept) }
        }
        return best.kept
    }
}

extension Network {
    /// The root of the manifest of its parameters alone: the optimiser's velocities stay with who has them.
    public var weightsDigest: Digest { withoutVelocities.digest }
}
