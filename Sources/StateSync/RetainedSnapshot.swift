import Cryptography
import Primitives
import StateTree

/// One state that this node gives out, as it was when its head became final. Used by one thread at a time.
package final class RetainedSnapshot {
    package let offer: SnapshotOffer
    private let store: any SnapshotSource
    private var index: Result<LeafIndex, Unservable>?

    /// Why it is not given out.
    package struct Unservable: Error, CustomStringConvertible {
        package let description: String
    }

    package init(offer: SnapshotOffer, store: any SnapshotSource) {
        self.offer = offer
        self.store = store
    }

    package func head() throws -> FinalizedBlock? { try store.block(at: offer.height) }

    package func links(from epoch: Epoch) throws -> SnapshotMessage.Links {
        let found = try store.links(from: epoch, limit: SnapshotLimits.links)
        var bytes = 0
        // One always goes.
        let taken = found.prefix { link in
            defer { bytes += link.borsh.count }
            return bytes == 0 || bytes + link.borsh.count <= SnapshotLimits.linkBytes
        }
        return SnapshotMessage.Links(
            links: Array(taken), isLast: taken.count == found.count && found.count < SnapshotLimits.links)
    }

    /// The largest chunk that begins at the path, shares at least so many bits and keeps to the limit of bytes. Nil
    /// where the request makes no sense or the snapshot is not servable.
    package func chunk(
        start: Digest, minimumDepth: Int, limit: Int = SnapshotLimits.chunkBytes
    ) throws -> StateChunk? {
        let index = try leafIndex().get()
        guard minimumDepth <= StateTree.pathBits else { return nil }
        var depth = max(minimumDepth, PathRange.smallestDepth(startingAt: start))
        guard var range = PathRange(start: start, depth: depth) else { return nil }
        var found = index.leaves(in: range)
        while found.count > 1, index.bytes(of: found) > limit, depth < StateTree.pathBits,
            let smaller = PathRange(start: start, depth: depth + 1)
        {
            depth += 1
            range = smaller
            found = index.leaves(in: range)
        }
        var leaves: [StateChunk.Leaf] = []
        for key in index.keys(of: found) {
            guard let value = try store.value(key) else {
                throw Unservable(description: "the value of \(key) is missing")
            }
            leaves.append(StateChunk.Leaf(key: key, value: value))
        }
        return StateChunk(
            range: range, leaves: leaves, proof: try StateTree.prove(reader: Nodes(store: store), range: range))
    }

    /// Made at the first request: most nodes are never asked.
    private func leafIndex() throws -> Result<LeafIndex, Unservable> {
        if let index { return index }
        let made = try LeafIndex.of(store)
        index = made
        return made
    }

    private struct Nodes: NodeReader {
        let store: any SnapshotSource
        func node(_ key: NodeKey) throws -> [UInt8]? { try store.node(key.bytes) }
    }
}

/// The keys of a state by their paths. Keys lie in one run of bytes: an array for each would cost more than it holds.
private struct LeafIndex {
    private var paths: [Digest] = []
    private var keyBytes: [UInt8] = []
    /// Where each key ends.
    private var keyEnds: [Int] = []
    /// Bytes of a chunk with all leaves up to each one.
    private var sums: [Int] = []

    static func of(_ store: any SnapshotSource) throws -> Result<LeafIndex, RetainedSnapshot.Unservable> {
        var found: [(path: Digest, start: Int, count: Int, bytes: Int)] = []
        var run: [UInt8] = []
        var problem: RetainedSnapshot.Unservable?
        do {
            try store.everyValue { key, value in
                let leaf = StateChunk.Leaf(key: key, value: value)
                guard found.count < SnapshotLimits.leaves else {
                    throw RetainedSnapshot.Unservable(
                        description: "the state has more than \(SnapshotLimits.leaves) leaves")
                }
                guard key.bytes.count <= SnapshotLimits.keyBytes, value.count <= SnapshotLimits.leafBytes else {
                    throw RetainedSnapshot.Unservable(description: "the leaf \(key) is too large to be sent")
                }
                found.append((key.path, run.count, key.bytes.count, leaf.byteCount))
                run += key.bytes
            }
        } catch let reason as RetainedSnapshot.Unservable {
            problem = reason
        }
        if let problem { return .failure(problem) }
        found.sort { $0.path < $1.path }
        var index = LeafIndex()
        index.keyBytes.reserveCapacity(run.count)
        var sum = 0
        for leaf in found {
            index.paths.append(leaf.path)
            index.keyBytes += run[leaf.start..<leaf.start + leaf.count]
            index.keyEnds.append(index.keyBytes.count)
            sum += leaf.bytes
            index.sums.append(sum)
        }
        return .success(index)
    }

    func leaves(in range: PathRange) -> Range<Int> {
        let first = firstIndex(from: range.start)
        let end = range.next.map { firstIndex(from: $0) } ?? paths.count
        return first..<max(first, end)
    }

    func bytes(of leaves: Range<Int>) -> Int {
        guard let last = leaves.last, let first = leaves.first else { return 0 }
        return sums[last] - (first > 0 ? sums[first - 1] : 0)
    }

    func keys(of leaves: Range<Int>) -> [StateKey] {
        leaves.map { StateKey(Array(keyBytes[($0 > 0 ? keyEnds[$0 - 1] : 0)..<keyEnds[$0]])) }
    }

    private func firstIndex(from path: Digest) -> Int {
        var low = 0
        var high = paths.count
        while low < high {
            let middle = low + (high - low) / 2
            if paths[middle] < path { low = middle + 1 } else { high = middle }
        }
        return low
    }
}
