import Primitives
import Training

/// An edge's side of one round.
struct EdgeExchange {
    let exchange: Exchange
    let me: JobParticipant
    let cloud: JobParticipant
    let front: FrontModel
    let shard: Dataset

    func run() async throws -> (RoundResult, FrontModel) {
        var machine = try EdgeRound(
            plan: exchange.plan, index: me.index, front: front, shard: shard, threads: exchange.threads)
        var conversation = exchange.conversation(edge: me, cloud: cloud)
        var actions = try machine.handle(.start)
        while true {
            for action in actions {
                switch action {
                case .finished(let result, let front): return (result, front)
                case .send(let message):
                    let envelope = try conversation.seal(message, salt: Exchange.salt(), key: exchange.key)
                    _ = try machine.handle(.sent(envelope.commitment))
                    try await exchange.postman.deliver(envelope, to: cloud.endpoint, until: exchange.deadline)
                }
            }
            actions = try await receive(&machine, &conversation)
        }
    }

    /// Waits for the cloud's answer. What does not open, or does not fit, is passed over.
    private func receive(
        _ machine: inout EdgeRound, _ conversation: inout Conversation
    ) async throws -> [EdgeRound.Action] {
        while let envelope = await exchange.inbox.next(until: exchange.deadline) {
            try Task.checkCancellation()
            do {
                switch machine.phase {
                case .gradient(let step):
                    let message = try conversation.open(envelope, step: step, kind: .gradient, key: exchange.kemKey)
                    if case .gradient(let gradient) = message { return try machine.handle(.gradient(gradient)) }
                case .average:
                    let message = try conversation.open(
                        envelope, step: exchange.plan.steps, kind: .frontAverage, key: exchange.kemKey)
                    if case .frontAverage(let average) = message { return try machine.handle(.average(average)) }
                case .idle, .finished: break
                }
            } catch let error as EnvelopeError {
                exchange.report(.warning("passed over an envelope: \(error)"))
                if error.isComplaint { await exchange.complain(envelope, about: cloud.account) }
            }
        }
        try Task.checkCancellation()
        throw WorkerError.peer("the cloud was silent until the end of the round")
    }
}
