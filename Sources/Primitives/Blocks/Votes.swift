import Cryptography
import Encoding

/// What a vote can be about. Each kind signs under a domain of its own.
public protocol VoteSubject: BorshCodable, Hashable, Sendable {
    static var domain: SigningDomain { get }
    var epoch: Epoch { get }
    var view: View { get }
}

/// A leader's proposal, and the subject of notarize votes (`simplex.md`, messages).
public struct Proposal: VoteSubject {
    public static let domain = SigningDomain.notarize

    public let epoch: Epoch
    public let view: View
    public let parentView: View
    public let parentDigest: Digest
    /// Digest of the proposed block's header.
    public let digest: Digest

    public init(epoch: Epoch, view: View, parentView: View, parentDigest: Digest, digest: Digest) {
        self.epoch = epoch
        self.view = view
        self.parentView = parentView
        self.parentDigest = parentDigest
        self.digest = digest
    }

    public func encode(to encoder: inout BorshEncoder) {
        encoder.value(epoch)
        encoder.value(view)
        encoder.value(parentView)
        encoder.value(parentDigest)
        encoder.value(digest)
    }

    public init(from decoder: inout BorshDecoder) throws(BorshError) {
        epoch = try decoder.value()
        view = try decoder.value()
        parentView = try decoder.value()
        parentDigest = try decoder.value()
        digest = try decoder.value()
    }
}

/// The wish to leave a view without a block.
public struct Nullify: VoteSubject {
    public static let domain = SigningDomain.nullify

    public let epoch: Epoch
    public let view: View

    public init(epoch: Epoch, view: View) {
        self.epoch = epoch
        self.view = view
    }

    public func encode(to encoder: inout BorshEncoder) {
        encoder.value(epoch)
        encoder.value(view)
    }

    public init(from decoder: inout BorshDecoder) throws(BorshError) {
        epoch = try decoder.value()
        view = try decoder.value()
    }
}

/// The promise not to nullify a view whose block was notarised.
public struct Finalize: VoteSubject {
    public static let domain = SigningDomain.finalize

    public let epoch: Epoch
    public let view: View
    public let digest: Digest

    public init(epoch: Epoch, view: View, digest: Digest) {
        self.epoch = epoch
        self.view = view
        self.digest = digest
    }

    public func encode(to encoder: inout BorshEncoder) {
        encoder.value(epoch)
        encoder.value(view)
        encoder.value(digest)
    }

    public init(from decoder: inout BorshDecoder) throws(BorshError) {
        epoch = try decoder.value()
        view = try decoder.value()
        digest = try decoder.value()
    }
}

/// One masternode's vote.
public struct Vote<Subject: VoteSubject>: BorshCodable, Hashable, Sendable {
    public let subject: Subject
    /// Place of the signer in the epoch's masternode set.
    public let signer: UInt16
    public let signature: Signature

    public init(subject: Subject, signer: UInt16, signature: Signature) {
        self.subject = subject
        self.signer = signer
        self.signature = signature
    }

    public func encode(to encoder: inout BorshEncoder) {
        encoder.value(subject)
        encoder.integer(signer)
        encoder.value(signature)
    }

    public init(from decoder: inout BorshDecoder) throws(BorshError) {
        subject = try decoder.value()
        signer = try decoder.integer()
        signature = try decoder.value()
    }
}
