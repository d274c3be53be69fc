public import Cryptography
public import Encoding
public import Tensor

/// The back of LeNet-5: C3, S4, C5, F6 and the output, with the optimiser's velocities.
public struct BackModel: Sendable, Equatable {
    private static let c3Shape = [16, 6, 5, 5]
    private static let c5Shape = [400, 120]
    private static let f6Shape = [120, 84]
    private static let outputShape = [84, 10]

    public internal(set) var c3: Layer
    public internal(set) var c5: Layer
    public internal(set) var f6: Layer
    public internal(set) var output: Layer

    /// The initial back of a job.
    public init(seed: JobSeed) throws(TensorError) {
        var third = LeNet5.initialValues(seed: seed, layer: 3)
        c3 = try Layer(weights: Self.c3Shape, bias: 16, fanIn: 150, from: &third)
        var fifth = LeNet5.initialValues(seed: seed, layer: 5)
        c5 = try Layer(weights: Self.c5Shape, bias: 120, fanIn: 400, from: &fifth)
        var sixth = LeNet5.initialValues(seed: seed, layer: 6)
        f6 = try Layer(weights: Self.f6Shape, bias: 84, fanIn: 120, from: &sixth)
        var last = LeNet5.initialValues(seed: seed, layer: 7)
        output = try Layer(weights: Self.outputShape, bias: 10, fanIn: 84, from: &last)
    }

    /// What backward needs of a forward pass, and the logits that it gave.
    public struct Pass: Sendable {
        let boundary: FloatTensor
        let rectified3: FloatTensor
        let pooled4: FloatTensor
        let rectified5: FloatTensor
        let rectified6: FloatTensor
        /// `[N, 10]`.
        public let logits: FloatTensor
    }

    /// For boundary values `[N, 6, 14, 14]`.
    public func forward(_ boundary: FloatTensor, threads: Int = 1) throws(TensorError) -> Pass {
        let rectified3 = Rectifier.forward(
            try Convolution.forward(boundary, weights: c3.weights, bias: c3.bias, threads: threads))
        let pooled4 = try AveragePooling.forward(rectified3).reshaped(to: [boundary.samples, 400])
        let rectified5 = Rectifier.forward(
            try Dense.forward(pooled4, weights: c5.weights, bias: c5.bias, threads: threads))
        let rectified6 = Rectifier.forward(
            try Dense.forward(rectified5, weights: f6.weights, bias: f6.bias, threads: threads))
        let logits = try Dense.forward(rectified6, weights: output.weights, bias: output.bias, threads: threads)
        return Pass(
            boundary: boundary, rectified3: rectified3, pooled4: pooled4, rectified5: rectified5,
            rectified6: rectified6, logits: logits)
    }

    /// One step down the gradient with respect to the logits of `pass`.
    ///
    /// Returns the gradient with respect to the boundary values, at the parameters before the step.
    public mutating func step(
        _ pass: Pass, logitsGradient: FloatTensor, optimiser: MomentumSGD, threads: Int = 1
    ) throws(TensorError) -> FloatTensor {
        let outputGradient = try Dense.backwardParameters(
            input: pass.rectified6, gradient: logitsGradient, threads: threads)
        let gradient6 = try Rectifier.backward(
            gradient: Dense.backwardInput(gradient: logitsGradient, weights: output.weights, threads: threads),
            output: pass.rectified6)
        let f6Gradient = try Dense.backwardParameters(input: pass.rectified5, gradient: gradient6, threads: threads)
        let gradient5 = try Rectifier.backward(
            gradient: Dense.backwardInput(gradient: gradient6, weights: f6.weights, threads: threads),
            output: pass.rectified5)
        let c5Gradient = try Dense.backwardParameters(input: pass.pooled4, gradient: gradient5, threads: threads)
        let pooledGradient = try Dense.backwardInput(gradient: gradient5, weights: c5.weights, threads: threads)
            .reshaped(to: [pass.boundary.samples, 16, 5, 5])
        let gradient3 = try Rectifier.backward(
            gradient: AveragePooling.backward(gradient: pooledGradient), output: pass.rectified3)
        let c3Gradient = try Convolution.backwardParameters(
            input: pass.boundary, gradient: gradient3, threads: threads)
        let boundaryGradient = try Convolution.backwardInput(
            gradient: gradient3, weights: c3.weights, threads: threads)

        try c3.step(LayerGradient(c3Gradient), optimiser: optimiser)
        try c5.step(LayerGradient(c5Gradient), optimiser: optimiser)
        try f6.step(LayerGradient(f6Gradient), optimiser: optimiser)
        try output.step(LayerGradient(outputGradient), optimiser: optimiser)
        return boundaryGradient
    }

    public var isFinite: Bool { c3.isFinite && c5.isFinite && f6.isFinite && output.isFinite }

    /// SHA-256 under a domain of its own over the canonical bytes, velocities included: the cloud's artifact of a round.
    public var digest: Digest { Digest(domain: "edgeproof/lenet5-back/1", parts: borsh) }
}

/// Canonical bytes: C3, C5, F6, output; of each its weights, bias, velocity of the weights, velocity of the bias.
extension BackModel: BorshCodable {
    public func encode(to encoder: inout BorshEncoder) {
        c3.encode(to: &encoder)
        c5.encode(to: &encoder)
        f6.encode(to: &encoder)
        output.encode(to: &encoder)
    }

    public init(from decoder: inout BorshDecoder) throws(BorshError) {
        c3 = try Layer(from: &decoder, weights: Self.c3Shape, bias: 16)
        c5 = try Layer(from: &decoder, weights: Self.c5Shape, bias: 120)
        f6 = try Layer(from: &decoder, weights: Self.f6Shape, bias: 84)
        output = try Layer(from: &decoder, weights: Self.outputShape, bias: 10)
    }
}
