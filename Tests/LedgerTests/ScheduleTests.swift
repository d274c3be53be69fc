import Cryptography
import Encoding
import Ledger
import Primitives
import Testing

@Suite struct ScheduleTests {
    private let alice: User, bob: User

    init() throws {
        alice = try User("alice")
        bob = try User("bob")
    }

    @Test func aCallForNowRunsInTheSameBlock() throws {
        var chain = try TestChain([alice, bob])
        let (contract, _) = try chain.deploy(
            "s", owner: alice, deposit: 10,
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

    /// Whatever the order of scheduling, calls run by (time, number), each once, none early.
    @Test(arguments: [1, 2, 3] as [UInt64]) func theQueueIsAHeap(seed: UInt64) throws {
        var random = SplitMix64(seed: seed)
        var parameters = Parameters()
        parameters.scheduledCallsPerBlock = 7
        parameters.creditBase = 100_000_000_000
        var chain = try TestChain([alice, bob], parameters: parameters)
        try chain.deploy(
            "s", owner: alice, deposit: 10,
            [("action", [.scheduleInputTime(entry: 1)]), ("scheduled", [.when(action: 2, [.trap])])])
        var due: [UInt64: UInt64] = [:]
        var ran: [(time: UInt64, number: UInt64)] = []
        var number: UInt64 = 0
        for _ in 0..<25 {
            var block: [SignedTransaction] = []
            let now = chain.time.value + 1_000
            for ahead in 0..<UInt64.random(in: 0...9, using: &random) {
                let time = now - 5_000 + UInt64.random(in: 0...20_000, using: &random)
                block.append(
                    try chain.transaction(bob, service: "s", ActionId(256), data: time.borsh, gas: 1_000_000, ahead: ahead))
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
                ran.append((time, number))
            }
            #expect(execution.nextDue?.value == due.values.min(), "seed \(seed)")
            #expect(try chain.ledger.nextDue(state: chain.state) == execution.nextDue, "seed \(seed)")
        }
        for _ in 0..<60 where !due.isEmpty {
            for receipt in try chain.run(after: 2_000).receipts {
                if case .scheduled(_, let number) = receipt.origin { due[number] = nil }
            }
        }
        #expect(due.isEmpty, "seed \(seed)")
        let slots = chain.state.values.keys.filter { [UInt8(ascii: "q"), UInt8(ascii: "t")].contains($0.bytes.first) }
        #expect(slots.isEmpty, "seed \(seed)")
    }

    @Test func theBudgetOfABlockHolds() throws {
        var parameters = Parameters()
        parameters.scheduledGasPerBlock = 5_000_000
        parameters.scheduledGasPerCall = 2_000_000
        var chain = try TestChain([alice, bob], parameters: parameters)
        // Each call spends all it may: two a block.
        try chain.deploy(
            "s", owner: alice, deposit: 10,
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

    @Test func aServiceHasItsPartOfTheQueue() throws {
        var parameters = Parameters()
        parameters.scheduledCallsPerService = 3
        var chain = try TestChain([alice, bob], parameters: parameters)
        let far = Int64(chain.time.value) + 1_000_000
        let (contract, _) = try chain.deploy(
            "s", owner: alice, deposit: 10,
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

    @Test func aContractThatCannotPayIsPutOffNotForgotten() throws {
        var chain = try TestChain([alice, bob])
        let (contract, _) = try chain.deploy(
            "s", owner: alice,
            [("action", [.schedule(time: 0, entry: 1, data: [])]), ("scheduled", [.set(key: "ran", value: [1])])])
        let execution = try chain.run([try chain.transaction(bob, service: "s", ActionId(256))])
        let put = try #require(execution.receipts.last)
        #expect(put.outcome.failure?.hasPrefix("postponed to time ") == true)
        #expect(put.events.map(\.topic) == [postponedTopic])
        #expect(execution.nextDue == chain.time.advanced(by: 3_600_000))
        // Funded meanwhile, it runs.
        let fund = try chain.transaction(bob, .transfer, data: Transfer(recipient: contract).borsh, value: 5)
        try chain.run([fund])
        #expect(try chain.run(after: 3_600_000).receipts.map(\.outcome) == [.succeeded])
        #expect(chain.stored(contract, "ran") == [1])

        // Never funded, it ends some day, and says so.
        try chain.deploy(
            "t", owner: alice,
            [("action", [.schedule(time: 0, entry: 1, data: [])]), ("scheduled", [.set(key: "ran", value: [1])])])
        try chain.run([try chain.transaction(bob, service: "t", ActionId(256))])
        var last: Receipt?
        for _ in 0..<24 { last = try chain.run(after: 3_600_000).receipts.last ?? last }
        #expect(last?.outcome.failure?.hasPrefix("dropped") == true)
        #expect(try chain.ledger.nextDue(state: chain.state) == nil)
    }

    @Test func aPoorContractRunsWhenItsCreditsHaveGrown() throws {
        var parameters = Parameters()
        parameters.creditBase = 25_000_000
        parameters.balancePerCredit = 1 << 40
        var chain = try TestChain([alice, bob], parameters: parameters)
        try chain.deploy(
            "s", owner: alice, deposit: 10,
            [
                ("action", [.schedule(time: 0, entry: 1, data: []), .schedule(time: 0, entry: 1, data: [])]),
                ("scheduled", [.spin]),
            ])
        let execution = try chain.run([try chain.transaction(bob, service: "s", ActionId(256))])
        // The first call took 20 of the 25 million; the second needs 15 million more, 60 % of the window.
        #expect(execution.receipts.count == 3)
        #expect(execution.nextDue == chain.time.advanced(by: 2_160_000))
        #expect(try chain.run(after: 2_159_000).receipts.isEmpty)
        #expect(try chain.run(after: 1_000).receipts.map(\.outcome) == [.failed("out of gas")])
    }
}
