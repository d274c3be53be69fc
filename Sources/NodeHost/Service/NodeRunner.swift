import Consensus
import Cryptography
import Foundation
import KeyFiles
import Logging
import NodeAPI
import NodeCore
import NodeHome
import PeerNetwork
import Primitives
import ProgramSupport
import StateSync
import Storage

/// Opens a home and runs the node in it until the task is cancelled or the node halts.
public struct NodeRunner: Sendable {
    public enum Mode: Sendable { case masternode, follower }

    public static let version = Product.version

    private let home: NodeHome
    private let mode: Mode
    private let passphrase: Passphrase?
    private let logger: Logger
    private let sync: SyncMode
    private let checkpoint: Checkpoint?
    private let rejoin: VotingStart?

    /// - Parameters:
    ///   - passphrase: opens the keys of a masternode.
    ///   - sync: how a node with an empty store joins the chain.
    ///   - checkpoint: a block that must be on the chain.
    ///   - rejoin: where votes of the masternode's key are lost, take part again at once (`simplex.md`, rule 12).
    public init(
        home: NodeHome, mode: Mode, passphrase: Passphrase?, logger: Logger, sync: SyncMode = .auto,
        checkpoint: Checkpoint? = nil, rejoin: VotingStart? = nil
    ) {
        self.rejoin = rejoin
        self.sync = sync
        self.checkpoint = checkpoint
        self.home = home
        self.mode = mode
        self.passphrase = passphrase
        self.logger = logger
    }

    /// - Throws: what keeps the node from starting, or the reason for which it halted.
    public func run() async throws {
        let configuration = try home.configuration()
        let lock = try HomeLock(home.folder)
        defer { withExtendedLifetime(lock) {} }
        let genesis = try home.genesis()
        let keys = try openKeys(genesis)
        let files = FileShares.taken()
        if let warning = files.warning { logger.warning("\(warning)") }
        let store = try openStore(genesis, files)
        let gate = NodeGate { NodeService.clock().monotonic.milliseconds }
        var peerConfiguration = peerConfiguration(configuration, genesis, keys?.consensus, store)
        peerConfiguration.gate = gate
        peerConfiguration.limits.pendingConnections = min(peerConfiguration.limits.pendingConnections, files.peers / 2)
        peerConfiguration.limits.followers = min(peerConfiguration.limits.followers, files.peers / 4)
        let network = try PeerNetwork(configuration: peerConfiguration, logger: logger)
        do {
            let backlog = try await join(network, gate, configuration, genesis, store?.chain)
            try await run(network, gate, files, store, after: backlog, configuration, genesis, keys)
        } catch {
            await network.shutdown()
            throw error
        }
    }

    /// A store that is there, with blocks that are to be fetched again.
    private struct OpenStore {
        let chain: ChainStore
        let unreadable: [Height]
        /// Whether it was made for more than the genesis' state.
        let hasBlocks: Bool
    }

    /// Opens the store, where there is one; written anew before where that is due.
    private func openStore(_ genesis: Genesis, _ files: FileShares) throws -> OpenStore? {
        let path = home.databaseFolder.path
        try StoreRewrite.recover(path)
        try SnapshotImport.discard(path)
        guard FileManager.default.fileExists(atPath: path) else { return nil }
        var unreadable = StoreRewrite.isRequested(path) ? try rewriteStore(leavingOut: true) : []
        var chain = try open(path, genesis, files)
        if try chain.holdsDamage(), !StoreRewrite.isRequested(path) {
            chain.close()
            unreadable = try rewriteStore(leavingOut: false)
            chain = try open(path, genesis, files)
        }
        return OpenStore(
            chain: chain, unreadable: Set(unreadable + (try chain.lostBlocks())).sorted(), hasBlocks: try chain.head() != nil)
    }

    private func open(_ path: String, _ genesis: Genesis, _ files: FileShares) throws -> ChainStore {
        var options = LevelDB.Options()
        options.openFiles = Int32(clamping: files.store)
        var toldAt: ContinuousClock.Instant?
        let store = try ChainStore(path: path, genesisHash: genesis.hash, options: options) { entries in
            let now = ContinuousClock.now
            guard toldAt.map({ now - $0 >= .seconds(10) }) ?? true else { return }
            toldAt = now
            logger.notice(
                "bringing the store to the format of this program: older ones must not be started on it any more",
                metadata: ["entries": "\(entries)"])
        }
        if toldAt != nil { logger.notice("the store has the format of this program now") }
        return store
    }

