import Consensus
import Cryptography
import NodeCore
import Primitives
import Simulation
import Testing

/// Proposals travel as sketches: what a node has is not sent again, what it lacks is asked for.
@Suite(.timeLimit(.minutes(20))) struct SketchTests {
    let cast: Cast
    let leader: UInt16
    let other: UInt16

    init() throws {
        cast = try Cast.of(4, realSignatures: false)
        let leader = cast.leaders.leader(of: View(1))
        self.leader = leader
        other = (0..<4 as Range<UInt16>).first { $0 != leader } ?? 0
    }

    private func bodies(_ bench: Bench) -> Int { bench.machine.pools.first?.count ?? -1 }

    /// The sketch that the leader of view 1 sends for these transactions.
    private func sketch(_ transactions: [SignedTransaction]) throws -> (leader: Bench, sketch: NodeMessage) {
        let bench = try Bench(cast, masternode: leader)
        bench.receive(.transactions(transactions), from: cast.peer(other))
        let sketch = try #require(
            bench.take().first { if case .sketch = $0 { true } else { false } })
        return (bench, try NodeMessage(kind: sketch.kind.rawValue, payload: sketch.payload))
    }

    @Test func aBodyIsOnItsWayWhileTheDiskTakesItAndTheVoteOnlyAfter() throws {
        let bench = try Bench(cast, masternode: leader)
        let transactions = try (0..<2 as Range<UInt64>).map { try Bench.record(cast, sequence: $0) }
        func isVote(_ output: NodeOutput) -> Bool {
            if case .broadcast(.consensus(.notarizeVote), _) = output { true } else { false }
        }
        func isSketch(_ output: NodeOutput) -> Bool { if case .broadcast(.sketch, _) = output { true } else { false } }
        let proposing = bench.machine.handle(.message(.transactions(transactions), from: cast.peer(other)), at: bench.clock)
        #expect(proposing.contains(where: isSketch) && !proposing.contains(where: isVote))
        let token = try #require(proposing.compactMap { if case .journal(_, let token) = $0 { token } else { nil } }.last)
        let durable = bench.machine.handle(.journalDurable(token), at: bench.clock)
        #expect(durable.contains(where: isVote) && !durable.contains(where: isSketch))
    }

    /// The certificate of a body's parent may hold a vote of this key that the disk does not have yet: were it seen, and then
    /// lost with the machine, the key would vote for something else.
    @Test func aBodyWaitsForTheVotesThatItMayHold() throws {
        let next = cast.leaders.leader(of: View(2))
        try #require(next != leader, "the cast's leaders of views 1 and 2 are two")
        let third = (0..<4 as Range<UInt16>).first { $0 != leader && $0 != next } ?? 0
        let transactions = try (0..<2 as Range<UInt64>).map { try Bench.record(cast, sequence: $0) }
        func votes(_ bench: Bench) -> [NodeMessage] {
            bench.take().filter { if case .consensus(.notarizeVote) = $0 { true } else { false } }
        }
        let proposer = try Bench(cast, masternode: leader)
        proposer.receive(.transactions([transactions[0]]), from: cast.peer(other))
        let sketch = try #require(proposer.sent.map(\.message).first { if case .sketch = $0 { true } else { false } })
        let proposal = try #require(votes(proposer).first)
        let voter = try Bench(cast, masternode: third)
        voter.receive(.transactions([transactions[0]]), from: cast.peer(leader))
        voter.receive(sketch, from: cast.peer(leader))
        voter.receive(proposal, from: cast.peer(leader))
        let vote = try #require(votes(voter).first)

        let bench = try Bench(cast, masternode: next)
        bench.receive(.transactions(transactions), from: cast.peer(leader))
        bench.receive(proposal, from: cast.peer(leader))
        bench.receive(vote, from: cast.peer(third))
        // Its vote makes the quorum, so it enters the view that it leads, and proposes.
        let outputs = bench.machine.handle(.message(sketch, from: cast.peer(leader)), at: bench.clock)
        func isSketch(_ output: NodeOutput) -> Bool { if case .broadcast(.sketch, _) = output { true } else { false } }
        let tokens = outputs.compactMap { if case .journal(_, let token) = $0 { token } else { nil } }
        #expect(tokens.count > 1 && !outputs.contains(where: isSketch))
        var relayed = false
        for token in tokens.dropLast() { relayed = bench.machine.handle(.journalDurable(token), at: bench.clock).contains(where: isSketch) || relayed }
        #expect(relayed, "before the vote that proposes it is durable")
    }

    @Test func aBlockIsPutTogetherFromThePool() throws {
        let transactions = try (0..<5 as Range<UInt64>).map { try Bench.record(cast, sequence: $0) }
        let (_, sketch) = try sketch(transactions)
        let bench = try Bench(cast, masternode: other)
        bench.receive(.transactions(transactions), from: cast.peer(leader))
        bench.receive(sketch, from: cast.peer(leader))
        #expect(bodies(bench) == 1 && bench.misbehaviours == 0)
        #expect(!bench.take().contains { if case .wantParts = $0 { true } else { false } })
    }

    @Test func transactionsThatComeLaterCompleteIt() throws {
        let transactions = try (0..<3 as Range<UInt64>).map { try Bench.record(cast, sequence: $0) }
        let (_, sketch) = try sketch(transactions)
        let bench = try Bench(cast, masternode: other)
        bench.receive(.transactions([transactions[0]]), from: cast.peer(leader))
        bench.receive(sketch, from: cast.peer(leader))
        #expect(bodies(bench) == 0)
        bench.receive(.transactions([transactions[2], transactions[1]]), from: cast.peer(leader))
        #expect(bodies(bench) == 1)
    }

    @Test func whatIsMissingIsAskedForOnce() throws {
        let transactions = try (0..<4 as Range<UInt64>).map { try Bench.record(cast, sequence: $0) }
        let (proposer, sketch) = try sketch(transactions)
        let bench = try Bench(cast, masternode: other)
        bench.receive(.transactions([transactions[0], transactions[2]]), from: cast.peer(leader))
        bench.receive(sketch, from: cast.peer(leader))
        bench.now += 100
        bench.handle(.timer(.due))
        bench.handle(.timer(.due))
        let requests = bench.take().filter { if case .wantParts = $0 { true } else { false } }
        #expect(requests.count == 1)
        guard case .wantParts(_, let places) = try #require(requests.first) else { return }
        #expect(places == [1, 3])
        _ = proposer.take()
        proposer.receive(requests[0], from: cast.peer(other))
        let answer = try #require(proposer.take().first { if case .parts = $0 { true } else { false } })
        bench.receive(answer, from: cast.peer(leader))
        #expect(bodies(bench) == 1)
    }

    /// On a slow line what is asked for while it is under way is carried twice.
    @Test func whileTransactionsComeNothingIsAskedFor() throws {
        let transactions = try (0..<6 as Range<UInt64>).map { try Bench.record(cast, sequence: $0) }
        let (_, sketch) = try sketch(transactions)
        let bench = try Bench(cast, masternode: other)
        bench.receive(sketch, from: cast.peer(leader))
        let patience: UInt64 = 20
        for transaction in transactions.dropLast() {
            bench.now += patience - 1
            bench.handle(.timer(.due))
            bench.receive(.transactions([transaction]), from: cast.peer(leader))
        }
        func asks(_ message: NodeMessage) -> Bool {
            switch message { case .wantParts, .wantBody: true; default: false }
        }
        #expect(!bench.take().contains(where: asks))
        bench.receive(.transactions([transactions[5]]), from: cast.peer(leader))
        #expect(bodies(bench) == 1)
    }

    /// Nor is the whole body, of anybody, while its parts may come.
    @Test func aBodyIsNotAskedForBesideItsParts() throws {
        let proposer = try Bench(cast, masternode: leader)
        proposer.receive(.transactions([try Bench.record(cast, sequence: 0)]), from: cast.peer(other))
        let bench = try Bench(cast, masternode: other)
        for masternode in (0..<4 as Range<UInt16>) where masternode != other { bench.handle(.connected(cast.peer(masternode))) }
        for message in proposer.take() { bench.receive(message, from: cast.peer(leader)) }
        bench.tick()
        let asked = bench.take()
        #expect(asked.contains { if case .wantParts = $0 { true } else { false } })
        #expect(!asked.contains { if case .wantBody = $0 { true } else { false } })
    }

    /// Its leader does not send what it named: those who voted have the block.
    @Test func whoDoesNotSendThePartsIsNotWaitedFor() throws {
        let (_, sketch) = try sketch([try Bench.record(cast, sequence: 0)])
        let bench = try Bench(cast, masternode: other)
        for masternode in (0..<4 as Range<UInt16>) where masternode != other { bench.handle(.connected(cast.peer(masternode))) }
        bench.receive(sketch, from: cast.peer(leader))
        bench.now += 100
        bench.handle(.timer(.due))
        #expect(bench.take().contains { if case .wantParts = $0 { true } else { false } })
        bench.now += 100_000
        bench.handle(.timer(.due))
        #expect(bench.take().contains { if case .wantBody = $0 { true } else { false } })
    }

    /// One part after the other, each in time, would hold up whoever waits for them for hours.
    @Test func partsThatDripAreNotWaitedFor() throws {
        let transactions = try (0..<60 as Range<UInt64>).map { try Bench.record(cast, sequence: $0) }
        let (_, sketch) = try sketch(transactions)
        let bench = try Bench(cast, masternode: other)
        for masternode in (0..<4 as Range<UInt16>) where masternode != other { bench.handle(.connected(cast.peer(masternode))) }
        bench.receive(sketch, from: cast.peer(leader))
        bench.now += 100
        bench.handle(.timer(.due))
        var asked: [NodeMessage] = []
        for transaction in transactions.prefix(20) {
            bench.now += 900
            bench.receive(.parts([transaction]), from: cast.peer(leader))
            bench.handle(.timer(.due))
            asked += bench.take()
        }
        #expect(asked.contains { if case .wantBody = $0 { true } else { false } })
        // Nor is it believed a second time.
        bench.receive(sketch, from: cast.peer(leader))
        bench.now += 100
        bench.handle(.timer(.due))
        #expect(!bench.take().contains { if case .wantParts = $0 { true } else { false } })
    }

    /// An answer holds half of a full block at most.
    @Test func whatOneAnswerDoesNotHoldIsAskedForAnew() throws {
        let transactions = try (0..<4 as Range<UInt64>).map { try Bench.record(cast, sequence: $0) }
        let (_, sketch) = try sketch(transactions)
        let bench = try Bench(cast, masternode: other)
        func requested() -> [[UInt32]] {
            bench.handle(.timer(.due))
            return bench.take().compactMap { if case .wantParts(_, let places) = $0 { places } else { nil } }
        }
        bench.receive(sketch, from: cast.peer(leader))
        bench.now += 100
        #expect(requested() == [[0, 1, 2, 3]])
        // Nothing of what was asked for: that is not asked for ever.
        bench.receive(.parts([]), from: cast.peer(leader))
        #expect(requested().isEmpty)
        bench.receive(.parts([transactions[0], transactions[2]]), from: cast.peer(leader))
        #expect(requested() == [[1, 3]])
        #expect(requested().isEmpty)
        bench.receive(.parts([transactions[1], transactions[3]]), from: cast.peer(leader))
        #expect(bodies(bench) == 1)
    }

    /// The pool may have a transaction with another signature than the block: the whole body tells then.
    @Test func aSketchThatDoesNotFitIsReplacedByTheBody() throws {
        let transactions = try (0..<2 as Range<UInt64>).map { try Bench.record(cast, sequence: $0) }
        let (proposer, sketch) = try sketch(transactions)
        let bench = try Bench(cast, masternode: other)
        let twin = SignedTransaction(
            transaction: transactions[1].transaction, authorization: .ed25519(try cast.keys[0].sign(message: [9])))
        bench.receive(.transactions([transactions[0]]), from: cast.peer(leader))
        bench.receive(sketch, from: cast.peer(leader))
        bench.receive(.parts([twin]), from: cast.peer(leader))
        #expect(bodies(bench) == 0)
        let wanted = try #require(bench.take().first { if case .wantBody = $0 { true } else { false } })
        proposer.receive(wanted, from: cast.peer(other))
        bench.receive(try #require(proposer.take().last), from: cast.peer(leader))
        #expect(bodies(bench) == 1)
    }

    @Test func onlyTheLeadersSketchesAreTakenAndTheTableIsBounded() throws {
        let transactions = try (0..<2 as Range<UInt64>).map { try Bench.record(cast, sequence: $0) }
        let (_, sketch) = try sketch(transactions)
        let bench = try Bench(cast, masternode: other)
        let third = (0..<4 as Range<UInt16>).first { $0 != leader && $0 != other } ?? 0
        bench.receive(sketch, from: cast.peer(third))
        bench.receive(sketch, from: .follower(1))
        bench.now += 100
        bench.handle(.timer(.due))
        #expect(!bench.take().contains { if case .wantParts = $0 { true } else { false } })
        for pool in bench.machine.pools { #expect(pool.count <= pool.limit, "\(pool.name)") }
    }
}
