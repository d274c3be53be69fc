public import Encoding

/// How the cloud joins what the edges send (paper A).
public enum Join: UInt8, Sendable, Hashable, CaseIterable {
    /// The edges' batches, one after the other: each edge sees samples of its own.
    case concatenation = 0
    /// One batch, the weighted sum of all edges' boundary values: each edge sees a part of the same samples.
    case weightedSum = 1
}

/// The form in which boundary values and their gradients travel (see ``BoundaryCodec``).
public enum BoundaryPrecision: UInt8, Sendable, Hashable, CaseIterable {
    /// IEEE 754 binary32, nothing lost.
    case float32 = 0
    /// bfloat16: the upper half of binary32, rounded to nearest, ties to even.
    case bits16 = 1
    /// 8 bits and one scale for each sample.
    case bits8 = 2

    /// Bits that one value takes.
    public var bits: Int {
        switch self {
        case .float32: 32
        case .bits16: 16
        case .bits8: 8
        }
    }
}

/// Paper B: "only the mean value of each weight of every epoch is passed". It can be read in two ways.
public enum PassedWeights: UInt8, Sendable, Hashable, CaseIterable {
    /// The weights at the end of the epoch; the mean is the one that the cloud takes over the fog nodes.
    case last = 0
    /// The mean of each weight over the steps of the epoch.
    case epochMean = 1
}

/// What becomes of the differences of one round.
public enum Aggregation: Sendable, Hashable {
    case mean
    /// The mean without this share (millionths, below one half) of the smallest and of the largest values, entry by
    /// entry.
    case trimmed(UInt32)
    case median
    /// The one difference that is nearest to its neighbours, when at most so many are malicious.
    case krum(malicious: UInt16)
    /// Additively masked: the cloud learns the sum alone. At least `threshold` of the workers must stay to the end.
    case secureSum(threshold: UInt16)

    var problem: String? {
        switch self {
        case .trimmed(let share) where share >= TrainingPlan.one / 2:
            "a trimmed mean leaves out a share of \(Micro.text(share)) on each side; it must be below 0.5"
        case .secureSum(let threshold) where threshold < 2 || threshold > UInt16(SecureSum.maximumParticipants):
            "the threshold of a secure sum is \(threshold); 2 to \(SecureSum.maximumParticipants) are possible"
        default: nil
        }
    }
}

extension Aggregation: BorshCodable {
    public func encode(to encoder: inout BorshEncoder) {
        switch self {
        case .mean: encoder.integer(UInt8(0))
        case .trimmed(let share):
            encoder.integer(UInt8(1))
            encoder.integer(share)
        case .median: encoder.integer(UInt8(2))
        case .krum(let malicious):
            encoder.integer(UInt8(3))
            encoder.integer(malicious)
        case .secureSum(let threshold):
            encoder.integer(UInt8(4))
            encoder.integer(threshold)
        }
    }

    public init(from decoder: inout BorshDecoder) throws(BorshError) {
        let start = decoder.offset
        let tag: UInt8 = try decoder.integer()
        switch tag {
        case 0: self = .mean
        case 1: self = .trimmed(try decoder.integer())
        case 2: self = .median
        case 3: self = .krum(malicious: try decoder.integer())
        case 4: self = .secureSum(threshold: try decoder.integer())
        default: throw BorshError(.unknownTag(tag), at: start)
        }
    }
}

/// What a device does before its samples leave it (paper B): it takes a fraction of them, normalises, adds noise.
public struct DevicePlan: Sendable, Hashable {
    /// The share of its samples that a device hands to its fog node, in millionths.
    public var fraction: UInt32
    /// The standard deviation of the Gaussian noise, in millionths of a normalised value. Normalised samples have the
    /// deviation 1, so 10,000 is the paper's 1 %.
    public var noise: UInt32
    /// Dimensions of a random projection of the normalised samples; 0 for none.
    public var projection: UInt32

    public init(fraction: UInt32 = TrainingPlan.one, noise: UInt32 = 10_000, projection: UInt32 = 0) {
        self.fraction = fraction
        self.noise = noise
        self.projection = projection
    }

    var problem: String? {
        if fraction < 1 || fraction > TrainingPlan.one {
            return "a device hands over a fraction of \(Micro.text(fraction)); it must be above 0 and at most 1"
        }
        if noise > 100 * TrainingPlan.one {
            return "a device adds noise of \(Micro.text(noise)) standard deviations; at most 100 are possible"
        }
        if projection > 65_536 { return "a projection to \(projection) dimensions; at most 65536 are possible" }
        return nil
    }
}

extension DevicePlan: BorshCodable {
    public func encode(to encoder: inout BorshEncoder) {
        encoder.integer(fraction)
        encoder.integer(noise)
        encoder.integer(projection)
    }

    public init(from decoder: inout BorshDecoder) throws(BorshError) {
        fraction = try decoder.integer()
        noise = try decoder.integer()
        projection = try decoder.integer()
    }
}

/// Differentially private steps: each sample's gradient is clipped, their sum noised (Abadi et al., "Deep learning with
/// differential privacy", CCS 2016). A worker that has spent its budget stops by itself.
public struct PrivacyPlan: Sendable, Hashable {
    /// The largest norm of one sample's gradient, in millionths.
    public var clipNorm: UInt32
    /// The noise's standard deviation in units of the clip norm, in millionths.
    public var noiseMultiplier: UInt32
    /// Delta, in units of 10^-12.
    public var deltaPico: UInt64
    /// The largest epsilon that a worker's samples may be exposed to, in millionths.
    public var epsilonBudget: UInt64

    public init(clipNorm: UInt32, noiseMultiplier: UInt32, deltaPico: UInt64, epsilonBudget: UInt64) {
        self.clipNorm = clipNorm
        self.noiseMultiplier = noiseMultiplier
        self.deltaPico = deltaPico
        self.epsilonBudget = epsilonBudget
    }

    public var delta: Double { Double(deltaPico) / 1e12 }
    public var epsilon: Double { Double(epsilonBudget) / 1e6 }

    var problem: String? {
        if clipNorm == 0 { return "the clip norm is 0: no gradient would be left" }
        if noiseMultiplier < 10_000 || noiseMultiplier > 1_000 * TrainingPlan.one {
            return "the noise multiplier is \(Micro.text(noiseMultiplier)); 0.01 to 1000 are possible"
        }
        if deltaPico == 0 || deltaPico >= 1_000_000_000_000 { return "delta must be above 0 and below 1" }
        if epsilonBudget == 0 { return "the privacy budget (epsilon) is 0: no step could be taken" }
        return nil
    }
}

extension PrivacyPlan: BorshCodable {
    public func encode(to encoder: inout BorshEncoder) {
        encoder.integer(clipNorm)
        encoder.integer(noiseMultiplier)
        encoder.integer(deltaPico)
        encoder.integer(epsilonBudget)
    }

    public init(from decoder: inout BorshDecoder) throws(BorshError) {
        clipNorm = try decoder.integer()
        noiseMultiplier = try decoder.integer()
        deltaPico = try decoder.integer()
        epsilonBudget = try decoder.integer()
    }
}
