import Cryptography
import Encoding
import Ledger
import Primitives
import Testing

@Suite(.timeLimit(.minutes(20))) struct RefusalTests {
    private let alice: User, poor: User
    private var chain: TestChain

    init() throws {
        alice = try User("alice")
        poor = try User("poor")
        chain = try TestChain([alice])
        for _ in 0..<3 { try chain.send(alice, service: "s", .distributeTask) }
    }

    private func admit(_ signed: SignedTransaction) throws -> Refusal? {
        guard case .refused(let refusal) = try chain.ledger.admit(signed, state: chain.state, time: chain.time) else {
            return nil
        }
        return refusal
    }

    /// Refused by admission, and for the same reason by the check of a block.
    private func expect(_ signed: SignedTransaction, _ refusal: Refusal, sourceLocation: SourceLocation = #_sourceLocation)
        throws
    {
        #expect(try admit(signed) == refusal, sourceLocation: sourceLocation)
        // 1 ms later, so that the block's time is not yet another second ahead.
        let verdict = try chain.check(chain.block([signed], after: 1))
        guard case .invalid(.transaction(0, let reason)) = verdict else {
            Issue.record("the block is \(verdict)", sourceLocation: sourceLocation)
            return
        }
        switch (refusal, reason) {
        case (.expired, .expired), (.validTooLong, .validTooLong), (.tooFewCredits, .tooFewCredits): break
        default: #expect(reason == refusal, sourceLocation: sourceLocation)
        }
    }

    @Test func formIsChecked() throws {
        for action in [0, 10, 15, 40, 255] as [UInt16] {
            try expect(try chain.transaction(alice, ActionId(action)), .noSuchAction(ActionId(action)))
        }
        try expect(try chain.transaction(alice, .rotateKey), .notAvailable(.rotateKey))
        for action in [17, 18, 19, 20, 21] as [UInt16] {
            let empty = try chain.transaction(alice, ActionId(action))
            guard case .refused(.malformedData(ActionId(action), _)) = try chain.ledger.admit(
                empty, state: chain.state, time: chain.time)
            else {
                Issue.record("action \(action) was admitted without data")
                continue
            }
        }
        try expect(
            try chain.transaction(alice, service: "job", .transfer),
            .chainActionElsewhere(.transfer, try #require(ServiceId("job"))))
        let short = try chain.transaction(alice, .transfer, data: [1, 2])
        #expect(try admit(short)?.description.contains("not that of transfer") == true)
        let long = Transfer(recipient: alice.account).borsh + [0]
        #expect(try admit(try chain.transaction(alice, .transfer, data: long))?.description.contains("1 bytes follow") == true)
        try expect(
            try chain.transaction(alice, service: "none", ActionId(300)),
            .noSuchService(try #require(ServiceId("none")), ActionId(300)))
    }

    @Test func gasAndSizeAreChecked() throws {
        let needed = chain.ledger.genesis.parameters.intrinsicGas(dataBytes: 3)
        try expect(
            try chain.transaction(alice, service: "s", .distributeTask, data: [1, 2, 3], gas: needed - 1),
            .gasLimitTooLow(needed - 1, needed: needed))
        let most = chain.ledger.genesis.parameters.transactionGas
        try expect(
            try chain.transaction(alice, service: "s", .distributeTask, gas: most + 1),
            .gasLimitTooHigh(most + 1, limit: most))
        let bytes = [UInt8](repeating: 0, count: ChainLimits.transactionBytes + 1)
        #expect(throws: Refusal.oversize(bytes: bytes.count, limit: ChainLimits.transactionBytes)) {
            _ = try Ledger.decode(bytes).get()
        }
        let valid = try chain.transaction(alice, service: "s", .distributeTask).borsh
        #expect(try Ledger.decode(valid).get().borsh == valid)
        #expect(throws: Refusal.self) { _ = try Ledger.decode(valid + [0]).get() }
        #expect(throws: Refusal.self) { _ = try Ledger.decode(Array(valid.dropLast())).get() }
    }

    @Test func signaturesAreOfThisChainAndSender() throws {
        let good = try chain.transaction(alice, service: "s", .distributeTask)
        let elsewhere = try SignedTransaction(signing: good.transaction, with: alice.key, genesis: Digest(sha256: [1]))
        try expect(elsewhere, .wrongSignature)
        let forged = try SignedTransaction(signing: good.transaction, with: poor.key, genesis: chain.ledger.genesisHash)
        try expect(forged, .wrongSignature)
        #expect(try admit(forged)?.description == "the signature is not the sender's for this chain")
        #expect(try admit(good) == nil)
        // What the node has verified before is not verified again.
        let verdict = try chain.ledger.checkBody(
            chain.block([forged]), parent: chain.parent, state: chain.state
        ) { transactions, ids in
            ids == transactions.map { $0.transaction.id(genesis: chain.ledger.genesisHash) } ? nil : 0
        }
        guard case .valid = verdict else { throw BlockIsInvalid() }
        // Else all are, as one batch, and the first wrong one is named.
        let next = try chain.transaction(alice, service: "s", .distributeTask, ahead: 1).transaction
        let second = try SignedTransaction(signing: next, with: poor.key, genesis: chain.ledger.genesisHash)
        #expect(try chain.check(chain.block([good, second])) == .invalid(.transaction(1, .wrongSignature)))
    }

    @Test func sequencesAreContiguous() throws {
        try expect(
            try chain.transaction(alice, service: "s", .distributeTask, sequence: 2), .sequenceReused(2, next: 3))
        let ahead = try chain.transaction(alice, service: "s", .distributeTask, sequence: 4)
        #expect(try admit(ahead) == nil)
        #expect(try chain.check(chain.block([ahead])) == .invalid(.transaction(0, .sequenceGap(4, next: 3))))
        let far = try chain.transaction(alice, service: "s", .distributeTask, sequence: 3 + 64)
        #expect(try admit(far) == .sequenceTooFarAhead(67, next: 3))
        let last = try chain.transaction(alice, service: "s", .distributeTask, sequence: .max)
        #expect(try admit(last) == .sequenceTooFarAhead(.max, next: 3))
    }

    @Test func timeAndCreditsAreChecked() throws {
        let early = try chain.transaction(alice, service: "s", .distributeTask, validFor: 0)
        #expect(try admit(early) == nil)
        guard case .invalid(.transaction(0, .expired)) = try chain.check(chain.block([early])) else { throw BlockIsInvalid() }
        let late = try chain.transaction(alice, service: "s", .distributeTask, validFor: 600_002)
        try expect(
            late, .validTooLong(validUntil: chain.time.advanced(by: 600_002), latest: chain.time.advanced(by: 600_000)))
        let bytes = try chain.transaction(poor, service: "s", .distributeTask).borsh.count
        try expect(
            try chain.transaction(poor, service: "s", .distributeTask),
            .tooFewCredits(needed: UInt64(bytes) * 100 + 10_000_000, available: 0, enoughAt: nil))
        // What waits already has reserved its part.
        let signed = try chain.transaction(alice, service: "s", .distributeTask)
        let verdict = try chain.ledger.admit(
            signed, state: chain.state, time: chain.time, reservedCredits: { _ in 1 << 50 })
        guard case .refused(.tooFewCredits(_, let available, let time)) = verdict else { throw BlockIsInvalid() }
        // That is more than its balance ever earns.
        #expect(available <= 125_000_000_000 && time == nil)
    }

    @Test func aSpentAccountWaitsForTheNamedTime() throws {
        var parameters = Parameters()
        parameters.balancePerCredit = 20_000
        var small = try TestChain([alice], parameters: parameters)
        try small.deploy("spin", owner: alice, [("action", [.spin])])
        // The upload took credits, too.
        try small.run(after: 3_600_000)
        let spent = try small.send(alice, service: "spin", ActionId(256), gas: 40_000_000)
        #expect(spent.outcome == .failed("out of gas") && spent.gasUsed == 40_000_000)
        let next = try small.transaction(alice, service: "spin", ActionId(256), gas: 10_000_000, validFor: 600_000)
        guard case .refused(.tooFewCredits(let needed, let available, let time)) = try small.ledger.admit(
            next, state: small.state, time: small.time)
        else { throw BlockIsInvalid() }
        #expect(available < needed)
        let then = try #require(time)
        guard case .admitted = try small.ledger.admit(next, state: small.state, time: then) else { throw BlockIsInvalid() }
        guard case .refused(.tooFewCredits) = try small.ledger.admit(
            next, state: small.state, time: Time(then.value - 1))
        else { throw BlockIsInvalid() }
    }

    /// What a module is worth shows in a block, where its sender pays for the check: admission never looks into it.
    @Test mutating func aMalformedContractPaysForItsCheck() throws {
        let bad = try chain.transaction(alice, .uploadContract, data: Array("junk".utf8) + Array(repeating: 0, count: 4_000))
        #expect(try admit(bad) == nil)
        let receipt = try #require(try chain.run([bad]).receipts.first)
        #expect(receipt.outcome == .failed("the data is no acceptable contract module"))
        #expect(receipt.gasUsed > 4_000 * 20)
    }

    @Test func keysOfSmallOrderDoNotSend() throws {
        for point in try smallOrderPoints() {
            let transaction = try Transaction(
                sender: Account(point), sequence: 0, validUntil: chain.time.advanced(by: 1_000), gasLimit: 5_000_000,
                serviceId: .chain, actionId: .transfer, data: Transfer(recipient: alice.account).borsh)
            let signed = SignedTransaction(
                transaction: transaction, authorization: .ed25519(try #require(Signature(Array(repeating: 0, count: 64)))))
            #expect(try admit(signed) == .smallOrder(Account(point)))
        }
    }

    @Test mutating func keysOfSmallOrderDoNotReceive() throws {
        for point in try smallOrderPoints() {
            let data = Transfer(recipient: Account(point)).borsh
            #expect(try chain.send(alice, .transfer, data: data, value: 1).outcome.failure?.contains("small order") == true)
        }
        // Nor from contracts.
        let points = try smallOrderPoints()
        let steps = points.enumerated().flatMap { place, point -> [Step] in
            [.transfer(to: point.bytes, amount: 100), .setResult(key: "\(place)")]
        }
        let (contract, _) = try chain.deploy("payer", owner: alice, deposit: 1_000, [("action", steps)])
        #expect(try chain.send(alice, service: "payer", ActionId(256)).outcome == .succeeded)
        for place in points.indices { #expect(chain.stored(contract, "\(place)")?.first == 1) }
        #expect(try chain.balance(contract) == 1_000)
    }

    private func smallOrderPoints() throws -> [PublicKey] {
        let neutral = [1] + [UInt8](repeating: 0, count: 31)
        var negative = neutral
        negative[31] = 0x80
        return [try #require(PublicKey(neutral)), try #require(PublicKey(negative)), .zero]
    }

    @Test mutating func aServiceOfTheSameBlockIsNotThereYet() throws {
        let code = WasmAssembler.module([("action", [])])
        try chain.send(alice, .uploadContract, data: code)
        let service = try #require(ServiceId("fresh"))
        let data = RegisterService(
            service: service, codeHash: Digest(sha256: code), kind: "contract", validator: nil, initData: [])
        let register = try chain.transaction(alice, .registerService, data: data.borsh)
        let use = try chain.transaction(alice, service: "fresh", ActionId(256), ahead: 1)
        #expect(
            try chain.check(chain.block([register, use]))
                == .invalid(.transaction(1, .noSuchService(service, ActionId(256)))))
        // EdgenceChain's own actions are valid without a service, and meet the one that is there by then.
        let apply = try chain.transaction(alice, service: "fresh", .applicationTask, ahead: 1)
        #expect(try chain.run([register, apply]).receipts.map(\.outcome) == [.succeeded, .succeeded])
    }
}
