import Cryptography
import Encoding
import JobProtocol
import Primitives
import Synchronization
import Tensor
import Testing
import Training
import WorkerRuntime

/// One round of fog learning over real connections: devices, fog nodes, the cloud; without a chain.
@Suite(.timeLimit(.minutes(20))) struct FogExchangeTests {
    @Test func aRoundIsWhatItsDifferencesMakeOfTheModel() async throws {
        try await FogStage.with(nodes: 3) { stage in
            let start = try stage.plan.initialNetwork()
            let (cloud, nodes) = try await stage.round(0, start: start)
            // The same arithmetic in one place.
            let differences = try stage.shards.enumerated().map { place, samples in
                var account: PrivacyAccountant?
                return try LocalTraining(plan: stage.plan, round: 0, place: UInt16(place)).run(
                    from: start, samples: samples, account: &account, secret: .generate()
                ).difference
            }
            let expected = try start.adding(RobustMean.mean(differences))
            let work = try #require(cloud)
            #expect(work.model == .whole(expected), "bit for bit")
            #expect(work.artifact == expected.weightsDigest)
            #expect(nodes.map(\.moved) == Array(repeating: .whole(expected), count: 3), "and every fog node has it")
            // What the cloud says that it got is what each says that it sent.
            #expect(work.partners.map(\.index) == [0, 1, 2])
            #expect(work.partners.map(\.root) == nodes.map { $0.work?.stepsRoot })
            #expect(work.partners.allSatisfy { $0.use == .used && $0.envelopes == 1 })
            for (node, difference) in zip(nodes, differences) {
                #expect(node.work?.artifact == Difference.dense(difference).digest)
            }
        }
    }

    /// What an auditor gets of everybody, sealed, and does again: those who lied, and nobody else, come out otherwise.
    @Test func everyRoundCanBeDoneAgainFromWhatWasKept() async throws {
        try await FogStage.with(nodes: 3) { stage in
            let start = try stage.plan.initialNetwork()
            var lies = Faults()
            lies[.lie] = 1
            let (cloud, _) = try await stage.round(4, start: start, faults: [1: lies])
            let work = try #require(cloud)
            var named: [UInt16: AuditedRound.Named] = [:]
            for partner in work.partners { named[partner.index] = .init(root: partner.root, isUsed: partner.use == .used) }
            let auditor = try Person("auditor")
            let round = AuditedRound(
                plan: stage.plan,
                round: try RoundPlan(
                    seed: stage.plan.seed, round: 4, steps: 1, batchSize: 8, optimiser: stage.plan.optimiser),
                named: named)
            for (place, worker) in ([stage.cloud] + stage.nodes).enumerated() {
                let question = AuditQuestion(
                    round: 4, kind: place == 0 ? .fogMean : .fogDifference, index: place == 0 ? 2 : UInt16(place - 1),
                    key: auditor.kem.publicKey)
                let log = try #require(await worker.audits.log(of: 4))
                let evidence = try #require(try log.evidence(question))
                #expect(evidence.statement.context.senderKey == worker.person.account)
                // The same by its commitment, and nothing of another round or kind.
                let byClaim = AuditQuestion(round: 4, claim: evidence.statement.commitment, key: auditor.kem.publicKey)
                #expect(try log.evidence(byClaim) == evidence)
                #expect(try log.evidence(AuditQuestion(round: 4, kind: .gradient, key: auditor.kem.publicKey)) == nil)
                #expect(await worker.audits.log(of: 3) == nil)
                let sealed = try AuditMaterial(model: log.base.model, evidence: evidence).seal(for: question, job: testJob)
                #expect(throws: (any Error).self) {
                    _ = try AuditMaterial.open(sealed, byClaim, key: auditor.kem, job: testJob)
                }
                #expect(throws: (any Error).self) {
                    _ = try AuditMaterial.open(sealed, question, key: worker.person.kem, job: testJob)
                }
                let material = try AuditMaterial.open(sealed, question, key: auditor.kem, job: testJob)
                #expect(material.evidence == evidence && material.model.digest == start.weightsDigest)
                let trace = try round.replay(material.evidence, from: try #require(material.start), threads: 2)
                #expect((trace.commitment == evidence.statement.commitment) == (place != 2), "\(place)")
            }
        }
    }

    @Test func aSilentFogNodeHoldsUpNobody() async throws {
        try await FogStage.with(nodes: 3) { stage in
            let start = try stage.plan.initialNetwork()
            var partners: [UInt16] = []
            // The time for which it is waited has to suffice for the others, on whatever machine.
            for (round, closingMs) in [1_500, 10_000, 40_000].enumerated() where partners != [0, 2] {
                let (cloud, nodes) = try await stage.round(UInt32(round), start: start, silent: [1], closingMs: closingMs)
                let work = try #require(cloud)
                partners = work.partners.map(\.index)
                for place in [0, 2] where partners.contains(UInt16(place)) { #expect(nodes[place].moved == work.model) }
            }
            #expect(partners == [0, 2])
        }
    }

    @Test func aPoisonedUpdateIsLeftOutByNameAndStillMatched() async throws {
        try await FogStage.with(nodes: 3, epochs: 20) { stage in
            var faults = Faults()
            faults[.poison] = 1
            // From a model that knows something, a poisoned update is seen to be one.
            var start = try stage.plan.initialNetwork()
            for round in 0..<3 {
                let (cloud, _) = try await stage.round(UInt32(round), start: start)
                start = try #require(cloud?.model?.whole)
            }
            let (cloud, nodes) = try await stage.round(3, start: start, faults: [2: faults], tries: true)
            let work = try #require(cloud)
            #expect(work.partners.map(\.use) == [.used, .used, .leftOut], "\(stage.said.all)")
            #expect(work.partners.map(\.root) == nodes.map { $0.work?.stepsRoot }, "it is named as what it sent")
            #expect(stage.said.all.contains { $0.contains("left out 2") })
        }
    }

    @Test func aSecureSumIsThePlainOneBitForBit() async throws {
        try await FogStage.with(nodes: 3, aggregation: .secureSum(threshold: 2)) { stage in
            let start = try stage.plan.initialNetwork()
            let (cloud, nodes) = try await stage.secureRound(0, start: start)
            let work = try #require(cloud)
            let expected = try stage.securely(start, places: [0, 1, 2], roster: 3)
            #expect(work.model == .whole(expected))
            #expect(nodes.map(\.moved) == Array(repeating: .whole(expected), count: 3))
            // Keys, shares, the masked difference, what unmasks: as both sides saw them.
            #expect(work.partners.map(\.envelopes) == [4, 4, 4])
            #expect(work.partners.map(\.root) == nodes.map { $0.work?.stepsRoot })
        }
    }

    @Test(arguments: [0, 1, 2]) func whoDropsOutOfASecureSumDoesNotSpoilIt(hears: Int) async throws {
        try await FogStage.with(nodes: 4, aggregation: .secureSum(threshold: 3)) { stage in
            let start = try stage.plan.initialNetwork()
            // It hears nothing after its keys, or nothing after its shares, or nothing after its masked difference.
            let (cloud, nodes) = try await stage.secureRound(0, start: start, hears: [3: hears], closingMs: 16_000)
            let work = try #require(cloud)
            let isIn = hears == 2
            let expected = try stage.securely(start, places: isIn ? [0, 1, 2, 3] : [0, 1, 2], roster: 4)
            #expect(work.model == .whole(expected))
            #expect(work.partners.map(\.use) == [.used, .used, .used, isIn ? .used : .leftOut])
            #expect(nodes[3].work == nil && nodes[..<3].allSatisfy { $0.moved == .whole(expected) })
        }
    }

    @Test func devicesHandOverTheirSamplesAndAgainAfterARestart() async throws {
        try await FogStage.with(nodes: 1) { stage in
            let fog = stage.nodes[0]
            let device = try Person("device")
            let samples = stage.shards[0]
            let feed = DeviceFeed(samples: samples)
            let me = device.participant(.device, endpoint: "127.0.0.1:1", slot: 5, parent: fog.person.account)
            await stage.everybody.add(me)
            let postman = Postman(
                members: stage.members, key: device.key, genesis: testGenesis, job: testJob)
            let exchange = try stage.exchange(of: device, postman: postman, round: 0)
            let target = try #require(await stage.members.member(fog.person.account))
            #expect(try await !feed.deliver(exchange, me: me, fog: target), "it had nothing yet")
            #expect(try await feed.deliver(exchange, me: me, fog: target))
            let store = fog.samples
            #expect(await store.isComplete(device.account, samples: UInt32(samples.count)))
            #expect(try await store.samples(of: [device.account]) == samples)
            // What was lost is handed over again.
            await store.keepOnly([])
            #expect(try await !feed.deliver(exchange, me: me, fog: target))
            #expect(try await store.samples(of: [device.account]) == samples)
            // Nobody's device but this fog node's own.
            let stranger = try Person("other device")
            await stage.everybody.add(stranger.participant(.device, slot: 6, parent: try Person("cloud").account))
            let other = Postman(members: stage.members, key: stranger.key, genesis: testGenesis, job: testJob)
            #expect(try await other.ask(.samples, of: fog.person.account, limit: 100_000) == nil)
            await other.shutdown()
            await postman.shutdown()
        }
    }

    @Test func aFloodOfSamplesEndsAtItsShare() async throws {
        let (fog, device) = (try Person("fog"), try Person("device"))
        let store = SampleStore(shareBytes: 1_000, shape: [2], classes: 2) { envelope in
            try DeviceSamplesMessage(
                borsh: envelope.open(expecting: envelope.context, key: fog.kem).payload)
        }
        let samples = try FeatureSet(shape: [2], values: Array(repeating: 0.5, count: 100), labels: Array(repeating: 1, count: 50))
        var held = 0
        for step in UInt32(0)..<10 {
            let message = DeviceSamplesMessage(round: 0, step: step, samples: samples)
            let envelope = try device.envelope(to: fog, step: step, kind: .deviceSamples, payload: message.borsh)
            guard case .place(let place) = await store.reserve(envelope.head) else { continue }
            await store.fill(place, with: envelope)
            held += 1
        }
        #expect(held == 1, "one part of more than half of the share")
        // Labels that are no class, or another shape, are no samples.
        for (shape, label) in [([2], UInt8(2)), ([1], UInt8(1))] {
            let strange = SampleStore(shareBytes: 100_000, shape: [2], classes: 2) { envelope in
                try DeviceSamplesMessage(borsh: envelope.open(expecting: envelope.context, key: fog.kem).payload)
            }
            let message = DeviceSamplesMessage(
                round: 0, step: 0, samples: try FeatureSet(shape: shape, values: Array(repeating: 0, count: shape[0]), labels: [label]))
            let envelope = try device.envelope(to: fog, kind: .deviceSamples, payload: message.borsh)
            guard case .place(let place) = await strange.reserve(envelope.head) else { return #expect(Bool(false)) }
            await strange.fill(place, with: envelope)
            #expect(await strange.held(of: device.account).isEmpty)
        }
    }

    @Test func aModelIsForItsAskerAndIsTheOneThatWasAskedFor() async throws {
        let (cloud, fog) = (try Person("cloud"), try Person("fog"))
        let network = try FogStage.plan(epochs: 1).initialNetwork()
        let model = JobModel.whole(network)
        #expect(try JobModel(borsh: model.borsh) == model)
        let sealed = try SealedModel.seal(model, digest: model.digest, for: fog.kem.publicKey, job: testJob)
        #expect(try SealedModel.open(sealed, digest: model.digest, key: fog.kem, job: testJob) == model)
        #expect(throws: (any Error).self) {
            try SealedModel.open(sealed, digest: model.digest, key: cloud.kem, job: testJob)
        }
        #expect(throws: (any Error).self) {
            try SealedModel.open(sealed, digest: model.digest, key: fog.kem, job: cloud.account)
        }
        // A cloud that gives another model than the one that it says it gives.
        let other = JobModel.whole(try network.adding(Array(repeating: 1, count: network.parameterCount)))
        let lie = try SealedModel.seal(other, digest: model.digest, for: fog.kem.publicKey, job: testJob)
        #expect(throws: WorkerError.self) {
            try SealedModel.open(lie, digest: model.digest, key: fog.kem, job: testJob)
        }
    }
}

@Suite(.timeLimit(.minutes(20))) struct FaultsTests {
    @Test func theyHappenInTheirShareOfRounds() {
        for share in [0, 0.1, 0.5, 1] {
            var faults = Faults()
            faults[.poison] = share
            let count = (0..<2_000).count { faults.happens(.poison, round: UInt32($0)) }
            #expect(abs(Double(count) / 2_000 - share) < 0.03)
            #expect((0..<100).allSatisfy { !faults.happens(.lie, round: UInt32($0)) })
        }
    }

    @Test func whatIsNoFaultIsRefused() {
        #expect(Faults.parse("poison:0.2")?.share == 0.2)
        for text in ["", "poison", "poison:", "poison:2", "poison:-1", "mischief:0.1", "lie:0.1:3", "lie:x"] {
            #expect(Faults.parse(text) == nil, "\(text)")
        }
    }
}
