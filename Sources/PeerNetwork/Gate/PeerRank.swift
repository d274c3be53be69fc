import Primitives

/// Which room of the gate a message waits in. The rooms are emptied side by side, by consumers of their own, so that
/// none holds up another; within a room peers take turns.
public enum PeerRank: Int, CaseIterable, Comparable, Sendable {
    /// Votes, certificates and heads of masternodes.
    case urgent
    /// What else masternodes say, and what this node asked for, whoever answers.
    case bulk
    /// What peers without an admitted consensus key say unasked.
    case stranger

    public static func < (lhs: PeerRank, rhs: PeerRank) -> Bool { lhs.rawValue < rhs.rawValue }
}

/// What becomes of a frame whose kind and length are known, and of whose payload nothing was read yet.
public enum FrameJudgement: Equatable, Sendable {
    case take(PeerRank)
    /// The payload is skipped as it comes: it costs no memory. Nil where nobody is to blame.
    case refuse(PeerOffence?)
}

/// Who may say what at the moment: the application's rules for its own kinds of messages.
public protocol FrameGate: Sendable {
    /// Called on the connection's event loop for each frame of an admitted peer; must not wait.
    ///
    /// - Parameter length: of the payload, in bytes.
    func judge(kind: UInt8, length: Int, from peer: PeerIdentity) -> FrameJudgement
    /// The peer has no connection any more.
    func ended(_ peer: PeerId)
}

/// Takes everything; whoever has no consensus key is a stranger.
struct OpenGate: FrameGate {
    func judge(kind: UInt8, length: Int, from peer: PeerIdentity) -> FrameJudgement {
        .take(peer.consensusKey == nil ? .stranger : .bulk)
    }

    func ended(_ peer: PeerId) {}
}
