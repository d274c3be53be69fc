import Cryptography
import Primitives

/// `GET /v1/services/{service}/job`: where a training job stands, as its contract says.
public struct JobViewDocument: Codable, Equatable, Sendable {
    public struct Worker: Codable, Equatable, Sendable {
        @AddressText public var account: Account
        public var role: String
        public var standing: String
        public var index: Int
        public var samples: UInt32
        public var endpoint: String
        /// In the running round.
        public var committed: Bool
        public var revealed: Bool
        /// Rounds missed in a row.
        public var misses: Int
        public var acceptedRounds: UInt32
        /// Pay that it can take; absent where the contract does not say.
        public var owed: DecimalText<UInt128>?

        public init(
            account: Account, role: String, standing: String, index: Int, samples: UInt32, endpoint: String,
            committed: Bool,
            revealed: Bool, misses: Int, acceptedRounds: UInt32, owed: UInt128?
        ) {
            self.account = account
            self.role = role
            self.standing = standing
            self.index = index
            self.samples = samples
            self.endpoint = endpoint
            self.committed = committed
            self.revealed = revealed
            self.misses = misses
            self.acceptedRounds = acceptedRounds
            self.owed = owed.map { DecimalText($0) }
        }
    }

    public struct Round: Codable, Equatable, Sendable {
        /// From 0.
        public var round: UInt32
        public var outcome: String
        /// Times 10^6.
        @DecimalText public var metricMicro: UInt64
        @DecimalText public var lossMicro: UInt64
        @DecimalText public var closedAt: UInt64
        @HexText public var checkpoint: Digest
        public var participants: Int
        /// For the round's work.
        @DecimalText public var paid: UInt128

        public init(
            round: UInt32, outcome: String, metricMicro: UInt64, lossMicro: UInt64, closedAt: Time, checkpoint: Digest,
            participants: Int, paid: UInt128
        ) {
            self.paid = paid
            self.round = round
            self.outcome = outcome
            self.metricMicro = metricMicro
            self.lossMicro = lossMicro
            self.closedAt = closedAt.value
            self.checkpoint = checkpoint
            self.participants = participants
        }
    }

    public var title: String
    public var phase: String
    /// The running round, from 0.
    public var round: UInt32
    public var rounds: UInt32
    @DecimalText public var phaseSince: UInt64
    /// When the phase ends at the latest; absent where nothing is waited for.
    public var deadline: DecimalText<UInt64>?
    /// Why the job rests; empty otherwise.
    public var reason: String
    @HexText public var checkpoint: Digest
    /// Times 10^6.
    @DecimalText public var metricMicro: UInt64
    @DecimalText public var lossMicro: UInt64
    @DecimalText public var bestMetricMicro: UInt64
    public var acceptedRounds: UInt32
    public var rejectedRounds: UInt32
    /// Paid in, and neither earned by anybody nor taken back.
    @DecimalText public var escrow: UInt128
    /// Earned, and not yet taken.
    @DecimalText public var owed: UInt128
    public var workers: [Worker]
    /// Closed ones, ascending.
    public var history: [Round]

    public init(
        title: String, phase: String, round: UInt32, rounds: UInt32, phaseSince: Time, deadline: Time?, reason: String,
        checkpoint: Digest, metricMicro: UInt64, lossMicro: UInt64, bestMetricMicro: UInt64, acceptedRounds: UInt32,
        rejectedRounds: UInt32, escrow: UInt128, owed: UInt128, workers: [Worker], history: [Round]
    ) {
        self.title = title
        self.phase = phase
        self.round = round
        self.rounds = rounds
        self.phaseSince = phaseSince.value
        self.deadline = deadline.map { DecimalText($0.value) }
        self.reason = reason
        self.checkpoint = checkpoint
        self.metricMicro = metricMicro
        self.lossMicro = lossMicro
        self.bestMetricMicro = bestMetricMicro
        self.acceptedRounds = acceptedRounds
        self.rejectedRounds = rejectedRounds
        self.escrow = escrow
        self.owed = owed
        self.workers = workers
        self.history = history
    }
}

/// `GET /v1/jobs/{service}/metrics`: how well a training job does, round by round, for whoever draws it.
public struct JobMetricsDocument: Codable, Equatable, Sendable {
    public var phase: String
    /// The running round, from 0.
    public var round: UInt32
    public var rounds: UInt32
    /// Accuracy of the accepted model on reserved samples, times 10^6.
    @DecimalText public var metricMicro: UInt64
    @DecimalText public var lossMicro: UInt64
    @DecimalText public var bestMetricMicro: UInt64
    /// Closed ones, ascending; of a long job the last 64, which is what its contract keeps.
    public var history: [JobViewDocument.Round]

    public init(
        phase: String, round: UInt32, rounds: UInt32, metricMicro: UInt64, lossMicro: UInt64, bestMetricMicro: UInt64,
        history: [JobViewDocument.Round]
    ) {
        self.phase = phase
        self.round = round
        self.rounds = rounds
        self.metricMicro = metricMicro
        self.lossMicro = lossMicro
        self.bestMetricMicro = bestMetricMicro
        self.history = history
    }
}

/// What bytes say, for people: of a transaction's data or a contract's event, where their form is known.
public struct MeaningDocument: Codable, Equatable, Sendable {
    public struct Field: Codable, Equatable, Sendable {
        public enum Kind: String, Codable, CaseIterable, Sendable {
            case text, number, micro, time, account, service, hash, masternode
        }

        public var name: String
        public var value: String
        /// What the value is, so that a page can link it.
        public var kind: Kind

        public init(_ name: String, _ value: String, _ kind: Kind = .text) {
            self.name = name
            self.value = value
            self.kind = kind
        }
    }

    /// Completes "ACCOUNT ...", as in "applied for a place as edge".
    public var sentence: String
    public var fields: [Field]

    public init(_ sentence: String, _ fields: [Field] = []) {
        self.sentence = sentence
        self.fields = fields
    }
}
