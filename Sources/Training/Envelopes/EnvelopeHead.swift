public import Cryptography
public import Encoding

/// An envelope without its ciphertext: all that a receiver must see to know who sends it, for which place in which
/// round, how long it is, and that the sender signed exactly the bytes that follow.
///
/// It travels first. The envelope's one signature covers `H(enc || ct)`, so it is checked before a byte of the
/// ciphertext is read: a stranger, a replay or a sender whose turn it is not costs the receiver these few bytes alone.
///
/// As bytes: context (171), commitment, encapsulated key (32 each), `H(enc || ct)` (32), length of the ciphertext (u32),
/// signature (64).
public struct EnvelopeHead: Sendable, Hashable {
    public static let byteCount = 171 + 32 + 32 + 32 + 4 + 64

    public let context: EnvelopeContext
    public let commitment: Digest
    public let encapsulatedKey: [UInt8]
    public let sealedDigest: Digest
    public let ciphertextLength: Int
    public let signature: Signature

    /// Whether the sender signed this commitment in this context, with the ciphertext of this digest.
    public func verify() throws(EnvelopeError) {
        let body = SignedBody(
            contextDigest: context.digest, commitment: commitment, sealedDigest: sealedDigest)
        guard context.senderKey.publicKey.isValid(
            signature, over: body, domain: .envelope, genesis: context.genesisHash)
        else { throw .badSignature }
    }

    /// The whole envelope; nil unless the ciphertext is the one that the head speaks of.
    public func envelope(with ciphertext: [UInt8]) -> Envelope? {
        guard ciphertext.count == ciphertextLength, Digest(sha256: encapsulatedKey + ciphertext) == sealedDigest else {
            return nil
        }
        return Envelope(
            context: context, commitment: commitment, encapsulatedKey: encapsulatedKey, ciphertext: ciphertext,
            signature: signature)
    }
}

extension Envelope {
    public var head: EnvelopeHead {
        EnvelopeHead(
            context: context, commitment: commitment, encapsulatedKey: encapsulatedKey,
            sealedDigest: Digest(sha256: encapsulatedKey + ciphertext), ciphertextLength: ciphertext.count,
            signature: signature)
    }
}

extension EnvelopeHead: BorshCodable {
    public func encode(to encoder: inout BorshEncoder) {
        encoder.value(context)
        encoder.value(commitment)
        encoder.fixed(encapsulatedKey)
        encoder.value(sealedDigest)
        encoder.integer(UInt32(clamping: ciphertextLength))
        encoder.value(signature)
    }

    public init(from decoder: inout BorshDecoder) throws(BorshError) {
        context = try decoder.value()
        commitment = try decoder.value()
        encapsulatedKey = try decoder.fixed(KeyLength.bytes)
        sealedDigest = try decoder.value()
        let length: UInt32 = try decoder.integer()
        ciphertextLength = Int(length)
        signature = try decoder.value()
    }
}
