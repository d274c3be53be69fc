public import Cryptography
public import Encoding

/// A payload from one worker to another, sealed and signed so that neither can deny it or pass it off as another
/// (architecture, section 7):
///
/// ```
/// ctx = H("edgeproof/envelope/1" || borsh(context))
/// c   = H(ctx || H(payload) || salt)                                   what goes on the chain
/// ct  = HPKE-Base.Seal(receiverKemKey, info: ctx, aad: c, payload || salt)
/// sig = Ed25519(sender, domain || genesisHash || borsh{ctx, c, H(enc || ct)})
/// ```
///
/// Sign-then-encrypt alone would let a receiver seal the signed message again for somebody else (Davis, "Defective sign
/// and encrypt", 2001). Here one signature covers commitment, receiver and exact ciphertext.
public struct Envelope: Sendable, Equatable {
    public static let maximumPayload = 16 * 1024 * 1024
    public static let saltLength = 32
    private static let tagLength = 16
    private static let maximumCiphertext = maximumPayload + saltLength + tagLength

    public let context: EnvelopeContext
    /// `c`.
    public let commitment: Digest
    public let encapsulatedKey: [UInt8]
    public let ciphertext: [UInt8]
    public let signature: Signature

    /// Seals a payload. The salt must be fresh and unpredictable: it hides the payload behind its commitment.
    public static func seal(
        _ payload: [UInt8], context: EnvelopeContext, salt: [UInt8], key: PrivateKey
    ) throws(EnvelopeError) -> Envelope {
        guard payload.count <= maximumPayload else { throw .tooLarge(payload.count) }
        guard salt.count == saltLength else { throw .saltLength(salt.count) }
        guard context.senderKey.publicKey == key.publicKey else { throw .notTheSendersKey }
        let digest = context.digest
        let commitment = Self.commitment(contextDigest: digest, payload: payload, salt: salt)
        do {
            let sealed = try context.receiverKemKey.seal(
                payload + salt, info: digest.bytes, authenticating: commitment.bytes)
            let body = SignedBody(contextDigest: digest, commitment: commitment, sealed: sealed)
            return Envelope(
                context: context, commitment: commitment, encapsulatedKey: sealed.encapsulatedKey,
                ciphertext: sealed.ciphertext,
                signature: try key.sign(body, domain: .envelope, genesis: context.genesisHash))
        } catch {
            throw .cannotSeal
        }
    }

    /// Opens an envelope that should have exactly the context `expected`, and returns payload and salt.
    ///
    /// The context and the signature come first: only then is what fails later the sender's doing, and worth a
    /// complaint (`EnvelopeError.isComplaint`).
    public func open(
        expecting expected: EnvelopeContext, key: KEMPrivateKey
    ) throws(EnvelopeError) -> (payload: [UInt8], salt: [UInt8]) {
        let differences = context.differences(from: expected)
        guard differences.isEmpty else { throw .wrongContext(differences) }
        guard context.receiverKemKey == key.publicKey else { throw .notForThisReceiver }
        try verifyPublicly()
        let digest = context.digest
        let plaintext: [UInt8]
        do {
            plaintext = try key.open(
                SealedMessage(encapsulatedKey: encapsulatedKey, ciphertext: ciphertext),
                info: digest.bytes, authenticating: commitment.bytes)
        } catch {
            throw .cannotOpen
        }
        guard plaintext.count >= Self.saltLength else { throw .cannotOpen }
        let payload = Array(plaintext.dropLast(Self.saltLength))
        let salt = Array(plaintext.suffix(Self.saltLength))
        try verifyOpening(payload: payload, salt: salt)
        return (payload, salt)
    }

    /// What anybody can check without a key: that the sender signed this commitment, in this context, with exactly this
    /// ciphertext for this receiver.
    public func verifyPublicly() throws(EnvelopeError) {
        let body = SignedBody(
            contextDigest: context.digest, commitment: commitment,
            sealed: SealedMessage(encapsulatedKey: encapsulatedKey, ciphertext: ciphertext))
        guard context.senderKey.publicKey.isValid(
            signature, over: body, domain: .envelope, genesis: context.genesisHash)
        else { throw .badSignature }
    }

