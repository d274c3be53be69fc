import Cryptography
import Foundation
import NodeCore
import NodeHome
import NodeHost
import PeerNetwork
import Primitives
import StateSync
import StateTree
import Storage

/// A small chain in a home of its own, made through the real ledger and store.
final class SnapshotChain {
    let folder: URL
    let home: NodeHome
    let genesis: Genesis
    let store: ChainStore
    let head: ChainHead

    /// - Parameter longest: a chain of so many blocks has the same beginning.
    init(
        blocks: UInt64, accounts: Int = 120, longest: UInt64? = nil, change: (inout ChainGenerator.Plan) -> Void = { _ in }
    ) throws {
        folder = FileManager.default.temporaryDirectory.appending(
            path: "edgeproof-snapshot-\(UUID().uuidString)", directoryHint: .isDirectory)
        home = NodeHome(folder.appending(path: "full").path)
        var plan = ChainGenerator.Plan(blocks: blocks)
        plan.accounts = accounts
        change(&plan)
        // The genesis' time is so much before `now` as the chain takes.
        let cut = plan.spacingMs * ((longest ?? blocks) - blocks)
        var generator = try ChainGenerator(plan, now: Time(1_700_000_000_000 - cut))
        head = try generator.run(home: home) { _ in }
        genesis = try home.genesis()
        store = try ChainStore(path: home.databaseFolder.path, genesisHash: genesis.hash)
    }

    deinit {
        store.close()
        try? FileManager.default.removeItem(at: folder)
    }

    var offer: SnapshotOffer { SnapshotOffer(height: head.height, digest: head.digest) }

    func snapshot() throws -> RetainedSnapshot { RetainedSnapshot(offer: offer, store: try store.snapshot()) }

    /// A home for a node that joins.
    func newHome() throws -> NodeHome {
        let home = NodeHome(folder.appending(path: UUID().uuidString).path)
        try home.write(genesis)
        return home
    }
}

/// A peer that gives out snapshots, honestly but for what `change` does to its answers; nil is silence.
final class SnapshotPeer {
    let id: PeerId
    var snapshots: [RetainedSnapshot]
    let chunkBytes: Int
    let change: (SnapshotMessage) -> SnapshotMessage?
    /// How many chunks it was asked for.
    var chunks = 0

    init(
        _ number: UInt8, _ snapshots: [RetainedSnapshot], chunkBytes: Int = SnapshotLimits.chunkBytes,
        change: @escaping (SnapshotMessage) -> SnapshotMessage? = { $0 }
    ) {
        id = PeerId(PublicKey([UInt8](repeating: number, count: 32)) ?? .zero)
        self.snapshots = snapshots
        self.chunkBytes = chunkBytes
        self.change = change
    }

    func answer(_ message: SnapshotMessage) throws -> SnapshotMessage? {
        func held(_ digest: Digest) -> RetainedSnapshot? { snapshots.first { $0.offer.digest == digest } }
        let honest: SnapshotMessage
        switch message {
        case .wantOffers: honest = .offers(snapshots.map(\.offer))
        case .wantHead(let digest): honest = .head(digest, try held(digest)?.head())
        case .wantLinks(let digest, let from): honest = .links(digest, from: from, try held(digest)?.links(from: from))
        case .wantChunk(let digest, let start, let depth):
            chunks += 1
            honest = .chunk(
                digest, start: start,
                try held(digest)?.chunk(start: start, minimumDepth: Int(depth), limit: chunkBytes))
        default: return nil
        }
        return change(honest)
    }
}

/// Runs a join against peers, in virtual time and with a real store.
final class JoinRun {
    private(set) var join: SnapshotJoin
    let home: NodeHome
    let genesis: Genesis
    private let peers: [SnapshotPeer]
    private var writer: SnapshotWriter?
    private var now: UInt64 = 0
    private var waiting: [(SnapshotMessage, PeerId)] = []
    private(set) var notes: [SnapshotJoin.Note] = []
    private(set) var isComplete = false
    private(set) var byBlocks: String?
    private(set) var failure: String?
    private(set) var begins = 0
    private(set) var leaves = 0
    /// Called after each answer, with how many there were.
    var after: (Int) -> Void = { _ in }

    init(_ chain: SnapshotChain, _ peers: [SnapshotPeer], rules change: (inout SnapshotJoin.Rules) -> Void = { _ in }) throws {
        var rules = SnapshotJoin.Rules(mode: .auto, expectedPeers: peers.count)
        rules.smallestHeight = Height(5)
        change(&rules)
        home = try chain.newHome()
        genesis = chain.genesis
        self.peers = peers
        join = SnapshotJoin(genesis: genesis, rules: rules, now: 0)
    }

    struct Endless: Error {}

    var distrusted: [PeerId] { notes.compactMap { if case .distrusts(let peer, _) = $0 { peer } else { nil } } }
    var isOver: Bool { join.isOver }

    /// Until it is over, or for so many seconds of virtual time.
    func run(seconds: UInt64 = 600) throws {
        for peer in peers { try perform(join.connected(peer.id, now: now)) }
        var answers = 0
        while !join.isOver, now < seconds * 1_000 {
            guard !waiting.isEmpty else {
                now += 200
                try perform(join.tick(now: now))
                continue
            }
            let (message, id) = waiting.removeFirst()
            // As bytes, since that is how peers speak.
            let asked = try SnapshotMessage(kind: message.kind, payload: message.payload)
            guard let peer = peers.first(where: { $0.id == id }), let answer = try peer.answer(asked) else { continue }
            let told = try SnapshotMessage(kind: answer.kind, payload: answer.payload)
            try perform(join.received(told, from: id, now: now))
            answers += 1
            // Answers take no virtual time, so a join that asks for ever would never come to its end.
            guard answers < 100_000 else { throw Endless() }
            after(answers)
        }
        writer?.close()
    }

    private func perform(_ outputs: [SnapshotJoin.Output]) throws {
        for output in outputs {
            switch output {
            case .send(let message, let peer): waiting.append((message, peer))
            case .trusts: break
            case .begin(let root):
                begins += 1
                leaves = 0
                writer?.close()
                writer = try SnapshotWriter(path: home.databaseFolder.path, genesisHash: genesis.hash, root: root)
            case .store(let found):
                leaves += found.count
                try writer?.add(found)
            case .complete(let head):
                try writer?.finish(head, genesis: genesis.hash)
                isComplete = true
            case .byBlocks(let reason): byBlocks = reason
            case .fail(let reason): failure = reason
            case .note(let note): notes.append(note)
            }
        }
    }

    /// The first way in which the joined store differs from the chain's, as far as it should not; nil if it is right.
    func difference(from chain: SnapshotChain, at head: ChainHead? = nil) throws -> String? {
        guard isComplete else { return "not complete: \(notes)" }
        let store = try ChainStore(path: home.databaseFolder.path, genesisHash: genesis.hash)
        defer { store.close() }
        let expected = head ?? chain.head
        guard try store.head() == expected else { return "head" }
        guard try store.base() == expected.height else { return "base" }
        guard try store.stateHeight() == expected.height.previous else { return "state height" }
        guard try store.block(at: expected.height) == chain.store.block(at: expected.height) else { return "block" }
        guard expected == chain.head else { return nil }
        var found: [StateKey: [UInt8]] = [:]
        try store.everyValue { found[$0] = $1 }
        var count = 0
        var wrong: StateKey?
        try chain.store.everyValue { key, value in
            count += 1
            if found[key] != value { wrong = key }
        }
        if let wrong { return "value \(wrong)" }
        return count == found.count ? nil : "\(found.count) values instead of \(count)"
    }
}
