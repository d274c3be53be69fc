import Cryptography
import Encoding
import JobProtocol
import Primitives
import Training

// A round of fog learning in which the cloud learns the sum of all differences and of no smaller part of them
// (`SecureSum`). The two sides alternate, worker first:
//
//     0 keys   1 everybody's keys   2 shares   3 the shares for the receiver   4 the masked difference
//     5 who is in the sum   6 what unmasks it   7 the mean

extension TrainingPlan {
    var isSecureSum: Bool { secureSumThreshold != nil }

    var secureSumThreshold: Int? {
        if case .secureSum(let threshold) = aggregation { Int(threshold) } else { nil }
    }
}

extension Exchange {
    /// Names job and round: shares of one sum do not open in another.
    var sumContext: [UInt8] { contract.bytes + plan.round.borsh }
}

/// A fog node's side.
package struct SecureFogNodeExchange: Sendable {
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

    private struct Talk {
        var conversation: Conversation
        var sent: [Digest] = []
    }

    /// The same as of ``FogNodeExchange``. All secrets of the sum are fresh in each attempt: a worker that begins anew must
    /// not answer twice with the same ones.
    package func run(
        delivered: (RoundWork, FogNodeRound.Memory) async throws -> Void, moved: (JobModel) async throws -> Void
    ) async throws {
        let round = exchange.plan.round
        var next = memory
        let outcome = try LocalTraining(plan: plan, round: round, place: me.index, threads: exchange.threads).run(
            from: start, samples: samples, account: &next.account, secret: secret)
        // What harms can't be seen under a mask.
        let isPoisoned = exchange.faults.happens(.poison, round: round)
        let difference = isPoisoned ? outcome.difference.map { $0 * FogDifferenceMessage.poison } : outcome.difference
        var worker = try SecureSum.Worker(
            place: me.index, threshold: plan.secureSumThreshold ?? 0, seed: .generate(), context: exchange.sumContext)
        var talk = Talk(conversation: exchange.conversation(edge: me, cloud: cloud))

        try await say(.keys(worker.keys), step: 0, &talk)
        guard case .roster(let members) = try await hear(step: 1, &talk) else { throw Self.outOfTurn }
        let shares = try worker.share(members.map { ($0.place, $0.content) })
        try await say(.shares(shares), step: 2, &talk)
        guard case .shares(let given) = try await hear(step: 3, &talk) else { throw Self.outOfTurn }
        for share in given { try worker.keep(share.content, from: share.place) }
        let masked = Difference.masked(
            try worker.mask(SecureSum.encode(difference, participants: members.count)))
        let message = FogDifferenceMessage(
            round: round, step: 4, samples: UInt32(clamping: samples.count), loss: outcome.meanLoss, difference: masked)
        try await send(.fogDifference(message), &talk)
        guard case .included(let places) = try await hear(step: 5, &talk) else { throw Self.outOfTurn }
        try await say(.unmask(try worker.unmask(included: places)), step: 6, &talk)

        try await delivered(
            RoundWork(
                stepsRoot: RoundWork.root(talk.sent), artifact: masked.digest, lossMicro: Micro.of(outcome.meanLoss),
                partners: [], model: nil), next)
        guard case .fogMean(let mean) = try await receive(step: 7, kind: .fogMean, &talk),
            let values = mean.difference.values
        else { return }
        let network = try start.adding(values)
        guard network.isFinite else { return }
        try await moved(.whole(network))
    }

    private static let outOfTurn = WorkerError.peer("the cloud said something else in the secure sum than was its turn")

    private func say(_ body: SecureSumUp, step: UInt32, _ talk: inout Talk) async throws {
        try await send(.secureSumUp(SecureSumUpMessage(round: exchange.plan.round, step: step, body: body)), &talk)
    }

    private func send(_ message: AnyTrainingMessage, _ talk: inout Talk) async throws {
        let envelope = try exchange.seal(message, in: &talk.conversation)
        talk.sent.append(envelope.commitment)
        try await exchange.postman.deliver(envelope, to: cloud.account, until: exchange.deadline)
    }

    private func hear(step: UInt32, _ talk: inout Talk) async throws -> SecureSumDown {
        guard case .secureSumDown(let message) = try await receive(step: step, kind: .secureSumDown, &talk) else {
            throw Self.outOfTurn
        }
        return message.body
    }

    private func receive(step: UInt32, kind: MessageKind, _ talk: inout Talk) async throws -> AnyTrainingMessage {
        while let envelope = await exchange.inbox.next(of: exchange.plan.round, until: exchange.deadline) {
            guard envelope.context.senderKey == cloud.account,
                let key = exchange.secrets.keys.key(for: envelope.context.receiverKemKey)
            else { continue }
            do { return try talk.conversation.open(envelope, step: step, kind: kind, key: key) } catch {
                // An answer that came twice is no news.
                if case .wrongContext = error { continue }
                exchange.passOver(envelope, of: cloud.account, because: error)
            }
        }
        try Task.checkCancellation()
        throw WorkerError.peer("the cloud was silent in the secure sum until the end of the round")
    }
}