    /// Whether payload and salt are what the commitment says: what a committee checks once a sender has opened it.
    public func verifyOpening(payload: [UInt8], salt: [UInt8]) throws(EnvelopeError) {
        guard salt.count == Self.saltLength else { throw .saltLength(salt.count) }
        guard commitment == Self.commitment(context: context, payload: payload, salt: salt) else {
            throw .otherPayload
        }
    }

    /// `c = H(ctx || H(payload) || salt)`.
    public static func commitment(context: EnvelopeContext, payload: [UInt8], salt: [UInt8]) -> Digest {
        commitment(contextDigest: context.digest, payload: payload, salt: salt)
    }

    private static func commitment(contextDigest: Digest, payload: [UInt8], salt: [UInt8]) -> Digest {
        Digest(sha256: contextDigest.bytes + Digest(sha256: payload).bytes + salt)
    }
}

/// `{ ctx, c, H(enc || ct) }`.
struct SignedBody: BorshEncodable {
    let contextDigest: Digest
    let commitment: Digest
    let sealedDigest: Digest

    init(contextDigest: Digest, commitment: Digest, sealedDigest: Digest) {
        self.contextDigest = contextDigest
        self.commitment = commitment
        self.sealedDigest = sealedDigest
    }

    init(contextDigest: Digest, commitment: Digest, sealed: SealedMessage) {
        self.init(
            contextDigest: contextDigest, commitment: commitment,
            sealedDigest: Digest(sha256: sealed.encapsulatedKey + sealed.ciphertext))
    }

    func encode(to encoder: inout BorshEncoder) {
        encoder.value(contextDigest)
        encoder.value(commitment)
        encoder.value(sealedDigest)
    }
}

/// Canonical bytes: context, commitment, encapsulated key (32), ciphertext (u32 length), signature (64).
extension Envelope: BorshCodable {
    public func encode(to encoder: inout BorshEncoder) {
        encoder.value(context)
        encoder.value(commitment)
        encoder.fixed(encapsulatedKey)
        encoder.variable(ciphertext)
        encoder.value(signature)
    }

    public init(from decoder: inout BorshDecoder) throws(BorshError) {
        context = try decoder.value()
        commitment = try decoder.value()
        encapsulatedKey = try decoder.fixed(KeyLength.bytes)
        ciphertext = try decoder.variable(limit: Self.maximumCiphertext)
        signature = try decoder.value()
    }
}

/// Why an envelope was not sealed or not accepted.
public enum EnvelopeError: Error, Equatable, Sendable, CustomStringConvertible {
    case tooLarge(Int)
    case saltLength(Int)
    /// The signing key is not that of the context's sender.
    case notTheSendersKey
    case cannotSeal
    /// A replay, or a message that was meant for another place; the fields that differ.
    case wrongContext([String])
    case notForThisReceiver
    case badSignature
    /// Signed by the sender, yet the ciphertext doesn't open.
    case cannotOpen
    /// Signed by the sender, yet the payload is not the one of the commitment.
    case otherPayload
    /// Signed and as committed, yet no message of the kind, round and step that the context names.
    case malformedPayload

    /// Whether the sender's valid signature stands under the faulty envelope, so that the receiver can report it on the
    /// chain and the sender must open the commitment. Anything else may come from a stranger and is dropped.
    public var isComplaint: Bool { self == .cannotOpen || self == .otherPayload }

    public var description: String {
        switch self {
        case .tooLarge(let count): "a payload of \(count) bytes, at most \(Envelope.maximumPayload) are allowed"
        case .saltLength(let count): "a salt of \(count) bytes, expected \(Envelope.saltLength)"
        case .notTheSendersKey: "the signing key is not that of the sender"
        case .cannotSeal: "the payload could not be sealed for this receiver"
        case .wrongContext(let fields): "the envelope belongs elsewhere: \(fields.joined(separator: ", ")) differ"
        case .notForThisReceiver: "the envelope is sealed for another key"
        case .badSignature: "the sender's signature is not valid"
        case .cannotOpen: "the ciphertext does not open"
        case .malformedPayload: "the payload is not a message of this kind, round and step"
        case .otherPayload: "the payload is not the one that was committed"
        }
    }
}
