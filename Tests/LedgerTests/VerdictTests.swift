import Cryptography
import Encoding
import Ledger
import Primitives
import Testing

/// What a contract may find about whom, and what of it counts.
@Suite(.timeLimit(.minutes(20))) struct VerdictTests {
    private static let unit: Int64 = 1 << 20
    private let alice: User, bob: User
    private let friends: [User]
    private let validators: [Validator]
    private let operators: [User]
    private var chain: TestChain

    init() throws {
        alice = try User("alice")
        bob = try User("bob")
        friends = try (0..<10).map { try User("friend \($0)") }
        validators = try (0..<4).map { try Validator("m\($0)") }
        operators = try (0..<4).map { try User("operator \($0)") }
        chain = try TestChain(
            [alice, bob] + friends + operators, masternodes: zip(validators, operators).map { ($0, owner: $1) })
    }

    private var independent: User { validators[0].user }

    /// A service that judges bob by action 256 + kind (of item r0) and 270 + kind (of item r1), its friends by
    /// 300 + number, and draws a committee of three by 350 (and 351, another one).
    private mutating func deploy(_ name: String, validator: Account?, weight: Int64 = unit) throws -> Account {
        func verdict(_ user: User, _ kind: UInt32, _ post: String) -> [Step] {
            [
                .verdict(about: user.account.bytes, role: 1, kind: kind, weight: weight, post: post),
                .setResult(key: "r"),
            ]
        }
        var steps: [Step] = []
        for kind: UInt32 in 0..<6 {
            steps.append(.when(action: 256 + kind, verdict(bob, kind, "r0/v")))
            steps.append(.when(action: 270 + kind, verdict(bob, kind, "r1/v")))
        }
        for (number, friend) in friends.enumerated() {
            steps.append(.when(action: 300 + UInt32(number), verdict(friend, 0, "r0/v")))
        }
        steps.append(.when(action: 340, verdict(alice, 0, "r0/v")))
        steps.append(.when(action: 341, verdict(independent, 0, "r0/v")))
        for attempt: UInt64 in 0...1 {
            steps.append(.when(action: 350 + UInt32(attempt), [.raw(.draw_committee, [3, attempt, 65_536])]))
        }
        return try chain.deploy(name, owner: alice, validator: validator, [("action", steps)]).contract
    }

    private mutating func act(_ user: User, _ service: String, _ action: UInt16, after: UInt64 = 1_000) throws {
        #expect(try chain.send(user, service: service, ActionId(action), after: after).outcome == .succeeded)
    }

    private mutating func validate(_ user: User, _ service: String, _ post: String) throws {
        #expect(try chain.send(user, service: service, .commitmentTask, post: post).outcome == .succeeded)
    }

    private mutating func lock(_ user: User, _ amount: UInt128) throws {
        #expect(try chain.send(user, .lockMoney, value: amount).outcome == .succeeded)
        #expect(try chain.isConserved())
    }

    private func findings(_ user: User) -> [Finding] {
        (chain.history[user.account] ?? []).compactMap { if case .finding(let finding) = $0.content { finding } else { nil } }
    }

    private func reputation(_ user: User, _ role: Role = .edge) throws -> ReputationRecord? {
        try chain.state.values[.reputation(user.account, role)].map { try ReputationRecord(borsh: $0) }
    }

    private func result(_ contract: Account) -> UInt8? { chain.stored(contract, "r")?.first }

    // MARK: What counts

    @Test mutating func aVerdictCountsOnceForEachValidation() throws {
        let contract = try deploy("job", validator: independent.account)
        try lock(alice, 10_000_000)
        try chain.send(bob, service: "job", .applicationTask)
        // Nobody has validated anything.
        try act(alice, "job", 256)
        #expect(result(contract) == 2 && findings(bob).isEmpty)
        try validate(independent, "job", "r0/v")
        try act(alice, "job", 256)
        #expect(result(contract) == 0 && findings(bob).map(\.weight) == [1 << 20])
        #expect(try reputation(bob)?.positive == 1 << 20)
        // A thousand units of blame, or of praise, for the same validation: nothing, and no trace.
        for kind: UInt16 in 0..<6 { try act(alice, "job", 256 + kind) }
        #expect(result(contract) == 2 && findings(bob).count == 1)
        try validate(independent, "job", "r0/v")
        try act(alice, "job", 261)
        #expect(result(contract) == 2 && findings(bob).count == 1, "the same item again is no new validation")
        try validate(independent, "job", "r1/v")
        try act(alice, "job", 275)
        #expect(try reputation(bob)?.negative == 1 << 20)
        let views = try chain.ledger.reputation(bob.account, at: chain.time, state: chain.state)
        #expect(views.first?.score == (1 << 40) / ((1 << 20) + (4 << 20) + (64 << 20)))
        #expect(try chain.historiesAreComplete() && chain.isConserved())
    }

    @Test mutating func theWeightIsAtMostOneUnit() throws {
        _ = try deploy("job", validator: independent.account, weight: 1_000 * Self.unit)
        try lock(alice, 10_000_000_000)
        try chain.send(bob, service: "job", .applicationTask)
        try validate(independent, "job", "r0/v")
        try act(alice, "job", 261)
        #expect(try reputation(bob)?.negative == 1 << 20)
    }

    @Test mutating func onlyMembersAreJudged() throws {
        let contract = try deploy("job", validator: independent.account)
        try lock(alice, 10_000_000)
        try validate(independent, "job", "r0/v")
        let before = try chain.record(bob.account)
        for kind: UInt16 in 0..<6 { try act(alice, "job", 256 + kind) }
        #expect(try chain.record(bob.account) == before, "not a trace")
        // Who has left is judged no more; and it always can leave, whatever the contract says.
        try chain.send(bob, service: "job", .applicationTask)
        try chain.send(bob, service: "job", .releaseRelation)
        try act(alice, "job", 261)
        #expect(result(contract) == 2 && findings(bob).isEmpty)
        // It joins again: what was validated before is not about it.
        try chain.send(bob, service: "job", .applicationTask)
        try act(alice, "job", 261)
        #expect(result(contract) == 2 && findings(bob).isEmpty)
        try validate(independent, "job", "r1/v")
        try act(alice, "job", 270)
        #expect(result(contract) == 0)

        try chain.deploy(
            "prison", owner: alice, validator: independent.account,
            [("action", [.when(action: 7, [.fail("stay")]), .when(action: 256, [
                .verdict(about: bob.account.bytes, role: 1, kind: 5, weight: Self.unit, post: "r0/v"),
            ])])])
        try chain.send(bob, service: "prison", .applicationTask)
        #expect(try chain.send(bob, service: "prison", .releaseRelation).outcome == .failed("stay"))
        try validate(independent, "prison", "r0/v")
        try act(alice, "prison", 256)
        #expect(findings(bob).allSatisfy { $0.service.description == "job" })
    }

    @Test mutating func aDrawnCommitteeSpeaksByItsMajority() throws {
        let contract = try deploy("job", validator: nil)
        try lock(alice, 10_000_000)
        try chain.send(bob, service: "job", .applicationTask)
        try act(alice, "job", 350)
        let panel = try PanelRecord(borsh: try #require(chain.state.values[.panel(contract)]))
        #expect(panel.members.count == 3 && Set(panel.members).count == 3)
        let members = panel.members.compactMap { member in validators.first { $0.user.account == member }?.user }
        #expect(members.count == 3)
        let outsider = try #require(validators.first { !panel.members.contains($0.user.account) })
        try validate(members[0], "job", "r0/v")
        try validate(outsider.user, "job", "r0/v")
        try validate(members[0], "job", "r0/v")
        try act(alice, "job", 256)
        #expect(result(contract) == 2, "one of three, twice, is no majority")
        try validate(members[2], "job", "r0/v")
        try act(alice, "job", 256)
        #expect(result(contract) == 0)
        #expect(try reputation(bob)?.positive == 1 << 20)
        // Drawn anew, what the old one sent counts no more.
        try validate(members[0], "job", "r1/v")
        try act(alice, "job", 351)
        let other = try PanelRecord(borsh: try #require(chain.state.values[.panel(contract)]))
        #expect(other.members != panel.members && other.recent.isEmpty && other.number == panel.number + 2)
        try act(alice, "job", 270)
        #expect(result(contract) == 2)
    }

    // MARK: The owner's tricks

    /// An owner with ten accounts, money, and any contract: P = 0 for its friends, N = 0 for the honest worker,
    /// nothing in the histories of strangers.
    @Test mutating func anOwnerWithTenAccountsGainsNothing() throws {
        try lock(alice, 100_000_000)
        for friend in friends { try lock(friend, 1_000_000) }
        for (name, validator) in [
            ("none", nil), ("self", alice.account), ("friend", friends[9].account), ("stranger", bob.account),
        ] as [(String, Account?)] {
            let contract = try deploy(name, validator: validator)
            for user in friends + [bob] { try chain.send(user, service: name, .applicationTask) }
            // Everybody whom it has says that all is well.
            for user in friends + [alice] { try validate(user, name, "r0/v") }
            for number: UInt16 in 0..<10 { try act(alice, name, 300 + number) }
            #expect(result(contract) == 2)
            for kind: UInt16 in 0..<6 { try act(alice, name, 256 + kind) }
            try act(alice, name, 340)
            #expect(result(contract) == 2)
        }
        for user in friends + [alice, bob] {
            #expect(findings(user).isEmpty)
            for role in Role.allCases { #expect(try reputation(user, role) == nil) }
        }

        // A masternode of its own is no other party: not as validator, not in a committee.
        let own = operators[0]
        let code: [(name: String, steps: [Step])] = [
            ("action", [
                .when(action: 300, [
                    .verdict(about: friends[0].account.bytes, role: 1, kind: 0, weight: Self.unit, post: "r0/v"),
                    .setResult(key: "r"),
                ]),
                .when(action: 350, [.raw(.draw_committee, [3, 0, 65_536])]),
                .when(action: 351, [.raw(.draw_committee, [4, 0, 65_536]), .setResult(key: "r")]),
            ])
        ]
        let contract = try chain.deploy("own", owner: own, validator: validators[0].user.account, code).contract
        try lock(own, 10_000_000)
        try chain.send(friends[0], service: "own", .applicationTask)
        try validate(validators[0].user, "own", "r0/v")
        try act(own, "own", 300)
        #expect(result(contract) == 2)
        try act(own, "own", 350)
        let panel = try PanelRecord(borsh: try #require(chain.state.values[.panel(contract)]))
        #expect(panel.members.count == 3 && !panel.members.contains(validators[0].user.account))
        try act(own, "own", 351)
        #expect(result(contract) == 0, "of four masternodes three are not its own")
        #expect(findings(friends[0]).isEmpty)
    }

    /// The key of a masternode owns a service and names itself as its validator. The node is somebody else's; its word is
    /// the owner's own all the same.
    @Test mutating func anOwnersOwnKeyIsNoOtherParty() throws {
        let owner = independent
        chain = try TestChain(
            [bob, owner] + operators, masternodes: zip(validators, operators).map { ($0, owner: $1) })
        let judging: [Step] = [
            .verdict(about: bob.account.bytes, role: 1, kind: 0, weight: Self.unit, post: "r0/v"), .setResult(key: "r"),
        ]
        let contract = try chain.deploy(
            "own", owner: owner, validator: owner.account, [("action", [.when(action: 256, judging)])]).contract
        try lock(owner, 10_000_000)
        try chain.send(bob, service: "own", .applicationTask)
        try validate(owner, "own", "r0/v")
        try act(owner, "own", 256)
        #expect(result(contract) == 2 && findings(bob).isEmpty)
    }

    /// The validator knew the contract that asked it; the owner exchanges that for one that says whatever he likes.
    @Test mutating func newCodeDoesNotSpeakWithOldValidations() throws {
        let contract = try deploy("job", validator: independent.account)
        try lock(alice, 100_000_000)
        for user in friends + [bob] { try chain.send(user, service: "job", .applicationTask) }
        for round in 0..<4 { try validate(independent, "job", "r\(round)/v") }
        let steps: [Step] = (0..<4).flatMap { (round: Int) -> [Step] in
            friends.prefix(1).map { Step.verdict(about: $0.account.bytes, role: 1, kind: 0, weight: Self.unit, post: "r\(round)/v") }
                + [.verdict(about: bob.account.bytes, role: 1, kind: 5, weight: Self.unit, post: "r\(round)/v")]
        }
        let code = WasmAssembler.module([("action", steps), ("upgrade", [])])
        #expect(try chain.send(bob, .uploadContract, data: code, gas: 20_000_000).outcome == .succeeded)
        func upgrade(_ step: UpgradeStep, after: UInt64) throws {
            let data = UpgradeService(service: try #require(ServiceId("job")), step: step).borsh
            #expect(try chain.send(alice, .upgradeService, data: data, gas: 20_000_000, after: after).outcome == .succeeded)
        }
        let hash = Digest(sha256: code)
        try upgrade(.announce(codeHash: hash), after: 1_000)
        try upgrade(.apply(codeHash: hash, data: []), after: chain.ledger.genesis.parameters.serviceNoticeMs + 1_000)
        try act(alice, "job", 256)
        for user in friends + [bob] {
            #expect(findings(user).isEmpty)
            #expect(try reputation(user) == nil)
        }
        let panel = try PanelRecord(borsh: try #require(chain.state.values[.panel(contract)]))
        #expect(panel.recent.isEmpty && panel.number == 4)
    }

    @Test mutating func favourableVerdictsAboutTheOwnerAndItsJudgesWeighNothing() throws {
        let contract = try deploy("job", validator: independent.account)
        try lock(alice, 10_000_000)
        for user in [alice, independent] { try chain.send(user, service: "job", .applicationTask) }
        try validate(independent, "job", "r0/v")
        try act(alice, "job", 340)
        #expect(result(contract) == 1 && findings(alice).map(\.note) == ["the owner's own work for itself"])
        try act(alice, "job", 341)
        #expect(result(contract) == 1 && findings(independent).map(\.note) == ["the validator's own result: nobody matched it"])
    }

    // MARK: The budget

    @Test mutating func moneyThatComesBackBuysNothing() throws {
        let contract = try deploy("job", validator: independent.account)
        try chain.send(bob, service: "job", .applicationTask)
        try validate(independent, "job", "r0/v")
        // Money in the contract, or on the owner's account, is not locked.
        try chain.send(alice, service: "job", .paymentRequester, value: 50_000_000)
        try act(alice, "job", 256)
        #expect(result(contract) == 1 && findings(bob).map(\.note) == ["the owner's verdict budget is used up"])
        #expect(try reputation(bob) == nil)
        // Half a verdict's worth of money gives no whole one.
        try lock(alice, 999_999)
        try validate(independent, "job", "r1/v")
        try act(alice, "job", 270)
        #expect(result(contract) == 1)
    }

    @Test mutating func theBudgetIsTheOwnersForAllItsServices() throws {
        let first = try deploy("first", validator: independent.account)
        let second = try deploy("second", validator: independent.account)
        try lock(alice, 1_500_000)
        for service in ["first", "second"] {
            try chain.send(bob, service: service, .applicationTask)
            try validate(independent, service, "r0/v")
            try act(alice, service, 256)
        }
        #expect(result(first) == 0 && result(second) == 1)
        #expect(try reputation(bob)?.positive == 1 << 20)
        // The next period of the lock brings a new budget.
        try validate(independent, "second", "r1/v")
        try act(alice, "second", 270, after: chain.ledger.genesis.parameters.decayPeriodMs)
        #expect(result(second) == 0)
    }

    @Test mutating func lockedMoneyIsLockedForWholePeriodsAndCountsOnce() throws {
        let period = chain.ledger.genesis.parameters.decayPeriodMs
        let before = try chain.balance(alice.account)
        try lock(alice, 2_000_000)
        #expect(try chain.balance(alice.account) == before - 2_000_000 && chain.record(alice.account).locked == 2_000_000)
        // What is added counts from the next period on.
        try lock(alice, 1_000_000)
        func stored() throws -> OwnerLock? { try chain.state.values[.ownerLock(alice.account)].map { try OwnerLock(borsh: $0) } }
        #expect(try stored()?.amount == 2_000_000 && stored()?.added == 1_000_000)
        // Asked back, it stays to the end of the period.
        let all = UnlockMoney(amount: 3_000_000).borsh
        let more = try chain.send(alice, .unlockMoney, data: UnlockMoney(amount: 3_000_001).borsh).outcome.failure
        #expect(more?.contains("has 3000000 locked, of which 0 are asked back") == true)
        #expect(try chain.send(alice, .unlockMoney, data: all).outcome == .succeeded)
        #expect(try chain.send(alice, .unlockMoney, data: UnlockMoney(amount: 1).borsh).outcome.failure?.contains("3000000 are asked") == true)
        #expect(try chain.balance(alice.account) == before - 3_000_000)
        #expect(try chain.send(alice, .unlockMoney, data: UnlockMoney(amount: 0).borsh, after: period).outcome == .succeeded)
        #expect(try chain.balance(alice.account) == before && stored() == nil && chain.record(alice.account).locked == 0)
        #expect(try chain.isConserved())
        // Bad input: each a clean failure. Nothing locked, nothing to ask back: it succeeded once.
        for amount: UInt128 in [0, 1] {
            let outcome = try chain.send(alice, .unlockMoney, data: UnlockMoney(amount: amount).borsh).outcome
            #expect(outcome.failure?.contains("has locked nothing") == true)
        }
        #expect(try chain.send(alice, .lockMoney).outcome.failure?.contains("needs a value") == true)
        #expect(try chain.send(alice, .lockMoney, data: [0], value: 1_000_000).outcome.failure?.contains("no data") == true)
        #expect(try chain.send(alice, .lockMoney, value: 1 << 100).outcome.failure?.contains("too small") == true)
        #expect(try chain.send(alice, .unlockMoney, data: all, value: 1).outcome.failure != nil)
        #expect(try chain.isConserved())
    }

    /// Memberships, histories and counters are each account's; the panel and the owner's money are met once in a call.
    @Test mutating func aVerdictPaysForAllThatItMayTouch() throws {
        let verdicts = friends.map { Step.verdict(about: $0.account.bytes, role: 1, kind: 0, weight: 1, post: "r0/v") }
        let steps = (0...3).map { Step.when(action: 256 + UInt32($0), Array(verdicts.prefix($0))) }
        try chain.deploy("job", owner: alice, validator: nil, [("action", steps)])
        var gas: [UInt64] = []
        for action: UInt16 in 256...259 {
            let receipt = try chain.send(bob, service: "job", ActionId(action))
            #expect(receipt.outcome == .succeeded)
            gas.append(receipt.gasUsed)
        }
        let parameters = chain.ledger.genesis.parameters
        let each = parameters.storageGas(reads: 1, writes: 3, bytes: HostGas.verdictBytes)
        let first = gas[1] - gas[0], second = gas[2] - gas[1], third = gas[3] - gas[2]
        #expect(second == third && second - each < 3 * HostGas.knownAccess + 500)
        #expect(first - second == parameters.storageGas(reads: 1, writes: 2) - 3 * HostGas.knownAccess)
    }

    @Test mutating func aFailingCallTakesItsFindingsBack() throws {
        let contract = try chain.deploy(
            "job", owner: alice, validator: independent.account,
            [("action", [.when(action: 256, [
                .verdict(about: bob.account.bytes, role: 1, kind: 0, weight: 1, post: "r0/v"), .trap,
            ])])]).contract
        try lock(alice, 10_000_000)
        try chain.send(bob, service: "job", .applicationTask)
        try validate(independent, "job", "r0/v")
        let before = try (chain.record(bob.account), chain.state.values[.membership(contract, bob.account)])
        #expect(try chain.send(alice, service: "job", ActionId(256)).outcome.failure != nil)
        #expect(try chain.record(bob.account) == before.0 && chain.state.values[.membership(contract, bob.account)] == before.1)
        #expect(try findings(bob).isEmpty && chain.historiesAreComplete())
        for (number, bad) in ([(5, 0, 1), (0, 6, 1), (0, 0, -1)] as [(UInt32, UInt32, Int64)]).enumerated() {
            try chain.deploy(
                "bad\(number)", owner: alice,
                [("action", [.verdict(about: bob.account.bytes, role: bad.0, kind: bad.1, weight: bad.2, post: "")])])
            #expect(try chain.send(alice, service: "bad\(number)", ActionId(256)).outcome.failure != nil)
        }
        #expect(try chain.record(bob.account) == before.0)
    }
}
