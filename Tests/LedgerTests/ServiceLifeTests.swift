import Cryptography
import Encoding
import Ledger
import Primitives
import Testing

/// Upgrades, hand-overs and ends of services, and what hostile owners, heirs and members make of them. That money is
/// neither made nor lost is checked after every block of the test chain.
@Suite(.timeLimit(.minutes(20))) struct ServiceLifeTests {
    private static let day: UInt64 = 86_400_000
    private let alice: User
    private let bob: User
    private let carol: User
    private var chain: TestChain

    init() throws {
        alice = try User("alice")
        bob = try User("bob")
        carol = try User("carol")
        var parameters = Parameters()
        parameters.balancePerCredit = 1
        chain = try TestChain([alice, bob, carol], parameters: parameters, deposits: true)
    }

    private static let first: [(name: String, steps: [Step])] = [
        ("action", [.set(key: "version", value: [1])]), ("query", [.replyStored(key: "version")]),
    ]
    private static let second: [(name: String, steps: [Step])] = [
        ("action", [.set(key: "version", value: [2])]), ("query", [.replyStored(key: "version")]),
        ("upgrade", [.setInput(key: "migrated"), .setContext(key: "context"), .when(action: 0, [])]),
    ]

    private mutating func upload(_ entries: [(name: String, steps: [Step])]) throws -> Digest {
        let code = WasmAssembler.module(entries)
        #expect(try chain.send(bob, .uploadContract, data: code, gas: 20_000_000).outcome == .succeeded)
        return Digest(sha256: code)
    }

    private func record(_ name: String = "s") throws -> ServiceRecord {
        let service = try #require(ServiceId(name))
        return try #require(try chain.ledger.service(service, state: chain.state))
    }

    private mutating func upgrade(_ user: User, _ step: UpgradeStep, after milliseconds: UInt64 = 1_000) throws -> Outcome {
        let data = UpgradeService(service: try #require(ServiceId("s")), step: step).borsh
        return try chain.send(user, .upgradeService, data: data, gas: 20_000_000, after: milliseconds).outcome
    }

    private mutating func transfer(_ user: User, _ step: TransferStep) throws -> Outcome {
        let data = TransferService(service: try #require(ServiceId("s")), step: step).borsh
        return try chain.send(user, .transferService, data: data).outcome
    }

    private mutating func accept(_ user: User) throws -> Outcome { try transfer(user, .accept(record: try record().digest)) }

    private mutating func retire(_ user: User, _ step: RetireStep, after milliseconds: UInt64 = 1_000) throws -> Outcome {
        let data = RetireService(service: try #require(ServiceId("s")), step: step).borsh
        return try chain.send(user, .retireService, data: data, gas: 20_000_000, after: milliseconds).outcome
    }

    // MARK: Upgrade

    @Test mutating func codeChangesAfterItsNoticeAndNeverBefore() throws {
        let (contract, _) = try chain.deploy("s", owner: alice, deposit: 100_000_000, Self.first)
        let new = try upload(Self.second)
        #expect(try chain.send(bob, service: "s", ActionId(256)).outcome == .succeeded)
        #expect(try upgrade(alice, .apply(codeHash: new, data: [])).failure?.contains("was not announced") == true)
        #expect(try upgrade(bob, .announce(codeHash: new)).failure?.contains("belongs to") == true)
        #expect(try upgrade(alice, .announce(codeHash: .zero)).failure?.contains("no contract with hash") == true)
        let old = try record().codeHash
        #expect(try upgrade(alice, .announce(codeHash: old)).failure?.contains("already") == true)
        #expect(try upgrade(alice, .announce(codeHash: new)) == .succeeded)
        let notice = try #require(try record().notice)
        #expect(notice.change == .upgrade(codeHash: new) && notice.from == chain.time.advanced(by: Self.day))
        #expect(try upgrade(alice, .apply(codeHash: new, data: [])).failure?.contains("can happen from") == true)
        #expect(try chain.send(bob, service: "s", ActionId(256)).outcome == .succeeded)
        #expect(chain.stored(contract, "version") == [1])

        // Whoever announces again begins again.
        #expect(try upgrade(alice, .announce(codeHash: new), after: Self.day / 2) == .succeeded)
        #expect(try upgrade(alice, .apply(codeHash: new, data: []), after: Self.day / 2 + 5_000).failure?.contains("from") == true)
        #expect(try upgrade(bob, .apply(codeHash: new, data: []), after: Self.day).failure?.contains("belongs to") == true)
        #expect(try upgrade(alice, .apply(codeHash: new, data: [7, 8])) == .succeeded)
        #expect(try record().codeHash == new && record().notice == nil && record().contract == contract)
        // What was stored stays, and the new code saw the data, its kind and who did it.
        #expect(chain.stored(contract, "version") == [1] && chain.stored(contract, "migrated") == [7, 8])
        let context = try #require(chain.stored(contract, "context"))
        #expect(context[144] == 5 && Array(context[32..<64]) == alice.account.bytes)
        #expect(try chain.send(bob, service: "s", ActionId(256)).outcome == .succeeded)
        #expect(chain.stored(contract, "version") == [2])
    }

    @Test mutating func aNoticeRunsOutAndCanBeTakenBack() throws {
        try chain.deploy("s", owner: alice, Self.first)
        let new = try upload(Self.first + [("upgrade", [])])
        #expect(try upgrade(alice, .withdraw).failure?.contains("no upgrade") == true)
        #expect(try upgrade(alice, .announce(codeHash: new)) == .succeeded)
        #expect(try upgrade(alice, .withdraw) == .succeeded)
        #expect(try upgrade(alice, .apply(codeHash: new, data: []), after: Self.day).failure != nil)
        #expect(try upgrade(alice, .announce(codeHash: new)) == .succeeded)
        #expect(try upgrade(alice, .apply(codeHash: new, data: []), after: 2 * Self.day + 1).failure?.contains("ran out") == true)
        #expect(try record().codeHash != new)
    }

    /// Code that is announced can't be taken away, and code that was exchanged can.
    @Test mutating func codeStaysWhileItIsAnnounced() throws {
        try chain.deploy("s", owner: alice, Self.first)
        let new = try upload(Self.second)
        let other = try upload(Self.first + [("scheduled", [])])
        func remove(_ hash: Digest) throws -> Outcome {
            try chain.send(bob, .removeContract, data: RemoveContract(codeHash: hash).borsh).outcome
        }
        #expect(try upgrade(alice, .announce(codeHash: new)) == .succeeded)
        #expect(try remove(new).failure?.contains("a service uses this code") == true)
        // Another announcement lets the first code go.
        #expect(try upgrade(alice, .announce(codeHash: other)) == .succeeded)
        #expect(try remove(new) == .succeeded)
        #expect(try remove(other).failure != nil)
        let old = try record().codeHash
        #expect(try upgrade(alice, .apply(codeHash: other, data: []), after: Self.day) == .succeeded)
        #expect(try remove(other).failure?.contains("a service uses this code") == true)
        #expect(try chain.send(alice, .removeContract, data: RemoveContract(codeHash: old).borsh).outcome == .succeeded)
    }

    @Test mutating func anUpgradeThatFailsLeavesTheOldCodeAndItsNotice() throws {
        let (contract, _) = try chain.deploy("s", owner: alice, deposit: 100_000_000, Self.first)
        let old = try record().codeHash
        let bad = try upload([("action", []), ("upgrade", [.set(key: "half", value: [1]), .fail("not like this")])])
        #expect(try upgrade(alice, .announce(codeHash: bad)) == .succeeded)
        #expect(try upgrade(alice, .apply(codeHash: bad, data: []), after: Self.day) == .failed("not like this"))
        #expect(try record().codeHash == old && record().notice != nil && chain.stored(contract, "half") == nil)
    }

    /// In the middle of what a contract does with others: the block in which it happens has both codes, each its own.
    @Test mutating func anUpgradeBetweenTwoActionsOfABlock() throws {
        let (contract, _) = try chain.deploy("s", owner: alice, deposit: 100_000_000, Self.first)
        let new = try upload(Self.second)
        #expect(try upgrade(alice, .announce(codeHash: new)) == .succeeded)
        try chain.run(after: Self.day)
        let data = UpgradeService(service: try #require(ServiceId("s")), step: .apply(codeHash: new, data: [])).borsh
        let before = try chain.transaction(bob, service: "s", ActionId(256))
        let apply = try chain.transaction(alice, .upgradeService, data: data, gas: 20_000_000)
        let again = try chain.transaction(carol, service: "s", ActionId(256))
        let receipts = try chain.run([before, apply, again]).receipts
        #expect(receipts.allSatisfy { $0.outcome == .succeeded })
        #expect(chain.stored(contract, "version") == [2])
    }

    // MARK: Hand-over

    @Test mutating func aServiceGoesToWhoAcceptsItAsItIs() throws {
        try chain.deploy("s", owner: alice, Self.first)
        let new = try upload(Self.second)
        let deposit = chain.ledger.genesis.parameters.serviceDeposit
        #expect(try accept(alice).failure?.contains("not offered") == true)
        for point in [[UInt8](repeating: 0, count: 32), [1] + [UInt8](repeating: 0, count: 31)] {
            let anybody = try #require(Account(point))
            #expect(try transfer(alice, .offer(to: anybody)).failure?.contains("small order") == true)
        }
        #expect(try transfer(alice, .offer(to: alice.account)).failure != nil)
        let contract = try record().contract
        #expect(try transfer(alice, .offer(to: contract)).failure != nil)
        #expect(try transfer(bob, .offer(to: bob.account)).failure?.contains("belongs to") == true)
        #expect(try transfer(alice, .offer(to: bob.account)) == .succeeded)
        let seen = try record().digest
        #expect(try transfer(carol, .accept(record: seen)).failure?.contains("not offered") == true)
        // Just before Bob accepts, Alice announces other code: Bob does not get what he did not look at.
        #expect(try upgrade(alice, .announce(codeHash: new)) == .succeeded)
        #expect(try transfer(bob, .accept(record: seen)).failure?.contains("has changed") == true)
        #expect(try upgrade(alice, .withdraw) == .succeeded)

        let before = (try chain.record(alice.account).deposit, try chain.record(bob.account).deposit)
        #expect(try accept(bob) == .succeeded)
        #expect(try record().owner == bob.account && record().offeredTo == nil)
        #expect(try chain.record(alice.account).deposit == before.0 - deposit)
        #expect(try chain.record(bob.account).deposit == before.1 + deposit)
        #expect(try upgrade(alice, .announce(codeHash: new)).failure?.contains("belongs to") == true)
        #expect(try transfer(alice, .offer(to: alice.account)).failure?.contains("belongs to") == true)
        #expect(try accept(bob).failure?.contains("not offered") == true)
    }

    @Test mutating func whoCannotLockTheDepositDoesNotGetIt() throws {
        try chain.deploy("s", owner: alice, Self.first)
        #expect(try transfer(alice, .offer(to: bob.account)) == .succeeded)
        let balance = try chain.balance(bob.account)
        #expect(try chain.send(bob, .transfer, data: Transfer(recipient: carol.account).borsh, value: balance - 1_000).outcome == .succeeded)
        // His money is gone, and his credits with it: a little comes back, too little for the deposit.
        #expect(try chain.send(carol, .transfer, data: Transfer(recipient: bob.account).borsh, value: 3_000_000).outcome == .succeeded)
        try chain.run(after: 3_600_000)
        let accept = TransferService(service: try #require(ServiceId("s")), step: .accept(record: try record().digest))
        let outcome = try chain.send(bob, .transferService, data: accept.borsh, gas: 2_000_000).outcome
        #expect(outcome.failure?.contains("too small for the deposit") == true)
        #expect(try record().owner == alice.account)
    }

    // MARK: The end

    @Test mutating func aContractThatSaysNothingCantEndWithMoneyInside() throws {
        let (contract, _) = try chain.deploy("s", owner: alice, deposit: 100_000_000, Self.first)
        #expect(try retire(bob, .announce).failure?.contains("belongs to") == true)
        #expect(try retire(alice, .apply).failure?.contains("was not announced") == true)
        #expect(try retire(alice, .announce) == .succeeded)
        #expect(try retire(alice, .apply).failure?.contains("can happen from") == true)
        #expect(try retire(alice, .apply, after: Self.day).failure?.contains("says whose it is") == true)
        #expect(try record().retiredAt == nil && chain.balance(contract) == 100_000_000)
        // Code that says whose it is, announced like any other.
        let new = try upload(Self.first + [("retire", [.transfer(to: carol.account.bytes, amount: 40_000_000)])])
        #expect(try upgrade(alice, .announce(codeHash: new)) == .succeeded)
        #expect(try retire(alice, .apply).failure?.contains("was not announced") == true)
        #expect(try upgrade(alice, .apply(codeHash: new, data: []), after: Self.day) == .succeeded)
        #expect(try retire(alice, .announce) == .succeeded)
        let before = (alice: try chain.balance(alice.account), carol: try chain.balance(carol.account))
        #expect(try retire(alice, .apply, after: Self.day) == .succeeded)
        #expect(try chain.balance(carol.account) == before.carol + 40_000_000)
        #expect(try chain.balance(alice.account) == before.alice + 60_000_000)
        #expect(try chain.balance(contract) == 0 && record().retiredAt == chain.parent.height)
        // The code, which Bob uploaded, is nobody's any more, and goes; questions are refused then, not the chain's end.
        #expect(try chain.send(bob, .removeContract, data: RemoveContract(codeHash: new).borsh).outcome == .succeeded)
        let id = try #require(ServiceId("s"))
        let answer = try #require(try chain.ledger.query(id, input: [], state: chain.state))
        #expect(answer.outcome == .failed("the service 's' has ended in block \(chain.parent.height.value - 1)"))
    }

    @Test mutating func aContractCanRefuseToEnd() throws {
        try chain.deploy("s", owner: alice, Self.first + [("retire", [.fail("a round is open")])])
        #expect(try retire(alice, .announce) == .succeeded)
        #expect(try retire(alice, .apply, after: Self.day) == .failed("a round is open"))
        #expect(try retire(alice, .withdraw) == .succeeded)
        #expect(try record().notice == nil && record().retiredAt == nil)
    }

    @Test mutating func whatIsLeftBehindComesBack() throws {
        let (contract, _) = try chain.deploy(
            "s", owner: alice, deposit: 2_000_000_000,
            [("action", [.when(action: 256, [.scheduleInputTime(entry: 1)])]), ("scheduled", [.set(key: "ran", value: [1])]), ("retire", [])])
        try chain.deploy("caller", owner: carol, deposit: 10_000_000, [("action", [.call(service: "s", action: 1, data: [], amount: 0), .setResult(key: "r")])])
        let member = try chain.record(bob.account).deposit
        #expect(try chain.send(bob, service: "s", .applicationTask).outcome == .succeeded)
        #expect(try chain.record(bob.account).deposit > member)
        // A call that comes due long after the end.
        let due = chain.time.value + 5 * Self.day
        #expect(try chain.send(bob, service: "s", ActionId(256), data: due.borsh).outcome == .succeeded)
        #expect(try retire(alice, .announce) == .succeeded)
        #expect(try retire(alice, .apply, after: Self.day) == .succeeded)
        let held = try chain.record(contract)
        #expect(held.balance == 0 && held.deposit > 0)

        // Nothing is taken but that members leave; nobody calls it, and nobody else gets its name.
        #expect(try chain.send(bob, service: "s", ActionId(300)).outcome.failure?.contains("has ended in block") == true)
        #expect(try chain.send(carol, service: "s", .applicationTask).outcome.failure?.contains("has ended") == true)
        #expect(try chain.send(carol, service: "s", .paymentRequester, value: 5).outcome.failure?.contains("has ended") == true)
        #expect(try chain.send(bob, service: "caller", ActionId(256)).outcome == .succeeded)
        let code = try record().codeHash
        let again = RegisterService(
            service: try #require(ServiceId("s")), codeHash: code, kind: "contract", validator: nil, initData: [])
        #expect(try chain.send(carol, .registerService, data: again.borsh).outcome.failure?.contains("is taken") == true)
        #expect(try upgrade(alice, .announce(codeHash: code)).failure?.contains("has ended") == true)
        #expect(try transfer(alice, .offer(to: bob.account)).failure?.contains("has ended") == true)
        #expect(try chain.send(bob, service: "s", .releaseRelation).outcome == .succeeded)
        #expect(try chain.record(bob.account).deposit == member)
        // A second time there is nothing to give.
        #expect(try chain.send(bob, service: "s", .releaseRelation).outcome == .succeeded)
        #expect(try chain.record(bob.account).deposit == member)

        // The call comes due: it does not run, and its deposit is the owner's.
        let before = try chain.balance(alice.account)
        let execution = try chain.run(after: 5 * Self.day)
        #expect(execution.receipts.first?.outcome.failure?.contains("does not run") == true)
        #expect(chain.stored(contract, "ran") == nil)
        let after = try chain.record(contract)
        #expect(after.balance == 0)
        #expect(try chain.balance(alice.account) == before + (held.deposit - after.deposit) && held.deposit > after.deposit)

        // What somebody sends it by mistake is the owner's as well.
        #expect(try chain.send(carol, .transfer, data: Transfer(recipient: contract).borsh, value: 77).outcome == .succeeded)
        #expect(try retire(alice, .announce).failure?.contains("has ended already") == true)
        let swept = try chain.balance(alice.account)
        #expect(try retire(alice, .apply) == .succeeded)
        #expect(try chain.balance(alice.account) == swept + 77)
    }

    // MARK: All of it at once

    /// Owners, heirs and members do everything in any order. What must hold: money is conserved (each block), the owner
    /// changes by acceptance alone, code by a notice that was long enough alone, an end is for ever.
    @Test(arguments: [11, 12, 13] as [UInt64]) mutating func anyOrderOfAnything(seed: UInt64) throws {
        var random = SplitMix64(seed: seed)
        let users = [alice, bob, carol]
        let codes = [
            Self.first, Self.second, Self.first + [("retire", [])], [("action", [.trap]), ("upgrade", [.trap])],
            [
                ("action", [.schedule(time: 0, entry: 1, data: [])]), ("scheduled", [.schedule(time: 0, entry: 1, data: [])]),
                ("retire", [.schedule(time: 1 << 50, entry: 1, data: [])]),
            ],
        ]
        let hashes = try codes.map { try upload($0) }
        try chain.deploy("s", owner: alice, deposit: 500_000_000, codes[0])
        var announced: (hash: Digest, at: Time)?
        var succeeded = 0
        for step in 0..<160 {
            let user = users[Int.random(in: 0..<3, using: &random)]
            let before = try record()
            let hash = hashes[Int.random(in: 0..<hashes.count, using: &random)]
            let wait = [1_000, Self.day / 2, Self.day][Int.random(in: 0..<3, using: &random)]
            let outcome: Outcome
            switch Int.random(in: 0..<12, using: &random) {
            case 0, 1:
                outcome = try upgrade(user, .announce(codeHash: hash), after: wait)
                if outcome == .succeeded { announced = (hash, chain.time) }
            case 2, 3: outcome = try upgrade(user, .apply(codeHash: announced?.hash ?? hash, data: [1]), after: wait)
            case 4: outcome = try upgrade(user, .withdraw)
            case 5, 6: outcome = try transfer(user, .offer(to: users[Int.random(in: 0..<3, using: &random)].account))
            case 7, 8: outcome = try transfer(user, .accept(record: before.digest))
            case 9: outcome = try retire(user, step > 120 ? .announce : .withdraw)
            case 10 where step > 120: outcome = try retire(user, .apply, after: wait)
            case 10: outcome = try chain.send(user, service: "s", .applicationTask).outcome
            default: outcome = try chain.send(user, service: "s", step % 2 == 0 ? ActionId(256) : .releaseRelation).outcome
            }
            if outcome == .succeeded { succeeded += 1 }
            let after = try record()
            if after.owner != before.owner {
                #expect(before.offeredTo == after.owner && user.account == after.owner, "seed \(seed), step \(step)")
            }
            if after.codeHash != before.codeHash {
                let notice = try #require(announced)
                #expect(
                    notice.hash == after.codeHash && chain.time.distance(since: notice.at) >= Self.day && user.account == before.owner,
                    "seed \(seed), step \(step)")
            }
            if before.retiredAt != nil { #expect(after == before, "seed \(seed), step \(step)") }
        }
        #expect(succeeded > 20, "seed \(seed)")
    }
}
