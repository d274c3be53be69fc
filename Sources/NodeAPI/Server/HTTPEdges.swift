import APIModel
import Hummingbird
import HummingbirdCore
import NIOCore
import NIOHTTP1
import NIOHTTPTypes
import Synchronization

/// Which connections came when all places were taken: those get an answer that says so, and the few requests by which
/// an operator sees what is going on.
final class Connections: Sendable {
    /// Beyond the limit so many more are taken on, to be told so; further ones wait in the system's queue.
    static let reserve = 64
    /// How long one of these may last.
    static let surplusSeconds: Int64 = 5

    private let limit: Int
    private let state = Mutex((count: 0, surplus: Set<ObjectIdentifier>()))

    init(limit: Int) { self.limit = limit }

    func opened(_ channel: any Channel) {
        let id = ObjectIdentifier(channel)
        let isSurplus = state.withLock { state in
            state.count += 1
            guard state.count > limit else { return false }
            state.surplus.insert(id)
            return true
        }
        if isSurplus {
            channel.eventLoop.scheduleTask(in: .seconds(Self.surplusSeconds)) { channel.close(promise: nil) }
        }
        channel.closeFuture.whenComplete { _ in
            self.state.withLock { state in
                state.count -= 1
                state.surplus.remove(id)
            }
        }
    }

    func isSurplus(_ channel: any Channel) -> Bool { state.withLock { $0.surplus.contains(ObjectIdentifier(channel)) } }

    /// What an operator asks a node that is overrun.
    static func isKept(_ path: String) -> Bool { path == "/health" || path == "/metrics" }

    /// The answer to everything else on such a connection.
    static let refusal: (head: HTTPResponse, body: ByteBuffer) = {
        let error = APIError(
            .serviceUnavailable, "busy",
            "the node has as many connections as it takes; /health and /metrics answer, for the rest ask another node or try again",
            retryAfterMs: 2_000)
        let body = ByteBuffer(bytes: JSONAnswer.data(error.document))
        let head = HTTPResponse(
            status: .serviceUnavailable,
            headerFields: [
                .contentType: "application/json", .contentLength: String(body.readableBytes), .connection: "close",
                .retryAfter: "2",
            ])
        return (head, body)
    }()
}

/// Requests whose head no parser takes (too long, or no HTTP) are answered as all others: with JSON that says what was
/// wrong. The server below answers them with an empty 400, which this gives a body.
final class UnreadableRequestHandler: ChannelDuplexHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPRequestPart
    typealias InboundOut = HTTPRequestPart
    typealias OutboundIn = HTTPResponsePart
    typealias OutboundOut = HTTPResponsePart

    private var isTooLong = false

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        if let error = error as? HTTPParserError, error == .headerOverflow { isTooLong = true }
        context.fireErrorCaught(error)
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        guard case .head(let head) = unwrapOutboundIn(data), head.status == .badRequest,
            head.headerFields[.contentLength] == "0", head.headerFields[.contentType] == nil
        else { return context.write(data, promise: promise) }
        let error =
            isTooLong
            ? APIError(
                .requestHeaderFieldsTooLarge, "head_too_large",
                "the request's line and headers are over \(HTTP1Limits.fieldBytes) bytes each or \(HTTP1Limits.listBytes) together"
            )
            : APIError(.badRequest, "malformed", "this is not an HTTP/1.1 request")
        let body = ByteBuffer(bytes: JSONAnswer.data(error.document))
        let full = HTTPResponse(
            status: error.status,
            headerFields: [
                .contentType: "application/json", .contentLength: String(body.readableBytes), .connection: "close",
            ])
        context.write(wrapOutboundOut(.head(full)), promise: nil)
        context.write(wrapOutboundOut(.body(body)), promise: promise)
    }
}
