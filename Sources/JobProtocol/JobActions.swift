#if !hasFeature(Embedded)
import Cryptography
import Encoding
import Primitives
#endif

/// Data of action 5 on a job: apply for a place. The transaction's value is the job's bond, for clouds and workers.
public struct JobApplication: JobValue {
    /// Cloud, device, or what the protocol's workers are (edge, fog).
    public let role: Role
    public let samples: UInt32
    /// The worker that a device sends to; zero for all others.
    public let parent: Account

    public init(role: Role, samples: UInt32, parent: Account = .zero) {
        self.role = role
        self.samples = samples
        self.parent = parent
    }

    public func encode(to encoder: inout BorshEncoder) {
        encoder.value(role)
        encoder.integer(samples)
        encoder.value(parent)
    }

    public init(from decoder: inout BorshDecoder) throws(BorshError) {
        role = try decoder.value()
        samples = try decoder.integer()
        parent = try decoder.value()
    }
}

/// Data of action 2 on a job: how to reach and whom to seal for. Sent again whenever the key rotates or the endpoint
/// moves.
public struct JobIdentity: JobValue {
    public static let longestEndpoint = 128

    public let kemPublicKey: KEMPublicKey
    /// host:port in printable ASCII, 1 to ``longestEndpoint`` bytes.
    public let endpoint: JobText

