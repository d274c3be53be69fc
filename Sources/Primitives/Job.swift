import Cryptography
import Encoding

/// What the owner of a training job asks for: the init data of the job contract (architecture, section 7). It never
/// changes. Times are milliseconds of header time.
public struct JobSpec: BorshCodable, Hashable, Sendable {
    public static let currentVersion: UInt8 = 1
    public static let longestTitle = 64
    /// 30 days.
    public static let longestTimeoutMs: UInt64 = 2_592_000_000
    public static let mostEdges: UInt16 = 63
    public static let mostRounds: UInt32 = 1_000_000

    public enum TrainingProtocol: UInt8, Hashable, Sendable, CaseIterable { case split, fog }
    public enum Model: UInt8, Hashable, Sendable, CaseIterable {
        /// LeNet-5, cut at S2: 1,176 boundary values a sample.
        case leNet5CutAtS2
    }
    public enum InputAudit: UInt8, Hashable, Sendable, CaseIterable { case none, owner, committee }

    /// At most ``longestTitle`` bytes of UTF-8.
    public var title: String
    public var trainingProtocol: TrainingProtocol
    public var model: Model
    /// Wanted number of edge workers.
    public var edges: UInt16
    public var clouds: UInt16
    /// Edges that suffice after a deadline.
    public var quorum: UInt16
    public var rounds: UInt32
    public var stepsPerRound: UInt32
    /// Samples of each edge in each step.
    public var batchSize: UInt32
    /// Learning rate times 10^6.
    public var learningRateMicro: UInt32
    public var openTimeoutMs: UInt64
    public var commitMinMs: UInt64
    public var commitMaxMs: UInt64
    public var revealTimeoutMs: UInt64
    public var validateTimeoutMs: UInt64
    /// By how much, times 10^6, the metric may fall and the round still be accepted.
    public var epsilonMicro: UInt32
    /// Initial weights and the order of samples come from it.
    public var seed: Digest
    public var inputAudit: InputAudit
    /// Who evaluates. Verdicts count only if it is not the owner.
    public var validator: Account
    /// Samples that the validator evaluates on.
    public var validationSamples: UInt32

    public init(
        title: String, trainingProtocol: TrainingProtocol = .split, model: Model = .leNet5CutAtS2, edges: UInt16,
        clouds: UInt16 = 1, quorum: UInt16, rounds: UInt32, stepsPerRound: UInt32, batchSize: UInt32,
        learningRateMicro: UInt32, openTimeoutMs: UInt64, commitMinMs: UInt64, commitMaxMs: UInt64,
        revealTimeoutMs: UInt64, validateTimeoutMs: UInt64, epsilonMicro: UInt32, seed: Digest,
        inputAudit: InputAudit = .none, validator: Account, validationSamples: UInt32
    ) {
        self.title = title
        self.trainingProtocol = trainingProtocol
        self.model = model
        self.edges = edges
        self.clouds = clouds
        self.quorum = quorum
        self.rounds = rounds
        self.stepsPerRound = stepsPerRound
        self.batchSize = batchSize
        self.learningRateMicro = learningRateMicro
        self.openTimeoutMs = openTimeoutMs
        self.commitMinMs = commitMinMs
        self.commitMaxMs = commitMaxMs
        self.revealTimeoutMs = revealTimeoutMs
        self.validateTimeoutMs = validateTimeoutMs
        self.epsilonMicro = epsilonMicro
        self.seed = seed
        self.inputAudit = inputAudit
        self.validator = validator
        self.validationSamples = validationSamples
    }

