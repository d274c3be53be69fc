import Cryptography
import Primitives
import StateTree

/// One state that this node gives out, as it was when its head became final.
package final class RetainedSnapshot: Sendable {
    package let offer: SnapshotOffer
    private let store: any SnapshotSource

    /// Why it is not given out.
    package struct Unservable: Error, CustomStringConvertible {
        package let description: String
    }

    package init(offer: SnapshotOffer, store: any SnapshotSource) {
        self.offer = offer
        self.store = store
    }

    package func head() throws -> FinalizedBlock? { try store.block(at: offer.height) }

    /// The steps to the set that finalised the head.
    package func links(from epoch: Epoch) throws -> SnapshotMessage.Links {
        guard let head = try head() else { throw Unservable(description: "block \(offer.height) is missing") }
        let stored = try store.links(from: epoch, limit: SnapshotLimits.links)
        // Where the head is a border block, the store holds the step that it proves itself: that one is not part of its
        // proof, and a joiner takes it for a lie.
        let found = stored.prefix { $0.header.epoch < head.block.header.epoch }
        let isEnd = found.count < stored.count || stored.count < SnapshotLimits.links
        var bytes = 0
        // One always goes.
        let taken = found.prefix { link in
            defer { bytes += link.borsh.count }
            return bytes == 0 || bytes + link.borsh.count <= SnapshotLimits.linkBytes
        }
        return SnapshotMessage.Links(
            links: Array(taken), isLast: taken.count == found.count && isEnd)
    }

    /// The largest chunk that begins at the path, shares at least so many bits and keeps to the limit of bytes. Nil
    /// where the request makes no sense.
    ///
    /// What is read is at most the limit and one leaf more, however large the state is.
    package func chunk(
        start: Digest, minimumDepth: Int, limit: Int = SnapshotLimits.chunkBytes
    ) throws -> StateChunk? {
        guard minimumDepth <= StateTree.pathBits else { return nil }
        let largest = max(minimumDepth, PathRange.smallestDepth(startingAt: start))
        guard var range = PathRange(start: start, depth: largest) else { return nil }
        let read = try leaves(of: range, limit: limit)
        var found = read.leaves
        if let next = read.next {
            // Ranges are halved until what does not fit lies outside, and some of what did.
            while range.contains(next), let half = PathRange(start: start, depth: range.depth + 1) { range = half }
            while let last = found.last, !range.contains(last.path) { found.removeLast() }
        }
        return StateChunk(
            range: range, leaves: found.map(\.leaf), proof: try StateTree.prove(reader: Pages(store: store), range: range))
    }

    private typealias Found = [(path: Digest, leaf: StateChunk.Leaf)]

    /// Keys that are read together.
    private static let page = 256

    /// Leaves of the range in their order, as many as keep to the limit of bytes but at least one, and the path of the
    /// first one that does not.
    private func leaves(of range: PathRange, limit: Int) throws -> (leaves: Found, next: Digest?) {
        let end = range.next
        var found: Found = []
        var bytes = 0
        var from: Digest? = range.start
        while let start = from {
            let page = try store.keys(from: start, limit: Self.page)
            for (path, key) in page {
                if let end, path >= end { return (found, nil) }
                let leaf = try leaf(key)
                bytes += leaf.byteCount
                if bytes > limit, !found.isEmpty { return (found, path) }
                found.append((path, leaf))
            }
            // The paths behind the last one begin with the next number.
            let last = page.count < Self.page ? nil : page.last
            from = last.flatMap { PathRange(start: $0.path, depth: StateTree.pathBits)?.next }
        }
        return (found, nil)
    }

    private func leaf(_ key: StateKey) throws -> StateChunk.Leaf {
        guard let value = try store.value(key) else { throw Unservable(description: "the value of \(key) is missing") }
        guard key.bytes.count <= SnapshotLimits.keyBytes, value.count <= SnapshotLimits.leafBytes else {
            throw Unservable(description: "the leaf \(key) is too large to be sent")
        }
        return StateChunk.Leaf(key: key, value: value)
    }

    private struct Pages: PageReader {
        let store: any SnapshotSource
        func page(_ key: NodeKey) throws -> [UInt8]? { try store.page(key.bytes) }
    }
}