    public init(kemPublicKey: KEMPublicKey, endpoint: JobText) {
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

/// Data of action 6 with ``PostId/commit(round:)`` and ``PostId/scoreCommit(round:)``: the digest of what is revealed
/// later.
public struct JobCommitment: JobValue {
    public let commitment: Digest

    public init(commitment: Digest) { self.commitment = commitment }

    public func encode(to encoder: inout BorshEncoder) { encoder.value(commitment) }
    public init(from decoder: inout BorshDecoder) throws(BorshError) { commitment = try decoder.value() }
}

/// What the cloud says about one worker of the round, in its reveal.
public struct JobPartner: JobValue {
    public enum Use: UInt8, Sendable, CaseIterable {
        /// Its work went into the new model.
        case used
        /// Received, and left out: an outlier of the aggregate, or too late.
        case leftOut
    }

    /// The worker's place.
    public let index: UInt16
    /// Envelopes that came from it in the round.
    public let envelopes: UInt32
    /// RFC 9162 root over their commitments, in the order in which they came: the worker's own `stepsRoot` when both
    /// saw the same.
    public let root: Digest
    public let use: Use

    public init(index: UInt16, envelopes: UInt32, root: Digest, use: Use) {
        self.index = index
        self.envelopes = envelopes
        self.root = root
        self.use = use
    }

    public func encode(to encoder: inout BorshEncoder) {
        encoder.integer(index)
        encoder.integer(envelopes)
        encoder.value(root)
        encoder.integer(use.rawValue)
    }

    public init(from decoder: inout BorshDecoder) throws(BorshError) {
        index = try decoder.integer()
        envelopes = try decoder.integer()
        root = try decoder.value()
        use = try decoder.tag()
    }
}

/// Data of action 6 with ``PostId/reveal(round:)``.
public struct JobReveal: JobValue {
    public static let longestLocation = 128
    public static let mostPartners = 64

    /// RFC 9162 root over the commitments of the envelopes that this participant sent in the round.
    public let stepsRoot: Digest
    /// Of the model after the round. Split: the cloud's back half, an edge's front half after averaging. Fog: the
    /// cloud's new weights, a fog node's weight difference.
    public let artifact: Digest
    /// The cloud's: every worker that it heard, by ascending place. A worker's: empty.
    public let partners: [JobPartner]
    public let lossMicro: UInt64
    /// Where the artefact can be fetched.
    public let location: JobText
    public let salt: Digest

    public init(
        stepsRoot: Digest, artifact: Digest, partners: [JobPartner] = [], lossMicro: UInt64, location: JobText,
        salt: Digest
    ) {
        self.stepsRoot = stepsRoot
        self.artifact = artifact
        self.partners = partners
        self.lossMicro = lossMicro
        self.location = location
        self.salt = salt
    }

    /// The commitment that this opens: SHA-256 of "edgeproof/commit/2", the job's contract, the round that the work
    /// started from, the sender, and the whole reveal. It names job, round and sender, so that a copy of another's
    /// opens to nothing.
    public func commitment(job: Account, round: UInt32, sender: Account) -> JobCommitment {
        JobCommitment(
            commitment: jobDigest("edgeproof/commit/2") { encoder in
                encoder.value(job)
                encoder.integer(round)
                encoder.value(sender)
                encoder.value(self)
            })
    }

    public func encode(to encoder: inout BorshEncoder) {
        encoder.value(stepsRoot)
        encoder.value(artifact)
        encoder.array(partners)
        encoder.integer(lossMicro)
        encoder.string(location)
        encoder.value(salt)
    }

    public init(from decoder: inout BorshDecoder) throws(BorshError) {
        stepsRoot = try decoder.value()
        artifact = try decoder.value()
        partners = try decoder.array(limit: Self.mostPartners, smallestElement: 39)
        lossMicro = try decoder.integer()
        location = try decoder.string(limit: Self.longestLocation)
        salt = try decoder.value()
    }
}

/// Data of action 6 with ``PostId/validation(round:)``, from a member of the committee.
public struct JobValidation: JobValue {
    /// Accuracy times 10^6, at most 10^6.
    public let metricMicro: UInt64
    public let lossMicro: UInt64
    /// The evaluated model. Split: ``jobCheckpoint(front:back:)``. Fog: the digest of the cloud's new weights.
    public let checkpoint: Digest
    /// Slots whose update made the model worse when it was left in.
    public let outliers: JobSlots
    /// Slots whose work was re-executed, and matched.
    public let audited: JobSlots
    /// Slots whose complaint in this round was unfounded.
    public let unfounded: JobSlots
    /// Hides the score until all have committed; zero in a committee of one.
    public let salt: Digest

    public init(
        metricMicro: UInt64, lossMicro: UInt64, checkpoint: Digest, outliers: JobSlots = JobSlots(),
        audited: JobSlots = JobSlots(), unfounded: JobSlots = JobSlots(), salt: Digest = .zero
    ) {
        self.metricMicro = metricMicro
        self.lossMicro = lossMicro
        self.checkpoint = checkpoint
        self.outliers = outliers
        self.audited = audited
        self.unfounded = unfounded
        self.salt = salt
    }

    /// What a member of a committee of several commits to before anybody's score is known.
    public func commitment(job: Account, round: UInt32, sender: Account) -> JobCommitment {
        JobCommitment(
            commitment: jobDigest("edgeproof/score/1") { encoder in
                encoder.value(job)
                encoder.integer(round)
                encoder.value(sender)
                encoder.value(self)
            })
    }

    public func encode(to encoder: inout BorshEncoder) {
        encoder.integer(metricMicro)
        encoder.integer(lossMicro)
        encoder.value(checkpoint)
        encoder.value(outliers)
        encoder.value(audited)
        encoder.value(unfounded)
        encoder.value(salt)
    }

    public init(from decoder: inout BorshDecoder) throws(BorshError) {
        metricMicro = try decoder.integer()
        lossMicro = try decoder.integer()
        checkpoint = try decoder.value()
        outliers = try decoder.value()
        audited = try decoder.value()
        unfounded = try decoder.value()
        salt = try decoder.value()
    }
}

/// Data of action 6 with ``PostId/complaint(round:)``: the receiver of an envelope could not open it, or found another
/// payload than its commitment says. It carries the sender's signature, so nobody is accused of what he did not send.
public struct JobComplaint: JobValue {
    public static let longestContext = 256

    public let sender: Account
    public let step: UInt32
    /// The envelope's commitment c.
    public let envelope: Digest
    /// Borsh of the envelope's context: genesis hash, job, round and step first (32, 32, 4, 4 bytes); the sender's
    /// account and the receiver's KEM key last (32 bytes each).
    public let context: JobBytes
    /// SHA-256 of encapsulated key and ciphertext.
    public let sealed: Digest
    /// The sender's, in two halves of 32 bytes.
    public let signatureStart: Digest
    public let signatureEnd: Digest

    public init(
        sender: Account, step: UInt32, envelope: Digest, context: JobBytes, sealed: Digest, signatureStart: Digest,
        signatureEnd: Digest
    ) {
        self.sender = sender
        self.step = step
        self.envelope = envelope
        self.context = context
        self.sealed = sealed
        self.signatureStart = signatureStart
        self.signatureEnd = signatureEnd
    }

    public func encode(to encoder: inout BorshEncoder) {
        encoder.value(sender)
        encoder.integer(step)
        encoder.value(envelope)
        encoder.variable(context)
        encoder.value(sealed)
        encoder.value(signatureStart)
        encoder.value(signatureEnd)
    }

    public init(from decoder: inout BorshDecoder) throws(BorshError) {
        sender = try decoder.value()
        step = try decoder.integer()
        envelope = try decoder.value()
        context = try decoder.variable(limit: Self.longestContext)
        sealed = try decoder.value()
        signatureStart = try decoder.value()
        signatureEnd = try decoder.value()
    }
}

/// Data of action 6 with ``PostId/opening(round:)``: the accused sender's answer. The contract checks
/// c = SHA-256(context digest || payload digest || salt); the payload itself goes to the committee.
public struct JobOpening: JobValue {
    public let complainer: Account
    /// SHA-256 of the payload.
    public let payload: Digest
    public let salt: Digest

    public init(complainer: Account, payload: Digest, salt: Digest) {
        self.complainer = complainer
        self.payload = payload
        self.salt = salt
    }

    public func encode(to encoder: inout BorshEncoder) {
        encoder.value(complainer)
        encoder.value(payload)
        encoder.value(salt)
    }

    public init(from decoder: inout BorshDecoder) throws(BorshError) {
        complainer = try decoder.value()
        payload = try decoder.value()
        salt = try decoder.value()
    }
}

/// Data of action 7 when the owner releases a worker; a worker that leaves sends none.
public struct JobRelease: JobValue {
    public let account: Account

    public init(account: Account) { self.account = account }

    public func encode(to encoder: inout BorshEncoder) { encoder.value(account) }
    public init(from decoder: inout BorshDecoder) throws(BorshError) { account = try decoder.value() }
}

/// The digest of a split job's model: a function of its halves' digests, so that what edges and cloud reveal can be
/// checked against what the committee evaluated, by anybody and without the model.
public func jobCheckpoint(front: Digest, back: Digest) -> Digest {
    jobDigest("edgeproof/checkpoint/1") { encoder in
        encoder.value(front)
        encoder.value(back)
    }
}

#if !hasFeature(Embedded)
/// SHA-256 of an ASCII domain and what `body` writes.
package func jobDigest(_ domain: StaticString, _ body: (inout BorshEncoder) -> Void) -> Digest {
    var encoder = BorshEncoder(reserving: 256)
    encoder.fixed(domain.description.utf8)
    body(&encoder)
    return Digest(sha256: encoder.bytes)
}

extension PostId {
    /// Items of a job's round: `r<round>/` and a letter.
    public static func commit(round: UInt32) -> PostId { item(round, .commit) }
    public static func reveal(round: UInt32) -> PostId { item(round, .reveal) }
    public static func scoreCommit(round: UInt32) -> PostId { item(round, .scoreCommit) }
    public static func validation(round: UInt32) -> PostId { item(round, .validation) }
    public static func complaint(round: UInt32) -> PostId { item(round, .complaint) }
    public static func opening(round: UInt32) -> PostId { item(round, .opening) }

    private static func item(_ round: UInt32, _ item: JobItem) -> PostId {
        PostId(unchecked: Array("r\(round)/".utf8) + [item.rawValue])
    }
}
#endif

/// What of a round a `postId` names: its last letter.
public enum JobItem: UInt8, Sendable, CaseIterable {
    /// c
    case commit = 0x63
    /// r
    case reveal = 0x72
    /// e
    case scoreCommit = 0x65
    /// v
    case validation = 0x76
    /// f
    case complaint = 0x66
    /// o
    case opening = 0x6F

    public var name: StaticString {
        switch self {
        case .commit: "commit"
        case .reveal: "reveal"
        case .scoreCommit: "commitment to a score"
        case .validation: "validation"
        case .complaint: "complaint"
        case .opening: "opening"
        }
    }
}
