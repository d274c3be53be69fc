import Cryptography
import Primitives

/// Which connections there are, and which of two with the same peer stays.
struct PeerRegistry {
    struct Entry {
        let link: PeerLink
        let identity: PeerIdentity
        /// Ascends with the time at which they were established.
        let number: UInt64
    }

    enum Verdict {
        /// - Parameters:
        ///   - replacing: an older connection of the same peer.
        ///   - evicting: a follower that has to go for this one, and is forgotten already.
        case accepted(replacing: Entry?, evicting: Entry?)
        case refused(DisconnectReason)
    }

    private let ownTLSKey: PublicKey
    private let limits: PeerLimits
    private var established: [PeerId: Entry] = [:]
    /// Own dials that are under way: strangers take none of their places.
    private var dialled: [ObjectIdentifier: PeerLink] = [:]
    /// Connections of others that have not said who they are, the oldest first.
    private var strangers: [PeerLink] = []
    /// That came by themselves.
    private(set) var followers = 0
    private var isStopping = false
    private var lastNumber: UInt64 = 0

    /// - Parameter ownTLSKey: of this process, for the choice between two connections.
    init(ownTLSKey: PublicKey, limits: PeerLimits) {
        self.ownTLSKey = ownTLSKey
        self.limits = limits
    }

    var masternodes: Int { established.values.count { $0.identity.consensusKey != nil } }
    var entries: [Entry] { Array(established.values) }
    var pendingCount: Int { dialled.count + strangers.count }
    var identities: [PeerIdentity] { established.values.map(\.identity).sorted { $0.id < $1.id } }
    var links: [PeerLink] { established.values.map(\.link) + dialled.values + strangers }

    func link(_ peer: PeerId) -> PeerLink? { established[peer]?.link }
    func identity(_ peer: PeerId) -> PeerIdentity? { established[peer]?.identity }

    /// A connection that has not said who it is.
    ///
    /// - Returns: one that has to go for it. An honest peer says who it is at once, so the oldest goes: of the new one's
    ///   own address where that has too many, else of the address that has most.
    mutating func addPending(_ link: PeerLink) -> Result<PeerLink?, DisconnectReason> {
        if isStopping { return .failure(.shutdown) }
        if link.dialled {
            dialled[ObjectIdentifier(link)] = link
            return .success(nil)
        }
        let network = link.network
        var evicted: PeerLink?
        if strangers.count(where: { $0.network == network }) >= max(1, limits.pendingConnectionsPerAddress) {
            evicted = strangers.first { $0.network == network }
        } else if strangers.count >= max(1, limits.pendingConnections) {
            let counts = strangers.reduce(into: [String?: Int]()) { $0[$1.network, default: 0] += 1 }
            let most = counts.values.max() ?? 0
            evicted = strangers.first { counts[$0.network] == most }
        }
        if let evicted { strangers.removeAll { $0 === evicted } }
        strangers.append(link)
        return .success(evicted)
    }

    private mutating func forgetPending(_ link: PeerLink) {
        if link.dialled { dialled[ObjectIdentifier(link)] = nil } else { strangers.removeAll { $0 === link } }
    }

    /// Why one more peer without a consensus key has no place; nil where it has one. Whom this node dialled needs none.
    func followerProblem(_ link: PeerLink) -> DisconnectReason? {
        guard !link.dialled, followerPlace(link) == .none else { return nil }
        return .tooManyFollowers(followers < limits.followers ? limits.followersPerAddress : limits.followers)
    }

    private func followerPlace(_ link: PeerLink) -> FollowerPlace {
        let taken = established.values.reduce(into: [String?: Int]()) { taken, entry in
            taken[entry.link.network, default: 0] += Self.places(entry.identity)
        }
        return .for(link.network, taken: taken, limit: limits.followers, perAddress: limits.followersPerAddress)
    }

    /// Forgets the follower of an address that came last.
    private mutating func evictFollower(of address: String?) -> Entry? {
        let last = established.values.filter { Self.places($0.identity) > 0 && $0.link.network == address }
            .max { $0.number < $1.number }
        guard let last else { return nil }
        established[last.identity.id] = nil
        followers -= 1
        return last
    }

    /// The connection's peer proved who it is, and accepted this node.
    mutating func establish(_ link: PeerLink, _ identity: PeerIdentity) -> Verdict {
        if isStopping { return .refused(.shutdown) }
        let present = established[identity.id]
        if let present, !stays(identity, against: present.identity) { return .refused(.duplicate) }
        var evicted: Entry?
        if present == nil, identity.consensusKey == nil {
            if let problem = followerProblem(link) { return .refused(problem) }
            if !link.dialled, case .insteadOf(let address) = followerPlace(link) { evicted = evictFollower(of: address) }
        }
        forgetPending(link)
        lastNumber &+= 1
        if let present { followers -= Self.places(present.identity) }
        followers += Self.places(identity)
        established[identity.id] = Entry(link: link, identity: identity, number: lastNumber)
        return .accepted(replacing: present, evicting: evicted)
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
        forgetPending(link)
        guard let peer, let entry = established[peer], entry.link === link else { return false }
        established[peer] = nil
        followers -= Self.places(entry.identity)
        return true
    }

    private static func places(_ identity: PeerIdentity) -> Int {
        identity.consensusKey == nil && !identity.dialled ? 1 : 0
    }

    /// Takes no more connections; returns those to end.
    mutating func stop() -> [PeerLink] {
        isStopping = true
        return links
    }
}
