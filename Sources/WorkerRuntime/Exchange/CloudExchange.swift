import Cryptography
import JobProtocol
import Primitives
import Training

/// The cloud's side of one round.
///
/// An edge that restarts does the round again from its first step. Its messages are the same as before, so it gets the
/// same answers again, until it is where it was.
package struct CloudExchange: Sendable {
    let exchange: Exchange
    let me: JobParticipant
    /// The active edges, by their place in the roster.
    let edges: [JobParticipant]
    let quorum: Int
    /// With so many edges' first messages the round goes on without the others, which wait for the next one: of an
    /// asynchronous job its K, else all.
    let enough: Int
    let checkpoint: Checkpoint

    /// The answers given in this round, by the commitment of what they answer; the oldest go first.
    private struct Answers {
        private var byRequest: [Digest: Envelope] = [:]
        private var order: [Digest] = []
        private var bytes = 0

        subscript(request: Digest) -> Envelope? { byRequest[request] }

        mutating func add(_ answer: Envelope, to request: Digest) {
            guard byRequest.updateValue(answer, forKey: request) == nil else { return }
            order.append(request)
            bytes += answer.ciphertext.count
            while bytes > WorkerLimits.keptAnswerBytes, order.count > 1 {
                bytes -= byRequest.removeValue(forKey: order.removeFirst())?.ciphertext.count ?? 0
            }
        }
    }

    /// What one edge and the cloud have said to each other.
    private struct Line {
        let edge: JobParticipant
        var conversation: Conversation
        /// The commitment of the message that waits for its answer.
        var request: Digest?
        /// Commitments of what came from the edge, in the order in which it came.
        var received: [Digest] = []
    }

    private struct Round {
        var machine: CloudRound
        var lines: [UInt16: Line]
        var answers = Answers()
    }

    /// Works, hands over the result, and goes on answering edges that restarted until the task is cancelled or the
    /// round's time is over.
    func run(result: (RoundWork) async -> Void) async throws {
        try await withThrowingDiscardingTaskGroup { group in
            try await run(&group, result)
            group.cancelAll()
        }
    }

    private func run(
        _ deliveries: inout ThrowingDiscardingTaskGroup<any Error>, _ result: (RoundWork) async -> Void
    ) async throws {
        exchange.audit?.restart()
        var round = Round(
            machine: try CloudRound(
                plan: exchange.plan, edges: edges.map(\.index), quorum: quorum, checkpoint: checkpoint,
                threads: exchange.threads),
            lines: [:])
        for edge in edges {
            round.lines[edge.index] = Line(edge: edge, conversation: exchange.conversation(edge: edge, cloud: me))
        }
        // Edges learn of the round at different times, and one that takes this cloud for restarted begins anew.
        var stepEnds = min(exchange.deadline, .now + exchange.stepTimeout * WorkerLimits.firstStepPatience)
        var isComplete = false
        while true {
            try Task.checkCancellation()
            let step = round.machine.step
            let envelope = await exchange.inbox.next(
                of: exchange.plan.round, until: isComplete ? exchange.deadline : stepEnds)
            var actions: [CloudRound.Action]
            if let envelope {
                actions = try take(envelope, &round, &deliveries)
            } else {
                try Task.checkCancellation()
                if isComplete { return }
                guard .now < exchange.deadline else { throw WorkerError.peer("the round's time is over") }
                actions = try round.machine.handle(.timedOut(step: step))
            }
            // Steps are made together, so that the round's edges are those of its first step.
            if round.machine.step == 0, edges.count - round.machine.awaited.count >= enough {
                actions += try round.machine.handle(.timedOut(step: 0))
            }
            for action in actions {
                switch action {
                case .send(let index, var message):
                    if exchange.faults.happens(.lie, round: exchange.plan.round, step: message.step) {
                        message = message.falsified()
                    }
                    try send(message, to: index, &round, &deliveries)
                case .refuse(let index, let refusal): exchange.warn("refused a message of edge \(index): \(refusal)")
                case .dropped(let index): exchange.report(.edgeDropped(exchange.plan.round, index))
                case .completed: isComplete = true
                case .starved: throw WorkerError.peer("fewer edges than the quorum of \(quorum) are left")
                }
            }
            if actions.contains(.completed) {
                await result(try work(of: round))
            }
            if round.machine.step != step { stepEnds = min(exchange.deadline, .now + exchange.stepTimeout) }
        }
    }

    private func take(
        _ envelope: Envelope, _ round: inout Round, _ deliveries: inout ThrowingDiscardingTaskGroup<any Error>
    ) throws -> [CloudRound.Action] {
        let index = envelope.context.index
        if exchange.faults.happens(.ignore, round: exchange.plan.round), index == edges.map(\.index).min() { return [] }
        guard var line = round.lines[index], line.edge.account == envelope.context.senderKey else { return [] }
        if let answer = round.answers[envelope.commitment] {
            deliver(answer, to: line.edge, &deliveries)
            return []
        }
        // Its answer waits for the other edges.
        if line.request == envelope.commitment { return [] }
        guard let key = exchange.secrets.keys.key(for: envelope.context.receiverKemKey) else { return [] }
        let isLast = round.machine.step == exchange.plan.steps
        let message: AnyTrainingMessage
        do {
            message = try exchange.open(
                envelope, in: &line.conversation, step: round.machine.step,
                kind: isLast ? .frontDifference : .activation,
                key: key)
        } catch {
            exchange.passOver(envelope, of: line.edge.account, because: error)
            return []
        }
        line.request = envelope.commitment
        line.received.append(envelope.commitment)
        round.lines[index] = line
        switch message {
        case .activation(let activation): return try round.machine.handle(.activation(from: index, activation))
        case .frontDifference(let difference): return try round.machine.handle(.difference(from: index, difference))
        case .gradient, .frontAverage, .deviceSamples, .fogDifference, .fogMean, .secureSumUp, .secureSumDown: return []
        }
    }

    private func work(of round: Round) throws -> RoundWork {
        let (outcome, checkpoint) = try round.machine.result()
        let partners = round.lines.values.sorted { $0.edge.index < $1.edge.index }.compactMap { line -> JobPartner? in
            guard !line.received.isEmpty else { return nil }
            return JobPartner(
                index: line.edge.index, envelopes: UInt32(clamping: line.received.count),
                root: RoundWork.root(line.received),
                use: round.machine.edges.contains(line.edge.index) ? .used : .leftOut)
        }
        return RoundWork(
            stepsRoot: outcome.stepsRoot, artifact: outcome.artifact, lossMicro: outcome.lossMicro, partners: partners,
            model: .split(checkpoint))
    }

    private func send(
        _ message: AnyTrainingMessage, to index: UInt16, _ round: inout Round,
        _ deliveries: inout ThrowingDiscardingTaskGroup<any Error>
    ) throws {
        guard var line = round.lines[index] else { return }
        let envelope = try exchange.seal(message, in: &line.conversation)
        if let request = line.request { round.answers.add(envelope, to: request) }
        line.request = nil
        round.lines[index] = line
        _ = try round.machine.handle(.sent(envelope.commitment))
        deliver(envelope, to: line.edge, &deliveries)
    }

    /// Beside the round: an edge that does not answer holds up nobody. The two sides alternate, so what goes to one edge
    /// stays in order.
    private func deliver(
        _ envelope: Envelope, to edge: JobParticipant, _ deliveries: inout ThrowingDiscardingTaskGroup<any Error>
    ) {
        let until = min(exchange.deadline, .now + exchange.stepTimeout)
        // Not on the thread that trains.
        deliveries.addTask(executorPreference: globalConcurrentExecutor) { [exchange] in
            do {
                try await exchange.postman.deliver(envelope, to: edge.account, until: until)
            } catch is CancellationError {
            } catch {
                // It will be missing at the next step, and dropped then.
                exchange.warn("\(error)")
            }
        }
    }
}
