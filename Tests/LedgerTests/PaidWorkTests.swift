import Cryptography
import Encoding
import Ledger
import Primitives
import Testing

/// No work is done that nobody pays for, and no credit pays twice: not when money, a schedule or a sponsor takes it away
/// in the very block for which it was reserved.
@Suite(.timeLimit(.minutes(20))) struct PaidWorkTests {
    private let alice: User, bob: User
    private var chain: TestChain
    private let contract: Account

    private static let credits: UInt64 = 400_000_000
    private static let unpaid = "the credits that it reserved were spent or left earlier in the block"

    init() throws {
        alice = try User("alice")
        bob = try User("bob")
        var parameters = Parameters()
        parameters.balancePerCredit = 1
        parameters.scheduledGasPerCall = 20_000_000
        chain = try TestChain([alice, bob], balance: UInt128(Self.credits), parameters: parameters)
        let code = WasmAssembler.module([
            (
                "action",
                [
                    .when(action: 256, [.spin]),
                    .when(action: 257, Array(repeating: .schedule(time: 1 << 40, entry: 1, data: []), count: 6)),
                    .when(action: 258, [.transfer(to: bob.account.bytes, amount: 60_000_000)]),
                    .when(action: 259, [.schedule(time: 0, entry: 1, data: [])]),
                ]
            ),
            ("scheduled", [.emit(topic: "t", data: [])]),
        ])
        try chain.send(bob, .uploadContract, data: code, gas: 20_000_000)
        contract = Account.contract(creator: bob.account, sequence: try chain.record(bob.account).sequence)
        let data = RegisterService(
            service: try #require(ServiceId("s")), codeHash: Digest(sha256: code), kind: "job", validator: nil,
            sponsorship: Sponsorship(creditsPerMember: 1 << 40, creditsPerWindow: 1 << 40, newcomers: 9), initData: [])
        #expect(try chain.send(bob, .registerService, data: data.borsh, value: 200_000_000, gas: 20_000_000).outcome == .succeeded)
        let window = parameters.creditWindowMs
        try chain.run(after: 2 * window - chain.time.value % window)
    }

    /// What everybody could spend at a time, and what waiting calls have paid already.
    private func credits(at time: Time) throws -> UInt128 {
        let rule = Credits(chain.ledger.genesis.parameters)
        return try chain.state.values.reduce(0) { sum, entry in
            switch entry.key.bytes.first {
            case UInt8(ascii: "a"): sum + UInt128(rule.available(try AccountRecord(borsh: entry.value), at: time))
            case UInt8(ascii: "t"): sum + UInt128(try ScheduledCall(borsh: entry.value).gas)
            default: sum
            }
        }
    }

    /// Runs a block and checks that its gas was paid for.
    @discardableResult
    private mutating func run(_ transactions: [SignedTransaction], _ note: String = "") throws -> [Receipt] {
        let before = try credits(at: chain.time.advanced(by: 1))
        let receipts = try chain.run(transactions, after: 1).receipts
        let worked = receipts.filter { $0.outcome.failure != Self.unpaid }.reduce(UInt128(0)) { $0 + UInt128($1.gasUsed) }
        let after = try credits(at: chain.time)
        #expect(before >= after && before - after >= worked, "\(note): \(worked) of gas for \(Int128(before) - Int128(after)) credits")
        return receipts
    }

    @Test mutating func creditsThatMoveOnWithTheirMoneyDoNotPayTwice() throws {
        let pay = try chain.transaction(alice, service: "s", .paymentRequester, value: 399_000_000, gas: 5_000_000)
        let spins = try (1...4 as ClosedRange<UInt64>).map {
            try chain.transaction(alice, service: "s", ActionId(256), gas: 40_000_000, ahead: $0)
        }
        let receipts = try run([pay] + spins)
        #expect(receipts.first?.outcome == .succeeded)
        #expect(receipts.dropFirst().allSatisfy { $0.outcome.failure == Self.unpaid })
        // Their sequences are used up, and they stand in the history.
        #expect(try chain.record(alice.account).sequence == 5 && chain.historiesAreComplete())
    }

    /// Nor in one transaction: what pays for it stays until it is done.
    @Test mutating func aTransactionPaysThoughItsMoneyLeaves() throws {
        let all = try chain.record(alice.account).balance
        let before = try credits(at: chain.time.advanced(by: 1))
        let pay = try chain.transaction(alice, service: "s", .paymentRequester, value: all, gas: 40_000_000)
        let receipt = try #require(try run([pay]).first)
        #expect(receipt.outcome == .succeeded)
        #expect(try before - credits(at: chain.time) >= UInt128(40_000_000 + receipt.gasUsed) / 2)
    }

    @Test mutating func aSponsorsCreditsAreNotScheduledAway() throws {
        let worker = try User("worker")
        try chain.send(worker, service: "s", .applicationTask, gas: 2_000_000, after: 1)
        // Six calls of 20 million each, and nothing is left for what follows in the block.
        let transactions = try [257, 256, 256, 256].enumerated().map {
            try chain.transaction(worker, service: "s", ActionId($1), gas: 25_000_000, ahead: UInt64($0))
        }
        let receipts = try run(transactions)
        #expect(receipts.map { $0.outcome == .succeeded } == [true, false, false, false])
        #expect(receipts.contains { $0.outcome.failure == Self.unpaid })
    }

    @Test(arguments: [1, 2, 3, 4] as [UInt64]) mutating func noBlockWorksForNothing(seed: UInt64) throws {
        var random = SplitMix64(seed: seed)
        let workers = try (0..<3).map { try User("worker \($0)") }
        for worker in workers { try chain.send(worker, service: "s", .applicationTask, gas: 2_000_000, after: 1) }
        let users = [alice, bob] + workers
        var unpaid = 0
        var paid = 0
        for step in 0..<60 {
            var candidates: [SignedTransaction] = []
            var ahead: [Account: UInt64] = [:]
            for _ in 0..<Int.random(in: 1...9, using: &random) {
                let user = users[Int.random(in: 0..<users.count, using: &random)]
                let to = users[Int.random(in: 0..<users.count, using: &random)]
                let gas = [2_000_000, 10_000_000, 40_000_000][Int.random(in: 0..<3, using: &random)] as UInt64
                let next = ahead[user.account, default: 0]
                ahead[user.account] = next + 1
                let balance = try chain.balance(user.account)
                let value = balance / UInt128(UInt64.random(in: 1...3, using: &random))
                switch Int.random(in: 0..<7, using: &random) {
                case 0:
                    candidates.append(
                        try chain.transaction(
                            user, .transfer, data: Transfer(recipient: to.account).borsh, value: value, gas: gas, ahead: next))
                case 1:
                    candidates.append(
                        try chain.transaction(user, service: "s", .paymentRequester, value: value, gas: gas, ahead: next))
                default:
                    let action = ActionId(UInt16.random(in: 256...259, using: &random))
                    candidates.append(try chain.transaction(user, service: "s", action, gas: gas, ahead: next))
                }
            }
            let chosen = try chain.ledger.selectTransactions(
                from: candidates, state: chain.state, time: chain.time.advanced(by: 1), certificate: chain.certificate)
            for receipt in try run(chosen.transactions, "seed \(seed), step \(step)") {
                if receipt.outcome.failure == Self.unpaid { unpaid += 1 } else { paid += 1 }
            }
            try chain.run(after: UInt64.random(in: 1...900_000, using: &random))
        }
        // The run met what it is about.
        #expect(paid > 60 && unpaid > 0, "seed \(seed): \(paid) paid, \(unpaid) not")
    }
}
