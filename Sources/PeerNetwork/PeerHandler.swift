import Cryptography
import Encoding
import NIOCore
import NIOSSL
import Primitives

/// One connection: Hello, Welcome, then messages, keepalive, rate and goodbye. Runs on the connection's event loop.
final class PeerHandler: ChannelDuplexHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private enum Phase {
        /// Hello was sent; the peer's has not come.
        case greeting
        /// The peer's Hello was accepted; whether it accepts ours is not known.
        case welcoming(PeerIdentity)
        case established(PeerIdentity)
        case closing
    }

    private let hub: PeerHub
    private let link: PeerLink
    private let peerKey: TLSKeyBox
    private let gate: ReadGate
    private var phase = Phase.greeting
    private var reader = FrameReader(limit: FrameLimit.handshake)
    private var bucketOfBytes: TokenBucket
    private var bucketOfMessages: TokenBucket
    private var addressAnswers: TokenBucket
    /// A request for addresses is out.
    private var awaitsAddresses = false
    private var lastHeard = NIODeadline.now()
    private var timer: NIOScheduledTimer?
    private var rateTimer: NIOScheduledTimer?

    init(hub: PeerHub, link: PeerLink, peerKey: TLSKeyBox, gate: ReadGate) {
        self.hub = hub
        self.link = link
        self.peerKey = peerKey
        self.gate = gate
        let (limits, now) = (hub.limits, PeerHub.now)
        bucketOfBytes = TokenBucket(rate: limits.bytesPerSecond, burst: limits.byteBurst, now: now)
        bucketOfMessages = TokenBucket(rate: limits.messagesPerSecond, burst: limits.messageBurst, now: now)
        addressAnswers = TokenBucket(
            everyMilliseconds: limits.addressAnswerMilliseconds, burst: limits.addressAnswerBurst, now: now)
    }

    // MARK: Channel events

    func channelActive(context: ChannelHandlerContext) {
        if let problem = hub.open(link) {
            finish(problem)
            context.close(promise: nil)
        } else if let hello = hub.hello {
            timer = NIOScheduledTimer(on: context.eventLoop, after: .milliseconds(hub.limits.handshakeMilliseconds)) {
                self.disconnect(.handshakeTimeout, context: context)
            }
            // TLS holds it back until its handshake is over, on this side as well as on the other.
            send(Frame(kind: FrameKind.hello, payload: hello.borsh), context: context)
        } else {
            disconnect(.shutdown, context: context)
        }
        context.fireChannelActive()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let bytes = unwrapInboundIn(data)
        reader.append(bytes)
        if case .closing = phase { return awaitGoodbye(context: context) }
        lastHeard = .now()
        hub.count { $0.bytesReceived += UInt64(bytes.readableBytes) }
        limitRate(&bucketOfBytes, bytes.readableBytes, context: context)
        do throws(FrameReader.Failure) {
            while let frame = try reader.next() {
                limitRate(&bucketOfMessages, 1, context: context)
                receive(frame, context: context)
                if case .closing = phase { return awaitGoodbye(context: context) }
            }
        } catch {
            disconnect(error.reason, context: context)
        }
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        drain(context: context)
        context.fireChannelWritabilityChanged()
    }

    func triggerUserOutboundEvent(context: ChannelHandlerContext, event: Any, promise: EventLoopPromise<Void>?) {
        guard let command = event as? PeerCommand else {
            return context.triggerUserOutboundEvent(event, promise: promise)
        }
        switch command {
        case .drain: drain(context: context)
        case .disconnect(let reason): disconnect(reason, context: context)
        case .resume: gate.open(.consumer)
        case .askForAddresses: askForAddresses(context: context)
        }
        promise?.succeed(())
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        switch error {
        case NIOSSLError.handshakeFailed(let detail): finish(.noTLS("\(detail)"))
        case NIOSSLError.uncleanShutdown: finish(.connectionLost("it broke off"))
        case is NIOSSLError, is BoringSSLError: finish(.noTLS("\(error)"))
        default: finish(.connectionLost("\(error)"))
        }
        context.close(promise: nil)
    }

    func channelInactive(context: ChannelHandlerContext) {
        timer?.cancel()
        finish(.connectionLost("the peer closed it"))
        if let ending = link.ending { hub.ended(link, ending) }
        context.fireChannelInactive()
    }

    // MARK: Frames

    private func receive(_ frame: Frame, context: ChannelHandlerContext) {
        if frame.kind == FrameKind.goodbye { return end(frame, context: context) }
        switch phase {
        case .closing: break
        case .greeting:
            guard frame.kind == FrameKind.hello, let tlsKey = peerKey.key else {
                return disconnect(.malformed("frame kind \(frame.kind) before Hello"), context: context)
            }
            switch Hello.decode(frame.payload).flatMap({ hub.check($0, tlsKey: tlsKey, link: link) }) {
            case .failure(let reason): disconnect(reason, context: context)
            case .success(let identity):
                phase = .welcoming(identity)
                send(Frame(kind: FrameKind.welcome, payload: []), context: context)
            }
        case .welcoming(let identity):
            guard frame.kind == FrameKind.welcome, frame.payload.isEmpty else {
                return disconnect(.malformed("frame kind \(frame.kind) before Welcome"), context: context)
            }
            establish(identity, context: context)
        case .established(let identity):
            switch frame.kind {
            case FrameKind.firstApplication...:
                if hub.received(frame, from: identity, link) { pause(.consumer) }
            case FrameKind.ping where frame.payload.count == 8:
                // A peer that does not read its answers gets none; the bytes on their way show that this node lives.
                if context.channel.isWritable {
                    send(Frame(kind: FrameKind.pong, payload: frame.payload), context: context)
                }
            case FrameKind.pong where frame.payload.count == 8: break
            case FrameKind.wantAddresses where frame.payload.isEmpty: answer(identity, context: context)
            case FrameKind.addresses: learn(frame, from: identity, context: context)
            default: disconnect(.malformed("frame kind \(frame.kind)"), context: context)
            }
        }
    }

    private func establish(_ identity: PeerIdentity, context: ChannelHandlerContext) {
        if let reason = hub.establish(link, identity) { return disconnect(reason, context: context) }
        phase = .established(identity)
        reader.limit = FrameLimit.established
        timer?.cancel()
        keepAlive(context: context)
        hub.logger.info("peer \(identity.id) at \(identity.remoteAddress), \(identity.agent)")
        if hub.asksFresh(identity) { askForAddresses(context: context) }
    }

    // MARK: Addresses

    private func askForAddresses(context: ChannelHandlerContext) {
        guard case .established = phase, context.channel.isWritable else { return }
        awaitsAddresses = true
        send(Frame(kind: FrameKind.wantAddresses, payload: []), context: context)
    }

    private func answer(_ identity: PeerIdentity, context: ChannelHandlerContext) {
        guard addressAnswers.takeIfThere(now: PeerHub.now) else {
            return hub.offend(.excessiveRequests, by: identity.offender)
        }
        guard context.channel.isWritable, let answer = hub.addressAnswer() else { return }
        send(Frame(kind: FrameKind.addresses, payload: answer.borsh), context: context)
    }

    private func learn(_ frame: Frame, from identity: PeerIdentity, context: ChannelHandlerContext) {
        // Nothing of an answer that nobody asked for is looked at.
        guard awaitsAddresses else { return hub.offend(.excessiveRequests, by: identity.offender) }
        awaitsAddresses = false
        do { hub.learn(try AddressAnswer(borsh: frame.payload), from: identity) } catch {
            disconnect(.malformed("addresses: \(error)"), context: context)
        }
    }

    private func end(_ frame: Frame, context: ChannelHandlerContext) {
        do {
            let goodbye = try Goodbye(borsh: frame.payload)
            finish(.saidByPeer(code: goodbye.code, text: goodbye.text))
        } catch {
            finish(.malformed("Goodbye: \(error)"))
        }
        context.close(promise: nil)
    }

    // MARK: Ending

    /// Tells the peer why, and lets it close: closing first would reset the connection if the peer has sent more, and
    /// the reason could be lost.
    private func disconnect(_ reason: DisconnectReason, context: ChannelHandlerContext) {
        if case .closing = phase { return }
        finish(reason)
        // Before TLS is up nothing can be said.
        guard peerKey.key != nil else { return context.close(promise: nil) }
        send(Frame(kind: FrameKind.goodbye, payload: Goodbye(reason).borsh), context: context)
        timer = NIOScheduledTimer(on: context.eventLoop, after: Self.goodbyeTime) { context.close(promise: nil) }
    }

    private static let goodbyeTime = TimeAmount.seconds(1)

    /// While the connection closes nothing counts but the peer's own goodbye: then neither waits for the other.
    private func awaitGoodbye(context: ChannelHandlerContext) {
        do {
            while let frame = try reader.next() {
                if frame.kind == FrameKind.goodbye { return context.close(promise: nil) }
            }
        } catch {
            context.close(promise: nil)
        }
    }

    /// Records the first reason; the connection takes no more part in anything.
    private func finish(_ reason: DisconnectReason) {
        let (identity, wasEstablished): (PeerIdentity?, Bool)
        switch phase {
        case .closing: return
        case .greeting: (identity, wasEstablished) = (nil, false)
        case .welcoming(let peer): (identity, wasEstablished) = (peer, false)
        case .established(let peer): (identity, wasEstablished) = (peer, true)
        }
        phase = .closing
        link.ending = PeerLink.Ending(identity: identity, wasEstablished: wasEstablished, reason: reason)
        if reason == .outboundFull { hub.count { $0.overflows += 1 } }
        timer?.cancel()
        rateTimer?.cancel()
        // TLS reads the other side's close notification.
        gate.open(.rate)
        gate.open(.consumer)
    }

    // MARK: Writing

    /// Writes what waits, as long as the socket takes it.
    private func drain(context: ChannelHandlerContext) {
        guard case .established = phase else { return }
        while context.channel.isWritable {
            var written = 0
            var frames: UInt64 = 0
            while written < 65_536, let frame = link.takeNext() {
                write(frame, context: context)
                written += frame.byteCount
                frames += 1
            }
            guard frames > 0 else { return }
            context.flush()
            hub.count { metrics in
                metrics.messagesSent += frames
                metrics.bytesSent += UInt64(written)
            }
        }
    }

    private func send(_ frame: Frame, context: ChannelHandlerContext) {
        let outbound = OutboundFrame(frame)
        write(outbound, context: context)
        context.flush()
        hub.count { $0.bytesSent += UInt64(outbound.byteCount) }
    }

    private func write(_ frame: OutboundFrame, context: ChannelHandlerContext) {
        for part in frame.parts(context.channel.allocator) { context.write(wrapOutboundOut(part), promise: nil) }
    }

    // MARK: Time

    /// Pings, whether or not the other side reads: what it hears keeps it from giving this node up.
    private func keepAlive(context: ChannelHandlerContext) {
        timer = NIOScheduledTimer(on: context.eventLoop, after: .milliseconds(hub.limits.pingMilliseconds)) {
            guard case .established = self.phase else { return }
            let now = NIODeadline.now()
            // Silence that this node chose is not the peer's.
            if self.gate.isClosed { self.lastHeard = now }
            guard now - self.lastHeard <= .milliseconds(self.hub.limits.idleMilliseconds) else {
                return self.disconnect(.silent, context: context)
            }
            if context.channel.isWritable {
                self.send(Frame(kind: FrameKind.ping, payload: now.uptimeNanoseconds.borsh), context: context)
            }
            self.keepAlive(context: context)
        }
    }

    private func limitRate(_ bucket: inout TokenBucket, _ units: Int, context: ChannelHandlerContext) {
        let wait = bucket.take(units, now: PeerHub.now)
        guard wait > 0 else { return }
        pause(.rate)
        rateTimer?.cancel()
        rateTimer = NIOScheduledTimer(on: context.eventLoop, after: .nanoseconds(Int64(clamping: wait))) {
            self.gate.open(.rate)
        }
    }

    private func pause(_ reason: ReadGate.Reason) {
        if !gate.isClosed { hub.count { $0.pauses += 1 } }
        gate.close(reason)
    }
}

/// A task on the event loop that its owner can call off. Stays on that loop.
private struct NIOScheduledTimer {
    private let scheduled: Scheduled<Void>

    init(on eventLoop: any EventLoop, after delay: TimeAmount, _ body: @escaping () -> Void) {
        scheduled = eventLoop.assumeIsolated().scheduleTask(in: delay, body)
    }

    func cancel() { scheduled.cancel() }
}
