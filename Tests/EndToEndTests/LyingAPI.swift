import APIModel
import Cryptography
import Foundation
import JobProtocol
import NIOCore
import NIOHTTP1
import NIOPosix
import Primitives
import Synchronization
import WebClient

/// A node that lies: a door before a genuine one, which names another KEM key for every participant of a job, in what the
/// contract answers and in the proofs of the state alike. Whoever believed it would seal for a spy.
final class LyingAPI: Sendable {
    let url: String
    private let target: String
    private let channel: any Channel
    private let spy: [UInt8]
    private let state = Mutex((keys: Set<[UInt8]>(), lies: 0))

    private init(channel: any Channel, port: Int, target: String, spy: KEMPublicKey, keys: Keys) {
        self.channel = channel
        self.target = target
        self.spy = spy.bytes
        url = "http://127.0.0.1:\(port)"
        keys.liar.withLock { $0 = self }
    }

    /// How many answers were changed.
    var lies: Int { state.withLock { $0.lies } }

    /// The connections know the liar once it listens.
    private final class Keys: Sendable {
        let liar = Mutex<LyingAPI?>(nil)
    }

    static func start(before target: String, key spy: KEMPublicKey) async throws -> LyingAPI {
        let keys = Keys()
        let channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.configureHTTPServerPipeline()
                    try channel.pipeline.syncOperations.addHandler(Handler { keys.liar.withLock { $0 } })
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        return LyingAPI(
            channel: channel, port: channel.localAddress?.port ?? 0, target: target, spy: spy, keys: keys)
    }

    func stop() async { try? await channel.close() }

    /// Passes a request on, and what is answered back with the spy's key in it.
    fileprivate func answer(_ head: HTTPRequestHead, _ body: ByteBuffer, to channel: any Channel) async {
        do {
            var request = HTTPClientRequest(url: target + head.uri)
            request.method = head.method
            request.headers = head.headers
            request.headers.remove(name: "host")
            request.headers.remove(name: "content-length")
            request.headers.remove(name: "transfer-encoding")
            if body.readableBytes > 0 { request.body = .bytes(body) }
            let response = try await HTTPClient.shared.execute(request)
            var headers = response.headers
            headers.remove(name: "content-length")
            headers.remove(name: "transfer-encoding")
            let isEvents = head.uri.hasPrefix("/v1/events")
            let start = HTTPResponseHead(version: .http1_1, status: response.status, headers: headers)
            try await channel.writeAndFlush(HTTPServerResponsePart.head(start))
            if isEvents {
                for try await chunk in response.body {
                    try await channel.writeAndFlush(HTTPServerResponsePart.body(.byteBuffer(chunk)))
                }
            } else {
                let whole = try await response.body.collect(upTo: 1 << 26)
                let changed = ByteBuffer(bytes: change(Array(whole.readableBytesView), of: head, asked: body))
                try await channel.writeAndFlush(HTTPServerResponsePart.body(.byteBuffer(changed)))
            }
            try await channel.writeAndFlush(HTTPServerResponsePart.end(nil))
        } catch { try? await channel.close() }
    }

    private func change(_ answer: [UInt8], of head: HTTPRequestHead, asked: ByteBuffer) -> [UInt8] {
        if head.uri == "/v1/proofs" { return lied(answer) }
        guard head.uri.hasSuffix("/query"), Array(asked.readableBytesView) == JobQuery.participants.input,
            var document = try? JSONDecoder().decode(QueryResultDocument.self, from: Data(answer)),
            let participants = try? JobParticipants(borsh: document.data)
        else { return answer }
        state.withLock { $0.keys.formUnion(participants.all.map(\.kemPublicKey.bytes).filter { $0.contains { $0 != 0 } }) }
        document.data = lied(document.data)
        return (try? JSONEncoder().encode(document)).map { Array($0) } ?? answer
    }

    /// The spy's key in the place of every key that is known.
    private func lied(_ bytes: [UInt8]) -> [UInt8] {
        let keys = state.withLock { $0.keys }
        var (bytes, place, isChanged) = (bytes, 0, false)
        while place + 32 <= bytes.count {
            if keys.contains(Array(bytes[place..<place + 32])) {
                bytes.replaceSubrange(place..<place + 32, with: spy)
                isChanged = true
                place += 32
            } else {
                place += 1
            }
        }
        if isChanged { state.withLock { $0.lies += 1 } }
        return bytes
    }

    /// Collects a request.
    private final class Handler: ChannelInboundHandler {
        typealias InboundIn = HTTPServerRequestPart

        private let liar: @Sendable () -> LyingAPI?
        private var head: HTTPRequestHead?
        private var body = ByteBuffer()

        init(_ liar: @escaping @Sendable () -> LyingAPI?) { self.liar = liar }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            switch unwrapInboundIn(data) {
            case .head(let head):
                self.head = head
                body.clear()
            case .body(var part): body.writeBuffer(&part)
            case .end:
                guard let head, let liar = liar() else { return context.close(promise: nil) }
                let (body, channel) = (body, context.channel)
                Task { await liar.answer(head, body, to: channel) }
            }
        }

        func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
    }
}
