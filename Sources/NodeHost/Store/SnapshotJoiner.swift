import Cryptography
import Dispatch
import Foundation
import Logging
import NodeCore
import PeerNetwork
import Primitives
import StateSync
import StateTree
import Storage

/// Runs one ``SnapshotJoin`` over real connections, and writes what it proves into a store beside the final place.
///
/// What peers say meanwhile about anything else is kept for the node that starts afterwards, within bounds: it goes on
/// with the same connections.
actor SnapshotJoiner {
    private nonisolated let executor = WorkThread("join")
    nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    private let network: PeerNetwork
    private let gate: NodeGate
    private let genesis: Genesis
    private let path: String
    private let logger: Logger
    private var join: SnapshotJoin
    private var writer: SnapshotWriter?
    private var backlog = EventBacklog()
    private var failure: (any Error)?

    private static let tickMs = 200

    /// - Parameter path: where the store will be.
    init(network: PeerNetwork, gate: NodeGate, genesis: Genesis, path: String, rules: SnapshotJoin.Rules, logger: Logger) {
        self.network = network
        self.gate = gate
        self.genesis = genesis
        self.path = path
        self.logger = logger
        join = SnapshotJoin(genesis: genesis, rules: rules, now: NodeService.clock().monotonic.milliseconds)
    }

    /// Joins, or finds that there is nothing to join by.
    ///
    /// - Returns: what the network said that the join did not consume, in order.
    /// - Throws: `CancellationError`, what the disk says, or ``SnapshotJoinError``.
    func run() async throws -> [PeerEvent] {
        try SnapshotImport.discard(path)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { [network] in
                for await event in network.events where await self.take(event) { return }
            }
            group.addTask {
                while await !self.tick() { try await Task.sleep(for: .milliseconds(Self.tickMs)) }
            }
            try await group.next()
            group.cancelAll()
        }
        writer?.close()
        if let failure { throw failure }
        try Task.checkCancellation()
        return backlog.events
    }

    /// - Returns: whether it is over.
    private func take(_ event: PeerEvent) -> Bool {
        // What arrives after the end is for the node.
        guard !isOver else {
            backlog.add(event)
            return true
        }
        let now = NodeService.clock().monotonic.milliseconds
        switch event {
        case .connected(let identity):
            backlog.add(event)
            perform(join.connected(identity.id, now: now))
        case .disconnected(let id, _):
            backlog.add(event)
            perform(join.disconnected(id, now: now))
        case .refused: backlog.add(event)
        case .message(let id, let kind, let payload):
            guard let kind = SnapshotMessage.Kind(rawValue: kind) else {
                backlog.add(event)
                break
            }
            do {
                perform(join.received(try SnapshotMessage(kind: kind, payload: payload), from: id, now: now))
            } catch {
                logger.warning("malformed message", metadata: ["peer": "\(id)", "error": "\(error)"])
            }
        }
        return isOver
    }

    private func tick() -> Bool {
        if !isOver { perform(join.tick(now: NodeService.clock().monotonic.milliseconds)) }
        return isOver
    }

    private var isOver: Bool { join.isOver || failure != nil }

    private func perform(_ outputs: [SnapshotJoin.Output]) {
        for output in outputs where failure == nil {
            do { try perform(output) } catch { failure = error }
        }
    }

    private func perform(_ output: SnapshotJoin.Output) throws {
        switch output {
        case .send(let message, let peer):
            if let answer = message.kind.answer { gate.expect(answer.rawValue, from: peer) }
            network.send(kind: message.kind.rawValue, message.payload, to: peer, priority: .bulk)
        case .trusts(let set): network.update(masternodes: set.members.map(\.consensusKey))
        case .begin(let root):
            writer?.close()
            writer = try SnapshotWriter(path: path, genesisHash: genesis.hash, root: root)
        case .store(let leaves): try writer?.add(leaves)
        case .complete(let head): try writer?.finish(head, genesis: genesis.hash)
        case .byBlocks(let reason): logger.info("joins by blocks", metadata: ["reason": "\(reason)"])
        case .fail(let reason): throw SnapshotJoinError(reason: reason)
        case .note(let note): log(note)
        }
    }

    private func log(_ note: SnapshotJoin.Note) {
        switch note {
        case .waiting(let why): logger.info("waits for a snapshot", metadata: ["reason": "\(why)"])
        case .chose(let offer, let peers):
            logger.info("joins by a snapshot", metadata: ["height": "\(offer.height)", "peers": "\(peers)"])
        case .verified(let offer, let links):
            logger.info(
                "the snapshot's head is final, proven from the genesis",
                metadata: ["height": "\(offer.height)", "digest": "\(offer.digest)", "links": "\(links)"])
        case .checkpoint(let text): logger.notice("checkpoint: \(text)")
        case .distrusts(let peer, let reason):
            logger.warning("peer misbehaved", metadata: ["peer": "\(peer)", "what": "\(reason)"])
            network.report(peer, .badBlocks)
        case .failed(let peer): network.report(peer, .silent)
        case .abandons(let offer, let reason):
            logger.notice("gives up a snapshot", metadata: ["height": "\(offer.height)", "reason": "\(reason)"])
        case .progress(let chunks, let bytes, let percent):
            logger.info(
                "fetching the state",
                metadata: ["chunks": "\(chunks)", "MB": "\(Double(bytes / 10_000) / 100)", "percent": "\(percent)"])
        }
    }
}

