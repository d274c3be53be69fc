import Cryptography
import Logging
import NIOCore
import NIOPosix
import Primitives
import ProgramSupport
import Synchronization

/// # PeerNetwork
///
/// Connections among the nodes of one chain: mutual TLS 1.3 with keys that consensus keys endorse, length-framed
/// messages, bounded queues.
///
/// The module promises
/// - **who**: a peer named by a consensus key holds a TLS key which that key endorsed, for this chain; the key is of
///   an admitted masternode. Followers, without such a key, are admitted in a bounded number;
/// - **found**: from any one peer on, a masternode comes to be connected with all admitted masternodes, and a follower
///   with a few; addresses are passed on as their masternodes endorsed them, and kept over a restart;
/// - **conduct**: offences add up, fade, and lead to bans, which are short for masternodes;
/// - **one connection**: with each peer there is one, and both ends choose the same where two were made;
/// - **bounded**: before a peer is known it costs a bounded buffer for a bounded time; after that, its rate, what waits
///   for it and what waits from it are bounded, and no peer holds up the others;
/// - **never waits**: sending queues or says why not; what happens comes as a sequence of ``PeerEvent``;
/// - **clear ends**: a connection that ends by decision says why to the other side, and each side reports it.
///
/// Messages are delivered in order and unchanged while a connection lasts; what was under way when it broke is lost,
/// which is for the protocols above to repair.
public final class PeerNetwork: Sendable {
    /// Kinds from here on belong to the messages of the application.
    public static let firstKind: UInt8 = FrameKind.firstApplication
    /// Bytes of one message.
    public static let maximumPayload = FrameLimit.established - 1

    let configuration: PeerConfiguration
    let hub: PeerHub
    let group: MultiThreadedEventLoopGroup
    private let state = Mutex(State())

    private struct State {
        var started = false
        var server: (any Channel)?
        var dialers: [Task<Void, Never>] = []
        /// The one shutdown, which all callers wait for.
        var ending: Task<Void, Never>?
    }

    /// Makes a fresh TLS key; nothing is opened before ``start()``. Call ``shutdown()`` also if that throws.
    public init(configuration: PeerConfiguration, logger: Logger) throws(PeerNetworkError) {
        self.configuration = configuration
        let tls: TLSIdentity
        do { tls = try TLSIdentity.generate() } catch { throw .tls("\(error)") }
        hub = PeerHub(configuration: configuration, tls: tls, logger: logger)
        group = MultiThreadedEventLoopGroup(numberOfThreads: max(1, configuration.threads))
    }

    /// Listens, and starts to connect to the peers of the dial list.
    public func start() async throws(PeerNetworkError) {
        let isFirst = state.withLock { state in
            defer { state.started = true }
            return !state.started
        }
        guard isFirst else { throw .alreadyStarted }
        await hub.readAddressBook()
        let (host, port) = (configuration.listenHost, configuration.listenPort)
        let server: any Channel
        do { server = try await bind() } catch {
            throw .cannotListen(host: host, port: port, detail: InputFile.listenReason((error as? IOError)?.errnoCode))
        }
        state.withLock { $0.server = server }
        let listening = PeerAddress(host: host, port: server.localAddress?.port ?? port)
        do {
            hub.hello = try Hello(
                genesisHash: configuration.genesisHash,
                listenAddress: configuration.advertisedAddress ?? listening.description, agent: configuration.agent,
                tlsKey: hub.tls.publicKey, endorser: configuration.endorser)
        } catch {
            throw .cannotSign("\(error)")
        }
        do { try await server.setOption(.autoRead, value: true).get() } catch {
            throw .cannotListen(host: host, port: port, detail: InputFile.listenReason((error as? IOError)?.errnoCode))
        }
        hub.logger.info("listening for peers at \(listening)")
        if configuration.endorser != nil, PeerAddress(hub.hello?.listenAddress ?? "")?.isUnspecified == true {
            hub.logger.warning("nobody can dial \(listening): say where others reach this masternode")
        }
        let dialers =
            configuration.dial.map { target in Task { await self.keepConnected(target) } }
            + [Task { await self.keepMesh() }, Task { await self.exchangeAddresses() }]
        state.withLock { $0.dialers = dialers }
    }

    /// Says goodbye to all peers, stops, and ends ``events``. Called again, it waits for the same end.
    public func shutdown() async {
        let ending = state.withLock { state in
            let ending = state.ending ?? Task { await self.end() }
            state.ending = ending
            return ending
        }
        await ending.value
    }

