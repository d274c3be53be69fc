import Cryptography
import Encoding

/// What stands at one position of the tree.
enum Slot: Sendable {
    case empty
    case leaf(path: Digest, valueHash: Digest, hash: Digest)
    /// An inner node whose children stand in the same page.
    case inner(Digest)
    /// An inner node that is the top of a page of its own.
    case page(Digest)

    static func leaf(path: Digest, valueHash: Digest) -> Slot {
        .leaf(path: path, valueHash: valueHash, hash: StateTree.leafHash(path: path, valueHash: valueHash))
    }

    var hash: Digest {
        switch self {
        case .empty: StateTree.emptyRoot
        case .leaf(_, _, let hash), .inner(let hash), .page(let hash): hash
        }
    }
}

/// The inner nodes of several levels of the tree, which are stored together, and what hangs on them.
///
/// Pages begin at each depth that ``levels`` divides, where the tree has an inner node: a leaf stands in the page of its
/// parent, and the topmost page is there unless the tree is empty, even where the whole tree is one leaf. The position of
/// its top is the page's key.
///
/// As bytes: what stands at the top, and after an inner node what stands to its left and to its right, each by a tag:
/// 0 nothing; 1 a leaf, its path and value hash; 2 an inner node; 3 the top of a page below, its hash. Hashes of what the
/// page itself holds are not stored but computed when it is read, so that a page proves the hash that its parent has.
struct TreePage: Sendable {
    /// Levels of inner nodes in a page. The more there are, the fewer keys a path has, and the more bytes are written with
    /// each that changes (decision 46). It is part of the store's format.
    static let levels = 3
    /// Positions from this one on are outside: they hold leaves and the tops of other pages.
    static let firstExit = 1 << levels - 1
    private static let count = 2 << levels - 1
    /// Bytes of the largest one.
    static let mostBytes = firstExit + (1 << levels) * (1 + 64)

    let key: NodeKey
    /// Of its top.
    let depth: Int
    /// Level by level: below position i are 2 i + 1, to the left, and 2 i + 2. What is below no inner node is empty.
    var slots = [Slot](repeating: .empty, count: Self.count)

    /// Nothing stands in it yet.
    init(at key: NodeKey, depth: Int) {
        self.key = key
        self.depth = depth
    }

    var hash: Digest { slots[0].hash }

    var encoded: [UInt8] {
        var encoder = BorshEncoder(reserving: Self.mostBytes)
        encode(0, to: &encoder)
        return encoder.bytes
    }

    private func encode(_ index: Int, to encoder: inout BorshEncoder) {
        switch slots[index] {
        case .empty: encoder.integer(Tag.empty)
        case .leaf(let path, let valueHash, _):
            encoder.integer(Tag.leaf)
            encoder.value(path)
            encoder.value(valueHash)
        case .inner:
            encoder.integer(Tag.inner)
            encode(2 * index + 1, to: &encoder)
            encode(2 * index + 2, to: &encoder)
        case .page(let hash):
            encoder.integer(Tag.page)
            encoder.value(hash)
        }
    }

    private enum Tag {
        static let empty: UInt8 = 0
        static let leaf: UInt8 = 1
        static let inner: UInt8 = 2
        static let page: UInt8 = 3
    }

    /// - Throws: ``StateTreeError``, where the bytes are no page that can stand there.
    init(at key: NodeKey, bytes: [UInt8]) throws(StateTreeError) {
        self.init(at: key, depth: key.depth)
        var decoder = BorshDecoder(bytes)
        try decode(0, depth: depth, from: &decoder)
        do { try decoder.finish() } catch { throw .malformed(key, error) }
        switch slots[0] {
        case .inner: break
        case .leaf where depth == 0: break
        case .empty, .leaf, .page: throw .malformed(key, BorshError(.notCanonical("a page without an inner node"), at: 0))
        }
    }

