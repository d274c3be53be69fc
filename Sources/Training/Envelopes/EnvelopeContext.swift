public import Cryptography
public import Encoding
public import Primitives

/// Everything an envelope is bound to. Equal only to itself: the same payload in another job, round, step, direction or
/// conversation, or for another receiver, is another envelope.
public struct EnvelopeContext: Sendable, Hashable {
    public let genesisHash: Digest
    /// The job contract's account.
    public let jobId: Account
    public let round: UInt32
    public let step: UInt32
    public let kind: MessageKind
    /// The edge's place in the roster, in both directions.
    public let index: UInt16
    /// The commitment of the envelope before this one between the same edge and the cloud in this round, whoever sent
    /// it; zero for the first. So an answer names what it answers.
    public let previousDigest: Digest
    /// The sender's account, which is its Ed25519 public key.
    public let senderKey: Account
    public let receiverKemKey: KEMPublicKey

    public init(
        genesisHash: Digest, jobId: Account, round: UInt32, step: UInt32, kind: MessageKind, index: UInt16,
        previousDigest: Digest, senderKey: Account, receiverKemKey: KEMPublicKey
    ) {
        self.genesisHash = genesisHash
        self.jobId = jobId
        self.round = round
        self.step = step
        self.kind = kind
        self.index = index
        self.previousDigest = previousDigest
        self.senderKey = senderKey
        self.receiverKemKey = receiverKemKey
    }

    /// `ctx = SHA-256("edgeproof/envelope/1" || borsh(self))`. All fields have fixed lengths.
    public var digest: Digest { Digest(domain: "edgeproof/envelope/1", parts: borsh) }

    /// The names of the fields in which two contexts differ, for an error that says what is wrong.
    func differences(from other: EnvelopeContext) -> [String] {
        var names: [String] = []
        if genesisHash != other.genesisHash { names.append("genesis") }
        if jobId != other.jobId { names.append("job") }
        if round != other.round { names.append("round") }
        if step != other.step { names.append("step") }
        if kind != other.kind { names.append("kind") }
        if index != other.index { names.append("index") }
        if previousDigest != other.previousDigest { names.append("previous envelope") }
        if senderKey != other.senderKey { names.append("sender") }
        if receiverKemKey != other.receiverKemKey { names.append("receiver") }
        return names
    }
}

/// Canonical bytes: the fields in the order of their declaration; 171 bytes.
extension EnvelopeContext: BorshCodable {
    public func encode(to encoder: inout BorshEncoder) {
        encoder.value(genesisHash)
        encoder.value(jobId)
        encoder.integer(round)
        encoder.integer(step)
        encoder.integer(kind.rawValue)
        encoder.integer(index)
        encoder.value(previousDigest)
        encoder.value(senderKey)
        encoder.value(receiverKemKey)
    }

    public init(from decoder: inout BorshDecoder) throws(BorshError) {
        genesisHash = try decoder.value()
        jobId = try decoder.value()
        round = try decoder.integer()
        step = try decoder.integer()
        let number: UInt8 = try decoder.integer()
        guard let kind = MessageKind(rawValue: number) else { throw decoder.failure(.unknownTag(number)) }
        self.kind = kind
        index = try decoder.integer()
        previousDigest = try decoder.value()
        senderKey = try decoder.value()
        receiverKemKey = try decoder.value()
    }
}
