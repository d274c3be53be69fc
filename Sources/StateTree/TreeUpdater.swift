import Cryptography
import Encoding

/// One update: goes down where there are changes, rebuilds on the way up, and notes what differs from before.
struct TreeUpdater<Reader: NodeReader> {
    typealias Change = (path: Digest, valueHash: Digest?)
    typealias Pair = (path: Digest, valueHash: Digest)

    private let loader: NodeLoader<Reader>
    private var puts: [(NodeKey, [UInt8])] = []
    private var removals: [NodeKey] = []

    init(loader: NodeLoader<Reader>) { self.loader = loader }

    /// - Parameter changes: strictly ascending by path.
    mutating func run(_ changes: [Change]) throws(StateTreeError) -> TreeUpdate {
        let old = try loader.root()
        let new = try rebuilt(old, at: .root, depth: 0, changes[...])
        note(.root, old: old, new: new)
        return TreeUpdate(
            root: new?.hash ?? StateTree.emptyRoot, puts: puts.sorted { $0.0 < $1.0 }, removals: removals.sorted())
    }

    /// The subtree after the changes. Notes every difference below the position; the position itself is the caller's,
    /// since a leaf that is left alone moves up.
    private mutating func rebuilt(
        _ old: TreeNode?, at key: NodeKey, depth: Int, _ changes: ArraySlice<Change>
    ) throws(StateTreeError) -> TreeNode? {
        guard !changes.isEmpty else { return old }
        switch old {
        case nil:
            return built(at: key, depth: depth, inserted(changes)[...])
        case .leaf(let path, let valueHash):
            return built(at: key, depth: depth, inserted(changes, beside: (path, valueHash))[...])
        case .inner(let left, let right):
            let middle = Self.partition(changes, depth: depth, path: \.path)
            var sides = (
                Side(key: key.child(false), hash: left), Side(key: key.child(true), hash: right)
            )
            try change(&sides.0, depth: depth, changes[..<middle])
            try change(&sides.1, depth: depth, changes[middle...])
            return try joined(sides.0, sides.1)
        }
    }

    /// One child of an inner node during the update. Loaded only where something needs its content.
    private struct Side {
        let key: NodeKey
        var hash: Digest
        var isLoaded = false
        var old: TreeNode?
        var new: TreeNode?

        init(key: NodeKey, hash: Digest) {
            self.key = key
            self.hash = hash
        }

        var isEmpty: Bool { hash == StateTree.emptyRoot }
    }

    private func load(_ side: inout Side) throws(StateTreeError) {
        guard !side.isLoaded else { return }
        side.old = try loader.node(side.key, hash: side.hash)
        side.new = side.old
        side.isLoaded = true
    }

    private mutating func change(
        _ side: inout Side, depth: Int, _ changes: ArraySlice<Change>
    ) throws(StateTreeError) {
        guard !changes.isEmpty else { return }
        try load(&side)
        side.new = try rebuilt(side.old, at: side.key, depth: depth + 1, changes)
        if side.new != side.old { side.hash = side.new?.hash ?? StateTree.emptyRoot }
    }

    private mutating func joined(_ left: Side, _ right: Side) throws(StateTreeError) -> TreeNode? {
        var left = left
        var right = right
        if left.isEmpty || right.isEmpty {
            try load(&left)
            try load(&right)
            // A leaf alone in its subtree stands at the top of it.
            switch (left.new, right.new) {
            case (nil, nil):
                note(left.key, old: left.old, new: nil)
                note(right.key, old: right.old, new: nil)
                return nil
            case (.leaf, nil), (nil, .leaf):
                note(left.key, old: left.old, new: nil)
                note(right.key, old: right.old, new: nil)
                return left.new ?? right.new
            default: break
            }
        }
        note(left.key, old: left.old, new: left.new)
        note(right.key, old: right.old, new: right.new)
        return .inner(left: left.hash, right: right.hash)
    }

    /// The subtree of exactly these pairs, where nothing stands below the position yet.
    private mutating func built(at key: NodeKey, depth: Int, _ pairs: ArraySlice<Pair>) -> TreeNode? {
        guard let first = pairs.first else { return nil }
        // Distinct paths differ within 256 bits, so the second condition never decides for more than one pair.
        if pairs.count == 1 || depth >= StateTree.pathBits { return .leaf(path: first.path, valueHash: first.valueHash) }
        let middle = Self.partition(pairs, depth: depth, path: \.path)
        let (leftKey, rightKey) = (key.child(false), key.child(true))
        let left = built(at: leftKey, depth: depth + 1, pairs[..<middle])
        let right = built(at: rightKey, depth: depth + 1, pairs[middle...])
        note(leftKey, old: nil, new: left)
        note(rightKey, old: nil, new: right)
        return .inner(left: left?.hash ?? StateTree.emptyRoot, right: right?.hash ?? StateTree.emptyRoot)
    }

    /// The pairs that the changes leave, in order, together with a leaf that they do not mention.
    private func inserted(_ changes: ArraySlice<Change>, beside leaf: Pair? = nil) -> [Pair] {
        var pairs: [Pair] = []
        pairs.reserveCapacity(changes.count + 1)
        var waiting = leaf
        for change in changes {
            if let kept = waiting, kept.path <= change.path {
                if kept.path < change.path { pairs.append(kept) }
                waiting = nil
            }
            if let valueHash = change.valueHash { pairs.append((change.path, valueHash)) }
        }
        if let waiting { pairs.append(waiting) }
        return pairs
    }

    private mutating func note(_ key: NodeKey, old: TreeNode?, new: TreeNode?) {
        guard old != new else { return }
        if let new { puts.append((key, new.borsh)) } else { removals.append(key) }
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
