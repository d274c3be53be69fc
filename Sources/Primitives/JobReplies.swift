import Cryptography
import Encoding

/// What the job contract's `query` can be asked; its argument is this byte.
public enum JobQuery: UInt8, Hashable, Sendable {
    case status, participants, history

    public var input: [UInt8] { [rawValue] }
}

/// Reply to ``JobQuery/status``.
public struct JobStatus: BorshCodable, Hashable, Sendable {
    public static let longestReason = 64

    public let spec: JobSpec
    public let phase: JobPhase
    /// The running round, from 0; a finished job stays at its last.
    public let round: UInt32
    public let phaseSince: Time
    /// When the phase ends at the latest; nil where nothing is waited for.
    public let deadline: Time?
    /// Of the last accepted round.
    public let checkpoint: Digest
    /// Accuracy times 10^6.
    public let metricMicro: UInt64
    public let lossMicro: UInt64
    public let bestMetricMicro: UInt64
    public let acceptedRounds: UInt32
    public let rejectedRounds: UInt32
    public let escrow: UInt128
    /// Why the job rests, or why its last round starved; empty otherwise.
    public let reason: String

    public init(
        spec: JobSpec, phase: JobPhase, round: UInt32, phaseSince: Time, deadline: Time?, checkpoint: Digest,
        metricMicro: UInt64, lossMicro: UInt64, bestMetricMicro: UInt64, acceptedRounds: UInt32,
        rejectedRounds: UInt32, escrow: UInt128, reason: String
    ) {
        self.spec = spec
        self.phase = phase
        self.round = round
        self.phaseSince = phaseSince
        self.deadline = deadline == .zero ? nil : deadline
        self.checkpoint = checkpoint
        self.metricMicro = metricMicro
        self.lossMicro = lossMicro
        self.bestMetricMicro = bestMetricMicro
        self.acceptedRounds = acceptedRounds
        self.rejectedRounds = rejectedRounds
        self.escrow = escrow
        self.reason = reason
    }

    public func encode(to encoder: inout BorshEncoder) {
        encoder.value(spec)
        encoder.integer(phase.rawValue)
        encoder.integer(round)
        encoder.value(phaseSince)
        encoder.value(deadline ?? .zero)
        encoder.value(checkpoint)
        encoder.integer(metricMicro)
        encoder.integer(lossMicro)
        encoder.integer(bestMetricMicro)
        encoder.integer(acceptedRounds)
        encoder.integer(rejectedRounds)
        encoder.integer(escrow)
        encoder.string(reason)
    }

    public init(from decoder: inout BorshDecoder) throws(BorshError) {
        spec = try decoder.value()
        phase = try decoder.tag()
        round = try decoder.integer()
        phaseSince = try decoder.value()
        let deadline: Time = try decoder.value()
        self.deadline = deadline == .zero ? nil : deadline
        checkpoint = try decoder.value()
        metricMicro = try decoder.integer()
        lossMicro = try decoder.integer()
        bestMetricMicro = try decoder.integer()
        acceptedRounds = try decoder.integer()
        rejectedRounds = try decoder.integer()
        escrow = try decoder.integer()
        reason = try decoder.string(limit: Self.longestReason)
    }
}

/// A worker in a job.
public struct JobParticipant: BorshCodable, Hashable, Sendable {
    public enum Standing: UInt8, Hashable, Sendable, CaseIterable, CustomStringConvertible {
        case applied, confirmed, active, suspended, released

        public var description: String {
            switch self {
            case .applied: "applied"
            case .confirmed: "confirmed"
            case .active: "active"
            case .suspended: "suspended"
            case .released: "released"
            }
        }
    }

    public let account: Account
    public let role: Role
    public let standing: Standing
    /// Place among those of its role; an edge's is its shard. Final once the roster is fixed.
    public let index: UInt16
    public let samples: UInt32
    public let kemPublicKey: KEMPublicKey
    /// host:port, empty until published.
    public let endpoint: String
    /// In the running round.
    public let committed: Bool
    public let revealed: Bool
    /// Rounds missed in a row.
    public let misses: UInt16
    public let acceptedRounds: UInt32
    /// Steps root and artefact that it revealed in the running round.
    public let lastRoot: Digest
    public let lastArtifact: Digest

