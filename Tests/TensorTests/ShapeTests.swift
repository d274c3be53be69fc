import Tensor
import Testing

/// Tensors come from the network: a wrong shape is an error, never a trap.
@Suite struct ShapeTests {
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
            { _ = try Convolution.forward(t(1, 2, 4, 4), weights: t(1, 3, 2, 2), bias: t(1)) },
            { _ = try Convolution.forward(t(1, 2, 4, 4), weights: t(1, 2, 5, 2), bias: t(1)) },
            { _ = try Convolution.forward(t(1, 2, 4, 4), weights: t(3, 2, 2, 2), bias: t(2)) },
            { _ = try Convolution.forward(t(2, 4, 4), weights: t(3, 2, 2, 2), bias: t(3)) },
            { _ = try Convolution.backwardInput(gradient: t(1, 2, 4, 4), weights: t(3, 2, 2, 2)) },
            { _ = try Convolution.backwardInput(gradient: t(1, 3, 4, 4), weights: t(3, 2)) },
            { _ = try Convolution.backwardInput(gradient: t(1, 1, 1 << 24, 1), weights: t(1, 1, 1, 1 << 24)) },
            { _ = try Convolution.backwardParameters(input: t(1, 1, 4, 4), gradient: t(1, 1, 5, 4)) },
            { _ = try Convolution.backwardParameters(input: t(1, 1, 4, 4), gradient: t(2, 1, 3, 3)) },
            { _ = try Convolution.backwardParameters(input: t(1, 1, 9000, 1), gradient: t(1, 9000, 1, 1)) },
            { _ = try Dense.forward(t(2, 3), weights: t(4, 5), bias: t(5)) },
            { _ = try Dense.forward(t(2, 4), weights: t(4, 5), bias: t(4)) },
            { _ = try Dense.forward(t(4), weights: t(4, 5), bias: t(5)) },
            { _ = try Dense.backwardInput(gradient: t(2, 3), weights: t(4, 5)) },
            { _ = try Dense.backwardParameters(input: t(2, 3), gradient: t(3, 4)) },
            { _ = try AveragePooling.forward(t(1, 1, 3, 4)) },
            { _ = try AveragePooling.forward(t(4, 4)) },
            { _ = try AveragePooling.backward(gradient: t(4, 4)) },
            { _ = try Rectifier.backward(gradient: t(4), output: t(5)) },
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
