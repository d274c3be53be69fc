import Cryptography
import Encoding
import Ledger
import Primitives
import Testing

/// A contract's list of its own keys, against a sorted array; and the other things that it can read of the chain.
@Suite(.timeLimit(.minutes(20))) struct KeyListTests {
    private static let batch = 24

    /// Inserts (256) or removes (257) the 4-byte keys of the input. A query `[prefix length, after length, prefix and
    /// after, 4 bytes each]` answers `[result: i32, key: 4 bytes]`.
    private static let lister: [(name: String, steps: [Step])] = {
        let keys = (0..<batch).map { UInt64(65_536 + 4 * $0) }
        let read = Step.raw(.input, [65_536, 0, UInt64(4 * batch)])
        func next(_ prefix: UInt64, _ after: UInt64) -> Step {
            .when(
                action: 0,
                [.raw(.input, [65_536, 0, 8]), .raw(.key_next, [65_536, prefix, 65_540, after, 260, 4]), .raw(.return_data, [256, 8])])
        }
        return [
            (
                "action",
                [
                    .when(action: 256, [read] + keys.map { .raw(.key_insert, [$0, 4]) } + [.setResult(key: "last")]),
                    .when(action: 257, [read] + keys.map { .raw(.key_remove, [$0, 4]) } + [.setResult(key: "last")]),
                ]
            ),
            ("query", [next(0, 4)]),
        ]
    }()

    private func bytes(_ number: UInt32) -> [UInt8] { number.bigEndian.borsh }

    @Test(arguments: [7, 8, 9, 10] as [UInt64]) func keysComeInOrderWhateverWasDone(seed: UInt64) throws {
        var random = SplitMix64(seed: seed)
        let alice = try User("alice")
        var parameters = Parameters()
        parameters.balancePerCredit = 1
        var chain = try TestChain([alice], parameters: parameters, deposits: true)
        let (contract, _) = try chain.deploy("list", owner: alice, deposit: 100_000_000_000, Self.lister)
        let before = try chain.record(contract)
        var model: Set<UInt32> = []

        // Random keys of a narrow range, then ascending ones, then almost all away.
        for step in 0..<60 {
            let removes = step >= 30 ? step % 6 != 0 : step % 4 == 3
            var keys: [UInt32] = []
            for place in 0..<Self.batch {
                if removes, !model.isEmpty {
                    let known = model.sorted()[Int.random(in: 0..<model.count, using: &random)]
                    keys.append(known)
                    model.remove(known)
                } else {
                    let key = step % 5 == 0 ? UInt32(1_000_000 + step * 100 + place) : UInt32.random(in: 1...3_000, using: &random)
                    keys.append(key)
                    if removes { model.remove(key) } else { model.insert(key) }
                }
            }
            let action = ActionId(removes ? 257 : 256)
            let receipt = try chain.send(alice, service: "list", action, data: keys.flatMap(bytes), gas: 40_000_000)
            #expect(receipt.outcome == .succeeded, "seed \(seed), step \(step): \(receipt.outcome)")
            if step % 10 == 9 { try #expect(walk(chain, 5_000) == model.sorted(), "seed \(seed), step \(step)") }
        }

        // What is gone gives all its deposit back.
        while !model.isEmpty {
            let keys = Array(model.sorted().prefix(Self.batch))
            let padded = keys + Array(repeating: keys[0], count: Self.batch - keys.count)
            #expect(try chain.send(alice, service: "list", ActionId(257), data: padded.flatMap(bytes), gas: 40_000_000).outcome == .succeeded)
            model.subtract(keys)
        }
        try #expect(walk(chain, 10).isEmpty)
        #expect(!chain.state.values.contains { $0.key.bytes.first == UInt8(ascii: "i") && $0.value.count > 0 })
        let held = chain.ledger.genesis.parameters.deposit(keyBytes: StateKey.storage(contract, Array("last".utf8)).bytes.count, valueBytes: 8)
        #expect(try chain.record(contract).deposit == before.deposit + held)
    }

    /// All keys, asked for one after the other.
    private func walk(_ chain: TestChain, _ most: Int) throws -> [UInt32] {
        var found: [UInt32] = []
        var after = bytes(0)
        var input: [UInt8] = [0, 0, 0, 0] + after
        for _ in 0..<most {
            let list = try #require(ServiceId("list"))
            let result = try #require(try chain.ledger.query(list, input: input, state: chain.state))
            guard case .returned(let reply) = result.outcome, reply.count == 8 else {
                Issue.record("\(result.outcome)")
                return found
            }
            guard reply[0] == 4 else { return found }
            after = Array(reply[4..<8])
            found.append(after.reduce(0) { $0 << 8 | UInt32($1) })
            input = [0, 0, 0, 0] + after
        }
        return found
    }

    @Test func prefixesAndEdges() throws {
        let alice = try User("alice")
        var chain = try TestChain([alice])
        func insert(_ text: String) -> Step { .keyInsert(text) }
        func next(_ prefix: String, _ after: String, key: String) -> [Step] {
            [.keyNext(prefix: prefix, after: after), .setKey(key: key)]
        }
        let (contract, _) = try chain.deploy(
            "list", owner: alice, deposit: 1_000_000,
            [
                (
                    "action",
                    [insert("b/1"), insert("a/2"), insert("a/1"), insert("a/1"), .setResult(key: "again")]
                        + next("a/", "", key: "1") + next("a/", "a/1", key: "2") + next("a/", "a/2", key: "3")
                        + next("", "", key: "4") + next("", "a/2", key: "5") + next("a/", "a", key: "6") + next("c", "", key: "7")
                        + next("", "b/1", key: "8") + next("b/1", "", key: "9")
                        + [.when(action: 257, [.raw(.key_insert, [0, 0])]), .when(action: 258, [.raw(.key_insert, [0, 65])])]
                )
            ])
        #expect(try chain.send(alice, service: "list", ActionId(256)).outcome == .succeeded)
        func stored(_ key: String) -> String? {
            guard let bytes = chain.stored(contract, key), bytes[0] != 255 else { return nil }
            return String(decoding: bytes[4..<(4 + Int(bytes[0]))], as: UTF8.self)
        }
        #expect(chain.stored(contract, "again")?.first == 0)
        #expect(["1", "2", "3", "4", "5", "6", "7", "8", "9"].map(stored) == ["a/1", "a/2", nil, "a/1", "b/1", "a/1", nil, nil, "b/1"])
        #expect(try chain.send(alice, service: "list", ActionId(257)).outcome.failure == "a key of the list is empty")
        #expect(try chain.send(alice, service: "list", ActionId(258)).outcome.failure?.contains("at most 64") == true)
    }

    /// The signer is the same all along the way, and nobody in what nobody signed.
    @Test func whoSignedIsKnownAllAlong() throws {
        let alice = try User("alice"), bob = try User("bob")
        var parameters = Parameters()
        parameters.balancePerCredit = 1
        var chain = try TestChain([alice, bob], parameters: parameters)
        let noteSigner: [Step] = [.raw(.signer, [512]), .setResult(key: "known"), .setMemory(key: "signer", at: 512, count: 32)]
        let (inner, _) = try chain.deploy("inner", owner: alice, deposit: 100_000_000, [("action", noteSigner)])
        let (outer, _) = try chain.deploy(
            "outer", owner: alice, deposit: 100_000_000_000,
            [
                ("action", [.call(service: "inner", action: 1, data: [], amount: 0), .schedule(time: 0, entry: 1, data: [])]),
                ("scheduled", noteSigner),
            ])
        #expect(try chain.send(bob, service: "outer", ActionId(256)).outcome == .succeeded)
        #expect(chain.stored(inner, "known")?.first == 1 && chain.stored(inner, "signer") == bob.account.bytes)
        try chain.run()
        #expect(chain.stored(outer, "known")?.first == 0)
    }

    @Test func aContractReadsItsAndOtherServicesRecords() throws {
        let alice = try User("alice"), bob = try User("bob")
        var chain = try TestChain([alice, bob])
        let (other, _) = try chain.deploy("other", owner: bob, validator: alice.account, [("action", [])])
        let (contract, _) = try chain.deploy(
            "reader", owner: alice, deposit: 1_000_000,
            [
                (
                    "action",
                    [.service(""), .setMemory(key: "own", at: 65_536, count: 232), .service("other"), .setResult(key: "length"),
                        .setMemory(key: "other", at: 65_536, count: 232), .service("none"), .setResult(key: "none")]
                )
            ])
        #expect(try chain.send(alice, service: "reader", ActionId(256)).outcome == .succeeded)
        let own = try #require(chain.stored(contract, "own")), second = try #require(chain.stored(contract, "other"))
        #expect(Array(own[0..<32]) == contract.bytes && Array(own[32..<64]) == alice.account.bytes && own[192] == 0)
        #expect(Array(second[0..<32]) == other.bytes && Array(second[32..<64]) == bob.account.bytes && second[192] == 1)
        #expect(Array(second[96..<128]) == alice.account.bytes)
        #expect(Array(second[200..<208]) == Array("contract".utf8) && second[196] == 8)
        #expect(chain.stored(contract, "length")?.first == 232)
        #expect(chain.stored(contract, "none")?.prefix(4) == [255, 255, 255, 255])
    }
}
