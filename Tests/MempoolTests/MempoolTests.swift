import Cryptography
import Mempool
import Primitives
import Testing

@Suite(.timeLimit(.minutes(20))) struct MempoolTests {
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
        #expect(pool.count == 2 && pool.readyCount == 1)
        #expect(pool.transaction(first.id) == first)
        #expect(pool.freeSequence(of: account(1), nextSequence: 5) == 6)
        #expect(pool.reservedCredits(of: account(1)) == 120_000)
        #expect(pool.remove(first.id) == first)
        #expect(try pool.insert(try admitted(1, 5, mark: 9), nextSequence: 5).isEmpty)
    }

    private func names(_ admitted: [Admitted]) -> [String] {
        admitted.map { entry in
            let sender = (0..<100).first { account($0) == entry.signed.transaction.sender } ?? -1
            return "\(sender).\(entry.signed.transaction.sequence)"
        }
    }

    @Test func candidatesTakeTurnsAndStopAtGaps() throws {
        var pool = Mempool()
        for (sender, sequence) in [(1, 0), (1, 1), (1, 2), (2, 0), (2, 2), (3, 7), (3, 8)] as [(Int, UInt64)] {
            _ = try pool.insert(try admitted(sender, sequence), nextSequence: sender == 3 ? 7 : 0)
        }
        #expect(names(pool.candidates(maxBytes: .max, maxCount: .max)) == ["1.0", "2.0", "3.7", "1.1", "3.8", "1.2"])
        #expect(pool.candidates(maxBytes: .max, maxCount: 2).count == 2)
        #expect(pool.readyCount == 6)

        // On an unfinalised parent that holds 1.0 and 1.1, the pool goes on from there.
        let ahead = pool.candidates(maxBytes: .max, maxCount: .max) { $0 == account(1) ? 2 : nil }
        #expect(names(ahead) == ["2.0", "3.7", "3.8", "1.2"])

        // What fills a gap makes what waited behind it ready.
        _ = try pool.insert(try admitted(2, 1), nextSequence: 0)
        #expect(names(pool.candidates(maxBytes: .max, maxCount: .max)).filter { $0.hasPrefix("2") } == ["2.0", "2.1", "2.2"])
        // What leaves a gap makes it wait again.
        let second = try #require(pool.waiting(of: account(2)).dropFirst().first)
        pool.remove(second.id)
        #expect(names(pool.candidates(maxBytes: .max, maxCount: .max)).filter { $0.hasPrefix("2") } == ["2.0"])
    }

    @Test func blocksAreSharedByStake() throws {
        var pool = Mempool()
        // One has a hundredth of the other's stake, and came first.
        for sequence in 0..<20 as Range<UInt64> {
            _ = try pool.insert(try admitted(1, sequence, weight: 10_000_000), nextSequence: 0)
        }
        for sequence in 0..<20 as Range<UInt64> {
            _ = try pool.insert(try admitted(2, sequence, weight: 1_000_000_000), nextSequence: 0)
        }
        let first = names(pool.candidates(maxBytes: .max, maxCount: 21))
        #expect(first.count { $0.hasPrefix("2.") } == 20)
        // Served, it does not get ahead by having waited.
        pool.include(pool.candidates(maxBytes: .max, maxCount: 21).map(\.signed))
        _ = try pool.insert(try admitted(2, 20, weight: 1_000_000_000), nextSequence: 20)
        #expect(names(pool.candidates(maxBytes: .max, maxCount: 1)) == ["2.20"])
    }

    /// A hundred thousand accounts of dust, each with one transaction, and one honest sender that comes last.
    @Test func dustKeepsNobodyOut() throws {
        var pool = Mempool(limits: MempoolLimits(maxCount: 500, maxBytes: 500_000))
        for sender in 100..<1_100 { _ = try? pool.insert(try admitted(sender, 0, weight: 100_000), nextSequence: 0) }
        #expect(pool.count == 500)
        for sequence in 0..<64 as Range<UInt64> {
            _ = try pool.insert(try admitted(1, sequence, weight: 1_000_000_000), nextSequence: 0)
        }
        #expect(pool.count == 500)
        #expect(pool.candidates(maxBytes: .max, maxCount: 64).allSatisfy { $0.signed.transaction.sender == account(1) })
        // Another one of dust has no claim on anybody's place.
        #expect(throws: MempoolRefusal.full) { try pool.insert(try admitted(2_000, 0, weight: 100_000), nextSequence: 0) }
    }

    /// Fifty thousand accounts with a gap before their one transaction.
    @Test func gapsStayInTheirPlaceAndGiveWay() throws {
        var pool = Mempool(limits: MempoolLimits(maxCount: 100, maxBytes: 100_000, maxParked: 10))
        for sender in 100..<200 { _ = try? pool.insert(try admitted(sender, 1, weight: 1 << 40), nextSequence: 0) }
        #expect(pool.count == 10 && pool.readyCount == 0)
        #expect(throws: MempoolRefusal.noRoomForGaps(1, next: 0)) {
            try pool.insert(try admitted(300, 1, weight: 1 << 40), nextSequence: 0)
        }
        // The poorest sender's ready ones displace them, and never the other way round.
        for sender in 0..<100 { _ = try pool.insert(try admitted(sender, 0), nextSequence: 0) }
        #expect(pool.count == 100 && pool.readyCount == 100)
        #expect(throws: MempoolRefusal.noRoomForGaps(1, next: 0)) {
            try pool.insert(try admitted(301, 1, weight: .max), nextSequence: 0)
        }
    }

    @Test func evidenceAlwaysHasAPlaceAndComesFirst() throws {
        var pool = Mempool(limits: MempoolLimits(maxCount: 10, maxBytes: 10_000))
        for sender in 0..<10 { _ = try pool.insert(try admitted(sender, 0, weight: .max), nextSequence: 0) }
        let report = try admitted(50, 0, evidence: true)
        #expect(try pool.insert(report, nextSequence: 0).isEmpty)
        #expect(pool.candidates(maxBytes: .max, maxCount: 1).map(\.id) == [report.id])
        #expect(pool.count == 11)
        let cancel = try admitted(50, 0, mark: 9, replaces: report.id)
        #expect(throws: MempoolRefusal.sequenceWaiting(0, report.id)) { try pool.insert(cancel, nextSequence: 0) }
        // One at a time: whatever else the reporter says has to find room like anybody's.
        #expect(throws: MempoolRefusal.full) { try pool.insert(try admitted(50, 1, evidence: true), nextSequence: 0) }
        #expect(throws: MempoolRefusal.noRoomForGaps(3, next: 0)) {
            try pool.insert(try admitted(50, 3, evidence: true), nextSequence: 0)
        }
        pool.include([report.signed])
        #expect(pool.count == 10)
        #expect(try pool.insert(try admitted(50, 1, evidence: true), nextSequence: 1).isEmpty && pool.count == 11)
    }

    /// A reporter's further reports stand behind whoever has more stake for what he asks.
    @Test func aFloodOfEvidenceIsNoBetterThanAnyOther() throws {
        var pool = Mempool()
        _ = try pool.insert(try admitted(1, 0, weight: 1 << 40), nextSequence: 0)
        for sequence: UInt64 in 0..<20 {
            _ = try pool.insert(try admitted(50, sequence, weight: 1 << 20, evidence: true), nextSequence: 0)
        }
        #expect(names(pool.candidates(maxBytes: .max, maxCount: 3)) == ["50.0", "1.0", "50.1"])
    }

    @Test func onlyTheSenderReplacesByName() throws {
        var pool = Mempool()
        let first = try admitted(1, 0)
        _ = try pool.insert(first, nextSequence: 0)
        _ = try pool.insert(try admitted(1, 1), nextSequence: 0)
        let wrong = try admitted(1, 0, mark: 4, replaces: TransactionId(words: Digest(sha256: [1]).words))
        #expect(throws: MempoolRefusal.sequenceWaiting(0, first.id)) { try pool.insert(wrong, nextSequence: 0) }
        let cancel = try admitted(1, 0, mark: 5, replaces: first.id)
        #expect(try pool.insert(cancel, nextSequence: 0) == [first])
        #expect(names(pool.candidates(maxBytes: .max, maxCount: .max)) == ["1.0", "1.1"])
        #expect(pool.candidates(maxBytes: .max, maxCount: 1).map(\.id) == [cancel.id])
        #expect(pool.reservedCredits(of: account(1)) == 120_000)
        // Else one account could have its transactions checked by everybody again and again, and pay for the last.
        let another = try admitted(1, 0, mark: 6, replaces: cancel.id)
        #expect(throws: MempoolRefusal.cancelledAlready(0, cancel.id)) { try pool.insert(another, nextSequence: 0) }
    }

    /// What waits behind a gap and expires there is never paid for.
    @Test func whatHasToWaitMustNotExpireAtOnce() throws {
        var pool = Mempool()
        pool.expire(at: Time(10_000))
        let soon = try admitted(1, 1, validUntil: 14_999)
        #expect(throws: MempoolRefusal.expiresTooSoon(1, next: 0, milliseconds: 5_000)) { try pool.insert(soon, nextSequence: 0) }
        _ = try pool.insert(try admitted(1, 1, validUntil: 15_000), nextSequence: 0)
        // What a block can hold at once may.
        _ = try pool.insert(try admitted(2, 0, validUntil: 10_001), nextSequence: 0)
        #expect(pool.count == 2 && pool.readyCount == 1)
    }

    @Test func whatStoppedAProposerComesLast() throws {
        var pool = Mempool()
        let heavy = try admitted(1, 0, weight: 1 << 40)
        _ = try pool.insert(heavy, nextSequence: 0)
        _ = try pool.insert(try admitted(1, 1, weight: 1 << 40), nextSequence: 0)
        for sender in 2...4 { _ = try pool.insert(try admitted(sender, 0, weight: 1 << 20), nextSequence: 0) }
        pool.putLast(heavy.id)
        #expect(names(pool.candidates(maxBytes: .max, maxCount: .max)) == ["2.0", "3.0", "4.0", "1.0", "1.1"])
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
        #expect(pool.isEmpty && pool.byteCount == 0 && pool.senderCount == 0 && pool.readyCount == 0)
    }

    @Test func aFullPoolChangesNothingWhereItRefuses() throws {
        var pool = Mempool(limits: MempoolLimits(maxCount: 10, maxBytes: 10_000))
        for sender in 0..<10 { _ = try pool.insert(try admitted(sender, 0, weight: 1 << 30), nextSequence: 0) }
        let before = pool.candidates(maxBytes: .max, maxCount: .max)
        #expect(throws: MempoolRefusal.full) { try pool.insert(try admitted(20, 0, data: 8_000), nextSequence: 0) }
        #expect(pool.candidates(maxBytes: .max, maxCount: .max) == before)
        // One that asks for less, for its stake, than the last of them.
        #expect(try pool.insert(try admitted(21, 0, weight: 1 << 31), nextSequence: 0).count == 1)
        #expect(pool.count == 10)
    }

    /// Random calls against a plain model: bounds hold, sums agree, order holds, and a second run answers the same.
    @Test(arguments: [1, 2, 3, 4] as [UInt64]) func randomUseKeepsTheInvariants(seed: UInt64) throws {
        func run() throws -> [TransactionId] {
            var random = SplitMix64(seed: seed)
            let limits = MempoolLimits(maxCount: 40, maxBytes: 40_000, maxParked: 15, shortestWaitMs: 0)
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
                        let removed = pool.remove(id)
                        #expect(removed == nil || removed == waiting[id], "seed \(seed), step \(step)")
                    }
                case 2:
                    _ = pool.expire(at: Time(UInt64(step)))
                case 3:
                    if let id = waiting.keys.sorted().randomElement(using: &random) { pool.putLast(id) }
                default:
                    let entry = try admitted(
                        sender, state + UInt64.random(in: 0..<6, using: &random),
                        data: Int.random(in: 0..<3_000, using: &random), validUntil: UInt64(step) + 200,
                        mark: UInt8.random(in: 0..<3, using: &random), weight: UInt64.random(in: 0...9, using: &random) << 20)
                    if let evicted = try? pool.insert(entry, nextSequence: state) {
                        waiting[entry.id] = entry
                        answers += evicted.map(\.id)
                    }
                }
                // A removal can take others along that have to wait now.
                waiting = waiting.filter { pool.contains($0.key) }
                let bytes = waiting.values.reduce(0) { $0 + $1.byteCount }
                #expect(pool.count == waiting.count && pool.byteCount == bytes, "seed \(seed), step \(step)")
                for (sender, own) in Dictionary(grouping: waiting.values, by: \.signed.transaction.sender) {
                    let reserved = own.reduce(0) { $0 + $1.reservedCredits }
                    #expect(pool.reservedCredits(of: sender) == reserved, "seed \(seed), step \(step)")
                }
                #expect(pool.count <= limits.maxCount && bytes <= limits.maxBytes, "seed \(seed), step \(step)")
                #expect(pool.count - pool.readyCount <= 15, "seed \(seed), step \(step)")
                #expect(
                    pool.candidates(maxBytes: .max, maxCount: .max).count == pool.readyCount, "seed \(seed), step \(step)")
            }
            return answers
        }
        let answers = try run()
        #expect(!answers.isEmpty)
        #expect(try run() == answers, "seed \(seed)")
    }
}
