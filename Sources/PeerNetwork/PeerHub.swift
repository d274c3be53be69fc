import Cryptography
import Dispatch
import Logging
import NIOCore
import Primitives
import ProgramSupport
import Synchronization

/// What all connections of a node share.
final class PeerHub: Sendable {
    let limits: PeerLimits
    let tls: TLSIdentity
    let queue: PeerEventQueue
    let logger: Logger
    let genesisHash: Digest
    let ownConsensusKey: PublicKey?
    /// For scores and bans.
    let clock: @Sendable () -> UInt64
    /// Places that the configuration has this node dial anyway.
    let configuredPlaces: Set<PeerAddress>
    let addressBookFile: AddressBookFile?
    /// Who may say what.
    let gate: any FrameGate
    /// Where signatures of addresses are checked and the address book is written, off the event loop.
    let addressQueue = DispatchQueue(label: "edgeproof.addresses", qos: .utility)

    struct State {
        var registry: PeerRegistry
        /// Without this node's own key.
        var admitted: Set<PublicKey> = []
        /// Whether this node's own key is admitted.
        var isMasternode = false
        /// The admitted keys in the order in which this node dials them.
        var dialOrder: [PublicKey] = []
        var dials: DialPlan
        var book: AddressBook
        /// The file is behind the book, and a write is on its way.
        var isBookWritePending = false
        var addressAnswers: TokenBucket
        var addressRequests: TokenBucket
        var scores: Scoreboard
        var departed = DepartedPeers()
        var hello: Hello?
        var metrics = PeerMetrics()
        /// Strangers must not fill the log.
        var refusalLog: TokenBucket
        /// Apart from these: what is sent in a flood must not keep a key that is used elsewhere out of the log.
        var offenceLog: TokenBucket
        /// Connections that others make, and what strangers send.
        var handshakes: HandshakeRations
        var strangerBytes: TokenBucket
        /// Where masternodes came from when they proved their keys last.
        var proved: [PublicKey: String] = [:]
        /// Addresses at which masternodes are, as far as is known: these, and those of ``book`` and the configuration.
        var masternodeNetworks: Set<String> = []

        mutating func findNetworks(_ configured: Set<PeerAddress>) {
            let hosts = book.hosts + configured.map(\.host)
            masternodeNetworks = Set(hosts.compactMap { AddressHolder($0)?.name }).union(proved.values)
        }
    }

    let state: Mutex<State>

    init(configuration: PeerConfiguration, tls: TLSIdentity, logger: Logger) {
        limits = configuration.limits
        self.tls = tls
        self.logger = logger
        queue = PeerEventQueue(limits: limits)
        genesisHash = configuration.genesisHash
        ownConsensusKey = configuration.endorser?.consensusKey
        clock = configuration.clock
        configuredPlaces = Set(configuration.dial.map(\.endpoint))
        addressBookFile = configuration.addressBookPath.map { AddressBookFile(path: $0) }
        gate = configuration.gate ?? OpenGate()
        let now = Self.now
        state = Mutex(
            State(
                registry: PeerRegistry(ownTLSKey: tls.publicKey, limits: limits),
                dials: DialPlan(own: ownConsensusKey, limits: limits), book: AddressBook(limit: limits.admittedKeys),
                addressAnswers: TokenBucket(
                    rate: limits.addressAnswersPerSecond, burst: limits.addressAnswersPerSecond, now: now),
                addressRequests: TokenBucket(rate: 1, burst: Self.requestBurst, now: now),
                scores: Scoreboard(limits: limits), refusalLog: TokenBucket(rate: 1, burst: 20, now: now),
                offenceLog: TokenBucket(rate: 1, burst: 20, now: now),
                handshakes: HandshakeRations(limits: limits, now: now),
                strangerBytes: TokenBucket(
                    rate: limits.strangerBytesPerSecond, burst: limits.strangerByteBurst, now: now)))
        update(masternodes: configuration.masternodes)
    }

    /// Requests for addresses to fresh peers at once; more go one a second.
    private static let requestBurst = 8

    /// Nanoseconds of a clock that does not go back.
    static var now: UInt64 { DispatchTime.now().uptimeNanoseconds }

    var hello: Hello? {
        get { state.withLock { $0.hello } }
        set { state.withLock { $0.hello = newValue } }
    }

