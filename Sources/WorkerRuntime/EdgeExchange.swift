import JobProtocol
import Primitives
import Training

/// An edge's side of one round.
struct EdgeExchange {
    let exchange: Exchange
    let me: JobParticipant
    let cloud: JobParticipant
    let front: Network
    let shard: Dataset

    /// The cloud did not answer: it may have restarted, and not know any more what was said.
    private struct Silence: Error {}

    /// Does the round, again from its first step whenever the cloud falls silent: one that still knows the round gives
    /// the same answers at once, one that restarted needs it.
    func run() async throws -> (RoundResult, Network) {
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

    private func attempt() async throws -> (RoundResult, Network) {
        var machine = try EdgeRound(
            plan: exchange.plan, index: me.index, front: front, shard: shard, threads: exchange.threads)
        var conversation = exchange.conversation(edge: me, cloud: cloud)
        var actions = try machine.handle(.start)
        while true {
            for action in actions {
                switch action {
                case .finished(let result, let front): return (result, front)
                case .send(let message):
                    let envelope = try exchange.seal(message, in: &conversation)
                    _ = try machine.handle(.sent(envelope.commitment))
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
            do {
                switch machine.phase {
                case .gradient(let step):
                    let message = try conversation.open(
                        envelope, step: step, kind: .gradient, key: exchange.secrets.kemKey)
                    if case .gradient(let gradient) = message { return try machine.handle(.gradient(gradient)) }
                case .average:
                    let message = try conversation.open(
                        envelope, step: exchange.plan.steps, kind: .frontAverage, key: exchange.secrets.kemKey)
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
