import Cryptography
import Encoding

/// What an update changes in the stored pages. No page is both put and removed.
public struct TreeUpdate: Sendable {
    /// Root after the update.
    public let root: Digest
    /// Ascending by position.
    public let puts: [(NodeKey, [UInt8])]
    /// Ascending.
    public let removals: [NodeKey]
    /// Paths that the map has now and did not have before, ascending.
    public let added: [Digest]
}

/// One update: goes down where there are changes, rebuilds on the way up, and notes which pages differ from before.
struct TreeUpdater<Reader: PageReader> {
    typealias Change = (path: Digest, valueHash: Digest?)
    typealias Pair = (path: Digest, valueHash: Digest)

    private let loader: PageLoader<Reader>
    private let cache: PageCache?
    private var puts: [(NodeKey, [UInt8])] = []
    private var removals: [NodeKey] = []
    private var added: [Digest] = []

    init(loader: PageLoader<Reader>, cache: PageCache?) {
        self.loader = loader
        self.cache = cache
    }

    /// - Parameters:
    ///   - changes: strictly ascending by path.
    ///   - root: of the tree before, where the caller has it.
    mutating func run(_ changes: [Change], root: Digest?) throws(StateTreeError) -> TreeUpdate {
        var page = try top(root)
        let former = page.hash
        try change(&page, 0, depth: 0, changes[...])
        let isEmpty = if case .empty = page.slots[0] { true } else { false }
        if page.hash != former {
            if isEmpty { removals.append(.root) } else { puts.append((.root, page.encoded)) }
        }
        if !isEmpty { cache?.put(page) }
        return TreeUpdate(
            root: page.hash, puts: puts.sorted { $0.0 < $1.0 }, removals: removals.sorted(), added: added)
    }

    private func top(_ root: Digest?) throws(StateTreeError) -> TreePage {
        if let root, let page = cache?.take(root) { return page }
        return try loader.root() ?? TreePage(at: .root, depth: 0)
    }

    /// The page that the change comes to at this depth.
    private func load(_ path: Digest, depth: Int, hash: Digest) throws(StateTreeError) -> TreePage {
        if let page = cache?.take(hash) { return page }
        return try loader.page(NodeKey(path, depth: depth), hash: hash)
    }

    /// Makes the changes below a position of the page, and in the pages below it.
    private mutating func change(
        _ page: inout TreePage, _ index: Int, depth: Int, _ changes: ArraySlice<Change>
    ) throws(StateTreeError) {
        guard let first = changes.first else { return }
        switch page.slots[index] {
        // What most changes are: another value of a path that is there.
        case .leaf(first.path, _, _) where changes.count == 1 && first.valueHash != nil:
            if let valueHash = first.valueHash { page.slots[index] = .leaf(path: first.path, valueHash: valueHash) }
        case .empty: insert(&page, index, depth: depth, inserted(changes)[...])
        case .leaf(let path, let valueHash, _):
            insert(&page, index, depth: depth, inserted(changes, beside: (path, valueHash))[...])
        case .page(let hash):
            var below = try load(first.path, depth: depth, hash: hash)
            try change(&below, 0, depth: depth, changes)
            page.slots[index] = settle(below, former: hash)
        case .inner:
            let (left, right) = (2 * index + 1, 2 * index + 2)
            let former = (page.slots[left].hash, page.slots[right].hash)
            let middle = Self.partition(changes, depth: depth, path: \.path)
            try change(&page, left, depth: depth + 1, changes[..<middle])
            try change(&page, right, depth: depth + 1, changes[middle...])
            guard former != (page.slots[left].hash, page.slots[right].hash) else { return }
            join(&page, index)
        }
    }

    /// Makes the inner node anew over its two children, or what is left of it.
    private func join(_ page: inout TreePage, _ index: Int) {
        let (left, right) = (2 * index + 1, 2 * index + 2)
        switch (page.slots[left], page.slots[right]) {
        case (.empty, .empty): page.slots[index] = .empty
        // A leaf alone in its subtree stands at the top of it.
        case (.leaf, .empty): page.move(from: left, to: index)
        case (.empty, .leaf): page.move(from: right, to: index)
        default: page.slots[index] = .inner(StateTree.innerHash(page.slots[left].hash, page.slots[right].hash))
        }
    }

    /// The subtree of exactly these pairs, where no page is below the position yet.
    private mutating func insert(_ page: inout TreePage, _ index: Int, depth: Int, _ pairs: ArraySlice<Pair>) {
        guard let first = pairs.first else {
            page.slots[index] = .empty
            return
        }
        // Distinct paths differ within 256 bits, so the second condition never decides for more than one pair.
        if pairs.count == 1 || depth >= StateTree.pathBits {
            page.slots[index] = .leaf(path: first.path, valueHash: first.valueHash)
            return
        }
        guard index < TreePage.firstExit else {
            var below = TreePage(at: NodeKey(first.path, depth: depth), depth: depth)
            insert(&below, 0, depth: depth, pairs)
            page.slots[index] = settle(below, former: nil)
            return
        }
        let middle = Self.partition(pairs, depth: depth, path: \.path)
        insert(&page, 2 * index + 1, depth: depth + 1, pairs[..<middle])
        insert(&page, 2 * index + 2, depth: depth + 1, pairs[middle...])
        join(&page, index)
    }

    /// Notes what became of a page.
    /// - Parameter former: the hash of its top before, if it was there.
    /// - Returns: what its parent has of it.
    private mutating func settle(_ page: TreePage, former: Digest?) -> Slot {
        switch page.slots[0] {
        case .inner(let hash), .page(let hash):
            if hash != former { puts.append((page.key, page.encoded)) }
            cache?.put(page)
            return .page(hash)
        case .empty, .leaf:
            if former != nil { removals.append(page.key) }
            return page.slots[0]
        }
    }

    /// The pairs that the changes leave, in order, together with a leaf that they do not mention.
    private mutating func inserted(_ changes: ArraySlice<Change>, beside leaf: Pair? = nil) -> [Pair] {
        var pairs: [Pair] = []
        pairs.reserveCapacity(changes.count + 1)
        var waiting = leaf
        for change in changes {
            if let kept = waiting, kept.path <= change.path {
                if kept.path < change.path { pairs.append(kept) }
                waiting = nil
            }
            guard let valueHash = change.valueHash else { continue }
            pairs.append((change.path, valueHash))
            if change.path != leaf?.path { added.append(change.path) }
        }
        if let waiting { pairs.append(waiting) }
        return pairs
    }

    /// Where the bit at `depth` turns from 0 to 1, in elements that are ascending and share the bits before it.
    private static func partition<Element>(
        _ elements: ArraySlice<Element>, depth: Int, path: (Element) -> Digest
    ) -> Int {
        var low = elements.startIndex
        var high = elements.endIndex
        while low < high {
            let middle = low + (high - low) / 2
            if path(elements[middle]).bit(depth) { high = middle } else { low = middle + 1 }
        }
        return low
    }
}

extension TreePage {
    fileprivate mutating func move(from lower: Int, to upper: Int) {
        slots[upper] = slots[lower]
        slots[lower] = .empty
    }
}
