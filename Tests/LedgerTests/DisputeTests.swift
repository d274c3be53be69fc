import Cryptography
import Encoding
import Ledger
import Primitives
import Testing

/// Disputes on a chain: who may accuse whom, what time does, and what a jury's word costs.
@Suite(.timeLimit(.minutes(20))) struct DisputeTests {
    private let alice: User, bob: User
    private let validators: [Validator]
    private let operators: [User]
    private var chain: TestChain
    private var contract = Account.zero

    init() throws {
        alice = try User("alice")
        bob = try User("bob")
        validators = try (0..<5).map { try Validator("m\($0)") }
        operators = try (0..<5).map { try User("operator \($0)") }
        chain = try TestChain(
            [alice, bob] + operators, masternodes: zip(validators, operators).map { ($0, owner: $1) })
        contract = try chain.deploy(
            "job", owner: alice, validator: validators[0].user.account,
            [("action", [.when(action: 256, [.schedule(time: 0, entry: .max, data: [])])])]
        ).contract
        try chain.send(bob, service: "job", .applicationTask)
        try validate(2)
    }

    private mutating func validate(_ round: UInt32) throws {
        #expect(try chain.send(judge, service: "job", .commitmentTask, post: "r\(round)/v").outcome == .succeeded)
    }

    private var judge: User { validators[0].user }
    private var service: ServiceId { ServiceId("job") ?? .chain }
    private static func leaf(_ text: String) -> Digest { Digest(sha256: Array(text.utf8)) }
    private static let claim = leaf("signed")
    private static let inner = ["a", "b"].map(leaf), other = ["a", "x"].map(leaf)
    private static let truth = [leaf("start"), Dispute.node(inner), leaf("true")]
    private static let lie = [leaf("start"), Dispute.node(other), claim]

    private func accusation(
        of user: User, list: [Digest] = truth, genesis: Digest? = nil, job: Account? = nil, kind: UInt8 = 0,
        sign: Bool = true
    ) throws -> Accusation {
        var context = BorshEncoder(reserving: 200)
        context.value(genesis ?? chain.ledger.genesisHash)
        context.value(job ?? contract)
        context.integer(UInt32(2))
        context.integer(UInt32(7))
        context.integer(kind)
        context.integer(UInt16(0))
        context.value(Digest.zero)
        context.value(user.account)
        context.value(Self.leaf("key"))
        let unsigned = Accusation(
            service: service, context: context.bytes, claim: Self.claim, sealed: Self.leaf("sealed"),
            signature: try user.key.sign(message: [1]), list: list)
        guard sign else { return unsigned }
        return Accusation(
            service: service, context: context.bytes, claim: Self.claim, sealed: Self.leaf("sealed"),
            signature: try user.key.sign(message: unsigned.signedMessage), list: list)
    }

    private mutating func accuse(_ accusation: Accusation, by user: User? = nil) throws -> Outcome {
        try chain.send(user ?? judge, .accuse, data: accusation.borsh).outcome
    }

    private mutating func move(_ list: [Digest], by user: User, about accused: User? = nil) throws -> Outcome {
        let move = DisputeMove(service: service, accused: (accused ?? bob).account, list: list)
        return try chain.send(user, .narrowDispute, data: move.borsh).outcome
    }

    private mutating func vote(_ vote: Dispute.Vote, by juror: Account) throws -> Outcome {
        let user = try #require(validators.first { $0.user.account == juror }).user
        return try chain.send(
            user, .judgeDispute, data: DisputeVote(service: service, accused: bob.account, vote: vote).borsh
        ).outcome
    }

    private var dispute: Dispute? {
        get throws { try chain.state.values[.dispute(contract, bob.account)].map { try Dispute(borsh: $0) } }
    }

    private func findings(_ user: User) -> [Finding.Kind] {
        (chain.history[user.account] ?? []).compactMap {
            if case .finding(let finding) = $0.content { finding.kind } else { nil }
        }
    }

    private mutating func drawJury() throws -> [Account] {
        for _ in 0..<6 { try chain.run() }
        return try #require(try dispute).jury
    }

    @Test mutating func aLiarIsFoundAndNeverActsAgain() throws {
        #expect(try accuse(accusation(of: bob)) == .succeeded)
        #expect(try dispute?.jury == [], "nobody knows the jury yet")
        #expect(try move(Self.truth, by: bob).failure == Dispute.Refusal.notWhatWasSigned.description)
        #expect(try move(Self.lie, by: alice).failure == Dispute.Refusal.notYourTurn.description)
        #expect(try move(Self.lie, by: bob) == .succeeded)
        #expect(try move(Self.inner, by: judge) == .succeeded)
        #expect(try move(Self.other, by: bob) == .succeeded)
        #expect(try dispute?.path == [1, 1])
        #expect(try move([], by: judge) == .succeeded)
        let jury = try drawJury()
        #expect(jury.count == 3 && !jury.contains(judge.account))
        #expect(try vote(.wrong, by: jury[0]) == .succeeded)
        #expect(findings(bob).isEmpty)
        #expect(try vote(.wrong, by: jury[1]) == .succeeded)
        #expect(findings(bob) == [.fraud] && findings(judge).isEmpty)
        #expect(try dispute == nil && chain.state.values[.disputes(contract)] == nil)
        // Nothing that a service would take: neither here nor elsewhere, and no second accusation.
        for action: ActionId in [.applicationTask, .commitmentTask, .paymentWorkerSignature, .releaseRelation] {
            #expect(try chain.send(bob, service: "job", action).outcome.failure?.contains("a liar in 'job'") == true)
        }
        #expect(try accuse(accusation(of: bob)).failure == "the accused is tombstoned already")
        #expect(
            try chain.send(bob, .transfer, data: Transfer(recipient: alice.account).borsh, value: 5).outcome
                == .succeeded)
        #expect(try chain.isConserved() && chain.historiesAreComplete())
    }

    @Test mutating func aFalseAccusationCostsTheAccuser() throws {
        #expect(try accuse(accusation(of: bob)) == .succeeded)
        #expect(try move(Self.lie, by: bob) == .succeeded)
        #expect(try move([], by: judge) == .succeeded)
        let jury = try drawJury()
        for juror in jury.prefix(2) { #expect(try vote(.right, by: juror) == .succeeded) }
        #expect(findings(judge) == [.fraud] && findings(bob).isEmpty)
        // Its word counts no more.
        #expect(try accuse(accusation(of: bob)).failure?.contains("a liar") == true)
        #expect(
            try chain.send(judge, service: "job", .commitmentTask, post: "r0/v").outcome.failure?.contains("a liar")
                == true)
        #expect(try chain.isConserved())
    }

    @Test mutating func whoIsSilentIsWrongAndWhoLeavesLoses() throws {
        // The accused never answers, the jury can get nothing.
        #expect(try accuse(accusation(of: bob)) == .succeeded)
        let jury = try drawJury()
        try chain.run(after: Dispute.turnMs)
        #expect(try dispute?.stage == .vote && dispute?.isSilent == true)
        for juror in jury.prefix(2) { #expect(try vote(.unavailable, by: juror) == .succeeded) }
        try chain.run(after: Dispute.turnMs)
        #expect(findings(bob) == [.fraud])
    }

    @Test mutating func theAccuserLeaves() throws {
        #expect(try accuse(accusation(of: bob)) == .succeeded)
        #expect(try move(Self.lie, by: bob) == .succeeded)
        try chain.run(after: Dispute.turnMs)
        try chain.run(after: 1_000)
        #expect(try dispute == nil)
        #expect(findings(bob).isEmpty && findings(judge).isEmpty)
    }

    @Test mutating func bothLeaveAndNothingIsFound() throws {
        #expect(try accuse(accusation(of: bob)) == .succeeded)
        for _ in 0..<3 {
            try chain.run(after: Dispute.turnMs)
            try chain.run(after: 1_000)
        }
        #expect(try dispute == nil)
        #expect(findings(bob).isEmpty && findings(judge).isEmpty)
        let next = try chain.run().nextDue
        #expect(next == nil, "nothing is left in the queue")
    }

    /// A liar must not take its pay and bond out while it is looked into; whom nothing is found about gets them after.
    @Test mutating func payAndBondWaitForTheEndOfADispute() throws {
        #expect(try chain.send(bob, service: "job", .paymentWorkerSignature).outcome == .succeeded)
        #expect(try accuse(accusation(of: bob)) == .succeeded)
        let refused = try chain.send(bob, service: "job", .paymentWorkerSignature).outcome.failure
        #expect(refused == "a dispute about this account is open in 'job': pay and bond wait for its end")
        // Its work goes on, and nobody else waits.
        #expect(try chain.send(bob, service: "job", .commitmentTask, post: "r3/c").outcome == .succeeded)
        #expect(try chain.send(alice, service: "job", .paymentWorkerSignature).outcome == .succeeded)
        for _ in 0..<3 {
            try chain.run(after: Dispute.turnMs)
            try chain.run(after: 1_000)
        }
        #expect(try dispute == nil)
        #expect(try chain.send(bob, service: "job", .paymentWorkerSignature).outcome == .succeeded)
        #expect(try chain.isConserved())
    }

    @Test mutating func nobodyIsAccusedOfWhatHeDidNotSendNorByAnybody() throws {
        #expect(try accuse(accusation(of: bob, sign: false)).failure == "the accused has not signed this envelope")
        #expect(
            try accuse(accusation(of: bob, genesis: .zero)).failure == "the envelope was not signed in this service")
        #expect(
            try accuse(accusation(of: bob, job: alice.account)).failure == "the envelope was not signed in this service"
        )
        #expect(try accuse(accusation(of: bob, kind: 99)).failure == "it is not the context of a worker's envelope")
        #expect(try accuse(accusation(of: judge)).failure == "nobody accuses himself")
        #expect(try accuse(accusation(of: bob, list: [Self.claim])).failure == Dispute.Refusal.sameAsSigned.description)
        for stranger in [alice, validators[1].user] {
            #expect(try accuse(accusation(of: bob), by: stranger).failure?.contains("have what it takes") == true)
        }
        #expect(try dispute == nil)
        #expect(try accuse(accusation(of: bob)) == .succeeded)
        #expect(try accuse(accusation(of: bob)).failure == "a dispute about this account is open")
        #expect(try move(Self.lie, by: bob, about: alice).failure == "no dispute about this account is open")
        #expect(try vote(.wrong, by: validators[1].user.account).failure != nil)
        // No contract can run what looks after disputes.
        #expect(
            try chain.send(alice, service: "job", ActionId(256)).outcome.failure?.contains("the chain's own") == true)
    }

    /// Work is disputed soon after its validation or never: who has done it, and gone, need not answer for ever.
    @Test mutating func oldWorkIsNotDisputed() throws {
        let refused = "work is disputed in the 10 minutes after its validation"
        try chain.run(after: Dispute.windowMs)
        #expect(try accuse(accusation(of: bob)).failure?.hasPrefix(refused) == true)
        // The round's own validation, or of one that may have used its work late.
        for round in [UInt32(1), 6] {
            try validate(round)
            #expect(try accuse(accusation(of: bob)).failure?.hasPrefix(refused) == true, "\(round)")
        }
        for post in ["r3/c", "x3/v", "r/v", "r-3/v", "r99999999999/v"] {
            _ = try chain.send(judge, service: "job", .commitmentTask, post: post)
            #expect(try accuse(accusation(of: bob)).failure?.hasPrefix(refused) == true, "\(post)")
        }
        try validate(5)
        #expect(try accuse(accusation(of: bob)) == .succeeded)
    }

    @Test mutating func aDepositIsLockedAndComesBackOrNot() throws {
        var held = try TestChain(
            [alice, bob] + operators + validators.map(\.user),
            masternodes: zip(validators, operators).map { ($0, owner: $1) },
            deposits: true)
        let contract = try held.deploy(
            "job", owner: alice, validator: judge.account, deposit: 10_000_000, [("action", [])]
        ).contract
        self.contract = contract
        #expect(try held.send(judge, service: "job", .commitmentTask, post: "r2/v").outcome == .succeeded)
        let before = try held.record(judge.account).deposit
        let credits = try held.record(judge.account).credits
        let accusation = try accusation(of: bob, genesis: held.ledger.genesisHash)
        #expect(try held.send(judge, .accuse, data: accusation.borsh).outcome == .succeeded)
        #expect(try held.record(judge.account).deposit > before)
        let move = DisputeMove(service: service, accused: bob.account, list: Self.lie)
        #expect(try held.send(bob, .narrowDispute, data: move.borsh).outcome == .succeeded)
        let balance = try held.balance(judge.account)
        for _ in 0..<3 { try held.run(after: Dispute.turnMs) }
        // Left: half of it burned, half for the masternodes.
        let after = try held.record(judge.account)
        #expect(try after.deposit == before && held.isConserved())
        // What left took its credits along.
        #expect(after.credits <= Credits(held.ledger.genesis.parameters).capacity(stake: after.stake) && credits > 0)
        #expect(try held.balance(judge.account) <= balance + 10_000_000 && held.number(.rewardPool) > 0)
    }
}
