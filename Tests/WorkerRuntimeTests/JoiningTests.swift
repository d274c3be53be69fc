import Cryptography
import JobProtocol
import Primitives
import Testing
import Training
import WorkerRuntime

/// What a worker does with what it finds on the chain, at its first start or any later.
@Suite(.timeLimit(.minutes(20))) struct JoiningTests {
    private let cloud: Person
    private let edge: Person

    init() throws { (cloud, edge) = (try Person("cloud"), try Person("edge")) }

    private func next(
        _ phase: JobPhase, _ standing: JobParticipant.Standing?, role: Role = .edge, parent: Account = .zero,
        endpoint: String = "127.0.0.1:1"
    ) throws -> Joining.Step {
        try Joining.next(
            phase: phase, known: standing.map { edge.participant(.edge, standing: $0) }, role: role, parent: parent,
            identity: JobIdentity(kemPublicKey: edge.kem.publicKey, endpoint: endpoint))
    }

    @Test func aNewWorkerAppliesAtAnyTimeBeforeTheEnd() throws {
        for phase in [JobPhase.registered, .open, .commit, .reveal, .validate, .paused] {
            #expect(try next(phase, nil) == .apply)
            #expect(try next(phase, .released) == .apply, "who has left may come again")
        }
        for phase in [JobPhase.finished, .aborted] { #expect(throws: WorkerError.self) { try next(phase, nil) } }
    }

    @Test func aRestartedWorkerGoesOnWhereItWas() throws {
        #expect(try next(.open, .applied, endpoint: "127.0.0.1:2") == .identify)
        #expect(try next(.open, .applied) == .confirm)
        #expect(try next(.commit, .applied) == .confirm, "it takes part from the next round on")
        #expect(try next(.open, .confirmed) == .joined)
        #expect(try next(.commit, .active, endpoint: "127.0.0.1:2") == .identify)
        for standing in [JobParticipant.Standing.active, .suspended] { #expect(try next(.commit, standing) == .joined) }
        // Nothing can be published any more, but the model and the pay are still there.
        #expect(try next(.finished, .active, endpoint: "127.0.0.1:2") == .joined)
        #expect(throws: WorkerError.self, "the key is the edge's") { try next(.commit, .active, role: .cloud) }
        #expect(throws: WorkerError.self, "another fog node's") { try next(.commit, .active, parent: cloud.account) }
    }

    @Test func aJobThatThisWorkerCannotDoIsLeftAlone() throws {
        _ = try Joining.check(try testSpec(), role: .edge)
        let fog = try testSpec {
            $0.trainingProtocol = .fog
            $0.devices = 4
        }
        for role in [Role.cloud, .fog, .device, .validator] { _ = try Joining.check(fog, role: role) }
        // A device of a split job hands its samples to its edge, and gets no more of the model than that may see.
        let withDevices = try testSpec { $0.devices = 4 }
        for role in [Role.cloud, .edge, .device, .validator] { _ = try Joining.check(withDevices, role: role) }
        #expect(try Joining.envelopeLimit(testPlan(), withDevices) > 4 * DeviceSamplesMessage.valuesInMessage)
        #expect(try Joining.roundLimit(testPlan(), withDevices) == Joining.envelopeLimit(testPlan(), testSpec()))
        guard case .front = try JobModel.initial(testPlan(), protocol: .split).part(for: .device) else {
            Issue.record("a device has the back")
            return
        }
        for (spec, role) in [
            (fog, Role.edge), (try testSpec(), .fog), (try testSpec(), .device),
            (
                try testSpec {
                    $0.devices = 4
                    $0.plan = testPlan { $0.join = .weightedSum }.borsh
                }, .edge
            ),
            (try testSpec { $0.stepsPerRound = .max }, .edge), (try testSpec { $0.quorum = 0 }, .edge),
            (try testSpec { $0.commitMaxMs = .max }, .edge), (try testSpec { $0.plan = [1, 2, 3] }, .edge),
            // The floors: a worker is not made late by a time-out that nobody can hold.
            (try testSpec { $0.revealTimeoutMs = 9_999 }, .edge),
            (try testSpec { $0.plan = testPlan { $0.batchSize = .max }.borsh }, .edge),
            (try testSpec { $0.plan = testPlan { $0.learningRate = 20_000_000 }.borsh }, .edge),
            // A budget that split learning would not keep.
            (
                try testSpec {
                    $0.plan = testPlan {
                        $0.privacy = PrivacyPlan(
                            clipNorm: 1_000_000, noiseMultiplier: 1_000_000, deltaPico: 10_000_000, epsilonBudget: 8_000_000)
                    }.borsh
                }, .edge
            ),
        ] {
            #expect(throws: WorkerError.self) { try Joining.check(spec, role: role) }
        }
        #expect(try Joining.envelopeLimit(testPlan { $0.batchSize = 1_024 }, testSpec()) < Envelope.maximumPayload)
    }

    @Test func aSecureSumNeedsMoreThanHalf() throws {
        func check(threshold: UInt16, quorum: UInt16) throws {
            let spec = try testSpec {
                $0.trainingProtocol = .fog
                $0.workers = 5
                $0.quorum = quorum
                $0.plan = testPlan { $0.aggregation = .secureSum(threshold: threshold) }.borsh
            }
            _ = try Joining.check(spec, role: .fog)
        }
        try check(threshold: 3, quorum: 3)
        for (threshold, quorum) in [(2, 3), (3, 2), (6, 5)] as [(UInt16, UInt16)] {
            #expect(throws: WorkerError.self) { try check(threshold: threshold, quorum: quorum) }
        }
    }

    @Test func aPlanThatNeedsMoreRoomThanThereIsIsRefused() throws {
        // 40 million parameters in one envelope.
        let plan = testPlan {
            $0.model = ModelSpec(
                input: [1_024],
                layers: [
                    .dense(.init(units: 20_000)), .activation(.relu), .dense(.init(units: 1_000)), .activation(.relu),
                    .dense(.init(units: 10)),
                ], classes: 10)
        }
        let spec = try testSpec {
            $0.trainingProtocol = .fog
            $0.plan = plan.borsh
        }
        #expect(throws: WorkerError.self) { try Joining.check(spec, role: .fog) }
    }
}
