import Cryptography
import Encoding

/// A node that exists. Stored as a tag (0 leaf, 1 inner) and two hashes.
enum TreeNode: BorshCodable, Hashable, Sendable {
    case leaf(path: Digest, valueHash: Digest)
    case inner(left: Digest, right: Digest)

    var hash: Digest {
        switch self {
        case .leaf(let path, let valueHash): StateTree.leafHash(path: path, valueHash: valueHash)
        case .inner(let left, let right): StateTree.innerHash(left, right)
        }
    }

    func encode(to encoder: inout BorshEncoder) {
        switch self {
        case .leaf(let path, let valueHash):
            encoder.integer(UInt8(0))
            encoder.value(path)
            encoder.value(valueHash)
        case .inner(let left, let right):
            encoder.integer(UInt8(1))
            encoder.value(left)
            encoder.value(right)
        }
    }

    init(from decoder: inout BorshDecoder) throws(BorshError) {
        let tag: UInt8 = try decoder.integer()
        switch tag {
        case 0: self = .leaf(path: try decoder.value(), valueHash: try decoder.value())
        case 1:
            let left: Digest = try decoder.value()
            let right: Digest = try decoder.value()
            guard left != StateTree.emptyRoot || right != StateTree.emptyRoot else {
                throw decoder.failure(.notCanonical("inner node without children"))
            }
            self = .inner(left: left, right: right)
        default: throw decoder.failure(.unknownTag(tag))
        }
    }
}

/// Shows stored nodes of one version of the tree.
public protocol NodeReader {
    /// The bytes that the latest update put there; nil when there is no node.
    func node(_ key: NodeKey) throws -> [UInt8]?
}

/// What an update changes in the stored nodes. No position is both put and removed.
public struct TreeUpdate: Sendable {
    /// Root after the update.
    public let root: Digest
    /// Ascending by position.
    public let puts: [(NodeKey, [UInt8])]
    /// Ascending.
    public let removals: [NodeKey]
}

/// Reads nodes and checks them.
struct NodeLoader<Reader: NodeReader> {
    let reader: Reader

    /// The topmost node, whose hash only the caller can judge; nil for the empty tree.
    func root() throws(StateTreeError) -> TreeNode? { try read(.root) }

    /// The node that has this hash according to its parent; nil for the hash of the empty subtree.
    func node(_ key: NodeKey, hash: Digest) throws(StateTreeError) -> TreeNode? {
        guard hash != StateTree.emptyRoot else { return nil }
        guard let node = try read(key) else { throw .missing(key) }
        let found = node.hash
        guard found == hash else { throw .wrongHash(key, expected: hash, found: found) }
        return node
    }

    private func read(_ key: NodeKey) throws(StateTreeError) -> TreeNode? {
        let bytes: [UInt8]?
        do { bytes = try reader.node(key) } catch { throw .unreadable(key, "\(error)") }
        guard let bytes else { return nil }
        let node: TreeNode
        do { node = try TreeNode(borsh: bytes) } catch { throw .malformed(key, error) }
        switch node {
        case .leaf(let path, _):
            guard key.covers(path) else { throw .misplaced(key) }
        case .inner:
            guard key.depth < StateTree.pathBits else { throw .misplaced(key) }
        }
        return node
    }
}

/// Why the stored tree cannot be used, and at which node.
public enum StateTreeError: Error, Equatable, Sendable, CustomStringConvertible {
    /// The reader failed.
    case unreadable(NodeKey, String)
    case missing(NodeKey)
    case malformed(NodeKey, BorshError)
    case wrongHash(NodeKey, expected: Digest, found: Digest)
    /// The node cannot stand at this position.
    case misplaced(NodeKey)
    /// Two changes of one update name this path.
    case duplicateChange(Digest)

    public var description: String {
        switch self {
        case .unreadable(let key, let reason): "the state node at \(key) cannot be read: \(reason)"
        case .missing(let key): "the state node at \(key) is missing: the stored state is damaged"
        case .malformed(let key, let error): "the state node at \(key) is damaged: \(error)"
        case .wrongHash(let key, let expected, let found):
            "the state node at \(key) is damaged: its hash is \(found), its parent says \(expected)"
        case .misplaced(let key): "the state node at \(key) is damaged: it belongs to another place"
        case .duplicateChange(let path): "two changes of one update are about path \(path)"
        }
    }
}
