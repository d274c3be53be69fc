import NIOCore

/// Stands between the socket and TLS and holds back reads while any reason to pause holds.
final class ReadGate: ChannelOutboundHandler {
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    struct Reason: OptionSet {
        let rawValue: UInt8
        /// The peer sent more than its rate.
        static let rate = Reason(rawValue: 1)
        /// The consumer has not taken the peer's messages.
        static let consumer = Reason(rawValue: 2)
    }

    private var reasons: Reason = []
    private var isReadHeld = false
    private var context: ChannelHandlerContext?

    var isClosed: Bool { !reasons.isEmpty }

    func handlerAdded(context: ChannelHandlerContext) { self.context = context }
    func handlerRemoved(context: ChannelHandlerContext) { self.context = nil }

    func read(context: ChannelHandlerContext) {
        if isClosed {
            isReadHeld = true
        } else {
            context.read()
        }
    }

    func close(_ reason: Reason) { reasons.insert(reason) }

    func open(_ reason: Reason) {
        reasons.remove(reason)
        guard !isClosed, isReadHeld else { return }
        isReadHeld = false
        context?.read()
    }
}