    private func end() async {
        let (server, dialers) = state.withLock { ($0.server, $0.dialers) }
        for dialer in dialers { dialer.cancel() }
        try? await server?.close().get()
        let links = hub.stop()
        for link in links { link.disconnect(.shutdown) }
        // Bounded: TLS gives up its own shutdown after 2 s.
        for link in links { try? await link.channel.closeFuture.get() }
        for dialer in dialers { await dialer.value }
        await hub.flushAddressBook()
        hub.queue.finish()
        try? await group.shutdownGracefully()
    }

    /// What happens, for one consumer of everything.
    public var events: PeerEvents { PeerEvents(queue: hub.queue, ranks: Set(PeerRank.allCases)) }

    /// What happens of one rank, for one consumer of it: connections of masternodes come with what is urgent, those of
    /// others with what strangers say.
    public func events(of rank: PeerRank) -> PeerEvents { PeerEvents(queue: hub.queue, ranks: [rank]) }

    /// The same for one consumer that has a thread of its own: `wake` is called, from any thread, when something waits that it
    /// does not know of, and it takes by ``next(of:)`` until that says nil. It takes the place of the one before.
    ///
    /// - Parameter wake: must not wait, nor call this network.
    public func consume(_ rank: PeerRank, wake: @escaping @Sendable () -> Void) { hub.queue.consume(rank, wake: wake) }

    /// Has messages of this kind wake the consumer of a rank no more, until more than so many or so many bytes of them wait, or
    /// something else does: it will come by itself, and takes them then. For messages whose consumer has the more of them the
    /// cheaper.
    public func letWait(_ kind: UInt8, of rank: PeerRank, upTo messages: Int, bytes: Int) {
        hub.queue.letWait(kind, of: rank, upTo: messages, bytes: bytes)
    }

    /// Ends what ``letWait(_:of:upTo:bytes:)`` began; said by the consumer before it takes what waits.
    public func waitNoMore(_ rank: PeerRank) { hub.queue.waitNoMore(rank) }

    /// Takes no more of this rank: what waits and what comes is kept for whoever asks next.
    public func leave(_ rank: PeerRank) { hub.queue.leave(rank) }

    /// The next event of this rank for the consumer that ``consume(_:wake:)`` named; nil where none waits.
    public func next(of rank: PeerRank) -> PeerEvent? { hub.queue.take(rank) }

    /// Returns when the network has been shut down, or the task is cancelled.
    public func ended() async { _ = await hub.queue.next([]) }

    /// The port that is listened at; nil before ``start()``.
    public var listenPort: Int? { state.withLock { $0.server?.localAddress?.port } }

    /// This process's TLS key.
    public var tlsKey: PublicKey { hub.tls.publicKey }

    /// The peers that are connected, by identifier.
    public var peers: [PeerIdentity] { hub.peers }

    public var metrics: PeerMetrics { hub.metrics }

    /// Admits these consensus keys from now on, the most important first: at most ``PeerLimits/admittedKeys`` are taken.
    ///
    /// Peers that are masternodes now, or are none any more, are disconnected and come again as what they are. This
    /// node dials the masternodes among these whose addresses it knows.
    public func update(masternodes: [PublicKey]) { hub.update(masternodes: masternodes) }

    /// The peer, which is or was connected, did what the protocol does not allow. Too much of it bans.
    ///
    /// - Parameter detail: what it was, for the log.
    public func report(_ peer: PeerId, _ offence: PeerOffence, _ detail: String? = nil) {
        hub.report(peer, offence, detail)
    }

    /// Bytes that wait for the peer to take them; 0 where it is not connected.
    public func waitingBytes(for peer: PeerId) -> Int { hub.link(peer)?.waitingBytes ?? 0 }

    /// Queues a message for the peer; never waits.
    @discardableResult
    public func send(kind: UInt8, _ payload: [UInt8], to peer: PeerId, priority: PeerPriority) -> SendOutcome {
        guard Self.isSendable(kind, payload) else { return .refused }
        guard let link = hub.link(peer) else { return .notConnected }
        var undrained: [PeerLink] = []
        let outcome = outcome(link.offer(OutboundFrame(kind: kind, payload: ByteBuffer(bytes: payload)), priority, &undrained))
        PeerLink.drain(undrained)
        return outcome
    }

    /// Messages that are queued, and of which their connections are still to be told: what one step has to say to many
    /// leaves in one turn of the event loop. Goes to ``PeerNetwork/tell(_:)``, which must not be forgotten.
    public struct Untold: Sendable {
        fileprivate var links: [PeerLink] = []
        public init() {}
    }

