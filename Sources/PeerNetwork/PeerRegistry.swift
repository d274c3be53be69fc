import Cryptography
import Primitives

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

    private let ownTLSKey: PublicKey
    private let limits: PeerLimits
    private var established: [PeerId: Entry] = [:]
    private var pending: [ObjectIdentifier: PeerLink] = [:]
    private(set) var followers = 0
    private var isStopping = false

    /// - Parameter ownTLSKey: of this process, for the choice between two connections.
    init(ownTLSKey: PublicKey, limits: PeerLimits) {
        self.ownTLSKey = ownTLSKey
        self.limits = limits
    }

    var masternodes: Int { established.count - followers }
    var entries: [Entry] { Array(established.values) }
    var pendingCount: Int { pending.count }
    var identities: [PeerIdentity] { established.values.map(\.identity).sorted { $0.id < $1.id } }
    var links: [PeerLink] { established.values.map(\.link) + pending.values }

    func link(_ peer: PeerId) -> PeerLink? { established[peer]?.link }
    func identity(_ peer: PeerId) -> PeerIdentity? { established[peer]?.identity }

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
        let present = established[identity.id]
        if let present, !stays(identity, against: present.identity) { return .refused(.duplicate) }
        if present == nil, identity.consensusKey == nil {
            guard followers < limits.followers else { return .refused(.tooManyFollowers(limits.followers)) }
            followers += 1
        }
        pending[ObjectIdentifier(link)] = nil
        established[identity.id] = Entry(link: link, identity: identity)
        return .accepted(replacing: present)
    }

    /// Both ends come to the same answer, whichever connection each of them sees first.
    private func stays(_ new: PeerIdentity, against old: PeerIdentity) -> Bool {
        // A fresh TLS key is a fresh process: the old connection leads to one that is gone.
        if new.tlsKey != old.tlsKey { return true }
        // Whoever dials again has lost the connection of before.
        if new.dialled == old.dialled { return true }
        // Both dialled: the connection that the lower TLS key made stays. Consensus keys would not do: the ends can have
        // different views of who is admitted.
        return new.dialled == (ownTLSKey < new.tlsKey)
    }

    /// - Returns: whether the peer has lost its connection; not if another one replaced this.
    mutating func remove(_ link: PeerLink, _ peer: PeerId?) -> Bool {
        pending[ObjectIdentifier(link)] = nil
        guard let peer, let entry = established[peer], entry.link === link else { return false }
        established[peer] = nil
        if entry.identity.consensusKey == nil { followers -= 1 }
        return true
    }

    /// Takes no more connections; returns those to end.
    mutating func stop() -> [PeerLink] {
        isStopping = true
        return links
    }
}
