import Consensus
import Cryptography
import Encoding
import NodeCore
import NodeHost
import PeerNetwork
import Primitives
import Simulation
import StateSync
import Testing

/// What strangers say costs a node little, and keeps it from nothing.
@Suite(.timeLimit(.minutes(20))) struct LiarTests {
    /// Twelve who claim much, never answer, and come back under new names; one who has the chain.
    @Test func aJoinerGetsThereAmongLiars() throws {
        let ahead = try Bench.chain(blocks: 700)
        let behind = try Bench(ahead.cast)
        behind.now = ahead.now
        let honest = NodePeer.follower(5)
        var names: UInt64 = 100
        var liars: [NodePeer] = []
        func comeAgain() {
            for liar in liars { behind.handle(.disconnected(liar)) }
            liars = (0..<12).map { _ in
                names += 1
                return NodePeer.follower(names)
            }
            for liar in liars {
                behind.handle(.connected(liar))
                behind.receive(.head(height: Height(40_000 + names), digest: .zero), from: liar)
            }
        }
        comeAgain()
        behind.handle(.connected(honest))
        var ticks = 0
        while behind.machine.headHeight < ahead.machine.headHeight, ticks < 60 {
            behind.receive(.head(height: ahead.machine.headHeight, digest: .zero), from: honest)
            // Whatever the honest one is asked for it answers at once; the others never do.
            var isAnswered = true
            while isAnswered {
                isAnswered = false
                let asked = behind.sent
                behind.sent = []
                for (message, peer) in asked {
                    guard peer == honest, case .wantBlocks(let from, let count) = message else { continue }
                    let blocks = try SyncAnswer.blocks(
                        from: from, count: count, through: ahead.machine.headHeight) { try ahead.store.block(at: $0) }
                    behind.receive(.blocks(blocks), from: honest)
                    isAnswered = true
                }
            }
            behind.tick()
            ticks += 1
            if ticks % 3 == 0 { comeAgain() }
        }
        #expect(behind.machine.headHeight == ahead.machine.headHeight, "after \(ticks) s")
        #expect(!behind.offences.contains { if case .silence = $0 { false } else { true } })
        // The lies go on, and the node says that it is where the chain is.
        for _ in 0..<20 { behind.tick() }
        #expect(behind.halts.isEmpty)
    }

    @Test func masternodesAreAskedBeforeStrangers() throws {
        let ahead = try Bench.chain(blocks: 80)
        let behind = try Bench(ahead.cast)
        behind.now = ahead.now
        for number in 0..<5 as Range<UInt64> {
            behind.handle(.connected(.follower(number)))
            behind.receive(.head(height: Height(30_000), digest: .zero), from: .follower(number))
        }
        behind.sent = []
        behind.handle(.connected(ahead.cast.peer(0)))
        behind.receive(.head(height: ahead.machine.headHeight, digest: .zero), from: ahead.cast.peer(0))
        #expect(!behind.sent.contains { if case .wantBlocks = $0.message { true } else { false } }, "there is no room yet")
        // The room that a stranger leaves is the masternode's, though another stranger waits for it and claims more.
        for number in 0..<5 as Range<UInt64> { behind.handle(.disconnected(.follower(number))) }
        let asked = behind.sent.compactMap { if case .wantBlocks(let from, _) = $0.message { (from, $0.to) } else { nil } }
        #expect(asked.first?.0 == Height(1) && asked.first?.1 == ahead.cast.peer(0))
    }

    @Test func aHeightThatNoChainCanHaveIsAnOffence() throws {
        let bench = try Bench(Cast.of(4, realSignatures: false))
        bench.handle(.connected(.follower(1)))
        bench.sent = []
        bench.receive(.head(height: Height(1 << 60), digest: .zero), from: .follower(1))
        #expect(bench.offences == [.impossibleHead(Height(1 << 60))])
        #expect(bench.sent.isEmpty && !bench.machine.isCatchingUp)
    }

    @Test func aWrongSignatureEndsItsMessage() throws {
        let cast = try Cast.of(4, realSignatures: false)
        let bench = try Bench(cast, masternode: 0)
        bench.handle(.connected(.follower(1)))
        let right = try Bench.record(cast, sequence: 0)
        let wrong = SignedTransaction(
            transaction: try Bench.record(cast, client: 1, sequence: 0).transaction, authorization: right.authorization)
        bench.receive(.transactions([wrong, right]), from: .follower(1))
        #expect(bench.offences == [.badSignature] && bench.machine.mempool.count == 0)
        bench.receive(.transactions([right]), from: .follower(1))
        #expect(bench.machine.mempool.count == 1)
    }

    @Test func aStrangersBodyIsAnOffence() throws {
        let ahead = try Bench.chain(blocks: 3)
        let bench = try Bench(Cast.of(1, realSignatures: false))
        bench.handle(.connected(.follower(1)))
        let block = try #require(try ahead.store.block(at: Height(2))).block
        bench.receive(.body(block), from: .follower(1))
        #expect(bench.offences == [.unwantedBody])
    }

    /// What followers ask for is bounded for all of them together.
    @Test func followersShareWhatIsServed() throws {
        let ahead = try Bench.chain(blocks: 5)
        var answers = 0
        for number in 0..<400 as Range<UInt64> {
            ahead.handle(.connected(.follower(number)))
            ahead.sent = []
            ahead.receive(.wantBlocks(from: Height(1), count: 1), from: .follower(number))
            answers += ahead.sent.count { if case .blocks = $0.message { true } else { false } }
            ahead.handle(.disconnected(.follower(number)))
        }
        #expect(answers == 100)
        ahead.tick()
        ahead.sent = []
        ahead.receive(.wantBlocks(from: Height(1), count: 1), from: .follower(1_000))
        #expect(ahead.sent.contains { if case .blocks = $0.message { true } else { false } })
    }

    /// A masternode is served more than a follower, and has its ration as well.
    @Test func noMasternodeIsServedWithoutEnd() throws {
        let ahead = try Bench.chain(blocks: 5)
        let other = try Cast.of(4, realSignatures: false).peer(1)
        func answers() -> Int {
            ahead.sent = []
            for _ in 0..<120 { ahead.receive(.wantBlocks(from: Height(1), count: 1), from: other) }
            return ahead.sent.count { if case .blocks = $0.message { true } else { false } }
        }
        #expect(answers() == 100)
        #expect(answers() == 0)
        ahead.tick()
        #expect(answers() == 100)
    }

    /// Nineteen whose snapshots are newer than any other, and who never answer for them.
    @Test func aSnapshotIsFoundAmongSilentOffers() throws {
        let chain = try SnapshotChain(blocks: 12)
        var peers = try (1...19 as ClosedRange<UInt8>).map { number in
            SnapshotPeer(number, [try chain.snapshot()]) { message in
                guard case .offers = message else { return nil }
                let height = 1_000 + UInt64(number)
                return .offers([SnapshotOffer(height: Height(height), digest: Digest(sha256: height.borsh))])
            }
        }
        peers.append(SnapshotPeer(20, [try chain.snapshot()]))
        let run = try JoinRun(chain, peers) { $0.regionBits = 1 }
        try run.run()
        #expect(try run.difference(from: chain) == nil)
        let failed = run.notes.count { if case .failed = $0 { true } else { false } }
        #expect(failed > 0 && run.distrusted.isEmpty)
    }

    /// Where nobody else has a snapshot, the chain may be too young for one, and may be waiting for this very node.
    @Test func oneSilentOfferDoesNotHoldANodeThatCanGoByBlocks() throws {
        let chain = try SnapshotChain(blocks: 6)
        let boaster = SnapshotPeer(1, []) { message in
            guard case .offers = message else { return nil }
            return .offers([SnapshotOffer(height: Height(1 << 60), digest: Digest(sha256: [1]))])
        }
        let honest = (2...4 as ClosedRange<UInt8>).map { SnapshotPeer($0, []) }
        let run = try JoinRun(chain, [boaster] + honest)
        try run.run(seconds: 60)
        #expect(run.byBlocks != nil && run.begins == 0)
        // Whoever asks for a snapshot gets no blocks.
        let waiting = try JoinRun(chain, [boaster] + honest) { $0.mode = .snapshot }
        try waiting.run(seconds: 60)
        #expect(!waiting.isOver)
    }

    /// They have the snapshot, prove it, and then give one chunk now and then.
    @Test func aSnapshotIsNotLeftToThoseWhoDawdle() throws {
        let older = try SnapshotChain(blocks: 20, longest: 30)
        let newer = try SnapshotChain(blocks: 30)
        var answers = 0
        let dawdler = SnapshotPeer(1, [try newer.snapshot()], chunkBytes: 400) { message in
            guard case .chunk = message else { return message }
            answers += 1
            return answers % 40 == 1 ? message : nil
        }
        let honest = SnapshotPeer(2, [try older.snapshot()], chunkBytes: 400)
        let run = try JoinRun(newer, [dawdler, honest]) {
            $0.regionBits = 2
            $0.requestMs = 3_000
            $0.silences = 1_000
        }
        try run.run(seconds: 900)
        #expect(try run.difference(from: newer, at: older.head) == nil)
        #expect(run.notes.contains { if case .abandons(newer.offer, _) = $0 { true } else { false } })
    }
}

