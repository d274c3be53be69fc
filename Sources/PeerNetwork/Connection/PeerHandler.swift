import Cryptography
import Encoding
import NIOCore
import NIOSSL
import Primitives

/// One connection: carries out what its ``PeerDialogue`` decides, keeps time and rate. Runs on the connection's event loop.
final class PeerHandler: ChannelDuplexHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let hub: PeerHub
    private let link: PeerLink
    private let peerKey: TLSKeyBox
    private let gate: ReadGate
    private var dialogue = PeerDialogue()
    private var reader = FrameReader(limit: FrameLimit.handshake)
    private var bucketOfBytes: TokenBucket
    private var bucketOfMessages: TokenBucket
    private var addressAnswers: TokenBucket
    private var lastHeard = NIODeadline.now()
    private var timer: NIOScheduledTimer?
    private var rateTimer: NIOScheduledTimer?
    /// Until when the rate holds reading back.
    private var slowedUntil = NIODeadline.uptimeNanoseconds(0)

    init(hub: PeerHub, link: PeerLink, peerKey: TLSKeyBox, gate: ReadGate) {
        self.hub = hub
        self.link = link
        self.peerKey = peerKey
        self.gate = gate
        let (limits, now) = (hub.limits, PeerHub.now)
        bucketOfBytes = TokenBucket(rate: limits.bytesPerSecond, burst: limits.byteBurst, now: now)
        bucketOfMessages = TokenBucket(rate: limits.messagesPerSecond, burst: limits.messageBurst, now: now)
        addressAnswers = TokenBucket(
            everyMs: limits.addressAnswerMs, burst: limits.addressAnswerBurst, now: now)
    }

    // MARK: Channel events

    func channelActive(context: ChannelHandlerContext) {
        if let problem = hub.open(link) {
            finish(problem)
            context.close(promise: nil)
        } else if let hello = hub.hello {
            timer = NIOScheduledTimer(on: context.eventLoop, after: .milliseconds(hub.limits.handshakeMs)) {
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
        if case .closing = dialogue.phase { return awaitGoodbye(context: context) }
        lastHeard = .now()
        hub.count { $0.bytesReceived += UInt64(bytes.readableBytes) }
        limitRate(bucketOfBytes.take(bytes.readableBytes, now: PeerHub.now), context: context)
        do throws(FrameReader.Failure) {
            while let item = try reader.next({ judge(kind: $0, length: $1, context: context) }) {
                limitRate(bucketOfMessages.take(1, now: PeerHub.now), context: context)
                receive(item, context: context)
                if case .closing = dialogue.phase { return awaitGoodbye(context: context) }
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
        case NIOSSLError.handshakeFailed: finish(.noTLS("it speaks no TLS 1.3, or shows no certificate that can be taken"))
        case NIOSSLError.uncleanShutdown: finish(.connectionLost("it broke off"))
        case is NIOSSLError, is BoringSSLError: finish(.noTLS("what it sends is no TLS record that can be read"))
        default: finish(.connectionLost(PeerNetwork.reason(error)))
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

    /// Whether a frame is read or skipped. What strangers say, and what nobody wanted, counts against all strangers.
    private func judge(kind: UInt8, length: Int, context: ChannelHandlerContext) -> FrameJudgement {
        let judgement = dialogue.judge(kind: kind, length: length, gate: hub.gate)
        switch judgement {
        case .take(.stranger): limitRate(hub.chargeStranger(length), context: context)
        case .refuse(let offence):
            limitRate(hub.chargeStranger(length), context: context)
            if let offence { hub.note("\(link.remoteAddress) sent what is \(offence): a message of kind \(kind), \(length) bytes") }
        case .take: break
        }
        return judgement
    }

    private func receive(_ item: FrameReader.Item, context: ChannelHandlerContext) {
        switch item {
        case .frame(let frame, let rank): perform(dialogue.received(frame, rank), context: context)
        case .refused(_, let offence):
            hub.count { $0.framesRefused += 1 }
            perform(dialogue.refused(offence), context: context)
        }
    }

    private func perform(_ step: PeerDialogue.Step, context: ChannelHandlerContext) {
        switch step {
        case .nothing: break
        case .greet(let hello): greet(hello, context: context)
        case .establish(let identity): establish(identity, context: context)
        case .deliver(let frame, let rank, let identity):
            if hub.received(frame, rank, from: identity, link) { pause(.consumer) }
        case .pong(let payload):
            // A peer that does not read its answers gets none; the bytes on their way show that this node lives.
            if context.channel.isWritable { send(Frame(kind: FrameKind.pong, payload: payload), context: context) }
        case .tellAddresses(let identity): answer(identity, context: context)
        case .learn(let answer, let identity): hub.learn(answer, from: identity)
        case .blame(let offence, let identity): hub.offend(offence, by: identity.offender)
        case .disconnect(let reason): disconnect(reason, context: context)
        case .close(let reason):
            finish(reason)
            context.close(promise: nil)
        }
    }

    private func greet(_ hello: Hello, context: ChannelHandlerContext) {
        guard let tlsKey = peerKey.key else { return disconnect(.malformed("Hello without TLS"), context: context) }
        switch hub.check(hello, tlsKey: tlsKey, link: link) {
        case .failure(let reason): disconnect(reason, context: context)
        case .success(let identity):
            dialogue.welcomed(identity)
            send(Frame(kind: FrameKind.welcome, payload: []), context: context)
        }
    }

    private func establish(_ identity: PeerIdentity, context: ChannelHandlerContext) {
        if let reason = hub.establish(link, identity) { return disconnect(reason, context: context) }
        dialogue.entered()
        reader.limit = dialogue.frameLimit
        timer?.cancel()
        keepAlive(context: context)
        hub.logger.info("peer \(identity.id) at \(identity.remoteAddress), \(identity.agent)")
        if hub.asksFresh(identity) { askForAddresses(context: context) }
    }

    // MARK: Addresses

    private func askForAddresses(context: ChannelHandlerContext) {
        guard context.channel.isWritable, dialogue.asksForAddresses() else { return }
        send(Frame(kind: FrameKind.wantAddresses, payload: []), context: context)
    }

    private func answer(_ identity: PeerIdentity, context: ChannelHandlerContext) {
        guard addressAnswers.takeIfThere(now: PeerHub.now) else {
            return hub.offend(.excessiveRequests, by: identity.offender)
        }
        guard context.channel.isWritable, let answer = hub.addressAnswer() else { return }
        send(Frame(kind: FrameKind.addresses, payload: answer.borsh), context: context)
    }

    // MARK: Ending

    /// Tells the peer why, and lets it close: closing first would reset the connection if the peer has sent more, and
    /// the reason could be lost.
    private func disconnect(_ reason: DisconnectReason, context: ChannelHandlerContext) {
        if case .closing = dialogue.phase { return }
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
        guard let ending = dialogue.end(reason) else { return }
        link.ending = ending
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
        guard case .established = dialogue.phase else { return }
        while context.channel.isWritable {
            var written = 0
            var frames: UInt64 = 0
            var joined = ByteBuffer()
            while written < 65_536, let frame = link.takeNext() {
                write(frame, joining: &joined, context: context)
                written += frame.byteCount
                frames += 1
            }
            guard frames > 0 else { return }
            flush(joined, context: context)
            hub.count { metrics in
                metrics.messagesSent += frames
                metrics.bytesSent += UInt64(written)
            }
        }
    }

    private func send(_ frame: Frame, context: ChannelHandlerContext) {
        let outbound = OutboundFrame(frame)
        var joined = ByteBuffer()
        write(outbound, joining: &joined, context: context)
        flush(joined, context: context)
        hub.count { $0.bytesSent += UInt64(outbound.byteCount) }
    }

    /// Small frames that wait at the same time leave as one TLS record, as far as it holds them.
    private func write(_ frame: OutboundFrame, joining joined: inout ByteBuffer, context: ChannelHandlerContext) {
        if joined.readableBytes == 0 {
            joined = context.channel.allocator.buffer(capacity: frame.isSmall ? frame.byteCount : FrameLimit.header)
        }
        frame.writeHeader(to: &joined)
        guard !frame.isSmall else { return _ = joined.writeImmutableBuffer(frame.payload) }
        context.write(wrapOutboundOut(joined), promise: nil)
        context.write(wrapOutboundOut(frame.payload), promise: nil)
        joined = ByteBuffer()
    }

    private func flush(_ joined: ByteBuffer, context: ChannelHandlerContext) {
        if joined.readableBytes > 0 { context.write(wrapOutboundOut(joined), promise: nil) }
        context.flush()
    }

    // MARK: Time

    /// Pings, whether or not the other side reads: what it hears keeps it from giving this node up.
    private func keepAlive(context: ChannelHandlerContext) {
        timer = NIOScheduledTimer(on: context.eventLoop, after: .milliseconds(hub.limits.pingMs)) {
            guard case .established = self.dialogue.phase else { return }
            let now = NIODeadline.now()
            // Silence that this node chose is not the peer's.
            if self.gate.isClosed { self.lastHeard = now }
            guard now - self.lastHeard <= .milliseconds(self.hub.limits.idleMs) else {
                return self.disconnect(.silent, context: context)
            }
            if context.channel.isWritable {
                self.send(Frame(kind: FrameKind.ping, payload: now.uptimeNanoseconds.borsh), context: context)
            }
            self.keepAlive(context: context)
        }
    }

    /// Reads nothing for so many nanoseconds; the longest wait of several counts.
    private func limitRate(_ wait: UInt64, context: ChannelHandlerContext) {
        guard wait > 0 else { return }
        pause(.rate)
        let until = NIODeadline.now() + .nanoseconds(Int64(clamping: wait))
        guard until > slowedUntil else { return }
        slowedUntil = until
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
