import Primitives
import Training

/// The cloud's side of one round.
struct CloudExchange {
    let exchange: Exchange
    let me: JobParticipant
    /// The active edges, by their place in the roster.
    let edges: [JobParticipant]
    let quorum: Int
    let checkpoint: Checkpoint
    /// What a silent edge gets before the round goes on without it.
    let stepTimeout: Duration

    func run() async throws -> (RoundResult, Checkpoint) {
        var machine = try CloudRound(
            plan: exchange.plan, edges: edges.map(\.index), quorum: quorum, checkpoint: checkpoint,
            threads: exchange.threads)
        var conversations: [UInt16: Conversation] = [:]
        for edge in edges { conversations[edge.index] = exchange.conversation(edge: edge, cloud: me) }
        var step = machine.step
        var stepEnds = min(exchange.deadline, .now + stepTimeout)
        while true {
            try Task.checkCancellation()
            let actions: [CloudRound.Action]
            if let envelope = await exchange.inbox.next(until: stepEnds) {
                actions = try await take(envelope, &machine, &conversations)
            } else {
                try Task.checkCancellation()
                guard .now < exchange.deadline else { throw WorkerError.peer("the round's time is over") }
                actions = try machine.handle(.timedOut(step: step))
            }
            var isComplete = false
            for action in actions {
                switch action {
                case .send(let index, let message):
                    try await send(message, to: index, &machine, &conversations)
                case .refuse(let index, let refusal):
                    exchange.report(.warning("refused a message of edge \(index): \(refusal)"))
                case .dropped(let index): exchange.report(.edgeDropped(exchange.plan.round, index))
                case .completed: isComplete = true
                case .starved: throw WorkerError.peer("fewer edges than the quorum of \(quorum) are left")
                }
            }
            if isComplete { return try machine.result() }
            if machine.step != step {
                step = machine.step
                stepEnds = min(exchange.deadline, .now + stepTimeout)
            }
        }
    }

    private func take(
        _ envelope: Envelope, _ machine: inout CloudRound, _ conversations: inout [UInt16: Conversation]
    ) async throws -> [CloudRound.Action] {
        let index = envelope.context.index
        guard var conversation = conversations[index] else { return [] }
        let isLast = machine.step == exchange.plan.steps
        let message: AnyTrainingMessage
        do {
            message = try conversation.open(
                envelope, step: machine.step, kind: isLast ? .frontDifference : .activation, key: exchange.kemKey)
        } catch {
            exchange.report(.warning("passed over an envelope of edge \(index): \(error)"))
            if error.isComplaint { await exchange.complain(envelope, about: envelope.context.senderKey) }
            return []
        }
        conversations[index] = conversation
        switch message {
        case .activation(let activation): return try machine.handle(.activation(from: index, activation))
        case .frontDifference(let difference): return try machine.handle(.difference(from: index, difference))
        case .gradient, .frontAverage: return []
        }
    }

    private func send(
        _ message: AnyTrainingMessage, to index: UInt16, _ machine: inout CloudRound,
        _ conversations: inout [UInt16: Conversation]
    ) async throws {
        guard var conversation = conversations[index], let edge = edges.first(where: { $0.index == index }) else { return }
        let envelope = try conversation.seal(message, salt: Exchange.salt(), key: exchange.key)
        conversations[index] = conversation
        _ = try machine.handle(.sent(envelope.commitment))
        do {
            try await exchange.postman.deliver(envelope, to: edge.endpoint, until: min(exchange.deadline, .now + stepTimeout))
        } catch is CancellationError {
            throw CancellationError()
        } catch {
            // It will be missing at the next step, and dropped then.
            exchange.report(.warning("\(error)"))
        }
    }
}
