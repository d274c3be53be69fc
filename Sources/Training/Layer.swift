import Encoding
public import Tensor

/// Weights and bias of one layer, and the optimiser's velocities: everything that the next step depends on.
public struct Layer: Sendable, Equatable {
    public internal(set) var weights: FloatTensor
    public internal(set) var bias: FloatTensor
    public internal(set) var weightsVelocity: FloatTensor
    public internal(set) var biasVelocity: FloatTensor

    /// Weights uniform in `-sqrt(6 / fanIn)..<sqrt(6 / fanIn)` (He, for rectified layers) from the stream, in row-major
    /// order; bias and velocities 0.
    init(weights shape: [Int], bias: Int, fanIn: Int, from stream: inout RandomStream) throws(TensorError) {
        let bound = (6 / Float(fanIn)).squareRoot()
        var values: [Float] = []
        for _ in 0..<(try FloatTensor.count(of: shape)) {
            values.append((stream.nextUnit() * 2 - 1) * bound)
        }
        weights = try FloatTensor(shape: shape, elements: values)
        self.bias = try FloatTensor(shape: [bias], repeating: 0)
        weightsVelocity = try FloatTensor(shape: shape, repeating: 0)
        biasVelocity = self.bias
    }

    init(from decoder: inout BorshDecoder, weights: [Int], bias: Int) throws(BorshError) {
        self.weights = try decoder.tensor(shape: weights)
        self.bias = try decoder.tensor(shape: [bias])
        weightsVelocity = try decoder.tensor(shape: weights)
        biasVelocity = try decoder.tensor(shape: [bias])
    }

    func encode(to encoder: inout BorshEncoder) {
        encoder.tensor(weights)
        encoder.tensor(bias)
        encoder.tensor(weightsVelocity)
        encoder.tensor(biasVelocity)
    }

    mutating func step(_ gradient: LayerGradient, optimiser: MomentumSGD) throws(TensorError) {
        try optimiser.step(&weights, velocity: &weightsVelocity, gradient: gradient.weights)
        try optimiser.step(&bias, velocity: &biasVelocity, gradient: gradient.bias)
    }

    var isFinite: Bool {
        weights.isFinite && bias.isFinite && weightsVelocity.isFinite && biasVelocity.isFinite
    }
}

/// The gradients of one layer's parameters.
struct LayerGradient: Sendable {
    let weights: FloatTensor
    let bias: FloatTensor

    init(_ gradients: (weights: FloatTensor, bias: FloatTensor)) {
        (weights, bias) = gradients
    }
}
