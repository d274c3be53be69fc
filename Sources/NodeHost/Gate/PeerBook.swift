import Cryptography
import NodeCore
import PeerNetwork
import Primitives

/// Connections by the names that the node's machine gives them.
struct PeerBook {
    private var peers: [PeerId: NodePeer] = [:]
    private var ids: [NodePeer: PeerId] = [:]
    private var nextFollower: UInt64 = 0

    var count: Int { peers.count }

    mutating func add(_ id: PeerId, consensusKey: PublicKey?) -> NodePeer {
        let peer: NodePeer
        if let consensusKey {
            peer = .masternode(consensusKey)
        } else {
            peer = .follower(nextFollower)
            nextFollower &+= 1
        }
        peers[id] = peer
        ids[peer] = id
        return peer
    }

    /// Nil when the node is connected through another connection by now.
    mutating func remove(_ id: PeerId) -> NodePeer? {
        guard let peer = peers.removeValue(forKey: id), ids[peer] == id else { return nil }
        ids[peer] = nil
        return peer
    }

    func peer(_ id: PeerId) -> NodePeer? { peers[id] }
    func id(_ peer: NodePeer) -> PeerId? { ids[peer] }
    /// Consensus keys that live connections proved.
    var masternodes: Set<PublicKey> {
        Set(ids.keys.compactMap { if case .masternode(let key) = $0 { key } else { nil } })
    }

    func isConnected(_ key: PublicKey) -> Bool { ids[.masternode(key)] != nil }

    func ids(_ audience: Audience) -> [PeerId] {
        ids.filter { peer, _ in
            switch (audience, peer) {
            case (.everyone, _), (.masternodes, .masternode), (.followers, .follower): true
            default: false
            }
        }.map(\.value)
    }
}

extension NodeMessage {
    /// Votes and certificates go before what is large.
    var priority: PeerPriority {
        switch self {
        case .consensus, .head: .urgent
        case .body, .wantBody, .transactions, .wantBlocks, .blocks, .sketch, .wantParts, .parts: .bulk
        }
    }
}
