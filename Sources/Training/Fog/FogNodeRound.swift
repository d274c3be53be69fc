public import Cryptography
import Tensor

/// One fog node's part in one round of fog learning, as a pure state machine.
///
/// ```
/// start -> difference -> (mean) -> finished
/// ```
/// The caller seals and sends what `send` names and reports the envelope's commitment by `sent`. What outlives the round
/// (what was not shared, what was spent) is in `memory`, which the next round gets.
public struct FogNodeRound: Sendable {
    /// What a fog node carries from round to round.
    public struct Memory: Sendable, Equatable {
        public var unshared = LargestFraction()
        /// Nil without a privacy plan.
        public var account: PrivacyAccountant?

        public init(plan: TrainingPlan, samples: Int) {
            account = plan.privacy?.accountant(samples: samples, batchSize: Int(plan.batchSize))
        }
    }

    public enum Event: Sendable {
        case start
        case sent(Digest)
        case mean(FogMeanMessage)
    }

    public enum Action: Sendable, Equatable {
        case send(AnyTrainingMessage)
        /// The round is over; `network` is where the next one starts.
        case finished(RoundResult, network: Network)
    }

    public let training: LocalTraining
    public private(set) var memory: Memory
    private let start: Network
    private let samples: FeatureSet
    private let secret: SecretSeed
    private var log = StepLog()
    private var hasStarted = false
    private var isFinished = false
    private var meanLoss = 0.0
    private var artifact = Digest.zero

    /// - Parameter secret: of this worker alone; noise comes from it.
    public init(
        training: LocalTraining, start: Network, samples: FeatureSet, memory: Memory, secret: SecretSeed
    ) throws(TrainingError) {
        guard samples.count > 0 else { throw .emptyDataset }
        self.training = training
        self.start = start
        self.samples = samples
        self.memory = memory
        self.secret = secret
    }

    /// An event that throws leaves the machine as it was.
    public mutating func handle(_ event: Event) throws(TrainingError) -> [Action] {
        switch event {
        case .start:
            guard !hasStarted else { throw .unexpectedEvent("the round has started already") }
            var account = memory.account
            let outcome = try training.run(from: start, samples: samples, account: &account, secret: secret)
            memory.account = account
            let difference = memory.unshared.share(outcome.difference, fraction: training.plan.sharedFraction)
            hasStarted = true
            meanLoss = outcome.meanLoss
            artifact = difference.digest
            log.expected += 1
            return [
                .send(
                    .fogDifference(
                        FogDifferenceMessage(
                            round: training.round, samples: UInt32(clamping: samples.count), loss: outcome.meanLoss,
                            difference: difference)))
            ]
        case .sent(let commitment):
            try log.record(commitment)
            return []
        case .mean(let message):
            guard hasStarted, !isFinished else { throw .unexpectedEvent("a mean, while none is awaited") }
            guard message.round == training.round else {
                throw .refused(.wrongRound(expected: training.round, found: message.round))
            }
            guard let values = message.difference.values else { throw .refused(.wrongForm) }
            let network = try start.adding(values)
            guard network.isFinite else { throw .refused(.values) }
            let result = RoundResult(
                stepsRoot: try log.root(), artifact: artifact, meanLoss: meanLoss, log: log)
            isFinished = true
            return [.finished(result, network: network)]
        }
    }
}