    /// Why the job contract would refuse this, if it would; the same rules as the contract's.
    public var problem: String? {
        if title.utf8.count > Self.longestTitle { return "title has more than \(Self.longestTitle) bytes" }
        if clouds != 1 { return "clouds is \(clouds); it must be 1" }
        if !(1...Self.mostEdges).contains(edges) { return "edges is \(edges), not 1 to \(Self.mostEdges)" }
        if quorum < 1 || quorum > edges { return "quorum is \(quorum), not 1 to the number of edges (\(edges))" }
        if !(1...Self.mostRounds).contains(rounds) { return "rounds is \(rounds), not 1 to \(Self.mostRounds)" }
        if stepsPerRound == 0 { return "stepsPerRound is 0" }
        if batchSize == 0 { return "batchSize is 0" }
        if learningRateMicro == 0 { return "the learning rate is below 0.000001" }
        for (name, value) in [
            ("openTimeout", openTimeoutMs), ("commitMin", commitMinMs), ("commitMax", commitMaxMs),
            ("revealTimeout", revealTimeoutMs), ("validateTimeout", validateTimeoutMs),
        ] where value == 0 || value > Self.longestTimeoutMs {
            return "\(name) is \(value) ms, not 1 ms to 30 days"
        }
        if commitMinMs > commitMaxMs { return "commitMin (\(commitMinMs) ms) is over commitMax (\(commitMaxMs) ms)" }
        if validator == .zero { return "no validator is named" }
        return nil
    }

    public func encode(to encoder: inout BorshEncoder) {
        encoder.integer(Self.currentVersion)
        encoder.string(title)
        encoder.integer(trainingProtocol.rawValue)
        encoder.integer(model.rawValue)
        encoder.integer(edges)
        encoder.integer(clouds)
        encoder.integer(quorum)
        encoder.integer(rounds)
        encoder.integer(stepsPerRound)
        encoder.integer(batchSize)
        encoder.integer(learningRateMicro)
        encoder.integer(openTimeoutMs)
        encoder.integer(commitMinMs)
        encoder.integer(commitMaxMs)
        encoder.integer(revealTimeoutMs)
        encoder.integer(validateTimeoutMs)
        encoder.integer(epsilonMicro)
        encoder.value(seed)
        encoder.integer(inputAudit.rawValue)
        encoder.value(validator)
        encoder.integer(validationSamples)
    }

    public init(from decoder: inout BorshDecoder) throws(BorshError) {
        let version: UInt8 = try decoder.integer()
        guard version == Self.currentVersion else { throw decoder.failure(.unknownTag(version)) }
        title = try decoder.string(limit: Self.longestTitle)
        trainingProtocol = try decoder.tag()
        model = try decoder.tag()
        edges = try decoder.integer()
        clouds = try decoder.integer()
        quorum = try decoder.integer()
        rounds = try decoder.integer()
        stepsPerRound = try decoder.integer()
        batchSize = try decoder.integer()
        learningRateMicro = try decoder.integer()
        openTimeoutMs = try decoder.integer()
        commitMinMs = try decoder.integer()
        commitMaxMs = try decoder.integer()
        revealTimeoutMs = try decoder.integer()
        validateTimeoutMs = try decoder.integer()
        epsilonMicro = try decoder.integer()
        seed = try decoder.value()
        inputAudit = try decoder.tag()
        validator = try decoder.value()
        validationSamples = try decoder.integer()
    }
}

/// Where a job stands.
public enum JobPhase: UInt8, Hashable, Sendable, CaseIterable, CustomStringConvertible {
    case registered, open, commit, reveal, validate, challenge, final, starved, paused, aborted, finished

    /// Nothing moves any more but money.
    public var isOver: Bool { self == .aborted || self == .finished }

    public var description: String {
        switch self {
        case .registered: "registered"
        case .open: "open"
        case .commit: "commit"
        case .reveal: "reveal"
        case .validate: "validate"
        case .challenge: "challenge"
        case .final: "final"
        case .starved: "starved"
        case .paused: "paused"
        case .aborted: "aborted"
        case .finished: "finished"
        }
    }
}

extension BorshDecoder {
    /// A u8 that must be one of the raw values.
    mutating func tag<Tag: RawRepresentable>(_ type: Tag.Type = Tag.self) throws(BorshError) -> Tag
    where Tag.RawValue == UInt8 {
        let start = self
        let raw: UInt8 = try integer()
        guard let tag = Tag(rawValue: raw) else { throw start.failure(.unknownTag(raw)) }
        return tag
    }
}
