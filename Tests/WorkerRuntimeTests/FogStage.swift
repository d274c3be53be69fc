import Cryptography
import JobProtocol
import Primitives
import Synchronization
import Testing
import Training
import WorkerRuntime

/// A cloud and fog nodes with endpoints of their own.
struct FogStage: Sendable {
    struct Node: Sendable {
        let person: Person
        let inbox = Inbox()
        let samples: SampleStore
        var audits = AuditShelf()
    }

    struct Done: Sendable {
        var work: RoundWork?
        var moved: JobModel?
    }

    private final class Collected: Sendable {
        let state: Mutex<(cloud: RoundWork?, nodes: [Done])>
        init(_ count: Int) { state = Mutex((nil, Array(repeating: Done(), count: count))) }
    }

    actor Everybody {
        private(set) var all: [JobParticipant] = []
        func set(_ all: [JobParticipant]) { self.all = all }
        func add(_ participant: JobParticipant) { all.append(participant) }
    }

    final class Said: Sendable {
        private let texts = Mutex<[String]>([])
        var all: [String] { texts.withLock { $0 } }
        func note(_ event: WorkerEvent) {
            texts.withLock {
                switch event {
                case .warning(let text): $0.append(text)
                case .leftOut(_, let place, let reason): $0.append("left out \(place): \(reason)")
                default: break
                }
            }
        }
    }

    let plan: TrainingPlan
    let shards: [FeatureSet]
    let cloud: Node
    let nodes: [Node]
    let members: Members
    let everybody: Everybody
    let said = Said()

    static func plan(epochs: UInt16, aggregation: Aggregation = .mean) -> TrainingPlan {
        TrainingPlan(
            model: ModelSpec(
                input: [2],
                layers: [
                    .dense(.init(name: "d1", units: 8)), .activation(.relu), .dense(.init(name: "d2", units: 2)),
                ], classes: 2),
            data: DataPlan(kind: .idx, normalisation: .unit), seed: JobSeed(words: Digest(sha256: [4]).words),
            batchSize: 8, learningRate: 200_000, localEpochs: epochs, aggregation: aggregation,
            validationSamples: 64)
    }

    /// Points of the plane, labelled by the side of a line.
    static func samples(_ count: Int, seed: UInt8) throws -> FeatureSet {
        let bytes = (0..<count).map { Digest(sha256: [seed, UInt8($0 & 0xff), UInt8($0 >> 8)]).bytes }
        let values = bytes.flatMap { [Float($0[0]) / 128 - 1, Float($0[1]) / 128 - 1] }
        return try FeatureSet(shape: [2], values: values, labels: bytes.map { $0[0] > $0[1] ? 1 : 0 })
    }

