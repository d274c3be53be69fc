import Encoding
import Hummingbird
import HummingbirdCore
import Logging
import NIOCore
import Primitives
import Synchronization
import Training

/// What other workers reach: a box for sealed envelopes and, at the cloud, the front for an edge that was away.
///
/// Neither needs a login: an envelope carries its sender's signature, and the front is sealed for the account that asks.
package struct WorkerServer: Sendable {
    let host: String
    let port: Int
    let admission: Admission
    let inbox: Inbox
    /// Bytes of the longest envelope that a worker of this job sends.
    let envelopeLimit: Int
    /// The sealed front for an account; nil where there is none to give.
    let front: @Sendable (Account) async -> SealedFront?

    package init(
        host: String, port: Int, admission: Admission, inbox: Inbox, envelopeLimit: Int,
        front: @escaping @Sendable (Account) async -> SealedFront?
    ) {
        self.host = host
        self.port = port
        self.admission = admission
        self.inbox = inbox
        self.envelopeLimit = envelopeLimit
        self.front = front
    }

    /// Serves until the task is cancelled.
    package func run(onReady: @escaping @Sendable (Int) async -> Void) async throws {
        let router = Router()
        router.post("/v1/envelopes") { request, _ in await take(request) }
        router.get("/v1/front/{account}") { _, context -> Response in
            guard let address = context.parameters.get("account"), let account = try? Account(address: address),
                let sealed = await front(account)
            else { return Response(status: .notFound) }
            return Response(
                status: .ok, headers: [.contentType: "application/octet-stream"],
                body: .init(byteBuffer: ByteBuffer(bytes: sealed.borsh)))
        }
        var logger = Logger(label: "worker.http")
        logger.logLevel = .critical
        let isReady = Atomic(false)
        let application = Application(
            router: router,
            server: .http1(configuration: .init(idleTimeout: .seconds(WorkerLimits.idleSeconds))),
            configuration: ApplicationConfiguration(
                address: .hostname(host, port: port), serverName: "edgeproof-worker",
                availableConnectionsDelegate: MaximumAvailableConnections(WorkerLimits.connections, logger: logger)),
            onServerRunning: {
                isReady.store(true, ordering: .relaxed)
                await onReady($0.localAddress?.port ?? 0)
            }, logger: logger)
        do { try await application.run() } catch {
            if isReady.load(ordering: .relaxed) || error is CancellationError { throw error }
            throw WorkerError.cannotListen("\(host):\(port)", "\(error)")
        }
    }

    private func take(_ request: Request) async -> HTTPResponse.Status {
        let envelope: Envelope
        do {
            envelope = try Envelope(borsh: Array(buffer: try await request.body.collect(upTo: envelopeLimit)))
        } catch is NIOTooManyBytesError {
            return .contentTooLarge
        } catch {
            return .badRequest
        }
        do { try await admission.check(envelope) } catch {
            // A sender that this worker does not know yet tries again; a bad signature stays bad.
            return error == .badSignature ? .badRequest : .forbidden
        }
        return await inbox.offer(envelope) ? .accepted : .serviceUnavailable
    }
}
