import Cryptography

/// Which connections there are, and which of two with the same peer stays.
struct PeerRegistry {
    struct Entry {
        let link: PeerLink
        let identity: PeerIdentity
    }

    enum Verdict {
        case accepted(replacing: Entry?)
        case refused(DisconnectReason)
    }

    private let own: PeerId
    private let limits: PeerLimits
    private var entries: [PeerId: Entry] = [:]
    private var pending: [ObjectIdentifier: PeerLink] = [:]
    private(set) var followers = 0
    private var isStopping = false

    /// - Parameter own: this node's identifier, for the choice between two connections.
    init(own: PeerId, limits: PeerLimits) {
        self.own = own
        self.limits = limits
    }

    var masternodes: Int { entries.count - followers }
    var pendingCount: Int { pending.count }
    var identities: [PeerIdentity] { entries.values.map(\.identity).sorted { $0.id < $1.id } }
    var links: [PeerLink] { entries.values.map(\.link) + pending.values }

    func link(_ peer: PeerId) -> PeerLink? { entries[peer]?.link }
    func identity(_ peer: PeerId) -> PeerIdentity? { entries[peer]?.identity }

    /// A connection that has not said who it is; nil when there is room for it.
    mutating func addPending(_ link: PeerLink) -> DisconnectReason? {
        if isStopping { return .shutdown }
        guard pending.count < limits.pendingConnections else { return .tooManyConnections(limits.pendingConnections) }
        pending[ObjectIdentifier(link)] = link
        return nil
    }

    /// The connection's peer proved who it is, and accepted this node.
    mutating func establish(_ link: PeerLink, _ identity: PeerIdentity) -> Verdict {
        if isStopping { return .refused(.shutdown) }
        let present = entries[identity.id]
        if let present, !stays(identity, against: present.identity) { return .refused(.duplicate) }
        if present == nil, identity.consensusKey == nil {
            guard followers < limits.followers else { return .refused(.tooManyFollowers(limits.followers)) }
            followers += 1
        }
        pending[ObjectIdentifier(link)] = nil
        entries[identity.id] = Entry(link: link, identity: identity)
        return .accepted(replacing: present)
    }

    /// Both ends come to the same answer, whichever connection each of them sees first.
    private func stays(_ new: PeerIdentity, against old: PeerIdentity) -> Bool {
        // A fresh TLS key is a fresh process: the old connection leads to one that is gone.
        if new.tlsKey != old.tlsKey { return true }
        // Whoever dials again has lost the connection of before.
        if new.dialled == old.dialled { return true }
        // Both dialled: the connection that the lower key made stays.
        return new.dialled == (own < new.id)
    }

    /// - Returns: whether the peer has lost its connection; not if another one replaced this.
    mutating func remove(_ link: PeerLink, _ peer: PeerId?) -> Bool {
        pending[ObjectIdentifier(link)] = nil
        guard let peer, let entry = entries[peer], entry.link === link else { return false }
        entries[peer] = nil
        if entry.identity.consensusKey == nil { followers -= 1 }
        return true
    }

    /// Takes no more connections; returns those to end.
    mutating func stop() -> [PeerLink] {
        isStopping = true
        return links
    }
}
