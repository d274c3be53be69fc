import APIModel
import Hummingbird
import HummingbirdCore
import NIOCore
import NIOHTTP1
import NIOHTTPTypes
import ProgramSupport
import Synchronization

/// Which connections came when all places were taken, or all that one address may have: those get an answer that says
/// so, and the few requests by which an operator sees what is going on.
final class Connections: Sendable {
    /// Beyond the limit so many more are taken on, to be told so; further ones wait in the system's queue.
    static let reserve = 64
    /// Of these, those whose address has too many have so many, whoever they are; further ones are closed at once, or
    /// one address's could fill that queue.
    static let reserveForAddresses = 16
    /// How long one of these may last.
    static let surplusSeconds: Int64 = 5

    /// The answer to nearly everything on a connection that is one too many.
    struct Refusal: Sendable {
        let head: HTTPResponse
        let body: ByteBuffer

        fileprivate init(_ error: APIError) {
            body = ByteBuffer(bytes: JSONAnswer.data(error.document))
            head = HTTPResponse(
                status: error.status,
                headerFields: [
                    .contentType: "application/json", .contentLength: String(body.readableBytes), .connection: "close",
                    .retryAfter: "2",
                ])
        }
    }

    private struct State {
        /// All but those whose address has too many.
        var counted: Set<ObjectIdentifier> = []
        /// Those that are one too many, and whether it is their address that has too many.
        var surplus: [ObjectIdentifier: Bool] = [:]
        var ofAddresses = 0
    }

    private let limit: Int
    private let shares: AddressShares
    private let state = Mutex(State())
    private let full: Refusal
    private let addressFull: Refusal

    init(limit: Int, shares: AddressShares) {
        self.limit = limit
        self.shares = shares
        full = Refusal(
            APIError(
                .serviceUnavailable, "busy",
                "the node has as many connections as it takes; /health and /metrics answer, for the rest ask another node or try again",
                retryAfterMs: 2_000))
        addressFull = Refusal(.addressLimit("connections", shares.limit, retryAfterMs: 2_000))
    }

    /// In the order in which connections come.
    func opened(_ channel: any Channel) {
        let id = ObjectIdentifier(channel)
        let isSurplus = state.withLock { state in
            state.counted.insert(id)
            guard state.counted.count > limit else { return false }
            state.surplus[id] = false
            return true
        }
        if isSurplus { closeLater(channel) }
        channel.closeFuture.whenComplete { _ in
            self.state.withLock { state in
                state.counted.remove(id)
                if state.surplus.removeValue(forKey: id) == true { state.ofAddresses -= 1 }
            }
        }
    }

    /// Once it is known whose a connection is, before anything of it is answered.
    func identified(_ channel: any Channel) {
        let id = ObjectIdentifier(channel)
        guard state.withLock({ $0.counted.contains(id) && $0.surplus[id] == nil }) else { return }
        if let share = shares.take(channel.remoteAddress?.ipAddress.flatMap(AddressHolder.init)) {
            return channel.closeFuture.whenComplete { _ in withExtendedLifetime(share) {} }
        }
        let isTold: Bool? = state.withLock { state in
            // It may have ended meanwhile.
            guard state.counted.remove(id) != nil else { return nil }
            guard state.ofAddresses < Self.reserveForAddresses else { return false }
            state.ofAddresses += 1
            state.surplus[id] = true
            return true
        }
        switch isTold {
        case true?: closeLater(channel)
        case false?: channel.close(promise: nil)
        case nil: break
        }
    }

    private func closeLater(_ channel: any Channel) {
        channel.eventLoop.scheduleTask(in: .seconds(Self.surplusSeconds)) { channel.close(promise: nil) }
    }

    /// What a connection that is one too many is told; nil for the others.
    func surplus(_ channel: any Channel) -> Refusal? {
        state.withLock { $0.surplus[ObjectIdentifier(channel)] }.map { $0 ? addressFull : full }
    }

    /// What an operator asks a node that is overrun.
    static func isKept(_ path: String) -> Bool { path == "/health" || path == "/metrics" }
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