    func open(_ link: PeerLink) -> DisconnectReason? {
        let offender = link.dialled ? nil : offender(at: link)
        let (now, monotonic) = (clock(), Self.now)
        let (problem, evicted) = state.withLock { state -> (DisconnectReason?, PeerLink?) in
            let isKnown = link.network.map { state.masternodeNetworks.contains($0) } ?? false
            if let offender, !state.scores.admitsHandshake(of: offender, isKnown: isKnown, now: now) {
                return (.banned(seconds: state.scores.ban(of: offender, now: now) ?? 0), nil)
            }
            if !link.dialled {
                guard state.handshakes.take(link.network, of: link.site, isKnown: isKnown, now: monotonic) else {
                    state.metrics.handshakesRefused += 1
                    return (.tooManyConnections(limits.handshakesPerSecond), nil)
                }
            }
            switch state.registry.addPending(link) {
            case .failure(let reason): return (reason, nil)
            case .success(let evicted): return (nil, evicted)
            }
        }
        evicted?.disconnect(.tooManyConnections(limits.pendingConnections))
        return problem
    }

    /// Charges strangers, all together, for bytes.
    ///
    /// - Returns: nanoseconds for which whoever sent them is not read from.
    func chargeStranger(_ bytes: Int) -> UInt64 { state.withLock { $0.strangerBytes.take(bytes, now: Self.now) } }

    func check(_ hello: Hello, tlsKey: PublicKey, link: PeerLink) -> Result<PeerIdentity, DisconnectReason> {
        let (admission, followerProblem) = state.withLock { (rules($0), $0.registry.followerProblem(link)) }
        let result = admission.check(
            hello,
            from: Admission.Origin(
                tlsKey: tlsKey, expected: link.expectedKey, dialled: link.dialled, remoteAddress: link.remoteAddress,
                remoteIP: link.remoteIP))
        guard case .success(let identity) = result else { return result }
        if let seconds = ban(of: identity.offender) { return .failure(.banned(seconds: seconds)) }
        // Asked again when the connection is established; here so that the peer hears the reason first.
        if identity.consensusKey == nil, let followerProblem { return .failure(followerProblem) }
        return result
    }

    private func rules(_ state: borrowing State) -> Admission {
        Admission(
            genesisHash: genesisHash, admitted: state.admitted, ownConsensusKey: ownConsensusKey,
            ownTLSKey: tls.publicKey, sparesLoopback: limits.sparesLoopback)
    }

    /// Nil when the connection is now the peer's.
    func establish(_ link: PeerLink, _ identity: PeerIdentity) -> DisconnectReason? {
        let now = clock()
        let (reason, isBookNew) = state.withLock { state -> (DisconnectReason?, Bool) in
            // Either can have changed since the Hello.
            if let reason = rules(state).changes(identity) { return (reason, false) }
            if let seconds = identity.offender.flatMap({ state.scores.ban(of: $0, now: now) }) {
                return (.banned(seconds: seconds), false)
            }
            switch state.registry.establish(link, identity) {
            case .refused(let reason): return (reason, false)
            case .accepted(let replaced, let evicted):
                state.metrics.connectionsEstablished += 1
                if let evicted {
                    let reason = DisconnectReason.tooManyFollowers(limits.followers)
                    state.metrics.connectionsLost += 1
                    state.departed.add(evicted.identity)
                    queue.disconnected(evicted.identity, reason)
                    gate.ended(evicted.identity.id)
                    evicted.link.disconnect(reason)
                }
                // Under the lock: events of one peer come in the order of what happened.
                if let replaced {
                    queue.disconnected(identity, .duplicate)
                    replaced.link.disconnect(.duplicate)
                }
                queue.connected(identity)
                if let key = identity.consensusKey {
                    state.dials.reached(key)
                    if let network = link.network, state.proved.updateValue(network, forKey: key) != network {
                        state.masternodeNetworks.insert(network)
                    }
                }
                return (nil, identity.endorsedAddress.map { state.book.confirm($0) } ?? false)
            }
        }
        if isBookNew { bookChanged() }
        return reason
    }

    /// - Returns: whether to pause reading from the peer.
    func received(_ frame: Frame, _ rank: PeerRank, from identity: PeerIdentity, _ link: PeerLink) -> Bool {
        state.withLock { state in
            state.metrics.messagesReceived += 1
            // Under the lock: what comes after the connection's end belongs to nobody.
            guard state.registry.link(identity.id) === link else { return false }
            return queue.push(frame.payload, kind: frame.kind, rank: rank, from: identity.id, source: link)
        }
    }

