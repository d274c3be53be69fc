import Cryptography
import Encoding
import Ledger
import Primitives
import Testing

/// Keys of the state lock a deposit of whoever makes them exist, and give it back when they go.
@Suite(.timeLimit(.minutes(20))) struct DepositTests {
    private let alice: User, bob: User
    private var chain: TestChain
    private var parameters: Parameters { chain.ledger.genesis.parameters }

    init() throws {
        alice = try User("alice")
        bob = try User("bob")
        chain = try TestChain([alice, bob], deposits: true)
    }

    @Test mutating func aNewAccountLocksItsDepositOutOfItsFirstMoney() throws {
        let carol = try User("carol")
        let data = Transfer(recipient: carol.account).borsh
        let deposit = parameters.accountDeposit
        let refused = try chain.send(alice, .transfer, data: data, value: deposit - 1)
        #expect(refused.outcome.failure?.contains("send at least that") == true)
        #expect(chain.state.values[.account(carol.account)] == nil)
        #expect(try chain.send(alice, .transfer, data: data, value: deposit + 5).outcome == .succeeded)
        #expect(try chain.record(carol.account).balance == 5 && chain.record(carol.account).deposit == deposit)
        // The next money is all hers.
        #expect(try chain.send(alice, .transfer, data: data, value: 7).outcome == .succeeded)
        #expect(try chain.balance(carol.account) == 12)
        // Money that is locked for state can't be spent.
        let own = try chain.send(bob, .transfer, data: Transfer(recipient: alice.account).borsh, value: .max)
        #expect(own.outcome.failure != nil)
    }

    @Test mutating func aContractLocksWhatItStoresAndGetsItBack() throws {
        let key = try #require(Array("k".utf8) as [UInt8]?)
        let (contract, receipt) = try chain.deploy(
            "s", owner: alice, deposit: 3_000_000,
            [
                (
                    "action",
                    [
                        .when(action: 256, [.set(key: "k", value: [1, 2, 3])]),
                        .when(action: 257, [.set(key: "k", value: [1])]),
                        .when(action: 258, [.remove(key: "k")]),
                        .when(action: 259, [.set(key: "k", value: Array(repeating: 1, count: 30_000))]),
                        .when(action: 260, [.set(key: "k", value: [1]), .trap]),
                    ]
                )
            ])
        #expect(receipt.outcome == .succeeded)
        func price(_ bytes: Int) -> UInt128 { parameters.deposit(keyBytes: 33 + key.count, valueBytes: bytes) }
        for (action, held) in [(256, price(3)), (257, price(1)), (258, 0), (260, 0), (256, price(3))] as [(UInt16, UInt128)] {
            _ = try chain.send(bob, service: "s", ActionId(action))
            #expect(try chain.record(contract).deposit == held)
            #expect(try chain.record(contract).balance == 3_000_000 - held)
        }
        // More than its balance: refused, and nothing stays of it.
        let over = try chain.send(bob, service: "s", ActionId(259))
        #expect(over.outcome.failure?.contains("does not cover the deposit") == true)
        #expect(chain.stored(contract, "k") == [1, 2, 3])
    }

    @Test mutating func codeAndNamesLockADepositOfTheirSender() throws {
        let code = WasmAssembler.module([("action", [])])
        #expect(try chain.send(alice, .uploadContract, data: code).outcome == .succeeded)
        let held = parameters.codeDeposit(codeBytes: code.count)
        #expect(try chain.record(alice.account).deposit == held)
        // The same code again is there already, and costs nobody anything more.
        #expect(try chain.send(bob, .uploadContract, data: code).outcome == .succeeded)
        #expect(try chain.record(bob.account).deposit == 0)
        let data = RegisterService(
            service: try #require(ServiceId("s")), codeHash: Digest(sha256: code), kind: "contract", validator: nil, initData: [])
        #expect(try chain.send(alice, .registerService, data: data.borsh).outcome == .succeeded)
        #expect(try chain.record(alice.account).deposit == held + parameters.serviceDeposit)
    }

    @Test mutating func codeGoesWhenNoServiceUsesItAndItsDepositReturns() throws {
        let code = WasmAssembler.module([("action", [])])
        let hash = Digest(sha256: code)
        let removal = RemoveContract(codeHash: hash).borsh
        let absent = try chain.send(alice, .removeContract, data: removal)
        #expect(absent.outcome.failure?.contains("is uploaded") == true)
        #expect(try chain.send(alice, .uploadContract, data: code).outcome == .succeeded)
        // Not by somebody else.
        #expect(try chain.send(bob, .removeContract, data: removal).outcome.failure?.contains("who alone") == true)
        let balance = try chain.balance(alice.account)
        let held = try chain.record(alice.account).deposit
        #expect(held > 0)
        #expect(try chain.send(alice, .removeContract, data: removal).outcome == .succeeded)
        #expect(chain.state.values[.code(hash)] == nil && chain.state.values[.codeRecord(hash)] == nil)
        #expect(try chain.balance(alice.account) == balance + held && chain.record(alice.account).deposit == 0)
        // A service can't have what is gone, and what comes again is whoever's that brings it.
        let data = RegisterService(
            service: try #require(ServiceId("s")), codeHash: hash, kind: "contract", validator: nil, initData: [])
        #expect(try chain.send(alice, .registerService, data: data.borsh).outcome.failure?.contains("is uploaded") == true)
        #expect(try chain.send(bob, .uploadContract, data: code).outcome == .succeeded)
        #expect(try chain.send(alice, .registerService, data: data.borsh).outcome == .succeeded)
        // Nobody takes it away under a service.
        let used = try chain.send(bob, .removeContract, data: removal)
        #expect(used.outcome.failure?.contains("a service uses this code") == true)
        #expect(try chain.send(alice, service: "s", ActionId(256)).outcome == .succeeded)
        // A registration that failed uses nothing.
        let twice = try chain.send(bob, .registerService, data: data.borsh)
        #expect(twice.outcome.failure?.contains("is taken") == true)
        #expect(try CodeRecord(borsh: try #require(chain.state.values[.codeRecord(hash)])).services == 1)
    }

    /// What a hundredth of the money can make of the state, whatever it tries.
    @Test mutating func emptyAccountsAreNotFree() throws {
        let pennies = try (0..<20).map { try User("penny \($0)") }
        let (contract, _) = try chain.deploy(
            "maker", owner: alice, deposit: 10 * parameters.accountDeposit + 9,
            [("action", pennies.map { .transfer(to: $0.account.bytes, amount: 1) })])
        #expect(try chain.send(bob, service: "maker", ActionId(256)).outcome == .succeeded)
        for penny in pennies { #expect(chain.state.values[.account(penny.account)] == nil) }
        #expect(try chain.balance(contract) == 10 * parameters.accountDeposit + 9)
    }
}

/// Credits can be moved and lost, never made (architecture, section 4).
@Suite(.timeLimit(.minutes(20))) struct CreditBoundTests {
    /// One unit, or all of it, walks through new accounts: nobody has more than before.
    @Test func moneyThatWalksBringsNoCredits() throws {
        let users = try (0..<6).map { try User("walker \($0)") }
        var chain = try TestChain([users[0]], balance: 400_000_000_000)
        let before = try chain.totalCredits()
        var amount: UInt128 = 400_000_000_000
        for (from, to) in zip(users, users.dropFirst()) {
            // All but what the next step needs to be sent at all.
            let kept: UInt128 = 80_000_000
            amount -= kept
            let receipt = try chain.send(from, .transfer, data: Transfer(recipient: to.account).borsh, value: amount)
            #expect(receipt.outcome == .succeeded)
            #expect(try chain.ledger.account(to.account, at: chain.time, state: chain.state)?.credits == 0)
            #expect(try chain.totalCredits() <= before)
            // The next one waits until it has grown some.
            try chain.run(after: 60_000)
        }
    }

    /// Random transfers between many accounts, with time passing: the sum of what all could spend stays below the
    /// supply's part at every instant.
    @Test(arguments: [1, 2, 3] as [UInt64]) func allCreditsAreBoundedByTheSupply(seed: UInt64) throws {
        var random = SplitMix64(seed: seed)
        let users = try (0..<12).map { try User("user \($0)") }
        var chain = try TestChain(Array(users.prefix(3)), balance: 90_000_000_000)
        let parameters = chain.ledger.genesis.parameters
        let gas = parameters.intrinsicGas(dataBytes: 32) + parameters.storageGas(writes: 1) + 10_000
        var moved = 0
        for _ in 0..<60 {
            let from = users[Int.random(in: 0..<users.count, using: &random)]
            let to = users[Int.random(in: 0..<users.count, using: &random)]
            let balance = try chain.balance(from.account)
            let value = balance / UInt128(UInt64.random(in: 1...4, using: &random))
            let signed = try chain.transaction(
                from, .transfer, data: Transfer(recipient: to.account).borsh, value: value, gas: gas)
            if case .admitted = try chain.ledger.admit(signed, state: chain.state, time: chain.time) {
                try chain.run([signed], after: 1)
                moved += 1
            }
            // The helper checks the bound after every block, too.
            try chain.run(after: UInt64.random(in: 1...200_000, using: &random))
            #expect(try chain.totalCredits() <= chain.mostCredits(), "seed \(seed)")
        }
        #expect(moved > 15, "seed \(seed)")
    }

    /// What waiting calls were paid lies in no account. Money that goes from contract to contract, and grows credits anew for
    /// each, can pile up more than it could hold at once; each call locks a deposit, so the supply bounds that too. Back in
    /// an account, it is within the account's capacity again.
    @Test(arguments: [1, 4]) func creditsInWaitingCallsAreBoundedByTheirDeposits(services: Int) throws {
        let alice = try User("alice")
        let money: UInt128 = 4_000_000_000
        var terms = Parameters()
        terms.scheduledGasPerCall = 30_000_000
        var chain = try TestChain([alice], balance: money, parameters: terms, deposits: true)
        let parameters = chain.ledger.genesis.parameters
        let calls = 8
        let due = chain.time.value + UInt64(services + 1) * 2 * parameters.creditWindowMs
        let price = parameters.deposit(keyBytes: 9, valueBytes: 8 + 128)
        func waiting() throws -> UInt128 {
            try chain.state.values.reduce(0) { sum, entry in
                guard entry.key.bytes.first == UInt8(ascii: "t") else { return sum }
                return sum + UInt128(try ScheduledCall(borsh: entry.value).gas)
            }
        }

        var contracts: [Account] = []
        for index in 0..<services {
            try chain.run(after: parameters.creditWindowMs)
            let (contract, receipt) = try chain.deploy(
                "s\(index)", owner: alice, deposit: 2_400_000_000,
                [
                    (
                        "action",
                        [
                            .when(action: 256, Array(repeating: .scheduleInputTime(entry: 1), count: calls)),
                            .when(action: 257, [.transfer(to: alice.account.bytes, amount: 2_300_000_000)]),
                        ]
                    ),
                    ("scheduled", []),
                ])
            #expect(receipt.outcome == .succeeded)
            contracts.append(contract)
            #expect(try chain.send(alice, service: "s\(index)", ActionId(256), data: due.borsh, gas: 20_000_000).outcome == .succeeded)
            #expect(try chain.send(alice, service: "s\(index)", ActionId(257)).outcome == .succeeded)
            #expect(try waiting() == UInt128(index + 1) * UInt128(calls) * UInt128(parameters.scheduledGasPerCall))
            #expect(try chain.record(contract).deposit == UInt128(calls) * price)
        }
        let locked = try contracts.reduce(UInt128(0)) { try $0 + chain.record($1).deposit }
        #expect(try waiting() == locked / price * UInt128(parameters.scheduledGasPerCall))
        // One service alone stays below what the money can hold at once; four are beyond it.
        let most = UInt128(Credits(parameters).capacity(stake: money))
        #expect(try waiting() > most || services == 1)

        try chain.run(after: due - chain.time.value)
        for _ in 0..<services where try waiting() > 0 { try chain.run() }
        #expect(try waiting() == 0)
        // What came back is no more than what is left of the money there can hold; the deposits are free.
        for contract in contracts {
            let record = try chain.record(contract)
            #expect(record.credits <= Credits(parameters).capacity(stake: record.stake) && record.deposit == 0)
        }
        #expect(try chain.totalCredits() <= chain.mostCredits())
    }

    @Test func whatWasReservedBeyondTheUseIsHalfPaid() throws {
        let alice = try User("alice")
        var chain = try TestChain([alice])
        let record = try chain.record(alice.account)
        let signed = try chain.transaction(alice, service: "s", .distributeTask, gas: 40_000_000)
        let receipt = try #require(try chain.run([signed], after: 1).receipts.first)
        let used = receipt.gasUsed
        let after = try chain.record(alice.account)
        let bytes = UInt64(signed.borsh.count) * chain.ledger.genesis.parameters.creditsPerTransactionByte
        #expect(used < 200_000)
        #expect(record.credits - after.credits == bytes + used + (40_000_000 - used) / 2)
    }

    @Test func fundingAServiceBringsItsCreditsAlong() throws {
        let alice = try User("alice")
        var chain = try TestChain([alice])
        let all = try chain.totalCredits()
        let (contract, _) = try chain.deploy("s", owner: alice, deposit: 500_000_000_000, [("action", [])])
        let view = try #require(try chain.ledger.account(contract, at: chain.time, state: chain.state))
        #expect(view.credits > view.capacity / 2 && view.credits <= view.capacity)
        #expect(try chain.totalCredits() < all)
        // Not by a plain transfer.
        let other = try chain.deploy("t", owner: alice, [("action", [])]).contract
        #expect(
            try chain.send(alice, .transfer, data: Transfer(recipient: other).borsh, value: 1_000_000_000).outcome == .succeeded)
        #expect(try chain.ledger.account(other, at: chain.time, state: chain.state)?.credits == 0)
    }
}

/// A node stops rather than go on with money that was made or lost.
@Suite(.timeLimit(.minutes(20))) struct ConservationTests {
    @Test func aBlockThatWouldMakeMoneyStopsTheNode() throws {
        let alice = try User("alice")
        var rules = LedgerRules()
        rules.makesMoney = 3
        let chain = try TestChain([alice])
        let faulty = Ledger(genesis: chain.ledger.genesis, verifier: Ed25519Verifier(), rules: rules)
        let block = chain.block([])
        _ = try chain.ledger.execute(block, state: chain.state)
        #expect(throws: LedgerError.notConserved(Height(1), made: 3, supply: 0)) {
            try faulty.execute(block, state: chain.state)
        }
    }
}
