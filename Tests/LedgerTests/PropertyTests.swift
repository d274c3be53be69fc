import Cryptography
import Encoding
import Ledger
import Primitives
import Testing

@Suite(.timeLimit(.minutes(20))) struct PropertyTests {
    /// Random blocks of valid, failing and hostile transactions. Whatever they do: what the builder chooses is valid,
    /// no money comes or goes, histories are complete, and a second run gives the same bytes.
    @Test(arguments: [1, 2, 3, 4] as [UInt64]) func randomBlocksKeepTheInvariants(seed: UInt64) throws {
        var random = SplitMix64(seed: seed)
        let users = try (0..<5).map { try User("user \($0)") }
        var parameters = Parameters()
        parameters.balancePerCredit = 1
        parameters.blockGas = 40_000_000
        parameters.depositPerKey = 100
        parameters.depositPerByte = 1
        var chain = try TestChain(users, balance: 500_000_000, parameters: parameters, deposits: true)
        let other = Ledger(genesis: chain.ledger.genesis, cachedModuleBytes: 1)
        let total = try chain.totalBalance()
        // Five users and the collateral of one masternode.
        #expect(total == 2_500_000_000 + UInt128(parameters.collateral))

        let code = WasmAssembler.module([
            ("init", [.schedule(time: 0, entry: 1, data: [])]),
            (
                "action",
                [
                    .setInput(key: "i"), .emit(topic: "t", data: [1]),
                    .when(action: 256, [.transfer(to: users[0].account.bytes, amount: 7)]),
                    .when(action: 257, [.call(service: "s1", action: 256, data: [], amount: 3), .setResult(key: "c")]),
                    .when(action: 258, [.schedule(time: 0, entry: 1, data: [1])]),
                    .when(action: 259, [.verdict(about: users[1].account.bytes, role: 1, kind: 0, weight: 5, post: "r0/v")]),
                    .when(action: 260, [.trap]), .when(action: 261, [.spin]), .when(action: 262, [.remove(key: "i")]),
                ]
            ),
            ("scheduled", [.transfer(to: users[2].account.bytes, amount: 1), .schedule(time: 0, entry: 1, data: [])]),
        ])
        try chain.send(users[0], .uploadContract, data: code)
        for name in ["s0", "s1"] {
            let data = RegisterService(
                service: try #require(ServiceId(name)), codeHash: Digest(sha256: code), kind: "contract",
                validator: users[4].account, initData: [])
            #expect(try chain.send(users[0], .registerService, data: data.borsh, value: 100_000_000).outcome == .succeeded)
        }

        var outcomes = (succeeded: 0, failed: 0, recorded: 0)
        for step in 0..<30 {
            var candidates: [SignedTransaction] = []
            var ahead = Array(repeating: UInt64(0), count: users.count)
            for _ in 0..<Int.random(in: 0...12, using: &random) {
                candidates.append(try randomTransaction(users, chain, &ahead, &random))
            }
            let selection = try chain.ledger.selectTransactions(
                from: candidates, state: chain.state, time: chain.time.advanced(by: 1_000),
                certificate: chain.certificate)
            let block = chain.block(selection.transactions)
            #expect(block.header.transactionsRoot == selection.transactionsRoot)
            let first = try chain.ledger.execute(block, state: chain.state)
            let second = try other.execute(block, state: chain.state)
            #expect(first.delta == second.delta && first.receipts == second.receipts, "seed \(seed), step \(step)")
            #expect(first.nextDue == second.nextDue && first.logs == second.logs, "seed \(seed), step \(step)")
            let keys = first.delta.changes.map(\.key)
            #expect(zip(keys, keys.dropFirst()).allSatisfy { $0 < $1 }, "seed \(seed), step \(step)")
            #expect(first.receipts.count >= selection.transactions.count, "seed \(seed), step \(step)")

            for receipt in first.receipts {
                switch receipt.outcome {
                case .succeeded: outcomes.succeeded += 1
                case .failed: outcomes.failed += 1
                case .recorded: outcomes.recorded += 1
                }
            }
            let layer = StateLayer(first.delta, over: chain.state)
            let applied = try chain.apply(block)
            for key in chain.state.values.keys + keys {
                #expect(try layer.value(key) == chain.state.value(key), "seed \(seed), step \(step)")
            }
            #expect(applied.delta == first.delta, "seed \(seed), step \(step)")
            #expect(try chain.totalBalance() == total, "seed \(seed), step \(step)")
        }
        #expect(try chain.historiesAreComplete(), "seed \(seed)")
        // The run met what it is about.
        #expect(outcomes.succeeded > 20 && outcomes.failed > 10 && outcomes.recorded > 0, "seed \(seed): \(outcomes)")
    }

    private func randomTransaction(
        _ users: [User], _ chain: TestChain, _ next: inout [UInt64], _ random: inout SplitMix64
    ) throws -> SignedTransaction {
        let index = Int.random(in: 0..<users.count, using: &random)
        let user = users[index]
        let to = users[Int.random(in: 0..<users.count, using: &random)]
        // Mostly in order; sometimes a gap or one again.
        let strays = Int.random(in: 0..<8, using: &random) == 0
        let ahead = strays ? UInt64.random(in: 0...2, using: &random) : next[index]
        next[index] = ahead + 1
        let value = UInt128(UInt64.random(in: 0...3, using: &random)) * 150_000_000
        let least = Parameters().intrinsicGas(dataBytes: 500)
        let gas = [least, 2 * least, 10 * least, 40 * least][Int.random(in: 0..<4, using: &random)]
        let junk = random.bytes(Int.random(in: 0..<80, using: &random))
        switch Int.random(in: 0..<6, using: &random) {
        case 0, 1:
            return try chain.transaction(
                user, .transfer, data: Transfer(recipient: to.account).borsh, value: value, gas: gas, ahead: ahead)
        case 2:
            let action = ActionId(UInt16.random(in: 0...30, using: &random))
            return try chain.transaction(user, action, data: junk, value: value, gas: gas, ahead: ahead)
        case 3:
            let action = ActionId(UInt16.random(in: 1...9, using: &random))
            let service = ["s0", "s1", "s2", "\u{0}"][Int.random(in: 0..<4, using: &random)]
            return try chain.transaction(
                user, service: service, action, data: junk, value: value, gas: gas, ahead: ahead)
        default:
            let action = ActionId(UInt16.random(in: 256...263, using: &random))
            let service = ["s0", "s1", "s3"][Int.random(in: 0..<3, using: &random)]
            return try chain.transaction(
                user, service: service, action, data: junk, value: value / 1_000, gas: gas, ahead: ahead)
        }
    }

    @Test func theGenesisStateHoldsTheSupply() throws {
        let users = try (0..<3).map { try User("user \($0)") }
        let chain = try TestChain(users, balance: 7)
        #expect(chain.state.values[.supply] == (21 + UInt128(chain.ledger.genesis.parameters.collateral)).borsh)
        #expect(chain.state.values[.randomness] == chain.ledger.genesis.initialRandomness.borsh)
        #expect(chain.state.values[.beacon(chain.masternode.key.publicKey)] != nil)
        let keys = chain.ledger.genesisState().changes.map(\.key)
        #expect(zip(keys, keys.dropFirst()).allSatisfy { $0 < $1 })
        let view = try chain.ledger.account(users[0].account, at: chain.time, state: chain.state)
        #expect(view?.record.balance == 7 && view?.credits == view?.capacity)
    }

    @Test func anUnreadableStateStopsExecutionCleanly() throws {
        let alice = try User("alice")
        var chain = try TestChain([alice])
        try chain.deploy("s", owner: alice, deposit: 5, [("action", [.get(key: "k")])])
        struct Broken: StateReader {
            struct Failure: Error, CustomStringConvertible { let description = "the disk is gone" }
            let state: MapState
            let after: Int
            let count = Counter()
            final class Counter { var reads = 0 }
            func value(_ key: StateKey) throws -> [UInt8]? {
                count.reads += 1
                if count.reads > after { throw Failure() }
                return state.value(key)
            }
        }
        let block = chain.block([try chain.transaction(alice, service: "s", ActionId(256))])
        let whole = Broken(state: chain.state, after: .max)
        _ = try chain.ledger.execute(block, state: whole)
        for reads in 0..<whole.count.reads {
            #expect(throws: LedgerError.storage("the disk is gone")) {
                try chain.ledger.execute(block, state: Broken(state: chain.state, after: reads))
            }
        }
        var damaged = chain.state
        damaged.values[.account(alice.account)] = [1, 2]
        #expect(throws: LedgerError.self) { try chain.ledger.execute(block, state: damaged) }
    }
}
