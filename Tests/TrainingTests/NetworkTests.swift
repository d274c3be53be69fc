import Cryptography
import Encoding
import Tensor
import Testing
import Training

@Suite(.timeLimit(.minutes(20))) struct NetworkTests {
    /// Every kind of layer, with halos between padded convolutions and behind pooling, a strided convolution in the
    /// middle, and activations that are fused and that are not.
    static let varied = ModelSpec(
        input: [2, 12, 11],
        layers: [
            .convolution(ConvolutionLayer(name: "a", filters: 5, kernel: Extent(3), padding: .same)), .activation(.tanh),
            .maximumPooling(PoolingLayer(size: Extent(2))),
            .convolution(ConvolutionLayer(filters: 6, kernel: Extent(height: 4, width: 3), padding: .same)),
            .activation(.relu),
            .convolution(ConvolutionLayer(filters: 4, kernel: Extent(2), stride: Extent(height: 2, width: 1))),
            .activation(.sigmoid), .averagePooling(PoolingLayer(size: Extent(2), stride: Extent(1))), .flatten,
            .activation(.scaledTanh), .dense(DenseLayer(name: "b", units: 9)), .activation(.relu),
            .dense(DenseLayer(units: 4)),
        ], classes: 4, cut: 5)

    static func batch(_ spec: ModelSpec, samples: Int, key: UInt64) throws -> (FloatTensor, [UInt8]) {
        var stream = RandomStream(key: key)
        let shape = [samples] + spec.input
        let values = (0..<(try FloatTensor.count(of: shape))).map { _ in stream.nextUnit() * 2 - 1 }
        return (
            try FloatTensor(shape: shape, elements: values),
            (0..<samples).map { _ in UInt8(stream.nextIndex(below: spec.classes)) }
        )
    }

    static func loss(_ network: Network, _ x: FloatTensor, _ labels: [UInt8]) throws -> Double {
        try SoftmaxCrossEntropy.evaluate(logits: network.forward(x).output, labels: labels).meanLoss
    }

    /// Along its gradient `g` a loss has the derivative `|g|^2`: for each parameter tensor, and for the input.
    @Test func theGradientIsTheDerivativeOfTheLoss() throws {
        let network = try Network(Self.varied, seed: testSeed)
        let (x, labels) = try Self.batch(Self.varied, samples: 5, key: 3)
        let pass = try network.forward(x)
        let output = try SoftmaxCrossEntropy.evaluate(logits: pass.output, labels: labels)
        let gradient = try network.gradient(pass, outputGradient: output.gradient, wantsInputGradient: true)
        func check(_ part: ArraySlice<Float>, _ name: String, _ shifted: (Float) throws -> Double) throws {
            let square = part.reduce(0.0) { $0 + Double($1) * Double($1) }
            #expect(square > 0, "\(name)")
            let step = Float(0.01 / square.squareRoot())
            let numeric = try (shifted(step) - shifted(-step)) / Double(2 * step)
            #expect(abs(numeric - square) < 0.03 * square, "\(name): \(numeric), expected \(square)")
        }
        var offset = 0
        for tensor in network.tensors {
            let range = offset..<offset + tensor.count
            try check(gradient.parameters[range], tensor.name) { factor in
                var parameters = network.parameters
                for index in range { parameters[index] += factor * gradient.parameters[index] }
                return try Self.loss(network.replacing(parameters: parameters, velocities: nil), x, labels)
            }
            offset += tensor.count
        }
        #expect(offset == network.parameterCount)
        let dx = try #require(gradient.input)
        #expect(dx.shape == x.shape)
        try check(dx.elements[...], "input") { factor in
            let moved = zip(x.elements, dx.elements).map { $0 + factor * $1 }
            return try Self.loss(network, FloatTensor(shape: x.shape, elements: moved), labels)
        }
    }

    @Test func theSameBitsOnEveryPath() throws {
        let (x, labels) = try Self.batch(Self.varied, samples: 37, key: 4)
        let optimiser = try MomentumSGD(learningRate: 0.1, momentum: 0.9)
        var digests: Set<Digest> = []
        for set in InstructionSet.available {
            for threads in 1...4 {
                try InstructionSet.$current.withValue(set) {
                    var network = try Network(Self.varied, seed: testSeed)
                    for _ in 0..<3 { _ = try network.train(x, labels: labels, optimiser: optimiser, threads: threads) }
                    digests.insert(network.digest)
                }
            }
        }
        #expect(digests.count == 1)
    }

    @Test func aFusedStepIsAGradientAndAnApplication() throws {
        let (x, labels) = try Self.batch(Self.varied, samples: 20, key: 5)
        for momentum in [0, 0.9] as [Float] {
            let optimiser = try MomentumSGD(learningRate: 0.1, momentum: momentum)
            var fused = try Network(Self.varied, seed: testSeed, hasMomentum: momentum > 0)
            var plain = fused
            for _ in 0..<2 {
                _ = try fused.train(x, labels: labels, optimiser: optimiser)
                let pass = try plain.forward(x)
                let output = try SoftmaxCrossEntropy.evaluate(logits: pass.output, labels: labels)
                let gradient = try plain.gradient(pass, outputGradient: output.gradient)
                try plain.apply(gradient: gradient.parameters, optimiser: optimiser)
            }
            #expect(fused == plain)
        }
    }

    @Test func thePartsDoWhatTheWholeDoes() throws {
        let (x, labels) = try Self.batch(Self.varied, samples: 18, key: 6)
        let optimiser = try MomentumSGD(learningRate: 0.1, momentum: 0.9)
        var whole = try Network(Self.varied, seed: testSeed)
        var (front, back) = try whole.split()
        #expect(front == (try Network(Self.varied, part: .front, seed: testSeed)))
        #expect(back == (try Network(Self.varied, part: .back, seed: testSeed)))
        for _ in 0..<2 {
            let loss = try whole.train(x, labels: labels, optimiser: optimiser)
            let pass = try front.forward(x)
            let backPass = try back.forward(pass.output)
            #expect(pass.output.shape == [18] + (try #require(try Self.varied.boundary)))
            let output = try SoftmaxCrossEntropy.evaluate(logits: backPass.output, labels: labels)
            #expect(output == loss)
            let gradient = try #require(
                try back.step(backPass, outputGradient: output.gradient, optimiser: optimiser, wantsInputGradient: true))
            try front.step(pass, outputGradient: gradient, optimiser: optimiser)
        }
        #expect(try Network(front: front, back: back) == whole)
        #expect(throws: TrainingError.self) { try Network(front: back, back: front) }
        #expect(throws: TrainingError.self) { try front.split() }
    }

    @Test func networksRoundTripByteForByte() throws {
        for network in [
            try Network(Self.varied, seed: testSeed), try Network(Self.varied, seed: testSeed, hasMomentum: false),
            try Network(Self.varied, part: .back, seed: testSeed),
        ] {
            let bytes = network.borsh
            #expect(try Network(borsh: bytes) == network)
            for count in [0, 1, 30, bytes.count / 2, bytes.count - 1] {
                #expect(throws: BorshError.self) { try Network(borsh: Array(bytes.prefix(count))) }
            }
            #expect(throws: BorshError.self) { try Network(borsh: bytes + [0]) }
            var poisoned = bytes
            poisoned.replaceSubrange(bytes.count - 4..<bytes.count, with: [0, 0, 0x80, 0x7F])
            #expect(throws: BorshError.self) { try Network(borsh: poisoned) }
            let manifest = NetworkManifest(network)
            #expect(try NetworkManifest(borsh: manifest.borsh) == manifest)
            #expect(manifest.root == network.digest)
        }
    }

    @Test func theDigestDependsOnEverything() throws {
        let network = try Network(Self.varied, seed: testSeed)
        let zeros = [Float](repeating: 0, count: network.parameterCount)
        var moved = network.parameters
        moved[moved.count - 1] = -0.0
        let others = [
            network, try Network(Self.varied, seed: .zero), try Network(Self.varied, seed: testSeed, hasMomentum: false),
            try network.replacing(parameters: moved, velocities: zeros),
            try network.replacing(parameters: network.parameters, velocities: moved),
            try Network(Self.varied, part: .front, seed: testSeed), try Network(LeNet5.spec, seed: testSeed),
        ]
        #expect(Set(others.map(\.digest)).count == others.count)
    }

    @Test func wrongSizesAreErrors() throws {
        var network = try Network(Self.varied, seed: testSeed)
        let (x, labels) = try Self.batch(Self.varied, samples: 3, key: 7)
        let optimiser = try MomentumSGD(learningRate: 0.1, momentum: 0.9)
        #expect(throws: TensorError.self) { try network.forward(x.reshaped(to: [3, 2, 11, 12])) }
        let pass = try network.forward(x)
        let wrong = try FloatTensor(shape: [2, 4], repeating: 0)
        #expect(throws: TensorError.self) { try network.step(pass, outputGradient: wrong, optimiser: optimiser) }
        #expect(throws: TensorError.self) { try network.apply(gradient: [1], optimiser: optimiser) }
        #expect(throws: TensorError.self) { try network.replacing(parameters: [1], velocities: nil) }
        #expect(throws: TrainingError.self) { try Network(Self.varied, parameters: [1], velocities: nil) }
        var plain = try Network(Self.varied, seed: testSeed, hasMomentum: false)
        #expect(throws: TensorError.self) { try plain.train(x, labels: labels, optimiser: optimiser) }
        #expect(plain == (try Network(Self.varied, seed: testSeed, hasMomentum: false)))
        #expect(network.values(of: "a.bias") == [0, 0, 0, 0, 0])
        #expect(network.values(of: "b.weight")?.count == 9 * network.spec.shapesForTests[9][0])
        #expect(network.values(of: "nothing") == nil)
    }

    @Test func trainingLowersTheLoss() throws {
        let spec = ModelSpec(
            input: [2, 8, 8],
            layers: [
                .convolution(ConvolutionLayer(filters: 8, kernel: Extent(3), padding: .same)), .activation(.relu),
                .maximumPooling(PoolingLayer(size: Extent(2))), .flatten, .dense(DenseLayer(units: 4)),
            ], classes: 4)
        let (x, labels) = try Self.batch(spec, samples: 40, key: 8)
        var network = try Network(spec, seed: testSeed)
        let optimiser = try MomentumSGD(learningRate: 0.05, momentum: 0.9)
        let before = try Self.loss(network, x, labels)
        for _ in 0..<100 { _ = try network.train(x, labels: labels, optimiser: optimiser) }
        let after = try Self.loss(network, x, labels)
        #expect(after < before / 4, "\(before) \(after)")
    }
}

extension ModelSpec {
    fileprivate var shapesForTests: [[Int]] { (try? shapes) ?? [] }
}
