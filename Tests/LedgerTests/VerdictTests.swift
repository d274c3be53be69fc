import Cryptography
import Encoding
import Ledger
import Primitives
import Testing

@Suite struct VerdictTests {
    private static let unit: Int64 = 1 << 20
    private let alice: User, bob: User, victor: User
    private var chain: TestChain

    init() throws {
        alice = try User("alice")
        bob = try User("bob")
        victor = try User("victor")
        chain = try TestChain([alice, bob, victor])
    }

    /// A service that judges bob as an edge, and victor as the cloud, by action 256 + kind and 300 + kind.
    private mutating func deploy(_ name: String, validator: Account?, deposit: UInt128 = 10_000_000, weight: Int64 = unit)
        throws -> Account
    {
        let steps = (0..<6 as Range<UInt32>).flatMap { kind in
            [
                Step.when(
                    action: 256 + kind,
                    [.verdict(about: bob.account.bytes, role: 1, kind: kind, weight: weight), .setResult(key: "r")]),
                .when(
                    action: 300 + kind,
                    [.verdict(about: victor.account.bytes, role: 0, kind: kind, weight: weight), .setResult(key: "r")]),
            ]
        }
        return try chain.deploy(
            name, owner: alice, validator: validator, deposit: deposit, [("action", steps)]
        ).contract
    }

    private mutating func judge(_ service: String, _ action: UInt16, after: UInt64 = 1_000) throws {
        #expect(try chain.send(alice, service: service, ActionId(action), after: after).outcome == .succeeded)
    }

    private func lastFinding(_ user: User) throws -> Finding {
        for entry in (chain.history[user.account] ?? []).reversed() {
            if case .finding(let finding) = entry.content { return finding }
        }
        throw BlockIsInvalid()
    }

    private func reputation(_ user: User, _ role: Role) throws -> ReputationRecord? {
        try chain.state.values[.reputation(user.account, role)].map { try ReputationRecord(borsh: $0) }
    }

    @Test mutating func aVerdictCountsForAMember() throws {
        let contract = try deploy("job", validator: victor.account)
        try judge("job", 256)
        #expect(try lastFinding(bob).note == "the account did not join the service")
        #expect(chain.stored(contract, "r")?.first == 1)
        #expect(try reputation(bob, .edge) == nil)

        try chain.send(bob, service: "job", .applicationTask)
        try judge("job", 256)
        #expect(chain.stored(contract, "r")?.first == 0)
        let finding = try lastFinding(bob)
        #expect(finding.kind == .accepted && finding.weight == 1 << 20 && finding.note.isEmpty && finding.role == .edge)
        #expect(try reputation(bob, .edge)?.positive == 1 << 20)
        // Audited: twice as much. Not revealed: against it.
        try judge("job", 257)
        try judge("job", 261)
        #expect(try reputation(bob, .edge)?.positive == 3 << 20)
        #expect(try reputation(bob, .edge)?.negative == 1 << 20)
        let views = try chain.ledger.reputation(bob.account, at: chain.time, state: chain.state)
        #expect(views.map(\.role) == [.edge])
        #expect(views.first?.score == (3 << 40) / ((3 << 20) + (4 << 20) + (64 << 20)))
        #expect(try chain.historiesAreComplete())
    }

    @Test mutating func withoutAnIndependentValidatorNothingCounts() throws {
        for (name, validator) in [("a", nil), ("b", alice.account)] as [(String, Account?)] {
            let contract = try deploy(name, validator: validator)
            try chain.send(bob, service: name, .applicationTask)
            try judge(name, 256)
            #expect(try lastFinding(bob).note == "no validator outside the owner's control")
            #expect(try lastFinding(bob).weight == 0 && chain.stored(contract, "r")?.first == 1)
        }
        #expect(try reputation(bob, .edge) == nil)
    }

    @Test mutating func nobodyMatchesTheValidatorsOwnResult() throws {
        _ = try deploy("job", validator: victor.account)
        try chain.send(victor, service: "job", .applicationTask)
        try judge("job", 300)
        #expect(try lastFinding(victor).note.hasPrefix("the validator's own result"))
        #expect(try reputation(victor, .cloud) == nil)
        // What it failed to do counts.
        try judge("job", 303)
        #expect(try reputation(victor, .cloud)?.negative == 1 << 18)
    }

    @Test mutating func theDepositBoundsEachPeriod() throws {
        // 2.5 deposits: two units of weight a period.
        _ = try deploy("job", validator: victor.account, deposit: 2_500_000, weight: 3 << 19)
        try chain.send(bob, service: "job", .applicationTask)
        // Into a fresh period, so that the test doesn't cross a border.
        let period = chain.ledger.genesis.parameters.decayPeriodMs
        try judge("job", 256, after: period - chain.time.value % period)
        #expect(try lastFinding(bob).weight == 3 << 19)
        try judge("job", 256)
        #expect(try lastFinding(bob).weight == 1 << 19)
        try judge("job", 256)
        #expect(try lastFinding(bob).weight == 0)
        #expect(try lastFinding(bob).note == "the service's verdict budget is used up")
        try judge("job", 256, after: period)
        #expect(try lastFinding(bob).weight == 3 << 19)
    }

    @Test mutating func aFailingCallTakesItsFindingsBack() throws {
        try chain.deploy(
            "job", owner: alice, validator: victor.account, deposit: 10_000_000,
            [("action", [.verdict(about: bob.account.bytes, role: 1, kind: 0, weight: 1), .when(action: 256, [.trap])])])
        let before = try chain.record(bob.account)
        let receipt = try chain.send(alice, service: "job", ActionId(256))
        #expect(receipt.outcome.failure != nil)
        #expect(try chain.record(bob.account) == before)
        for bad in [(5, 0, 1), (0, 6, 1), (0, 0, -1)] as [(UInt32, UInt32, Int64)] {
            let name = "bad\(bad.0)\(bad.1)"
            try chain.deploy(
                name + "\(bad.2)", owner: alice,
                [("action", [.verdict(about: bob.account.bytes, role: bad.0, kind: bad.1, weight: bad.2)])])
            #expect(try chain.send(alice, service: name + "\(bad.2)", ActionId(256)).outcome.failure != nil)
        }
        #expect(try chain.record(bob.account) == before)
    }
}
