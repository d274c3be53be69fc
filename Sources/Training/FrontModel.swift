public import Cryptography
public import Encoding
public import Tensor

/// The front of LeNet-5: C1, ReLU and S2, with the optimiser's velocities.
public struct FrontModel: Sendable, Equatable {
    static let weightsShape = [6, 1, 5, 5]

    public internal(set) var c1: Layer

    /// The initial front of a job.
    public init(seed: JobSeed) throws(TensorError) {
        var stream = LeNet5.initialValues(seed: seed, layer: 1)
        c1 = try Layer(weights: Self.weightsShape, bias: 6, fanIn: 25, from: &stream)
    }

    /// What backward needs of a forward pass, and the boundary values that it gave.
    public struct Pass: Sendable {
        let images: FloatTensor
        let rectified: FloatTensor
        /// `[N, 6, 14, 14]`: what travels.
        public let boundary: FloatTensor
    }

    /// For images `[N, 1, 32, 32]`.
    public func forward(_ images: FloatTensor, threads: Int = 1) throws(TensorError) -> Pass {
        let rectified = Rectifier.forward(
            try Convolution.forward(images, weights: c1.weights, bias: c1.bias, threads: threads))
        return Pass(images: images, rectified: rectified, boundary: try AveragePooling.forward(rectified))
    }

    /// One step down the gradient that came back for the boundary values of `pass`.
    public mutating func step(
        _ pass: Pass, boundaryGradient: FloatTensor, optimiser: MomentumSGD, threads: Int = 1
    ) throws(TensorError) {
        let gradient = try Rectifier.backward(
            gradient: AveragePooling.backward(gradient: boundaryGradient), output: pass.rectified)
        let parameters = try Convolution.backwardParameters(input: pass.images, gradient: gradient, threads: threads)
        try c1.step(LayerGradient(parameters), optimiser: optimiser)
    }

    public var isFinite: Bool { c1.isFinite }

    /// SHA-256 under a domain of its own over the canonical bytes, velocities included: an edge's artifact of a round.
    public var digest: Digest { Digest(domain: "edgeproof/lenet5-front/1", parts: borsh) }
}

/// Canonical bytes: weights, bias, velocity of the weights, velocity of the bias.
extension FrontModel: BorshCodable {
    public func encode(to encoder: inout BorshEncoder) { c1.encode(to: &encoder) }

    public init(from decoder: inout BorshDecoder) throws(BorshError) {
        c1 = try Layer(from: &decoder, weights: Self.weightsShape, bias: 6)
    }
}
