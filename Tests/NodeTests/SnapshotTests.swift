import Consensus
import Cryptography
import Encoding
import Foundation
import Logging
import NodeCore
import NodeHost
import PeerNetwork
import Primitives
import StateSync
import StateTree
import Storage
import Synchronization
import TestSupport
import Testing

/// Joining by a snapshot, from honest peers and others.
@Suite(.timeLimit(.minutes(20))) struct SnapshotTests {
    private static let chunkBytes = 2_000

    private func small(_ rules: inout SnapshotJoin.Rules) { rules.chunkBytes = Self.chunkBytes }

    private func peer(
        _ number: UInt8, _ snapshot: RetainedSnapshot, change: @escaping (SnapshotMessage) -> SnapshotMessage? = { $0 }
    ) -> SnapshotPeer {
        SnapshotPeer(number, [snapshot], chunkBytes: Self.chunkBytes, change: change)
    }

    @Test func aNodeJoinsFromSeveralPeersAndGoesOn() throws {
        let chain = try SnapshotChain(blocks: 25)
        let peers = [peer(1, try chain.snapshot()), peer(2, try chain.snapshot())]
        let run = try JoinRun(chain, peers, rules: small)
        try run.run()
        #expect(try run.difference(from: chain) == nil)
        #expect(peers.allSatisfy { $0.chunks > 4 }, "both are asked")
        #expect(run.distrusted.isEmpty && run.begins == 1)

        // The node that starts on it is where a node with the whole chain is.
        let store = try ChainStore(path: run.home.databaseFolder.path, genesisHash: chain.genesis.hash)
        let joined = try NodeMachine(genesis: chain.genesis, role: .follower, store: store, journal: [], journalName: 1)
        let full = try NodeMachine(genesis: chain.genesis, role: .follower, store: chain.store, journal: [], journalName: 1)
        #expect(joined.headHeight == full.headHeight && joined.milestone == full.milestone)
        #expect(try store.block(at: Height(3)) == nil && store.links() == chain.store.links())
        store.close()

        let result = try ChainVerifier(home: run.home).run()
        #expect(result.base == chain.head.height && result.digest == chain.head.digest)
        #expect(result.unchecked?.contains("height 25") == true)
    }

    private enum Lie: CaseIterable {
        case wrongValue, missingLeaf, addedLeaf, wrongStart, otherRange, crumbs, emptyPieces, noProof
        case wrongBlock, fewSigners, endlessLinks, inventedLink
    }

    private func lie(_ lie: Lie, _ honest: SnapshotMessage, _ snapshot: RetainedSnapshot) -> SnapshotMessage {
        if case .chunk(let digest, let start, let given?) = honest {
            var leaves = given.leaves
            var range = given.range
            var proof = given.proof
            switch lie {
            case .wrongValue:
                guard let last = leaves.popLast() else { return honest }
                leaves.append(StateChunk.Leaf(key: last.key, value: last.value + [0]))
            case .missingLeaf:
                guard !leaves.isEmpty else { return honest }
                leaves.removeFirst()
            case .addedLeaf: leaves.append(StateChunk.Leaf(key: .chain("invented"), value: [1]))
            case .wrongStart: range = PathRange(start: Digest.zero, depth: range.depth) ?? range
            case .otherRange:
                // Proven as well, but not what was asked for: it would leave a hole.
                guard let next = range.next, let other = try? snapshot.chunk(start: next, minimumDepth: 4) else {
                    return honest
                }
                return .chunk(digest, start: start, other)
            case .crumbs, .emptyPieces:
                // Always the smallest range that has its own proof.
                let wanted = lie == .crumbs ? given.leaves.first?.key.path : nil
                guard let piece = try? snapshot.chunk(start: start, minimumDepth: wanted == nil ? 250 : range.depth + 3)
                else { return honest }
                return .chunk(digest, start: start, piece)
            case .noProof: proof = RangeProof(neighbour: nil, siblings: [])
            default: return honest
            }
            return .chunk(digest, start: start, StateChunk(range: range, leaves: leaves, proof: proof))
        }
        if case .head(let digest, let given?) = honest, let finalization = given.finalization {
            switch lie {
            case .wrongBlock:
                return .head(
                    digest,
                    FinalizedBlock(
                        block: Block(
                            header: given.block.header, parentCertificate: .genesis,
                            transactions: given.block.transactions), finalization: finalization))
            case .fewSigners:
                let votes = zip(finalization.signers, finalization.signatures).dropLast().map {
                    Vote(subject: finalization.subject, signer: $0, signature: $1)
                }
                return .head(
                    digest,
                    FinalizedBlock(
                        block: given.block, finalization: Certificate(subject: finalization.subject, votes: votes)))
            default: return honest
            }
        }
        if case .links(let digest, let from, .some) = honest {
            switch lie {
            case .endlessLinks: return .links(digest, from: from, .init(links: [], isLast: false))
            case .inventedLink:
                guard let head = try? snapshot.head(), let finalization = head.finalization,
                    let set = try? MasternodeSet([Masternode(name: "x", consensusKey: .zero, owner: .zero, beaconTip: .zero)])
                else { return honest }
                let link = EpochLink(header: head.block.header, finalization: finalization, nextSet: set)
                return .links(digest, from: from, .init(links: [link], isLast: true))
            default: return honest
            }
        }
        return honest
    }

    @Test(arguments: Lie.allCases) private func aLiarIsFoundOutAndAnHonestPeerSuffices(_ kind: Lie) throws {
        let chain = try SnapshotChain(blocks: 12)
        let (own, other) = (try chain.snapshot(), try chain.snapshot())
        // The lower identifier is asked first.
        let liar = peer(1, own) { self.lie(kind, $0, own) }
        let honest = peer(2, other)
        let run = try JoinRun(chain, [liar, honest]) {
            small(&$0)
            $0.crumbs = 8
        }
        try run.run()
        #expect(try run.difference(from: chain) == nil, "\(kind)")
        #expect(run.distrusted == [liar.id], "\(kind): \(run.notes)")

        // Alone it gets nowhere, and leaves nothing behind that a node would start from.
        let alone = try JoinRun(chain, [peer(1, own) { self.lie(kind, $0, own) }]) {
            small(&$0)
            $0.crumbs = 8
        }
        try alone.run()
        #expect(!alone.isComplete && alone.byBlocks != nil, "\(kind)")
        #expect(!FileManager.default.fileExists(atPath: alone.home.databaseFolder.path))
    }

    @Test func aSilentPeerCostsTimeoutsNotTheJoin() throws {
        let chain = try SnapshotChain(blocks: 12)
        for silentFrom in [0, 1, 3, 8] {
            var told = 0
            let silent = peer(1, try chain.snapshot()) {
                told += 1
                return told > silentFrom ? nil : $0
            }
            let run = try JoinRun(chain, [silent, peer(2, try chain.snapshot())], rules: small)
            try run.run()
            #expect(try run.difference(from: chain) == nil, "silent after \(silentFrom)")
            let alone = try JoinRun(chain, [peer(1, try chain.snapshot()) { if case .offers = $0 { $0 } else { nil } }])
            try alone.run()
            #expect(!alone.isComplete)
        }
    }

    /// The snapshot that a node was fetching is not kept any more: it starts over with the next.
    @Test func aStaleSnapshotIsGivenUpForANewerOne() throws {
        let older = try SnapshotChain(blocks: 20, longest: 30)
        let newer = try SnapshotChain(blocks: 30)
        #expect(older.genesis == newer.genesis)
        for mode in [SyncMode.auto, .snapshot] {
            let server = peer(1, try older.snapshot())
            let run = try JoinRun(newer, [server]) {
                small(&$0)
                $0.mode = mode
            }
            let next = try newer.snapshot()
            run.after = { if $0 == 8 { server.snapshots = [next] } }
            try run.run()
            #expect(run.notes.contains { if case .abandons(older.offer, _) = $0 { true } else { false } })
            #expect(run.begins == 2 && run.distrusted.isEmpty)
            #expect(try run.difference(from: newer) == nil)
        }
    }

    @Test func whoeverAsksForASnapshotWaitsForOne() throws {
        let chain = try SnapshotChain(blocks: 12)
        let server = peer(1, try chain.snapshot())
        let kept = server.snapshots
        server.snapshots = []
        let run = try JoinRun(chain, [server]) {
            small(&$0)
            $0.mode = .snapshot
        }
        run.after = { if $0 == 20 { server.snapshots = kept } }
        try run.run()
        #expect(try run.difference(from: chain) == nil)
    }

    @Test func anAbsurdOfferDoesNotKeepANodeFromTheRealOne() throws {
        let chain = try SnapshotChain(blocks: 12)
        let absurd = SnapshotOffer(height: Height(.max), digest: .zero)
        let boaster = peer(1, try chain.snapshot()) {
            if case .offers(let offers) = $0 { return .offers([absurd] + offers) }
            return $0
        }
        let run = try JoinRun(chain, [boaster, peer(2, try chain.snapshot())], rules: small)
        try run.run()
        #expect(try run.difference(from: chain) == nil)
    }

    /// The right block under another height: what was offered is not what was proven.
    @Test func aHeightThatIsNotTheBlocksIsALie() throws {
        let chain = try SnapshotChain(blocks: 12)
        let higher = SnapshotOffer(height: chain.head.height.next, digest: chain.head.digest)
        let liar = peer(1, try chain.snapshot()) { if case .offers = $0 { .offers([higher]) } else { $0 } }
        let run = try JoinRun(chain, [liar, peer(2, try chain.snapshot())], rules: small)
        try run.run()
        #expect(run.distrusted == [liar.id])
        #expect(try run.difference(from: chain) == nil)
    }

    /// Each time another snapshot that it hasn't: found out after a few, not followed for ever.
    @Test func whoOffersWhatItHasNotIsFoundOut() throws {
        let chain = try SnapshotChain(blocks: 12)
        var number: UInt64 = 1_000
        let boaster = peer(1, try chain.snapshot()) {
            guard case .offers = $0 else { return $0 }
            number += 1
            return .offers([SnapshotOffer(height: Height(number), digest: Digest(sha256: number.borsh))])
        }
        let alone = try JoinRun(chain, [boaster])
        try alone.run()
        #expect(alone.byBlocks != nil && alone.distrusted == [boaster.id])
        let run = try JoinRun(chain, [boaster, peer(2, try chain.snapshot())], rules: small)
        try run.run()
        #expect(try run.difference(from: chain) == nil)
    }

    @Test func checkpoints() throws {
        let chain = try SnapshotChain(blocks: 12)
        let right = Checkpoint(height: chain.head.height, digest: chain.head.digest)
        let wrong = Checkpoint(height: chain.head.height, digest: .zero)
        let elsewhere = Checkpoint(height: Height(5), digest: .zero)
        func run(_ checkpoint: Checkpoint) throws -> JoinRun {
            let run = try JoinRun(chain, [peer(1, try chain.snapshot())]) { $0.checkpoint = checkpoint }
            try run.run()
            return run
        }
        func said(_ run: JoinRun, _ text: String) -> Bool {
            run.notes.contains { if case .checkpoint(let said) = $0 { said.contains(text) } else { false } }
        }
        let agreed = try run(right)
        #expect(agreed.isComplete && said(agreed, "is the checkpoint's"))
        let refused = try run(wrong)
        #expect(!refused.isComplete && refused.distrusted.count == 1)
        let unknown = try run(elsewhere)
        #expect(unknown.isComplete && said(unknown, "could not be checked"))
        #expect(Checkpoint(right.description) == right)
        for text in ["", "5", "5:", ":" + Digest.zero.hex, "x:" + Digest.zero.hex, "0:" + Digest.zero.hex, "5:12"] {
            #expect(Checkpoint(text) == nil, "\(text)")
        }
    }

    /// A chain on which the set changed once, with block 6; and what a join says after it was told links.
    private struct TwoSets {
        let genesis: Genesis
        let border: FinalizedBlock
        let head: FinalizedBlock
        /// The border's step to the second set, and the head's own.
        let links: [EpochLink]
        private let peer: PeerId

        init() throws {
            let keys = try ([1, 2] as [UInt8]).map { byte in try #require(PrivateKey(seed: [UInt8](repeating: byte, count: 32))) }
            let sets = try keys.map {
                try MasternodeSet([Masternode(name: "m", consensusKey: $0.publicKey, owner: .zero, beaconTip: .zero)])
            }
            let genesis = try Genesis(
                chainName: "test", time: Time(1_000), parameters: Parameters(), masternodes: sets[0], allocations: [])
            func block(_ height: UInt64, in epoch: Int) throws -> FinalizedBlock {
                let header = Header(
                    height: Height(height), view: View(height), epoch: Epoch(UInt64(epoch)), parent: .zero, proposer: 0,
                    time: Time(height), transactionsRoot: Block.transactionsRoot([]), stateRoot: .zero,
                    receiptsRoot: .zero, gasUsed: 0, reveal: .zero, randomness: .zero, activeSetHash: sets[epoch].hash,
                    nextSetHash: sets[1].hash, parentCertificateHash: ParentCertificate.genesis.hash)
                let subject = Finalize(
                    epoch: header.epoch, view: header.view, digest: header.digest(genesis: genesis.hash))
                let signature = try keys[epoch].sign(subject, domain: Finalize.domain, genesis: genesis.hash)
                return FinalizedBlock(
                    block: Block(header: header, parentCertificate: .genesis, transactions: []),
                    finalization: Finalization(
                        subject: subject, votes: [Vote(subject: subject, signer: 0, signature: signature)]))
            }
            let blocks = [try block(6, in: 0), try block(12, in: 1)]
            links = try blocks.map {
                EpochLink(header: $0.block.header, finalization: try #require($0.finalization), nextSet: sets[1])
            }
            self.genesis = genesis
            (border, head) = (blocks[0], blocks[1])
            peer = PeerId(keys[0].publicKey)
        }

        func digest(_ block: FinalizedBlock) -> Digest { block.block.header.digest(genesis: genesis.hash) }

        func told(_ links: [EpochLink], isLast: Bool, checkpoint: Checkpoint? = nil) -> [SnapshotJoin.Output] {
            let rules = SnapshotJoin.Rules(mode: .snapshot, checkpoint: checkpoint, expectedPeers: 1)
            var join = SnapshotJoin(genesis: genesis, rules: rules, now: 0)
            let offer = SnapshotOffer(height: head.block.header.height, digest: digest(head))
            _ = join.connected(peer, now: 0)
            _ = join.received(.offers([offer]), from: peer, now: 0)
            _ = join.received(.head(offer.digest, head), from: peer, now: 0)
            let answer = SnapshotMessage.Links(links: links, isLast: isLast)
            return join.received(.links(offer.digest, from: .zero, answer), from: peer, now: 0)
        }
    }

    private func begins(_ outputs: [SnapshotJoin.Output]) -> Bool {
        outputs.contains { if case .begin = $0 { true } else { false } }
    }

    /// A checkpoint may be about a block on the way to the snapshot's head.
    @Test func aCheckpointOnTheWayIsCompared() throws {
        let chain = try TwoSets()
        func told(_ digest: Digest) -> [SnapshotJoin.Output] {
            chain.told([chain.links[0]], isLast: true, checkpoint: Checkpoint(height: Height(6), digest: digest))
        }
        #expect(begins(told(chain.digest(chain.border))))
        let other = told(.zero)
        #expect(!begins(other) && other.contains { if case .fail = $0 { true } else { false } })
    }

    /// The steps lead to the head, and not beyond: whoever has more of them would never have to come to an end.
    @Test func stepsBeyondTheHeadAreALie() throws {
        let chain = try TwoSets()
        #expect(begins(chain.told([chain.links[0]], isLast: true)))
        let outputs = chain.told(chain.links, isLast: false)
        #expect(outputs.contains { if case .note(.distrusts) = $0 { true } else { false } })
    }

    @Test func aShortChainIsJoinedByBlocks() throws {
        let chain = try SnapshotChain(blocks: 6)
        let run = try JoinRun(chain, [peer(1, try chain.snapshot())]) { $0.smallestHeight = Height(7) }
        try run.run()
        #expect(run.byBlocks != nil && run.begins == 0)
        let nobody = try JoinRun(chain, [])
        try nobody.run()
        #expect(nobody.byBlocks != nil)
    }

    @Test(arguments: 1...6 as ClosedRange<UInt64>) func anyBytesAreDecodedOrRefused(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let chain = try SnapshotChain(blocks: 6, accounts: 20)
        let snapshot = try chain.snapshot()
        let chunk = try #require(try snapshot.chunk(start: .zero, minimumDepth: 0))
        let links = try snapshot.links(from: .zero)
        let messages: [SnapshotMessage] = [
            .offers([snapshot.offer]), .head(snapshot.offer.digest, try snapshot.head()),
            .links(.zero, from: .zero, links), .chunk(.zero, start: .zero, chunk), .wantLinks(.zero, from: Epoch(3)),
            .wantChunk(.zero, start: .zero, minimumDepth: 7), .wantHead(.zero), .wantOffers,
        ]
        for message in messages {
            #expect(try SnapshotMessage(kind: message.kind, payload: message.payload) == message)
            for _ in 0..<50 {
                var bytes = message.payload
                if !bytes.isEmpty { bytes[random.below(bytes.count)] = UInt8(truncatingIfNeeded: random.next()) }
                if random.below(3) == 0 { bytes = Array(bytes.prefix(random.below(bytes.count + 1))) }
                if let other = try? SnapshotMessage(kind: message.kind, payload: bytes) {
                    #expect(other.payload == bytes, "seed \(seed): \(message.kind)")
                }
            }
        }
        // Requests that make no sense get nothing, and never a trap.
        for depth in [257, 65_535] { #expect(try snapshot.chunk(start: .zero, minimumDepth: depth) == nil) }
        for _ in 0..<50 {
            let start = Digest(random.bytes(32)) ?? .zero
            let depth = random.below(300)
            if let chunk = try snapshot.chunk(start: start, minimumDepth: depth) {
                #expect(chunk.verify(root: try #require(try snapshot.head()).block.header.stateRoot))
            }
        }
    }

    /// The largest range that fits, out of a state of many pages, from wherever and to whatever limit one asks.
    @Test(arguments: 1...3 as ClosedRange<UInt64>) func aChunkIsTheLargestRangeThatFits(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let chain = try SnapshotChain(blocks: 6, accounts: 700)
        let snapshot = try chain.snapshot()
        var all: [StateChunk.Leaf] = []
        try chain.store.everyValue { all.append(StateChunk.Leaf(key: $0, value: $1)) }
        all.sort { $0.key.path < $1.key.path }
        #expect(all.count > 600)
        func size(_ leaves: [StateChunk.Leaf]) -> Int { leaves.reduce(0) { $0 + $1.key.bytes.count + $1.value.count + 8 } }
        for round in 0..<60 {
            var start = Digest.zero
            if round > 0 { start = round % 2 == 0 ? all[random.below(all.count)].key.path : Digest(random.bytes(32)) ?? .zero }
            let limit = [0, 300, 4_000, 60_000, 1 << 20][random.below(5)]
            let depth = round == 0 ? 0 : random.below(12)
            // Paths with zeros behind, where large ranges begin.
            let begin = Self.cut(start, to: round % 3 == 0 ? random.below(9) : 256)
            let chunk = try #require(try snapshot.chunk(start: begin, minimumDepth: depth, limit: limit))
            #expect(chunk.range.start == begin && chunk.leaves == all.filter { chunk.range.contains($0.key.path) })
            #expect(chunk.leaves.count <= 1 || size(chunk.leaves) <= limit, "seed \(seed), round \(round)")
            let largest = max(depth, PathRange.smallestDepth(startingAt: begin))
            guard chunk.range.depth > largest, let twice = PathRange(start: begin, depth: chunk.range.depth - 1) else {
                #expect(chunk.range.depth == largest)
                continue
            }
            let more = all.filter { twice.contains($0.key.path) }
            #expect(more.count > 1 && size(more) > limit, "seed \(seed), round \(round)")
        }
    }

    /// The path with all bits from this one on cleared.
    private static func cut(_ path: Digest, to bits: Int) -> Digest {
        var bytes = path.bytes
        for bit in bits..<max(bits, 256) { bytes[bit / 8] &= ~(UInt8(0x80) >> UInt8(bit % 8)) }
        return Digest(bytes) ?? .zero
    }

    // MARK: The server

    /// A large state takes longer than a busy chain takes for the next snapshots; nobody holds one for ever.
    @Test func theServerKeepsWhatIsBeingFetched() async throws {
        let chains = try [12, 17, 22, 27, 32].map { try SnapshotChain(blocks: $0, accounts: 8) }
        let time = Mutex<UInt64>(0)
        let answers = Mutex(0)
        let server = SnapshotServer(
            interval: 5, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }, clock: { time.withLock { $0 } }
        ) { _, _ in answers.withLock { $0 += 1 } }
        let joiner = PeerId(PublicKey([UInt8](repeating: 9, count: 32)) ?? .zero)
        func fetch(_ chain: SnapshotChain) async throws {
            let before = answers.withLock { $0 }
            server.received(.wantChunk(chain.head.digest, start: .zero, minimumDepth: 4), from: joiner)
            for _ in 0..<20_000 where answers.withLock({ $0 }) == before { try await Task.sleep(for: .milliseconds(10)) }
        }
        func consider(_ chain: SnapshotChain, at now: UInt64) throws -> [SnapshotOffer] {
            time.withLock { $0 = now }
            server.consider(try chain.store.snapshot())
            return server.offers
        }
        #expect(try consider(chains[0], at: 0) == [chains[0].offer])
        #expect(try consider(chains[1], at: 10_000) == [chains[1].offer, chains[0].offer])
        try await fetch(chains[0])
        // Beyond the newest two, since it was asked for a moment ago.
        #expect(try consider(chains[2], at: 20_000) == [chains[2].offer, chains[1].offer, chains[0].offer])
        try await fetch(chains[0])
        // Nobody has asked for the second one.
        #expect(try consider(chains[3], at: 40_000) == [chains[3].offer, chains[2].offer, chains[0].offer])
        time.withLock { $0 = SnapshotLimits.longestMs }
        try await fetch(chains[0])
        #expect(try consider(chains[4], at: SnapshotLimits.longestMs + 1) == [chains[4].offer, chains[3].offer])
        await server.stop()
    }

    /// A masternode that joins again is answered, however long an answer to a stranger takes.
    @Test func strangersHoldUpNoMasternode() async throws {
        let chain = try SnapshotChain(blocks: 12)
        let (stranger, masternode) = (
            PeerId(PublicKey([UInt8](repeating: 9, count: 32)) ?? .zero),
            PeerId(PublicKey([UInt8](repeating: 8, count: 32)) ?? .zero)
        )
        let release = DispatchSemaphore(value: 0)
        let answered = Mutex<[PeerId]>([])
        let server = SnapshotServer(
            interval: 5, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }, clock: { 1_000 }
        ) { _, peer in
            if peer == stranger { release.wait() }
            answered.withLock { $0.append(peer) }
        }
        server.consider(try chain.store.snapshot())
        server.received(.wantHead(chain.head.digest), from: stranger, isStranger: true)
        server.received(.wantHead(chain.head.digest), from: masternode, isStranger: false)
        for _ in 0..<20_000 where answered.withLock({ $0.isEmpty }) { try await Task.sleep(for: .milliseconds(10)) }
        #expect(answered.withLock { $0 } == [masternode])
        release.signal()
        await server.stop()
        #expect(answered.withLock { $0 } == [masternode, stranger])
    }

    @Test func theServerKeepsTheNewestTwoAndBoundsWhatItAnswers() async throws {
        let chain = try SnapshotChain(blocks: 12)
        let answers = Mutex<[SnapshotMessage]>([])
        let server = SnapshotServer(
            interval: 5, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }, clock: { 1_000 }
        ) { message, _ in answers.withLock { $0.append(message) } }
        let snapshot = try chain.store.snapshot()
        server.consider(snapshot)
        // The same head again is not due any more.
        server.consider(snapshot)
        #expect(server.offers == [chain.offer])
        let stranger = PeerId(PublicKey([UInt8](repeating: 9, count: 32)) ?? .zero)
        for _ in 0..<1_000 { server.received(.wantOffers, from: stranger) }
        #expect(answers.withLock { $0.count } == SnapshotLimits.requestsPerSecond)
        let other = PeerId(PublicKey([UInt8](repeating: 8, count: 32)) ?? .zero)
        server.received(.wantHead(chain.head.digest), from: other)
        server.received(.wantChunk(.zero, start: .zero, minimumDepth: 0), from: other)
        server.received(.offers([]), from: other)
        let expected = SnapshotLimits.requestsPerSecond + 2
        for _ in 0..<20_000 where answers.withLock({ $0.count }) < expected { try await Task.sleep(for: .milliseconds(10)) }
        let head = try chain.store.block(at: chain.head.height)
        #expect(
            answers.withLock { Array($0.suffix(2)) } == [
                .head(chain.head.digest, head), .chunk(.zero, start: .zero, nil),
            ])
        await server.stop()
        #expect(server.offers.isEmpty)
    }
}
