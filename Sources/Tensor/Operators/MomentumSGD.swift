import CTensorKernels

/// Stochastic gradient descent with momentum (Polyak's heavy ball, in the form most frameworks use).
public struct MomentumSGD: Sendable, Equatable {
    public let learningRate: Float
    public let momentum: Float

    /// The learning rate must be finite and positive, the momentum in `0..<1` (0 is plain SGD).
    public init(learningRate: Float, momentum: Float) throws(TensorError) {
        guard learningRate.isFinite, learningRate > 0 else {
            throw .hyperparameter("learning rate")
        }
        guard momentum >= 0, momentum < 1 else {
            throw .hyperparameter("momentum")
        }
        self.learningRate = learningRate
        self.momentum = momentum
    }

    /// `velocity = momentum * velocity + gradient`, then `parameters -= learningRate * velocity`, element by element;
    /// without velocities (plain SGD) `parameters -= learningRate * gradient`.
    package func step(
        _ parameters: UnsafeMutablePointer<Float>, velocities: UnsafeMutablePointer<Float>?,
        gradient: UnsafePointer<Float>, count: Int
    ) {
        ept_step(InstructionSet.code, parameters, velocities, gradient, count, learningRate, momentum)
    }
}
