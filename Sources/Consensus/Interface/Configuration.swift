import Cryptography
import Primitives

/// What stays fixed while one epoch lasts. A new epoch is a new ``Simplex``.
public struct ConsensusConfiguration: Sendable {
    /// Hash of the genesis; it is in every signature.
    public let genesis: Digest
    public let epoch: Epoch
    public let set: MasternodeSet
    public let leaders: LeaderSchedule
    /// The bound of delta: an upper bound of the network's delay in good times. Leader timer 2 delta, view timer 3.
    public let networkDelayMs: UInt64
    /// Timers adapt to the network that they find, but delta never falls below this.
    public let minimumDelayMs: UInt64
    /// With nothing to order, a block is due this long after the last notarised one.
    public let heartbeatMs: UInt64
    /// Votes are taken for views at most this far from the current one (rule 10).
    public let viewWindow: UInt64
    /// A masternode of whom no vote was heard while this node entered so many views is silent (rule 9).
    public let silenceViews: UInt64

    /// - Parameters:
    ///   - networkDelayMs, heartbeatMs: raised to 1 where 0.
    ///   - viewWindow: in 1...1024.
    ///   - minimumDelayMs: in 1...networkDelayMs; where it is `networkDelayMs`, timers don't adapt. The default leaves
    ///     room for a busy machine's pauses.
    ///   - silenceViews: two rotations of the leaders where nil; raised to one rotation, in which every live masternode
    ///     is heard. `.max` switches rule 9 off for silent leaders.
    public init(
        genesis: Digest, epoch: Epoch, set: MasternodeSet, leaders: LeaderSchedule, networkDelayMs: UInt64,
        heartbeatMs: UInt64, viewWindow: UInt64 = 32, minimumDelayMs: UInt64 = 150, silenceViews: UInt64? = nil
    ) {
        let rotation = UInt64(max(1, set.count))
        self.genesis = genesis
        self.epoch = epoch
        self.set = set
        self.leaders = leaders
        self.networkDelayMs = max(1, networkDelayMs)
        self.heartbeatMs = max(1, heartbeatMs)
        self.viewWindow = min(max(1, viewWindow), 1_024)
        self.minimumDelayMs = min(max(1, minimumDelayMs), self.networkDelayMs)
        self.silenceViews = max(rotation, silenceViews ?? 2 &* rotation)
    }
}

/// Whose machine this is.
public enum Role: Sendable {
    /// A member of the epoch's set, by its place there, with the consensus key.
    case masternode(UInt16, any VoteSigner)
    /// Takes certificates and follows them; never votes, journals nothing.
    case follower
}

/// Signs votes: an Ed25519 key in a network, a keyed hash in most runs of a simulator.
public protocol VoteSigner: Sendable {
    /// - Parameter message: `domain || genesisHash || borsh(subject)`, by ``SigningDomain``.
    func sign(message: [UInt8]) throws -> Signature
}

extension PrivateKey: VoteSigner {}

/// A block as consensus knows it.
public struct BlockReference: Hashable, Sendable, CustomStringConvertible {
    public let view: View
    public let digest: Digest

    public init(view: View, digest: Digest) {
        self.view = view
        self.digest = digest
    }

    public var description: String { "view \(view) \(digest)" }
}

/// The last durable finalisation: what a node starts from.
public enum Floor: Sendable {
    /// The block on which the epoch starts, with view 0. Its proof is `.genesis` for the genesis block, and the
    /// Finalization that the epoch before gave its border block otherwise.
    case start(Digest, proof: ParentCertificate)
    /// A block of this epoch that the block store holds durably, with its own Finalization.
    case finalized(Finalization)

    public var block: BlockReference {
        switch self {
        case .start(let digest, _): BlockReference(view: .zero, digest: digest)
        case .finalized(let certificate): BlockReference(view: certificate.view, digest: certificate.subject.digest)
        }
    }

    /// What a block on top of it carries as its parent's certificate.
    public var proof: ParentCertificate {
        switch self {
        case .start(_, let proof): proof
        case .finalized(let certificate): .finalization(certificate)
        }
    }

    var finalization: Finalization? {
        if case .finalized(let certificate) = self { certificate } else { nil }
    }
}

/// Why a machine can't start.
public enum ConsensusError: Error, Equatable, CustomStringConvertible {
    case notAMember(UInt16)
    case floorOfAnotherEpoch(Epoch)
    case journalOfAnotherSigner(UInt16)
    case journalContradictsItself(View)

    public var description: String {
        switch self {
        case .notAMember(let index): "there is no masternode \(index) in the set"
        case .floorOfAnotherEpoch(let epoch): "the last finalised block is of epoch \(epoch)"
        case .journalOfAnotherSigner(let index): "the vote journal holds votes of masternode \(index)"
        case .journalContradictsItself(let view): "the vote journal contradicts itself in view \(view)"
        }
    }
}
