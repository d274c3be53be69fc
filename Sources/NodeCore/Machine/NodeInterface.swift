import Consensus
import Cryptography
import Primitives

/// The two clocks of a host at one instant.
public struct NodeClock: Sendable {
    /// For timers.
    public let monotonic: Instant
    /// For header times.
    public let wall: Time

    public init(monotonic: Instant, wall: Time) {
        self.monotonic = monotonic
        self.wall = wall
    }
}

/// What the host tells the machine. Submissions and reads are methods of ``NodeMachine``, since they have answers.
public enum NodeInput: Sendable {
    /// Once, before anything else.
    case start
    case connected(NodePeer)
    case disconnected(NodePeer)
    case message(NodeMessage, from: NodePeer)
    case timer(NodeTimer)
    /// The records of ``NodeOutput/journal(_:_:)`` up to this token are on the disk.
    case journalDurable(JournalToken)
    /// The blocks of ``NodeOutput/commit(_:)`` up to this height are in the store.
    case committed(Height)
    /// The answer to ``NodeOutput/makeBeacon(generation:)``.
    case beaconMade(generation: UInt32, BeaconChain)
}

/// What the machine asks of its host, to be done in the order given.
public enum NodeOutput: Sendable {
    case send(NodeMessage, to: NodePeer)
    case broadcast(NodeMessage, to: Audience)
    case setTimer(NodeTimer, at: Instant)
    case cancelTimer(NodeTimer)
    /// Append, sync, then answer with `journalDurable`.
    case journal([JournalEntry], JournalToken)
    /// Replace the journal's content. Later `journal` outputs append to the new content.
    case rewriteJournal([JournalEntry])
    /// One synced batch, then answer with `committed`.
    case commit([Commit])
    /// Make this node's hash chain of the generation, beside everything else since it takes a second, and answer with
    /// `beaconMade`.
    case makeBeacon(generation: UInt32)
    /// The new durable head: what the API may now speak of.
    case published(PublishedBlock)
    /// Connections that prove one of these consensus keys are masternodes' from now on, all others followers'.
    case admit([PublicKey])
    case note(Note)
    /// Going on could harm: the host logs the reason and stops the process.
    case halt(String)
}

public enum Audience: Sendable { case masternodes, followers, everyone }

public enum NodeTimer: Hashable, Sendable {
    case consensus(TimerId)
    /// A header's time, a heartbeat or a scheduled call comes due.
    case due
    /// Housekeeping: asks again for what is missing, tells peers the head.
    case tick
}

/// What operators should hear of.
public enum Note: Sendable {
    case enteredView(View, leader: UInt16)
    case offence(NodePeer, Offence)
    case evidence(Evidence)
    /// Why this masternode does not vote, and what its operator can do.
    case observing(String)
    /// It knows of no votes of its key, and asks the other masternodes where they stand before it votes.
    case asking
    /// It votes from here on: it has asked the others.
    case takesPart(View)
    /// Its hash chain nears its end: a transaction with a new one is on its way.
    case renewsBeacon(remaining: Int)
    /// It may not come back now: these masternodes have lost votes too.
    case rejoinRefused([String])
    case enteredEpoch(Epoch, members: Int, isMember: Bool)
    /// Governance accepted a version of the protocol that this program does not know.
    case upgradeAhead(UInt16, from: Epoch)
    case rejectedProposal(View, String)
    case catchingUp(from: Height, to: Height)
}

/// A block that just became final and durable here.
public struct PublishedBlock: Sendable {
    public let height: Height
    public let digest: Digest
    public let time: Time
    public let transactionIds: [TransactionId]

    package init(height: Height, digest: Digest, time: Time, transactionIds: [TransactionId]) {
        self.height = height
        self.digest = digest
        self.time = time
        self.transactionIds = transactionIds
    }
}
