public import Encoding

/// Which data a job is about, and how samples become numbers.
public struct DataPlan: Sendable, Hashable {
    public enum Kind: UInt8, Sendable, Hashable, CaseIterable {
        /// 28 x 28 grey, as IDX or CSV files.
        case mnist = 0
        /// 32 x 32 colour, as MATLAB files.
        case svhn = 1
        /// A user's own grey images of any one size, as IDX files.
        case idx = 2

        /// Images that are kept for validation, where that is known.
        var reservedSamples: UInt32? {
            switch self {
            case .mnist: 10_000
            case .svhn: 26_032
            case .idx: nil
            }
        }
    }

    public enum Normalisation: Sendable, Hashable {
        /// A byte becomes a number from 0 to 1.
        case unit
        /// From a byte `p`: `(p / 255 - mean) / deviation`, both in millionths.
        case fixed(mean: UInt32, deviation: UInt32)
        /// By the mean and standard deviation of each participant's own samples, channel by channel: what the paper on
        /// fog computing has its devices do.
        case measured
    }

    public var kind: Kind
    public var normalisation: Normalisation

    public init(kind: Kind, normalisation: Normalisation) {
        self.kind = kind
        self.normalisation = normalisation
    }

    /// MNIST by the mean and the deviation of its training pixels.
    public static let mnist = DataPlan(kind: .mnist, normalisation: .fixed(mean: 130_700, deviation: 308_100))
    public static let svhn = DataPlan(kind: .svhn, normalisation: .measured)

    var problem: String? {
        if case .fixed(let mean, let deviation) = normalisation {
            if deviation < 1_000 || deviation > 1_000 * TrainingPlan.one {
                return "data are divided by \(Micro.text(deviation)); 0.001 to 1000 are possible"
            }
            if mean > TrainingPlan.one { return "a mean of \(Micro.text(mean)); pixels are between 0 and 1" }
        }
        return nil
    }

    /// What samples of this kind look like, nil when the files decide.
    private var sampleShape: (channels: Int, side: Int)? {
        switch kind {
        case .mnist: (1, 28)
        case .svhn: (3, 32)
        case .idx: nil
        }
    }

    func problem(for model: ModelSpec, projection: UInt32) -> String? {
        let input = model.input
        let values = input.reduce(1, *)
        if projection > 0 {
            return Int(projection) == values
                ? nil : "samples are projected to \(projection) values, but the model takes \(values)"
        }
        guard let (channels, side) = sampleShape else { return nil }
        return ImageFit.problem(channels: channels, height: side, width: side, input: input).map {
            "the data do not fit the model: \($0)"
        }
    }
}

extension DataPlan: BorshCodable {
    public func encode(to encoder: inout BorshEncoder) {
        encoder.integer(kind.rawValue)
        switch normalisation {
        case .unit: encoder.integer(UInt8(0))
        case .fixed(let mean, let deviation):
            encoder.integer(UInt8(1))
            encoder.integer(mean)
            encoder.integer(deviation)
        case .measured: encoder.integer(UInt8(2))
        }
    }

    public init(from decoder: inout BorshDecoder) throws(BorshError) {
        kind = try decoder.planTag()
        let start = decoder.offset
        let tag: UInt8 = try decoder.integer()
        switch tag {
        case 0: normalisation = .unit
        case 1: normalisation = .fixed(mean: try decoder.integer(), deviation: try decoder.integer())
        case 2: normalisation = .measured
        default: throw BorshError(.unknownTag(tag), at: start)
        }
    }
}
