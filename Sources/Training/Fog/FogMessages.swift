public import Encoding

/// Device to fog node: chosen, normalised, blurred samples.
///
/// `{ round, step, shape: [u32] of 1 to 3, labels: bytes, values: finite f32 }`
public struct DeviceSamplesMessage: TrainingMessage {
    public static let kind = MessageKind.deviceSamples

    public let round: UInt32
    /// Which part of the samples this is, from 0: a message holds at most ``valuesInMessage`` values.
    public let step: UInt32
    public let samples: FeatureSet

    /// Values in one message: 4 MB.
    public static let valuesInMessage = 1 << 20

    public init(round: UInt32, step: UInt32, samples: FeatureSet) {
        self.round = round
        self.step = step
        self.samples = samples
    }

    /// The messages that carry a set of samples.
    public static func parts(of samples: FeatureSet, round: UInt32) throws(TrainingError) -> [DeviceSamplesMessage] {
        let each = max(1, valuesInMessage / max(samples.stride, 1))
        var parts: [DeviceSamplesMessage] = []
        for start in stride(from: 0, to: samples.count, by: each) {
            parts.append(
                DeviceSamplesMessage(
                    round: round, step: UInt32(parts.count),
                    samples: try samples.slice(start..<min(start + each, samples.count))))
        }
        return parts
    }

    public func encode(to encoder: inout BorshEncoder) {
        encoder.integer(round)
        encoder.integer(step)
        encoder.array(samples.shape.map { UInt32(truncatingIfNeeded: $0) })
        encoder.variable(samples.labels)
        encoder.floats(samples.values)
    }

    public init(from decoder: inout BorshDecoder) throws(BorshError) {
        round = try decoder.integer()
        step = try decoder.integer()
        let start = decoder.offset
        let shape = try decoder.array(of: UInt32.self, limit: 3, smallestElement: 4).map { Int($0) }
        guard (1...3).contains(shape.count), shape.allSatisfy({ (1...ModelSpec.maximumSize).contains($0) }) else {
            throw BorshError(.notCanonical("samples of shape \(shape)"), at: start)
        }
        let labels = try decoder.variable(limit: Self.valuesInMessage)
        let (count, overflow) = labels.count.multipliedReportingOverflow(by: shape.reduce(1, *))
        guard !overflow, count <= Self.valuesInMessage * 4 else {
            throw BorshError(.notCanonical("too many values"), at: start)
        }
        let values = try decoder.floats(count: count)
        do { samples = try FeatureSet(shape: shape, values: values, labels: labels) } catch {
            throw BorshError(.notCanonical("\(error)"), at: start)
        }
    }
}

/// Fog node to cloud, once a round: `{ round, step, samples: u32, loss: f64, difference }`.
public struct FogDifferenceMessage: TrainingMessage {
    public static let kind = MessageKind.fogDifference

    public let round: UInt32
    public let step: UInt32
    /// On how many samples it was trained.
    public let samples: UInt32
    /// The mean over the steps.
    public let loss: Double
    public let difference: Difference

    public init(round: UInt32, step: UInt32 = 0, samples: UInt32, loss: Double, difference: Difference) {
        self.round = round
        self.step = step
        self.samples = samples
        self.loss = loss
        self.difference = difference
    }

    public func encode(to encoder: inout BorshEncoder) {
        encoder.integer(round)
        encoder.integer(step)
        encoder.integer(samples)
        encoder.integer(loss.bitPattern)
        encoder.value(difference)
    }

    public init(from decoder: inout BorshDecoder) throws(BorshError) {
        round = try decoder.integer()
        step = try decoder.integer()
        samples = try decoder.integer()
        loss = Double(bitPattern: try decoder.integer())
        guard loss.isFinite, loss >= 0 else { throw decoder.failure(.notCanonical("a loss that is not finite")) }
        difference = try decoder.value()
    }
}

/// Cloud to fog nodes, at the end of a round: what to add to the weights. `{ round, step, difference }`.
public struct FogMeanMessage: TrainingMessage {
    public static let kind = MessageKind.fogMean

    public let round: UInt32
    public let step: UInt32
    public let difference: Difference

    public init(round: UInt32, step: UInt32 = 0, difference: Difference) {
        self.round = round
        self.step = step
        self.difference = difference
    }

    public func encode(to encoder: inout BorshEncoder) {
        encoder.integer(round)
        encoder.integer(step)
        encoder.value(difference)
    }

    public init(from decoder: inout BorshDecoder) throws(BorshError) {
        round = try decoder.integer()
        step = try decoder.integer()
        difference = try decoder.value()
    }
}