    private mutating func decode(_ index: Int, depth: Int, from decoder: inout BorshDecoder) throws(StateTreeError) {
        let tag: UInt8
        do throws(BorshError) { tag = try decoder.integer() } catch { throw .malformed(key, error) }
        switch tag {
        case Tag.empty: break
        case Tag.leaf:
            let path: Digest
            let valueHash: Digest
            do throws(BorshError) { (path, valueHash) = (try decoder.value(), try decoder.value()) } catch {
                throw .malformed(key, error)
            }
            guard key.covers(path), place(of: path, depth: depth) == index else { throw .misplaced(key) }
            slots[index] = .leaf(path: path, valueHash: valueHash)
        case Tag.inner where index < Self.firstExit && depth < StateTree.pathBits:
            let (left, right) = (2 * index + 1, 2 * index + 2)
            try decode(left, depth: depth + 1, from: &decoder)
            try decode(right, depth: depth + 1, from: &decoder)
            switch (slots[left], slots[right]) {
            case (.empty, .empty), (.leaf, .empty), (.empty, .leaf):
                throw .malformed(key, decoder.failure(.notCanonical("an inner node above fewer than two leaves")))
            default: slots[index] = .inner(StateTree.innerHash(slots[left].hash, slots[right].hash))
            }
        case Tag.page where index >= Self.firstExit && depth < StateTree.pathBits:
            let hash: Digest
            do throws(BorshError) { hash = try decoder.value() } catch { throw .malformed(key, error) }
            slots[index] = .page(hash)
        default: throw .malformed(key, decoder.failure(.unknownTag(tag)))
        }
    }

    /// Where the path passes this depth, which is one of the page's.
    private func place(of path: Digest, depth: Int) -> Int {
        var index = 0
        for level in self.depth..<depth { index = 2 * index + (path.bit(level) ? 2 : 1) }
        return index
    }
}

/// Shows stored pages of one version of the tree.
public protocol PageReader {
    /// The bytes that the latest update put there; nil when there is no page.
    func page(_ key: NodeKey) throws -> [UInt8]?
}

/// A tree without pairs: where a chain's state starts from.
public struct EmptyTree: PageReader {
    public init() {}
    public func page(_ key: NodeKey) -> [UInt8]? { nil }
}

/// Reads pages and checks them.
struct PageLoader<Reader: PageReader> {
    let reader: Reader

    /// The topmost page, whose hash only the caller can judge; nil for the empty tree.
    func root() throws(StateTreeError) -> TreePage? { try read(.root) }

    /// The page whose top has this hash according to its parent.
    func page(_ key: NodeKey, hash: Digest) throws(StateTreeError) -> TreePage {
        guard let page = try read(key) else { throw .missing(key) }
        guard page.hash == hash else { throw .wrongHash(key, expected: hash, found: page.hash) }
        return page
    }

    private func read(_ key: NodeKey) throws(StateTreeError) -> TreePage? {
        let bytes: [UInt8]?
        do { bytes = try reader.page(key) } catch { throw .unreadable(key, "\(error)") }
        guard let bytes else { return nil }
        return try TreePage(at: key, bytes: bytes)
    }

    /// Goes down along the path, to where it ends or so many levels.
    /// - Returns: what stands there, and the hashes beside the way, from the topmost to the deepest.
    func descend(_ path: Digest, levels: Int) throws(StateTreeError) -> (end: Slot, siblings: [Digest]) {
        guard var page = try root() else { return (.empty, []) }
        var index = 0
        var siblings: [Digest] = []
        while siblings.count < levels {
            switch page.slots[index] {
            case .empty, .leaf: return (page.slots[index], siblings)
            case .page(let hash):
                // Its top is an inner node, so that this goes on.
                page = try self.page(NodeKey(path, depth: siblings.count), hash: hash)
                index = 0
            case .inner:
                let (left, right) = (2 * index + 1, 2 * index + 2)
                let bit = path.bit(siblings.count)
                siblings.append(page.slots[bit ? left : right].hash)
                index = bit ? right : left
            }
        }
        return (page.slots[index], siblings)
    }
}
