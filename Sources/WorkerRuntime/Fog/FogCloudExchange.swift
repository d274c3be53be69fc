import Cryptography
import JobProtocol
import Primitives
import Training

/// The cloud's side of one round of fog learning: it collects the differences until all have come, or the time is short
/// and the quorum is there, makes the next model of those that it accepts, and tells every fog node how far it moved.
package struct FogCloudExchange: Sendable {
    let exchange: Exchange
    let me: JobParticipant
    /// The active fog nodes.
    let nodes: [JobParticipant]
    let plan: TrainingPlan
    let quorum: Int
    let epsilonMicro: UInt64
    let start: Network
    /// On which each difference is tried; nil to accept all that are well-formed.
    let reserved: FeatureSet?
    /// When the cloud closes with what it has: early enough to commit in time.
    let closing: ContinuousClock.Instant

    package init(
        exchange: Exchange, me: JobParticipant, nodes: [JobParticipant], plan: TrainingPlan, quorum: Int,
        epsilonMicro: UInt64, start: Network, reserved: FeatureSet?, closing: ContinuousClock.Instant
    ) {
        self.exchange = exchange
        self.me = me
        self.nodes = nodes
        self.plan = plan
        self.quorum = quorum
        self.epsilonMicro = epsilonMicro
        self.start = start
        self.reserved = reserved
        self.closing = closing
    }

    private struct Line {
        let node: JobParticipant
        var conversation: Conversation
        var received: Digest?
        var isLeftOut = false
    }

    /// - Parameter result: gets the work as soon as it is done; what is left is to tell the fog nodes.
    package func run(result: (RoundWork) async throws -> Void) async throws {
        let round = exchange.plan.round
        exchange.audit?.restart()
        var machine = try FogCloudRound(
            plan: plan, round: round, places: nodes.map(\.index), quorum: quorum, network: start, validation: reserved,
            epsilonMicro: epsilonMicro, threads: exchange.threads)
        var lines: [UInt16: Line] = [:]
        for node in nodes {
            lines[node.index] = Line(node: node, conversation: exchange.conversation(edge: node, cloud: me))
        }
        var actions: [FogCloudRound.Action] = []
        while !machine.awaited.isEmpty {
            // Who was refused still owes a good difference, and may not send one.
            let delivered = nodes.count - machine.awaited.count
            let until = delivered >= quorum ? min(closing, exchange.deadline) : exchange.deadline
            guard let envelope = await exchange.inbox.next(of: round, until: until) else {
                try Task.checkCancellation()
                guard delivered >= quorum || .now >= exchange.deadline else { continue }
                actions += try machine.handle(.timedOut)
                break
            }
            guard let difference = take(envelope, &lines) else { continue }
            actions += note(try machine.handle(.difference(from: envelope.context.index, difference)), &lines)
        }
        actions = note(actions, &lines)
        try await finish(actions, &machine, &lines, result)
    }

    private func take(_ envelope: Envelope, _ lines: inout [UInt16: Line]) -> FogDifferenceMessage? {
        let index = envelope.context.index
        if exchange.faults.happens(.ignore, round: exchange.plan.round), index == nodes.map(\.index).min() { return nil }
        guard var line = lines[index], line.node.account == envelope.context.senderKey, line.received == nil,
            let key = exchange.secrets.keys.key(for: envelope.context.receiverKemKey)
        else { return nil }
        do {
            let message = try exchange.open(envelope, in: &line.conversation, step: 0, kind: .fogDifference, key: key)
            line.received = envelope.commitment
            lines[index] = line
            guard case .fogDifference(let difference) = message else { return nil }
            return difference
        } catch {
            exchange.passOver(envelope, of: line.node.account, because: error)
            return nil
        }
    }

    /// Notes who is left out, and gives the actions that remain.
    private func note(_ actions: [FogCloudRound.Action], _ lines: inout [UInt16: Line]) -> [FogCloudRound.Action] {
        actions.filter { action in
            switch action {
            case .refuse(let place, let reason):
                lines[place]?.isLeftOut = true
                exchange.report(.leftOut(exchange.plan.round, place, "\(reason)"))
                return false
            case .dropped(let place):
                exchange.report(.edgeDropped(exchange.plan.round, place))
                return false
            case .send, .completed, .starved: return true
            }
        }
    }

    private func finish(
        _ actions: [FogCloudRound.Action], _ machine: inout FogCloudRound, _ lines: inout [UInt16: Line],
        _ result: (RoundWork) async throws -> Void
    ) async throws {
        guard lines.values.count(where: { $0.received != nil }) >= quorum else {
            throw WorkerError.peer("fewer fog nodes than the quorum of \(quorum) have delivered")
        }
        var outgoing: [(node: JobParticipant, envelope: Envelope)] = []
        for case .send(let place, let message) in actions {
            guard var line = lines[place] else { continue }
            let envelope = try exchange.seal(message, in: &line.conversation)
            lines[place] = line
            _ = try machine.handle(.sent(envelope.commitment))
            outgoing.append((line.node, envelope))
        }
        // Too few were good enough: the model stays, and the committee is to see it so.
        let isStarved = actions.contains(.starved)
        let partners = lines.values.sorted { $0.node.index < $1.node.index }.compactMap { line in
            line.received.map {
                JobPartner(
                    index: line.node.index, envelopes: 1, root: RoundWork.root([$0]),
                    use: line.isLeftOut || isStarved ? .leftOut : .used)
            }
        }
        if isStarved {
            try await result(
                RoundWork(
                    stepsRoot: RoundWork.root([]), artifact: start.weightsDigest, lossMicro: 0, partners: partners,
                    model: .whole(start)))
            return
        }
        let (outcome, network) = try machine.result()
        try await result(
            RoundWork(
                stepsRoot: outcome.stepsRoot, artifact: outcome.artifact, lossMicro: outcome.lossMicro,
                partners: partners, model: .whole(network)))
        await withDiscardingTaskGroup { group in
            for (node, envelope) in outgoing {
                group.addTask(executorPreference: globalConcurrentExecutor) { [exchange] in
                    do {
                        try await exchange.postman.deliver(envelope, to: node.account, until: exchange.deadline)
                    } catch is CancellationError {
                    } catch {
                        // It asks for the model when the next round begins.
                        exchange.warn("\(error)")
                    }
                }
            }
        }
    }
}
