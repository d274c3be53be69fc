import APIModel
import Hummingbird
import HummingbirdCore
import NIOCore
import NIOHTTPTypes
import Primitives
import ProgramSupport

/// Answers `POST /v1/transactions` of raw bytes where it is read, before the router and without a task. Such requests are
/// most of what a busy node is asked, and on the router's way each cost several times what its transactions do. All limits
/// are the router's, and so is every request that is in any way unusual: one in JSON, one whose length is not declared or
/// too long, one of an address that has to be silent, one on a connection that is one too many, one that is to be the last.
///
/// Answers keep the order of their requests: while another request of the connection is answered this takes none, and while
/// this answers one the next are held back, and no more of them are read.
final class SubmissionHandler: ChannelDuplexHandler {
    typealias InboundIn = HTTPRequestPart
    typealias InboundOut = HTTPRequestPart
    typealias OutboundIn = HTTPResponsePart
    typealias OutboundOut = HTTPResponsePart

    private enum State {
        case between
        /// In a request that was passed on.
        case passing
        case collecting(Submission.Form)
        case answering
        case closed
    }

    private enum Held {
        case part(HTTPRequestPart)
        case readComplete
        case event(Any)
        case failure(any Error)
    }

    private let services: RouteServices
    private let connections: Connections
    private var state = State.between
    /// What has come of the body of the request that is collected.
    private var body: [UInt8] = []
    /// Requests that were passed on and are not answered.
    private var passed = 0
    /// What came while this answers a request: what one read of the socket brings, since no more are made then.
    private var held = CircularBuffer<Held>()
    private var isReadHeld = false
    /// A request was passed on after which the connection ends.
    private var isEnding = false
    private var deadline: UInt64?
    private var context: ChannelHandlerContext?
    /// Whether who sent it takes a compressed answer.
    private var takesGzip = false
    /// Who is at the other end, once it was asked.
    private var holder: AddressHolder??

    init(_ services: RouteServices, _ connections: Connections) {
        self.services = services
        self.connections = connections
    }

    func handlerAdded(context: ChannelHandlerContext) { self.context = context }

    func handlerRemoved(context: ChannelHandlerContext) { end() }

    func channelInactive(context: ChannelHandlerContext) {
        end()
        context.fireChannelInactive()
    }

    private func end() {
        (state, context, body) = (.closed, nil, [])
        held.removeAll()
        callOffDeadline()
    }

