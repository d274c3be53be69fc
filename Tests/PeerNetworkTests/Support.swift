import Cryptography
import Dispatch
import Encoding
import Foundation
import LocalNetwork
import Logging
import NIOCore
import NIOPosix
import PeerNetwork
import Primitives
import Synchronization
import Testing

let sampleGenesis = Digest(sha256: Array("peer tests".utf8))

struct TimedOut: Error, CustomStringConvertible {
    let description: String
}

/// Masternodes of a test, ascending by key.
struct Keys {
    let keys: [PrivateKey]
    /// All of them.
    let set: [PublicKey]

    init(_ count: Int) throws {
        keys = (0..<count).map { _ in PrivateKey.generate() }.sorted { $0.publicKey < $1.publicKey }
        set = keys.map(\.publicKey)
    }

    func id(_ index: Int) -> PeerId { PeerId(keys[index].publicKey) }
}

/// A node of a test: its network, and all that its events said so far.
final class TestNode: Sendable {
    let network: PeerNetwork
    /// Its consensus key; a follower's TLS key.
    let key: PublicKey
    let port: Int
    private let seen = Mutex<[PeerEvent]>([])
    private let consumer = Mutex<Task<Void, Never>?>(nil)

    /// - Parameter consumes: whether it takes its events from the start.
    init(
        key: PrivateKey?, set: [PublicKey], genesis: Digest = sampleGenesis, dial: [PeerAddress] = [], port: Int? = nil,
        limits: PeerLimits = TestNode.limits, book: String? = nil, clock: TestClock? = nil, consumes: Bool = true
    ) async throws {
        // Not the kernel's choice: an outgoing connection of another test could have it when a node starts again.
        let listenPort = try port ?? FreePorts.take(1)[0]
        network = try PeerNetwork(
            configuration: PeerConfiguration(
                listenHost: "127.0.0.1", listenPort: listenPort, genesisHash: genesis,
                endorser: key.map { Endorser($0, genesis: genesis) }, masternodes: set, dial: dial, addressBookPath: book,
                limits: limits, clock: { clock?.now ?? DispatchTime.now().uptimeNanoseconds }),
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        do { try await network.start() } catch {
            await network.shutdown()
            throw error
        }
        self.key = key?.publicKey ?? network.tlsKey
        self.port = try #require(network.listenPort)
        if consumes { consume() }
    }

    static var limits: PeerLimits {
        var limits = PeerLimits()
        limits.firstReconnectMs = 20
        limits.lastReconnectMs = 200
        limits.addressRoundMs = 100
        limits.addressAnswerMs = 10
        limits.bookWriteMs = 20
        // Tests that are about these set their own: on a busy machine a node of a test may hear nothing for seconds.
        limits.handshakeMs = 120_000
        limits.idleMs = 120_000
        return limits
    }

    func address(_ key: PublicKey? = nil) -> PeerAddress { PeerAddress(host: "127.0.0.1", port: port, consensusKey: key) }

    func consume() {
        let network = network
        consumer.withLock { task in
            task = Task { [weak self] in
                for await event in network.events { self?.seen.withLock { $0.append(event) } }
            }
        }
    }

    var events: [PeerEvent] { seen.withLock { $0 } }

    var messages: [Frame] {
        events.compactMap { if case .message(_, let kind, let payload) = $0 { Frame(kind: kind, payload: payload) } else { nil } }
    }

    var refusals: [DisconnectReason] {
        events.compactMap { if case .refused(_, let reason) = $0 { reason } else { nil } }
    }

    var disconnections: [DisconnectReason] {
        events.compactMap { if case .disconnected(_, let reason) = $0 { reason } else { nil } }
    }

    func isConnected(_ peer: PeerId) -> Bool { network.peers.contains { $0.id == peer } }

    /// Whether its consumer has been told of the connection. One that ends before leaves no event at all, so a test that
    /// waits for the end has to wait for this first.
    func hasHeard(of peer: PeerId) -> Bool {
        let last = events.last { event in
            switch event {
            case .connected(let identity): identity.id == peer
            case .disconnected(let id, _): id == peer
            case .message, .refused: false
            }
        }
        if case .connected = last { return true }
        return false
    }
}

/// A clock that goes on when a test says so.
final class TestClock: Sendable {
    private let nanoseconds = Mutex<UInt64>(1_000_000_000)

