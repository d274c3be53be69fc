import Cryptography
import Encoding
import Ledger
import Primitives
import Testing

@Suite(.timeLimit(.minutes(20))) struct ScheduleTests {
    private let alice: User, bob: User
    /// Worth the entries of ten calls.
    /// What a call waits with, as money.
    private static let each = UInt128(Parameters().balancePerCredit * Parameters().scheduledGasPerCall)
    private static let deposit = 10 * each

    init() throws {
        alice = try User("alice")
        bob = try User("bob")
    }

    @Test func aCallForNowRunsInTheSameBlock() throws {
        var chain = try TestChain([alice, bob])
        let (contract, _) = try chain.deploy(
            "s", owner: alice, deposit: Self.deposit,
            [
                ("action", [.schedule(time: 0, entry: 3, data: [8]), .setResult(key: "id")]),
                ("scheduled", [.setContext(key: "context"), .setInput(key: "data"), .emit(topic: "ran", data: [])]),
            ])
        let execution = try chain.run([try chain.transaction(bob, service: "s", ActionId(256))])
        #expect(execution.receipts.count == 2)
        #expect(execution.receipts.last?.origin == .scheduled(contract: contract, number: 0))
        #expect(execution.receipts.last?.outcome == .succeeded && execution.receipts.last?.events.count == 1)
        #expect(execution.nextDue == nil)
        let context = try #require(chain.stored(contract, "context"))
        #expect(Array(context[32..<64]) == contract.bytes && context[144] == 2 && context[148] == 3)
        #expect(chain.stored(contract, "data") == [8])
        // The contract's credits paid.
        let view = try #require(try chain.ledger.account(contract, at: chain.time, state: chain.state))
        #expect(view.credits < view.capacity)
    }

    /// Whatever the order of scheduling, the calls of one contract run by (time, number), each once, none early.
    @Test(arguments: [1, 2, 3] as [UInt64]) func callsRunInOrder(seed: UInt64) throws {
        var random = SplitMix64(seed: seed)
        var parameters = Parameters()
        parameters.scheduledCallsPerBlock = 7
        var chain = try TestChain([alice, bob], parameters: parameters)
        try chain.deploy(
            "s", owner: alice, deposit: 400_000_000_000,
            [("action", [.scheduleInputTime(entry: 1)]), ("scheduled", [.when(action: 2, [.trap])])])
        var due: [UInt64: UInt64] = [:]
        var number: UInt64 = 0
        for _ in 0..<25 {
            var block: [SignedTransaction] = []
            let now = chain.time.value + 1_000
            for ahead in 0..<UInt64.random(in: 0...9, using: &random) {
                let time = now - 5_000 + UInt64.random(in: 0...20_000, using: &random)
                block.append(
                    try chain.transaction(bob, service: "s", ActionId(256), data: time.borsh, gas: 5_000_000, ahead: ahead))
                due[number] = max(time, now)
                number += 1
            }
            let execution = try chain.run(block)
            var last: (UInt64, UInt64) = (0, 0)
            for receipt in execution.receipts {
                guard case .scheduled(_, let number) = receipt.origin else { continue }
                let removed = due.removeValue(forKey: number)
                let time = try #require(removed, "seed \(seed)")
                #expect(receipt.outcome == .succeeded && time <= now, "seed \(seed)")
                #expect(last <= (time, number), "seed \(seed)")
                last = (time, number)
            }
            // A turn may come for a call that ran before it, never later than a call is due.
            let next = execution.nextDue ?? Time(.max)
            #expect(due.isEmpty || next.value <= max(due.values.min() ?? 0, now), "seed \(seed)")
            #expect(try chain.ledger.nextDue(state: chain.state) == execution.nextDue, "seed \(seed)")
        }
        for _ in 0..<60 where !due.isEmpty {
            for receipt in try chain.run(after: 2_000).receipts {
                if case .scheduled(_, let number) = receipt.origin { due[number] = nil }
            }
        }
        #expect(due.isEmpty, "seed \(seed)")
        for _ in 0..<10 { try chain.run(after: 20_000) }
        let kept = chain.state.values.keys.filter {
            [UInt8(ascii: "q"), UInt8(ascii: "t"), UInt8(ascii: "u")].contains($0.bytes.first)
        }
        #expect(kept.isEmpty, "seed \(seed)")
    }

    /// A contract with very many due calls delays another one's by a block, not by all of them.
    @Test(arguments: [3, 40]) func contractsTakeTurns(crowd: Int) throws {
        var parameters = Parameters()
        parameters.scheduledCallsPerBlock = 8
        var chain = try TestChain([alice, bob], parameters: parameters)
        for index in 0..<crowd {
            try chain.deploy(
                "busy\(index)", owner: alice, deposit: 30 * Self.each,
                [("action", (0..<20).map { _ in .schedule(time: 0, entry: 1, data: []) }), ("scheduled", [])])
        }
        let (contract, _) = try chain.deploy(
            "calm", owner: alice, deposit: 4 * Self.each,
            [("action", [.schedule(time: 0, entry: 1, data: [])]), ("scheduled", [.set(key: "ran", value: [1])])])
        var block: [SignedTransaction] = []
        for index in 0..<crowd {
            block.append(
                try chain.transaction(bob, service: "busy\(index)", ActionId(256), gas: 40_000_000, ahead: UInt64(index % 6)))
            if index % 6 == 5 || index == crowd - 1 {
                try chain.run(block)
                block = []
            }
        }
        try chain.run([try chain.transaction(bob, service: "calm", ActionId(256))])
        // One of each before it: the crowd has eight times as many calls waiting.
        for _ in 0..<(crowd / 8 + 1) { try chain.run() }
        #expect(chain.stored(contract, "ran") == [1])
    }

    @Test func theBudgetOfABlockHolds() throws {
        var parameters = Parameters()
        parameters.scheduledGasPerBlock = 5_000_000
        parameters.scheduledGasPerCall = 2_000_000
        var chain = try TestChain([alice, bob], parameters: parameters)
        // Each call spends all it may: two a block.
        try chain.deploy(
            "s", owner: alice, deposit: Self.deposit,
            [
                ("action", (0..<5).map { _ in .schedule(time: -1, entry: 1, data: []) }),
                ("scheduled", [.spin]),
            ])
        let first = try chain.run([try chain.transaction(bob, service: "s", ActionId(256))])
        #expect(first.receipts.dropFirst().map(\.outcome) == [.failed("out of gas"), .failed("out of gas")])
        #expect(first.hasDueCalls(at: chain.time))
        #expect(try chain.run().receipts.count == 2)
        #expect(try chain.run().receipts.count == 1)
        #expect(try chain.run().receipts.isEmpty)
    }

    /// Ten thousand calls of forty contracts are due together; one traps and one loops. Each runs once, no block does more
    /// than its bounds allow, and a transaction goes in beside them.
    @Test func tenThousandCallsDueTogether() throws {
        var parameters = Parameters()
        // So that few transactions can make so many.
        parameters.gasPerStorageWrite = 1_000
        parameters.gasPerStorageByte = 1
        parameters.scheduledGasPerCall = 1_000_000
        parameters.scheduledGasPerBlock = 200_000_000
        parameters.scheduledCallsPerBlock = 500
        var chain = try TestChain([alice, bob], parameters: parameters)
        let due = chain.time.value + 10_000_000
        func call(_ entry: UInt32) -> Step { .schedule(time: Int64(due), entry: entry, data: []) }
        for index in 0..<40 {
            try chain.deploy(
                "s\(index)", owner: alice, deposit: 3_000_000_000,
                [
                    (
                        "action",
                        [
                            .when(action: 256, Array(repeating: call(1), count: 50)), .when(action: 257, [call(2)]),
                            .when(action: 258, [call(3)]),
                        ]
                    ),
                    ("scheduled", [.when(action: 2, [.trap]), .when(action: 3, [.spin])]),
                ])
        }
        for _ in 0..<5 {
            let block = try (0..<40).map { index in
                try chain.transaction(bob, service: "s\(index)", ActionId(256), gas: 2_000_000, ahead: UInt64(index))
            }
            try chain.run(block)
        }
        try chain.send(bob, service: "s0", ActionId(257))
        try chain.send(bob, service: "s1", ActionId(258))
        func waiting() -> Int { chain.state.values.keys.count { $0.bytes.first == UInt8(ascii: "t") } }
        #expect(waiting() == 10_002)

        let wait = due - chain.time.value
        let transfer = try chain.transaction(
            bob, .transfer, data: Transfer(recipient: alice.account).borsh, value: 1, gas: 1_000_000, validFor: wait + 60_000)
        var execution = try chain.run([transfer], after: wait)
        #expect(execution.receipts.first?.outcome == .succeeded)
        var ran: Set<UInt64> = []
        var (repeated, trapped, exhausted) = (0, 0, 0)
        for _ in 0..<40 {
            var (count, gas) = (0, UInt64(0))
            for receipt in execution.receipts {
                guard case .scheduled(_, let number) = receipt.origin else { continue }
                if !ran.insert(number).inserted { repeated += 1 }
                count += 1
                gas += receipt.gasUsed
                guard let failure = receipt.outcome.failure else { continue }
                if failure == "out of gas" { exhausted += 1 } else { trapped += 1 }
            }
            #expect(count <= 500 && gas <= parameters.scheduledGasPerBlock)
            if count == 0 { break }
            execution = try chain.run()
        }
        #expect(ran.count == 10_002 && repeated == 0 && trapped == 1 && exhausted == 1)
        #expect(waiting() == 0)
    }

    @Test func aServiceHasItsPartOfTheQueue() throws {
        var parameters = Parameters()
        parameters.scheduledCallsPerService = 3
        var chain = try TestChain([alice, bob], parameters: parameters)
        let far = Int64(chain.time.value) + 1_000_000
        let (contract, _) = try chain.deploy(
            "s", owner: alice, deposit: Self.deposit,
            [
                (
                    "action",
                    (0..<4).flatMap { [Step.schedule(time: far, entry: 1, data: []), .setResult(key: "\($0)")] }
                ),
                ("scheduled", []),
            ])
        try chain.run([try chain.transaction(bob, service: "s", ActionId(256))])
        #expect(chain.stored(contract, "2") == [2, 0, 0, 0, 0, 0, 0, 0])
        #expect(chain.stored(contract, "3") == Array(repeating: 255, count: 8))
        #expect(try chain.run(after: 1_000_000).receipts.count == 3)
        try chain.run([try chain.transaction(bob, service: "s", ActionId(256))])
        #expect(chain.stored(contract, "2") == [5, 0, 0, 0, 0, 0, 0, 0])
    }

    /// An entry is paid when it is made: nothing unpaid is ever in the queue.
    @Test func whoCannotPayIsNotTaken() throws {
        var chain = try TestChain([alice, bob], deposits: true)
        let (contract, _) = try chain.deploy(
            "s", owner: alice, deposit: 5 * Self.each / 2,
            [
                (
                    "action",
                    (0..<4).flatMap { [Step.schedule(time: 1 << 50, entry: 1, data: []), .setResult(key: "\($0)")] }
                ),
                ("scheduled", [.spin]),
            ])
        let before = try #require(try chain.ledger.account(contract, at: chain.time, state: chain.state))
        try chain.run([try chain.transaction(bob, service: "s", ActionId(256))], after: 1)
        #expect(chain.stored(contract, "1") == [1, 0, 0, 0, 0, 0, 0, 0])
        for refused in ["2", "3"] { #expect(chain.stored(contract, refused) == Array(repeating: 255, count: 8)) }
        let after = try #require(try chain.ledger.account(contract, at: chain.time, state: chain.state))
        #expect(after.credits < before.credits - 2 * chain.ledger.genesis.parameters.scheduledGasPerCall + 1_000_000)
        #expect(try chain.record(contract).deposit > 0)
    }

    /// What a call did not use comes back, and its deposit too.
    @Test func whatACallDidNotUseComesBack() throws {
        var chain = try TestChain([alice, bob], deposits: true)
        let (contract, _) = try chain.deploy(
            "s", owner: alice, deposit: 4 * Self.each,
            [("action", [.schedule(time: 0, entry: 1, data: [1, 2, 3])]), ("scheduled", [])])
        let before = try #require(try chain.ledger.account(contract, at: chain.time, state: chain.state))
        let execution = try chain.run([try chain.transaction(bob, service: "s", ActionId(256))], after: 1)
        let used = try #require(execution.receipts.last).gasUsed
        let after = try #require(try chain.ledger.account(contract, at: chain.time, state: chain.state))
        #expect(used > 0 && before.credits <= after.credits + used && after.credits + used <= before.credits + 1_000)
        #expect(try chain.record(contract).deposit == 0)
    }

    /// Governance can't make bounds by which nothing ever starts again: what is paid for runs.
    @Test func theFirstCallOfABlockAlwaysStarts() throws {
        var parameters = Parameters()
        parameters.scheduledGasPerCall = 20_000_000
        parameters.scheduledGasPerBlock = 20_000_000
        var chain = try TestChain([alice, bob], parameters: parameters)
        let (contract, _) = try chain.deploy(
            "s", owner: alice, deposit: 8 * 100_000_000,
            [("action", [.schedule(time: 2_000_000, entry: 1, data: [])]), ("scheduled", [.set(key: "ran", value: [1])])])
        try chain.run([try chain.transaction(bob, service: "s", ActionId(256))])
        parameters.scheduledGasPerCall = 1
        parameters.scheduledGasPerBlock = 1
        parameters.scheduledCallsPerBlock = 0
        chain.state.values[.parameters] = parameters.borsh
        try chain.run(after: 2_000_000)
        #expect(chain.stored(contract, "ran") == [1])
    }
}
