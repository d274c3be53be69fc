import Cryptography
import Encoding

/// Why the stored tree cannot be used, and at which page.
public enum StateTreeError: Error, Equatable, Sendable, CustomStringConvertible {
    /// The reader failed.
    case unreadable(NodeKey, String)
    case missing(NodeKey)
    case malformed(NodeKey, BorshError)
    case wrongHash(NodeKey, expected: Digest, found: Digest)
    /// The page holds a leaf that cannot stand there.
    case misplaced(NodeKey)
    /// Two changes of one update name this path.
    case duplicateChange(Digest)

    public var description: String {
        switch self {
        case .unreadable(let key, let reason): "the page of the state tree at \(key) cannot be read: \(reason)"
        case .missing(let key): "the page of the state tree at \(key) is missing: the stored state is damaged"
        case .malformed(let key, let error): "the page of the state tree at \(key) is damaged: \(error)"
        case .wrongHash(let key, let expected, let found):
            "the page of the state tree at \(key) is damaged: its hash is \(found), its parent says \(expected)"
        case .misplaced(let key): "the page of the state tree at \(key) is damaged: a leaf in it belongs to another place"
        case .duplicateChange(let path): "two changes of one update are about path \(path)"
        }
    }
}
