import Consensus
import Cryptography
import Primitives

/// A connected node, by what stays true of it from one epoch to the next. Consensus knows masternodes by their places
/// in an epoch's set (``Consensus/Peer``); ``PeerNames`` translates.
public enum NodePeer: Hashable, Comparable, Sendable, CustomStringConvertible {
    /// By the consensus key that its connection proved; of a registered masternode, whether or not it is in the set.
    case masternode(PublicKey)
    /// Any other node; the host numbers its connections.
    case follower(UInt64)

    public var description: String {
        switch self {
        case .masternode(let key): "masternode \(key.hex.prefix(12))"
        case .follower(let number): "follower \(number)"
        }
    }

    /// Any fixed order: choices must not depend on the order of a dictionary.
    public static func < (lhs: NodePeer, rhs: NodePeer) -> Bool {
        switch (lhs, rhs) {
        case (.masternode(let left), .masternode(let right)): left < right
        case (.masternode, .follower): true
        case (.follower, .masternode): false
        case (.follower(let left), .follower(let right)): left < right
        }
    }
}

/// What consensus calls the connected nodes. A masternode that is not in the epoch's set is a follower to it.
struct PeerNames {
    private var numbers: [NodePeer: UInt64] = [:]
    private var peers: [UInt64: NodePeer] = [:]
    private var next: UInt64 = 0

    mutating func add(_ peer: NodePeer) {
        guard numbers[peer] == nil else { return }
        numbers[peer] = next
        peers[next] = peer
        next &+= 1
    }

    mutating func remove(_ peer: NodePeer) {
        if let number = numbers.removeValue(forKey: peer) { peers[number] = nil }
    }

    func peer(of peer: NodePeer, in set: MasternodeSet) -> Peer {
        if case .masternode(let key) = peer, let index = set.index(of: key) { return .masternode(index) }
        return .follower(numbers[peer] ?? .max)
    }

    /// Nil where nobody of that name is connected.
    func node(_ peer: Peer, in set: MasternodeSet) -> NodePeer? {
        switch peer {
        case .masternode(let index): set.member(index).map { .masternode($0.consensusKey) }
        case .follower(let number): peers[number]
        }
    }
}
