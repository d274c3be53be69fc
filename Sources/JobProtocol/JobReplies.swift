#if !hasFeature(Embedded)
import Cryptography
import Encoding
import Primitives
#endif

/// What the job contract's `query` can be asked; its argument is this byte, and for ``owed`` an account after it.
public enum JobQuery: UInt8, Sendable, CaseIterable {
    case status, participants, history
    /// What the leading cloud named in its reveal: ``JobPartners``.
    case partners
    /// Complaints of the running round: ``JobComplaints``.
    case complaints
    /// u128: what an account can take by action 9 now.
    case owed
}

/// Reply to ``JobQuery/status``.
public struct JobStatus: JobValue {
    public static let longestReason = 64

    public let spec: JobStatusSpec
    public let phase: JobPhase
    /// The running round, from 0; a finished job stays at its last.
    public let round: UInt32
    public let phaseSince: Time
    /// When the phase ends at the latest; zero where nothing is waited for.
    public let deadlineOrZero: Time
    public let request: JobRequest
    /// The cloud that the round's workers work with; zero while there is none.
    public let lead: Account
    /// The service's validator; zero where it has none.
    public let validator: Account
    /// Who evaluates the running round.
    public let committee: [JobEvaluator]
    /// Of the last accepted round.
    public let checkpoint: Digest
    /// Accuracy times 10^6.
    public let metricMicro: UInt64
    public let lossMicro: UInt64
    public let bestMetricMicro: UInt64
    public let acceptedRounds: UInt32
    public let rejectedRounds: UInt32
    /// Paid in, and neither earned by anybody nor taken back.
    public let escrow: UInt128
    /// Earned, and not yet taken.
    public let owed: UInt128
    /// Held as bonds.
    public let bonds: UInt128
    /// Why the job rests, or why its last round starved; empty otherwise.
    public let reason: JobText

    public init(
        spec: JobStatusSpec, phase: JobPhase, round: UInt32, phaseSince: Time, deadlineOrZero: Time,
        request: JobRequest = .none, lead: Account = .zero, validator: Account = .zero,
        committee: [JobEvaluator] = [], checkpoint: Digest, metricMicro: UInt64, lossMicro: UInt64,
        bestMetricMicro: UInt64, acceptedRounds: UInt32, rejectedRounds: UInt32, escrow: UInt128, owed: UInt128 = 0,
        bonds: UInt128 = 0, reason: JobText
    ) {
        self.spec = spec
        self.phase = phase
        self.round = round
        self.phaseSince = phaseSince
        self.deadlineOrZero = deadlineOrZero
        self.request = request
        self.lead = lead
        self.validator = validator
        self.committee = committee
        self.checkpoint = checkpoint
        self.metricMicro = metricMicro
        self.lossMicro = lossMicro
        self.bestMetricMicro = bestMetricMicro
        self.acceptedRounds = acceptedRounds
        self.rejectedRounds = rejectedRounds
        self.escrow = escrow
        self.owed = owed
        self.bonds = bonds
        self.reason = reason
    }

    public func encode(to encoder: inout BorshEncoder) {
        encoder.value(spec)
        encoder.integer(phase.rawValue)
        encoder.integer(round)
        encoder.value(phaseSince)
        encoder.value(deadlineOrZero)
        encoder.integer(request.rawValue)
        encoder.value(lead)
        encoder.value(validator)
        encoder.array(committee)
        encoder.value(checkpoint)
        encoder.integer(metricMicro)
        encoder.integer(lossMicro)
        encoder.integer(bestMetricMicro)
        encoder.integer(acceptedRounds)
        encoder.integer(rejectedRounds)
        encoder.integer(escrow)
        encoder.integer(owed)
        encoder.integer(bonds)
        encoder.string(reason)
    }

