import Consensus
import PeerNetwork

/// Connections by the names that consensus gives their nodes.
struct PeerBook {
    private var peers: [PeerId: Peer] = [:]
    private var ids: [Peer: PeerId] = [:]
    private var nextFollower: UInt64 = 0

    var count: Int { peers.count }

    mutating func add(_ id: PeerId, index: UInt16?) -> Peer {
        let peer: Peer
        if let index {
            peer = .masternode(index)
        } else {
            peer = .follower(nextFollower)
            nextFollower &+= 1
        }
        peers[id] = peer
        ids[peer] = id
        return peer
    }

    /// Nil when the node is connected through another connection by now.
    mutating func remove(_ id: PeerId) -> Peer? {
        guard let peer = peers.removeValue(forKey: id), ids[peer] == id else { return nil }
        ids[peer] = nil
        return peer
    }

    func peer(_ id: PeerId) -> Peer? { peers[id] }
    func id(_ peer: Peer) -> PeerId? { ids[peer] }
    func isConnected(_ index: UInt16) -> Bool { ids[.masternode(index)] != nil }

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
        case .body, .wantBody, .transactions, .wantBlocks, .blocks: .bulk
        }
    }
}
