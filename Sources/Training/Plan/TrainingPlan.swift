public import Encoding

/// What the workers of a job must agree on and the chain need not understand: the model, the data and their
/// treatment, the optimiser, how results are joined, and what protects the samples.
///
/// A job's specification carries it as opaque bytes (at most ``maximumBytes``); its Borsh form is that of the fields
/// in the order of their declaration. Rates and shares are integers, millionths where not said otherwise, so that two
/// machines never read two numbers. Decoding checks the form alone; ``problem`` says whether the values make sense.
public struct TrainingPlan: Sendable, Equatable {
    public static let maximumBytes = 16_384
    /// 1 in millionths.
    public static let one: UInt32 = 1_000_000

    public var model: ModelSpec
    public var data: DataPlan
    /// What all random numbers of the job come from, but for those that must stay secret.
    public var seed: JobSeed
    /// Samples of a step.
    public var batchSize: UInt16
    public var learningRate: UInt32
    public var momentum: UInt32
    /// Passes of a fog node over its samples in a round. Split jobs count steps instead (the job's specification).
    public var localEpochs: UInt16
    /// How the cloud joins the edges' boundary values (split learning).
    public var join: Join
    /// How boundary values and their gradients travel (split learning).
    public var boundary: BoundaryPrecision
    /// Which weights of an epoch are passed on (fog learning).
    public var passed: PassedWeights
    /// What becomes of the differences (fog learning).
    public var aggregation: Aggregation
    /// The share of a difference that travels: its entries of largest magnitude; the rest waits for the next round.
    public var sharedFraction: UInt32
    /// What a device does to its samples before they leave it.
    public var device: DevicePlan
    /// Bounded and noised gradients, nil without.
    public var privacy: PrivacyPlan?
    /// Samples that the validator sets apart.
    public var validationSamples: UInt32

    /// - Parameter batchSize: the paper on fog computing does not give one; 32 is usual.
    public init(
        model: ModelSpec, data: DataPlan, seed: JobSeed, batchSize: UInt16 = 32, learningRate: UInt32,
        momentum: UInt32 = 0, localEpochs: UInt16 = 1, join: Join = .concatenation,
        boundary: BoundaryPrecision = .float32, passed: PassedWeights = .last, aggregation: Aggregation = .mean,
        sharedFraction: UInt32 = TrainingPlan.one, device: DevicePlan = DevicePlan(), privacy: PrivacyPlan? = nil,
        validationSamples: UInt32 = 1_000
    ) {
        self.model = model
        self.data = data
        self.seed = seed
        self.batchSize = batchSize
        self.learningRate = learningRate
        self.momentum = momentum
        self.localEpochs = localEpochs
        self.join = join
        self.boundary = boundary
        self.passed = passed
        self.aggregation = aggregation
        self.sharedFraction = sharedFraction
        self.device = device
        self.privacy = privacy
        self.validationSamples = validationSamples
    }

    /// What is wrong with the plan and what to do about it; nil when workers can follow it.
    public var problem: String? {
        if let problem = model.problem { return "the model: \(problem)" }
        if let problem = data.problem ?? device.problem ?? aggregation.problem ?? privacy?.problem { return problem }
        if batchSize < 1 || Int(batchSize) > RoundPlan.maximumBatch {
            return "the batch size is \(batchSize); 1 to \(RoundPlan.maximumBatch) are possible"
        }
        if learningRate < 1 || learningRate > 10 * Self.one {
            return "the learning rate is \(Micro.text(learningRate)); it must be above 0 and at most 10"
        }
        if momentum >= Self.one { return "the momentum is \(Micro.text(momentum)); it must be below 1" }
        if localEpochs < 1 || localEpochs > 1_000 {
            return "a round has \(localEpochs) local epochs; 1 to 1000 are possible"
        }
        if sharedFraction < 1 || sharedFraction > Self.one {
            return "the shared fraction is \(Micro.text(sharedFraction)); it must be above 0 and at most 1"
        }
        if sharedFraction < Self.one, case .secureSum = aggregation {
            return "a secure sum needs every entry of a difference: set the shared fraction to 1, or another aggregation"
        }
        if validationSamples < 1 || validationSamples > UInt32(ImageSet.maximumCount) {
            return "\(validationSamples) validation samples; 1 to \(ImageSet.maximumCount) are possible"
        }
        if let reserved = data.kind.reservedSamples, validationSamples > reserved {
            return "\(validationSamples) validation samples; the reserved part of \(data.kind) has \(reserved)"
        }
        if let problem = data.problem(for: model, projection: device.projection) { return problem }
        return nil
    }
}

extension TrainingPlan: BorshCodable {
    public func encode(to encoder: inout BorshEncoder) {
        encoder.value(model)
        encoder.value(data)
        encoder.value(seed)
        encoder.integer(batchSize)
        encoder.integer(learningRate)
        encoder.integer(momentum)
        encoder.integer(localEpochs)
        encoder.integer(join.rawValue)
        encoder.integer(boundary.rawValue)
        encoder.integer(passed.rawValue)
        encoder.value(aggregation)
        encoder.integer(sharedFraction)
        encoder.value(device)
        encoder.optional(privacy)
        encoder.integer(validationSamples)
    }

    public init(from decoder: inout BorshDecoder) throws(BorshError) {
        model = try decoder.value()
        data = try decoder.value()
        seed = try decoder.value()
        batchSize = try decoder.integer()
        learningRate = try decoder.integer()
        momentum = try decoder.integer()
        localEpochs = try decoder.integer()
        join = try decoder.planTag()
        boundary = try decoder.planTag()
        passed = try decoder.planTag()
        aggregation = try decoder.value()
        sharedFraction = try decoder.integer()
        device = try decoder.value()
        privacy = try decoder.optional()
        validationSamples = try decoder.integer()
    }

    /// The plan in a job's specification: well-formed, within its bound, and one that workers can follow.
    public init(checking bytes: [UInt8]) throws(TrainingError) {
        guard bytes.count <= Self.maximumBytes else {
            throw .invalidPlan("the plan has \(bytes.count) bytes, at most \(Self.maximumBytes) are possible")
        }
        do {
            try self.init(borsh: bytes)
        } catch {
            throw .invalidPlan("\(error)")
        }
        if let problem { throw .invalidPlan(problem) }
    }
}

extension BorshDecoder {
    /// One byte that names a case.
    mutating func planTag<Tag: RawRepresentable>() throws(BorshError) -> Tag where Tag.RawValue == UInt8 {
        let start = offset
        let byte: UInt8 = try integer()
        guard let tag = Tag(rawValue: byte) else { throw BorshError(.unknownTag(byte), at: start) }
        return tag
    }
}

extension Micro {
    /// Millionths as a decimal number, without superfluous zeros.
    public static func text(_ micro: UInt32) -> String {
        let (whole, rest) = micro.quotientAndRemainder(dividingBy: 1_000_000)
        guard rest > 0 else { return "\(whole)" }
        var digits = String(rest)
        digits = String(repeating: "0", count: 6 - digits.count) + digits
        while digits.hasSuffix("0") { digits.removeLast() }
        return "\(whole).\(digits)"
    }
}
