import Consensus
import Cryptography
import NodeCore
import Primitives
import Simulation
import Testing

/// Fetching blocks from several peers at once.
@Suite(.timeLimit(.minutes(20))) struct CatchingUpTests {
    private func asked(_ bench: Bench) -> [(from: Height, peer: NodePeer)] {
        defer { bench.sent = [] }
        return bench.sent.compactMap { sent in
            if case .wantBlocks(let from, _) = sent.message, let peer = sent.to { (from, peer) } else { nil }
        }
    }

    private func answer(_ ahead: Bench, from: Height) -> NodeMessage? {
        ahead.sent = []
        ahead.receive(.wantBlocks(from: from, count: NodeLimits.syncBlocks), from: .follower(99))
        defer { ahead.sent = [] }
        return ahead.sent.compactMap { if case .blocks = $0.message { $0.message } else { nil } }.last
    }

    @Test func eachPeerIsAskedForAnotherSpan() throws {
        let ahead = try Bench.chain(blocks: 400)
        let behind = try Bench(ahead.cast)
        let peers = (0..<3 as Range<UInt64>).map { NodePeer.follower($0) }
        for peer in peers { behind.handle(.connected(peer)) }
        for peer in peers { behind.receive(.head(height: ahead.machine.headHeight, digest: .zero), from: peer) }
        let first = asked(behind)
        #expect(Set(first.map(\.peer)) == Set(peers) && first.map(\.from.value).sorted() == [1, 65, 129])

        // The answers come in the opposite order: nothing is taken before what lies below is here.
        for request in first.sorted(by: { $0.from > $1.from }) {
            let message = try #require(answer(ahead, from: request.from))
            behind.receive(message, from: request.peer)
            if request.from > Height(1) { #expect(behind.machine.headHeight == .zero) }
        }
        #expect(behind.machine.headHeight.value >= 192)
        var rounds = 0
        while behind.machine.headHeight < ahead.machine.headHeight, rounds < 50 {
            rounds += 1
            for request in asked(behind) {
                if let message = answer(ahead, from: request.from) { behind.receive(message, from: request.peer) }
            }
            behind.tick()
        }
        #expect(behind.machine.milestone == ahead.machine.milestone && behind.misbehaviours == 0)
    }

    /// Heights that go back would let an answer be dropped without a word, and its sender be asked again for ever.
    @Test func anAnswerWithHeightsThatDoNotFollowIsAnOffence() throws {
        let ahead = try Bench.chain(blocks: 80)
        let blocks = try (1...3 as ClosedRange<UInt64>).map { try #require(try ahead.store.block(at: Height($0))) }
        // Of a height that everybody has.
        let first = blocks[0].block
        let header = Header(
            height: .zero, view: first.header.view, epoch: first.header.epoch, parent: first.header.parent,
            proposer: first.header.proposer, time: first.header.time, transactionsRoot: first.header.transactionsRoot,
            stateRoot: first.header.stateRoot, receiptsRoot: first.header.receiptsRoot, gasUsed: first.header.gasUsed,
            reveal: first.header.reveal, randomness: first.header.randomness, activeSetHash: first.header.activeSetHash,
            nextSetHash: first.header.nextSetHash, parentCertificateHash: first.header.parentCertificateHash)
        let below = FinalizedBlock(
            block: Block(header: header, parentCertificate: first.parentCertificate, transactions: first.transactions),
            finalization: nil)
        for answer in [
            [blocks[0], blocks[0]], [blocks[0], blocks[2]], [blocks[0], blocks[1], blocks[0]], [blocks[0], below],
        ] {
            let behind = try Bench(ahead.cast)
            let (liar, other) = (NodePeer.follower(0), NodePeer.follower(1))
            behind.handle(.connected(liar))
            behind.handle(.connected(other))
            behind.receive(.head(height: Height(40_000), digest: .zero), from: liar)
            behind.receive(.head(height: Height(60), digest: .zero), from: other)
            #expect(asked(behind).map(\.peer) == [liar] && behind.misbehaviours == 0)
            behind.receive(.blocks(answer), from: liar)
            #expect(behind.misbehaviours == 1)
            #expect(asked(behind).map(\.peer) == [other])
        }
    }

    /// An answer that comes after its request ran out, when the peer has been asked for something else.
    @Test func aLateAnswerIsNoOffence() throws {
        let ahead = try Bench.chain(blocks: 150)
        let behind = try Bench(ahead.cast)
        let peer = NodePeer.follower(0)
        behind.handle(.connected(peer))
        behind.receive(.head(height: ahead.machine.headHeight, digest: .zero), from: peer)
        let first = try #require(asked(behind).first)
        let late = try #require(answer(ahead, from: first.from))
        behind.receive(late, from: peer)
        let second = try #require(asked(behind).first)
        #expect(second.from > first.from)
        behind.receive(late, from: peer)
        #expect(behind.misbehaviours == 0)
        behind.receive(try #require(answer(ahead, from: second.from)), from: peer)
        #expect(behind.machine.headHeight.value >= 128)
    }

    /// Answers of higher spans, which came late, take no place from the one that all wait for.
    @Test func lateAnswersDoNotKeepTheNextOneOut() throws {
        let ahead = try Bench.chain(blocks: 700)
        let behind = try Bench(ahead.cast)
        let peers = (0..<4 as Range<UInt64>).map { NodePeer.follower($0) }
        func tellHeads(except gone: NodePeer? = nil) {
            for peer in peers where peer != gone { behind.receive(.head(height: ahead.machine.headHeight, digest: .zero), from: peer) }
        }
        func block(_ height: Height) throws -> NodeMessage { .blocks([try #require(try ahead.store.block(at: height))]) }
        for peer in peers { behind.handle(.connected(peer)) }
        tellHeads()
        // Each has shown that it has blocks, and is asked for what is not next, too.
        for request in asked(behind) { behind.receive(try #require(answer(ahead, from: request.from)), from: request.peer) }
        let first = asked(behind).sorted { $0.from < $1.from }
        let next = behind.machine.headHeight.next
        try #require(first.count == 4 && first[0].from == next)
        for _ in 0..<3 { behind.tick() }
        behind.receive(try block(first[1].from), from: first[1].peer)
        behind.sent = []
        tellHeads()
        let second = asked(behind)
        for request in first.dropFirst(2) { behind.receive(try block(request.from), from: request.peer) }
        for request in second where request.from > next { behind.receive(try block(request.from), from: request.peer) }
        let gone = try #require(second.first { $0.from == next }).peer
        behind.sent = []
        behind.handle(.disconnected(gone))
        var isAsked = false
        for _ in 0..<20 where !isAsked {
            tellHeads(except: gone)
            behind.tick()
            isAsked = asked(behind).contains { $0.from == next }
        }
        #expect(isAsked)
    }

    /// One of three is silent, one lies: the third brings the node to the end, whoever of them was asked for what.
    @Test func aSilentAndALyingPeerDelayButDoNotStopIt() throws {
        let ahead = try Bench.chain(blocks: 300)
        for order in [[0, 1, 2], [1, 2, 0], [2, 0, 1]] {
            let behind = try Bench(ahead.cast)
            let peers = (0..<3 as Range<UInt64>).map { NodePeer.follower($0) }
            let (silent, liar, honest) = (peers[order[0]], peers[order[1]], peers[order[2]])
            for peer in peers { behind.handle(.connected(peer)) }
            for _ in 0..<60 where behind.machine.headHeight < ahead.machine.headHeight {
                for peer in peers { behind.receive(.head(height: ahead.machine.headHeight, digest: .zero), from: peer) }
                for request in asked(behind) {
                    guard request.peer != silent, let message = answer(ahead, from: request.from) else { continue }
                    guard request.peer == liar, case .blocks(let blocks) = message else {
                        behind.receive(message, from: request.peer)
                        continue
                    }
                    behind.receive(.blocks(Array(blocks.reversed())), from: request.peer)
                }
                behind.tick()
                #expect(behind.machine.pools.allSatisfy { $0.count <= $0.limit })
            }
            #expect(behind.machine.headHeight == ahead.machine.headHeight, "silent \(silent), liar \(liar), honest \(honest)")
            #expect(behind.halts.isEmpty)
        }
    }
}
