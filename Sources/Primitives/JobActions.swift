import Cryptography
import Encoding

extension ActionId {
    // The owner's actions on a job contract.
    public static let pauseJob = ActionId(256)
    public static let resumeJob = ActionId(257)
    public static let abortJob = ActionId(258)
}

/// Data of action 5 on a job: apply for a place.
public struct JobApplication: BorshCodable, Hashable, Sendable {
    /// Cloud or edge; others are refused by the contract.
    public let role: Role
    public let samples: UInt32

    public init(role: Role, samples: UInt32) {
        self.role = role
        self.samples = samples
    }

    public func encode(to encoder: inout BorshEncoder) {
        encoder.value(role)
        encoder.integer(samples)
    }

    public init(from decoder: inout BorshDecoder) throws(BorshError) {
        role = try decoder.value()
        samples = try decoder.integer()
    }
}

/// Data of action 2 on a job: how to reach and whom to seal for.
public struct JobIdentity: BorshCodable, Hashable, Sendable {
    public static let longestEndpoint = 128

    public let kemPublicKey: KEMPublicKey
    /// host:port in printable ASCII, at most ``longestEndpoint`` bytes.
    public let endpoint: String

    public init(kemPublicKey: KEMPublicKey, endpoint: String) {
        self.kemPublicKey = kemPublicKey
        self.endpoint = endpoint
    }

    public func encode(to encoder: inout BorshEncoder) {
        encoder.value(kemPublicKey)
        encoder.string(endpoint)
    }

    public init(from decoder: inout BorshDecoder) throws(BorshError) {
        kemPublicKey = try decoder.value()
        endpoint = try decoder.string(limit: Self.longestEndpoint)
    }
}

/// Data of action 6 with ``PostId/commit(round:)``: the digest of a result that is revealed later.
public struct JobCommitment: BorshCodable, Hashable, Sendable {
    public let commitment: Digest

    public init(commitment: Digest) { self.commitment = commitment }

    public func encode(to encoder: inout BorshEncoder) { encoder.value(commitment) }
    public init(from decoder: inout BorshDecoder) throws(BorshError) { commitment = try decoder.value() }
}

/// Data of action 6 with ``PostId/reveal(round:)``.
public struct JobReveal: BorshCodable, Hashable, Sendable {
    public static let longestLocation = 128

    /// RFC 9162 root over the envelope commitments of the steps that this worker sent in the round.
    public let stepsRoot: Digest
    /// Of the checkpoint after the round: the cloud's back half, an edge's front half after averaging.
    public let artifact: Digest
    public let salt: Digest
    public let lossMicro: UInt64
    /// Where the artefact can be fetched.
    public let location: String

    public init(stepsRoot: Digest, artifact: Digest, salt: Digest, lossMicro: UInt64, location: String) {
        self.stepsRoot = stepsRoot
        self.artifact = artifact
        self.salt = salt
        self.lossMicro = lossMicro
        self.location = location
    }

    /// The commitment that this opens. It names job, round and sender, so that nobody can commit to a copy of
    /// another's result.
    public func commitment(job: Account, round: UInt32, sender: Account) -> JobCommitment {
        JobCommitment(
            commitment: Digest(
                domain: "edgeproof/commit/1",
                parts: job.bytes, round.borsh, sender.bytes, stepsRoot.bytes, artifact.bytes, salt.bytes))
    }

    public func encode(to encoder: inout BorshEncoder) {
        encoder.value(stepsRoot)
        encoder.value(artifact)
        encoder.value(salt)
        encoder.integer(lossMicro)
        encoder.string(location)
    }

    public init(from decoder: inout BorshDecoder) throws(BorshError) {
        stepsRoot = try decoder.value()
        artifact = try decoder.value()
        salt = try decoder.value()
        lossMicro = try decoder.integer()
        location = try decoder.string(limit: Self.longestLocation)
    }
}

/// Data of action 6 with ``PostId/validation(round:)``, from the job's validator.
public struct JobValidation: BorshCodable, Hashable, Sendable {
    /// Accuracy times 10^6, at most 10^6.
    public let metricMicro: UInt64
    public let lossMicro: UInt64
    /// The evaluated model.
    public let checkpoint: Digest

    public init(metricMicro: UInt64, lossMicro: UInt64, checkpoint: Digest) {
        self.metricMicro = metricMicro
        self.lossMicro = lossMicro
        self.checkpoint = checkpoint
    }

    public func encode(to encoder: inout BorshEncoder) {
        encoder.integer(metricMicro)
        encoder.integer(lossMicro)
        encoder.value(checkpoint)
    }

    public init(from decoder: inout BorshDecoder) throws(BorshError) {
        metricMicro = try decoder.integer()
        lossMicro = try decoder.integer()
        checkpoint = try decoder.value()
    }
}

/// Data of action 6 with ``PostId/complaint(round:)``, and of the event `complaint`: an envelope that cannot be
/// opened, or whose content is not what its digest says.
public struct JobComplaint: BorshCodable, Hashable, Sendable {
    public let sender: Account
    public let receiver: Account
    public let step: UInt32
    /// The envelope's commitment.
    public let envelope: Digest

    public init(sender: Account, receiver: Account, step: UInt32, envelope: Digest) {
        self.sender = sender
        self.receiver = receiver
        self.step = step
        self.envelope = envelope
    }

    public func encode(to encoder: inout BorshEncoder) {
        encoder.value(sender)
        encoder.value(receiver)
        encoder.integer(step)
        encoder.value(envelope)
    }

    public init(from decoder: inout BorshDecoder) throws(BorshError) {
        sender = try decoder.value()
        receiver = try decoder.value()
        step = try decoder.integer()
        envelope = try decoder.value()
    }
}

extension PostId {
    /// Items of a job's round: `r<round>/c`, `/r`, `/v`, `/f`.
    public static func commit(round: UInt32) -> PostId { item(round, "c") }
    public static func reveal(round: UInt32) -> PostId { item(round, "r") }
    public static func validation(round: UInt32) -> PostId { item(round, "v") }
    public static func complaint(round: UInt32) -> PostId { item(round, "f") }

    private static func item(_ round: UInt32, _ letter: Character) -> PostId {
        PostId(unchecked: Array("r\(round)/\(letter)".utf8))
    }
}
