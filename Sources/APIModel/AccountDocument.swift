import Cryptography
import Primitives

/// `GET /v1/accounts/{account}`
public struct AccountDocument: Codable, Equatable, Sendable {
    public struct Credits: Codable, Equatable, Sendable {
        /// Now, with what has regenerated.
        @DecimalText public var available: UInt64
        @DecimalText public var capacity: UInt64
    }

    public struct Sponsor: Codable, Equatable, Sendable {
        /// The service that paid for the account last, or lends its deposit.
        @LabelText public var service: ServiceId
        /// What the service's contract holds for the account's record, until the account has money of its own.
        @DecimalText public var lent: UInt128
    }

    public struct History: Codable, Equatable, Sendable {
        @DecimalText public var size: UInt64
        /// RFC 9162 root over the account's entries.
        @HexText public var root: Digest
    }

    @AddressText public var account: Account
    /// What the account's next transaction must carry.
    @DecimalText public var sequence: UInt64
    /// What it can spend.
    @DecimalText public var balance: UInt128
    /// Collateral of the masternode whose consensus key the account is, or what backs the verdicts of its jobs; it can't
    /// be spent.
    @DecimalText public var locked: UInt128
    /// Locked for the state that the account made exist; it comes back when that goes.
    @DecimalText public var deposit: UInt128
    public var credits: Credits
    /// Absent where no service ever paid for the account.
    public var sponsor: Sponsor?
    public var history: History

    public init(
        account: Account, record: AccountRecord, credits: UInt64, capacity: UInt64, sponsor: ServiceId? = nil
    ) {
        self.account = account
        sequence = record.sequence
        balance = record.balance
        locked = record.locked
        deposit = record.deposit
        self.sponsor = sponsor.map { Sponsor(service: $0, lent: record.lent) }
        self.credits = Credits(available: credits, capacity: capacity)
        history = History(size: record.history.size, root: record.history.root)
    }
}

/// One entry of a history: an action or a finding.
public struct HistoryEntryDocument: Codable, Equatable, Sendable {
    public struct Action: Codable, Equatable, Sendable {
        /// With its data, without its signature.
        public var transaction: TransactionDocument
        public var outcome: OutcomeDocument
        @DecimalText public var gasUsed: UInt64
    }

    public struct FindingDocument: Codable, Equatable, Sendable {
        @LabelText public var service: ServiceId
        public var role: String
        /// `accepted`, `auditedMatch`, `lateButUsed`, `absent`, `outlier`, `notRevealed`, `equivocation`, `fraud`.
        public var kind: String
        /// Units of 2^-20.
        @DecimalText public var weight: UInt64
        /// Why it had no effect, empty if it had.
        public var note: String
    }

    @DecimalText public var index: UInt64
    @DecimalText public var height: UInt64
    /// Milliseconds since 1970.
    @DecimalText public var time: UInt64
    /// Present for what the account did.
    public var action: Action?
    /// Present for what was found about it.
    public var finding: FindingDocument?

    public init(_ entry: HistoryEntry, genesis: Digest) {
        index = entry.index
        height = entry.height.value
        time = entry.time.value
        switch entry.content {
        case .action(let record):
            action = Action(
                transaction: TransactionDocument(
                    record.transaction, id: record.transaction.id(genesis: genesis), withData: true),
                outcome: OutcomeDocument(record.outcome), gasUsed: record.gasUsed)
        case .finding(let value):
            finding = FindingDocument(
                service: value.service, role: value.role.description, kind: FindingNames.name(value.kind),
                weight: value.weight, note: value.note)
        }
    }
}

/// The names of findings in JSON.
public enum FindingNames {
    public static func name(_ kind: Finding.Kind) -> String {
        switch kind {
        case .accepted: "accepted"
        case .auditedMatch: "auditedMatch"
        case .lateButUsed: "lateButUsed"
        case .absent: "absent"
        case .outlier: "outlier"
        case .notRevealed: "notRevealed"
        case .equivocation: "equivocation"
        case .fraud: "fraud"
        }
    }

    public static func kind(_ name: String) -> Finding.Kind? {
        Finding.Kind.allCases.first { self.name($0) == name }
    }

    public static func role(_ name: String) -> Role? { Role.allCases.first { $0.description == name } }
}

/// `GET /v1/accounts/{account}/history`
public struct HistoryDocument: Codable, Equatable, Sendable {
    @AddressText public var account: Account
    /// Entries in the whole history.
    @DecimalText public var size: UInt64
    @HexText public var root: Digest
    /// Ascending by index.
    public var entries: [HistoryEntryDocument]
    /// `from` of the next page; absent when this is the last.
    public var next: DecimalText<UInt64>?

    public init(account: Account, size: UInt64, root: Digest, entries: [HistoryEntry], genesis: Digest) {
        self.account = account
        self.size = size
        self.root = root
        self.entries = entries.map { HistoryEntryDocument($0, genesis: genesis) }
        let following = (entries.last?.index ?? .max).addingReportingOverflow(1)
        next = following.overflow || following.partialValue >= size ? nil : DecimalText(following.partialValue)
    }
}

/// `GET /v1/accounts/{account}/reputation`
public struct ReputationDocument: Codable, Equatable, Sendable {
    public struct Entry: Codable, Equatable, Sendable {
        /// `cloud`, `edge`, `fog`, `device`, `validator`.
        public var role: String
        /// Evidence for and against, units of 2^-20, decayed up to `period`.
        @DecimalText public var positive: UInt64
        @DecimalText public var negative: UInt64
        @DecimalText public var period: UInt64
        /// R in units of 2^-20, decayed to the newest block's time.
        @DecimalText public var score: UInt64

        public init(role: Role, record: ReputationRecord, score: UInt64) {
            self.role = role.description
            positive = record.positive
            negative = record.negative
            period = record.period
            self.score = score
        }
    }

    @AddressText public var account: Account
    /// One for each role with evidence.
    public var roles: [Entry]

    public init(account: Account, roles: [Entry]) {
        self.account = account
        self.roles = roles
    }
}
