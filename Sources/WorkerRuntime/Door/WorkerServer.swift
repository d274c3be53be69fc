import Encoding
import Foundation
import NIOCore
import NIOHTTP1
import NIOPosix
import Primitives
import ProgramSupport
import Training

/// What other workers reach: a box for sealed envelopes, and answers to a few questions.
///
/// Nobody logs in, and nothing is read from a stranger but a request's head: who speaks, to whom, of what, signed by
/// the sender. Envelopes and questions without a member's signature end there, before a body is read.
///
/// ```
/// POST /v1/envelopes   edgeproof-envelope: hex of an EnvelopeHead    body: the ciphertext
///      202 taken, or here already      400 not well formed, or not signed so    403 not from a member, or not its turn
///      413 longer than any of the job  503 no room now, or too early: try again
/// GET  /v1/ask         edgeproof-request: hex of a WorkerRequest
///      200 the answer  400 403 as above  404 there is none  503 one is under way already
/// ```
package struct WorkerServer: Sendable {
    let host: String
    let port: Int
    let admission: Admission
    let mailroom: Mailroom
    /// Bytes of the longest ciphertext that a worker of this job sends.
    let envelopeLimit: Int
    /// Milliseconds in which a connection says who it is.
    let introductionMs: Int64
    let answer: @Sendable (WorkerRequest) async -> [UInt8]?

    /// - Parameter answer: to a question that a member, or the worker's own key, has signed; nil where there is none.
    package init(
        host: String, port: Int, admission: Admission, mailroom: Mailroom, envelopeLimit: Int,
        introductionMs: Int64 = WorkerLimits.introductionMs,
        answer: @escaping @Sendable (WorkerRequest) async -> [UInt8]?
    ) {
        self.host = host
        self.port = port
        self.admission = admission
        self.mailroom = mailroom
        self.envelopeLimit = envelopeLimit
        self.introductionMs = introductionMs
        self.answer = answer
    }

    /// Serves until the task is cancelled.
    package func run(onReady: @escaping @Sendable (Int) async -> Void) async throws {
        let door = Door()
        let bootstrap = ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .serverChannelOption(.backlog, value: 256)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelOption(.socketOption(.tcp_nodelay), value: 1)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.configureHTTPServerPipeline(withErrorHandling: true)
                    try channel.pipeline.syncOperations.addHandler(WorkerConnection(server: self, door: door))
                }
            }
        let listener: any Channel
        do { listener = try await bootstrap.bind(host: host, port: port).get() } catch {
            throw WorkerError.cannotListen("\(host):\(port)", Self.explain(error))
        }
        defer { door.closeAll() }
        await onReady(listener.localAddress?.port ?? 0)
        try await withTaskCancellationHandler {
            try await listener.closeFuture.get()
        } onCancel: {
            listener.close(promise: nil)
        }
        try Task.checkCancellation()
    }

    private static func explain(_ error: any Error) -> String {
        InputFile.listenReason((error as? IOError)?.errnoCode)
    }

    // MARK: Deciding

    struct Response: Sendable {
        let status: HTTPResponseStatus
        let body: [UInt8]

        init(_ status: HTTPResponseStatus, body: [UInt8] = []) {
            self.status = status
            self.body = body
        }
    }

    /// An envelope whose body may come.
    struct Expected: Sendable {
        let head: EnvelopeHead
        let place: UInt64
    }

    struct Decision: Sendable {
        enum Next: Sendable {
            case respond(Response)
            case receive(Expected)
        }

        let next: Next
        /// Who signed the request, if it is a member.
        var member: Account?
    }

    /// From a request's head alone.
    func decide(_ request: HTTPRequestHead, door: Door) async -> Decision {
        switch (request.method, request.uri) {
        case (.POST, "/v1/envelopes"): await decide(envelope: request.headers)
        case (.GET, "/v1/ask"): await decide(question: request.headers, door)
        case (_, "/v1/envelopes"), (_, "/v1/ask"): Decision(next: .respond(Response(.methodNotAllowed)))
        default: Decision(next: .respond(Response(.notFound)))
        }
    }

    private static func decode<Value: BorshDecodable>(_ text: String?, longest: Int) -> Value? {
        guard let text, text.utf8.count <= longest, let bytes = Hexadecimal.decode(text) else { return nil }
        return try? Value(borsh: bytes)
    }

    private func decide(envelope headers: HTTPHeaders) async -> Decision {
        func refuse(_ status: HTTPResponseStatus, member: Account? = nil) -> Decision {
            Decision(next: .respond(Response(status)), member: member)
        }
        guard
            let head: EnvelopeHead = Self.decode(
                headers.first(name: "edgeproof-envelope"), longest: 2 * EnvelopeHead.byteCount)
        else { return refuse(.badRequest) }
        guard head.ciphertextLength <= envelopeLimit else { return refuse(.payloadTooLarge) }
        guard headers.first(name: "content-length") == "\(head.ciphertextLength)" else { return refuse(.badRequest) }
        do { try await admission.check(head) } catch {
            // A sender that this worker does not know yet tries again; a bad signature stays bad.
            return refuse(error == .badSignature ? .badRequest : .forbidden)
        }
        let sender = head.context.senderKey
        switch await mailroom.reserve(head) {
        case .had: return refuse(.accepted, member: sender)
        case .later: return refuse(.serviceUnavailable, member: sender)
        case .place(let place): return Decision(next: .receive(Expected(head: head, place: place)), member: sender)
        }
    }

    private func decide(question headers: HTTPHeaders, _ door: Door) async -> Decision {
        guard
            let request: WorkerRequest = Self.decode(
                headers.first(name: "edgeproof-request"), longest: WorkerRequest.longestHeader)
        else { return Decision(next: .respond(Response(.badRequest))) }
        do { try await admission.check(request) } catch {
            return Decision(next: .respond(Response(error == .badSignature ? .badRequest : .forbidden)))
        }
        let answered = await door.answer(for: request.asker) { await answer(request) }
        guard let answered else { return Decision(next: .respond(Response(.serviceUnavailable)), member: request.asker) }
        let response = answered.map { Response(.ok, body: $0) } ?? Response(.notFound)
        return Decision(next: .respond(response), member: request.asker)
    }

    // MARK: Bodies

    func take(_ expected: Expected, body: ByteBuffer) async -> Response {
        guard let envelope = expected.head.envelope(with: Array(buffer: body)) else {
            await mailroom.cancel(expected.place, of: expected.head)
            return Response(.badRequest)
        }
        await mailroom.fill(expected.place, with: envelope)
        return Response(.accepted)
    }

    func giveUp(_ expected: Expected) {
        Task { await mailroom.cancel(expected.place, of: expected.head) }
    }
}
