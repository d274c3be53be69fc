import Tensor
public import Training

/// How long a model's steps take on this machine, measured.
public enum ModelTiming {
    /// One training step (forward, backward and the optimiser's step) of a whole model or of one part.
    ///
    /// Takes the fastest of the steps that fit into `budget`, at least one after a first that warms up: other programs
    /// only ever make a step slower.
    public static func trainingStep(
        _ spec: ModelSpec, part: Network.Part = .whole, batch: Int, hasMomentum: Bool = true, threads: Int,
        budget: Duration = .milliseconds(500)
    ) throws -> Duration {
        var network = try Network(spec, part: part, seed: .zero, hasMomentum: hasMomentum)
        let optimiser = try MomentumSGD(learningRate: 1e-6, momentum: hasMomentum ? 0.9 : 0)
        let input = try random([batch] + network.inputShape, key: 1)
        let gradient = try random([batch] + network.outputShape, key: 2).scaled(by: 1e-3)
        let clock = ContinuousClock()
        func step() throws -> Duration {
            try clock.measure {
                let pass = try network.forward(input, threads: threads)
                try network.step(
                    pass, outputGradient: gradient, optimiser: optimiser, wantsInputGradient: part == .back,
                    threads: threads)
            }
        }
        let end = clock.now + budget
        _ = try step()
        var best = try step()
        while clock.now < end { best = min(best, try step()) }
        return best
    }

    private static func random(_ shape: [Int], key: UInt64) throws -> FloatTensor {
        var stream = RandomStream(key: key)
        return try FloatTensor(
            shape: shape, elements: (0..<(try FloatTensor.count(of: shape))).map { _ in stream.nextUnit() * 2 - 1 })
    }
}
