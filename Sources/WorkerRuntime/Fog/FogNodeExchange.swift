import Cryptography
import JobProtocol
import Primitives
import Training

/// A fog node's side of one round: it trains from the accepted model on what its devices gave, hands the difference to
/// the cloud, sealed, and waits for the mean that everybody adds.
package struct FogNodeExchange: Sendable {
    let exchange: Exchange
    let me: JobParticipant
    let cloud: JobParticipant
    let plan: TrainingPlan
    let start: Network
    let samples: FeatureSet
    let memory: FogNodeRound.Memory
    let secret: SecretSeed

    package init(
        exchange: Exchange, me: JobParticipant, cloud: JobParticipant, plan: TrainingPlan, start: Network,
        samples: FeatureSet, memory: FogNodeRound.Memory, secret: SecretSeed
    ) {
        self.exchange = exchange
        self.me = me
        self.cloud = cloud
        self.plan = plan
        self.start = start
        self.samples = samples
        self.memory = memory
        self.secret = secret
    }

    /// - Parameters:
    ///   - delivered: the cloud has the difference: what is to be committed to, and the memory for the next round.
    ///   - moved: the model that the round gives if it is accepted. Without it the node asks for it later.
    package func run(
        delivered: (RoundWork, FogNodeRound.Memory) async throws -> Void, moved: (JobModel) async throws -> Void
    ) async throws {
        let round = exchange.plan.round
        exchange.audit?.restart()
        let training = LocalTraining(plan: plan, round: round, place: me.index, threads: exchange.threads)
        var machine = try FogNodeRound(
            training: training, start: start, samples: samples, memory: memory, secret: secret)
        guard case .send(.fogDifference(var message))? = try machine.handle(.start).first else { return }
        if exchange.faults.happens(.poison, round: round) { message = message.poisoned ?? message }
        if exchange.faults.happens(.lie, round: round) { message = message.falsified() }
        var conversation = exchange.conversation(edge: me, cloud: cloud)
        let envelope = try exchange.seal(.fogDifference(message), in: &conversation)
        _ = try machine.handle(.sent(envelope.commitment))
        try await exchange.postman.deliver(envelope, to: cloud.account, until: exchange.deadline)
        let work = RoundWork(
            stepsRoot: RoundWork.root([envelope.commitment]), artifact: message.difference.digest,
            lossMicro: Micro.of(message.loss), partners: [], model: nil)
        try await delivered(work, machine.memory)
        while !Task.isCancelled, .now < exchange.deadline {
            let patience = ContinuousClock.now + exchange.stepTimeout * WorkerLimits.edgePatience
            guard let answer = await exchange.inbox.next(of: round, until: min(exchange.deadline, patience)) else {
                // A cloud that restarted has lost what it was given; one that has it answers from the head alone.
                try? await exchange.postman.deliver(envelope, to: cloud.account, until: .now)
                continue
            }
            guard answer.context.senderKey == cloud.account,
                let key = exchange.secrets.keys.key(for: answer.context.receiverKemKey)
            else { continue }
            do {
                guard
                    case .fogMean(let mean) = try exchange.open(
                        answer, in: &conversation, step: 0, kind: .fogMean, key: key)
                else { continue }
                for case .finished(_, let network) in try machine.handle(.mean(mean)) {
                    try await moved(.whole(network))
                }
                return
            } catch let error as EnvelopeError {
                exchange.passOver(answer, of: cloud.account, because: error)
            }
        }
    }
}

extension FogDifferenceMessage {
    /// What a liar sends in place of what it has computed.
    fileprivate func falsified() -> FogDifferenceMessage {
        guard let values = difference.values else { return self }
        return FogDifferenceMessage(
            round: round, step: step, samples: samples, loss: loss, difference: .dense(values.map { -2 * $0 }))
    }
}
