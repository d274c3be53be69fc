#if !hasFeature(Embedded)
import Cryptography
import Encoding
import Primitives
#endif

/// What the owner of a training job asks for: the init data of the job contract (architecture, section 7). It never
/// changes. Times are milliseconds of header time, money is in the smallest unit.
///
/// It holds what the contract must understand. What only workers need (model, data, learning rate, privacy ...) is in
/// ``plan``, which the contract keeps and hands out without reading it.
public struct JobSpec: JobValue {
    public static let currentVersion: UInt8 = 2
    public static let longestTitle = 64
    public static let longestPlan = 16_384
    /// Nobody can be made late by a time-out that no honest worker can hold.
    public static let shortestTimeoutMs: UInt64 = 10_000
    /// 30 days. With ``mostRounds`` it keeps every sum of times far from overflow.
    public static let longestTimeoutMs: UInt64 = 2_592_000_000
    public static let mostRounds: UInt32 = 1_000_000
    public static let mostClouds: UInt16 = 8
    /// A round of so many closes within the gas of one scheduled call, each of them judged and paid.
    public static let mostWorkers: UInt16 = 48
    public static let mostAllowed = 128
    /// All prices of a round stay far below the supply that a u128 counts.
    public static let highestPrice: UInt128 = 1 << 96

    public enum TrainingProtocol: UInt8, Sendable, CaseIterable {
        /// Paper A: edges run the front of the model, the cloud its back.
        case split
        /// Paper B: fog nodes train the whole model, the cloud applies the mean of the accepted differences.
        case fog
    }

    public enum Mode: UInt8, Sendable, CaseIterable {
        /// A round closes when all active workers have committed, or at its deadline with the quorum.
        case synchronous
        /// A round closes as soon as ``JobSpec/bufferedUpdates`` workers have committed.
        case asynchronous
    }

    public enum Metric: UInt8, Sendable, CaseIterable {
        /// `metricMicro` of a validation, which must not fall by more than epsilon.
        case accuracy
        /// `lossMicro` of a validation, which must not rise by more than epsilon.
        case loss
    }

    /// What may be re-executed: without the workers' inputs, only the cloud's half and the aggregation.
    public enum InputAudit: UInt8, Sendable, CaseIterable { case none, owner, committee }

    /// Any Borsh string of at most ``longestTitle`` bytes of UTF-8.
    public var title: JobText
    public var trainingProtocol: TrainingProtocol
    public var mode: Mode
    /// K of the asynchronous mode; 0 in a synchronous job.
    public var bufferedUpdates: UInt16
    /// Places for clouds. One leads; the others stand by and take over when it falls silent.
    public var clouds: UInt16
    /// Places for workers: edges of a split job, fog nodes of a fog job.
    public var workers: UInt16
    /// Places for devices, of all workers together. Devices send to one worker and commit nothing.
    public var devices: UInt16
    /// Workers that suffice after a deadline.
    public var quorum: UInt16
    public var rounds: UInt32
    public var stepsPerRound: UInt32

    /// How long the job waits for its roster.
    public var openTimeoutMs: UInt64
    /// An applicant that has not confirmed after this time loses the place.
    public var confirmTimeoutMs: UInt64
    public var commitMinMs: UInt64
    public var commitMaxMs: UInt64
    public var revealTimeoutMs: UInt64
    /// For each of the committee's two steps.
    public var validateTimeoutMs: UInt64
    /// How long an accused sender has to open an envelope after the validation.
    public var challengeTimeoutMs: UInt64
    /// A job that has been paused so long ends by itself.
    public var pauseLimitMs: UInt64

    /// By how much, times 10^6, the metric may get worse and the round still be accepted.
    public var epsilonMicro: UInt32
    public var metric: Metric
    public var committee: JobCommittee
    public var placement: JobPlacement
    /// What a cloud or worker locks with its application, and gets back when it leaves without fault.
    public var bond: UInt128
    public var inputAudit: InputAudit

    /// Paid for each accepted round: to the leading cloud, to each worker whose work went in, to each member of the
    /// committee that scored it.
    public var cloudPrice: UInt128
    public var workerPrice: UInt128
    public var validatorPrice: UInt128
    /// Credits that the service pays for each member in each credit window, as its registration says; 0 for none. It is
    /// there for whoever reads the terms: the chain goes by the registration, the contract does not read it.
    public var sponsoredCredits: UInt64

    /// Digest of the model that the job starts from; zero for the plan's own initial weights.
    public var initialCheckpoint: Digest
    /// Borsh of the training plan, for workers: at most ``longestPlan`` bytes.
    public var plan: JobBytes

