import NIOCore
import NIOPosix

/// One end of a connection through a link: passes on what it reads to the other end, in order, when it is due. Where hosts
/// have lines, each piece passes the sender's, is under way, and passes the receiver's.
final class Relay: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private struct Piece {
        /// When it is through, or where there is a line at the receiver's end, when it comes to that.
        var due: NIODeadline
        let bytes: ByteBuffer
        var isThrough: Bool
    }

    private let link: ProxiedLink
    /// Line of the host at this end, and of the one at the other.
    private let near: AccessLine?
    private let far: AccessLine?
    /// Where to connect to; nil in the end that was made by doing so.
    private let target: SocketAddress?
    private var context: ChannelHandlerContext?
    private var other: Relay?
    private var pieces: [Piece] = []
    /// Bytes read and not yet written to the other end.
    private var underWay = 0
    private var hasEnded = false
    private var isScheduled = false
    private var isPaused = false
    private var awaitsRoom = false

    init(_ link: ProxiedLink, target: SocketAddress?, near: AccessLine?, far: AccessLine?) {
        self.link = link
        self.target = target
        self.near = near
        self.far = far
    }

    func handlerAdded(context: ChannelHandlerContext) { self.context = context }

    func channelActive(context: ChannelHandlerContext) {
        link.opened(context.channel)
        guard let target else { return }
        let end = Relay(link, target: nil, near: far, far: near)
        other = end
        end.other = self
        let bound = NIOLoopBound(end, eventLoop: context.eventLoop)
        let made = (try? SocketAddress(ipAddress: link.address, port: 0)).map { source in
            let bootstrap = ClientBootstrap(group: context.eventLoop).bind(to: source)
                .connectTimeout(.seconds(5))
                .channelOption(.autoRead, value: false)
                .channelOption(.tcpOption(.tcp_nodelay), value: 1)
                .channelInitializer { channel in
                    channel.eventLoop.makeCompletedFuture {
                        try channel.pipeline.syncOperations.addHandler(bound.value)
                    }
                }
            if far != nil {
                _ = bootstrap.channelOption(.socketOption(.so_rcvbuf), value: ProxiedLink.socketBytes)
                    .channelOption(.maxMessagesPerRead, value: 1)
            }
            return bootstrap.connect(to: target)
        }
        guard let made else { return context.close(promise: nil) }
        made.assumeIsolated().whenComplete { result in
            switch result {
            case .success where self.hasEnded: end.context?.close(promise: nil)
            case .success:
                self.startReading()
                end.startReading()
            case .failure: self.context?.close(promise: nil)
            }
        }
    }

    private func startReading() {
        isPaused = false
        context?.channel.setOption(.autoRead, value: true).whenFailure { _ in }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let bytes = unwrapInboundIn(data)
        underWay += bytes.readableBytes
        let now = NIODeadline.now()
        let sent = near?.up.pass(bytes.readableBytes, from: now) ?? now
        let due = max(link.arrival(of: sent), pieces.last?.due ?? now)
        pieces.append(Piece(due: due, bytes: bytes, isThrough: far == nil))
        if underWay > link.window || near?.up.isFull(at: now) == true {
            context.channel.setOption(.autoRead, value: false).whenFailure { _ in }
            isPaused = true
            goOn(context.eventLoop)
        }
        pump(context.eventLoop)
    }

    /// Reads again when there is room, both under way and before the sender's line.
    private func goOn(_ loop: any EventLoop) {
        guard isPaused, underWay <= link.window / 2, !awaitsRoom else { return }
        let now = NIODeadline.now()
        guard let wait = near?.up.untilRoom(at: now) else { return startReading() }
        awaitsRoom = true
        loop.assumeIsolated().scheduleTask(deadline: now + wait) {
            self.awaitsRoom = false
            self.goOn(loop)
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        link.closed(context.channel)
        self.context = nil
        hasEnded = true
        pump(context.eventLoop)
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }

    private func pump(_ loop: any EventLoop) {
        while let next = pieces.first {
            let due = max(next.due, link.stalledUntil)
            guard due <= .now() else { return wake(loop, at: due) }
            if let far, !next.isThrough {
                pieces[0].due = far.down.pass(next.bytes.readableBytes, from: due)
                pieces[0].isThrough = true
                continue
            }
            pieces.removeFirst()
            write(next.bytes)
        }
        guard hasEnded else { return }
        other?.context?.close(promise: nil)
        // Both point at each other.
        other = nil
    }

    private func wake(_ loop: any EventLoop, at due: NIODeadline) {
        guard !isScheduled else { return }
        isScheduled = true
        loop.assumeIsolated().scheduleTask(deadline: due) {
            self.isScheduled = false
            self.pump(loop)
        }
    }

    private func write(_ bytes: ByteBuffer) {
        let count = bytes.readableBytes
        guard let target = other?.context else { return }
        let written = target.channel.writeAndFlush(bytes)
        written.assumeIsolated().whenComplete { _ in
            self.underWay -= count
            if let loop = self.context?.eventLoop { self.goOn(loop) }
        }
    }
}
