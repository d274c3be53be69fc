import Tensor
import Testing

/// Tensors come from the network: a wrong shape is an error, never a trap.
@Suite(.timeLimit(.minutes(20))) struct ShapeTests {
    @Test(arguments: [
        [], [0], [-1, 4], [2, 0, 2], [1, 1, 1, 1, 1], [Int.max, 2], [1 << 40, 1 << 40], [FloatTensor.maximumCount, 2],
    ])
    func invalidShapesAreRefused(shape: [Int]) {
        #expect(throws: TensorError.invalidShape(shape)) { try FloatTensor(shape: shape, elements: [1]) }
        #expect(throws: TensorError.invalidShape(shape)) { try FloatTensor(shape: shape, repeating: 0) }
    }

    @Test func elementCountMustFit() {
        #expect(throws: TensorError.elementCount(expected: 6, found: 5)) {
            try FloatTensor(shape: [2, 3], elements: [1, 2, 3, 4, 5])
        }
    }

    @Test func operatorsRefuseWhatDoesNotFit() throws {
        func t(_ shape: Int...) throws -> FloatTensor { try FloatTensor(shape: shape, repeating: 1) }
        let attempts: [() throws -> Void] = [
            { _ = try Self.convolution(kernel: (5, 2)) },
            { _ = try Self.convolution(stride: (0, 1)) },
            { _ = try Self.convolution(stride: (2, 1), pads: true) },
            { _ = try Self.convolution(channels: 0) },
            { _ = try Self.convolution(channels: 65_535, filters: 65_535) },
            { _ = try Self.convolution(height: 65_535, width: 65_535) },
            { _ = try DenseOperator(inputs: 0, outputs: 3) },
            { _ = try DenseOperator(inputs: 1 << 22, outputs: 1 << 12) },
            { _ = try PoolingOperator(.average, channels: 1, height: 3, width: 4, size: (4, 2), stride: (2, 2)) },
            { _ = try PoolingOperator(.maximum, channels: 1, height: 3, width: 4, size: (2, 2), stride: (0, 2)) },
            { _ = try Blocks(t(2, 3), layout: BlockLayout([4]), threads: 1) },
            { _ = try Blocks(BlockLayout([1 << 22]), samples: 1 << 20) },
            { _ = try Blocks(BlockLayout([4]), samples: 0) },
            { _ = try SoftmaxCrossEntropy.evaluate(logits: t(2, 3), labels: [1]) },
            { _ = try SoftmaxCrossEntropy.evaluate(logits: t(2, 3), labels: [1, 3]) },
            { _ = try SoftmaxCrossEntropy.evaluate(logits: t(2), labels: [1, 1]) },
            { _ = try FloatTensor.concatenate([]) },
            { _ = try FloatTensor.concatenate([t(2, 3), t(2, 4)]) },
            { _ = try FloatTensor.mean([]) },
            { _ = try t(2, 3).slice(samples: 1..<3) },
            { _ = try t(2, 3).slice(samples: -1..<1) },
            { _ = try t(2, 3).slice(samples: 1..<1) },
            { _ = try t(2, 3).reshaped(to: [7]) },
            { _ = try t(2, 3).adding(t(3, 2)) },
            { _ = try MomentumSGD(learningRate: 0, momentum: 0) },
            { _ = try MomentumSGD(learningRate: .nan, momentum: 0) },
            { _ = try MomentumSGD(learningRate: 1, momentum: 1) },
        ]
        for (index, attempt) in attempts.enumerated() {
            #expect(throws: TensorError.self, "attempt \(index)") { try attempt() }
        }
    }

    private static func convolution(
        channels: Int = 2, height: Int = 4, width: Int = 4, filters: Int = 3, kernel: (Int, Int) = (2, 2),
        stride: (Int, Int) = (1, 1), pads: Bool = false
    ) throws -> ConvolutionOperator {
        try ConvolutionOperator(
            channels: channels, height: height, width: width, filters: filters, kernel: kernel, stride: stride,
            pads: pads)
    }

    @Test func samplesAreCutAndJoined() throws {
        var draw = Draw(seed: 3)
        let x = try draw.tensor([5, 2, 3])
        let parts = [try x.slice(samples: 0..<1), try x.slice(samples: 1..<4), try x.slice(samples: 4..<5)]
        #expect(parts.map(\.shape) == [[1, 2, 3], [3, 2, 3], [1, 2, 3]])
        #expect(try FloatTensor.concatenate(parts) == x)
    }

    @Test func onlyFiniteValuesAreFinite() throws {
        #expect(try FloatTensor(shape: [3], elements: [-.greatestFiniteMagnitude, -0.0, .leastNonzeroMagnitude]).isFinite)
        for bad in [Float.infinity, -.infinity, .nan, -.nan] {
            #expect(try !FloatTensor(shape: [3], elements: [1, bad, 2]).isFinite)
        }
    }

    @Test func equalityIsBitwise() throws {
        let zero = try FloatTensor(shape: [1], elements: [0])
        #expect(zero != (try FloatTensor(shape: [1], elements: [-0.0])))
        #expect(zero != (try FloatTensor(shape: [1, 1], elements: [0])))
        let nan = try FloatTensor(shape: [1], elements: [.nan])
        #expect(nan == nan)
    }

    @Test func hugeLogitsGiveFiniteLossesAndNoTrap() throws {
        let logits = try FloatTensor(shape: [2, 3], elements: [1e30, -1e30, 0, 3e38, 3e38, -3e38])
        let output = try SoftmaxCrossEntropy.evaluate(logits: logits, labels: [0, 1])
        #expect(output.gradient.isFinite)
        #expect(output.correct == 1)
        let poisoned = try FloatTensor(shape: [1, 3], elements: [.nan, .infinity, 0])
        #expect(try SoftmaxCrossEntropy.evaluate(logits: poisoned, labels: [2]).meanLoss.isNaN)
    }
}