    public init(
        title: JobText, trainingProtocol: TrainingProtocol = .split, mode: Mode = .synchronous,
        bufferedUpdates: UInt16 = 0, clouds: UInt16 = 1, workers: UInt16, devices: UInt16 = 0, quorum: UInt16,
        rounds: UInt32, stepsPerRound: UInt32, openTimeoutMs: UInt64, confirmTimeoutMs: UInt64 = 60_000,
        commitMinMs: UInt64, commitMaxMs: UInt64, revealTimeoutMs: UInt64, validateTimeoutMs: UInt64,
        challengeTimeoutMs: UInt64 = 30_000, pauseLimitMs: UInt64 = 86_400_000, epsilonMicro: UInt32,
        metric: Metric = .accuracy, committee: JobCommittee = .validator(), placement: JobPlacement = .open,
        bond: UInt128 = 0, inputAudit: InputAudit = .none, cloudPrice: UInt128 = 0, workerPrice: UInt128 = 0,
        validatorPrice: UInt128 = 0, sponsoredCredits: UInt64 = 0, initialCheckpoint: Digest = .zero, plan: JobBytes
    ) {
        self.title = title
        self.trainingProtocol = trainingProtocol
        self.mode = mode
        self.bufferedUpdates = bufferedUpdates
        self.clouds = clouds
        self.workers = workers
        self.devices = devices
        self.quorum = quorum
        self.rounds = rounds
        self.stepsPerRound = stepsPerRound
        self.openTimeoutMs = openTimeoutMs
        self.confirmTimeoutMs = confirmTimeoutMs
        self.commitMinMs = commitMinMs
        self.commitMaxMs = commitMaxMs
        self.revealTimeoutMs = revealTimeoutMs
        self.validateTimeoutMs = validateTimeoutMs
        self.challengeTimeoutMs = challengeTimeoutMs
        self.pauseLimitMs = pauseLimitMs
        self.epsilonMicro = epsilonMicro
        self.metric = metric
        self.committee = committee
        self.placement = placement
        self.bond = bond
        self.inputAudit = inputAudit
        self.cloudPrice = cloudPrice
        self.workerPrice = workerPrice
        self.validatorPrice = validatorPrice
        self.sponsoredCredits = sponsoredCredits
        self.initialCheckpoint = initialCheckpoint
        self.plan = plan
    }

    /// The role of those who fill ``workers``.
    public var workerRole: Role {
        switch trainingProtocol {
        case .split: .edge
        case .fog: .fog
        }
    }

    /// The most that one accepted round costs: what the escrow must hold before it begins.
    public var roundPrice: UInt128 {
        // By additions: a contract has no 128-bit multiplication. The prices are bounded, so nothing overflows.
        var price = cloudPrice
        for _ in 0..<workers { price &+= workerPrice }
        for _ in 0..<committee.size { price &+= validatorPrice }
        return price
    }

    /// The rule that this breaks, if it breaks one: what the job contract refuses by. Fixed texts, since a contract has
    /// no room for others.
    public var brokenRule: StaticString? {
        if title.byteCount > Self.longestTitle { return "title has more than 64 bytes" }
        if plan.byteCount > Self.longestPlan { return "plan has more than 16384 bytes" }
        if clouds < 1 || clouds > Self.mostClouds { return "clouds is not 1 to 8" }
        if workers < 1 || workers > Self.mostWorkers { return "workers is not 1 to 48" }
        let places = UInt32(clouds) + UInt32(workers) + UInt32(devices)
        if places > UInt32(JobSlots.capacity) {
            return "clouds, workers and devices take more than 64 places"
        }
        if quorum < 1 || quorum > workers { return "quorum is not 1 to the number of workers" }
        switch mode {
        case .synchronous:
            if bufferedUpdates != 0 { return "bufferedUpdates is for the asynchronous mode" }
        case .asynchronous:
            if bufferedUpdates < quorum || bufferedUpdates > workers {
                return "bufferedUpdates is not between quorum and workers"
            }
        }
        if rounds < 1 || rounds > Self.mostRounds { return "rounds is not 1 to 1000000" }
        if stepsPerRound == 0 { return "stepsPerRound is 0" }
        if let rule = brokenTimeRule { return rule }
        if let rule = committee.brokenRule { return rule }
        if let rule = placement.brokenRule { return rule }
        if placement.kind == .bond, bond == 0 { return "places by bond need a bond" }
        for price in [cloudPrice, workerPrice, validatorPrice, bond] where price > Self.highestPrice {
            return "a price or the bond is over 2^96"
        }
        return nil
    }

