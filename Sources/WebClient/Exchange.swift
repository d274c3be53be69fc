import NIOCore
import NIOHTTP1
import Synchronization

/// A request was lost with a connection that had been used before, and nothing of an answer had come.
struct LostBeforeAnswer: Error {
    let cause: any Error
}

/// One connection to a host; at most one exchange at a time.
final class Connection: Sendable {
    private struct State {
        var channel: (any Channel)?
        var exchange: Exchange?
        var uses = 0
        var keptSince: UInt64 = 0
        var failure: (any Error)?
    }

    private let state = Mutex(State())

    func open(_ channel: any Channel) { state.withLock { $0.channel = channel } }

    var channel: (any Channel)? { state.withLock { $0.channel } }
    var isOpen: Bool { channel?.isActive ?? false }

    func close() { channel?.close(promise: nil) }

    /// What went wrong first. A handshake may fail before there is an exchange that could be told.
    func note(_ error: any Error) { state.withLock { $0.failure = $0.failure ?? error } }

    /// Why it ended.
    var loss: any Error { state.withLock { $0.failure } ?? HTTPClientError.remoteConnectionClosed }

    /// Whether it was used before.
    func begin(_ exchange: Exchange) -> Bool {
        state.withLock { state in
            state.exchange = exchange
            state.uses += 1
            return state.uses > 1
        }
    }

    func end(_ exchange: Exchange) {
        state.withLock { state in
            guard state.exchange === exchange else { return }
            state.exchange = nil
            state.keptSince += 1
        }
    }

    var exchange: Exchange? { state.withLock { $0.exchange } }

    /// Unless it was used in between.
    func after(_ time: TimeAmount, _ action: @escaping @Sendable () -> Void) {
        let (channel, since) = state.withLock { ($0.channel, $0.keptSince) }
        channel?.eventLoop.scheduleTask(in: time) { [weak self] in
            guard let self, self.state.withLock({ $0.keptSince == since && $0.exchange == nil }) else { return }
            action()
        }
    }
}

/// Hands what a connection says to the exchange that runs on it.
final class AnswerHandler: ChannelInboundHandler {
    typealias InboundIn = HTTPClientResponsePart
    typealias OutboundOut = HTTPClientRequestPart

    private let connection: Connection

    init(_ connection: Connection) { self.connection = connection }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        // What nobody asked for has no place: the two sides no longer agree on what is an answer to what.
        guard let exchange = connection.exchange else { return context.close(promise: nil) }
        exchange.receive(unwrapInboundIn(data))
    }

    func channelInactive(context: ChannelHandlerContext) {
        connection.exchange?.fail(connection.loss)
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        connection.note(error)
        connection.exchange?.fail(error)
        context.close(promise: nil)
    }
}

/// One request and its answer.
final class Exchange: Sendable {
    /// Bytes that wait for their reader before no more are read from the socket.
    private static let highWater = 262_144

    private struct State {
        var head: HTTPResponseHead?
        var headWaiter: CheckedContinuation<HTTPResponseHead, any Error>?
        var parts: [ByteBuffer] = []
        var waiting = 0
        var partWaiter: CheckedContinuation<ByteBuffer?, any Error>?
        var isComplete = false
        var failure: (any Error)?
        var isHeldBack = false
        var isOver = false
        /// When it began, last heard something, or was ready to hear more.
        var heard = NIODeadline.now()
        var deadline: Scheduled<Void>?
        var watch: Scheduled<Void>?
    }

    private let connection: Connection
    private let deadline: NIODeadline?
    /// Longest silence; nil for any.
    private let readTimeout: TimeAmount?
    /// Called once, with whether the connection can be used again.
    private let finish: @Sendable (Bool) -> Void
    private let state = Mutex(State())

    init(
        connection: Connection, deadline: NIODeadline?, readTimeout: TimeAmount?,
        finish: @escaping @Sendable (Bool) -> Void
    ) {
        self.connection = connection
        self.deadline = deadline
        self.readTimeout = readTimeout
        self.finish = finish
    }

    func run(_ head: HTTPRequestHead, _ body: ByteBuffer?) async throws -> HTTPClientResponse {
        let wasUsed = connection.begin(self)
        if let channel = connection.channel, channel.isActive {
            if let deadline {
                let task = channel.eventLoop.scheduleTask(deadline: deadline) { [weak self] () -> Void in
                    self?.fail(HTTPClientError.deadlineExceeded)
                }
                let isOver = state.withLock { state in
                    state.deadline = task
                    return state.isOver
                }
                if isOver { task.cancel() }
            }
            if let readTimeout { watch(channel.eventLoop, readTimeout) }
            channel.write(HTTPClientRequestPart.head(head), promise: nil)
            if let body { channel.write(HTTPClientRequestPart.body(.byteBuffer(body)), promise: nil) }
            channel.writeAndFlush(HTTPClientRequestPart.end(nil), promise: nil)
            // It may have ended before it knew of this exchange.
            if !channel.isActive { fail(connection.loss) }
        } else {
            fail(connection.loss)
        }
        do {
            let answer = try await answerHead()
            return HTTPClientResponse(
                status: answer.status, headers: answer.headers, body: .init(source: BodySource(self)))
        } catch {
            let isLost =
                wasUsed && !(error is CancellationError) && (error as? HTTPClientError) != .deadlineExceeded
                && (error as? HTTPClientError) != .readTimeout
            throw isLost ? LostBeforeAnswer(cause: error) : error
        }
    }