    public init(from decoder: inout BorshDecoder) throws(BorshError) {
        spec = try decoder.value()
        phase = try decoder.tag()
        round = try decoder.integer()
        phaseSince = try decoder.value()
        deadlineOrZero = try decoder.value()
        request = try decoder.tag()
        lead = try decoder.value()
        validator = try decoder.value()
        committee = try decoder.array(limit: Int(JobCommittee.mostMembers), smallestElement: 34)
        checkpoint = try decoder.value()
        metricMicro = try decoder.integer()
        lossMicro = try decoder.integer()
        bestMetricMicro = try decoder.integer()
        acceptedRounds = try decoder.integer()
        rejectedRounds = try decoder.integer()
        escrow = try decoder.integer()
        owed = try decoder.integer()
        bonds = try decoder.integer()
        reason = try decoder.string(limit: Self.longestReason)
    }
}

/// A member of the committee of the running round.
public struct JobEvaluator: JobValue {
    public let account: Account
    /// Committed to a score; always so once it has scored.
    public let committed: Bool
    public let scored: Bool

    public init(account: Account, committed: Bool, scored: Bool) {
        self.account = account
        self.committed = committed
        self.scored = scored
    }

    public func encode(to encoder: inout BorshEncoder) {
        encoder.value(account)
        encoder.bool(committed)
        encoder.bool(scored)
    }

    public init(from decoder: inout BorshDecoder) throws(BorshError) {
        account = try decoder.value()
        committed = try decoder.bool()
        scored = try decoder.bool()
    }
}

/// A participant in a job.
public struct JobParticipant: JobValue {
    public enum Standing: UInt8, Sendable, CaseIterable {
        case applied
        /// Has a place, and takes part from the next round on.
        case confirmed
        case active, suspended, released

        public var name: StaticString {
            switch self {
            case .applied: "applied"
            case .confirmed: "confirmed"
            case .active: "active"
            case .suspended: "suspended"
            case .released: "released"
            }
        }
    }

    /// The participant's bit in ``JobSlots``. A slot is given to another once its holder has left.
    public let slot: UInt8
    public let account: Account
    public let role: Role
    public let standing: Standing
    /// Place among those of its role, kept while it has one: a worker's is its shard.
    public let index: UInt16
    public let samples: UInt32
    /// The worker that a device sends to; zero for all others.
    public let parent: Account
    public let kemPublicKey: KEMPublicKey
    /// host:port, empty until published.
    public let endpoint: JobText
    /// In the running round.
    public let committed: Bool
    public let revealed: Bool
    /// The round that its commitment names: an older one than the running round for late work.
    public let base: UInt32
    /// Rounds missed in a row.
    public let misses: UInt16
    public let acceptedRounds: UInt32
    /// What it has earned and not taken, and its bond.
    public let owed: UInt128
    public let bond: UInt128
    /// Steps root and artefact that it revealed last.
    public let lastRoot: Digest
    public let lastArtifact: Digest

    public init(
        slot: UInt8, account: Account, role: Role, standing: Standing, index: UInt16, samples: UInt32,
        parent: Account = .zero, kemPublicKey: KEMPublicKey, endpoint: JobText, committed: Bool, revealed: Bool,
        base: UInt32 = 0, misses: UInt16, acceptedRounds: UInt32, owed: UInt128 = 0, bond: UInt128 = 0,
        lastRoot: Digest, lastArtifact: Digest
    ) {
        self.slot = slot
        self.account = account
        self.role = role
        self.standing = standing
        self.index = index
        self.samples = samples
        self.parent = parent
        self.kemPublicKey = kemPublicKey
        self.endpoint = endpoint
        self.committed = committed
        self.revealed = revealed
        self.base = base
        self.misses = misses
        self.acceptedRounds = acceptedRounds
        self.owed = owed
        self.bond = bond
        self.lastRoot = lastRoot
        self.lastArtifact = lastArtifact
    }