    private var brokenTimeRule: StaticString? {
        // One word for all: a contract has no room to name each.
        let times = [
            openTimeoutMs, confirmTimeoutMs, commitMinMs, commitMaxMs, revealTimeoutMs, validateTimeoutMs,
            challengeTimeoutMs, pauseLimitMs,
        ]
        for time in times where time < Self.shortestTimeoutMs || time > Self.longestTimeoutMs {
            return "a time-out is not 10 s to 30 days"
        }
        if commitMinMs > commitMaxMs { return "commitMin is over commitMax" }
        return nil
    }

    public func encode(to encoder: inout BorshEncoder) {
        encoder.integer(Self.currentVersion)
        encoder.string(title)
        encoder.integer(trainingProtocol.rawValue)
        encoder.integer(mode.rawValue)
        encoder.integer(bufferedUpdates)
        encoder.integer(clouds)
        encoder.integer(workers)
        encoder.integer(devices)
        encoder.integer(quorum)
        encoder.integer(rounds)
        encoder.integer(stepsPerRound)
        encoder.integer(openTimeoutMs)
        encoder.integer(confirmTimeoutMs)
        encoder.integer(commitMinMs)
        encoder.integer(commitMaxMs)
        encoder.integer(revealTimeoutMs)
        encoder.integer(validateTimeoutMs)
        encoder.integer(challengeTimeoutMs)
        encoder.integer(pauseLimitMs)
        encoder.integer(epsilonMicro)
        encoder.integer(metric.rawValue)
        encoder.value(committee)
        encoder.value(placement)
        encoder.integer(bond)
        encoder.integer(inputAudit.rawValue)
        encoder.integer(cloudPrice)
        encoder.integer(workerPrice)
        encoder.integer(validatorPrice)
        encoder.integer(sponsoredCredits)
        encoder.value(initialCheckpoint)
        encoder.variable(plan)
    }

    public init(from decoder: inout BorshDecoder) throws(BorshError) {
        let version: UInt8 = try decoder.integer()
        guard version == Self.currentVersion else { throw decoder.failure(.unknownTag(version)) }
        title = try decoder.string(limit: Self.longestTitle)
        trainingProtocol = try decoder.tag()
        mode = try decoder.tag()
        bufferedUpdates = try decoder.integer()
        clouds = try decoder.integer()
        workers = try decoder.integer()
        devices = try decoder.integer()
        quorum = try decoder.integer()
        rounds = try decoder.integer()
        stepsPerRound = try decoder.integer()
        openTimeoutMs = try decoder.integer()
        confirmTimeoutMs = try decoder.integer()
        commitMinMs = try decoder.integer()
        commitMaxMs = try decoder.integer()
        revealTimeoutMs = try decoder.integer()
        validateTimeoutMs = try decoder.integer()
        challengeTimeoutMs = try decoder.integer()
        pauseLimitMs = try decoder.integer()
        epsilonMicro = try decoder.integer()
        metric = try decoder.tag()
        committee = try decoder.value()
        placement = try decoder.value()
        bond = try decoder.integer()
        inputAudit = try decoder.tag()
        cloudPrice = try decoder.integer()
        workerPrice = try decoder.integer()
        validatorPrice = try decoder.integer()
        sponsoredCredits = try decoder.integer()
        initialCheckpoint = try decoder.value()
        plan = try decoder.variable(limit: Self.longestPlan)
    }
}

/// Who evaluates the rounds.
public struct JobCommittee: JobValue {
    public static let mostMembers: UInt8 = 15

    public enum Kind: UInt8, Sendable, CaseIterable {
        /// The service's one validator; the named accounts stand by, in their order.
        case validator
        /// Masternodes that the epoch's seed draws for the service.
        case masternodes
        /// The first ``size`` of the named accounts; the others stand by, in their order.
        case named
    }

    public var kind: Kind
    /// How many evaluate a round: odd, so that there is a median.
    public var size: UInt8
    public var named: [Account]

    public init(kind: Kind, size: UInt8, named: [Account]) {
        self.kind = kind
        self.size = size
        self.named = named
    }

    public static func validator(standingBy: [Account] = []) -> JobCommittee {
        JobCommittee(kind: .validator, size: 1, named: standingBy)
    }
    public static func masternodes(_ size: UInt8) -> JobCommittee {
        JobCommittee(kind: .masternodes, size: size, named: [])
    }
    public static func named(_ accounts: [Account], size: UInt8) -> JobCommittee {
        JobCommittee(kind: .named, size: size, named: accounts)
    }