@Suite(.timeLimit(.minutes(20))) struct NodeGateTests {
    private let stranger = PeerIdentity(key: PrivateKey.generate().publicKey, isMasternode: false)
    private let masternode = PeerIdentity(key: PrivateKey.generate().publicKey, isMasternode: true)

    @Test func onlyWhatWasAskedForMayBeLarge() {
        let gate = NodeGate { 1_000 }
        func judge(_ kind: NodeMessage.Kind, _ length: Int, _ peer: PeerIdentity) -> FrameJudgement {
            gate.judge(kind: kind.rawValue, length: length, from: peer)
        }
        #expect(judge(.body, 7_000_000, stranger) == .refuse(.unwanted))
        #expect(judge(.body, 7_000_000, masternode) == .take(.bulk))
        #expect(judge(.blocks, 100, stranger) == .refuse(.unwanted) && judge(.blocks, 100, masternode) == .refuse(.unwanted))
        gate.expect(NodeMessage.Kind.blocks.rawValue, from: stranger.id)
        #expect(judge(.blocks, 4_000_000, stranger) == .take(.bulk), "once for each request")
        #expect(judge(.blocks, 4_000_000, stranger) == .refuse(.unwanted))
        gate.expect(NodeMessage.Kind.blocks.rawValue, from: stranger.id)
        gate.ended(stranger.id)
        #expect(judge(.blocks, 100, stranger) == .refuse(.unwanted), "requests end with the connection")
        #expect(judge(.transactions, 900_000, stranger) == .take(.stranger))
        #expect(judge(.transactions, 2_000_000, masternode) == .refuse(.malformed))
        #expect(judge(.consensus, 300, masternode) == .take(.urgent) && judge(.consensus, 300, stranger) == .take(.stranger))
        #expect(judge(.head, 40, masternode) == .take(.urgent) && judge(.head, 400, masternode) == .refuse(.malformed))
        #expect(gate.judge(kind: 99, length: 1, from: masternode) == .refuse(.malformed))
        let chunk = SnapshotMessage.Kind.chunk.rawValue
        #expect(gate.judge(kind: chunk, length: 200_000, from: stranger) == .refuse(.unwanted))
        gate.expect(chunk, from: stranger.id)
        #expect(gate.judge(kind: chunk, length: 200_000, from: stranger) == .take(.bulk))
    }
}