struct SnapshotJoinError: Error, CustomStringConvertible {
    let reason: String
    var description: String { "can't join by a snapshot: \(reason)" }
}

/// Writes proven leaves, and the tree over them as it grows.
package final class SnapshotWriter {
    private let store: SnapshotImport
    private var assembly: SnapshotAssembly

    package init(path: String, genesisHash: Digest, root: Digest) throws {
        store = try SnapshotImport(path: path, genesisHash: genesisHash)
        assembly = SnapshotAssembly(root: root)
    }

    package func add(_ leaves: [StateChunk.Leaf]) throws {
        let update = try assembly.add(leaves, to: Pages(store: store))
        try store.add(
            values: leaves.map { ($0.key, $0.value) }, pagePuts: update.puts.map { ($0.0.bytes, $0.1) },
            pageRemovals: update.removals.map(\.bytes))
    }

    /// Moves the store to its place.
    package func finish(_ head: SnapshotJoin.VerifiedHead, genesis: Digest) throws {
        do { try assembly.finish() } catch { throw SnapshotJoinError(reason: "\(error)") }
        try store.finish(
            Commit(
                block: head.block, digest: head.digest,
                transactionIds: head.block.block.transactions.map { $0.id(genesis: genesis) }, state: nil),
            links: head.links)
    }

    package func close() { store.close() }

    private struct Pages: PageReader {
        let store: SnapshotImport
        func page(_ key: NodeKey) throws -> [UInt8]? { try store.page(key.bytes) }
    }
}

/// Events that wait for the node. When messages take too much, the oldest go: the node catches up by asking.
struct EventBacklog {
    static let mostMessages = 4_096
    static let mostBytes = 16_000_000

    private(set) var events: [PeerEvent] = []
    private var connected: [PeerId: PeerIdentity] = [:]
    private var messages = 0
    private var bytes = 0

    mutating func add(_ event: PeerEvent) {
        switch event {
        case .connected(let identity): connected[identity.id] = identity
        case .disconnected(let id, _): connected[id] = nil
        case .message(_, _, let payload):
            messages += 1
            bytes += payload.count
        // Already logged by the network where it matters.
        case .refused: return
        }
        events.append(event)
        guard messages > Self.mostMessages || bytes > Self.mostBytes || events.count > 2 * Self.mostMessages else { return }
        (messages, bytes) = (0, 0)
        events = connected.values.sorted { $0.id < $1.id }.map { .connected($0) }
    }
}
