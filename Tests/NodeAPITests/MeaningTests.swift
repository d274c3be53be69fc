import APIModel
import Cryptography
import JobProtocol
import NodeAPI
import Primitives
import Testing

/// What people read about transactions and events: a sentence, and the fields decoded.
@Suite(.timeLimit(.minutes(20))) struct MeaningTests {
    private static let alice = Account(FakeNode.alice.publicKey)
    private static let digest = Digest(sha256: [7])

    private static func transaction(
        _ action: ActionId, _ data: [UInt8] = [], value: UInt128 = 0, service: ServiceId = .chain, post: PostId = .none
    ) throws -> Transaction {
        try Transaction(
            sender: alice, sequence: 0, validUntil: FakeNode.start, gasLimit: 1, value: value, serviceId: service,
            postId: post, actionId: action, data: data)
    }

    @Test func theChainsActions() throws {
        let named = FakeNode.job
        let cases: [(Transaction, String)] = [
            (
                try Self.transaction(.transfer, Transfer(recipient: Self.alice).borsh, value: 1_234_567),
                "sent 1,234,567 units"
            ),
            (
                try Self.transaction(.transfer, Transfer(recipient: Self.alice).borsh, value: 1), "sent 1 unit"
            ),
            (try Self.transaction(.uploadContract, [0, 1, 2]), "put contract code of 3 bytes on the chain"),
            (
                try Self.transaction(
                    .registerService,
                    RegisterService(service: named, codeHash: Self.digest, kind: "job", validator: nil, initData: [])
                        .borsh),
                "registered the job 'digits'"
            ),
            (try Self.transaction(.lockMoney, value: 5_000), "locked 5,000 units that back the verdicts of its jobs"),
            (try Self.transaction(.unlockMoney, UnlockMoney(amount: 0).borsh), "took back what was free of its lock"),
            (try Self.transaction(.unlockMoney, UnlockMoney(amount: 7).borsh), "asked 7 units of its lock back"),
            (
                try Self.transaction(
                    .inviteMembers, InviteMembers(service: named, accounts: [Self.alice], invites: true).borsh),
                "invited accounts"
            ),
            (
                try Self.transaction(
                    .upgradeService, UpgradeService(service: named, step: .announce(codeHash: Self.digest)).borsh),
                "announced new code for the service 'digits'"
            ),
            (
                try Self.transaction(
                    .transferService, TransferService(service: named, step: .offer(to: Self.alice)).borsh),
                "offered the service 'digits'"
            ),
            (
                try Self.transaction(.retireService, RetireService(service: named, step: .announce).borsh),
                "announced the end of the service 'digits'"
            ),
        ]
        for (transaction, sentence) in cases {
            #expect(Meaning.of(transaction, kind: nil)?.sentence == sentence)
        }
        // Other bytes mean nothing, and are shown as they are.
        #expect(Meaning.of(try Self.transaction(.transfer, [1]), kind: nil) == nil)
    }

    @Test func aJobsActions() throws {
        func said(_ action: ActionId, _ data: [UInt8] = [], post: PostId = .none, value: UInt128 = 0) throws
            -> MeaningDocument?
        {
            Meaning.of(
                try Self.transaction(action, data, value: value, service: FakeNode.job, post: post), kind: "job")
        }
        let applied = try #require(try said(.applicationTask, JobApplication(role: .edge, samples: 300).borsh))
        #expect(applied.sentence == "applied for a place as edge" && applied.fields.first?.value == "300")
        #expect(try said(.paymentRequester, value: 20_000)?.sentence == "paid 20,000 units into the job")
        let committed = try said(
            .commitmentTask, JobCommitment(commitment: Self.digest).borsh, post: .commit(round: 4))
        #expect(committed?.sentence == "committed to its result of round 4")
        #expect(committed?.fields == [.init("commitment", Self.digest.hex, .hash)])
        let validated = try said(
            .commitmentTask,
            JobValidation(metricMicro: 968_700, lossMicro: 100_000, checkpoint: Self.digest).borsh,
            post: .validation(round: 4))
        #expect(validated?.sentence == "evaluated the model of round 4")
        #expect(validated?.fields.first == .init("accuracy", "968700", .micro))
        // Of a service that is no job the same bytes mean nothing.
        #expect(
            Meaning.of(
                try Self.transaction(
                    .commitmentTask, JobCommitment(commitment: Self.digest).borsh, service: FakeNode.job),
                kind: "contract") == nil)
    }

    @Test func aJobsEvents() throws {
        let phase = try #require(
            Event(
                contract: Self.alice, topic: JobEventTopic.phase, data: JobPhaseEvent(round: 2, phase: .validate).borsh)
        )
        #expect(Meaning.of(jobEvent: phase)?.sentence.hasPrefix("round 2: ") == true)
        let round = JobRound(
            round: 2, outcome: .accepted, metricMicro: 968_700, lossMicro: 100_000, closedAt: FakeNode.start,
            checkpoint: Self.digest, participants: 3)
        let closed = try #require(Event(contract: Self.alice, topic: JobEventTopic.round, data: round.borsh))
        #expect(Meaning.of(jobEvent: closed)?.fields.first == .init("accuracy", "968700", .micro))
        let other = try #require(Event(contract: Self.alice, topic: Array("other".utf8), data: [1]))
        #expect(Meaning.of(jobEvent: other) == nil)
    }
}
