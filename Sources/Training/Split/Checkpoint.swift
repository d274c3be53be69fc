public import Cryptography
public import Encoding

/// The whole state of a split job's training between two rounds: both halves with their optimiser's velocities.
/// (Fog learning has no halves: its state is a `Network`.)
public struct Checkpoint: Sendable, Equatable {
    public let front: Network
    public let back: Network

    /// Two parts of one model; ``CloudRound`` checks that they are.
    public init(front: Network, back: Network) {
        self.front = front
        self.back = back
    }

    /// Where a job starts.
    public static func initial(_ spec: ModelSpec = LeNet5.spec, seed: JobSeed) throws(TrainingError) -> Checkpoint {
        Checkpoint(
            front: try Network(spec, part: .front, seed: seed), back: try Network(spec, part: .back, seed: seed))
    }

    /// Both halves as one network.
    public var network: Network {
        get throws(TrainingError) { try Network(front: front, back: back) }
    }

    public var isFinite: Bool { front.isFinite && back.isFinite }

    /// A function of the two halves' digests, so that the artifacts which the edges and the cloud reveal on the chain
    /// can be checked against the checkpoint which the validator names, by anybody and without the model.
    public var digest: Digest { Self.digest(front: front.digest, back: back.digest) }

    public static func digest(front: Digest, back: Digest) -> Digest {
        Digest(domain: "edgeproof/checkpoint/1", parts: front.bytes, back.bytes)
    }
}

/// Canonical bytes: the front, then the back.
extension Checkpoint: BorshCodable {
    public func encode(to encoder: inout BorshEncoder) {
        encoder.value(front)
        encoder.value(back)
    }

    public init(from decoder: inout BorshDecoder) throws(BorshError) {
        let start = decoder.offset
        front = try decoder.value()
        back = try decoder.value()
        guard front.part == .front, back.part == .back, front.spec == back.spec else {
            throw BorshError(.notCanonical("these are not the front and the back of one model"), at: start)
        }
    }
}
