import NodeCore
import Primitives
import Simulation
import Testing

/// What waits in a node's pool, and what has no business there.
@Suite(.timeLimit(.minutes(20))) struct PoolTests {
    private func record(
        _ cast: Cast, client: Int = 0, sequence: UInt64, validFor: UInt64 = 1_800_000, bytes: Int = 1
    ) throws -> SignedTransaction {
        let transaction = try Transaction(
            sender: cast.clientKeys[client].account, sequence: sequence,
            validUntil: Cast.genesisTime.advanced(by: validFor), gasLimit: 1_000_000,
            serviceId: ServiceId(unchecked: Array("job".utf8)), actionId: .commitmentTask, data: [UInt8](repeating: 7, count: bytes))
        return try cast.clientKeys[client].sign(transaction, genesis: cast.genesisHash)
    }

    /// A masternode that does not lead drops what no block can hold any more, so that no view timer runs for it.
    @Test func whatHasExpiredWaitsForNothing() throws {
        let cast = try Cast.of(4, realSignatures: false)
        let bench = try Bench(cast, masternode: 1)
        bench.submit(try record(cast, sequence: 0, validFor: bench.now + 500))
        #expect(bench.machine.mempool.count == 1)
        bench.tick()
        #expect(bench.machine.mempool.isEmpty)
    }

    /// A gap waits apart, and is no work to be ordered.
    @Test func aGapIsNoWork() throws {
        let cast = try Cast.of(4, realSignatures: false)
        let bench = try Bench(cast, masternode: 1)
        bench.submit(try record(cast, sequence: 2))
        #expect(bench.machine.mempool.count == 1 && bench.machine.mempool.readyCount == 0)
        bench.submit(try record(cast, sequence: 0))
        bench.submit(try record(cast, sequence: 1))
        #expect(bench.machine.mempool.readyCount == 3)
    }

    /// One customer's request with many or large transactions had all masternodes ban each other: as one message it was
    /// more than they take, which only a liar sends.
    @Test func whatClientsBringAtOnceTravelsInMessagesThatReceiversTake() throws {
        let cast = try Cast.of(4, realSignatures: false)
        for (count, bytes) in [(0, 1), (1, 1), (512, 1), (513, 1), (1_300, 1), (40, 60_000), (1, 65_000)] {
            let all = try (0..<UInt64(count)).map { try record(cast, sequence: $0, bytes: bytes) }
            let messages = NodeMessage.telling(of: all)
            try expectTaken(messages, with: all)
            #expect(messages.count == max((count + 511) / 512, (count * bytes + 999_999) / 1_000_000))
        }
    }

    @Test func aRequestOfLargeTransactionsIsSplit() throws {
        let cast = try Cast.of(4, realSignatures: false)
        let bench = try Bench(cast, masternode: 1)
        let all = try (0..<UInt64(20)).flatMap { sequence in
            try cast.clientKeys.indices.map { try record(cast, client: $0, sequence: sequence, bytes: 60_000) }
        }
        let (submissions, outputs) = bench.machine.submit(all, at: bench.clock)
        let taken = zip(all, submissions).compactMap { if case .taken = $1 { $0 } else { nil } }
        let told = outputs.compactMap { output -> NodeMessage? in
            if case .broadcast(let message, to: .masternodes) = output, case .transactions = message { message } else { nil }
        }
        #expect(taken.count > 20 && told.count > 1)
        try expectTaken(told, with: taken)
    }

    private func expectTaken(_ messages: [NodeMessage], with all: [SignedTransaction]) throws {
        var arrived: [SignedTransaction] = []
        for message in messages {
            let payload = message.payload
            #expect(payload.count <= message.kind.mostBytes ?? 0)
            let decoded = try NodeMessage(kind: message.kind.rawValue, payload: payload)
            if case .transactions(let transactions) = decoded { arrived += transactions }
        }
        #expect(arrived == all)
    }

    @Test func aCancellationTakesThePlaceOfWhatItNames() throws {
        let cast = try Cast.of(4, realSignatures: false)
        let bench = try Bench(cast, masternode: 1)
        let first = try record(cast, sequence: 0)
        bench.submit(first)
        let id = first.transaction.id(genesis: cast.genesisHash)
        let transaction = try Transaction(
            sender: cast.clientKeys[0].account, sequence: 0, validUntil: Cast.genesisTime.advanced(by: 60_000),
            gasLimit: 1_000_000, serviceId: .chain, actionId: .cancelTransaction, data: CancelTransaction(id: id).borsh)
        let cancel = try cast.clientKeys[0].sign(transaction, genesis: cast.genesisHash)
        guard case .taken = bench.submit(cancel) else {
            Issue.record("the cancellation was not taken")
            return
        }
        #expect(!bench.machine.mempool.contains(id) && bench.machine.mempool.count == 1)
    }

    /// What its host goes by that has to have transactions checked before the node's own blocks.
    @Test func aNodeTellsWhenItMakesABlock() throws {
        let bench = try Bench(Cast.of(1, realSignatures: false), masternode: 0, spacingMs: 25)
        let first = try #require(bench.machine.makesBlockAt)
        #expect(first <= bench.clock.wall, "as soon as something waits")
        bench.submit(try record(bench.cast, sequence: 0))
        #expect(bench.published == [Height(1)])
        let second = try #require(bench.machine.makesBlockAt)
        #expect(second == bench.machine.published.header.time.advanced(by: 25) && second > bench.clock.wall)
        bench.submit(try record(bench.cast, sequence: 1))
        #expect(bench.published == [Height(1)] && bench.machine.makesBlockAt == second)
        bench.now += 25
        bench.handle(.timer(.due))
        #expect(bench.published == [Height(1), Height(2)])
        #expect(bench.machine.makesBlockAt == second.advanced(by: 25))
        let cast = try Cast.of(4, realSignatures: false)
        for index in UInt16(0)..<4 {
            let makes = try Bench(cast, masternode: index).machine.makesBlockAt != nil
            #expect(makes == (cast.leaders.leader(of: View(1)) == index))
        }
    }

    /// A proposer with more than its time allows proposes what it has, and the rest after that.
    @Test func aSlowProposerProposesWhatItHas() throws {
        let cast = try Cast.of(1, realSignatures: false)
        let bench = try Bench(cast, masternode: 0)
        var spent: UInt64 = 0
        bench.machine.stopwatch = {
            spent += 200
            return spent
        }
        for client in 0..<3 { bench.submit(try record(cast, client: client, sequence: 0)) }
        for _ in 0..<10 {
            bench.now += 1_000
            bench.handle(.timer(.due))
        }
        #expect(bench.machine.mempool.isEmpty && bench.halts.isEmpty)
        #expect(bench.machine.headHeight >= Height(2))
    }

    /// What a block changes has to go into the tree, too: where that is known to be slow, a block takes less.
    @Test func aProposerLeavesTimeForTheTree() throws {
        var slow = ProposalPace()
        for _ in 0..<40 { slow.note(changes: 1_000, milliseconds: 400) }
        #expect((399_900...400_000).contains(slow.nanosecondsPerChange))
        #expect(slow.allows(milliseconds: 0, changes: 600) && !slow.allows(milliseconds: 0, changes: 630))
        #expect(slow.allows(milliseconds: 100, changes: 370) && !slow.allows(milliseconds: 100, changes: 380))
        #expect(!slow.allows(milliseconds: NodeLimits.proposalMs, changes: 0) && !slow.allows(milliseconds: .max, changes: .max))
        // A few changes tell nothing, an outage not more than a little, and a fast machine is found to be one.
        var pace = ProposalPace()
        pace.note(changes: 10, milliseconds: 1_000)
        #expect(pace == ProposalPace())
        pace.note(changes: 1_000, milliseconds: .max)
        #expect(pace.nanosecondsPerChange < 200_000)
        for _ in 0..<40 { pace.note(changes: 1_000_000, milliseconds: 3_000) }
        #expect(pace.nanosecondsPerChange < 3_100)
        // Small blocks make it faster again up to where it began, and never slower.
        let fast = pace
        pace.note(changes: 100, milliseconds: 100)
        #expect(pace == fast)
        var recovering = slow
        for _ in 0..<40 { recovering.note(changes: 100, milliseconds: 0) }
        #expect(recovering == ProposalPace())

        let cast = try Cast.of(1, realSignatures: false)
        let bench = try Bench(cast, masternode: 0)
        bench.machine.pace = slow
        // Each of these transactions changes some values, of which a block then holds very few.
        bench.machine.stopwatch = { 0 }
        for client in 0..<3 { bench.submit(try record(cast, client: client, sequence: 0)) }
        for _ in 0..<10 {
            bench.now += 1_000
            bench.handle(.timer(.due))
        }
        #expect(bench.machine.mempool.isEmpty && bench.halts.isEmpty)
    }
}
