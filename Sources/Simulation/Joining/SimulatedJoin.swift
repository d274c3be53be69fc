import Cryptography
import NodeCore
import Primitives
import StateSync
import StateTree
import Synchronization

/// A process that has no machine yet, since it joins by a snapshot.
struct SimulatedJoin {
    var machine: SnapshotJoin
    /// What it has fetched: gone when the process dies.
    var imported: SimulatedImport?
    /// Whole, and on the way to its place: after a death it is there or not.
    var finished: SimulatedStore?
    /// What peers said about anything else, for the node that starts afterwards.
    var backlog: [(message: NodeMessage, sender: Int)] = []

    static let mostInBacklog = 1_000
}

/// A store in the making, out of leaves that were proven.
struct SimulatedImport {
    private var content = SimulatedStore.Content()
    private var assembly: SnapshotAssembly
    /// The disk takes nothing more.
    var isFailing = false

    init(root: Digest) { assembly = SnapshotAssembly(root: root) }

    mutating func add(_ leaves: [StateChunk.Leaf]) throws {
        guard !isFailing else { throw SimulatedStore.Failure() }
        content.apply(try assembly.add(leaves, to: content))
        for leaf in leaves { content.values[leaf.key] = leaf.value }
    }

    func finish(_ head: SnapshotJoin.VerifiedHead) throws -> SimulatedStore {
        guard !isFailing else { throw SimulatedStore.Failure() }
        try assembly.finish()
        var whole = content
        whole.take(Commit(block: head.block, digest: head.digest, transactionIds: [], state: nil))
        for link in head.links { whole.links[link.header.epoch] = link }
        whole.stateHeight = head.block.block.header.height.previous
        return SimulatedStore(whole)
    }
}

extension SimulatedStore.Content: PageReader {
    func page(_ key: NodeKey) -> [UInt8]? { pages[key.bytes] }

    mutating func apply(_ update: TreeUpdate) {
        for key in update.removals { pages[key.bytes] = nil }
        for (key, page) in update.puts { pages[key.bytes] = page }
    }
}

/// A node's store as it was at one instant, for those who join.
final class FrozenStore: SnapshotSource {
    let content: SimulatedStore.Content
    private let ordered = Mutex<[(path: Digest, key: StateKey)]?>(nil)

    init(_ content: SimulatedStore.Content) { self.content = content }

    func block(at height: Height) -> FinalizedBlock? { content.blocks[height] }

    func links(from epoch: Epoch, limit: Int) -> [EpochLink] {
        let later = content.links.values.filter { $0.header.epoch >= epoch }
        return Array(later.sorted { $0.header.epoch < $1.header.epoch }.prefix(limit))
    }

    func value(_ key: StateKey) -> [UInt8]? { content.values[key] }
    func page(_ key: [UInt8]) -> [UInt8]? { content.pages[key] }

    func keys(from path: Digest, limit: Int) -> [(path: Digest, key: StateKey)] {
        let all = ordered.withLock { ordered in
            if let ordered { return ordered }
            let sorted = content.values.keys.map { (path: $0.path, key: $0) }.sorted { $0.path < $1.path }
            ordered = sorted
            return sorted
        }
        return Array(all.drop { $0.path < path }.prefix(limit))
    }
}

extension PeerId {
    /// What a joiner calls a node of the cluster, by its place there; and whoever else comes to it, by its number.
    init(number: UInt64) {
        let bytes = (0..<8 as Range<UInt64>).map { UInt8(truncatingIfNeeded: number >> (56 - 8 * $0)) }
        self.init(PublicKey(bytes + [UInt8](repeating: 1, count: 24)) ?? .zero)
    }

    var number: UInt64 { key.bytes.prefix(8).reduce(0) { $0 << 8 | UInt64($1) } }
}
