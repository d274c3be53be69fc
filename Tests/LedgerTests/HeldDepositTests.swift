import Cryptography
import Encoding
import Ledger
import Primitives
import Testing

/// What every account holds for state is what its state locks, no more and no less, whatever happened: nothing is left
/// locked by what has gone, and nobody's deposit pays for somebody else's state.
@Suite(.timeLimit(.minutes(20))) struct HeldDepositTests {
    /// From the whole state, as `Docs/protocol.md` has it.
    private func expected(_ chain: TestChain, founders: Set<Account>) throws -> [Account: UInt128] {
        let parameters = chain.ledger.genesis.parameters
        var held: [Account: UInt128] = [:]
        func account(_ bytes: ArraySlice<UInt8>) throws -> Account { try #require(Account(Array(bytes))) }
        let contracts = Set(
            try chain.state.values.keys.filter { $0.bytes.first == UInt8(ascii: "n") }.map { try account($0.bytes.dropFirst()) })
        for (key, value) in chain.state.values {
            let name = key.bytes.dropFirst()
            switch key.bytes.first {
            case UInt8(ascii: "a"):
                let owner = try account(name)
                let record = try AccountRecord(borsh: value)
                if record.lent > 0 {
                    held[try #require(record.sponsor), default: 0] += record.lent
                } else if !founders.contains(owner), !contracts.contains(owner) {
                    held[owner, default: 0] += parameters.accountDeposit
                }
            case UInt8(ascii: "W"):
                let record = try CodeRecord(borsh: value)
                held[record.owner, default: 0] += record.deposit
                // And it counts who uses it.
                let hash = try #require(Digest(Array(name)))
                let users = try chain.state.values.filter { $0.key.bytes.first == UInt8(ascii: "s") }
                    .count { try ServiceRecord(borsh: $0.value).codeHash == hash }
                #expect(record.services == UInt64(users))
            case UInt8(ascii: "s"):
                held[try ServiceRecord(borsh: value).owner, default: 0] += parameters.serviceDeposit
            case UInt8(ascii: "c") where name.count > 32:
                held[try account(name.prefix(32)), default: 0] += parameters.deposit(
                    keyBytes: key.bytes.count, valueBytes: value.count)
            case UInt8(ascii: "k"):
                let contract = try account(name.prefix(32))
                held[contract, default: 0] += parameters.deposit(keyBytes: 65, valueBytes: 40)
                held[contract, default: 0] += try SponsorUse(borsh: value).lent
            case UInt8(ascii: "j"):
                let (contract, member) = (try account(name.prefix(32)), try account(name.suffix(32)))
                let use = try chain.state.values[.sponsorUse(contract, member)].map { try SponsorUse(borsh: $0) }
                if use?.lent ?? 0 == 0 { held[member, default: 0] += parameters.deposit(keyBytes: 65, valueBytes: 16) }
            case UInt8(ascii: "d"):
                held[try Dispute(borsh: value).accuser, default: 0] += parameters.deposit(keyBytes: 65, valueBytes: 9_216)
            case UInt8(ascii: "t"):
                let call = try ScheduledCall(borsh: value)
                held[call.contract, default: 0] += parameters.deposit(keyBytes: 9, valueBytes: call.data.count + 128)
            default: break
            }
        }
        return held
    }

    private func check(_ chain: TestChain, founders: Set<Account>, _ note: String) throws {
        let expected = try expected(chain, founders: founders)
        for (key, value) in chain.state.values where key.bytes.first == UInt8(ascii: "a") {
            let owner = try #require(Account(Array(key.bytes.dropFirst())))
            #expect(try AccountRecord(borsh: value).deposit == expected[owner] ?? 0, "\(note): \(owner)")
        }
    }

    @Test(arguments: [1, 2, 3, 4] as [UInt64]) func everyDepositIsWhatItsStateLocks(seed: UInt64) throws {
        var random = SplitMix64(seed: seed)
        let owner = try User("owner of all")
        let rich = try (0..<2).map { try User("rich \($0)") }
        let poor = try (0..<5).map { try User("poor \($0)") }
        var parameters = Parameters()
        parameters.balancePerCredit = 1
        parameters.depositPerKey = 1_000
        parameters.depositPerByte = 10
        var chain = try TestChain([owner] + rich, balance: 4_000_000_000, parameters: parameters, deposits: true)
        let founders = Set(([owner] + rich).map(\.account) + [Account(chain.masternode.key.publicKey)])
        let code = WasmAssembler.module([
            (
                "action",
                [
                    .when(action: 256, [.setInput(key: "a")]), .when(action: 257, [.setInput(key: "b")]),
                    .when(action: 258, [.remove(key: "a")]), .when(action: 259, [.schedule(time: 0, entry: 1, data: [1])]),
                    .when(action: 260, [.setInput(key: "a"), .trap]),
                    .when(action: 261, [.transfer(to: poor[0].account.bytes, amount: 40_000)]),
                ]
            ),
            ("scheduled", [.remove(key: "b")]),
        ])
        let other = WasmAssembler.module([("action", [.emit(topic: "t", data: [])])])
        try chain.send(owner, .uploadContract, data: code, gas: 20_000_000)
        for name in ["s", "t"] {
            let data = RegisterService(
                service: try #require(ServiceId(name)), codeHash: Digest(sha256: code), kind: "job", validator: nil,
                sponsorship: Sponsorship(creditsPerMember: 1 << 40, creditsPerWindow: 1 << 40, newcomers: 2), initData: [])
            let receipt = try chain.send(owner, .registerService, data: data.borsh, value: 500_000_000, gas: 20_000_000)
            #expect(receipt.outcome == .succeeded)
        }
        let all = rich + poor
        var done = 0
        for step in 0..<120 {
            let user = all[Int.random(in: 0..<all.count, using: &random)]
            let service = ["s", "t"][Int.random(in: 0..<2, using: &random)]
            let junk = random.bytes(Int.random(in: 0..<50, using: &random))
            let signed: SignedTransaction
            switch Int.random(in: 0..<12, using: &random) {
            case 0, 1: signed = try chain.transaction(user, service: service, .applicationTask)
            case 2: signed = try chain.transaction(user, service: service, .releaseRelation)
            case 3:
                let to = all[Int.random(in: 0..<all.count, using: &random)]
                let value = UInt128(UInt64.random(in: 1...60_000, using: &random))
                signed = try chain.transaction(rich[0], .transfer, data: Transfer(recipient: to.account).borsh, value: value)
            case 4:
                signed = try chain.transaction(rich[1], .uploadContract, data: other)
            case 5:
                signed = try chain.transaction(rich[1], .removeContract, data: RemoveContract(codeHash: Digest(sha256: other)).borsh)
            case 6, 7:
                let guests = poor.filter { _ in Bool.random(using: &random) }.map(\.account)
                let data = InviteMembers(
                    service: try #require(ServiceId(service)), accounts: guests, invites: Bool.random(using: &random))
                signed = try chain.transaction(owner, .inviteMembers, data: data.borsh)
            default:
                let action = ActionId(UInt16.random(in: 256...261, using: &random))
                signed = try chain.transaction(user, service: service, action, data: junk)
            }
            let selection = try chain.ledger.selectTransactions(
                from: [signed], state: chain.state, time: chain.time.advanced(by: 1), certificate: chain.certificate)
            done += selection.transactions.count
            try chain.run(selection.transactions, after: 1)
            try check(chain, founders: founders, "seed \(seed), step \(step)")
            // Now and then a window passes.
            if Int.random(in: 0..<6, using: &random) == 0 { try chain.run(after: parameters.creditWindowMs / 2) }
        }
        #expect(done > 60, "seed \(seed): \(done)")
    }
}
