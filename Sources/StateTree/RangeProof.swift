import Cryptography
import Encoding

/// A stretch of paths that begin with the same bits: the leaves that a ``RangeProof`` is about.
public struct PathRange: Hashable, Sendable {
    /// Its first path: the bits from `depth` on are zero.
    public let start: Digest
    /// How many bits its paths share, 0 to 256.
    public let depth: Int

    /// Nil when paths that share `depth` bits do not begin at `start`.
    public init?(start: Digest, depth: Int) {
        guard (0...StateTree.pathBits).contains(depth), depth >= Self.smallestDepth(startingAt: start) else { return nil }
        self.start = start
        self.depth = depth
    }

    /// All paths.
    public static let all = PathRange(unchecked: .zero, depth: 0)

    private init(unchecked start: Digest, depth: Int) {
        self.start = start
        self.depth = depth
    }

    /// Of the largest range that begins there: every bit after it is zero.
    public static func smallestDepth(startingAt path: Digest) -> Int {
        var depth = StateTree.pathBits
        while depth > 0, !path.bit(depth - 1) { depth -= 1 }
        return depth
    }

    public func contains(_ path: Digest) -> Bool { key.covers(path) }

    /// Where the paths after it begin; nil when it goes to the end.
    public var next: Digest? {
        var bytes = start.bytes
        var bit = depth
        while bit > 0 {
            bit -= 1
            let mask = UInt8(0x80) >> UInt8(bit % 8)
            bytes[bit / 8] ^= mask
            if bytes[bit / 8] & mask != 0 { return Digest(bytes) }
        }
        return nil
    }

    var key: NodeKey { NodeKey(start, depth: depth) }
}

/// Proof that the map with a root holds, in one range of paths, exactly certain pairs: none is changed and none is
/// left out.
///
/// As bytes: the leaf of a path *outside* the range that stands alone above it (option of path and value hash), then a
/// u32 count of siblings and their hashes, from the deepest to the topmost.
public struct RangeProof: BorshCodable, Hashable, Sendable {
    /// A leaf stands at the shortest prefix that no other path shares, which may be shorter than the range's.
    public struct Neighbour: BorshCodable, Hashable, Sendable {
        public let path: Digest
        public let valueHash: Digest

        public init(path: Digest, valueHash: Digest) {
            self.path = path
            self.valueHash = valueHash
        }

        public func encode(to encoder: inout BorshEncoder) {
            encoder.value(path)
            encoder.value(valueHash)
        }

        public init(from decoder: inout BorshDecoder) throws(BorshError) {
            path = try decoder.value()
            valueHash = try decoder.value()
        }
    }

    public let neighbour: Neighbour?
    /// As many as the range's depth, or fewer where the tree ends above the range.
    public let siblings: [Digest]

    package init(neighbour: Neighbour?, siblings: [Digest]) {
        self.neighbour = neighbour
        self.siblings = siblings
    }

    /// Whether it proves that these are all pairs which the map with this root has in the range.
    ///
    /// - Parameter pairs: strictly ascending by path.
    public func verify(root: Digest, range: PathRange, pairs: [(path: Digest, valueHash: Digest)]) -> Bool {
        guard siblings.count <= range.depth else { return false }
        for (lower, higher) in zip(pairs, pairs.dropFirst()) where lower.path >= higher.path { return false }
        // Ascending, so that the ends decide for all.
        guard let first = pairs.first, let last = pairs.last else { return verifyEmpty(root: root, range: range) }
        guard range.contains(first.path), range.contains(last.path), neighbour == nil else { return false }
        // Above the range only a single leaf can stand, or nothing.
        guard siblings.count == range.depth || (pairs.count == 1 && siblings.first != StateTree.emptyRoot) else {
            return false
        }
        return fold(StateTree.hash(of: pairs[...], depth: siblings.count), range) == root
    }

    private func verifyEmpty(root: Digest, range: PathRange) -> Bool {
        // Beside a leaf or nothing there is always something, or the parent would not be an inner node.
        guard siblings.count == range.depth || siblings.first != StateTree.emptyRoot else { return false }
        guard let neighbour else { return fold(StateTree.emptyRoot, range) == root }
        guard !range.contains(neighbour.path), NodeKey(range.start, depth: siblings.count).covers(neighbour.path) else {
            return false
        }
        return fold(StateTree.leafHash(path: neighbour.path, valueHash: neighbour.valueHash), range) == root
    }

    private func fold(_ hash: Digest, _ range: PathRange) -> Digest {
        var hash = hash
        var depth = siblings.count
        for sibling in siblings {
            depth -= 1
            hash = range.start.bit(depth) ? StateTree.innerHash(sibling, hash) : StateTree.innerHash(hash, sibling)
        }
        return hash
    }

    public func encode(to encoder: inout BorshEncoder) {
        encoder.optional(neighbour)
        encoder.array(siblings)
    }

    public init(from decoder: inout BorshDecoder) throws(BorshError) {
        neighbour = try decoder.optional()
        siblings = try decoder.array(limit: StateTree.pathBits, smallestElement: 32)
    }
}

extension StateTree {
    /// The proof for the pairs that the map has in the range.
    public static func prove(reader: some PageReader, range: PathRange) throws(StateTreeError) -> RangeProof {
        let (end, siblings) = try PageLoader(reader: reader).descend(range.start, levels: range.depth)
        var neighbour: RangeProof.Neighbour?
        if case .leaf(let path, let valueHash, _) = end, !range.contains(path) {
            neighbour = RangeProof.Neighbour(path: path, valueHash: valueHash)
        }
        return RangeProof(neighbour: neighbour, siblings: siblings.reversed())
    }

    /// Hash of the subtree that holds exactly these pairs, ascending, whose paths share `depth` bits: the tree's
    /// definition, by recursion.
    static func hash(of pairs: ArraySlice<(path: Digest, valueHash: Digest)>, depth: Int) -> Digest {
        guard let first = pairs.first else { return emptyRoot }
        if pairs.count == 1 || depth >= pathBits { return leafHash(path: first.path, valueHash: first.valueHash) }
        let middle = pairs.firstIndex { $0.path.bit(depth) } ?? pairs.endIndex
        return innerHash(
            hash(of: pairs[..<middle], depth: depth + 1), hash(of: pairs[middle...], depth: depth + 1))
    }
}
