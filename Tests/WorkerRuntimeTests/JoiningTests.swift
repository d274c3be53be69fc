import JobProtocol
import Primitives
import Testing
import Training
import WorkerRuntime

/// What a worker does with what it finds on the chain, at its first start or any later.
@Suite struct JoiningTests {
    private let cloud: Person
    private let edge: Person

    init() throws { (cloud, edge) = (try Person("cloud"), try Person("edge")) }

    private func next(
        _ phase: JobPhase, _ known: JobParticipant.Standing?, role: Role = .edge, endpoint: String = "127.0.0.1:1",
        started: Bool
    ) throws -> Joining.Step {
        let own = known.map { edge.participant(.edge, standing: $0) }
        let others = [cloud.participant(.cloud, standing: started ? .active : .confirmed)]
        return try Joining.next(
            phase: phase, known: own, participants: others + (own.map { [$0] } ?? []), role: role,
            identity: JobIdentity(kemPublicKey: edge.kem.publicKey, endpoint: endpoint))
    }

    @Test func aNewWorkerAppliesToAnOpenJobAlone() throws {
        #expect(try next(.open, nil, started: false) == .apply)
        #expect(try next(.open, .released, started: false) == .apply)
        #expect(try next(.registered, nil, started: false) == .wait)
        #expect(try next(.paused, nil, started: false) == .wait)
        for phase in [JobPhase.commit, .reveal, .paused, .finished, .aborted] {
            #expect(throws: WorkerError.self, "\(phase)") { try next(phase, nil, started: true) }
        }
        #expect(throws: WorkerError.self) { try next(.commit, .released, started: true) }
    }

    @Test func aRestartedWorkerGoesOnWhereItWas() throws {
        #expect(try next(.open, .applied, endpoint: "127.0.0.1:2", started: false) == .identify)
        #expect(try next(.open, .applied, started: false) == .confirm)
        #expect(try next(.open, .confirmed, started: false) == .joined)
        #expect(try next(.commit, .active, endpoint: "127.0.0.1:2", started: true) == .identify)
        for standing in [JobParticipant.Standing.active, .suspended] {
            #expect(try next(.commit, standing, started: true) == .joined)
        }
        // Nothing can be published any more, but the model and the pay are still there.
        #expect(try next(.finished, .active, endpoint: "127.0.0.1:2", started: true) == .joined)
        #expect(throws: WorkerError.self, "the roster was fixed without it") { try next(.commit, .applied, started: true) }
        #expect(throws: WorkerError.self, "the key is the edge's") { try next(.commit, .active, role: .cloud, started: true) }
    }

    @Test func aJobThatThisWorkerCannotDoIsLeftAlone() throws {
        try Joining.check(try testSpec())
        for spec in [
            try testSpec { $0.trainingProtocol = .fog }, try testSpec { $0.plan = testPlan(batchSize: .max).borsh }, try testSpec { $0.plan = [1] },
            try testSpec { $0.stepsPerRound = .max }, try testSpec { $0.quorum = 0 },
            try testSpec { $0.commitMaxMs = .max },
        ] {
            #expect(throws: WorkerError.self) { try Joining.check(spec) }
        }
        #expect(try Joining.envelopeLimit(try testSpec { $0.plan = testPlan(batchSize: .max).borsh }) < Envelope.maximumPayload)
    }

    @Test func aSuspendedWorkerComesBackBetweenRounds() throws {
        let spec = try testSpec()
        let away = edge.participant(.edge, standing: .suspended)
        let enough = [cloud.participant(.cloud), try Person("other").participant(.edge, index: 1), away]
        func comesBack(
            _ phase: JobPhase, _ all: [JobParticipant], after outcome: JobRound.Outcome? = .accepted
        ) -> Bool {
            Joining.shouldComeBack(testStatus(phase, spec: spec), participants: all, lastOutcome: outcome)
        }
        #expect(!comesBack(.commit, enough), "it would be waited for in a round that it can't take part in")
        for phase in [JobPhase.reveal, .validate, .paused] { #expect(comesBack(phase, enough)) }
        #expect(comesBack(.commit, [cloud.participant(.cloud), away]), "without it there is no quorum")
        #expect(comesBack(.commit, enough.filter { $0.role == .edge }), "without it nothing moves")
        #expect(comesBack(.commit, enough, after: .starved), "the others may be gone")
        #expect(!comesBack(.finished, enough))
    }
}
