import Primitives

/// Whether the chain moves, as far as the node sees, and who is there to move it.
public struct LivenessDocument: Codable, Equatable, Sendable {
    public var stalled: Bool
    /// Since a block became final here, or since the node started.
    @DecimalText public var sinceBlockMs: UInt64
    /// A chain without a block for so long stands still: heartbeats come more often.
    @DecimalText public var stallsAfterMs: UInt64
    /// In the epoch's set.
    public var masternodes: Int
    /// Of these: connected with this node, and itself.
    public var reachable: Int
    /// Without so many of them there is no block.
    public var quorum: Int

    public init(
        stalled: Bool, sinceBlockMs: UInt64, stallsAfterMs: UInt64, masternodes: Int, reachable: Int, quorum: Int
    ) {
        self.stalled = stalled
        self.sinceBlockMs = sinceBlockMs
        self.stallsAfterMs = stallsAfterMs
        self.masternodes = masternodes
        self.reachable = reachable
        self.quorum = quorum
    }

    /// What is so and what to do, in one sentence; nil while the chain moves.
    public var problem: String? {
        guard stalled else { return nil }
        let facts =
            "no block for \(sinceBlockMs / 1_000) s; \(reachable) of \(masternodes) masternodes reachable, quorum \(quorum)"
        let missing = quorum - reachable
        let advice =
            missing > 0
            ? "the chain goes on by itself when \(missing) more \(missing == 1 ? "is" : "are") back: start them, or look at their "
                + "logs and at this node's connections ('chain-cli masternode list' shows which are missing)"
            : "a quorum is reachable, so look at the masternodes' logs and clocks: a node whose clock is off can't vote"
        return "\(facts). What to do: \(advice)"
    }
}

/// `GET /health`
public struct HealthDocument: Codable, Equatable, Sendable {
    public enum Status: String, Codable, Sendable { case ok, catchingUp, stalled, damaged }

    public var status: Status
    @DecimalText public var height: UInt64
    /// What is wrong and what to do; absent when all is well.
    public var reason: String?

    public init(status: Status, height: UInt64, reason: String?) {
        self.status = status
        self.height = height
        self.reason = reason
    }
}
