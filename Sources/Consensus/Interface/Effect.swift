import Cryptography
import Primitives

/// What the machine asks of its host, to be done in the order given.
///
/// Only ``journal(_:_:)`` must be durable before something else happens, and the machine sees to that itself: what
/// depends on a record comes out of the `step` that takes its ``Input/journalDurable(_:)``.
public enum Effect: Hashable, Sendable {
    /// Append the records in this order, make them durable, then say ``Input/journalDurable(_:)``. One fsync may
    /// serve many tokens. An error must stop the node.
    case journal([JournalRecord], JournalToken)
    case send(ConsensusMessage, to: Peer)
    /// To every other masternode of the set. (Followers are served by the host, from ``notarized(_:)`` and
    /// ``finalized(_:)``.)
    case broadcast(ConsensusMessage)
    case setTimer(TimerId, at: Instant)
    case cancelTimer(TimerId)
    /// This node leads the view. Answer when there is something to order, or else at `heartbeatAt`; the view may
    /// move first, then the answer is ignored. Relay the body when the vote on it is broadcast.
    case propose(ProposalRequest)
    /// Fetch the body where it is missing, check it on its parent, store it durably, answer with
    /// ``Input/verified(view:digest:_:)``. The parent is notarised: the certificate proves it.
    case verify(Proposal, parentCertificate: ParentCertificate)
    /// A block was notarised: it can become final, and its body is worth having. Once a view; not in view order.
    case notarized(Notarization)
    /// This block and all its ancestors are final (rule 7). Views ascend; ancestors between two of these are found
    /// by parent digests.
    case finalized(Finalization)
    /// A masternode contradicted itself (rule 8). Once for each signer and view.
    case evidence(Evidence)
    case enteredView(View, leader: UInt16)
    /// A peer speaks of a later epoch: its messages can't be checked before this node has the border block.
    case epochAhead(Epoch, Peer)
    /// A peer sent what no honest node sends.
    case misbehaviour(Misbehaviour, by: Peer)
    /// This node takes part from here on: it asked the others where they stand (rule 12). The view is the floor of its
    /// votes.
    case takesPart(from: View)
    /// This node may not come back in this epoch: these others, by place, have done so, and together they would be more
    /// than the set tolerates (rule 12).
    case rejoinRefused([UInt16])
    /// This node only observes from now on, for the reason given; it keeps following certificates. The host must
    /// remember it across restarts.
    case observing(ObservingReason)
}

/// What a leader is to build.
public struct ProposalRequest: Hashable, Sendable {
    public let view: View
    public let parent: BlockReference
    /// Goes into the block.
    public let parentCertificate: ParentCertificate
    /// When the heartbeat block is due; in the past where it is overdue.
    public let heartbeatAt: Instant

    public init(view: View, parent: BlockReference, parentCertificate: ParentCertificate, heartbeatAt: Instant) {
        self.view = view
        self.parent = parent
        self.parentCertificate = parentCertificate
        self.heartbeatAt = heartbeatAt
    }
}

public enum Misbehaviour: Hashable, Sendable {
    /// A vote of somebody else (rule 10: sender is signer).
    case notTheSigner
    case wrongSignature
    case forgedCertificate
}

public enum ObservingReason: Hashable, Sendable {
    /// A certificate holds a vote of this node's key that its journal does not know: the journal is an old copy, or
    /// the key is in use elsewhere. Voting on could contradict that vote.
    case voteUnknownToJournal(View)
    /// The consensus key could not sign.
    case signerFailed
}
