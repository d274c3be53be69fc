import NIOCore
import NIOPosix

/// One end of a connection through a link: passes on what it reads to the other end, in order, when it is due.
final class Relay: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let link: ProxiedLink
    /// Where to connect to; nil in the end that was made by doing so.
    private let target: SocketAddress?
    private var context: ChannelHandlerContext?
    private var other: Relay?
    private var pieces: [(due: NIODeadline, bytes: ByteBuffer)] = []
    /// Bytes read and not yet written to the other end.
    private var underWay = 0
    private var hasEnded = false
    private var isScheduled = false

    init(_ link: ProxiedLink, target: SocketAddress?) {
        self.link = link
        self.target = target
    }

    func handlerAdded(context: ChannelHandlerContext) { self.context = context }

    func channelActive(context: ChannelHandlerContext) {
        link.opened(context.channel)
        guard let target else { return }
        let end = Relay(link, target: nil)
        other = end
        end.other = self
        let bound = NIOLoopBound(end, eventLoop: context.eventLoop)
        let made = (try? SocketAddress(ipAddress: link.address, port: 0)).map { source in
            ClientBootstrap(group: context.eventLoop).bind(to: source)
                .connectTimeout(.seconds(5))
                .channelOption(.autoRead, value: false)
                .channelOption(.tcpOption(.tcp_nodelay), value: 1)
                .channelInitializer { channel in
                    channel.eventLoop.makeCompletedFuture {
                        try channel.pipeline.syncOperations.addHandler(bound.value)
                    }
                }
                .connect(to: target)
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
        context?.channel.setOption(.autoRead, value: true).whenFailure { _ in }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let bytes = unwrapInboundIn(data)
        underWay += bytes.readableBytes
        if underWay > ProxiedLink.window { context.channel.setOption(.autoRead, value: false).whenFailure { _ in } }
        pieces.append((max(link.arrival(), pieces.last?.due ?? .now()), bytes))
        pump(context.eventLoop)
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
            if self.underWay <= ProxiedLink.window / 2 { self.startReading() }
        }
    }
}