/// The cloud's side. Who falls silent at a step is out; what it had masked before is taken out of the sum by the others'
/// shares.
package struct SecureFogCloudExchange: Sendable {
    let exchange: Exchange
    let me: JobParticipant
    let nodes: [JobParticipant]
    let plan: TrainingPlan
    let start: Network
    let closing: ContinuousClock.Instant

    package init(
        exchange: Exchange, me: JobParticipant, nodes: [JobParticipant], plan: TrainingPlan, start: Network,
        closing: ContinuousClock.Instant
    ) {
        self.exchange = exchange
        self.me = me
        self.nodes = nodes
        self.plan = plan
        self.start = start
        self.closing = closing
    }

    private struct Line {
        let node: JobParticipant
        var conversation: Conversation
        var received: [Digest] = []
    }

    package func run(result: (RoundWork) async throws -> Void) async throws {
        try await withThrowingDiscardingTaskGroup { group in
            try await run(&group, result)
        }
    }

    private func run(
        _ group: inout ThrowingDiscardingTaskGroup<any Error>, _ result: (RoundWork) async throws -> Void
    ) async throws {
        let round = exchange.plan.round
        var machine = SecureSum.Cloud(
            threshold: plan.secureSumThreshold ?? 0, count: start.parameterCount, context: exchange.sumContext)
        var lines: [UInt16: Line] = [:]
        for node in nodes { lines[node.index] = Line(node: node, conversation: exchange.conversation(edge: node, cloud: me)) }
        // Most of the time is for training, which the workers do before they send their keys.
        let begins = ContinuousClock.now
        func time(_ percent: Int) -> ContinuousClock.Instant { begins + (closing - begins) * percent / 100 }

        try await collect(from: Set(lines.keys), step: 0, kind: .secureSumUp, until: time(55), &lines) { place, message in
            guard case .secureSumUp(let said) = message, case .keys(let keys) = said.body else { return }
            try machine.add(keys, from: place)
        }
        let roster = machine.keys
        try need(roster.count)
        let members = roster.map { SecureSumDown.Placed(place: $0.place, $0.keys) }
        for place in roster.map(\.place) { try send(.roster(members), step: 1, to: place, &lines, &group) }

        var shares: [UInt16: [SecureSum.SealedShares]] = [:]
        try await collect(from: Set(roster.map(\.place)), step: 2, kind: .secureSumUp, until: time(70), &lines) {
            place, message in
            guard case .secureSumUp(let said) = message, case .shares(let all) = said.body else { return }
            try machine.accept(all, from: place)
            shares[place] = all
        }
        try need(machine.shared.count)
        for place in machine.shared.sorted() {
            let given = machine.shared.sorted().flatMap { giver in
                (shares[giver] ?? []).filter { $0.to == place }.map { SecureSumDown.Placed(place: giver, $0) }
            }
            try send(.shares(given), step: 3, to: place, &lines, &group)
        }

        var losses: [UInt16: Double] = [:]
        try await collect(from: machine.shared, step: 4, kind: .fogDifference, until: time(85), &lines) { place, message in
            guard case .fogDifference(let said) = message, case .masked(let words) = said.difference else { return }
            try machine.add(masked: words, from: place)
            losses[place] = said.loss
        }
        let included = machine.included
        try need(included.count)
        for place in included { try send(.included(included), step: 5, to: place, &lines, &group) }

        try await collect(from: Set(included), step: 6, kind: .secureSumUp, until: closing, &lines) { place, message in
            guard case .secureSumUp(let said) = message, case .unmask(let unmaskings) = said.body else { return }
            try machine.add(unmaskings, from: place)
        }
        let sum = SecureSum.decode(try machine.sum())
        let mean = sum.map { $0 / Float(included.count) }
        let network = try start.adding(mean)
        guard network.isFinite else { throw WorkerError.peer("the unmasked sum is no model") }
        let message = FogMeanMessage(round: round, step: 7, difference: .dense(mean))
        var sent: [Digest] = []
        for place in included { sent.append(try send(.fogMean(message), to: place, &lines, &group)) }
        let partners = lines.values.sorted { $0.node.index < $1.node.index }.compactMap { line -> JobPartner? in
            guard !line.received.isEmpty else { return nil }
            return JobPartner(
                index: line.node.index, envelopes: UInt32(clamping: line.received.count), root: RoundWork.root(line.received),
                use: included.contains(line.node.index) ? .used : .leftOut)
        }
        for place in lines.keys.sorted() where !included.contains(place) { exchange.report(.edgeDropped(round, place)) }
        try await result(
            RoundWork(
                stepsRoot: RoundWork.root(sent), artifact: network.weightsDigest,
                lossMicro: Micro.of(included.reduce(0.0) { $0 + (losses[$1] ?? 0) } / Double(included.count)),
                partners: partners, model: .whole(network)))
    }

    private func need(_ count: Int) throws {
        guard count >= plan.secureSumThreshold ?? 0 else {
            throw WorkerError.peer("\(count) fog nodes are left, the secure sum needs \(plan.secureSumThreshold ?? 0)")
        }
    }

    /// Takes one message of each of these, until all have sent it or the time is over. What does not fit is passed over.
    private func collect(
        from places: Set<UInt16>, step: UInt32, kind: MessageKind, until: ContinuousClock.Instant,
        _ lines: inout [UInt16: Line], _ take: (UInt16, AnyTrainingMessage) throws -> Void
    ) async throws {
        var awaited = places
        while !awaited.isEmpty,
            let envelope = await exchange.inbox.next(of: exchange.plan.round, until: min(until, exchange.deadline))
        {
            let place = envelope.context.index
            guard awaited.contains(place), var line = lines[place], line.node.account == envelope.context.senderKey,
                let key = exchange.secrets.keys.key(for: envelope.context.receiverKemKey)
            else { continue }
            do {
                let message = try line.conversation.open(envelope, step: step, kind: kind, key: key)
                line.received.append(envelope.commitment)
                lines[place] = line
                try take(place, message)
                awaited.remove(place)
            } catch let error as EnvelopeError {
                exchange.passOver(envelope, of: line.node.account, because: error)
            } catch {
                exchange.warn("refused a message of fog node \(place): \(error)")
            }
        }
        try Task.checkCancellation()
    }

    private func send(
        _ body: SecureSumDown, step: UInt32, to place: UInt16, _ lines: inout [UInt16: Line],
        _ group: inout ThrowingDiscardingTaskGroup<any Error>
    ) throws {
        try send(
            .secureSumDown(SecureSumDownMessage(round: exchange.plan.round, step: step, body: body)), to: place, &lines,
            &group)
    }

    @discardableResult
    private func send(
        _ message: AnyTrainingMessage, to place: UInt16, _ lines: inout [UInt16: Line],
        _ group: inout ThrowingDiscardingTaskGroup<any Error>
    ) throws -> Digest {
        guard var line = lines[place] else { return .zero }
        let envelope = try exchange.seal(message, in: &line.conversation)
        lines[place] = line
        let account = line.node.account
        // Beside the round: one that does not answer holds up nobody.
        group.addTask(executorPreference: globalConcurrentExecutor) { [exchange] in
            do {
                try await exchange.postman.deliver(envelope, to: account, until: exchange.deadline)
            } catch is CancellationError {
            } catch { exchange.warn("\(error)") }
        }
        return envelope.commitment
    }
}
