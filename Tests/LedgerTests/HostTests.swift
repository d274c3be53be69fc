import Cryptography
import Encoding
import Ledger
import Primitives
import Testing

@Suite(.timeLimit(.minutes(20))) struct HostTests {
    private let alice: User, bob: User
    private var chain: TestChain

    init() throws {
        alice = try User("alice")
        bob = try User("bob")
        chain = try TestChain([alice, bob])
    }

    @discardableResult
    private mutating func act(_ service: String, _ action: UInt16 = 256, data: [UInt8] = [], value: UInt128 = 0) throws
        -> Receipt
    {
        try chain.send(bob, service: service, ActionId(action), data: data, value: value)
    }

    @Test mutating func storageKeepsWhatItIsGiven() throws {
        let (contract, _) = try chain.deploy(
            "s", owner: alice,
            [
                (
                    "action",
                    [
                        .when(action: 256, [.set(key: "a", value: [1, 2]), .set(key: "e", value: []), .setInput(key: "i")]),
                        .when(action: 257, [.remove(key: "a"), .get(key: "a"), .setResult(key: "r"), .get(key: "i"), .setResult(key: "q")]),
                    ]
                )
            ])
        #expect(try act("s", data: [5, 6, 7]).outcome == .succeeded)
        #expect(chain.stored(contract, "a") == [1, 2] && chain.stored(contract, "e") == [])
        #expect(chain.stored(contract, "i") == [5, 6, 7])
        #expect(try act("s", 257).outcome == .succeeded)
        #expect(chain.stored(contract, "a") == nil)
        #expect(chain.stored(contract, "r")?.prefix(4) == [255, 255, 255, 255])
        #expect(chain.stored(contract, "q")?.prefix(4) == [3, 0, 0, 0])
    }

    /// There a contract's counters stand.
    @Test mutating func theEmptyKeyIsTheChainsOwn() throws {
        for (number, step) in ([.set(key: "", value: [1]), .get(key: ""), .remove(key: "")] as [Step]).enumerated() {
            try chain.deploy("empty\(number)", owner: alice, [("action", [step])])
            #expect(try act("empty\(number)").outcome == .failed("a storage key is empty"), "\(step)")
        }
    }

    @Test mutating func moneyEventsAndRepliesWork() throws {
        let (contract, _) = try chain.deploy(
            "m", owner: alice, deposit: 1_000,
            [
                (
                    "action",
                    [
                        .transfer(to: bob.account.bytes, amount: 600), .setResult(key: "1"),
                        .transfer(to: bob.account.bytes, amount: 600), .setResult(key: "2"),
                        .emit(topic: "paid", data: [6]), .reply([1, 2, 3]), .log("hello"),
                    ]
                )
            ])
        let before = try chain.balance(bob.account)
        let execution = try chain.run([try chain.transaction(bob, service: "m", ActionId(256))])
        let receipt = try #require(execution.receipts.first)
        #expect(receipt.outcome == .succeeded)
        #expect(receipt.returned == Digest(sha256: [1, 2, 3]))
        #expect(receipt.events == [try #require(Event(contract: contract, topic: Array("paid".utf8), data: [6]))])
        #expect(execution.logs.map(\.text) == ["hello"] && execution.logs.first?.contract == contract)
        #expect(try chain.balance(bob.account) == before + 600)
        #expect(chain.stored(contract, "1")?.first == 0 && chain.stored(contract, "2")?.first == 1)
    }

    @Test mutating func cryptographyWorks() throws {
        let message = Array("message".utf8)
        let signature = try alice.key.sign(message: message).bytes
        var damaged = signature
        damaged[10] ^= 1
        let (contract, _) = try chain.deploy(
            "c", owner: alice,
            [
                (
                    "action",
                    [
                        .sha256(of: message, key: "hash"), .randomness(key: "random"),
                        .verify(key: alice.key.publicKey.bytes, signature: signature, message: message),
                        .setResult(key: "good"),
                        .verify(key: alice.key.publicKey.bytes, signature: damaged, message: message),
                        .setResult(key: "bad"),
                    ]
                )
            ])
        let randomness = chain.parent.randomness
        #expect(try act("c").outcome == .succeeded)
        #expect(chain.stored(contract, "hash") == Digest(sha256: message).bytes)
        #expect(chain.stored(contract, "random") == randomness.bytes)
        #expect(chain.stored(contract, "good")?.first == 1 && chain.stored(contract, "bad")?.first == 0)
    }

    @Test mutating func contractsCallEachOtherAndFailuresAreUndone() throws {
        let (inner, _) = try chain.deploy(
            "inner", owner: alice,
            [
                (
                    "action",
                    [
                        .setContext(key: "context"), .emit(topic: "inner", data: []), .reply([9, 9]),
                        .when(action: 2, [.fail("no")]), .when(action: 3, [.spin]),
                        // Its caller is running: refused.
                        .when(action: 4, [.call(service: "outer", action: 1, data: [], amount: 0), .setResult(key: "re")]),
                    ]
                )
            ])
        let (outer, _) = try chain.deploy(
            "outer", owner: alice, deposit: 100,
            [
                (
                    "action",
                    [
                        .when(action: 256, [.call(service: "inner", action: 1, data: [1], amount: 30), .setResult(key: "ok")]),
                        .when(action: 257, [.call(service: "inner", action: 2, data: [], amount: 30), .setResult(key: "failed")]),
                        .when(action: 258, [.call(service: "inner", action: 3, data: [], amount: 30), .setResult(key: "gas")]),
                        .when(action: 259, [.call(service: "inner", action: 4, data: [], amount: 0)]),
                        .when(action: 260, [.call(service: "none", action: 4, data: [], amount: 0), .setResult(key: "none")]),
                        .when(action: 261, [.call(service: "inner", action: 1, data: [], amount: 500), .setResult(key: "rich")]),
                    ]
                )
            ])
        let failed: [UInt8] = [255, 255, 255, 255]
        let receipt = try act("outer")
        #expect(receipt.outcome == .succeeded && receipt.events.count == 1)
        #expect(chain.stored(outer, "ok")?.prefix(4) == [2, 0, 0, 0])
        let context = try #require(chain.stored(inner, "context"))
        #expect(Array(context[32..<64]) == outer.bytes && context[112] == 30 && context[144] == 4)
        let second = try act("outer", 257)
        #expect(second.outcome == .succeeded && second.events.isEmpty)
        #expect(chain.stored(outer, "failed")?.prefix(4) == failed[...])
        // 1/64 of the gas is left to go on with: enough for a write.
        #expect(try chain.send(bob, service: "outer", ActionId(258), gas: 20_000_000).outcome == .succeeded)
        #expect(chain.stored(outer, "gas")?.prefix(4) == failed[...])
        #expect(try act("outer", 259).outcome == .succeeded)
        #expect(chain.stored(inner, "re")?.prefix(4) == failed[...])
        for action in [260, 261] as [UInt16] { #expect(try act("outer", action).outcome == .succeeded) }
        #expect(chain.stored(outer, "none")?.prefix(4) == failed[...] && chain.stored(outer, "rich")?.prefix(4) == failed[...])
        #expect(try chain.balance(inner) == 30 && chain.balance(outer) == 70)
    }

    @Test mutating func callsNestToADepth() throws {
        for level in 0..<10 {
            try chain.deploy(
                "n\(level)", owner: alice,
                [("action", [.call(service: "n\(level + 1)", action: 1, data: [], amount: 0), .setResult(key: "r"), .reply([1])])])
        }
        let signed = try chain.transaction(bob, service: "n0", ActionId(256), gas: 30_000_000)
        #expect(try chain.run([signed]).receipts.first?.outcome == .succeeded)
        let results = try (0..<10).map { level in
            let service = try #require(ServiceId("n\(level)"))
            let record = try #require(try chain.ledger.service(service, state: chain.state))
            return chain.stored(record.contract, "r")?.first
        }
        #expect(results == [1, 1, 1, 1, 1, 1, 1, 255, nil, nil])
    }

    /// A contract that calls another with whatever gas is left ends with a receipt, at each border that it meets on the way:
    /// its own code, the other's, what that one does, and what comes after.
    @Test mutating func whoeverRunsOutOnTheWayPaysWhatItMay() throws {
        try chain.deploy("inner", owner: alice, [("action", [.reply([1])])])
        let (outer, _) = try chain.deploy(
            "outer", owner: alice, [("action", [.call(service: "inner", action: 1, data: [], amount: 0), .setResult(key: "r")])])
        // The second time the value is there already.
        _ = try chain.send(bob, service: "outer", ActionId(256), gas: 20_000_000)
        let whole = try chain.send(bob, service: "outer", ActionId(256), gas: 20_000_000)
        #expect(whole.outcome == .succeeded && chain.stored(outer, "r")?.first == 1)
        let least = chain.ledger.genesis.parameters.intrinsicGas(dataBytes: 0)
        let loading = HostGas.loading(codeBytes: 0) + chain.ledger.genesis.parameters.storageGas(reads: 3)
        // Steps below the price of the inner code: one of them at least leaves too little for it, and something.
        for gas in stride(from: least, to: whole.gasUsed, by: Int(loading / 3)) {
            let signed = try chain.transaction(bob, service: "outer", ActionId(256), gas: gas)
            let receipt = try #require(try chain.run([signed]).receipts.first)
            #expect(receipt.outcome == .failed("out of gas") && receipt.gasUsed == gas, "\(gas) of \(whole.gasUsed)")
        }
    }

    @Test mutating func queriesReadAndNeverWrite() throws {
        try chain.deploy(
            "q", owner: alice,
            [
                ("action", [.setInput(key: "v")]),
                ("query", [.replyStored(key: "v"), .log("asked")]),
            ])
        try act("q", data: [4, 5, 6])
        let before = chain.state.values
        let service = try #require(ServiceId("q"))
        let result = try #require(try chain.ledger.query(service, input: [], state: chain.state))
        #expect(result.outcome == .returned([4, 5, 6]) && result.gasUsed > 0 && result.logs.count == 1)
        #expect(chain.state.values == before)
        #expect(try chain.ledger.query(try #require(ServiceId("none")), input: [], state: chain.state) == nil)
        for (index, step) in ([
            .set(key: "k", value: []), .remove(key: "v"), .transfer(to: bob.account.bytes, amount: 0),
            .emit(topic: "", data: []), .verdict(about: bob.account.bytes, role: 0, kind: 0, weight: 1, post: "r0/v"),
            .schedule(time: 0, entry: 0, data: []), .call(service: "q", action: 1, data: [], amount: 1), .spin, .trap,
        ] as [Step]).enumerated() {
            try chain.deploy("w\(index)", owner: alice, [("query", [step])])
            let service = try #require(ServiceId("w\(index)"))
            let result = try chain.ledger.query(service, input: [], state: chain.state, gasLimit: 1_000_000)
            guard case .failed = result?.outcome else {
                Issue.record("\(step) gave \(String(describing: result))")
                continue
            }
        }
        // A query may ask other contracts: none of them can write either.
        try chain.deploy(
            "asks", owner: alice,
            [("query", [.call(service: "q", action: 1, data: [1], amount: 0), .reply([7])])])
        let asked = try chain.ledger.query(try #require(ServiceId("asks")), input: [], state: chain.state)
        #expect(asked?.outcome == .returned([7]))
    }

    /// Hostile arguments of every host function: a failed receipt and no change, never more.
    @Test(arguments: [1, 2] as [UInt64]) mutating func hostileArgumentsOnlyFail(seed: UInt64) throws {
        var random = SplitMix64(seed: seed)
        let edges: [UInt64] = [0, 1, 31, 32, 64, 65, 4_096, 4_097, 32_769, 65_536, 131_071, 131_072, 1 << 31, .max, .max - 1]
        for (index, call) in HostCall.allCases.enumerated() {
            var steps: [(name: String, steps: [Step])] = [("action", [])]
            for action in 0..<12 as Range<UInt32> {
                let arguments = call.parameters.map { _ in edges.randomElement(using: &random) ?? 0 }
                steps[0].steps.append(.when(action: 256 + action, [.set(key: "x", value: [1]), .raw(call, arguments)]))
            }
            try chain.deploy("h\(index)", owner: alice, deposit: 10, steps)
            let total = try chain.totalBalance()
            for action in 0..<12 as Range<UInt16> {
                _ = try act("h\(index)", 256 + action, data: Array(repeating: 3, count: 10))
            }
            #expect(try chain.totalBalance() == total, "seed \(seed), \(call)")
        }
        #expect(try chain.historiesAreComplete(), "seed \(seed)")
    }

    @Test mutating func failureMessagesFitTheReceipt() throws {
        // 256 bytes that are no UTF-8 would take 768 as replacement characters.
        let broken = [UInt8](repeating: 0xff, count: 256)
        let length = UInt64(broken.count)
        try chain.deploy(
            "f", owner: alice,
            [("action", [.set(key: "k", value: broken), .get(key: "k"), .raw(.fail, [65_536, length])])])
        let message = try #require(try act("f").outcome.failure)
        #expect(message == String(repeating: "\u{fffd}", count: 85))
    }

    @Test mutating func trapsAndExhaustionChangeNothingButTheSender() throws {
        let (contract, _) = try chain.deploy(
            "t", owner: alice, deposit: 10,
            [
                (
                    "action",
                    [
                        .set(key: "k", value: [1]), .emit(topic: "t", data: []),
                        .transfer(to: bob.account.bytes, amount: 10), .schedule(time: 0, entry: 1, data: []),
                        .when(action: 256, [.trap]), .when(action: 257, [.spin]), .when(action: 258, [.fail("why")]),
                    ]
                )
            ])
        for (action, message) in [(256, "unreachable executed"), (257, "out of gas"), (258, "why")] as [(UInt16, String)] {
            let before = chain.state.values.filter { $0.key != .account(bob.account) }
            let signed = try chain.transaction(bob, service: "t", ActionId(action), gas: 6_000_000)
            let execution = try chain.run([signed])
            let receipt = try #require(execution.receipts.first)
            #expect(execution.receipts.count == 1 && receipt.outcome == .failed(message) && receipt.events.isEmpty)
            #expect(action != 257 || receipt.gasUsed == 6_000_000)
            let after = chain.state.values.filter { $0.key != .account(bob.account) }
            let names: [StateKey] = [.height, .time, .randomness, .beacon(chain.masternode.key.publicKey)]
            #expect(after.filter { !names.contains($0.key) } == before.filter { !names.contains($0.key) })
        }
        #expect(try chain.balance(contract) == 10)

        // Not even enough to load the code: it costs what it may, and nothing runs.
        let little = chain.ledger.genesis.parameters.intrinsicGas(dataBytes: 0) + 1_000
        let execution = try chain.run([try chain.transaction(bob, service: "t", ActionId(256), gas: little)])
        let receipt = try #require(execution.receipts.first)
        #expect(receipt.outcome == .failed("out of gas") && receipt.gasUsed == little)
    }
}
