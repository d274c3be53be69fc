import Cryptography
import Encoding
import JobProtocol
import Primitives
import Testing

/// The bytes that the job contract, the workers and `Docs/protocol.md` agree on.
@Suite(.timeLimit(.minutes(20))) struct JobBytesTests {
    private static let account = Account(Digest(sha256: [1]).bytes) ?? .zero
    private static let spec = JobSpec(
        title: "t", trainingProtocol: .fog, mode: .asynchronous, bufferedUpdates: 2, clouds: 2, workers: 3, devices: 4,
        quorum: 1, rounds: 5, stepsPerRound: 6, openTimeoutMs: 10_000, confirmTimeoutMs: 10_001, commitMinMs: 10_002,
        commitMaxMs: 10_003, revealTimeoutMs: 10_004, validateTimeoutMs: 10_005, challengeTimeoutMs: 10_006,
        pauseLimitMs: 10_007, epsilonMicro: 12, metric: .loss, committee: .named([account], size: 1),
        placement: .reputation(atLeast: 13), bond: 14, inputAudit: .owner, cloudPrice: 15, workerPrice: 16,
        validatorPrice: 17, sponsoredCredits: 18, initialCheckpoint: Digest(sha256: [2]), plan: [7, 8])

    private func little(_ value: some FixedWidthInteger) -> [UInt8] { withUnsafeBytes(of: value.littleEndian) { Array($0) } }

    @Test func specHasTheFixedBytes() throws {
        var bytes: [UInt8] = [2, 1, 0, 0, 0, UInt8(ascii: "t"), 1, 1]
        bytes += [2, 0, 2, 0, 3, 0, 4, 0, 1, 0, 5, 0, 0, 0, 6, 0, 0, 0]
        for time in 10_000...10_007 { bytes += little(UInt64(time)) }
        bytes += [12, 0, 0, 0, 1]
        bytes += [2, 1, 1, 0, 0, 0] + Self.account.bytes
        bytes += [3, 0, 0, 0, 0, 13, 0, 0, 0]
        bytes += little(UInt128(14)) + [1] + little(UInt128(15)) + little(UInt128(16)) + little(UInt128(17))
        bytes += little(UInt64(18)) + Digest(sha256: [2]).bytes + [2, 0, 0, 0, 7, 8]
        #expect(Self.spec.borsh == bytes)
        #expect(try JobSpec(borsh: bytes) == Self.spec)
        #expect(Self.spec.problem == nil)
        #expect(Self.spec.roundPrice == 15 + 3 * 16 + 17)
    }

    private typealias Change = (inout JobSpec) -> Void
    private static var broken: [(Change, String)] {[
        ({ $0.title = String(repeating: "t", count: 65) }, "title"), ({ $0.clouds = 0 }, "clouds"),
        ({ $0.clouds = 9 }, "clouds"), ({ $0.workers = 64 }, "workers"), ({ $0.devices = 60 }, "places"),
        ({ $0.quorum = 4 }, "quorum"), ({ $0.quorum = 0 }, "quorum"), ({ $0.bufferedUpdates = 4 }, "bufferedUpdates"),
        ({ $0.mode = .synchronous }, "bufferedUpdates"), ({ $0.rounds = 0 }, "rounds"),
        ({ $0.stepsPerRound = 0 }, "stepsPerRound"), ({ $0.openTimeoutMs = 9_999 }, "time-out"),
        ({ $0.revealTimeoutMs = 1 }, "time-out"), ({ $0.commitMaxMs = .max }, "time-out"),
        ({ $0.commitMinMs = 20_000 }, "commitMin"), ({ $0.validateTimeoutMs = 0 }, "time-out"),
        ({ $0.pauseLimitMs = 0 }, "time-out"), ({ $0.challengeTimeoutMs = 0 }, "time-out"),
        ({ $0.confirmTimeoutMs = 0 }, "time-out"), ({ $0.committee.size = 2 }, "committee"),
        ({ $0.committee.size = 3 }, "committee"), ({ $0.committee = .masternodes(17) }, "committee"),
        ({ $0.committee = .named([.zero], size: 1) }, "committee"),
        ({ $0.committee = .named([account, account], size: 1) }, "committee"),
        ({ $0.placement = .allowList([]) }, "allow-list"), ({ $0.placement.allowed = [account] }, "list"),
        ({ $0.placement = .reputation(atLeast: 1 << 20) }, "reputation"), ({ $0.placement = .bond; $0.bond = 0 }, "bond"),
        ({ $0.workerPrice = .max }, "price"), ({ $0.plan = [UInt8](repeating: 0, count: 16_385) }, "plan"),
    ]}

    /// What can't run is refused by name, here as in the contract.
    @Test func whatCannotRunIsNamed() {
        for (change, word) in Self.broken {
            var spec = Self.spec
            change(&spec)
            #expect(spec.problem?.contains(word) == true, "\(word): \(spec.problem ?? "no problem")")
        }
    }

    @Test func repliesReadBack() throws {
        let status = JobStatus(
            spec: Self.spec, phase: .score, round: 2, phaseSince: Time(5), deadlineOrZero: .zero, request: .abort,
            lead: Self.account, validator: Self.account,
            committee: [JobEvaluator(account: Self.account, committed: true, scored: false)], checkpoint: .zero,
            metricMicro: 1, lossMicro: 2, bestMetricMicro: 3, acceptedRounds: 4, rejectedRounds: 5, escrow: 1 << 100,
            owed: 6, bonds: 7, reason: "r")
        #expect(try JobStatus(borsh: status.borsh) == status)
        #expect(status.deadline == nil)
        let worker = JobParticipant(
            slot: 3, account: Self.account, role: .edge, standing: .suspended, index: 1, samples: 2,
            kemPublicKey: .zero, endpoint: "h:1", committed: true, revealed: false, misses: 2, acceptedRounds: 3,
            lastRoot: .zero, lastArtifact: .zero)
        let participants = JobParticipants([worker, worker])
        #expect(try JobParticipants(borsh: participants.borsh) == participants)
        #expect(participants.borsh.count == 4 + 2 * (217 + 3))
        let history = JobHistory([
            JobRound(
                round: 1, outcome: .rolledBack, metricMicro: 2, lossMicro: 3, closedAt: Time(4), checkpoint: .zero,
                participants: 5)
        ])
        #expect(try JobHistory(borsh: history.borsh) == history)
        #expect(history.borsh.count == 4 + 81)
        let partner = JobPartner(index: 1, envelopes: 2, root: .zero, use: .leftOut)
        let partners = JobPartners(round: 9, [partner])
        #expect(try JobPartners(borsh: partners.borsh) == partners)
        #expect(partners.borsh.count == 4 + 4 + 39)
        let complaints = JobComplaints([
            JobOpenComplaint(complainer: 1, accused: 2, step: 3, envelope: .zero, context: .zero, isOpened: true)
        ])
        #expect(try JobComplaints(borsh: complaints.borsh) == complaints)
        #expect(complaints.borsh.count == 4 + 71)
        #expect(JobQuery.owed.input(Self.account) == [5] + Self.account.bytes)
    }

    /// Every prefix, and every unknown tag, is refused without a trap.
    @Test func hostileReplies() {
        let bytes = Self.spec.borsh
        for length in 0..<bytes.count {
            #expect(throws: BorshError.self) { try JobSpec(borsh: Array(bytes[..<length])) }
        }
        for (offset, name) in [(0, "version"), (6, "protocol"), (7, "mode")] {
            var changed = bytes
            changed[offset] = 200
            #expect(throws: BorshError.self, "\(name)") { try JobSpec(borsh: changed) }
        }
        #expect(throws: BorshError.self) { try JobParticipants(borsh: [255, 255, 255, 255]) }
        #expect(throws: BorshError.self) { try JobHistory(borsh: [64, 0, 0, 0, 1]) }
        #expect(throws: BorshError.self) { try JobPartners(borsh: [0, 0, 0, 0, 65, 0, 0, 0]) }
    }

    @Test func commitmentsAndItems() throws {
        let reveal = JobReveal(
            stepsRoot: Digest(sha256: [1]), artifact: Digest(sha256: [2]), lossMicro: 4, location: "",
            salt: Digest(sha256: [3]))
        let job = Self.account
        let named = job.bytes + [7, 0, 0, 0] + job.bytes
        let revealed = reveal.stepsRoot.bytes + reveal.artifact.bytes + [0, 0, 0, 0] + [4, 0, 0, 0, 0, 0, 0, 0]
            + [0, 0, 0, 0] + reveal.salt.bytes
        #expect(reveal.borsh == revealed)
        #expect(
            reveal.commitment(job: job, round: 7, sender: job).commitment
                == Digest(sha256: Array("edgeproof/commit/2".utf8) + named + revealed))
        let score = JobValidation(metricMicro: 1, lossMicro: 2, checkpoint: .zero, outliers: JobSlots(bits: 5))
        #expect(
            score.commitment(job: job, round: 7, sender: job).commitment
                == Digest(sha256: Array("edgeproof/score/1".utf8) + named + score.borsh))
        #expect(PostId.commit(round: 12).description == "r12/c")
        #expect(PostId.scoreCommit(round: 12).description == "r12/e")
        #expect(PostId.opening(round: 0).description == "r0/o")
        #expect(PostId.complaint(round: .max).description == "r4294967295/f")
        let (front, back) = (Digest(sha256: [8]), Digest(sha256: [9]))
        #expect(
            jobCheckpoint(front: front, back: back)
                == Digest(domain: "edgeproof/checkpoint/1", parts: front.bytes, back.bytes))
    }

    @Test func slotsAreASet() {
        var slots = JobSlots()
        slots.insert(0)
        slots.insert(63)
        slots.insert(64)
        #expect(Array(slots) == [0, 63] && slots.count == 2 && !slots.contains(64))
        slots.remove(0)
        #expect(slots == JobSlots(bits: 1 << 63) && (slots - slots).isEmpty)
        #expect((0...5).map { JobStaleness.weight(rounds: $0) } == [1_024, 724, 591, 512, 0, 0])
    }
}
