import Cryptography
import Primitives

/// Offences and bans.
extension PeerHub {
    /// The peer did what the protocol does not allow.
    ///
    /// - Parameter detail: for people.
    func report(_ peer: PeerId, _ offence: PeerOffence, _ detail: String?) {
        let offender = state.withLock { $0.registry.identity(peer)?.offender ?? $0.departed.offender(peer) }
        if let detail { note("peer \(peer) said what is \(offence): \(detail)") }
        offend(offence, by: offender)
    }

    /// Says what an offence was, at a rate that strangers can't raise: a ban alone tells its operators nothing.
    func note(_ offence: @autoclosure () -> String) {
        guard state.withLock({ $0.offenceLog.takeIfThere(now: Self.now) }) else { return }
        logger.notice("\(offence())")
    }

    /// Adds to the offender's score; at the threshold all its connections end.
    func offend(_ offence: PeerOffence, by offender: Offender?) {
        let now = clock()
        let banned = state.withLock { state -> (seconds: Int, links: [PeerLink])? in
            state.metrics.offences += 1
            state.metrics.offencesByKind[offence, default: 0] += 1
            guard let offender else { return nil }
            let isAdmitted = if case .masternode(let key) = offender { state.admitted.contains(key) } else { false }
            guard offence.countsForMasternodes || !isAdmitted else { return nil }
            guard let seconds = state.scores.add(offence, by: offender, isAdmitted: isAdmitted, now: now) else {
                return nil
            }
            state.metrics.bansImposed += 1
            let banned = state.registry.entries.filter { entry in
                entry.identity.offender.map { $0 == offender || state.scores.ban(of: $0, now: now) != nil } ?? false
            }
            return (seconds, banned.map(\.link))
        }
        guard let banned, let offender else { return }
        logger.warning("banned \(offender) for \(banned.seconds) s: \(offence)")
        for link in banned.links { link.disconnect(.banned(seconds: banned.seconds)) }
    }

    /// Seconds left of the offender's ban.
    func ban(of offender: Offender?) -> Int? {
        guard let offender else { return nil }
        let now = clock()
        return state.withLock { $0.scores.ban(of: offender, now: now) }
    }

    /// Whether whoever was met or is expected there is banned. Where nobody was, nobody is: a masternode can share its
    /// address with a follower that is banned.
    func isBanned(_ known: PeerId?, at target: PeerAddress) -> Bool {
        guard let known else { return false }
        let isMasternode = state.withLock { $0.admitted.contains(known.key) }
        return ban(
            of: Offender(
                consensusKey: isMasternode ? known.key : nil, tlsKey: known.key, remoteIP: target.host,
                sparesLoopback: limits.sparesLoopback)) != nil
    }

    /// Who answers for a connection whose peer has not said who it is.
    func offender(at link: PeerLink) -> Offender? {
        Offender(consensusKey: nil, tlsKey: nil, remoteIP: link.remoteIP, sparesLoopback: limits.sparesLoopback)
    }
}

/// Peers that left just now: what they sent may still wait for its judgement.
struct DepartedPeers {
    static let limit = 256

    private var order = FIFO<PeerId>()
    private var offenders: [PeerId: Offender] = [:]

    var count: Int { order.count }

    func offender(_ peer: PeerId) -> Offender? { offenders[peer] }

    mutating func add(_ identity: PeerIdentity) {
        guard let offender = identity.offender else { return }
        if offenders.updateValue(offender, forKey: identity.id) == nil { order.append(identity.id) }
        while order.count > Self.limit, let oldest = order.popFirst() { offenders[oldest] = nil }
    }
}
