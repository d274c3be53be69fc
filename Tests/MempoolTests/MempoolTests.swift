import Cryptography
import Mempool
import Primitives
import Testing

@Suite struct MempoolTests {
    @Test func refusesWhatIsKnownUsedTooFarOrTaken() throws {
        var pool = Mempool()
        let first = try admitted(1, 5)
        #expect(try pool.insert(first, nextSequence: 5).isEmpty)
        #expect(throws: MempoolRefusal.known(first.id)) { try pool.insert(first, nextSequence: 5) }
        #expect(throws: MempoolRefusal.sequenceReused(4, next: 5)) {
            try pool.insert(try admitted(1, 4), nextSequence: 5)
        }
        #expect(throws: MempoolRefusal.sequenceTooFarAhead(69, next: 5)) {
            try pool.insert(try admitted(1, 69), nextSequence: 5)
        }
        #expect(try pool.insert(try admitted(1, 68), nextSequence: 5).isEmpty)
        #expect(throws: MempoolRefusal.sequenceWaiting(5, first.id)) {
            try pool.insert(try admitted(1, 5, mark: 9), nextSequence: 5)
        }
        #expect(pool.count == 2)
        #expect(pool.transaction(first.id) == first)
        #expect(pool.freeSequence(of: account(1), nextSequence: 5) == 6)
        #expect(pool.reservedCredits(of: account(1)) == 120_000)
        #expect(pool.remove(first.id) == first)
        #expect(try pool.insert(try admitted(1, 5, mark: 9), nextSequence: 5).isEmpty)
    }

    @Test func candidatesTakeTurnsAndStopAtGaps() throws {
        var pool = Mempool()
        for (sender, sequence) in [(1, 0), (1, 1), (1, 2), (2, 0), (2, 2), (3, 7), (3, 8)] as [(Int, UInt64)] {
            _ = try pool.insert(try admitted(sender, sequence), nextSequence: sender == 3 ? 7 : 0)
        }
        let order = pool.candidates(maxBytes: .max, maxCount: .max).map {
            "\(($0.signed.transaction.sender == account(1)) ? 1 : $0.signed.transaction.sender == account(2) ? 2 : 3).\($0.signed.transaction.sequence)"
        }
        #expect(order == ["1.0", "2.0", "3.7", "1.1", "3.8", "1.2"])
        #expect(pool.candidates(maxBytes: .max, maxCount: 2).count == 2)

        // On an unfinalised parent that holds 1.0 and 1.1, the pool goes on from there.
        let ahead = pool.candidates(maxBytes: .max, maxCount: .max) { $0 == account(1) ? 2 : nil }
        #expect(ahead.first?.signed.transaction.sequence == 2)

        // Who had a turn goes to the end of the round.
        pool.include(Array(pool.candidates(maxBytes: .max, maxCount: 1).map(\.signed)))
        let next = pool.candidates(maxBytes: .max, maxCount: 1)
        #expect(next.first?.signed.transaction.sender == account(2))
    }

    @Test func inclusionAndExpiryMakeRoom() throws {
        var pool = Mempool()
        let mine = try admitted(1, 0)
        _ = try pool.insert(mine, nextSequence: 0)
        _ = try pool.insert(try admitted(1, 1, validUntil: 20), nextSequence: 0)
        _ = try pool.insert(try admitted(2, 0, validUntil: 30), nextSequence: 0)
        // Another transaction of the same account and sequence was finalised.
        pool.include([try admitted(1, 0, mark: 3).signed])
        #expect(!pool.contains(mine.id))
        #expect(pool.expire(at: Time(20)).isEmpty)
        #expect(pool.expire(at: Time(21)).map(\.signed.transaction.sequence) == [1])
        #expect(pool.expire(at: Time(31)).count == 1)
        #expect(pool.isEmpty && pool.byteCount == 0 && pool.senderCount == 0)
    }

    @Test func aFullPoolServesTheLightestFirst() throws {
        var pool = Mempool(limits: MempoolLimits(maxCount: 10, maxBytes: 10_000))
        for sequence in 0..<8 as Range<UInt64> { _ = try pool.insert(try admitted(1, sequence), nextSequence: 0) }
        for sender in 2...3 { _ = try pool.insert(try admitted(sender, 0), nextSequence: 0) }
        // The heavy one gets no more; newcomers push its last ones out.
        #expect(throws: MempoolRefusal.full(own: 9_000)) { try pool.insert(try admitted(1, 8), nextSequence: 0) }
        let evicted = try pool.insert(try admitted(4, 0), nextSequence: 0)
        #expect(evicted.map(\.signed.transaction.sequence) == [7])
        // One that would need more room than all heavier senders can give changes nothing.
        let before = pool.candidates(maxBytes: .max, maxCount: .max)
        let large = try admitted(5, 0, data: 8_000)
        #expect(throws: MempoolRefusal.full(own: large.byteCount)) { try pool.insert(large, nextSequence: 0) }
        #expect(pool.candidates(maxBytes: .max, maxCount: .max) == before)
        for sender in 5...10 { _ = try pool.insert(try admitted(sender, 0), nextSequence: 0) }
        #expect(pool.count == 10 && pool.senderCount == 10)
        #expect(throws: MempoolRefusal.full(own: 1_000)) { try pool.insert(try admitted(11, 0), nextSequence: 0) }
    }

    /// Random calls against a plain model: bounds hold, sums agree, order holds, and a second run answers the same.
    @Test(arguments: [1, 2, 3, 4] as [UInt64]) func randomUseKeepsTheInvariants(seed: UInt64) throws {
        func run() throws -> [TransactionId] {
            var random = SplitMix64(seed: seed)
            let limits = MempoolLimits(maxCount: 40, maxBytes: 40_000)
            var pool = Mempool(limits: limits)
            var waiting: [TransactionId: Admitted] = [:]
            var next: [Account: UInt64] = [:]
            var answers: [TransactionId] = []
            for step in 0..<600 {
                let sender = Int.random(in: 0..<12, using: &random)
                let state = next[account(sender)] ?? 0
                switch Int.random(in: 0..<10, using: &random) {
                case 0:
                    let block = pool.candidates(maxBytes: 3_000, maxCount: 5)
                    answers += block.map(\.id)
                    pool.include(block.map(\.signed))
                    for entry in block {
                        let transaction = entry.signed.transaction
                        #expect(transaction.sequence == next[transaction.sender] ?? 0, "seed \(seed), step \(step)")
                        next[transaction.sender] = transaction.sequence + 1
                        waiting[entry.id] = nil
                    }
                case 1:
                    if let id = waiting.keys.sorted().randomElement(using: &random) {
                        #expect(pool.remove(id) == waiting.removeValue(forKey: id), "seed \(seed), step \(step)")
                    }
                case 2:
                    for entry in pool.expire(at: Time(UInt64(step))) { waiting[entry.id] = nil }
                default:
                    let entry = try admitted(
                        sender, state + UInt64.random(in: 0..<6, using: &random),
                        data: Int.random(in: 0..<3_000, using: &random), validUntil: UInt64(step) + 200,
                        mark: UInt8.random(in: 0..<3, using: &random))
                    if let evicted = try? pool.insert(entry, nextSequence: state) {
                        waiting[entry.id] = entry
                        for gone in evicted { waiting[gone.id] = nil }
                        answers += evicted.map(\.id)
                    }
                }
                let bytes = waiting.values.reduce(0) { $0 + $1.byteCount }
                #expect(pool.count == waiting.count && pool.byteCount == bytes, "seed \(seed), step \(step)")
                for (sender, own) in Dictionary(grouping: waiting.values, by: \.signed.transaction.sender) {
                    let reserved = own.reduce(0) { $0 + $1.reservedCredits }
                    #expect(pool.reservedCredits(of: sender) == reserved, "seed \(seed), step \(step)")
                }
                #expect(pool.count <= limits.maxCount && bytes <= limits.maxBytes, "seed \(seed), step \(step)")
            }
            return answers
        }
        let answers = try run()
        #expect(!answers.isEmpty)
        #expect(try run() == answers, "seed \(seed)")
    }
}