    private func answerHead() async throws -> HTTPResponseHead {
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                let outcome: Result<HTTPResponseHead, any Error>? = state.withLock { state in
                    if let failure = state.failure { return .failure(failure) }
                    if let head = state.head { return .success(head) }
                    state.headWaiter = continuation
                    return nil
                }
                if let outcome { continuation.resume(with: outcome) }
            }
        } onCancel: {
            fail(CancellationError())
        }
    }

    /// The next part of the body; nil at its end.
    func next() async throws -> ByteBuffer? {
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                var release = false
                let outcome: Result<ByteBuffer?, any Error>? = state.withLock { state in
                    if !state.parts.isEmpty {
                        let part = state.parts.removeFirst()
                        state.waiting -= part.readableBytes
                        if state.isHeldBack, state.waiting < Self.highWater / 2 {
                            state.isHeldBack = false
                            state.heard = .now()
                            release = true
                        }
                        return .success(part)
                    }
                    if let failure = state.failure { return .failure(failure) }
                    if state.isComplete { return .success(nil) }
                    state.partWaiter = continuation
                    return nil
                }
                if release { connection.channel?.setOption(.autoRead, value: true).whenComplete { _ in } }
                if let outcome { continuation.resume(with: outcome) }
            }
        } onCancel: {
            fail(CancellationError())
        }
    }

    /// Ends it once nothing came for the time given. The time a connection was kept before does not count, nor that in
    /// which its reader takes no more.
    private func watch(_ eventLoop: any EventLoop, _ limit: TimeAmount) {
        let (heard, isOver) = state.withLock { state in
            if state.isHeldBack { state.heard = .now() }
            return (state.heard, state.isOver)
        }
        guard !isOver else { return }
        guard heard + limit > .now() else { return fail(HTTPClientError.readTimeout) }
        let task = eventLoop.scheduleTask(deadline: heard + limit) { [weak self] () -> Void in
            self?.watch(eventLoop, limit)
        }
        let ended = state.withLock { state in
            state.watch = task
            return state.isOver
        }
        if ended { task.cancel() }
    }

    // MARK: What the connection says, on its event loop

    func receive(_ part: HTTPClientResponsePart) {
        state.withLock { $0.heard = .now() }
        switch part {
        case .head(let head):
            // 100 and the like come before the answer.
            guard head.status.code >= 200 || head.status.code == 101 else { return }
            let waiter = state.withLock { state in
                state.head = head
                defer { state.headWaiter = nil }
                return state.headWaiter
            }
            waiter?.resume(returning: head)
        case .body(let bytes):
            var hold = false
            let waiter = state.withLock { state -> CheckedContinuation<ByteBuffer?, any Error>? in
                if let waiter = state.partWaiter {
                    state.partWaiter = nil
                    return waiter
                }
                state.parts.append(bytes)
                state.waiting += bytes.readableBytes
                if state.waiting > Self.highWater, !state.isHeldBack {
                    state.isHeldBack = true
                    hold = true
                }
                return nil
            }
            if hold { connection.channel?.setOption(.autoRead, value: false).whenComplete { _ in } }
            waiter?.resume(returning: bytes)
        case .end:
            // Kept before its reader hears of the end: the next request is to find it.
            over(isReusable: state.withLock { $0.head }?.isKeepAlive ?? false)
            let waiter = state.withLock { state in
                state.isComplete = true
                defer { state.partWaiter = nil }
                return state.partWaiter
            }
            waiter?.resume(returning: nil)
        }
    }

    /// Ends it, unless it is complete; the connection goes with it.
    func fail(_ error: any Error) {
        typealias Waiters = (
            head: CheckedContinuation<HTTPResponseHead, any Error>?, part: CheckedContinuation<ByteBuffer?, any Error>?
        )
        let waiters = state.withLock { state -> Waiters? in
            guard !state.isComplete, state.failure == nil else { return nil }
            state.failure = error
            defer { (state.headWaiter, state.partWaiter) = (nil, nil) }
            return (state.headWaiter, state.partWaiter)
        }
        guard let waiters else { return }
        over(isReusable: false)
        waiters.head?.resume(throwing: error)
        waiters.part?.resume(throwing: error)
    }

    /// Nobody reads the rest.
    func abandon() { fail(CancellationError()) }

    private func over(isReusable: Bool) {
        let (isFirst, timers) = state.withLock { state in
            defer { state.isOver = true }
            return (!state.isOver, [state.deadline, state.watch])
        }
        guard isFirst else { return }
        for timer in timers { timer?.cancel() }
        connection.end(self)
        // Held back, it would hear nothing of the other side's end.
        if isReusable { connection.channel?.setOption(.autoRead, value: true).whenComplete { _ in } }
        finish(isReusable)
    }
}