    public func encode(to encoder: inout BorshEncoder) {
        encoder.integer(slot)
        encoder.value(account)
        encoder.value(role)
        encoder.integer(standing.rawValue)
        encoder.integer(index)
        encoder.integer(samples)
        encoder.value(parent)
        encoder.value(kemPublicKey)
        encoder.string(endpoint)
        encoder.bool(committed)
        encoder.bool(revealed)
        encoder.integer(base)
        encoder.integer(misses)
        encoder.integer(acceptedRounds)
        encoder.integer(owed)
        encoder.integer(bond)
        encoder.value(lastRoot)
        encoder.value(lastArtifact)
    }

    public init(from decoder: inout BorshDecoder) throws(BorshError) {
        slot = try decoder.integer()
        account = try decoder.value()
        role = try decoder.value()
        standing = try decoder.tag()
        index = try decoder.integer()
        samples = try decoder.integer()
        parent = try decoder.value()
        kemPublicKey = try decoder.value()
        endpoint = try decoder.string(limit: JobIdentity.longestEndpoint)
        committed = try decoder.bool()
        revealed = try decoder.bool()
        base = try decoder.integer()
        misses = try decoder.integer()
        acceptedRounds = try decoder.integer()
        owed = try decoder.integer()
        bond = try decoder.integer()
        lastRoot = try decoder.value()
        lastArtifact = try decoder.value()
    }
}

/// Reply to ``JobQuery/participants``, by slot.
public struct JobParticipants: JobValue {
    public let all: [JobParticipant]

    public init(_ all: [JobParticipant]) { self.all = all }

    public func encode(to encoder: inout BorshEncoder) { encoder.array(all) }

    public init(from decoder: inout BorshDecoder) throws(BorshError) {
        all = try decoder.array(limit: Int(JobSlots.capacity), smallestElement: 217)
    }
}

/// Reply to ``JobQuery/partners``.
public struct JobPartners: JobValue {
    public let round: UInt32
    public let all: [JobPartner]

    public init(round: UInt32, _ all: [JobPartner]) {
        self.round = round
        self.all = all
    }

    public func encode(to encoder: inout BorshEncoder) {
        encoder.integer(round)
        encoder.array(all)
    }

    public init(from decoder: inout BorshDecoder) throws(BorshError) {
        round = try decoder.integer()
        all = try decoder.array(limit: JobReveal.mostPartners, smallestElement: 39)
    }
}

/// A complaint that the contract holds, and the data of the event `complaint`.
public struct JobOpenComplaint: JobValue {
    /// Slots.
    public let complainer: UInt8
    public let accused: UInt8
    public let step: UInt32
    public let envelope: Digest
    /// Digest of the envelope's context, under which the sender opens it.
    public let context: Digest
    public let isOpened: Bool

    public init(complainer: UInt8, accused: UInt8, step: UInt32, envelope: Digest, context: Digest, isOpened: Bool) {
        self.complainer = complainer
        self.accused = accused
        self.step = step
        self.envelope = envelope
        self.context = context
        self.isOpened = isOpened
    }

    public func encode(to encoder: inout BorshEncoder) {
        encoder.integer(complainer)
        encoder.integer(accused)
        encoder.integer(step)
        encoder.value(envelope)
        encoder.value(context)
        encoder.bool(isOpened)
    }

    public init(from decoder: inout BorshDecoder) throws(BorshError) {
        complainer = try decoder.integer()
        accused = try decoder.integer()
        step = try decoder.integer()
        envelope = try decoder.value()
        context = try decoder.value()
        isOpened = try decoder.bool()
    }
}

/// Reply to ``JobQuery/complaints``.
public struct JobComplaints: JobValue {
    public let all: [JobOpenComplaint]

    public init(_ all: [JobOpenComplaint]) { self.all = all }

    public func encode(to encoder: inout BorshEncoder) { encoder.array(all) }

    public init(from decoder: inout BorshDecoder) throws(BorshError) {
        all = try decoder.array(limit: Int(JobSlots.capacity), smallestElement: 71)
    }
}

/// One closed round: an element of the history, and the data of the event `round`.
public struct JobRound: JobValue {
    public enum Outcome: UInt8, Sendable, CaseIterable {
        case accepted, rolledBack, starved

