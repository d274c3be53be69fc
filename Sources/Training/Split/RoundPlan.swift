public import Tensor

/// What all participants of one round agree on.
public struct RoundPlan: Sendable, Equatable {
    public let seed: JobSeed
    public let round: UInt32
    /// Steps in the round.
    public let steps: UInt32
    /// Samples that each edge draws for a step.
    public let batchSize: Int
    public let optimiser: MomentumSGD
    /// How the cloud joins the edges' boundary values.
    public let join: Join
    /// How boundary values and their gradients travel.
    public let precision: BoundaryPrecision

    /// A gradient message of 1,024 samples takes 4.8 MB, well within an envelope.
    public static let maximumBatch = 1_024
    public static let maximumSteps: UInt32 = 1 << 16

    public init(
        seed: JobSeed, round: UInt32, steps: UInt32, batchSize: Int, optimiser: MomentumSGD, join: Join = .concatenation,
        precision: BoundaryPrecision = .float32
    ) throws(TrainingError) {
        guard (1...Self.maximumSteps).contains(steps) else {
            throw .invalidPlan("\(steps) steps, allowed are 1 to \(Self.maximumSteps)")
        }
        guard (1...Self.maximumBatch).contains(batchSize) else {
            throw .invalidPlan("batches of \(batchSize), allowed are 1 to \(Self.maximumBatch)")
        }
        self.seed = seed
        self.round = round
        self.steps = steps
        self.batchSize = batchSize
        self.optimiser = optimiser
        self.join = join
        self.precision = precision
    }

    /// The positions in its shard that an edge takes for a step, as ``SampleOrder`` gives them.
    public func batchIndices(edge: UInt16, step: UInt32, shardCount: Int) -> [Int] {
        var order = SampleOrder(plan: self, edge: edge, count: shardCount)
        return order.indices(step: step)
    }
}
