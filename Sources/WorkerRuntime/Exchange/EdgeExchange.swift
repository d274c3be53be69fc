import JobProtocol
import Primitives
import Training

/// An edge's side of one round.
package struct EdgeExchange: Sendable {
    let exchange: Exchange
    let me: JobParticipant
    let cloud: JobParticipant
    let front: Network
    let shard: any SampleSource

    /// The cloud did not answer: it may have restarted, and not know any more what was said.
    private struct Silence: Error {}

    /// Does the round, again from its first step whenever the cloud falls silent: one that still knows the round gives
    /// the same answers at once, one that restarted needs it.
    /// - Returns: the work, with the front that the round gave; which back belongs to it, the cloud reveals.
    func run() async throws -> (RoundWork, front: Network) {
        while true {
            do { return try await attempt() } catch is Silence {
                try Task.checkCancellation()
                guard ContinuousClock.now < exchange.deadline else {
                    throw WorkerError.peer("the cloud was silent until the end of the round")
                }
                exchange.warn("the cloud is silent; round \(exchange.plan.round) starts again")
            }
        }
    }

    private func attempt() async throws -> (RoundWork, front: Network) {
        exchange.audit?.restart()
        var machine = try EdgeRound(
            plan: exchange.plan, index: me.index, front: front, shard: shard, threads: exchange.threads)
        var conversation = exchange.conversation(edge: me, cloud: cloud)
        var actions = try machine.handle(.start)
        while true {
            for action in actions {
                switch action {
                case .finished(let result, let front):
                    let work = RoundWork(
                        stepsRoot: result.stepsRoot, artifact: result.artifact, lossMicro: result.lossMicro,
                        partners: [],
                        model: nil)
                    return (work, front)
                case .send(var message):
                    if exchange.faults.happens(.lie, round: exchange.plan.round, step: message.step) {
                        message = message.falsified()
                    }
                    let envelope = try exchange.seal(message, in: &conversation)
                    _ = try machine.handle(.sent(envelope.commitment))
                    if message.step == 0 { try await exchange.dawdle() }
                    do {
                        try await exchange.postman.deliver(envelope, to: cloud.account, until: patienceEnds)
                    } catch let error as WorkerError {
                        exchange.warn("\(error)")
                        throw Silence()
                    }
                }
            }
            actions = try await receive(&machine, &conversation)
        }
    }

    private var patienceEnds: ContinuousClock.Instant {
        min(exchange.deadline, .now + exchange.stepTimeout * WorkerLimits.edgePatience)
    }

    /// Waits for the cloud's answer. What does not open, or does not fit, is passed over.
    private func receive(
        _ machine: inout EdgeRound, _ conversation: inout Conversation
    ) async throws -> [EdgeRound.Action] {
        let until = patienceEnds
        while let envelope = await exchange.inbox.next(of: exchange.plan.round, until: until) {
            guard let key = exchange.secrets.keys.key(for: envelope.context.receiverKemKey) else { continue }
            do {
                switch machine.phase {
                case .gradient(let step):
                    let message = try exchange.open(
                        envelope, in: &conversation, step: step, kind: .gradient, key: key)
                    if case .gradient(let gradient) = message { return try machine.handle(.gradient(gradient)) }
                case .average:
                    let message = try exchange.open(
                        envelope, in: &conversation, step: exchange.plan.steps, kind: .frontAverage, key: key)
                    if case .frontAverage(let average) = message { return try machine.handle(.average(average)) }
                case .idle, .finished: break
                }
            } catch let error as EnvelopeError {
                // An answer that came twice is no news.
                if case .wrongContext = error { continue }
                exchange.passOver(envelope, of: cloud.account, because: error)
            }
        }
        try Task.checkCancellation()
        throw Silence()
    }
}

extension AnyTrainingMessage {
    /// What a liar sends in place of what it has computed.
    func falsified() -> AnyTrainingMessage {
        switch self {
        case .activation(let message):
            .activation(
                ActivationMessage(
                    round: message.round, step: message.step, boundary: message.boundary.scaled(by: 0.5),
                    labels: message.labels, precision: message.precision))
        case .gradient(let message):
            .gradient(
                GradientMessage(
                    round: message.round, step: message.step, gradient: message.gradient.scaled(by: 0.5),
                    loss: message.loss, precision: message.precision))
        default: self
        }
    }
}