    // MARK: Requests

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let part = unwrapInboundIn(data)
        if isHolding { held.append(.part(part)) } else { receive(part, context) }
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        if held.isEmpty { readComplete(context) } else { held.append(.readComplete) }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if isHolding { held.append(.event(event)) } else { receive(event: event, context) }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        if isHolding { held.append(.failure(error)) } else { receive(error: error, context) }
    }

    func read(context: ChannelHandlerContext) {
        // A client that waits for its answer says nothing meanwhile; so the socket is left alone until somebody does.
        if held.isEmpty { context.read() } else { isReadHeld = true }
    }

    /// Whether what comes has to wait for an answer.
    private var isHolding: Bool { isAnswering || !held.isEmpty }

    private var isAnswering: Bool {
        if case .answering = state { return true }
        return false
    }

    private func receive(_ part: HTTPRequestPart, _ context: ChannelHandlerContext) {
        switch (state, part) {
        case (.between, .head(let head)):
            if let form = form(of: head, context) {
                state = .collecting(form)
            } else {
                state = .passing
                passed += 1
                isEnding =
                    isEnding || head.headerFields[values: .connection].contains { $0.lowercased().contains("close") }
                context.fireChannelRead(wrapInboundOut(part))
            }
        case (.collecting, .body(let more)): body.append(contentsOf: more.readableBytesView)
        case (.collecting(let form), .end): take(form, context)
        case (.passing, .end):
            state = .between
            context.fireChannelRead(wrapInboundOut(part))
        default: context.fireChannelRead(wrapInboundOut(part))
        }
    }

    private func readComplete(_ context: ChannelHandlerContext) {
        // A body that never comes must not hold the connection. Nearly all have come with their heads.
        if case .collecting = state, deadline == nil {
            let channel = context.channel
            deadline = Deadlines.shared.set(after: services.configuration.bodyTimeout) { channel.close(promise: nil) }
        }
        context.fireChannelReadComplete()
    }

    private func receive(event: Any, _ context: ChannelHandlerContext) {
        if let event = event as? ChannelEvent, event == .inputClosed { abandon() }
        context.fireUserInboundEventTriggered(event)
    }

    private func receive(error: any Error, _ context: ChannelHandlerContext) {
        isEnding = true
        abandon()
        context.fireErrorCaught(error)
    }

    /// The rest of a request will not come.
    private func abandon() {
        guard case .collecting = state else { return }
        (state, body) = (.between, [])
        callOffDeadline()
    }

    private func callOffDeadline() {
        if let deadline { Deadlines.shared.callOff(deadline) }
        deadline = nil
    }

    /// Nil for a request that is the router's.
    private func form(of head: HTTPRequest, _ context: ChannelHandlerContext) -> Submission.Form? {
        guard head.method == .post, head.path == Submission.path, passed == 0, !isEnding, context.channel.isWritable
        else {
            return nil
        }
        var form: Submission.Form?
        var length: Int?
        takesGzip = false
        for field in head.headerFields {
            switch field.name {
            case .contentType:
                guard form == nil, let named = Submission.Form(mediaType: field.value) else { return nil }
                form = named
            case .contentLength:
                guard length == nil, let declared = Int(field.value) else { return nil }
                length = declared
            case .acceptEncoding: takesGzip = takesGzip || Compression.isWanted(field.value)
            case .connection, .expect, .transferEncoding: return nil
            default: break
            }
        }
        let named = form ?? .one
        guard let length, (0...named.mostBytes).contains(length), connections.surplus(context.channel) == nil,
            services.wrongSignatures.silence(of: holder(context), counts: false) == nil
        else { return nil }
        return named
    }

    private func holder(_ context: ChannelHandlerContext) -> AddressHolder? {
        if let holder { return holder }
        let found = context.channel.remoteAddress?.ipAddress.flatMap(AddressHolder.init)
        holder = .some(found)
        return found
    }

    // MARK: Answers

    private func take(_ form: Submission.Form, _ context: ChannelHandlerContext) {
        callOffDeadline()
        let bytes = body
        body = []
        state = .answering
        let place = NIOLoopBound(self, eventLoop: context.eventLoop)
        let submission: Submission
        do { submission = try Submission(bytes, form) } catch {
            // In its turn, as what the node answers: many that come at once don't keep the thread from other connections.
            return place.eventLoop.execute { place.value.answer { _ in error.answer } }
        }
        let holder = holder(context)
        services.backend.submit(submission.transactions) { [services] outcome in
            // Also where the client is gone by now: its signatures were checked.
            if case .success(let refusals) = outcome { Submission.note(refusals, from: holder, services) }
            place.eventLoop.execute {
                place.value.answer { handler in
                    submission.answer(outcome, takesGzip: handler.takesGzip, handler.services)
                }
            }
        }
    }

    private func answer(_ made: (SubmissionHandler) -> ShortAnswer) {
        // The connection may have ended.
        guard case .answering = state, let context else { return }
        state = .between
        write(made(self), context)
        while !isAnswering, let next = held.popFirst() {
            switch next {
            case .part(let part): receive(part, context)
            case .readComplete: readComplete(context)
            case .event(let event): receive(event: event, context)
            case .failure(let error): receive(error: error, context)
            }
        }
        guard held.isEmpty, isReadHeld else { return }
        isReadHeld = false
        context.read()
    }

    private func write(_ answer: ShortAnswer, _ context: ChannelHandlerContext) {
        var fields = answer.headers
        let common: HTTPFields = [
            .contentLength: String(answer.body.readableBytes), .date: HTTPDate.now, .server: APIServer.name,
        ]
        fields.append(contentsOf: common)
        let head = HTTPResponse(status: answer.status, headerFields: fields)
        context.write(wrapOutboundOut(.head(head)), promise: nil)
        context.write(wrapOutboundOut(.body(answer.body)), promise: nil)
        context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        if case .end = unwrapOutboundIn(data) { passed = max(0, passed - 1) }
        context.write(data, promise: promise)
    }
}
