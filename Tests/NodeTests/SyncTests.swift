import Consensus
import Cryptography
import NodeCore
import Primitives
import Simulation
import Storage
import Testing

/// Catching up from peers, honest and other ones.
@Suite(.timeLimit(.minutes(20))) struct SyncTests {
    private let server: NodePeer

    init() throws { server = try Cast.of(1, realSignatures: false).peer(0) }

    /// Carries messages between the two until nothing is left to say.
    private func talk(_ behind: Bench, with ahead: Bench, rounds: Int = 200) {
        for _ in 0..<rounds {
            let (asked, told) = (behind.take(), ahead.take())
            if asked.isEmpty, told.isEmpty { return }
            for message in told { behind.receive(message, from: server) }
            for message in asked { ahead.receive(message, from: .follower(9)) }
        }
    }

    private func finalization(_ bench: Bench) throws -> Finalization {
        let head = try #require(try bench.store.head())
        return try #require(try bench.store.block(at: head.height)?.finalization)
    }

    @Test func aNodeFarBehindThatHearsOfTheNewestBlockFirstCatchesUp() throws {
        let ahead = try Bench.chain(blocks: 150)
        let behind = try Bench(ahead.cast)
        ahead.sent = []
        behind.handle(.connected(server))
        behind.receive(.consensus(.finalization(try finalization(ahead))), from: server)
        behind.receive(.head(height: ahead.machine.headHeight, digest: .zero), from: server)
        // Single bodies would come twice, and its line carries what it lacks first.
        #expect(!behind.sent.contains { if case .wantBody = $0.message { true } else { false } })
        talk(behind, with: ahead)
        #expect(behind.machine.headHeight == ahead.machine.headHeight)
        #expect(behind.machine.milestone == ahead.machine.milestone)
        #expect(behind.published == (1...ahead.machine.headHeight.value).map { Height($0) })
        #expect(behind.halts.isEmpty && behind.misbehaviours == 0)
    }

    /// A store may hold a long run of blocks that only the last one's Finalization proves.
    @Test func aLongRunWithoutFinalizationsIsServed() throws {
        let full = try Bench.chain(blocks: 90)
        let sparse = SimulatedStore()
        let last = full.machine.headHeight
        var commits: [Commit] = []
        // The states are not what this is about: blocks alone are served.
        for height in 1...last.value {
            let stored = try #require(try full.store.block(at: Height(height)))
            commits.append(
                Commit(
                    block: FinalizedBlock(
                        block: stored.block, finalization: Height(height) == last ? stored.finalization : nil),
                    digest: stored.block.header.digest(genesis: full.cast.genesisHash), transactionIds: [], state: nil))
        }
        let behind = try Bench(full.cast)
        behind.handle(.connected(server))
        behind.receive(.head(height: last, digest: .zero), from: server)
        behind.sent = []
        #expect(sparse.commit(commits) == nil)
        behind.receive(.blocks(commits.map(\.block)), from: server)
        #expect(behind.machine.headHeight == last)
        // What the one that caught up serves now, it has got with one proof alone.
        behind.sent = []
        behind.receive(.wantBlocks(from: Height(1), count: 64), from: .follower(3))
        guard case .blocks(let served) = try #require(behind.take().last) else { throw Unexpected() }
        #expect(served.count == Int(last.value) && served.last?.finalization != nil)
        let wire = NodeMessage.blocks(served)
        #expect((try? NodeMessage(kind: wire.kind.rawValue, payload: wire.payload)) != nil)
    }

    /// A run that no message holds, as two full blocks with one proof are: the proof leads to the rest.
    @Test func aRunThatNoMessageHoldsIsFetchedBlockByBlock() throws {
        let full = try Bench.chain(blocks: 40)
        let last = full.machine.headHeight
        let proven: Set<UInt64> = [1, 2, 20, 21, last.value]
        let blocks = try (1...last.value).map { height in
            let stored = try #require(try full.store.block(at: Height(height)))
            return FinalizedBlock(block: stored.block, finalization: proven.contains(height) ? stored.finalization : nil)
        }
        var rules = NodeRules()
        rules.syncMessageBytes = 5_000
        let ahead = try Bench(full.cast, rules: rules)
        ahead.handle(.connected(server))
        for end in proven.sorted() {
            ahead.receive(.head(height: last, digest: .zero), from: server)
            ahead.receive(.blocks(blocks.filter { $0.block.header.height > ahead.machine.headHeight && $0.block.header.height.value <= end }), from: server)
        }
        #expect(ahead.machine.headHeight == last)
        ahead.sent = []
        ahead.receive(.wantBlocks(from: Height(3), count: 64), from: .follower(8))
        guard case .blocks(let served) = try #require(ahead.take().last) else { throw Unexpected() }
        #expect(served.map(\.block.header.height) == [Height(20)], "the first that has a proof, alone")
        // The second holds that a message would have done, and asks again none the less.
        for (rules, rounds) in [(rules, 1), (NodeRules(), 100)] {
            let behind = try Bench(full.cast, rules: rules)
            behind.handle(.connected(server))
            for _ in 0..<rounds {
                ahead.sent = []
                behind.receive(.head(height: last, digest: .zero), from: server)
                talk(behind, with: ahead)
                guard rounds > 1 else { continue }
                behind.tick()
                ahead.tick()
            }
            #expect(behind.machine.headHeight == last && behind.machine.milestone == full.machine.milestone)
            #expect(behind.halts.isEmpty && behind.misbehaviours == 0)
        }
    }

    /// Of three peers two never send a body: the third is asked for each in its turn.
    @Test func silentPeersDoNotHoldABridge() throws {
        let full = try Bench.chain(blocks: 12)
        let last = full.machine.headHeight
        var rules = NodeRules()
        rules.syncMessageBytes = 1
        let ahead = try Bench(full.cast, rules: rules)
        ahead.handle(.connected(server))
        ahead.receive(.head(height: last, digest: .zero), from: server)
        let blocks = try (1...last.value).map { height in
            let stored = try #require(try full.store.block(at: Height(height)))
            return FinalizedBlock(block: stored.block, finalization: Height(height) == last ? stored.finalization : nil)
        }
        ahead.receive(.blocks(blocks), from: server)
        #expect(ahead.machine.headHeight == last)

        let behind = try Bench(full.cast, rules: rules)
        let honest = NodePeer.follower(2)
        for peer in 1...3 as ClosedRange<UInt64> { behind.handle(.connected(.follower(peer))) }
        for _ in 0..<400 where behind.machine.headHeight < last {
            behind.receive(.head(height: last, digest: .zero), from: honest)
            ahead.sent = []
            let asked = behind.sent
            behind.sent = []
            for message in asked where message.to == honest { ahead.receive(message.message, from: .follower(9)) }
            for message in ahead.take() {
                switch message {
                case .blocks, .body: behind.receive(message, from: honest)
                default: break
                }
            }
            behind.tick()
            ahead.tick()
        }
        #expect(behind.machine.headHeight == last && behind.halts.isEmpty)
    }

    /// On a slow line every answer comes late.
    @Test func lateAnswersAreTaken() throws {
        let ahead = try Bench.chain(blocks: 200)
        let behind = try Bench(ahead.cast)
        behind.handle(.connected(server))
        var rounds = 0
        while behind.machine.headHeight < ahead.machine.headHeight, rounds < 40 {
            rounds += 1
            behind.receive(.head(height: ahead.machine.headHeight, digest: .zero), from: server)
            let asked = behind.take()
            for _ in 0..<3 { behind.tick() }
            _ = ahead.take()
            for message in asked { ahead.receive(message, from: .follower(9)) }
            for message in ahead.take() { if case .blocks = message { behind.receive(message, from: server) } }
        }
        #expect(behind.machine.headHeight == ahead.machine.headHeight && rounds < 40)
    }

    @Test func wrongBlocksAreRefusedAndTheSenderIsAskedLast() throws {
        let ahead = try Bench.chain(blocks: 6)
        let blocks = try (1...6 as ClosedRange<UInt64>).map { try #require(try ahead.store.block(at: Height($0))) }
        let genuine = try #require(blocks[5].finalization)
        let forged = try #require(
            Certificate(
                subject: genuine.subject,
                votes: [
                    try ahead.cast.clientKeys[0].vote(genuine.subject, by: 0, genesis: ahead.cast.genesisHash)
                ]))
        let stripped = FinalizedBlock(block: blocks[5].block, finalization: nil)
        let bodies = Block(
            header: blocks[5].block.header, parentCertificate: blocks[5].block.parentCertificate,
            transactions: [try Bench.record(ahead.cast, sequence: 50)])
        let wrong: [[FinalizedBlock]] = [
            Array(blocks.dropFirst()),  // does not follow the head
            [blocks[0], blocks[2]] + blocks.dropFirst(3),  // a gap
            blocks.dropLast() + [stripped],  // no proof
            blocks.dropLast() + [FinalizedBlock(block: blocks[5].block, finalization: blocks[4].finalization)],
            blocks.dropLast() + [FinalizedBlock(block: blocks[5].block, finalization: forged)],
            blocks.dropLast() + [FinalizedBlock(block: bodies, finalization: genuine)],
            // The last one alone, as where all are more than a message holds.
            [FinalizedBlock(block: blocks[5].block, finalization: forged)],
            [FinalizedBlock(block: bodies, finalization: genuine)],
            [FinalizedBlock(block: blocks[5].block, finalization: blocks[4].finalization)],
        ]
        for (index, answer) in wrong.enumerated() {
            let behind = try Bench(ahead.cast)
            for peer in [server, .follower(1)] {
                behind.handle(.connected(peer))
                behind.receive(.head(height: Height(peer == server ? 9 : 6), digest: .zero), from: peer)
            }
            behind.sent = []
            behind.receive(.blocks(answer), from: server)
            // Blocks from another height may be a late answer to an earlier request.
            #expect(behind.machine.headHeight == .zero && behind.misbehaviours == (index == 0 ? 0 : 1), "answer \(index)")
            if index == 0 { for _ in 0..<2 { behind.tick() } }
            // Whatever it claims next, the other one is asked.
            behind.receive(.head(height: Height(.max), digest: .zero), from: server)
            behind.tick()
            let asked = behind.sent.compactMap { if case .wantBlocks = $0.message { $0.to } else { nil } }
            #expect(asked.first == .follower(1), "answer \(index)")
            behind.receive(.blocks(blocks), from: .follower(1))
            #expect(behind.machine.headHeight == Height(6), "answer \(index)")
        }
    }

    @Test func blocksThatNobodyAskedForAreIgnored() throws {
        let ahead = try Bench.chain(blocks: 4)
        let blocks = try (1...4 as ClosedRange<UInt64>).map { try #require(try ahead.store.block(at: Height($0))) }
        let behind = try Bench(ahead.cast)
        behind.handle(.connected(server))
        behind.receive(.blocks(blocks), from: server)
        #expect(behind.machine.headHeight == .zero && behind.machine.pools.allSatisfy { $0.count == 0 })
    }

    /// A peer that claims the greatest height and says nothing costs one timeout, not the synchronisation.
    @Test func aSilentBoasterDoesNotStarveTheSync() throws {
        let ahead = try Bench.chain(blocks: 80)
        let behind = try Bench(ahead.cast)
        let boaster = NodePeer.follower(1)
        for peer in [boaster, server] { behind.handle(.connected(peer)) }
        for _ in 0..<12 {
            behind.receive(.head(height: Height(.max), digest: .zero), from: boaster)
            behind.receive(.head(height: ahead.machine.headHeight, digest: .zero), from: server)
            behind.tick()
            for (message, peer) in behind.sent where peer == server {
                ahead.sent = []
                ahead.receive(message, from: .follower(9))
                for answer in ahead.take() { behind.receive(answer, from: server) }
            }
            behind.sent = []
        }
        #expect(behind.machine.headHeight == ahead.machine.headHeight)
    }

    struct Unexpected: Error {}
}
