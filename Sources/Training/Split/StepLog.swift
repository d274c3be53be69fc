public import Cryptography

/// The commitments of the envelopes that one participant sent in one round, in the order of sending: the leaves of the
/// RFC 9162 tree whose root is its `stepsRoot`. So any step can be asked for, and proven, later.
public struct StepLog: Sendable, Equatable {
    public private(set) var commitments: [Digest] = []
    /// Messages that the round told its caller to send.
    var expected = 0

    public init() {}

    mutating func record(_ commitment: Digest) throws(TrainingError) {
        guard commitments.count < expected else {
            throw .unexpectedEvent("a commitment without a message")
        }
        commitments.append(commitment)
    }

    /// The root, once each message has its commitment.
    func root() throws(TrainingError) -> Digest {
        guard commitments.count == expected else {
            throw .commitmentsMissing(expected: expected, found: commitments.count)
        }
        return MerkleLog.root(commitments.map { MerkleLog.leafHash($0.bytes) })
    }

    /// The audit path of one commitment.
    public func proof(index: Int) -> [Digest]? {
        MerkleLog.inclusionProof(commitments.map { MerkleLog.leafHash($0.bytes) }, index: index)
    }
}

/// What a participant commits to, and reveals, at the end of a round.
public struct RoundResult: Sendable, Equatable {
    /// Root over the commitments of the envelopes that it sent.
    public let stepsRoot: Digest
    /// Digest of its half of the model after the round: an edge's front after averaging, the cloud's back.
    public let artifact: Digest
    /// Mean over the steps of the mean loss: an edge's over its own samples, the cloud's over all.
    public let meanLoss: Double
    public let log: StepLog

    public var lossMicro: UInt64 { Micro.of(meanLoss) }
}
