import Cryptography
import NodeCore
import Primitives
import StateTree
import Synchronization

/// A node's block store in memory, with LevelDB's promise: a synced batch is there whole or not at all.
package final class SimulatedStore: NodeStore {
    package convenience init() { self.init(Content()) }

    init(_ content: Content) { self.content = Mutex(content) }

    private let content: Mutex<Content>

    struct Content {
        var head: ChainHead?
        var stateHeight: Height?
        var mark: VoteMark?
        var blocks: [Height: FinalizedBlock] = [:]
        var heights: [Digest: Height] = [:]
        /// By the epoch that they end.
        var links: [Epoch: EpochLink] = [:]
        var values: [StateKey: [UInt8]] = [:]
        var pages: [[UInt8]: [UInt8]] = [:]
        var isFailing = false
    }

    /// Another store with the same content.
    func copied() -> SimulatedStore {
        var same = content.withLock { $0 }
        same.isFailing = false
        return SimulatedStore(same)
    }

    /// What it holds now, for those who join.
    func frozen() -> FrozenStore { FrozenStore(content.withLock { $0 }) }

    package struct Failure: Error, CustomStringConvertible {
        package let description = "the store can't be read: injected"
    }

    /// While set, every read fails, as on a dying disk.
    package var isFailing: Bool {
        get { content.withLock { $0.isFailing } }
        set { content.withLock { $0.isFailing = newValue } }
    }

    private func read<Value: Sendable>(_ body: (Content) -> Value) throws -> Value {
        try content.withLock { content in
            if content.isFailing { throw Failure() }
            return body(content)
        }
    }

    package func head() throws -> ChainHead? { try read(\.head) }
    package func voteMark() throws -> VoteMark? { try read(\.mark) }
    package func stateHeight() throws -> Height? { try read(\.stateHeight) }
    package func block(at height: Height) throws -> FinalizedBlock? { try read { $0.blocks[height] } }
    package func height(of digest: Digest) throws -> Height? { try read { $0.heights[digest] } }
    package func value(_ key: StateKey) throws -> [UInt8]? { try read { $0.values[key] } }
    package func page(_ key: [UInt8]) throws -> [UInt8]? { try read { $0.pages[key] } }

    func add(_ link: EpochLink) { content.withLock { $0.links[link.header.epoch] = link } }

    /// Of the tree over all values that it holds.
    func valuesRoot() throws -> Digest {
        let pairs = try read { $0.values.map { (path: $0.key.path, valueHash: StateTree.valueHash($0.value)) } }
        return try StateTree.root(of: pairs)
    }

    /// Of the tree whose pages it holds.
    func treeRoot() throws -> Digest { try StateTree.root(reader: read { $0 }) }

    /// Values whose keys start with this byte, in key order.
    package func values(prefix: UInt8) throws -> [(key: StateKey, value: [UInt8])] {
        try read { content in
            content.values.filter { $0.key.bytes.first == prefix }.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
        }
    }

    /// - Returns: what a node's store on a disk would refuse the commits for, if anything; then nothing is stored.
    package func commit(_ commits: [Commit]) -> String? {
        // A disk that fails for readers still shows the store its own end.
        content.withLock { content in
            var (height, digest, state) = (content.head?.height ?? .zero, content.head?.digest, content.stateHeight)
            for commit in commits {
                let header = commit.block.block.header
                guard header.height == height.next else { return "block \(header.height) was stored after \(height)" }
                if let digest, header.parent != digest { return "block \(header.height) was stored on another parent" }
                (height, digest) = (header.height, commit.digest)
                guard let change = commit.state else { continue }
                guard change.height == state?.next ?? .zero, change.height < height else {
                    return "the state after block \(change.height) was stored with block \(height)"
                }
                state = change.height
            }
            for commit in commits { content.take(commit) }
            return nil
        }
    }
}

extension SimulatedStore.Content {
    mutating func take(_ commit: Commit) {
        let height = commit.block.block.header.height
        blocks[height] = commit.block
        heights[commit.digest] = height
        if let link = commit.link { links[link.header.epoch] = link }
        if let found = commit.mark { mark = found }
        head = ChainHead(height: height, digest: commit.digest)
        guard let state = commit.state else { return }
        for (key, value) in state.values { values[key] = value }
        for key in state.pageRemovals { pages[key] = nil }
        for (key, page) in state.pagePuts { pages[key] = page }
        stateHeight = state.height
    }
}
