import Cryptography
import Encoding
import Ledger
import Primitives
import Testing

/// A service pays for those who work for it, within its limits, and for nobody else.
@Suite(.timeLimit(.minutes(20))) struct SponsorTests {
    private let alice: User, rich: User
    private var chain: TestChain
    private let contract: Account
    private let service: ServiceId

    private static let member: UInt64 = 40_000_000

    init() throws {
        alice = try User("alice")
        rich = try User("rich")
        chain = try TestChain([alice, rich], deposits: true)
        let code = WasmAssembler.module([("action", [.when(action: 300, [.trap])])])
        #expect(try chain.send(alice, .uploadContract, data: code, gas: 20_000_000).outcome == .succeeded)
        service = try #require(ServiceId("job"))
        let data = RegisterService(
            service: service, codeHash: Digest(sha256: code), kind: "job", validator: nil,
            sponsorship: Sponsorship(creditsPerMember: Self.member, creditsPerWindow: 200_000_000, newcomers: 3), initData: [])
        contract = Account.contract(creator: alice.account, sequence: try chain.record(alice.account).sequence)
        let receipt = try chain.send(alice, .registerService, data: data.borsh, value: 100_000_000_000, gas: 20_000_000)
        #expect(receipt.outcome == .succeeded)
        // Into a fresh window, so that no test crosses a border of one.
        let window = chain.ledger.genesis.parameters.creditWindowMs
        try chain.run(after: window - chain.time.value % window)
    }

    private func admit(_ signed: SignedTransaction, reserved: UInt64 = 0) throws -> AdmissionVerdict {
        try chain.ledger.admit(signed, state: chain.state, time: chain.time, reservedCredits: { _ in reserved })
    }

    private func refusal(_ signed: SignedTransaction) throws -> String? {
        guard case .refused(.notSponsored(_, let reason)) = try admit(signed) else { return nil }
        // A block with it is not valid, for the same reason.
        guard case .invalid(.transaction(0, .notSponsored)) = try chain.check(chain.block([signed], after: 1)) else {
            return "a block takes it"
        }
        return reason
    }

    @Test mutating func anEmptyAccountJoinsAndWorks() throws {
        let worker = try User("worker")
        let credits = try #require(try chain.ledger.account(contract, at: chain.time, state: chain.state)).credits
        let apply = try chain.transaction(worker, service: "job", .applicationTask, gas: 2_000_000)
        guard case .admitted(let facts) = try admit(apply) else { throw BlockIsInvalid() }
        #expect(facts.payer == contract && facts.payerCapacity > 10_000_000_000)
        #expect(try chain.run([apply], after: 1).receipts.map(\.outcome) == [.succeeded])
        let record = try chain.record(worker.account)
        #expect(record.sequence == 1 && record.balance == 0 && record.sponsor == contract)
        #expect(record.lent == chain.ledger.genesis.parameters.accountDeposit)
        #expect(chain.state.values[.membership(contract, worker.account)] != nil)
        #expect(try #require(try chain.ledger.account(contract, at: chain.time, state: chain.state)).credits < credits)
        #expect(try chain.record(contract).deposit > record.lent)
        // A member may do all that members do.
        #expect(try chain.send(worker, service: "job", ActionId(256), gas: 2_000_000).outcome == .succeeded)
        // A failed one is paid, too.
        let used = try chain.record(contract).credits
        #expect(try chain.send(worker, service: "job", ActionId(300), gas: 2_000_000, after: 1).outcome.failure != nil)
        #expect(try chain.record(contract).credits < used)
        // With money of its own it holds its deposit itself, and the service gets its own back.
        let held = try chain.record(contract).deposit
        try chain.send(rich, .transfer, data: Transfer(recipient: worker.account).borsh, value: 5_000_000)
        #expect(try chain.record(worker.account).lent == 0 && chain.record(worker.account).deposit == record.lent)
        #expect(try chain.record(contract).deposit == held - record.lent)
    }

    @Test mutating func limitsHoldForOneAndForAll() throws {
        // Strangers: only to apply, and only so many.
        let stranger = try User("stranger")
        #expect(try refusal(try chain.transaction(stranger, service: "job", ActionId(256), gas: 2_000_000))?.contains("has not joined") == true)
        let many = try (0..<4).map { try User("many \($0)") }
        for user in many.prefix(3) {
            #expect(try chain.send(user, service: "job", .applicationTask, gas: 2_000_000, after: 1).outcome == .succeeded)
        }
        let fourth = try chain.transaction(many[3], service: "job", .applicationTask, gas: 2_000_000)
        #expect(try refusal(fourth)?.contains("newcomers") == true)
        // One member: its part of the window.
        for _ in 0..<2 {
            try chain.send(many[0], service: "job", ActionId(256), gas: 20_000_000, after: 1)
        }
        let over = try chain.transaction(many[0], service: "job", ActionId(256), gas: 20_000_000)
        #expect(try refusal(over)?.contains("for one account") == true)
        // In one block as much as in many.
        let three = try (0..<3 as Range<UInt64>).map {
            try chain.transaction(many[1], service: "job", ActionId(256), gas: 18_000_000, ahead: $0)
        }
        guard case .invalid(.transaction(2, .notSponsored)) = try chain.check(chain.block(three, after: 1)) else {
            throw BlockIsInvalid()
        }
        // The next window begins anew.
        try chain.run(after: chain.ledger.genesis.parameters.creditWindowMs)
        let again = try chain.transaction(many[0], service: "job", ActionId(256), gas: 20_000_000)
        guard case .admitted = try admit(again) else { throw BlockIsInvalid() }
    }

    /// Each account that is opened takes a deposit that its sponsor may never see again: not even in ever new windows do
    /// strangers lock up more than a part of what a service has.
    @Test mutating func strangersLockUpAPartOfTheMoneyAtMost() throws {
        let money: UInt128 = 100_000_000
        let small = try #require(ServiceId("small"))
        let code = WasmAssembler.module([("action", [.when(action: 300, [.trap])])])
        let data = RegisterService(
            service: small, codeHash: Digest(sha256: code), kind: "job", validator: nil,
            sponsorship: Sponsorship(creditsPerMember: 4_000_000, creditsPerWindow: 1 << 40, newcomers: 2), initData: [])
        let contract = Account.contract(creator: alice.account, sequence: try chain.record(alice.account).sequence)
        let receipt = try chain.send(alice, .registerService, data: data.borsh, value: money, gas: 20_000_000)
        #expect(receipt.outcome == .succeeded)
        let window = chain.ledger.genesis.parameters.creditWindowMs
        var opened = 0
        var reason: String?
        while reason == nil, opened < 20 {
            try chain.run(after: window)
            let stranger = try chain.transaction(try User("stranger \(opened)"), service: "small", .applicationTask, gas: 2_000_000)
            reason = try refusal(stranger)
            if reason == nil {
                #expect(try chain.run([stranger], after: 1).receipts.map(\.outcome) == [.succeeded])
                opened += 1
            }
        }
        #expect(reason?.contains("8th of its contract's money") == true && opened == 3)
        // The last one has joined besides.
        #expect(try chain.record(contract).deposit <= money / 8 + chain.ledger.genesis.parameters.deposit(keyBytes: 65, valueBytes: 16))
        // In one block as in many: of two in a fresh window one finds room, with money for one and a half.
        let parameters = chain.ledger.genesis.parameters
        let lent = parameters.accountDeposit + parameters.deposit(keyBytes: 65, valueBytes: 40)
        let record = try chain.record(contract)
        let wanted = 8 * (record.deposit + lent * 3 / 2)
        let more = try #require(wanted > record.balance + record.deposit ? wanted - record.balance - record.deposit : nil)
        try chain.send(rich, .transfer, data: Transfer(recipient: contract).borsh, value: more)
        let two = try (0..<2).map {
            try chain.transaction(try User("another \($0)"), service: "small", .applicationTask, gas: 2_000_000)
        }
        guard case .invalid(.transaction(1, .notSponsored)) = try chain.check(chain.block(two, after: 1)) else {
            throw BlockIsInvalid()
        }
        #expect(try chain.run([two[0]], after: 1).receipts.map(\.outcome) == [.succeeded])
        // Whom the owner asked gets in.
        let invited = try User("invited")
        let invitation = InviteMembers(service: small, accounts: [invited.account], invites: true)
        #expect(try chain.send(alice, .inviteMembers, data: invitation.borsh, gas: 5_000_000).outcome == .succeeded)
        #expect(try chain.send(invited, service: "small", .applicationTask, gas: 2_000_000).outcome == .succeeded)
        #expect(try chain.isConserved())
    }

    /// Strangers cost nothing, so they can use up whatever is open to strangers; whom the owner asked has a place.
    @Test mutating func whoWasInvitedGetsInPastAnyNumberOfStrangers() throws {
        let invited = try User("invited")
        let other = try User("other")
        func invite(_ accounts: [Account], _ invites: Bool, by user: User) throws -> Receipt {
            let data = InviteMembers(service: service, accounts: accounts, invites: invites)
            return try chain.send(user, .inviteMembers, data: data.borsh, gas: 5_000_000, after: 1)
        }
        #expect(try invite([invited.account], true, by: rich).outcome.failure?.contains("not the owner") == true)
        let balance = try chain.balance(contract)
        #expect(try invite([invited.account, other.account], true, by: alice).outcome == .succeeded)
        let held = 2 * chain.ledger.genesis.parameters.deposit(keyBytes: 65, valueBytes: 40)
        #expect(try chain.balance(contract) == balance - held)
        for number in 0..<3 {
            let stranger = try User("stranger \(number)")
            #expect(try chain.send(stranger, service: "job", .applicationTask, gas: 2_000_000, after: 1).outcome == .succeeded)
        }
        let late = try chain.transaction(try User("late"), service: "job", .applicationTask, gas: 2_000_000)
        #expect(try refusal(late)?.contains("newcomers") == true)
        let welcome = try chain.transaction(invited, service: "job", .applicationTask, gas: 2_000_000)
        guard case .admitted = try admit(welcome) else { throw BlockIsInvalid() }
        #expect(try chain.run([welcome], after: 1).receipts.map(\.outcome) == [.succeeded])
        // Only to join, until it has.
        let early = try chain.transaction(other, service: "job", ActionId(256), gas: 2_000_000)
        #expect(try refusal(early)?.contains("has not joined") == true)
        // Taken back, nothing stays of an invitation that nobody used; what counts in this window does.
        #expect(try invite([invited.account, other.account], false, by: alice).outcome == .succeeded)
        #expect(chain.state.values[.sponsorUse(contract, other.account)] == nil)
        let use = try SponsorUse(borsh: try #require(chain.state.values[.sponsorUse(contract, invited.account)]))
        #expect(!use.isInvited && use.credits > 0)
        let refused = try chain.transaction(other, service: "job", .applicationTask, gas: 2_000_000)
        #expect(try refusal(refused)?.contains("not invited") == true)
        // In the next window it goes, too, once the account has left and nothing is lent to it.
        #expect(try chain.send(invited, service: "job", .releaseRelation, gas: 2_000_000, after: 1).outcome == .succeeded)
        try chain.run(after: chain.ledger.genesis.parameters.creditWindowMs)
        let before = try chain.record(contract).deposit
        #expect(try invite([invited.account], false, by: alice).outcome == .succeeded)
        #expect(chain.state.values[.sponsorUse(contract, invited.account)] == nil)
        #expect(try chain.record(contract).deposit == before - held / 2)
    }

    @Test mutating func theChainsOwnActionsAreNotSponsored() throws {
        let worker = try User("worker")
        try chain.send(worker, service: "job", .applicationTask, gas: 2_000_000)
        let transfer = try chain.transaction(
            worker, .transfer, data: Transfer(recipient: alice.account).borsh, gas: 2_000_000)
        guard case .refused(.tooFewCredits) = try admit(transfer) else { throw BlockIsInvalid() }
        // Who has credits pays with them first.
        let own = try chain.transaction(rich, service: "job", .applicationTask, gas: 2_000_000)
        guard case .admitted(let facts) = try admit(own) else { throw BlockIsInvalid() }
        #expect(facts.payer == rich.account)
    }

    @Test mutating func aCancellationTakesTheSequenceAndNothingElse() throws {
        let pay = try chain.transaction(rich, .transfer, data: Transfer(recipient: alice.account).borsh, value: 77)
        let id = pay.transaction.id(genesis: chain.ledger.genesisHash)
        let cancel = try chain.transaction(rich, .cancelTransaction, data: CancelTransaction(id: id).borsh, gas: 500_000)
        guard case .admitted(let facts) = try admit(cancel) else { throw BlockIsInvalid() }
        #expect(facts.replaces == id)
        let balance = try chain.balance(rich.account)
        #expect(try chain.run([cancel]).receipts.map(\.outcome) == [.succeeded])
        #expect(try chain.balance(rich.account) == balance)
        guard case .refused(.sequenceReused) = try admit(pay) else { throw BlockIsInvalid() }
    }
}
