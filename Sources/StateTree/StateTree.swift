import Cryptography

/// # StateTree
///
/// The chain's state as one authenticated map from 256-bit paths (SHA-256 of a `StateKey`) to value hashes: a binary,
/// path-compressed sparse Merkle tree, the shape that Libra's and jmt's trees have in base 2.
///
/// The tree of a set of pairs is defined by recursion over the bits of the path, the most significant first. The
/// subtree at a prefix is
///
/// - **empty** when no path starts with the prefix; its hash is `SHA-256("edgeproof/state-empty/1")`;
/// - a **leaf** when exactly one does; its hash is `SHA-256("edgeproof/state-leaf/1" || path || valueHash)`;
/// - an **inner** node when more do; its hash is `SHA-256("edgeproof/state-inner/1" || left || right)`, where `left` is
///   the hash of the subtree at prefix + 0 and `right` of that at prefix + 1. One of them may be empty.
///
/// with `valueHash = SHA-256("edgeproof/state-value/1" || value)`. The root is the hash of the subtree at the empty
/// prefix. So a leaf stands at the shortest prefix that no other path shares, below about log2(n) inner nodes.
///
/// The module promises
/// - **canonical**: tree and root depend on the set of pairs alone, never on the order or batches that led there;
/// - **batched**: an update reads and writes each page at most once, and a page holds several levels (``TreePage``); what
///   it met the next one need not read (``PageCache``);
/// - **pure**: a reader in, an update and proofs out; it never stores anything, and what is kept changes no answer;
/// - **no traps**: a missing or corrupt page gives a ``StateTreeError``. Every page but the topmost is checked against
///   the hash that its parent holds.
public enum StateTree {
    /// Bits of a path, and the most siblings that a proof can have.
    public static let pathBits = 256

    /// Root of the map without pairs, and the hash of every empty subtree.
    public static let emptyRoot = Digest(domain: "edgeproof/state-empty/1")

    /// What a leaf holds of a value.
    public static func valueHash(_ value: [UInt8]) -> Digest {
        Digest(domain: "edgeproof/state-value/1", parts: value)
    }

    static func leafHash(path: Digest, valueHash: Digest) -> Digest {
        Digest(domain: "edgeproof/state-leaf/1", path, valueHash)
    }

    static func innerHash(_ left: Digest, _ right: Digest) -> Digest {
        Digest(domain: "edgeproof/state-inner/1", left, right)
    }

    /// Root of the tree that the reader shows.
    public static func root(reader: some PageReader) throws(StateTreeError) -> Digest {
        try PageLoader(reader: reader).root()?.hash ?? emptyRoot
    }

    /// What changes in the stored pages when the changes are made.
    ///
    /// - Parameters:
    ///   - changes: in any order, each path at most once; a nil value hash removes the pair, if there is one.
    ///   - cache: of pages of this version and others, with the root of this one.
    public static func update(
        reader: some PageReader, changes: [(path: Digest, valueHash: Digest?)], cache: (pages: PageCache, root: Digest)? = nil
    ) throws(StateTreeError) -> TreeUpdate {
        let ordered = changes.sorted { $0.path < $1.path }
        for (lower, higher) in zip(ordered, ordered.dropFirst()) where lower.path == higher.path {
            throw .duplicateChange(lower.path)
        }
        var updater = TreeUpdater(loader: PageLoader(reader: reader), cache: cache?.pages)
        return try updater.run(ordered, root: cache?.root)
    }

    /// Root of the tree that holds exactly these pairs.
    public static func root(of pairs: [(path: Digest, valueHash: Digest)]) throws(StateTreeError) -> Digest {
        try update(reader: EmptyTree(), changes: pairs.map { ($0.path, $0.valueHash) }).root
    }

    /// The value hash at the path, nil when there is none, with its proof.
    public static func prove(
        reader: some PageReader, path: Digest
    ) throws(StateTreeError) -> (valueHash: Digest?, proof: StateProof) {
        let (end, siblings) = try PageLoader(reader: reader).descend(path, levels: pathBits)
        let upwards = Array(siblings.reversed())
        switch end {
        case .leaf(path, let valueHash, _):
            return (valueHash, StateProof(end: .claimed, siblings: upwards))
        case .leaf(let found, let valueHash, _):
            return (nil, StateProof(end: .leaf(path: found, valueHash: valueHash), siblings: upwards))
        case .empty, .inner, .page:
            return (nil, StateProof(end: .empty, siblings: upwards))
        }
    }
}
