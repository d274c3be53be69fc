import Cryptography
import Dispatch
import Logging
import NIOCore
import Primitives
import Synchronization

/// What all connections of a node share.
final class PeerHub: Sendable {
    let limits: PeerLimits
    let tls: TLSIdentity
    let queue: PeerEventQueue
    let logger: Logger
    private let genesisHash: Digest
    private let ownConsensusKey: PublicKey?

    private struct State {
        var registry: PeerRegistry
        var masternodes: MasternodeSet
        var hello: Hello?
        var metrics = PeerMetrics()
        /// Strangers must not fill the log.
        var refusalLog: TokenBucket
    }

    private let state: Mutex<State>

    init(configuration: PeerConfiguration, tls: TLSIdentity, logger: Logger) {
        limits = configuration.limits
        self.tls = tls
        self.logger = logger
        queue = PeerEventQueue(limits: limits)
        genesisHash = configuration.genesisHash
        ownConsensusKey = configuration.endorser?.consensusKey
        let own = PeerId(configuration.endorser?.consensusKey ?? tls.publicKey)
        state = Mutex(
            State(
                registry: PeerRegistry(own: own, limits: limits), masternodes: configuration.masternodes,
                refusalLog: TokenBucket(rate: 1, burst: 20, now: Self.now)))
    }

    /// Nanoseconds of a clock that does not go back.
    static var now: UInt64 { DispatchTime.now().uptimeNanoseconds }

    var hello: Hello? {
        get { state.withLock { $0.hello } }
        set { state.withLock { $0.hello = newValue } }
    }

    func open(_ link: PeerLink) -> DisconnectReason? {
        state.withLock { $0.registry.addPending(link) }
    }

    func check(_ hello: Hello, tlsKey: PublicKey, link: PeerLink) -> Result<PeerIdentity, DisconnectReason> {
        let (masternodes, followers) = state.withLock { ($0.masternodes, $0.registry.followers) }
        let admission = Admission(
            genesisHash: genesisHash, masternodes: masternodes, ownConsensusKey: ownConsensusKey,
            ownTLSKey: tls.publicKey)
        let result = admission.check(
            hello, tlsKey: tlsKey, expected: link.expectedKey, dialled: link.dialled, remoteAddress: link.remoteAddress)
        guard case .success(let identity) = result else { return result }
        // Asked again when the connection is established; here so that the peer hears the reason first.
        if identity.consensusKey == nil, followers >= limits.followers {
            return .failure(.tooManyFollowers(limits.followers))
        }
        return queue.hasRoom(for: identity.id) ? result : .failure(.consumerBehind)
    }

    /// Nil when the connection is now the peer's.
    func establish(_ link: PeerLink, _ identity: PeerIdentity) -> DisconnectReason? {
        state.withLock { state -> DisconnectReason? in
            switch state.registry.establish(link, identity) {
            case .refused(let reason): return reason
            case .accepted(let replaced):
                state.metrics.connectionsEstablished += 1
                // Under the lock: events of one peer come in the order of what happened.
                if let replaced {
                    queue.push(.disconnected(identity.id, reason: .duplicate), about: identity.id)
                    replaced.link.disconnect(.duplicate)
                }
                queue.push(.connected(identity), about: identity.id)
                return nil
            }
        }
    }

    /// - Returns: whether to pause reading from the peer.
    func received(_ frame: Frame, from identity: PeerIdentity, _ link: PeerLink) -> Bool {
        state.withLock { $0.metrics.messagesReceived += 1 }
        return queue.push(frame.payload, kind: frame.kind, from: identity.id, source: link)
    }

    func ended(_ link: PeerLink, _ ending: PeerLink.Ending) {
        let remote = link.remoteAddress
        let isLogged = state.withLock { state -> Bool in
            if state.registry.remove(link, ending.identity?.id), let peer = ending.identity?.id {
                state.metrics.connectionsLost += 1
                queue.push(.disconnected(peer, reason: ending.reason), about: peer)
                return true
            }
            // That one of two connections goes is how it should be.
            guard !ending.wasEstablished, ending.reason != .shutdown, ending.reason.code != DisconnectReason.duplicate.code
            else { return false }
            state.metrics.connectionsRefused += 1
            queue.pushRefusal(.refused(remoteAddress: remote, reason: ending.reason))
            return state.refusalLog.take(1, now: Self.now) == 0
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

    /// Admits these from now on; ends the connections with masternodes that are none any more.
    func update(masternodes: MasternodeSet) {
        let removed = state.withLock { state in
            state.masternodes = masternodes
            return state.registry.identities.compactMap { identity -> (PeerLink, PublicKey)? in
                guard let key = identity.consensusKey, masternodes.index(of: key) == nil else { return nil }
                return state.registry.link(identity.id).map { ($0, key) }
            }
        }
        for (link, key) in removed { link.disconnect(.unknownKey(key)) }
    }

    func stop() -> [PeerLink] { state.withLock { $0.registry.stop() } }

    func count(_ change: (inout PeerMetrics) -> Void) { state.withLock { change(&$0.metrics) } }

    var metrics: PeerMetrics {
        state.withLock { state in
            var metrics = state.metrics
            metrics.masternodes = state.registry.masternodes
            metrics.followers = state.registry.followers
            metrics.pending = state.registry.pendingCount
            return metrics
        }
    }
}
