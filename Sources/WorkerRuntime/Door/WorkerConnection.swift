import NIOCore
import NIOHTTP1

/// One connection to a worker: requests come one after the other, and of each the head alone is read until it is known
/// what may follow.
///
/// Every state has its time: to say who one is, to bring a body, to take an answer, to be silent. What is over it is
/// closed.
final class WorkerConnection: ChannelInboundHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundOut = HTTPServerResponsePart

    private enum State {
        /// For a request's head.
        case waiting
        /// The head is looked at; what came with it in the same packet waits.
        case deciding(ByteBuffer, hasEnded: Bool)
        case receiving(WorkerServer.Expected, ByteBuffer)
        /// The answer is being made or sent.
        case answering(hasEnded: Bool)
        /// Refused before its body had come: what still comes is thrown away.
        case lingering
        case closed
    }

    /// What one read may bring beyond the head.
    private static let readAhead = 256 * 1_024

    private let server: WorkerServer
    private let door: Door
    private let number: UInt64
    private var state = State.waiting
    private var timer: Scheduled<Void>?
    private var keepsAlive = true

    init(server: WorkerServer, door: Door) {
        self.server = server
        self.door = door
        number = door.nextNumber()
    }

    func channelActive(context: ChannelHandlerContext) {
        door.arrive(number, channel: context.channel)
        close(context, afterMs: server.introductionMs)
        context.fireChannelActive()
    }

    func channelInactive(context: ChannelHandlerContext) {
        finish()
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }

    /// Gives back what the connection holds.
    private func finish() {
        timer?.cancel()
        if case .receiving(let expected, _) = state { server.giveUp(expected) }
        state = .closed
        door.leave(number)
    }

    private func close(_ context: ChannelHandlerContext, afterMs milliseconds: Int64) {
        timer?.cancel()
        timer = context.eventLoop.assumeIsolated().scheduleTask(in: .milliseconds(milliseconds)) {
            context.close(promise: nil)
        }
    }

    // MARK: Reading

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch (unwrapInboundIn(data), state) {
        case (.head(let head), .waiting): decide(on: head, context)
        case (.body(let bytes), .deciding(var early, let hasEnded)):
            guard early.readableBytes + bytes.readableBytes <= Self.readAhead else { return context.close(promise: nil) }
            early.writeImmutableBuffer(bytes)
            state = .deciding(early, hasEnded: hasEnded)
        case (.end, .deciding(let early, _)): state = .deciding(early, hasEnded: true)
        case (.body(let bytes), .receiving(let expected, var body)):
            guard body.readableBytes + bytes.readableBytes <= expected.head.ciphertextLength else {
                server.giveUp(expected)
                return answer(.init(.badRequest), hasEnded: false, context)
            }
            // Not two owners of the bytes while they grow.
            state = .waiting
            body.writeImmutableBuffer(bytes)
            state = .receiving(expected, body)
        case (.end, .receiving(let expected, let body)): take(expected, body, context)
        case (.end, .answering): state = .answering(hasEnded: true)
        case (.end, .lingering): context.close(promise: nil)
        case (.body, .lingering), (.body, .answering), (_, .closed): break
        default: context.close(promise: nil)
        }
    }

    private func decide(on head: HTTPRequestHead, _ context: ChannelHandlerContext) {
        keepsAlive = head.isKeepAlive
        state = .deciding(context.channel.allocator.buffer(capacity: 0), hasEnded: false)
        setReading(false, context)
        let promise = context.eventLoop.makePromise(of: WorkerServer.Decision.self)
        promise.completeWithTask { [server, door] in await server.decide(head, door: door) }
        promise.futureResult.assumeIsolated().whenSuccess { self.decided($0, context) }
    }

    private func decided(_ decision: WorkerServer.Decision, _ context: ChannelHandlerContext) {
        guard case .deciding(let early, let hasEnded) = state else {
            if case .receive(let expected) = decision.next { server.giveUp(expected) }
            return
        }
        if let member = decision.member { door.recognise(number, as: member) }
        setReading(true, context)
        switch decision.next {
        case .respond(let response): answer(response, hasEnded: hasEnded, context)
        case .receive(let expected):
            state = .receiving(expected, context.channel.allocator.buffer(capacity: 0))
            let length = Int64(expected.head.ciphertextLength)
            close(context, afterMs: WorkerLimits.transferMs + length / WorkerLimits.slowestBytesPerMs)
            if early.readableBytes > 0 { channelRead(context: context, data: NIOAny(HTTPServerRequestPart.body(early))) }
            if hasEnded { channelRead(context: context, data: NIOAny(HTTPServerRequestPart.end(nil))) }
        }
    }

    private func take(_ expected: WorkerServer.Expected, _ body: ByteBuffer, _ context: ChannelHandlerContext) {
        state = .answering(hasEnded: true)
        let promise = context.eventLoop.makePromise(of: WorkerServer.Response.self)
        promise.completeWithTask { [server] in await server.take(expected, body: body) }
        promise.futureResult.assumeIsolated().whenSuccess { self.answer($0, hasEnded: true, context) }
    }

    private func setReading(_ isReading: Bool, _ context: ChannelHandlerContext) {
        context.channel.setOption(.autoRead, value: isReading).whenFailure { _ in }
    }

    // MARK: Answering

    private func answer(_ response: WorkerServer.Response, hasEnded: Bool, _ context: ChannelHandlerContext) {
        if case .closed = state { return }
        // A stranger has had its say; a body that is not wanted is not read to its end.
        let stays = keepsAlive && hasEnded && !door.isStranger(number)
        var headers = HTTPHeaders([("server", "edgeproof-worker"), ("content-length", "\(response.body.count)")])
        if !response.body.isEmpty { headers.add(name: "content-type", value: "application/octet-stream") }
        headers.add(name: "connection", value: stays ? "keep-alive" : "close")
        state = .answering(hasEnded: hasEnded)
        close(context, afterMs: WorkerLimits.transferMs + Int64(response.body.count) / WorkerLimits.slowestBytesPerMs)
        context.write(
            wrapOutboundOut(.head(HTTPResponseHead(version: .http1_1, status: response.status, headers: headers))),
            promise: nil)
        if !response.body.isEmpty {
            context.write(
                wrapOutboundOut(.body(.byteBuffer(context.channel.allocator.buffer(bytes: response.body)))), promise: nil)
        }
        let written = context.eventLoop.makePromise(of: Void.self)
        context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: written)
        written.futureResult.assumeIsolated().whenComplete { result in
            guard case .success = result, case .answering(let hasEnded) = self.state else { return }
            if stays {
                self.state = .waiting
                self.close(context, afterMs: WorkerLimits.idleMs)
            } else if hasEnded {
                context.close(promise: nil)
            } else {
                self.state = .lingering
                self.close(context, afterMs: WorkerLimits.lingerMs)
            }
        }
    }
}
