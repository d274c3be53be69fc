import Cryptography
import Primitives

/// What the host tells the machine. The host calls ``Simplex/step(_:now:)`` from one place, one input at a time.
public enum Input: Sendable {
    /// Once, before anything else; inputs that come earlier are ignored.
    case start
    case message(ConsensusMessage, from: Peer)
    /// A connection stands (again): what was sent to this peer before may be lost.
    case peerConnected(Peer)
    /// A timer that ``Effect/setTimer(_:at:)`` set has run out. Early and stale ones do no harm.
    case timer(TimerId)
    /// The answer to ``Effect/propose(_:)``: a block on the parent that was asked for, whose body is durable here.
    case proposed(view: View, digest: Digest)
    /// The answer to ``Effect/propose(_:)`` when no block can be made: the view is given up at once.
    case declined(view: View)
    /// The answer to ``Effect/verify(_:parentCertificate:)``. Not given while data is missing.
    case verified(view: View, digest: Digest, Verdict)
    /// Whether anything waits to be ordered: a transaction, a due call, a state change that no block certifies yet.
    case workPending(Bool)
    /// Every record up to and including this token's ``Effect/journal(_:_:)`` is on the disk.
    case journalDurable(JournalToken)
}

/// The application's judgement of a proposed block.
public enum Verdict: Hashable, Sendable {
    /// The body is durable here and valid on its parent.
    case valid
    /// No honest node can find it valid. (Missing data, or a time slightly ahead, is no verdict: wait.)
    case invalid
}

/// A connected node, by what its connection proved of it.
public enum Peer: Hashable, Sendable, CustomStringConvertible {
    /// Place in the epoch's set, bound to the consensus key by the handshake.
    case masternode(UInt16)
    /// Any other node; the host numbers its connections.
    case follower(UInt64)

    public var description: String {
        switch self {
        case .masternode(let index): "masternode \(index)"
        case .follower(let number): "follower \(number)"
        }
    }
}

/// The machine's timers. Each runs at most once at a time; setting it again replaces it.
public enum TimerId: Hashable, Sendable, CaseIterable {
    /// No proposal from the leader (rule 1), or none to be waited for (rule 9).
    case leader
    /// No certificate of the view (rule 1).
    case view
    /// Repeat the nullify vote (rule 5).
    case nullifyAgain
    /// Repeat a request for missing certificates.
    case fetch
    /// Ask the others again where they stand (rule 12).
    case inquire
}

/// Names a ``Effect/journal(_:_:)``; ascending.
public struct JournalToken: Hashable, Comparable, Sendable {
    public let value: UInt64
    public init(_ value: UInt64) { self.value = value }
    public static func < (lhs: JournalToken, rhs: JournalToken) -> Bool { lhs.value < rhs.value }
    var next: JournalToken { JournalToken(value &+ 1) }
}