    var now: UInt64 { nanoseconds.withLock { $0 } }
    func advance(seconds: Int) { nanoseconds.withLock { $0 += UInt64(seconds) * 1_000_000_000 } }
}

/// What a masternode endorses for a process that has no network.
func endorsed(_ key: PrivateKey, _ address: String, genesis: Digest = sampleGenesis) throws -> EndorsedAddress {
    let tlsKey = PrivateKey.generate().publicKey
    let body = TLSEndorsement(tlsKey: tlsKey, listenAddress: address)
    return EndorsedAddress(
        consensusKey: key.publicKey, tlsKey: tlsKey, listenAddress: address,
        signature: try key.sign(body, domain: .tlsEndorsement, genesis: genesis))
}

/// Expects what a mutating method says; `#expect` itself can't call one.
func check(_ holds: Bool, _ comment: Comment? = nil, sourceLocation: SourceLocation = #_sourceLocation) {
    #expect(holds, comment, sourceLocation: sourceLocation)
}

/// Runs the body with a folder of its own.
func withFolder(_ body: (URL) async throws -> Void) async throws {
    let folder = FileManager.default.temporaryDirectory.appending(path: "peers-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    try await body(folder)
}

/// Waits until the condition holds. The bound only ends a test that would hang.
func until(_ what: String, _ condition: () throws -> Bool) async throws {
    let deadline = ContinuousClock.now + .seconds(300)
    while try !condition() {
        guard ContinuousClock.now < deadline else { throw TimedOut(description: "waited in vain: \(what)") }
        try await Task.sleep(for: .milliseconds(5))
    }
}

/// Runs the body and stops the nodes, whatever it does.
func withNodes(_ nodes: [TestNode], _ body: () async throws -> Void) async throws {
    var failure: (any Error)?
    do { try await body() } catch { failure = error }
    for node in nodes { await node.network.shutdown() }
    if let failure { throw failure }
}

/// A peer that says whatever a test wants, over TLS or plainly.
final class RawPeer: Sendable {
    private let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    private let channel: any Channel
    let tls: TLSIdentity
    private let collected: Collected

    final class Collected: Sendable {
        let frames = Mutex<[Frame]>([])
        let isClosed = Mutex(false)
    }

    private final class Collector: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        private var reader = FrameReader(limit: FrameLimit.established)
        private let collected: Collected

        init(_ collected: Collected) { self.collected = collected }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            reader.append(unwrapInboundIn(data))
            while let frame = try? reader.next() {
                collected.frames.withLock { $0.append(frame) }
                if frame.kind == FrameKind.goodbye { context.close(promise: nil) }
            }
        }

        func channelInactive(context: ChannelHandlerContext) { collected.isClosed.withLock { $0 = true } }
        func errorCaught(context: ChannelHandlerContext, error: any Error) {}
    }

    init(port: Int, encrypted: Bool = true, tls: TLSIdentity? = nil) async throws {
        let identity = try tls ?? TLSIdentity.generate()
        self.tls = identity
        let collected = Collected()
        self.collected = collected
        channel = try await ClientBootstrap(group: group).channelInitializer { channel in
            channel.eventLoop.makeCompletedFuture {
                if encrypted {
                    try channel.pipeline.syncOperations.addHandler(identity.handler(dialling: true, peerKey: TLSKeyBox()))
                }
                try channel.pipeline.syncOperations.addHandler(Collector(collected))
            }
        }.connect(host: "127.0.0.1", port: port).get()
    }

    func send(_ bytes: [UInt8]) { channel.writeAndFlush(ByteBuffer(bytes: bytes), promise: nil) }

    func send(_ frame: Frame) {
        send(UInt32(frame.payload.count + 1).borsh + [frame.kind] + frame.payload)
    }

    /// Completes the handshake as this masternode.
    func introduce(_ key: PrivateKey) async throws {
        let hello = try Hello(
            genesisHash: sampleGenesis, listenAddress: "127.0.0.1:1", agent: "raw", tlsKey: tls.publicKey,
            endorser: Endorser(key, genesis: sampleGenesis))
        send(Frame(kind: FrameKind.hello, payload: hello.borsh))
        send(Frame(kind: FrameKind.welcome, payload: []))
        try await until("Welcome") { frames.contains { $0.kind == FrameKind.welcome } }
    }

    var frames: [Frame] { collected.frames.withLock { $0 } }
    var isClosed: Bool { collected.isClosed.withLock { $0 } }

    /// The reason that the node gave, once it has closed.
    func goodbye() async throws -> Goodbye? {
        try await until("the node closes") { isClosed }
        return try frames.last { $0.kind == FrameKind.goodbye }.map { try Goodbye(borsh: $0.payload) }
    }

    func close() async {
        try? await channel.close().get()
        try? await group.shutdownGracefully()
    }
}

/// Runs the body with a raw peer, and closes it.
func withRawPeer(
    port: Int, encrypted: Bool = true, tls: TLSIdentity? = nil, _ body: (RawPeer) async throws -> Void
) async throws {
    let peer = try await RawPeer(port: port, encrypted: encrypted, tls: tls)
    var failure: (any Error)?
    do { try await body(peer) } catch { failure = error }
    await peer.close()
    if let failure { throw failure }
}
