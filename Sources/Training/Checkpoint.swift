public import Cryptography
public import Encoding
public import Tensor

/// The whole state of a job's training between two rounds: both halves with their optimiser's velocities.
public struct Checkpoint: Sendable, Equatable {
    public let front: FrontModel
    public let back: BackModel

    public init(front: FrontModel, back: BackModel) {
        self.front = front
        self.back = back
    }

    /// Where a job starts.
    public static func initial(seed: JobSeed) throws(TensorError) -> Checkpoint {
        Checkpoint(front: try FrontModel(seed: seed), back: try BackModel(seed: seed))
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
        front = try decoder.value()
        back = try decoder.value()
    }
}