    /// Queues a message for each of these peers; never waits. Its bytes are copied once.
    public func send(
        kind: UInt8, _ payload: [UInt8], to peers: [PeerId], priority: PeerPriority, telling untold: inout Untold
    ) {
        guard !peers.isEmpty, Self.isSendable(kind, payload) else { return }
        let frame = OutboundFrame(kind: kind, payload: ByteBuffer(bytes: payload))
        for link in hub.links(peers) { _ = outcome(link.offer(frame, priority, &untold.links)) }
    }

    /// Has the connections write what was queued.
    public func tell(_ untold: inout Untold) {
        guard !untold.links.isEmpty else { return }
        PeerLink.drain(untold.links)
        untold.links = []
    }

    /// Queues a message for all peers, or for all but one; never waits.
    ///
    /// - Parameter masternodesOnly: leaves out the followers.
    /// - Returns: the peers that it was queued for.
    @discardableResult
    public func broadcast(
        kind: UInt8, _ payload: [UInt8], priority: PeerPriority, except: PeerId? = nil, masternodesOnly: Bool = false
    ) -> Int {
        guard Self.isSendable(kind, payload) else { return 0 }
        let frame = OutboundFrame(kind: kind, payload: ByteBuffer(bytes: payload))
        var undrained: [PeerLink] = []
        var queued = 0
        for link in hub.establishedLinks(except: except, masternodesOnly: masternodesOnly)
        where outcome(link.offer(frame, priority, &undrained)) != .overflow { queued += 1 }
        PeerLink.drain(undrained)
        return queued
    }

    /// Ends the connection with a peer that broke a protocol above this one. The text is told to it.
    public func disconnect(_ peer: PeerId, because text: String) {
        hub.link(peer)?.disconnect(.malformed(text))
    }

    private static func isSendable(_ kind: UInt8, _ payload: [UInt8]) -> Bool {
        kind >= firstKind && payload.count <= maximumPayload
    }

    private func outcome(_ offer: OutboundQueue.Offer) -> SendOutcome {
        switch offer {
        case .queued: return .queued
        case .queuedDropping(let count):
            hub.count { $0.messagesDropped += UInt64(count) }
            return .queuedDroppingOldest(count)
        case .overflow: return .overflow
        }
    }
}

// MARK: Connections

extension PeerNetwork {
    private func bind() async throws -> any Channel {
        let hub = hub
        return try await ServerBootstrap(group: group)
            .serverChannelOption(.backlog, value: 128)
            // Whoever comes before this node can say Hello, which names the port, waits in the backlog.
            .serverChannelOption(.autoRead, value: false)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
            .childChannelOption(.writeBufferWaterMark, value: Self.waterMark)
            .childChannelInitializer { channel in
                let link = PeerLink(channel: channel, dialled: false, expectedKey: nil, limits: hub.limits)
                return Self.prepare(channel, link: link, hub: hub)
            }
            .bind(host: configuration.listenHost, port: configuration.listenPort).get()
    }

    static let waterMark = ChannelOptions.Types.WriteBufferWaterMark(low: 131_072, high: 524_288)

    static func prepare(_ channel: any Channel, link: PeerLink, hub: PeerHub) -> EventLoopFuture<Void> {
        channel.eventLoop.makeCompletedFuture {
            let (gate, peerKey) = (ReadGate(), TLSKeyBox())
            try channel.pipeline.syncOperations.addHandlers([
                gate, hub.tls.handler(dialling: link.dialled, peerKey: peerKey),
                PeerHandler(hub: hub, link: link, peerKey: peerKey, gate: gate),
            ])
        }
    }
}

extension PeerNetwork {
    /// Serves a channel of any kind as a connection that somebody made, behind whatever proves the peer's key.
    package func serve(_ channel: any Channel, peerKey: TLSKeyBox) throws {
        let link = PeerLink(channel: channel, dialled: false, expectedKey: nil, limits: hub.limits)
        let gate = ReadGate()
        try channel.pipeline.syncOperations.addHandlers([gate, PeerHandler(hub: hub, link: link, peerKey: peerKey, gate: gate)])
    }
}

public enum PeerNetworkError: Error, Equatable, CustomStringConvertible {
    case tls(String)
    case alreadyStarted
    case cannotListen(host: String, port: Int, detail: String)
    case cannotSign(String)

    public var description: String {
        switch self {
        case .tls(let detail): "cannot make a TLS identity: \(detail)"
        case .alreadyStarted: "the peer network was started before; make a new one"
        case .cannotListen(let host, let port, let detail):
            "cannot listen for peers at \(host):\(port): \(detail)"
        case .cannotSign(let detail): "the consensus key did not endorse the TLS key: \(detail)"
        }
    }
}
