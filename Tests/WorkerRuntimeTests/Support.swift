import Cryptography
import Encoding
import Foundation
import JobProtocol
import Primitives
import Testing
import Training
import WorkerRuntime

let testJob = Account(words: Digest(sha256: [2]).words)
let testJobDigest = Digest(sha256: [3])
let testGenesis = Digest(sha256: [1])

/// One worker's keys, from a name: tests stay the same from run to run.
struct Person {
    let key: PrivateKey
    let kem: KEMPrivateKey
    var account: Account { Account(key.publicKey) }

    init(_ name: String) throws {
        key = try #require(PrivateKey(seed: Digest(sha256: Array("sign \(name)".utf8)).bytes))
        kem = try #require(KEMPrivateKey(bytes: Digest(sha256: Array("kem \(name)".utf8)).bytes))
    }

    /// A ring that holds the person's key.
    func ring() throws -> KeyRing {
        let stored = KeyRing.Stored(
            job: testJobDigest, epoch: 0, current: try #require(Digest(kem.secretBytes)), previous: nil)
        return try KeyRing(job: testJobDigest, stored: stored) { _ in }
    }

    func participant(
        _ role: Role, index: UInt16 = 0, standing: JobParticipant.Standing = .active, endpoint: String = "127.0.0.1:1",
        slot: UInt8 = 0, parent: Account = .zero
    ) -> JobParticipant {
        JobParticipant(
            slot: slot, account: account, role: role, standing: standing, index: index, samples: 1,
            parent: parent, kemPublicKey: kem.publicKey, endpoint: endpoint, committed: false, revealed: false, misses: 0, acceptedRounds: 0, lastRoot: .zero,
            lastArtifact: .zero)
    }

    /// A signed envelope of this worker; the inbox and the door look at no more than this.
    func envelope(
        to receiver: Person, round: UInt32 = 0, step: UInt32 = 0, kind: MessageKind = .activation, index: UInt16 = 0,
        genesis: Digest = testGenesis, job: Account = testJob, payload: [UInt8] = [1, 2, 3], salt: UInt8 = 7
    ) throws -> Envelope {
        try Envelope.seal(
            payload,
            context: EnvelopeContext(
                genesisHash: genesis, jobId: job, round: round, step: step, kind: kind, index: index,
                previousDigest: .zero, senderKey: account, receiverKemKey: receiver.kem.publicKey),
            salt: Array(repeating: salt, count: Envelope.saltLength), key: key)
    }
}

/// A folder that is removed with the value.
final class TemporaryFolder {
    let url: URL

    init() throws {
        url = FileManager.default.temporaryDirectory.appending(
            path: "edgeproof-worker-\(UUID().uuidString)", directoryHint: .isDirectory)
        try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(at: url) }

    func write(_ bytes: [UInt8], as name: String) throws { try Data(bytes).write(to: url.appending(path: name)) }
}

func testSpec(_ change: (inout JobSpec) -> Void = { _ in }) throws -> JobSpec {
    var spec = JobSpec(
        title: "test", workers: 2, quorum: 1, rounds: 3, stepsPerRound: 2, openTimeoutMs: 10_000, commitMinMs: 10_000,
        commitMaxMs: 10_000, revealTimeoutMs: 10_000, validateTimeoutMs: 10_000, epsilonMicro: 0,
        plan: testPlan().borsh)
    change(&spec)
    return spec
}

func testStatus(_ phase: JobPhase, spec: JobSpec) -> JobStatus {
    JobStatus(
        spec: spec, phase: phase, round: 1, phaseSince: .zero, deadlineOrZero: .zero, checkpoint: .zero, metricMicro: 0,
        lossMicro: 0, bestMetricMicro: 0, acceptedRounds: 0, rejectedRounds: 0, escrow: 0, reason: "")
}

func testPlan(_ change: (inout TrainingPlan) -> Void = { _ in }) -> TrainingPlan {
    var plan = TrainingPlan(
        model: LeNet5.spec, data: .mnist, seed: JobSeed(words: Digest(sha256: [3]).words), batchSize: 8,
        learningRate: 20_000, momentum: 900_000, validationSamples: 10)
    change(&plan)
    return plan
}
