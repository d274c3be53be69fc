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

    /// The round's training alone: what an asynchronous job's fog node hands over when it is done, in whichever round.
    package func train() throws -> (FogDifferenceMessage, FogNodeRound.Memory) {
        exchange.audit?.restart()
        var machine = try machine()
        guard case .send(.fogDifference(let message))? = try machine.handle(.start).first else {
            throw WorkerError.cannotWork("the round's training gives no difference")
        }
        return (said(of: message), machine.memory)
    }

    private func machine() throws -> FogNodeRound {
        let training = LocalTraining(
            plan: plan, round: exchange.plan.round, place: me.index, threads: exchange.threads)
        return try FogNodeRound(training: training, start: start, samples: samples, memory: memory, secret: secret)
    }

    /// What an experiment's faults make of it.
    private func said(of message: FogDifferenceMessage) -> FogDifferenceMessage {
        var message = message
        if exchange.faults.happens(.poison, round: exchange.plan.round) { message = message.poisoned ?? message }
        if exchange.faults.happens(.lie, round: exchange.plan.round) { message = message.falsified() }
        return message
    }

    /// - Parameters:
    ///   - delivered: the cloud has the difference: what is to be committed to, and the memory for the next round.
    ///   - moved: the model that the round gives if it is accepted. Without it the node asks for it later.
    package func run(
        delivered: (RoundWork, FogNodeRound.Memory) async throws -> Void, moved: (JobModel) async throws -> Void
    ) async throws {
        let round = exchange.plan.round
        exchange.audit?.restart()
        var machine = try machine()
        guard case .send(.fogDifference(let computed))? = try machine.handle(.start).first else { return }
        let message = said(of: computed)
        var conversation = exchange.conversation(edge: me, cloud: cloud)
        let envelope = try exchange.seal(.fogDifference(message), in: &conversation)
        _ = try machine.handle(.sent(envelope.commitment))
        try await exchange.dawdle()
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

extension Exchange {
    /// Seals an asynchronous job's update in the conversation of the round from whose model it was made, which is over
    /// with this one message, and delivers it.
    /// - Returns: the commitment of what the cloud now has.
    package func hand(
        over message: FogDifferenceMessage, me: JobParticipant, cloud: JobParticipant
    ) async throws -> Digest {
        var conversation = conversation(edge: me, cloud: cloud, round: message.round)
        let envelope = try seal(.fogDifference(message), in: &conversation)
        try await postman.deliver(envelope, to: cloud.account, until: deadline)
        return envelope.commitment
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