    func ended(_ link: PeerLink, _ ending: PeerLink.Ending) {
        let remote = link.remoteAddress
        let isLogged = state.withLock { state -> Bool in
            if state.registry.remove(link, ending.identity?.id), let identity = ending.identity {
                state.metrics.connectionsLost += 1
                state.departed.add(identity)
                queue.disconnected(identity, ending.reason)
                gate.ended(identity.id)
                return true
            }
            // That one of two connections goes is how it should be.
            guard !ending.wasEstablished, ending.reason != .shutdown, ending.reason.code != DisconnectReason.duplicate.code
            else { return false }
            state.metrics.connectionsRefused += 1
            queue.refused(.refused(remoteAddress: remote, reason: ending.reason))
            return state.refusalLog.take(1, now: Self.now) == 0
        }
        if let offence = ending.reason.offence {
            offend(offence, by: ending.identity.map { $0.offender } ?? offender(at: link))
        }
        guard isLogged else { return }
        if ending.wasEstablished {
            logger.info("lost peer \(ending.identity?.id.description ?? "") at \(remote): \(ending.reason)")
        } else if case .keyUsedElsewhere = ending.reason {
            logger.critical("refused \(remote): \(ending.reason)")
        } else {
            logger.notice("no peer at \(remote): \(ending.reason)")
        }
    }

    func link(_ peer: PeerId) -> PeerLink? { state.withLock { $0.registry.link(peer) } }
    /// Of those that are connected.
    func links(_ peers: [PeerId]) -> [PeerLink] { state.withLock { state in peers.compactMap { state.registry.link($0) } } }
    func isConnected(_ peer: PeerId) -> Bool { link(peer) != nil }
    var peers: [PeerIdentity] { state.withLock { $0.registry.identities } }

    /// Links of the peers that are established.
    func establishedLinks(except: PeerId?, masternodesOnly: Bool) -> [PeerLink] {
        state.withLock { state in
            state.registry.identities.compactMap { identity in
                guard identity.id != except, !masternodesOnly || identity.consensusKey != nil else { return nil }
                return state.registry.link(identity.id)
            }
        }
    }

    /// Admits these from now on. Ends the connections with those that are masternodes now, or are none any more: both
    /// sides connect again, and each is then what it is.
    func update(masternodes: [PublicKey]) {
        let kept = masternodes.prefix(max(0, limits.admittedKeys))
        if kept.count < masternodes.count {
            logger.warning("of \(masternodes.count) masternodes the first \(kept.count) are admitted")
        }
        let keys = Set(kept)
        let others = keys.subtracting(ownConsensusKey.map { [$0] } ?? [])
        // Everybody has another order, so that the few that a follower dials are not the same for all.
        let order = others.map { (Digest(sha256: tls.publicKey.bytes + $0.bytes), $0) }.sorted { $0.0 < $1.0 }.map(\.1)
        let (changed, isBookNew) = state.withLock { state in
            state.admitted = others
            state.isMasternode = ownConsensusKey.map { keys.contains($0) } ?? false
            state.dialOrder = order
            state.dials.keep(only: others)
            state.proved = state.proved.filter { others.contains($0.key) }
            let admission = rules(state)
            let changed = state.registry.entries.compactMap { entry in
                admission.changes(entry.identity).map { (entry.link, $0) }
            }
            let isBookNew = state.book.keep(only: others)
            state.findNetworks(configuredPlaces)
            return (changed, isBookNew)
        }
        for (link, reason) in changed { link.disconnect(reason) }
        if isBookNew { bookChanged() }
    }

    func stop() -> [PeerLink] { state.withLock { $0.registry.stop() } }

    func count(_ change: (inout PeerMetrics) -> Void) { state.withLock { change(&$0.metrics) } }

    var metrics: PeerMetrics {
        let now = clock()
        return state.withLock { state in
            var metrics = state.metrics
            metrics.masternodes = state.registry.masternodes
            metrics.followers = state.registry.followers
            metrics.pending = state.registry.pendingCount
            metrics.knownAddresses = state.book.count
            metrics.bans = state.scores.bans(now: now)
            metrics.inboundBytes = queue.bytes
            return metrics
        }
    }
}
