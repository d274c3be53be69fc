import Cryptography
import Encoding
import Foundation
import Hummingbird
import Logging
import Primitives
import Training

/// What other workers reach: a box for sealed envelopes and, at the cloud, the front for an edge that was away.
///
/// Neither needs a login: an envelope carries its sender's signature, and the front is sealed for the account that asks.
struct WorkerServer: Sendable {
    let host: String
    let port: Int
    let inbox: Inbox
    /// The sealed front for an account; nil where there is none to give.
    let front: @Sendable (Account) async -> SealedFront?

    func run(onReady: @escaping @Sendable (Int) async -> Void) async throws {
        let router = Router()
        router.post("/v1/envelopes") { request, _ -> HTTPResponse.Status in
            let body = try await request.body.collect(upTo: WorkerLimits.envelopeBytes)
            guard let envelope = try? Envelope(borsh: Array(buffer: body)),
                (try? envelope.verifyPublicly()) != nil
            else { return .badRequest }
            return await inbox.offer(envelope) ? .accepted : .serviceUnavailable
        }
        router.get("/v1/front/{account}") { _, context -> Response in
            guard let address = context.parameters.get("account"), let account = try? Account(address: address),
                let sealed = await front(account)
            else { return Response(status: .notFound) }
            return Response(
                status: .ok, headers: [.contentType: "application/octet-stream"],
                body: .init(byteBuffer: ByteBuffer(bytes: sealed.borsh)))
        }
        var logger = Logger(label: "worker.http")
        logger.logLevel = .error
        let application = Application(
            router: router,
            configuration: ApplicationConfiguration(address: .hostname(host, port: port), serverName: "edgeproof-worker"),
            onServerRunning: { await onReady($0.localAddress?.port ?? 0) }, logger: logger)
        try await application.run()
    }
}

/// The accepted front, sealed with HPKE for one edge: `info` names the job, `aad` the round it starts.
struct SealedFront: BorshCodable, Sendable {
    let round: UInt32
    /// Digest of the back that belongs to the front: both together make the digest that is on the chain.
    let back: Digest
    let message: SealedMessage

    static func info(job: Account) -> [UInt8] { Array("edgeproof/front/1".utf8) + job.bytes }

    init(_ checkpoint: Checkpoint, round: UInt32, job: Account, receiver: KEMPublicKey) throws {
        self.round = round
        back = checkpoint.back.digest
        message = try receiver.seal(checkpoint.front.borsh, info: Self.info(job: job), authenticating: round.borsh)
    }

    /// The front, if it is the one of the checkpoint that the chain names.
    func open(job: Account, key: KEMPrivateKey, checkpoint: Digest) throws -> FrontModel {
        let front = try FrontModel(borsh: key.open(message, info: Self.info(job: job), authenticating: round.borsh))
        guard Checkpoint.digest(front: front.digest, back: back) == checkpoint else {
            throw WorkerError.peer("the cloud sent a front that is not of the accepted checkpoint \(checkpoint)")
        }
        return front
    }

    func encode(to encoder: inout BorshEncoder) {
        encoder.integer(round)
        encoder.value(back)
        encoder.variable(message.encapsulatedKey)
        encoder.variable(message.ciphertext)
    }

    init(from decoder: inout BorshDecoder) throws(BorshError) {
        round = try decoder.integer()
        back = try decoder.value()
        message = SealedMessage(
            encapsulatedKey: try decoder.variable(limit: 32), ciphertext: try decoder.variable(limit: 1 << 20))
    }
}
