import Cryptography
import Encoding
import Primitives

extension SigningDomain {
    /// One worker's request to another.
    static let workerRequest = SigningDomain("edgeproof/worker-request/1")
    /// The answer to ``WorkerRequest/Kind/sameKey``.
    static let workerPresence = SigningDomain("edgeproof/worker-presence/1")
}

/// What one worker asks another, besides handing it envelopes. It fits into a header, is signed by the asker and made
/// for one receiver and one moment, so that it is judged before anything else is read.
package struct WorkerRequest: BorshCodable, Hashable, Sendable {
    package enum Kind: UInt8, Sendable, CaseIterable {
        /// A model, or the part of it that the asker trains with; see ``SealedModel``.
        case model
        /// Which of the asker's samples the receiver trains on, too; see ``Overlap``. The argument is the asker's sketch.
        case overlap
        /// Whether a worker with the asker's own key works there. The argument is a nonce, which is signed.
        case sameKey
        /// Which chunks of the asker's samples are here: a device asks its fog node. See ``DeviceFeed/Held``.
        case samples
        /// Asked by the committee, or a dispute's jury: what it takes to do one of the receiver's steps again. See
        /// ``AuditQuestion``.
        case audit
    }

    package static let longestArgument = 1_024
    /// A header of more characters is not looked at.
    static let longestHeader = 2 * (32 + 32 + 32 + 1 + 4 + longestArgument + 8 + 64)

    package let job: Account
    package let asker: Account
    package let receiver: Account
    package let kind: Kind
    package let argument: [UInt8]
    /// The asker's clock.
    package let time: Time
    package let signature: Signature

    package init(
        _ kind: Kind, argument: [UInt8] = [], job: Account, receiver: Account, time: Time, key: PrivateKey,
        genesis: Digest
    ) throws {
        let body = Body(
            job: job, asker: Account(key.publicKey), receiver: receiver, kind: kind, argument: argument, time: time)
        self.init(body, signature: try key.sign(body, domain: .workerRequest, genesis: genesis))
    }

    private init(_ body: Body, signature: Signature) {
        job = body.job
        asker = body.asker
        receiver = body.receiver
        kind = body.kind
        argument = body.argument
        time = body.time
        self.signature = signature
    }

    private var body: Body {
        Body(job: job, asker: asker, receiver: receiver, kind: kind, argument: argument, time: time)
    }

    func isSigned(genesis: Digest) -> Bool {
        asker.publicKey.isValid(signature, over: body, domain: .workerRequest, genesis: genesis)
    }

    /// Whether it was made about now: a request that somebody overheard is soon worth nothing.
    func isFresh(now: Time) -> Bool {
        let apart = max(now, time).value - min(now, time).value
        return apart <= WorkerLimits.clockToleranceMs
    }

    package func encode(to encoder: inout BorshEncoder) {
        encoder.value(body)
        encoder.value(signature)
    }

    package init(from decoder: inout BorshDecoder) throws(BorshError) {
        let body: Body = try decoder.value()
        self.init(body, signature: try decoder.value())
    }

    private struct Body: BorshCodable, Hashable {
        let job: Account
        let asker: Account
        let receiver: Account
        let kind: Kind
        let argument: [UInt8]
        let time: Time

        init(job: Account, asker: Account, receiver: Account, kind: Kind, argument: [UInt8], time: Time) {
            self.job = job
            self.asker = asker
            self.receiver = receiver
            self.kind = kind
            self.argument = argument
            self.time = time
        }

        func encode(to encoder: inout BorshEncoder) {
            encoder.value(job)
            encoder.value(asker)
            encoder.value(receiver)
            encoder.integer(kind.rawValue)
            encoder.variable(argument)
            encoder.value(time)
        }

        init(from decoder: inout BorshDecoder) throws(BorshError) {
            job = try decoder.value()
            asker = try decoder.value()
            receiver = try decoder.value()
            let tag: UInt8 = try decoder.integer()
            guard let kind = Kind(rawValue: tag) else { throw decoder.failure(.unknownTag(tag)) }
            self.kind = kind
            argument = try decoder.variable(limit: WorkerRequest.longestArgument)
            time = try decoder.value()
        }
    }
}

/// What the worker with a key says when another one with the same key asks for it.
struct Presence: BorshEncodable {
    let job: Account
    let nonce: [UInt8]

    func encode(to encoder: inout BorshEncoder) {
        encoder.value(job)
        encoder.variable(nonce)
    }
}