    public var brokenRule: StaticString? {
        if size < 1 || size > Self.mostMembers || size % 2 == 0 {
            return "the size of the committee is not an odd number up to 15"
        }
        if named.count > Int(Self.mostMembers) { return "more than 15 accounts are named for the committee" }
        switch kind {
        case .validator:
            if size != 1 { return "a committee of the service's validator has one member" }
        case .masternodes:
            if !named.isEmpty { return "a drawn committee names nobody" }
        case .named:
            if named.count < Int(size) { return "fewer accounts are named than the committee has members" }
        }
        for (place, account) in named.enumerated() {
            if account == .zero { return "the committee names the empty account" }
            for other in named[..<place] where other == account { return "the committee names an account twice" }
        }
        return nil
    }

    public func encode(to encoder: inout BorshEncoder) {
        encoder.integer(kind.rawValue)
        encoder.integer(size)
        encoder.array(named)
    }

    public init(from decoder: inout BorshDecoder) throws(BorshError) {
        kind = try decoder.tag()
        size = try decoder.integer()
        named = try decoder.array(limit: Int(Self.mostMembers), smallestElement: 32)
    }
}

/// Who may apply.
public struct JobPlacement: JobValue {
    public enum Kind: UInt8, Sendable, CaseIterable {
        /// Anybody.
        case open
        /// The listed accounts alone.
        case allowList
        /// Whoever locks ``JobSpec/bond``.
        case bond
        /// Whoever has at least ``JobPlacement/leastReputation`` in the role.
        case reputation
    }

    public var kind: Kind
    public var allowed: [Account]
    /// R in units of 2^-20.
    public var leastReputation: UInt32

    public init(kind: Kind, allowed: [Account] = [], leastReputation: UInt32 = 0) {
        self.kind = kind
        self.allowed = allowed
        self.leastReputation = leastReputation
    }

    public static var open: JobPlacement { JobPlacement(kind: .open) }
    public static var bond: JobPlacement { JobPlacement(kind: .bond) }
    public static func allowList(_ accounts: [Account]) -> JobPlacement {
        JobPlacement(kind: .allowList, allowed: accounts)
    }
    public static func reputation(atLeast least: UInt32) -> JobPlacement {
        JobPlacement(kind: .reputation, leastReputation: least)
    }

    public var brokenRule: StaticString? {
        if allowed.count > JobSpec.mostAllowed { return "more than 128 accounts are allowed" }
        if kind == .allowList, allowed.isEmpty { return "the allow-list is empty" }
        if kind != .allowList, !allowed.isEmpty { return "accounts are listed, but places are not given by a list" }
        if kind == .reputation, leastReputation == 0 || leastReputation >= 1 << 20 {
            return "the least reputation is not between 0 and 1"
        }
        if kind != .reputation, leastReputation != 0 { return "a least reputation is for places by reputation" }
        return nil
    }

    public func encode(to encoder: inout BorshEncoder) {
        encoder.integer(kind.rawValue)
        encoder.array(allowed)
        encoder.integer(leastReputation)
    }

    public init(from decoder: inout BorshDecoder) throws(BorshError) {
        kind = try decoder.tag()
        allowed = try decoder.array(limit: JobSpec.mostAllowed, smallestElement: 32)
        leastReputation = try decoder.integer()
    }
}

#if !hasFeature(Embedded)
extension JobSpec {
    /// Why nobody should register or work for this: the contract refuses it, or it means nothing. The contract has no room
    /// for the latter, so workers refuse it.
    public var problem: String? {
        if let rule = brokenRule { return "\(rule)" }
        if metric == .accuracy, epsilonMicro > 1_000_000 {
            return "epsilon is over 1: the accuracy goes from 0 to 1, so that every round would be accepted"
        }
        return nil
    }

    /// Fog nodes' updates wait in the cloud for a round that takes them.
    public var isBufferedFog: Bool { trainingProtocol == .fog && mode == .asynchronous }

    /// When a round's commit phase closes, for people.
    public var pace: String {
        guard mode == .asynchronous else { return "synchronous" }
        return "asynchronous: a round closes at \(bufferedUpdates) of \(workers) workers, "
            + (trainingProtocol == .fog
                ? "slower ones go into one of the next \(JobStaleness.most) rounds with less weight"
                : "the others wait for the next round")
    }
}
#endif
