import Tensor

/// What training a model, or one part of it, takes: said before any money is spent.
public struct ModelForecast: Sendable, Hashable {
    public let parameters: Int
    /// Products and sums of the forward pass of one sample.
    public let forwardMultiplyAdds: Int
    /// Of forward and backward of one sample: the forward sums, those of the parameters' gradients, and those of the
    /// inputs' gradients, which the first layer of a whole model or a front does not need.
    public let trainingMultiplyAdds: Int
    /// Bytes of memory during a step: parameters, velocities, the batch's activations, and the largest gradients that
    /// exist at the same time. Scratch space of single operators and the program itself come on top.
    public let trainingMemory: Int
}

/// Payload bytes between one worker and the cloud in one round. Envelopes add about 300 bytes to each message.
public struct RoundTraffic: Sendable, Hashable {
    /// From the worker, and to it.
    public let up: Int
    public let down: Int
    /// Messages in both directions together.
    public let messages: Int
}

extension ModelSpec {
    /// - Parameter batch: samples in a step.
    public func forecast(
        _ part: Network.Part = .whole, batch: Int, hasMomentum: Bool = true
    ) throws(TrainingError) -> ModelForecast {
        guard (1...RoundPlan.maximumBatch).contains(batch) else {
            throw .invalidPlan("batches of \(batch), allowed are 1 to \(RoundPlan.maximumBatch)")
        }
        let layers: ArraySlice<LayerGeometry>
        let all: [LayerGeometry]
        do { all = try examine() } catch { throw .model(error.description) }
        switch (part, cut) {
        case (.whole, _): layers = all[...]
        case (.front, let cut?): layers = all[..<cut]
        case (.back, let cut?): layers = all[cut...]
        case (_, nil): throw .model("it has no cut")
        }
        let program = try computing { () throws(TensorError) in
            try NetworkProgram(all, range: layers.startIndex..<layers.endIndex)
        }
        let parameters = layers.reduce(0) { $0 + $1.parameterCount }
        let forward = layers.reduce(0) { $0 + $1.multiplyAdds }
        let first = part == .back ? 0 : layers.first { !$0.tensors.isEmpty }?.multiplyAdds ?? 0
        return ModelForecast(
            parameters: parameters, forwardMultiplyAdds: forward, trainingMultiplyAdds: 3 * forward - first,
            trainingMemory: 4 * (parameters * (hasMomentum ? 2 : 1) + program.activationFloats(samples: batch)))
    }

    /// Split learning: boundary values and labels up, their gradients down in each step; once a round the front's
    /// difference up and the mean down, with velocities where there is momentum.
    ///
    /// - Parameter precision: of a boundary value and a gradient on the wire.
    public func splitTraffic(
        batch: Int, steps: Int, precision: BoundaryPrecision = .float32, hasMomentum: Bool = true
    ) throws(TrainingError) -> RoundTraffic {
        let forecast = try forecast(.front, batch: batch, hasMomentum: hasMomentum)
        guard (1...Int(RoundPlan.maximumSteps)).contains(steps) else { throw .invalidPlan("\(steps) steps") }
        guard let boundary = try? boundary else { throw .model("it has no cut") }
        // Round, step; precision, rank, sizes and values (`BoundaryCodec`).
        let values = boundary.reduce(1, *)
        let bytesOfSample =
            switch precision {
            case .float32: 4 * values
            case .bits16: 2 * values
            case .bits8: values + 8
            }
        let tensor = 8 + 2 + 4 * (boundary.count + 1) + batch * bytesOfSample
        let update = 8 + 8 + 4 * forecast.parameters * (hasMomentum ? 2 : 1)
        return RoundTraffic(
            up: steps * (tensor + 4 + batch) + update, down: steps * (tensor + 8) + update, messages: 2 * steps + 2)
    }

    /// Fog learning and its baselines: the model's parameters down, a difference of that size up.
    public var exchangeTraffic: RoundTraffic {
        get throws(TrainingError) {
            let count: Int
            do { count = try parameterCount } catch { throw .model(error.description) }
            return RoundTraffic(up: 4 * count, down: 4 * count, messages: 2)
        }
    }
}

extension NetworkProgram {
    /// Floats of all values that a forward pass keeps for the way back, and of the two largest neighbouring gradients.
    func activationFloats(samples: Int) -> Int {
        var kept = valueLayouts.first?.floats(samples: samples) ?? 0
        for (index, operation) in operations.enumerated() {
            switch operation {
            case .convolution, .dense, .pooling: kept += valueLayouts[index + 1].floats(samples: samples)
            case .activation, .flatten: break
            }
        }
        let gradients = gradientLayouts.map { $0.floats(samples: samples) }
        let pair = zip(gradients, gradients.dropFirst()).map { $0 + $1 }.max() ?? gradients.first ?? 0
        return kept + pair
    }
}
