import Cryptography

/// Names a peer: a masternode by its consensus key, a follower by the TLS key of its process.
public struct PeerId: Hashable, Comparable, Sendable, CustomStringConvertible {
    public let key: PublicKey

    public init(_ key: PublicKey) { self.key = key }

    public static func < (lhs: PeerId, rhs: PeerId) -> Bool { lhs.key < rhs.key }
    /// The first digits, for logs.
    public var description: String { String(key.hex.prefix(12)) }
}
