import Encoding

/// The Merkle tree of RFC 9162 (section 2.1) over a list that only grows: account histories, the transactions and
/// receipts of a block, the steps of a training round.
public enum MerkleLog {
    /// MTH of the empty list: SHA-256 of nothing.
    public static let emptyRoot = Digest(sha256: [])

    public static func leafHash(_ entry: [UInt8]) -> Digest {
        var hasher = SHA256Hasher()
        hasher.update([0])
        hasher.update(entry)
        return hasher.finalize()
    }

    public static func nodeHash(_ left: Digest, _ right: Digest) -> Digest {
        var hasher = SHA256Hasher()
        hasher.update([1])
        hasher.update(left)
        hasher.update(right)
        return hasher.finalize()
    }

    /// Root over leaf hashes.
    public static func root(_ leaves: [Digest]) -> Digest {
        var frontier = MerkleFrontier()
        for leaf in leaves { frontier.append(leaf) }
        return frontier.root
    }

    /// Largest power of two smaller than `n`, for n > 1.
    private static func split(_ n: Int) -> Int {
        var k = 1
        while k < n - k { k <<= 1 }
        return k
    }

    // MARK: Inclusion (RFC 9162, section 2.1.3)

    /// The audit path of leaf `index`, from the leaf's sibling upwards. Nil when there is no such leaf.
    public static func inclusionProof(_ leaves: [Digest], index: Int) -> [Digest]? {
        guard leaves.indices.contains(index) else { return nil }
        return path(leaves[...], index)
    }

    private static func path(_ leaves: ArraySlice<Digest>, _ index: Int) -> [Digest] {
        guard leaves.count > 1 else { return [] }
        let k = split(leaves.count)
        let middle = leaves.startIndex + k
        return index < k
            ? path(leaves[..<middle], index) + [root(Array(leaves[middle...]))]
            : path(leaves[middle...], index - k) + [root(Array(leaves[..<middle]))]
    }

    public static func verifyInclusion(
        leaf: Digest, index: UInt64, size: UInt64, proof: [Digest], root expected: Digest
    ) -> Bool {
        guard index < size else { return false }
        var fn = index
        var sn = size - 1
        var hash = leaf
        for sibling in proof {
            guard sn > 0 else { return false }
            if fn & 1 == 1 || fn == sn {
                hash = nodeHash(sibling, hash)
                while fn & 1 == 0 && fn != 0 {
                    fn >>= 1
                    sn >>= 1
                }
            } else {
                hash = nodeHash(hash, sibling)
            }
            fn >>= 1
            sn >>= 1
        }
        return sn == 0 && hash == expected
    }

    // MARK: Consistency (RFC 9162, section 2.1.4)

    /// Proof that the tree of the first `oldSize` leaves is a prefix of the tree of all. Nil unless 0 < oldSize <= count.
    public static func consistencyProof(_ leaves: [Digest], oldSize: Int) -> [Digest]? {
        guard oldSize > 0, oldSize <= leaves.count else { return nil }
        return subproof(leaves[...], oldSize, complete: true)
    }

    private static func subproof(_ leaves: ArraySlice<Digest>, _ m: Int, complete: Bool) -> [Digest] {
        if m == leaves.count { return complete ? [] : [root(Array(leaves))] }
        let k = split(leaves.count)
        let middle = leaves.startIndex + k
        return m <= k
            ? subproof(leaves[..<middle], m, complete: complete) + [root(Array(leaves[middle...]))]
            : subproof(leaves[middle...], m - k, complete: false) + [root(Array(leaves[..<middle]))]
    }

    public static func verifyConsistency(
        oldSize: UInt64, oldRoot: Digest, newSize: UInt64, newRoot: Digest, proof: [Digest]
    ) -> Bool {
        guard oldSize > 0, oldSize <= newSize else { return false }
        if oldSize == newSize { return proof.isEmpty && oldRoot == newRoot }
        var path = proof
        if oldSize & (oldSize - 1) == 0 { path.insert(oldRoot, at: 0) }
        guard let first = path.first else { return false }
        var fn = oldSize - 1
        var sn = newSize - 1
        while fn & 1 == 1 {
            fn >>= 1
            sn >>= 1
        }
        var fr = first
        var sr = first
        for hash in path.dropFirst() {
            guard sn > 0 else { return false }
            if fn & 1 == 1 || fn == sn {
                fr = nodeHash(hash, fr)
                sr = nodeHash(hash, sr)
                while fn & 1 == 0 && fn != 0 {
                    fn >>= 1
                    sn >>= 1
                }
            } else {
                sr = nodeHash(sr, hash)
            }
            fn >>= 1
            sn >>= 1
        }
        return sn == 0 && fr == oldRoot && sr == newRoot
    }
}

/// What is needed to append to a Merkle log and to know its root: the roots of its perfect subtrees, largest first.
/// There is one subtree for each bit that is set in `size`.
public struct MerkleFrontier: BorshCodable, Hashable, Sendable {
    public private(set) var size: UInt64
    private var subtrees: [Digest]

    public init() {
        size = 0
        subtrees = []
    }

    public mutating func append(_ leaf: Digest) {
        var hash = leaf
        var level = size
        while level & 1 == 1, let left = subtrees.popLast() {
            hash = MerkleLog.nodeHash(left, hash)
            level >>= 1
        }
        subtrees.append(hash)
        size &+= 1
    }

    public var root: Digest {
        guard var hash = subtrees.last else { return MerkleLog.emptyRoot }
        for left in subtrees.dropLast().reversed() { hash = MerkleLog.nodeHash(left, hash) }
        return hash
    }

    public func encode(to encoder: inout BorshEncoder) {
        encoder.integer(size)
        for subtree in subtrees { encoder.value(subtree) }
    }

    public init(from decoder: inout BorshDecoder) throws(BorshError) {
        size = try decoder.integer()
        subtrees = []
        subtrees.reserveCapacity(min(size.nonzeroBitCount, decoder.remaining / 32) + 1)
        for _ in 0..<size.nonzeroBitCount { subtrees.append(try decoder.value()) }
    }
}
