import Cryptography
import Encoding
import Tensor
import Testing
import Training

@Suite(.timeLimit(.minutes(20))) struct ModelTests {
    @Test func checkpointsRoundTripByteForByte() throws {
        let checkpoint = try Checkpoint.initial(seed: testSeed)
        let bytes = checkpoint.borsh
        let decoded = try Checkpoint(borsh: bytes)
        #expect(decoded == checkpoint)
        #expect(decoded.borsh == bytes)
        #expect(decoded.digest == checkpoint.digest)
        #expect(checkpoint != (try Checkpoint.initial(seed: .zero)))
        for count in [0, 1, 40, bytes.count / 2, bytes.count - 1] {
            #expect(throws: BorshError.self) { try Checkpoint(borsh: Array(bytes.prefix(count))) }
        }
        #expect(throws: BorshError.self) { try Checkpoint(borsh: bytes + [0]) }
        // The first weight's four bytes, after the specification, the part and the flag, become a NaN.
        var poisoned = bytes
        let first = LeNet5.spec.borsh.count + 2
        poisoned.replaceSubrange(first..<first + 4, with: [0, 0, 0xC0, 0x7F])
        #expect(throws: BorshError.self) { try Checkpoint(borsh: poisoned) }
        // The back in the front's place.
        #expect(throws: BorshError.self) { try Checkpoint(borsh: checkpoint.back.borsh + checkpoint.front.borsh) }
    }

    @Test func hostileTensorsAreRefusedBeforeTheyAllocate() {
        let hostile: [[UInt8]] = [
            [], [0], [5, 1, 0, 0, 0], [1, 0, 0, 0, 0], [1, 0xFF, 0xFF, 0xFF, 0xFF],
            [2, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF], [1, 1, 0, 0, 0], [1, 1, 0, 0, 0, 0, 0, 0x80],
            [1, 0, 0, 0, 4, 0, 0, 0, 0],
        ]
        for bytes in hostile {
            #expect(throws: BorshError.self) {
                var decoder = BorshDecoder(bytes)
                _ = try decoder.tensor()
            }
        }
    }

    @Test func messagesRoundTrip() throws {
        let boundary = try FloatTensor(shape: [2, 6, 14, 14], repeating: 0.25)
        let update = try FrontUpdate(from: testFront(.zero), to: testFront(testSeed))
        let messages: [AnyTrainingMessage] = [
            .activation(ActivationMessage(round: 1, step: 2, boundary: boundary, labels: [3, 4])),
            .gradient(GradientMessage(round: 1, step: 2, gradient: boundary, loss: 0.5)),
            .frontDifference(FrontDifferenceMessage(round: 1, step: 9, update: update)),
            .frontAverage(FrontAverageMessage(round: 1, step: 9, update: update)),
            .deviceSamples(
                DeviceSamplesMessage(
                    round: 1, step: 0, samples: try FeatureSet(shape: [2], values: [1, 2, 3, 4], labels: [0, 9]))),
            .fogDifference(
                FogDifferenceMessage(
                    round: 1, samples: 5, loss: 0.5, difference: .sparse(count: 9, positions: [3], values: [1]))),
            .fogMean(FogMeanMessage(round: 1, difference: .dense([1, 2]))),
        ]
        #expect(messages.map(\.kind) == Array(MessageKind.allCases.prefix(messages.count)))
        for message in messages {
            let payload = message.payload
            #expect(try AnyTrainingMessage(kind: message.kind, payload: payload) == message)
            #expect(throws: BorshError.self) {
                try AnyTrainingMessage(kind: message.kind, payload: Array(payload.dropLast()))
            }
            #expect(throws: BorshError.self) { try AnyTrainingMessage(kind: message.kind, payload: payload + [1]) }
        }
    }

    /// The back against central differences. Along its gradient `g` a loss has the derivative `|g|^2`; each sample's
    /// part of the gradient is such a direction. (Single elements would drown in the rounding of the loss.)
    @Test func theBoundaryGradientIsTheDerivativeOfTheLoss() throws {
        let (images, labels) = try syntheticDataset(count: 4, key: 11).batch([0, 1, 2, 3])
        let boundary = try testFront(testSeed).forward(images).output
        let unchanged = try Network(LeNet5.spec, part: .back, seed: testSeed)
        var back = unchanged
        let pass = try back.forward(boundary)
        let loss = try SoftmaxCrossEntropy.evaluate(logits: pass.output, labels: labels)
        let gradient = try #require(
            try back.step(
                pass, outputGradient: loss.gradient, optimiser: MomentumSGD(learningRate: 0.01, momentum: 0),
                wantsInputGradient: true))
        #expect(gradient.shape == boundary.shape)
        for sample in 0..<4 {
            let part = sample * gradient.stride..<(sample + 1) * gradient.stride
            let square = gradient.elements[part].reduce(0.0) { $0 + Double($1) * Double($1) }
            let step = Float(0.05 / square.squareRoot())
            func shifted(_ factor: Float) throws -> Double {
                var elements = boundary.elements
                for index in part { elements[index] += factor * gradient.elements[index] }
                let moved = try FloatTensor(shape: boundary.shape, elements: elements)
                return try SoftmaxCrossEntropy.evaluate(
                    logits: unchanged.forward(moved).output, labels: labels
                ).meanLoss
            }
            let numeric = try (shifted(step) - shifted(-step)) / Double(2 * step)
            #expect(abs(numeric - square) < 0.02 * square, "sample \(sample): \(numeric), expected \(square)")
        }
    }

    @Test func microsNeverTrap() {
        #expect(Micro.of(0.5) == 500_000)
        #expect(Micro.of(2.302585) == 2_302_585)
        #expect(Micro.of(-1) == 0)
        #expect(Micro.of(.nan) == .max)
        #expect(Micro.of(.infinity) == .max)
        #expect(Micro.of(1e300) == .max)
    }

    @Test func divergenceIsAnError() throws {
        let data = try syntheticDataset(count: 20, key: 12)
        var trainer = try CentralisedTrainer(checkpoint: .initial(seed: testSeed), data: data)
        let plan = try RoundPlan(
            seed: testSeed, round: 0, steps: 50, batchSize: 8,
            optimiser: MomentumSGD(learningRate: 1e12, momentum: 0.9))
        let before = trainer.checkpoint
        #expect(throws: TrainingError.self) { try trainer.train(plan) }
        #expect(trainer.checkpoint == before)
    }
}