    /// Runs the body while the endpoints serve.
    static func with(
        nodes count: Int, epochs: UInt16 = 1, aggregation: Aggregation = .mean, _ body: @escaping @Sendable (FogStage) async throws -> Void
    ) async throws {
        func node(_ name: String) throws -> Node {
            let person = try Person(name)
            let ring = try person.ring()
            return Node(
                person: person,
                samples: SampleStore(shareBytes: 1 << 20, shape: [2], classes: 2) { envelope in
                    guard let key = ring.key(for: envelope.context.receiverKemKey) else {
                        throw EnvelopeError.notForThisReceiver
                    }
                    return try DeviceSamplesMessage(
                        borsh: envelope.open(expecting: envelope.context, key: key).payload)
                })
        }
        let everybody = Everybody()
        let stage = FogStage(
            plan: plan(epochs: epochs, aggregation: aggregation), shards: try (0..<count).map { try samples(120, seed: UInt8($0)) },
            cloud: try node("cloud"), nodes: try (0..<count).map { try node("fog \($0)") },
            members: Members(pause: .zero) { await everybody.all }, everybody: everybody)
        let all = [stage.cloud] + stage.nodes
        let (ports, ready) = AsyncStream.makeStream(of: (Int, Int).self)
        try await withThrowingTaskGroup(of: Bool.self) { group in
            for (place, node) in all.enumerated() {
                let server = WorkerServer(
                    host: "127.0.0.1", port: 0,
                    admission: Admission(
                        genesis: testGenesis, job: testJob, account: node.person.account, keys: try node.person.ring(),
                        members: stage.members),
                    mailroom: Mailroom(inbox: node.inbox, samples: node.samples), envelopeLimit: 1 << 20,
                    introductionMs: 300_000
                ) { request in
                    guard request.kind == .samples else { return nil }
                    return await DeviceFeed.Held(parts: node.samples.held(of: request.asker)).borsh
                }
                group.addTask {
                    try await server.run { ready.yield((place, $0)) }
                    return false
                }
            }
            group.addTask {
                var participants: [JobParticipant?] = Array(repeating: nil, count: all.count)
                for await (place, port) in ports {
                    participants[place] = all[place].person.participant(
                        place == 0 ? .cloud : .fog, index: UInt16(max(0, place - 1)), endpoint: "127.0.0.1:\(port)",
                        slot: UInt8(place))
                    if participants.allSatisfy({ $0 != nil }) { break }
                }
                await everybody.set(participants.compactMap { $0 })
                try await body(stage)
                return true
            }
            while let isDone = try await group.next(), !isDone {}
            group.cancelAll()
        }
    }

    func exchange(
        of person: Person, inbox: Inbox = Inbox(), postman: Postman, round: UInt32, faults: Faults = Faults(),
        audits: AuditShelf? = nil, base: (Network, FeatureSet?)? = nil, deadlineMs: Int = 60_000
    ) throws -> Exchange {
        let plan = try RoundPlan(
            seed: self.plan.seed, round: round, steps: 1, batchSize: 8, optimiser: self.plan.optimiser)
        let audit = base.flatMap { start, samples in
            audits?.begin(round, .init(model: .whole(start), plan: plan, samples: samples))
        }
        return Exchange(
            genesis: testGenesis, contract: testJob, account: person.account,
            secrets: WorkerSecrets(key: person.key, job: testJob, keys: try person.ring()), inbox: inbox,
            postman: postman, plan: plan,
            deadline: .now + .milliseconds(deadlineMs), stepTimeout: .seconds(5), threads: 1, openings: Openings(), faults: faults,
            audit: audit, report: { [said] in said.note($0) }, complain: { _ in })
    }

    /// - Parameters:
    ///   - silent: places that do nothing.
    ///   - tries: whether the cloud tries each update on samples of its own.
    func round(
        _ round: UInt32, start: Network, silent: Set<Int> = [], faults: [Int: Faults] = [:], tries: Bool = false,
        closingMs: Int = 20_000
    ) async throws -> (cloud: RoundWork?, nodes: [Done]) {
        for node in [cloud] + nodes { await node.inbox.begin(round: round) }
        let participants = await everybody.all
        await members.update(participants)
        let done = Collected(nodes.count)
        let reserved = tries ? try Self.samples(200, seed: 99) : nil
        try await withThrowingTaskGroup(of: Void.self) { group in
            let me = participants[0]
            group.addTask {
                let postman = Postman(members: members, key: cloud.person.key, genesis: testGenesis, job: testJob)
                let exchange = try exchange(
                    of: cloud.person, inbox: cloud.inbox, postman: postman, round: round, audits: cloud.audits,
                    base: (start, nil))
                try await FogCloudExchange(
                    exchange: exchange, me: me, nodes: Array(participants[1...]), plan: plan, quorum: 1, epsilonMicro: 0,
                    start: start, reserved: reserved, closing: .now + .milliseconds(closingMs)
                ).run { work in done.state.withLock { $0.cloud = work } }
                await postman.shutdown()
            }
            for (place, node) in nodes.enumerated() where !silent.contains(place) {
                group.addTask {
                    let postman = Postman(members: members, key: node.person.key, genesis: testGenesis, job: testJob)
                    let exchange = try exchange(
                        of: node.person, inbox: node.inbox, postman: postman, round: round,
                        faults: faults[place] ?? Faults(), audits: node.audits, base: (start, shards[place]))
                    try await FogNodeExchange(
                        exchange: exchange, me: participants[place + 1], cloud: me, plan: plan, start: start,
                        samples: shards[place], memory: .init(plan: plan, samples: shards[place].count),
                        secret: .generate()
                    ).run { work, _ in
                        done.state.withLock { $0.nodes[place].work = work }
                    } moved: { model in
                        done.state.withLock { $0.nodes[place].moved = model }
                    }
                    await postman.shutdown()
                }
            }
            try await group.waitForAll()
        }
        return done.state.withLock { ($0.cloud, $0.nodes) }
    }
}