    /// Writes the store anew. What keeps it from that is told, and the node starts with the store as it is.
    ///
    /// - Parameter leavingOut: whether blocks that can't be read are left out, since the store takes no writes.
    /// - Returns: blocks that are to be fetched.
    private func rewriteStore(leavingOut: Bool) throws -> [Height] {
        let path = home.databaseFolder.path
        let bytes = try StoreRewrite.bytes(path)
        if let free = StoreRewrite.freeBytes(path), free < bytes + bytes / 8 {
            logger.error(
                "the store has a damaged file and there is no room to write it anew",
                metadata: [
                    "needed_MB": "\(bytes / 1_000_000)", "free_MB": "\(free / 1_000_000)",
                    "what_to_do": "make room and start the node again, or stop it, move the folder db aside and start it again",
                ])
            return []
        }
        logger.notice(
            "writing the store anew, without a damaged file",
            metadata: [
                "MB": "\(bytes / 1_000_000)",
                "since": leavingOut ? "LevelDB took no more writes when it came to that file" : "what lay there was put back",
            ])
        var toldAt = ContinuousClock.now
        do {
            let unreadable = try StoreRewrite.run(path, leavingOut: leavingOut) { written in
                try Task.checkCancellation()
                guard ContinuousClock.now - toldAt >= .seconds(10) else { return }
                toldAt = .now
                logger.info(
                    "writing the store anew",
                    metadata: [
                        "entries": "\(written.entries)", "MB": "\(written.bytes / 1_000_000)",
                        "of_about_MB": "\(bytes / 1_000_000)",
                    ])
            }
            guard let first = unreadable.first, !leavingOut else {
                logger.notice(
                    "the store is written anew, without the damaged file",
                    metadata: ["blocks_to_fetch": "\(unreadable.count)"])
                return unreadable
            }
            logger.warning(
                "the store is not written anew yet: more blocks can't be read, and are fetched from peers first",
                metadata: [
                    "blocks": "\(unreadable.count)", "first": "\(first)",
                    "what_to_do": "start the node again when the log says that they are in the store again",
                ])
            return unreadable
        } catch let error as StorageError {
            logger.error(
                "the store can't be written anew",
                metadata: [
                    "reason": "\(error)",
                    "what_to_do": "at a time that suits, stop the node, move the folder db aside and start it again",
                ])
            return []
        }
    }

    /// Joins by a snapshot if that is what a new node is to do.
    ///
    /// - Returns: what the network, which runs then, has said; nil when it was not started.
    private func join(
        _ network: PeerNetwork, _ gate: NodeGate, _ configuration: NodeConfiguration, _ genesis: Genesis,
        _ store: ChainStore?
    ) async throws -> [PeerEvent]? {
        if let head = try store?.head() {
            if sync == .snapshot {
                logger.notice("the store has block \(head.height): a snapshot is for an empty one; goes on by blocks")
            }
            return nil
        }
        // An empty one gives way to what is joined.
        store?.close()
        let path = home.databaseFolder.path
        guard sync != .blocks, sync == .snapshot || !configuration.peers.isEmpty else { return nil }
        var rules = SnapshotJoin.Rules(mode: sync, checkpoint: checkpoint, expectedPeers: configuration.peers.count)
        rules.smallestHeight = Height(configuration.snapshotBlocks ?? SnapshotLimits.interval)
        try await network.start()
        return try await SnapshotJoiner(
            network: network, gate: gate, genesis: genesis, path: path, rules: rules, logger: logger
        ).run()
    }

