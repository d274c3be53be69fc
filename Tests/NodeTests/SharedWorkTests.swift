import Cryptography
import NodeCore
import NodeHost
import Primitives
import Synchronization
import Testing

/// Counts what reaches it. A signature is right when it starts with the first bytes of key and message.
private final class CountingVerifier: NodeSignatures {
    private let counter = Mutex(0)
    var count: Int { counter.withLock { $0 } }

    func isValid(_ signature: Signature, of key: PublicKey, message: [UInt8]) -> Bool {
        counter.withLock { $0 += 1 }
        return Array(signature.bytes.prefix(2)) == [key.bytes.first, message.first]
    }

    func isAuthorized(_ transaction: SignedTransaction, id: TransactionId, genesis: Digest) -> Bool {
        counter.withLock { $0 += 1 }
        return transaction.transaction.sequence == 0
    }
}

@Suite(.timeLimit(.minutes(20))) struct RememberingVerifierTests {
    private func signature(_ key: UInt8, _ message: UInt8, _ salt: Int = 0) throws -> Signature {
        let tail = (0..<8).map { UInt8(truncatingIfNeeded: salt >> ($0 * 8)) }
        return try #require(Signature([key, message] + tail + [UInt8](repeating: 0, count: 54)))
    }

    private func key(_ first: UInt8) throws -> PublicKey {
        try #require(PublicKey([first] + [UInt8](repeating: 0, count: 31)))
    }

    @Test func aRightSignatureIsCheckedOnce() throws {
        let inner = CountingVerifier()
        let verifier = RememberingVerifier(inner)
        for _ in 0..<3 { #expect(try verifier.isValid(signature(1, 9), of: key(1), message: [9, 5])) }
        #expect(inner.count == 1)
    }

    @Test func aWrongOneIsNeverRemembered() throws {
        let inner = CountingVerifier()
        let verifier = RememberingVerifier(inner)
        for _ in 0..<3 { #expect(try !verifier.isValid(signature(1, 8), of: key(1), message: [9])) }
        #expect(inner.count == 3)
    }

    @Test func whatIsRememberedHoldsForThisKeyMessageAndSignatureOnly() throws {
        let inner = CountingVerifier()
        let verifier = RememberingVerifier(inner)
        #expect(try verifier.isValid(signature(1, 9), of: key(1), message: [9]))
        #expect(try !verifier.isValid(signature(1, 9), of: key(2), message: [9]))
        #expect(try !verifier.isValid(signature(1, 9), of: key(1), message: [8]))
        #expect(try verifier.isValid(signature(1, 9), of: key(1), message: [9, 0]))
        #expect(try verifier.isValid(signature(1, 9, 7), of: key(1), message: [9]))
        #expect(inner.count == 5)
    }

    /// A vote of this node comes back in certificates.
    @Test func whatThisNodeSignsItselfIsNotChecked() throws {
        let inner = CountingVerifier()
        let verifier = RememberingVerifier(inner)
        let key = try #require(PrivateKey(seed: [UInt8](repeating: 3, count: 32)))
        let other = try #require(PrivateKey(seed: [UInt8](repeating: 4, count: 32)))
        let signature = try RememberingSigner(key, known: verifier).sign(message: [9, 5])
        #expect(key.publicKey.isValid(signature, message: [9, 5]))
        #expect(verifier.isValid(signature, of: key.publicKey, message: [9, 5]))
        #expect(inner.count == 0)
        // Of this message and key alone.
        #expect(!verifier.isValid(signature, of: key.publicKey, message: [9, 6]))
        #expect(!verifier.isValid(signature, of: other.publicKey, message: [9, 5]))
        #expect(inner.count == 2)
    }

    @Test func itForgetsTheOldest() throws {
        let inner = CountingVerifier()
        let verifier = RememberingVerifier(inner)
        let many = 3 * 4_096
        for salt in 0..<many { #expect(try verifier.isValid(signature(1, 9, salt), of: key(1), message: [9])) }
        #expect(inner.count == many)
        #expect(try verifier.isValid(signature(1, 9, many - 1), of: key(1), message: [9]))
        #expect(inner.count == many)
        #expect(try verifier.isValid(signature(1, 9, 0), of: key(1), message: [9]))
        #expect(inner.count == many + 1)
    }
}

private func transaction(_ sequence: UInt64, bytes: Int = 0) throws -> SignedTransaction {
    let key = try #require(PrivateKey(seed: [UInt8](repeating: 3, count: 32)))
    return try SignedTransaction(
        signing: Transaction(
            sender: Account(key.publicKey), sequence: sequence, validUntil: Time(1), gasLimit: 1,
            serviceId: .chain, actionId: .transfer, data: [UInt8](repeating: 0, count: bytes)),
        with: key, genesis: .zero)
}

@Suite(.timeLimit(.minutes(20))) struct GossipCheckTests {
    @Test func aWrongSignatureSpoilsItsOwnMessageAlone() throws {
        // To this verifier a signature is right where the sequence is 0.
        let (right, wrong) = (try transaction(0), try transaction(1))
        func sound(_ messages: [[SignedTransaction]]) -> [Bool] {
            GossipCheck.areSound(messages, genesis: .zero, by: CountingVerifier())
        }
        #expect(sound([[right], [right, wrong], [right, right]]) == [true, false, true])
        #expect(sound([[wrong, right], [], [right]]) == [false, true, true])
        #expect(sound([[right, right, right], [wrong]]) == [true, false])
        #expect(sound([]) == [])
    }

    @Test func realSignaturesAreTakenAndForgedOnesAreNot() throws {
        let all = try (0..<20).map { try transaction(UInt64($0)) }
        let mixed = SignedTransaction(transaction: all[0].transaction, authorization: all[1].authorization)
        let messages = [Array(all[..<7]), Array(all[7..<12]) + [mixed], Array(all[12...])]
        #expect(GossipCheck.areSound(messages, genesis: .zero, by: RememberingVerifier()) == [true, false, true])
    }
}

@Suite(.timeLimit(.minutes(20))) struct GossipBatchTests {
    @Test func aFullBatchGoesAtOnceAndInOrder() throws {
        var batch = GossipBatch()
        let all = try (0..<UInt64(GossipBatch.mostTransactions)).map { try transaction($0) }
        let answers = all.map { batch.add([$0]) }
        #expect(answers.dropLast().allSatisfy { $0 })
        #expect(answers.last == false)
        let taken = batch.take()
        #expect(taken == all)
        #expect(batch.isEmpty)
        let hasRoom = batch.add([all[0]])
        #expect(hasRoom)
    }

    private let lead = Int(GossipBatch.lead)
    private let late = Int(GossipBatch.late)
    private let shortest = Int(GossipBatch.shortest)
    private let longest = Int(GossipBatch.longest)

    /// - Parameters:
    ///   - micros: until the next block; below 0 it is late.
    ///   - spacing: in milliseconds.
    private func wait(_ micros: Int, isExpected: Bool, spacing: UInt64 = 25) -> Int {
        let next: UInt64 = 1_000_000
        let now = next * 1_000
        return Int(
            GossipBatch.wait(
                at: micros < 0 ? now + UInt64(micros.magnitude) : now - min(now, UInt64(micros.magnitude)),
                nextBlock: Time(next), isExpected: isExpected, spacingMs: spacing))
    }

    @Test(arguments: [true, false]) func aBatchLeavesJustBeforeTheNextBlock(isExpected: Bool) {
        #expect(wait(25_000, isExpected: isExpected) == 25_000 - lead)
        #expect(wait(longest, isExpected: isExpected) == longest - lead)
        #expect(wait(lead + 1, isExpected: isExpected) == 1)
        // It stands in a future, or past, that some other clock made up.
        for micros in [longest + 1, 1 << 40, -100_000, -1_000_000_000] {
            #expect(wait(micros, isExpected: isExpected) == shortest)
        }
        let endless = GossipBatch.wait(at: 0, nextBlock: Time(.max), isExpected: isExpected, spacingMs: .max)
        #expect(endless == GossipBatch.shortest)
    }

    @Test func whereABlockIsExpectedAnywayWhatComesTooLateForItWaitsForTheOneAfter() {
        for micros in stride(from: late + 1, through: lead, by: 50) { #expect(wait(micros, isExpected: true) == 0) }
        #expect(wait(lead, isExpected: true) == 0)
        for micros in stride(from: -12_500, through: late, by: 50) {
            #expect(wait(micros, isExpected: true) == micros + 25_000 - lead)
        }
        #expect(wait(late, isExpected: true) == late + 25_000 - lead)
        // It should be here by now: perhaps it does not come.
        #expect(wait(-12_501, isExpected: true) == shortest)
        for micros in stride(from: -13_000, through: lead, by: 50) { #expect(wait(micros, isExpected: false) == shortest) }
        // Blocks that hurry, and those that take their time, are not waited for.
        for spacing in [UInt64(0), UInt64(lead) / 1_000, 1_000, .max] {
            #expect(wait(0, isExpected: true, spacing: spacing) == shortest)
        }
    }

    @Test func largeTransactionsDoNotWait() throws {
        var batch = GossipBatch()
        let half = GossipBatch.mostDataBytes / 2
        let first = batch.add([try transaction(0, bytes: half)])
        let second = batch.add([try transaction(1, bytes: half)])
        #expect(first && !second)
        let taken = batch.take()
        #expect(taken.count == 2)
        let third = batch.add([try transaction(2, bytes: half)])
        #expect(third)
    }
}
