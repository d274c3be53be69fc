import Cryptography
import Encoding
import Primitives
import Testing

/// The bytes that the job contract and the workers agree on.
@Suite struct JobBytesTests {
    private static let validator = Account(Digest(sha256: [1]).bytes) ?? .zero
    private static let spec = JobSpec(
        title: "t", edges: 2, quorum: 1, rounds: 3, stepsPerRound: 4, batchSize: 5, learningRateMicro: 6,
        openTimeoutMs: 7, commitMinMs: 8, commitMaxMs: 9, revealTimeoutMs: 10, validateTimeoutMs: 11, epsilonMicro: 12,
        seed: Digest(sha256: [2]), inputAudit: .owner, validator: validator, validationSamples: 13)

    @Test func specHasTheFixedBytes() throws {
        let head: [UInt8] = [
            1, 1, 0, 0, 0, UInt8(ascii: "t"), 0, 0, 2, 0, 1, 0, 1, 0, 3, 0, 0, 0, 4, 0, 0, 0, 5, 0, 0, 0, 6, 0, 0, 0,
        ]
        let times = [7, 8, 9, 10, 11].flatMap { [UInt8($0)] + [UInt8](repeating: 0, count: 7) }
        let tail = [12, 0, 0, 0] + Digest(sha256: [2]).bytes + [1] + Self.validator.bytes + [13, 0, 0, 0]
        #expect(Self.spec.borsh == head + times + tail)
        #expect(try JobSpec(borsh: Self.spec.borsh) == Self.spec)
        #expect(Self.spec.problem == nil)
    }

    @Test func repliesReadBack() throws {
        let status = JobStatus(
            spec: Self.spec, phase: .validate, round: 2, phaseSince: Time(5), deadline: nil, checkpoint: .zero,
            metricMicro: 1, lossMicro: 2, bestMetricMicro: 3, acceptedRounds: 4, rejectedRounds: 5, escrow: 1 << 100,
            reason: "r")
        #expect(try JobStatus(borsh: status.borsh) == status)
        let worker = JobParticipant(
            account: Self.validator, role: .edge, standing: .suspended, index: 1, samples: 2, kemPublicKey: .zero,
            endpoint: "h:1", committed: true, revealed: false, misses: 2, acceptedRounds: 3, lastRoot: .zero,
            lastArtifact: .zero)
        let participants = JobParticipants([worker, worker])
        #expect(try JobParticipants(borsh: participants.borsh) == participants)
        let history = JobHistory([
            JobRound(
                round: 1, outcome: .rolledBack, metricMicro: 2, lossMicro: 3, closedAt: Time(4), checkpoint: .zero,
                participants: 5)
        ])
        #expect(try JobHistory(borsh: history.borsh) == history)
        #expect(history.borsh.count == 4 + 63)
        #expect(JobParticipants([]).borsh == [0, 0, 0, 0])
    }

    /// Every prefix, and every unknown tag, is refused without a trap.
    @Test func hostileReplies() {
        let bytes = Self.spec.borsh
        for length in 0..<bytes.count {
            #expect(throws: BorshError.self) { try JobSpec(borsh: Array(bytes[..<length])) }
        }
        for (offset, name) in [(0, "version"), (6, "protocol"), (7, "model")] {
            var changed = bytes
            changed[offset] = 200
            #expect(throws: BorshError.self, "\(name)") { try JobSpec(borsh: changed) }
        }
        #expect(throws: BorshError.self) { try JobParticipants(borsh: [255, 255, 255, 255]) }
        #expect(throws: BorshError.self) { try JobHistory(borsh: [64, 0, 0, 0, 1]) }
    }

    @Test func commitmentAndItems() {
        let reveal = JobReveal(
            stepsRoot: Digest(sha256: [1]), artifact: Digest(sha256: [2]), salt: Digest(sha256: [3]), lossMicro: 4,
            location: "")
        let job = Self.validator
        let preimage = Array("edgeproof/commit/1".utf8) + job.bytes + [7, 0, 0, 0] + job.bytes
            + reveal.stepsRoot.bytes + reveal.artifact.bytes + reveal.salt.bytes
        #expect(reveal.commitment(job: job, round: 7, sender: job).commitment == Digest(sha256: preimage))
        #expect(PostId.commit(round: 12).description == "r12/c")
        #expect(PostId.complaint(round: .max).description == "r4294967295/f")
    }
}