    private func run(
        _ network: PeerNetwork, _ gate: NodeGate, _ files: FileShares, _ opened: OpenStore?, after backlog: [PeerEvent]?,
        _ configuration: NodeConfiguration, _ genesis: Genesis, _ keys: NodeKeys?
    ) async throws {
        let store: ChainStore
        if let opened, opened.hasBlocks {
            store = opened.chain
        } else {
            store = try open(home.databaseFolder.path, genesis, files)
        }
        try check(checkpoint, store)
        let verifier = RememberingVerifier()
        let (role, journal, entries) = try openRole(keys, genesis, verifier)
        let health = StoreHealth(path: home.databaseFolder.path, logger: logger)
        for height in opened?.unreadable ?? [] {
            health.note(
                UnreadableBlock(
                    height: height, cause: .corrupt(path: home.databaseFolder.path, detail: "block \(height) can't be read")))
        }
        let machine = try NodeMachine(
            genesis: genesis, role: role, store: WatchedStore(store, health: health), journal: entries, journalName: .random(in: 1...UInt64.max),
            rejoin: rejoin, signatures: verifier)
        try complete(store, with: machine.stepOfHead)
        let started = ContinuousClock.now
        machine.stopwatch = {
            let elapsed = started.duration(to: .now).components
            return UInt64(max(0, elapsed.seconds)) &* 1_000 &+ UInt64(max(0, elapsed.attoseconds)) / 1_000_000_000_000_000
        }
        logger.info(
            "starting",
            metadata: [
                "chain": "\(genesis.chainName)", "genesis": "\(genesis.hash)", "role": "\(mode)",
                "height": "\(machine.head.header.height)",
            ])
        if let warning = TestClock.warning { logger.warning("\(warning)") }

        let makeBeacon: (@Sendable (UInt32) -> BeaconChain)? = keys.map { keys in
            { @Sendable generation in keys.beacon(generation: generation) }
        }
        let (halts, halted) = AsyncStream.makeStream(of: String.self)
        let service = try NodeService(
            machine: machine, network: network, store: store, health: health, journal: journal, configuration: configuration,
            gate: gate, verifier: verifier, logger: logger, makeBeacon: makeBeacon
        ) { halted.yield($0) }
        var api = APIConfiguration()
        api.host = configuration.api.host
        api.port = configuration.api.port
        api.maxConnections = min(api.maxConnections, files.api)
        api.eventClients = min(api.eventClients, files.api / 2)
        let server = APIServer(backend: service, configuration: api, logger: logger)
        do {
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { try await service.run(after: backlog) }
                group.addTask {
                    try await server.run { [logger] port in
                        logger.info("API", metadata: ["url": "http://\(configuration.api.host):\(port)"])
                    }
                }
                group.addTask {
                    for await reason in halts { throw NodeHalted(reason: reason) }
                }
                // Whoever ends first ends the node: an error by throwing, a cancelled server by returning.
                try await group.next()
                group.cancelAll()
            }
        } catch {
            await service.stop()
            throw error
        }
        await service.stop()
        logger.info("stopped")
    }

    /// Compares a checkpoint with the block that the store holds, if it does.
    private func check(_ checkpoint: Checkpoint?, _ store: ChainStore) throws {
        guard let checkpoint else { return }
        guard let block = try store.block(at: checkpoint.height) else {
            return logger.notice("checkpoint \(checkpoint.height) can't be checked: this node does not have that block")
        }
        let digest = block.block.header.digest(genesis: store.genesisHash)
        guard digest == checkpoint.digest else {
            // The check said no: nothing is wrong with how the program was called.
            throw NodeHalted(
                reason: "block \(checkpoint.height) of \(home.databaseFolder.path) is \(digest), not the checkpoint "
                    + "\(checkpoint.digest): it is on another chain")
        }
        logger.notice("checkpoint \(checkpoint.height) is on this node's chain")
    }

    /// A store that was joined at the border of an epoch lacks the step to the next masternode set, without which nobody
    /// gets from the genesis to what this node shows later.
    private func complete(_ store: ChainStore, with step: EpochLink?) throws {
        guard let step, try store.links(from: step.header.epoch, limit: 1).first?.header != step.header else { return }
        try store.add(step)
    }

    private func openKeys(_ genesis: Genesis) throws -> NodeKeys? {
        guard mode == .masternode else { return nil }
        guard let passphrase else { throw KeyFileError.noPassphrase }
        return try NodeKeys(opening: home, passphrase: passphrase)
    }

    private func openRole(
        _ keys: NodeKeys?, _ genesis: Genesis, _ verifier: RememberingVerifier
    ) throws -> (NodeRole, Journal?, [JournalEntry]) {
        guard let keys else { return (.follower, nil, []) }
        let key = keys.consensus.publicKey
        let beacon = keys.beacon()
        // One that the genesis does not know registers later, and follows until its epoch.
        if let member = genesis.masternodes.index(of: key).flatMap({ genesis.masternodes.member($0) }),
            beacon.tip != member.beaconTip
        {
            throw NodeHomeError.unusable(
                home.keysFolder.path, "its beacon key belongs to another hash chain than the genesis registers for \(member.name)")
        }
        let journal = try Journal(path: home.journalFile.path)
        if let note = journal.note { logger.notice("\(note)") }
        let entries = try journal.replayed.map { try JournalEntry(borsh: $0) }
        return (
            .masternode(
                NodeIdentity(
                    key: key, signer: RememberingSigner(keys.consensus, known: verifier), beacons: [0: beacon])),
            journal, entries)
    }

    /// Masternodes that the stored state has registered: the address book keeps only what is admitted from the start.
    private func storedMasternodes(_ store: ChainStore?) -> [PublicKey]? {
        guard let bytes = try? store?.value(.masternodeIndex), let index = try? MasternodeIndex(borsh: bytes) else { return nil }
        return index.keys
    }

    private func peerConfiguration(
        _ configuration: NodeConfiguration, _ genesis: Genesis, _ key: PrivateKey?, _ store: OpenStore?
    ) -> PeerConfiguration {
        PeerConfiguration(
            listenHost: configuration.peer.host, listenPort: configuration.peer.port, genesisHash: genesis.hash,
            endorser: key.map { Endorser($0, genesis: genesis.hash) }, masternodes: storedMasternodes(store?.chain) ?? genesis.masternodes.members.map(\.consensusKey),
            dial: configuration.peers.map {
                PeerAddress(host: $0.host, port: $0.port, consensusKey: $0.consensusKey.flatMap { PublicKey(hex: $0) })
            },
            advertisedAddress: configuration.advertise, addressBookPath: home.peersFile.path,
            agent: "edgeproof/\(Self.version)")
    }
}

public struct NodeHalted: Error, CustomStringConvertible {
    public let reason: String
    public var description: String { "the node stopped itself: \(reason)" }
}