extension FogStage {
    /// A round with a secure sum.
    /// - Parameter hears: how many messages of the cloud a place hears before it falls silent; all where none is given.
    func secureRound(
        _ round: UInt32, start: Network, hears: [Int: Int] = [:], closingMs: Int = 20_000
    ) async throws -> (cloud: RoundWork?, nodes: [Done]) {
        for node in [cloud] + nodes { await node.inbox.begin(round: round) }
        let participants = await everybody.all
        await members.update(participants)
        let done = Collected(nodes.count)
        try await withThrowingTaskGroup(of: Void.self) { group in
            let me = participants[0]
            for (place, node) in nodes.enumerated() {
                group.addTask {
                    let postman = Postman(members: members, key: node.person.key, genesis: testGenesis, job: testJob)
                    // A place that falls silent hears through an inbox of its own.
                    let inbox = hears[place] == nil ? node.inbox : Inbox()
                    await inbox.begin(round: round)
                    let exchange = try exchange(of: node.person, inbox: inbox, postman: postman, round: round)
                    let work = Task {
                        try await SecureFogNodeExchange(
                            exchange: exchange, me: participants[place + 1], cloud: me, plan: plan, start: start,
                            samples: shards[place], memory: .init(plan: plan, samples: shards[place].count),
                            secret: .generate()
                        ).run { work, _ in
                            done.state.withLock { $0.nodes[place].work = work }
                        } moved: { model in
                            done.state.withLock { $0.nodes[place].moved = model }
                        }
                    }
                    for _ in 0..<(hears[place] ?? 0) {
                        guard let envelope = await node.inbox.next(of: round, until: .now + .seconds(40)) else { break }
                        _ = await inbox.offer(envelope)
                    }
                    if hears[place] == nil { try await work.value } else {
                        try await Task.sleep(for: .milliseconds(closingMs))
                        work.cancel()
                    }
                    await postman.shutdown()
                }
            }
            group.addTask {
                let postman = Postman(members: members, key: cloud.person.key, genesis: testGenesis, job: testJob)
                let exchange = try exchange(of: cloud.person, inbox: cloud.inbox, postman: postman, round: round)
                try await SecureFogCloudExchange(
                    exchange: exchange, me: me, nodes: Array(participants[1...]), plan: plan, start: start,
                    closing: .now + .milliseconds(closingMs)
                ).run { work in done.state.withLock { $0.cloud = work } }
                await postman.shutdown()
            }
            try await group.waitForAll()
        }
        return done.state.withLock { ($0.cloud, $0.nodes) }
    }

    /// What the cloud must come to: the mean of fixed-point differences.
    func securely(_ start: Network, places: [Int], roster: Int) throws -> Network {
        var sum = [UInt32](repeating: 0, count: start.parameterCount)
        for place in places {
            var account: PrivacyAccountant?
            let difference = try LocalTraining(plan: plan, round: 0, place: UInt16(place)).run(
                from: start, samples: shards[place], account: &account, secret: .generate()
            ).difference
            SecureSum.add(SecureSum.encode(difference, participants: roster), to: &sum)
        }
        return try start.adding(SecureSum.decode(sum).map { $0 / Float(places.count) })
    }
}

extension JobModel {
    var whole: Network? { if case .whole(let network) = self { network } else { nil } }
}
