#if !hasFeature(Embedded)
import Cryptography
import Encoding
import Primitives

/// The plan of a job that trains the built-in LeNet-5, cut at S2: what stands in ``JobSpec/plan`` of such a job.
public struct JobSplitPlan: BorshCodable, Hashable, Sendable {
    /// Samples of each edge in each step.
    public var batchSize: UInt32
    /// Learning rate times 10^6.
    public var learningRateMicro: UInt32
    /// Initial weights and the order of samples come from it.
    public var seed: Digest
    /// Samples that the validator evaluates on.
    public var validationSamples: UInt32

    public init(batchSize: UInt32, learningRateMicro: UInt32, seed: Digest, validationSamples: UInt32) {
        self.batchSize = batchSize
        self.learningRateMicro = learningRateMicro
        self.seed = seed
        self.validationSamples = validationSamples
    }

    public var problem: String? {
        if batchSize == 0 { return "batchSize is 0" }
        if learningRateMicro == 0 { return "the learning rate is below 0.000001" }
        return nil
    }

    public func encode(to encoder: inout BorshEncoder) {
        encoder.integer(batchSize)
        encoder.integer(learningRateMicro)
        encoder.value(seed)
        encoder.integer(validationSamples)
    }

    public init(from decoder: inout BorshDecoder) throws(BorshError) {
        batchSize = try decoder.integer()
        learningRateMicro = try decoder.integer()
        seed = try decoder.value()
        validationSamples = try decoder.integer()
    }
}
#endif
