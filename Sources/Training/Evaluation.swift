import Tensor

/// How well a model does on a dataset.
public struct Evaluation: Sendable, Equatable {
    public let samples: Int
    public let correct: Int
    public let meanLoss: Double

    package init(samples: Int, correct: Int, meanLoss: Double) {
        self.samples = samples
        self.correct = correct
        self.meanLoss = meanLoss
    }

    /// In 0...1.
    public var accuracy: Double { Double(correct) / Double(samples) }
    /// The accuracy in millionths, rounded down: integer arithmetic, so every validator reports the same number.
    public var accuracyMicro: UInt64 { UInt64(correct) * 1_000_000 / UInt64(samples) }
    public var lossMicro: UInt64 { Micro.of(meanLoss) }
}

/// Millionths, the fixed-point form in which metrics go on the chain.
public enum Micro {
    /// Rounded to the nearest millionth; 0 for what is negative, the largest value for what is too large or a NaN.
    public static func of(_ value: Double) -> UInt64 {
        let scaled = (value * 1_000_000).rounded()
        guard scaled < 0x1p63 else { return .max }
        return scaled > 0 ? UInt64(scaled) : 0
    }
}

extension Network {
    /// Classifies every sample with a whole network. The result depends neither on the threads nor on how the work is
    /// batched.
    public func evaluate(on data: Dataset, threads: Int = 1) throws(TrainingError) -> Evaluation {
        guard data.count > 0 else { throw .emptyDataset }
        var correct = 0
        var loss = 0.0
        for start in stride(from: 0, to: data.count, by: 128) {
            let (images, labels) = try data.batch(Array(start..<min(start + 128, data.count)))
            let output = try computing { () throws(TensorError) in
                try SoftmaxCrossEntropy.evaluate(
                    logits: try forward(images, threads: threads).output, labels: labels)
            }
            correct += output.correct
            loss = output.losses.reduce(loss) { $0 + Double($1) }
        }
        return Evaluation(samples: data.count, correct: correct, meanLoss: loss / Double(data.count))
    }
}

extension Checkpoint {
    /// As ``Network/evaluate(on:threads:)``.
    public func evaluate(on data: Dataset, threads: Int = 1) throws(TrainingError) -> Evaluation {
        try network.evaluate(on: data, threads: threads)
    }
}
