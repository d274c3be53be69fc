import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL
import Synchronization

/// A server that answers by the path: `/ok`, `/ok?n=...`, `/close` (ends the connection after the answer), `/lost` (ends it
/// without one on connections that were used before), `/silent`, `/slow?MILLISECONDS`, `/drip` (a head and nothing after it), `/large?BYTES`,
/// `/early` (100 before the answer), `/echo` (the body).
final class ScriptedServer: Sendable {
    private let channel: any Channel
    private let scheme: String
    let counts: Counts

    final class Counts: Sendable {
        private let state = Mutex((connections: 0, open: 0, mostOpen: 0, requests: 0))

        var connections: Int { state.withLock { $0.connections } }
        var mostOpen: Int { state.withLock { $0.mostOpen } }
        var requests: Int { state.withLock { $0.requests } }

        func opened() {
            state.withLock {
                $0.connections += 1
                $0.open += 1
                $0.mostOpen = max($0.mostOpen, $0.open)
            }
        }
        func closed() { state.withLock { $0.open -= 1 } }
        func asked() { state.withLock { $0.requests += 1 } }
    }

    var url: String { "\(scheme)://127.0.0.1:\(channel.localAddress?.port ?? 0)" }

    private init(channel: any Channel, scheme: String, counts: Counts) {
        self.channel = channel
        self.scheme = scheme
        self.counts = counts
    }

    /// - Parameter tls: nil for a server that speaks http.
    static func with<Value>(
        tls: NIOSSLContext? = nil, _ body: (ScriptedServer) async throws -> Value
    ) async throws -> Value {
        let counts = Counts()
        let channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    if let tls { try channel.pipeline.syncOperations.addHandler(NIOSSLServerHandler(context: tls)) }
                    try channel.pipeline.syncOperations.configureHTTPServerPipeline(withErrorHandling: false)
                    try channel.pipeline.syncOperations.addHandler(Script(counts))
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        let server = ScriptedServer(channel: channel, scheme: tls == nil ? "http" : "https", counts: counts)
        do {
            let value = try await body(server)
            try await channel.close()
            return value
        } catch {
            try? await channel.close()
            throw error
        }
    }
}

private final class Script: ChannelInboundHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundOut = HTTPServerResponsePart

    private let counts: ScriptedServer.Counts
    private var head: HTTPRequestHead?
    private var body = ByteBuffer()
    private var answered = 0

    init(_ counts: ScriptedServer.Counts) { self.counts = counts }

    func channelActive(context: ChannelHandlerContext) { counts.opened() }
    func channelInactive(context: ChannelHandlerContext) { counts.closed() }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head):
            self.head = head
            body.clear()
        case .body(var part): body.writeBuffer(&part)
        case .end:
            guard let head else { return }
            counts.asked()
            answer(head, context)
        }
    }

    private func answer(_ request: HTTPRequestHead, _ context: ChannelHandlerContext) {
        let parts = request.uri.split(separator: "?", maxSplits: 1)
        switch parts.first ?? "" {
        case "/silent": return
        case "/slow":
            let pause = TimeAmount.milliseconds(Int64(parts.last ?? "") ?? 0)
            let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
            context.eventLoop.scheduleTask(in: pause) {
                let (script, context) = bound.value
                script.send(.ok, ["content-length": "2"], ByteBuffer(string: "ok"), context)
            }
        case "/lost" where answered > 0: return context.close(promise: nil)
        case "/drip":
            send(.ok, ["content-length": "10"], nil, context, ends: false)
        case "/large":
            let count = Int(parts.last ?? "") ?? 0
            send(.ok, ["content-length": String(count)], ByteBuffer(repeating: 0x78, count: count), context)
        case "/early":
            context.write(wrapOutboundOut(.head(HTTPResponseHead(version: .http1_1, status: .continue))), promise: nil)
            send(.ok, ["content-length": "2"], ByteBuffer(string: "ok"), context)
        case "/echo":
            send(.ok, ["content-length": String(body.readableBytes)], body, context)
        case "/close":
            send(.ok, ["content-length": "2", "connection": "close"], ByteBuffer(string: "ok"), context)
            context.close(promise: nil)
        default:
            send(.ok, ["content-length": "2"], request.method == .HEAD ? nil : ByteBuffer(string: "ok"), context)
        }
        answered += 1
    }

    private func send(
        _ status: HTTPResponseStatus, _ headers: [(String, String)], _ body: ByteBuffer?,
        _ context: ChannelHandlerContext,
        ends: Bool = true
    ) {
        let head = HTTPResponseHead(version: .http1_1, status: status, headers: HTTPHeaders(headers))
        context.write(wrapOutboundOut(.head(head)), promise: nil)
        if let body { context.write(wrapOutboundOut(.body(.byteBuffer(body))), promise: nil) }
        if ends { context.write(wrapOutboundOut(.end(nil)), promise: nil) }
        context.flush()
    }

    private func send(
        _ status: HTTPResponseStatus, _ headers: KeyValuePairs<String, String>, _ body: ByteBuffer?,
        _ context: ChannelHandlerContext, ends: Bool = true
    ) {
        send(status, headers.map { ($0.key, $0.value) }, body, context, ends: ends)
    }
}