    public init(
        account: Account, role: Role, standing: Standing, index: UInt16, samples: UInt32, kemPublicKey: KEMPublicKey,
        endpoint: String, committed: Bool, revealed: Bool, misses: UInt16, acceptedRounds: UInt32, lastRoot: Digest,
        lastArtifact: Digest
    ) {
        self.account = account
        self.role = role
        self.standing = standing
        self.index = index
        self.samples = samples
        self.kemPublicKey = kemPublicKey
        self.endpoint = endpoint
        self.committed = committed
        self.revealed = revealed
        self.misses = misses
        self.acceptedRounds = acceptedRounds
        self.lastRoot = lastRoot
        self.lastArtifact = lastArtifact
    }

    public func encode(to encoder: inout BorshEncoder) {
        encoder.value(account)
        encoder.value(role)
        encoder.integer(standing.rawValue)
        encoder.integer(index)
        encoder.integer(samples)
        encoder.value(kemPublicKey)
        encoder.string(endpoint)
        encoder.bool(committed)
        encoder.bool(revealed)
        encoder.integer(misses)
        encoder.integer(acceptedRounds)
        encoder.value(lastRoot)
        encoder.value(lastArtifact)
    }

    public init(from decoder: inout BorshDecoder) throws(BorshError) {
        account = try decoder.value()
        role = try decoder.value()
        standing = try decoder.tag()
        index = try decoder.integer()
        samples = try decoder.integer()
        kemPublicKey = try decoder.value()
        endpoint = try decoder.string(limit: JobIdentity.longestEndpoint)
        committed = try decoder.bool()
        revealed = try decoder.bool()
        misses = try decoder.integer()
        acceptedRounds = try decoder.integer()
        lastRoot = try decoder.value()
        lastArtifact = try decoder.value()
    }
}

/// Reply to ``JobQuery/participants``, in the order in which they applied.
public struct JobParticipants: BorshCodable, Hashable, Sendable {
    public static let limit = 64

    public let all: [JobParticipant]

    public init(_ all: [JobParticipant]) { self.all = all }

    public func encode(to encoder: inout BorshEncoder) { encoder.array(all) }

    public init(from decoder: inout BorshDecoder) throws(BorshError) {
        all = try decoder.array(limit: Self.limit, smallestElement: 148)
    }
}

/// One closed round: an element of the history, and the data of the event `round`.
public struct JobRound: BorshCodable, Hashable, Sendable {
    public enum Outcome: UInt8, Hashable, Sendable, CaseIterable, CustomStringConvertible {
        case accepted, rolledBack, starved

        public var description: String {
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
    /// How many delivered.
    public let participants: UInt16

    public init(
        round: UInt32, outcome: Outcome, metricMicro: UInt64, lossMicro: UInt64, closedAt: Time, checkpoint: Digest,
        participants: UInt16
    ) {
        self.round = round
        self.outcome = outcome
        self.metricMicro = metricMicro
        self.lossMicro = lossMicro
        self.closedAt = closedAt
        self.checkpoint = checkpoint
        self.participants = participants
    }

    public func encode(to encoder: inout BorshEncoder) {
        encoder.integer(round)
        encoder.integer(outcome.rawValue)
        encoder.integer(metricMicro)
        encoder.integer(lossMicro)
        encoder.value(closedAt)
        encoder.value(checkpoint)
        encoder.integer(participants)
    }

    public init(from decoder: inout BorshDecoder) throws(BorshError) {
        round = try decoder.integer()
        outcome = try decoder.tag()
        metricMicro = try decoder.integer()
        lossMicro = try decoder.integer()
        closedAt = try decoder.value()
        checkpoint = try decoder.value()
        participants = try decoder.integer()
    }
}

/// Reply to ``JobQuery/history``: the last rounds, ascending.
public struct JobHistory: BorshCodable, Hashable, Sendable {
    public static let limit = 64

    public let rounds: [JobRound]

    public init(_ rounds: [JobRound]) { self.rounds = rounds }

    public func encode(to encoder: inout BorshEncoder) { encoder.array(rounds) }

    public init(from decoder: inout BorshDecoder) throws(BorshError) {
        rounds = try decoder.array(limit: Self.limit, smallestElement: 63)
    }
}

/// Data of the event `phase`.
public struct JobPhaseEvent: BorshCodable, Hashable, Sendable {
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

/// Topics of the job contract's events.
public enum JobEventTopic {
    /// Data: ``JobPhaseEvent``.
    public static let phase = Array("phase".utf8)
    /// Data: ``JobRound``.
    public static let round = Array("round".utf8)
    /// Data: ``JobComplaint``.
    public static let complaint = Array("complaint".utf8)
}
