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

    /// `velocity = momentum * velocity + gradient`, then `parameters -= learningRate * velocity`, element by element.
    public func step(
        _ parameters: inout FloatTensor, velocity: inout FloatTensor, gradient: FloatTensor
    ) throws(TensorError) {
        guard velocity.shape == parameters.shape else {
            throw .shapeMismatch(operand: "velocity", expected: parameters.shape, found: velocity.shape)
        }
        guard gradient.shape == parameters.shape else {
            throw .shapeMismatch(operand: "gradient", expected: parameters.shape, found: gradient.shape)
        }
        let (rate, momentum) = (learningRate, momentum)
        parameters.withMutableElements { w in
            velocity.withMutableElements { v in
                gradient.withElements { g in
                    for index in 0..<w.count {
                        let speed = momentum * v[index] + g[index]
                        v[index] = speed
                        w[index] -= rate * speed
                    }
                }
            }
        }
    }
}
