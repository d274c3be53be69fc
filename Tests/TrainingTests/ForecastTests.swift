import Encoding
import Tensor
import Testing
import Training

@Suite(.timeLimit(.minutes(20))) struct ForecastTests {
    @Test func lenet() throws {
        let whole = try LeNet5.spec.forecast(batch: 64)
        #expect(whole.parameters == 61_706)
        #expect(whole.forwardMultiplyAdds == 416_520)
        // C1 needs no gradient of its input.
        #expect(whole.trainingMultiplyAdds == 3 * 416_520 - 117_600)
        let (front, back) = (try LeNet5.spec.forecast(.front, batch: 64), try LeNet5.spec.forecast(.back, batch: 64))
        #expect(front.parameters + back.parameters == whole.parameters)
        #expect(front.trainingMultiplyAdds == 2 * 117_600)
        #expect(back.trainingMultiplyAdds == 3 * (416_520 - 117_600))
        #expect(try LeNet5.spec.forecast(batch: 128).trainingMemory < 2 * whole.trainingMemory)
    }

    @Test func memoryIsThatOfTheLayers() throws {
        let spec = ModelSpec(
            input: [100], layers: [.dense(DenseLayer(units: 50)), .activation(.relu), .dense(DenseLayer(units: 10))],
            classes: 10)
        // 5,560 parameters twice; for 32 samples 100 + 50 + 10 values, and the gradients of 50 and 10.
        #expect(try spec.forecast(batch: 32).trainingMemory == 4 * (2 * 5_560 + 32 * (160 + 60)))
        // Blocks hold 16 samples, however few are in the last.
        #expect(try spec.forecast(batch: 17, hasMomentum: false).trainingMemory == 4 * (5_560 + 32 * (160 + 60)))
        #expect(throws: TrainingError.self) { try spec.forecast(.front, batch: 32) }
        #expect(throws: TrainingError.self) { try spec.forecast(batch: 0) }
        #expect(throws: TrainingError.self) { try spec.splitTraffic(batch: 8, steps: 1) }
    }

    /// Against the messages themselves.
    @Test func trafficIsThatOfTheMessages() throws {
        let front = try testFront(testSeed)
        let boundary = try FloatTensor(shape: [8, 6, 14, 14], repeating: 0)
        let update = try FrontUpdate(from: front, to: front)
        let activation = ActivationMessage(round: 0, step: 0, boundary: boundary, labels: Array(repeating: 1, count: 8))
        let gradient = GradientMessage(round: 0, step: 0, gradient: boundary, loss: 1)
        let difference = FrontDifferenceMessage(round: 0, step: 3, update: update)
        let average = FrontAverageMessage(round: 0, step: 3, update: update)
        let traffic = try LeNet5.spec.splitTraffic(batch: 8, steps: 3)
        #expect(traffic.up == 3 * activation.borsh.count + difference.borsh.count)
        #expect(traffic.down == 3 * gradient.borsh.count + average.borsh.count)
        #expect(traffic.messages == 8)
        #expect(try LeNet5.spec.exchangeTraffic.up == 246_824)
        for precision in [BoundaryPrecision.bits16, .bits8] {
            let short = ActivationMessage(
                round: 0, step: 0, boundary: boundary, labels: Array(repeating: 1, count: 8),
                precision: precision)
            #expect(
                try LeNet5.spec.splitTraffic(batch: 8, steps: 3, precision: precision).up
                    == 3 * short.borsh.count + difference.borsh.count)
        }
    }
}
