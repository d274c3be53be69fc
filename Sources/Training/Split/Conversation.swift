public import Cryptography
public import Primitives

/// One side of the exchange between the cloud and one edge in one round: it makes the context that the next envelope
/// must have, in either direction, and follows the chain of commitments.
///
/// The two alternate, edge first. Both sides see the same envelopes in the same order, so they agree on every context.
public struct Conversation: Sendable, Equatable {
    public struct Party: Sendable, Equatable {
        public let account: Account
        public let kemKey: KEMPublicKey

        public init(account: Account, kemKey: KEMPublicKey) {
            self.account = account
            self.kemKey = kemKey
        }
    }

    public let genesisHash: Digest
    public let jobId: Account
    public let round: UInt32
    /// The edge's place in the roster.
    public let index: UInt16
    public let edge: Party
    public let cloud: Party
    /// The commitment of the latest envelope, zero before the first.
    public private(set) var previousDigest = Digest.zero

    public init(
        genesisHash: Digest, jobId: Account, round: UInt32, index: UInt16, edge: Party, cloud: Party
    ) {
        self.genesisHash = genesisHash
        self.jobId = jobId
        self.round = round
        self.index = index
        self.edge = edge
        self.cloud = cloud
    }

    /// The context of the next envelope if it is of this kind; the kind tells the direction.
    /// - Parameter receiverKey: of the receiver's keys the one it is sealed for; the one that is known of it if absent.
    public func context(step: UInt32, kind: MessageKind, receiverKey: KEMPublicKey? = nil) -> EnvelopeContext {
        let (sender, receiver) =
            switch kind {
            case .activation, .frontDifference, .deviceSamples, .fogDifference, .secureSumUp: (edge, cloud)
            case .gradient, .frontAverage, .fogMean, .secureSumDown: (cloud, edge)
            }
        return EnvelopeContext(
            genesisHash: genesisHash, jobId: jobId, round: round, step: step, kind: kind, index: index,
            previousDigest: previousDigest, senderKey: sender.account, receiverKemKey: receiverKey ?? receiver.kemKey)
    }

    /// Notes an envelope that was sent, or received and opened.
    public mutating func record(_ commitment: Digest) {
        previousDigest = commitment
    }

    /// Seals a message as the next envelope and notes it.
    public mutating func seal(
        _ message: AnyTrainingMessage, salt: [UInt8], key: PrivateKey
    ) throws(EnvelopeError) -> Envelope {
        guard message.round == round else { throw .wrongContext(["round"]) }
        let envelope = try Envelope.seal(
            message.payload, context: context(step: message.step, kind: message.kind), salt: salt, key: key)
        record(envelope.commitment)
        return envelope
    }

    /// Opens an envelope that must be the next of this kind and step, decodes it, and notes it.
    ///
    /// - Parameter key: of the receiver's keys the one that the envelope is sealed for; keys change from time to time, and
    ///   the sender may not know the newest yet.
    ///
    /// A payload that is validly sealed and signed but no message of its kind, round and step is `malformedPayload`.
    public mutating func open(
        _ envelope: Envelope, step: UInt32, kind: MessageKind, key: KEMPrivateKey
    ) throws(EnvelopeError) -> AnyTrainingMessage {
        try openKeepingSalt(envelope, step: step, kind: kind, key: key).message
    }

    /// The same, with the salt, which whoever checks the commitment later needs.
    public mutating func openKeepingSalt(
        _ envelope: Envelope, step: UInt32, kind: MessageKind, key: KEMPrivateKey
    ) throws(EnvelopeError) -> (message: AnyTrainingMessage, salt: [UInt8]) {
        let (payload, salt) = try envelope.open(
            expecting: context(step: step, kind: kind, receiverKey: key.publicKey), key: key)
        guard let message = try? AnyTrainingMessage(kind: kind, payload: payload), message.round == round,
            message.step == step
        else { throw .malformedPayload }
        record(envelope.commitment)
        return (message, salt)
    }
}
