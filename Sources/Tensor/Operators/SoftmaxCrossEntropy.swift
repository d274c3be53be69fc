/// Softmax and cross-entropy in one, with the gradient that this makes simple.
public enum SoftmaxCrossEntropy {
    public struct Output: Sendable, Equatable {
        /// `-log p(label)` of each sample.
        public let losses: [Float]
        /// How many samples have their label as the largest logit (the first of equals).
        public let correct: Int
        /// The gradient of the mean loss with respect to the logits, `[N, classes]`.
        public let gradient: FloatTensor

        /// The mean over all samples.
        public var meanLoss: Double { meanLoss(of: 0..<losses.count) }

        /// The mean over some of the samples, summed in ascending order in double precision; 0 over none.
        public func meanLoss(of samples: Range<Int>) -> Double {
            let chosen = losses[samples.clamped(to: 0..<losses.count)]
            return chosen.isEmpty ? 0 : chosen.reduce(0.0) { $0 + Double($1) } / Double(chosen.count)
        }
    }

    /// For logits `[N, classes]` and one label for each sample.
    ///
    /// Logits are taken relative to their maximum; exponentials are summed with the class ascending.
    /// The gradient is `(p - [class == label]) / N`.
    public static func evaluate(logits: FloatTensor, labels: [UInt8]) throws(TensorError) -> Output {
        guard logits.shape.count == 2 else {
            throw .shapeMismatch(operand: "logits", expected: [0, 0], found: logits.shape)
        }
        let (samples, classes) = (logits.shape[0], logits.shape[1])
        guard labels.count == samples else {
            throw .labelCount(expected: samples, found: labels.count)
        }
        if let wrong = labels.first(where: { Int($0) >= classes }) {
            throw .label(Int(wrong), classes: classes)
        }
        var losses = [Float](repeating: 0, count: samples)
        var correct = 0
        let divisor = Float(samples)
        let gradient = try FloatTensor(shape: logits.shape) { result in
            logits.withElements { all in
                guard let all = all.baseAddress else { return }
                for sample in 0..<samples {
                    let row = all + sample * classes
                    let target = result + sample * classes
                    let label = Int(labels[sample])
                    var best = 0
                    for index in 1..<max(classes, 1) where row[index] > row[best] {
                        best = index
                    }
                    let maximum = row[best]
                    var sum: Float = 0
                    for index in 0..<classes {
                        let value = Transcendental.exp(row[index] - maximum)
                        (target + index).initialize(to: value)
                        sum += value
                    }
                    for index in 0..<classes {
                        let probability = target[index] / sum
                        target[index] = (index == label ? probability - 1 : probability) / divisor
                    }
                    losses[sample] = Transcendental.log(sum) - (row[label] - maximum)
                    if best == label {
                        correct += 1
                    }
                }
            }
        }
        return Output(losses: losses, correct: correct, gradient: gradient)
    }
}