        public var name: StaticString {
            switch self {
            case .accepted: "accepted"
            case .rolledBack: "rolled back"
            case .starved: "starved"
            }
        }
    }

    public let round: UInt32
    public let outcome: Outcome
    /// Accuracy times 10^6.
    public let metricMicro: UInt64
    public let lossMicro: UInt64
    public let closedAt: Time
    /// The accepted model after the round: unless the outcome is accepted, the one before it.
    public let checkpoint: Digest
    /// How many revealed, and of these the workers whose work matched and was used.
    public let participants: UInt16
    public let credited: UInt16
    /// Earned in the round by all together.
    public let paid: UInt128

    public init(
        round: UInt32, outcome: Outcome, metricMicro: UInt64, lossMicro: UInt64, closedAt: Time, checkpoint: Digest,
        participants: UInt16, credited: UInt16 = 0, paid: UInt128 = 0
    ) {
        self.round = round
        self.outcome = outcome
        self.metricMicro = metricMicro
        self.lossMicro = lossMicro
        self.closedAt = closedAt
        self.checkpoint = checkpoint
        self.participants = participants
        self.credited = credited
        self.paid = paid
    }

    public func encode(to encoder: inout BorshEncoder) {
        encoder.integer(round)
        encoder.integer(outcome.rawValue)
        encoder.integer(metricMicro)
        encoder.integer(lossMicro)
        encoder.value(closedAt)
        encoder.value(checkpoint)
        encoder.integer(participants)
        encoder.integer(credited)
        encoder.integer(paid)
    }

    public init(from decoder: inout BorshDecoder) throws(BorshError) {
        round = try decoder.integer()
        outcome = try decoder.tag()
        metricMicro = try decoder.integer()
        lossMicro = try decoder.integer()
        closedAt = try decoder.value()
        checkpoint = try decoder.value()
        participants = try decoder.integer()
        credited = try decoder.integer()
        paid = try decoder.integer()
    }
}

/// Reply to ``JobQuery/history``: the last rounds, ascending.
public struct JobHistory: JobValue {
    public static let limit = 64

    public let rounds: [JobRound]

    public init(_ rounds: [JobRound]) { self.rounds = rounds }

    public func encode(to encoder: inout BorshEncoder) { encoder.array(rounds) }

    public init(from decoder: inout BorshDecoder) throws(BorshError) {
        rounds = try decoder.array(limit: Self.limit, smallestElement: 81)
    }
}

/// Data of the event `phase`.
public struct JobPhaseEvent: JobValue {
    public let round: UInt32
    public let phase: JobPhase

    public init(round: UInt32, phase: JobPhase) {
        self.round = round
        self.phase = phase
    }

    public func encode(to encoder: inout BorshEncoder) {
        encoder.integer(round)
        encoder.integer(phase.rawValue)
    }

    public init(from decoder: inout BorshDecoder) throws(BorshError) {
        round = try decoder.integer()
        phase = try decoder.tag()
    }
}

#if !hasFeature(Embedded)
extension JobQuery {
    public var input: [UInt8] { [rawValue] }
    /// For ``owed``.
    public func input(_ account: Account) -> [UInt8] { [rawValue] + account.bytes }
}

extension JobStatus {
    /// Nil where nothing is waited for.
    public var deadline: Time? { deadlineOrZero == .zero ? nil : deadlineOrZero }
}

extension JobParticipant.Standing: CustomStringConvertible {
    public var description: String { name.description }
}

extension JobRound.Outcome: CustomStringConvertible { public var description: String { name.description } }

/// Topics of the job contract's events.
public enum JobEventTopic {
    /// Data: ``JobPhaseEvent``.
    public static let phase = Array("phase".utf8)
    /// Data: ``JobRound``.
    public static let round = Array("round".utf8)
    /// Data: ``JobOpenComplaint``.
    public static let complaint = Array("complaint".utf8)
    /// From the chain: the contract's account, the accused's, then a byte each for stage, levels and outcome (255: none).
    public static let dispute = Array("dispute".utf8)
}
#endif
