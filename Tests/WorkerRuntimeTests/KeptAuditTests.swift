import Cryptography
import Foundation
import JobProtocol
import Primitives
import Synchronization
import Testing
import Training
import WorkerRuntime

/// A worker that restarts in the middle of a challenge or a dispute still answers.
@Suite(.timeLimit(.minutes(20))) struct KeptAuditTests {
    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    private static func shelf(
        _ state: WorkerState, mostBytes: Int = WorkerLimits.keptAuditBytes, job: Digest = Digest(sha256: [7]),
        samples: @escaping @Sendable () -> FeatureSet? = { nil }
    ) -> AuditShelf {
        AuditShelf(
            AuditShelf.Store(job: job, state: state, mostBytes: mostBytes) { kept in
                let plan = FogStage.plan(epochs: 1)
                let round = try RoundPlan(
                    seed: plan.seed, round: kept.round, steps: 1, batchSize: 8, optimiser: plan.optimiser)
                guard kept.samples != .zero else { return AuditLog.Base(model: kept.model, plan: round) }
                guard let samples = samples(), samples.digest == kept.samples else { return nil }
                return AuditLog.Base(model: kept.model, plan: round, samples: samples)
            })
    }

    @Test func whatADisputeNeedsOutlivesTheProcess() async throws {
        let state = try WorkerState(folder: folder.url)
        let file = folder.url.appending(path: "audit-4")
        let cloudState = try WorkerState(folder: folder.url.appending(path: "cloud"))
        try await FogStage.with(nodes: 2) { stage in
            let stage = stage.using([Self.shelf(cloudState), Self.shelf(state), AuditShelf()])
            let start = try stage.plan.initialNetwork()
            let (cloud, nodes) = try await stage.round(4, start: start)
            let partners = try #require(cloud?.partners)
            try stage.nodes[0].audits.keep(4, place: 0)
            try stage.cloud.audits.keep(4, place: 0, partners: partners)
            let commitment = try #require(nodes[0].work?.stepsRoot)

            // Another process, the same folders.
            let given = Mutex<FeatureSet?>(nil)
            let restarted = Self.shelf(state) { given.withLock { $0 } }
            #expect(await restarted.log(of: 4) == nil, "its samples are not there yet")
            #expect(await restarted.log(of: 3) == nil)
            #expect(await Self.shelf(state, job: Digest(sha256: [8])).log(of: 4) == nil, "another job's")
            given.withLock { $0 = stage.shards[1] }
            #expect(await restarted.log(of: 4) == nil, "other samples than it had")
            // The devices come while the auditor waits.
            async let waiting = restarted.log(of: 4, patience: .seconds(120))
            given.withLock { $0 = stage.shards[0] }
            let log = try #require(await waiting)
            let auditor = try Person("auditor")
            let question = AuditQuestion(round: 4, kind: .fogDifference, index: 0, key: auditor.kem.publicKey)
            let evidence = try #require(try log.evidence(question))
            #expect(RoundWork.root([evidence.statement.commitment]) == commitment)
            let round = AuditedRound(plan: stage.plan, round: log.base.plan, named: [:])
            #expect(try round.replay(evidence, from: .whole(start)).commitment == evidence.statement.commitment)
            #expect(try restarted.lastSaid().map(\.commitment) == [evidence.statement.commitment])

            // The cloud's mean, from what it heard and named.
            let mean = Self.shelf(cloudState)
            let named = try #require(mean.named(in: 4))
            #expect(named.count == 2 && mean.named(in: 5) == nil)
            let heard = try #require(await mean.log(of: 4))
            let said = try #require(
                try heard.evidence(AuditQuestion(round: 4, kind: .fogMean, index: 1, key: auditor.kem.publicKey)))
            let again = try AuditedRound(plan: stage.plan, round: heard.base.plan, named: named)
                .replay(said, from: .whole(start))
            #expect(again.commitment == said.statement.commitment)
            // No sample is on the disk: of these the worker promises that they are written nowhere.
            let kept = Array(try Data(contentsOf: file))
            let sample = stage.shards[0].values.prefix(4).flatMap { value in
                withUnsafeBytes(of: value.bitPattern.littleEndian) { Array($0) }
            }
            #expect(!kept.contains(sequence: sample))
        }
    }

    @Test func theFolderIsBoundedAndDisputedRoundsStay() async throws {
        let state = try WorkerState(folder: folder.url)
        let model = JobModel.whole(try FogStage.plan(epochs: 1).initialNetwork())
        let plan = try RoundPlan(
            seed: FogStage.plan(epochs: 1).seed, round: 0, steps: 1, batchSize: 8,
            optimiser: FogStage.plan(epochs: 1).optimiser)
        let base = AuditLog.Base(model: model, plan: plan)
        func rounds() throws -> [UInt32] {
            try FileManager.default.contentsOfDirectory(atPath: folder.url.path).compactMap {
                $0.hasPrefix("audit-") ? UInt32($0.dropFirst(6)) : nil
            }.sorted()
        }
        let many = Self.shelf(state)
        for round in UInt32(0)..<70 {
            _ = many.begin(round, base)
            try many.keep(round, place: 0)
            if round == 10 { many.pin([3]) }
        }
        #expect(try rounds() == [3] + Array(6..<70))
        // A round that is over 2 others' room, and another job's that came further.
        let little = Self.shelf(state, mostBytes: 1)
        little.pin([8])
        _ = little.begin(20, base)
        try little.keep(20, place: 0)
        #expect(try rounds() == [8, 19, 20])
        // Damaged evidence is none, and no harm.
        try folder.write([1, 2, 3], as: "audit-20")
        #expect(await Self.shelf(state).log(of: 20) == nil)
        #expect(try Self.shelf(state).lastSaid().isEmpty)
    }

    /// What is there and can't be used is not taken for what is not there: it may be all that the worker has to show.
    @Test func evidenceThatIsOfNoUseIsToldOf() async throws {
        let state = try WorkerState(folder: folder.url)
        let plan = try RoundPlan(
            seed: FogStage.plan(epochs: 1).seed, round: 0, steps: 1, batchSize: 8,
            optimiser: FogStage.plan(epochs: 1).optimiser)
        let base = AuditLog.Base(model: .whole(try FogStage.plan(epochs: 1).initialNetwork()), plan: plan)
        let warnings = Mutex<[String]>([])
        let store = AuditShelf.Store(
            job: Digest(sha256: [7]), state: state,
            report: { event in
                if case .warning(let text) = event { warnings.withLock { $0.append(text) } }
            },
            base: { kept in AuditLog.Base(model: kept.model, plan: plan) })
        let shelf = AuditShelf(store)
        // The newest alone stay in memory.
        for round in UInt32(0)..<7 {
            _ = shelf.begin(round, base)
            try shelf.keep(round, place: 0)
        }
        let whole = try Data(contentsOf: folder.url.appending(path: "audit-0"))
        let copy = try Data(contentsOf: folder.url.appending(path: "audit-1"))
        #expect(await shelf.log(of: 0) != nil)
        #expect(await shelf.log(of: 9) == nil)
        #expect(await Self.shelf(state, job: Digest(sha256: [8])).log(of: 1) == nil)
        #expect(warnings.withLock { $0 }.isEmpty, "not there, or another job's")
        try folder.write(Array(whole.dropLast()), as: "audit-1")
        try folder.write(Array(whole), as: "audit-2")
        try FileManager.default.removeItem(at: folder.url.appending(path: "audit-3"))
        try FileManager.default.createDirectory(
            at: folder.url.appending(path: "audit-3"), withIntermediateDirectories: false)
        for (round, reason) in [(UInt32(1), "it is damaged"), (2, "it is round 0's"), (3, "it can't be read")] {
            #expect(await shelf.log(of: round) == nil && shelf.named(in: round) == nil)
            let said = warnings.withLock { $0 }
            #expect(said.count == Int(round), "once: \(said)")
            #expect(said.last?.contains(reason) == true && said.last?.contains("audit-\(round)") == true, "\(said)")
            #expect(said.last?.contains("put a copy of the file there, or make it readable") == true)
        }
        // A copy helps, without a restart.
        try folder.write(Array(copy), as: "audit-1")
        #expect(await shelf.log(of: 1) != nil)
        #expect(warnings.withLock { $0 }.count == 3)
    }

    @Test func oldRoundsThatAreAskedForPushOutNoneUnderWay() async throws {
        let state = try WorkerState(folder: folder.url)
        let model = JobModel.whole(try FogStage.plan(epochs: 1).initialNetwork())
        let base = AuditLog.Base(
            model: model,
            plan: try RoundPlan(
                seed: FogStage.plan(epochs: 1).seed, round: 0, steps: 1, batchSize: 8,
                optimiser: FogStage.plan(epochs: 1).optimiser))
        let shelf = Self.shelf(state)
        for round in UInt32(0)..<6 {
            _ = shelf.begin(round, base)
            try shelf.keep(round, place: 0)
        }
        let running = shelf.begin(6, base)
        for round in UInt32(0)..<6 { #expect(await shelf.log(of: round) != nil) }
        #expect(await shelf.log(of: 6) === running)
    }
}

extension FogStage {
    /// The cloud's and the nodes' shelves.
    func using(_ shelves: [AuditShelf]) -> FogStage {
        FogStage(
            plan: plan, shards: shards, cloud: cloud.keeping(shelves[0]),
            nodes: nodes.enumerated().map { $1.keeping(shelves[$0 + 1]) }, members: members, everybody: everybody)
    }
}

extension FogStage.Node {
    func keeping(_ audits: AuditShelf) -> FogStage.Node {
        var node = self
        node.audits = audits
        return node
    }
}

extension [UInt8] {
    func contains(sequence: [UInt8]) -> Bool {
        guard count >= sequence.count else { return false }
        return (0...(count - sequence.count)).contains { Array(self[$0..<$0 + sequence.count]) == sequence }
    }
}
