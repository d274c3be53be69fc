import Cryptography
import Encoding

/// Proof that the map with a root holds a value at a path, or holds none there.
///
/// As bytes: the end as a tag (0 claimed, 1 empty, 2 another leaf, followed by its path and value hash), then a u32
/// count of siblings and their hashes, from the deepest to the topmost. A claim has one proof: no other bytes verify.
public struct StateProof: BorshCodable, Hashable, Sendable {
    /// What stands where the path ends.
    public enum End: Hashable, Sendable {
        /// The leaf that is claimed: a proof of membership.
        case claimed
        /// Nothing: a proof of non-membership.
        case empty
        /// The leaf of another path that starts with the same bits: a proof of non-membership.
        case leaf(path: Digest, valueHash: Digest)
    }

    public let end: End
    /// Hashes of the subtrees beside the path, from the deepest to the topmost; at most 256.
    public let siblings: [Digest]

    init(end: End, siblings: [Digest]) {
        self.end = end
        self.siblings = siblings
    }

    /// Whether it proves that the map with this root has this value hash at the path, or none where it is nil.
    public func verify(root: Digest, path: Digest, valueHash: Digest?) -> Bool {
        guard siblings.count <= StateTree.pathBits else { return false }
        // Beside a leaf or nothing there is always something: else the parent would not be an inner node.
        guard siblings.first != StateTree.emptyRoot else { return false }
        var hash: Digest
        switch (end, valueHash) {
        case (.claimed, let valueHash?):
            hash = StateTree.leafHash(path: path, valueHash: valueHash)
        case (.empty, nil):
            hash = StateTree.emptyRoot
        case (.leaf(let other, let otherValue), nil):
            guard other != path, NodeKey(path, depth: siblings.count).covers(other) else { return false }
            hash = StateTree.leafHash(path: other, valueHash: otherValue)
        default:
            return false
        }
        var depth = siblings.count
        for sibling in siblings {
            depth -= 1
            hash = path.bit(depth) ? StateTree.innerHash(sibling, hash) : StateTree.innerHash(hash, sibling)
        }
        return hash == root
    }

    public func encode(to encoder: inout BorshEncoder) {
        switch end {
        case .claimed: encoder.integer(UInt8(0))
        case .empty: encoder.integer(UInt8(1))
        case .leaf(let path, let valueHash):
            encoder.integer(UInt8(2))
            encoder.value(path)
            encoder.value(valueHash)
        }
        encoder.array(siblings)
    }

    public init(from decoder: inout BorshDecoder) throws(BorshError) {
        let tag: UInt8 = try decoder.integer()
        switch tag {
        case 0: end = .claimed
        case 1: end = .empty
        case 2: end = .leaf(path: try decoder.value(), valueHash: try decoder.value())
        default: throw decoder.failure(.unknownTag(tag))
        }
        siblings = try decoder.array(limit: StateTree.pathBits, smallestElement: 32)
    }
}
