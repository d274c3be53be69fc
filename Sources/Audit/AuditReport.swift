import Cryptography
import Primitives

/// What a verified audit file proves.
public struct AuditReport: Hashable, Sendable {
    public struct ActionCount: Hashable, Sendable {
        public let action: ActionId
        public let count: UInt64
    }

    public struct Outcomes: Hashable, Sendable {
        public var succeeded: UInt64 = 0
        public var recorded: UInt64 = 0
        public var failed: UInt64 = 0
    }

    public struct FindingCount: Hashable, Sendable {
        public let role: Role
        public let kind: Finding.Kind
        public let count: UInt64
        /// How many of them had a weight.
        public let effective: UInt64
    }

    public struct RoleReputation: Hashable, Sendable {
        public let role: Role
        /// Counters as the state holds them: decayed up to the role's last finding.
        public let stored: ReputationRecord
        /// Counters decayed to the audited block's time.
        public let record: ReputationRecord
        /// R of `record`, in units of 2^-20.
        public let score: UInt64
    }

    public let chainName: String
    public let genesisHash: Digest
    public let account: Account
    /// The audited block; the report shows the state before it.
    public let height: Height
    public let time: Time
    public let block: Digest
    public let stateRoot: Digest
    /// Height of the block that the Finalization names, and how many of the masternodes signed it.
    public let finalisedHeight: Height
    public let signers: Int
    public let masternodes: Int
    /// Whether the state knows the account.
    public let exists: Bool
    public let balance: UInt128
    public let sequence: UInt64
    public let entries: UInt64
    public let historyRoot: Digest
    /// Ascending by action; only those that occur.
    public let actions: [ActionCount]
    public let outcomes: Outcomes
    /// By role, then kind; only those that occur.
    public let findings: [FindingCount]
    /// One for each role.
    public let reputation: [RoleReputation]
    public let explanation: ReputationExplanation

    init(
        file: AuditFile, block: Digest, explanation: ReputationExplanation, masternodes set: MasternodeSet, genesis: Genesis
    ) {
        chainName = genesis.chainName
        genesisHash = file.genesisHash
        account = file.account
        height = file.header.height
        time = file.header.time
        self.block = block
        stateRoot = file.header.stateRoot
        finalisedHeight = (file.descendants.last ?? file.header).height
        signers = file.finalization.signers.count
        masternodes = set.count
        exists = file.record.value != nil
        let record = file.record.value ?? AccountRecord()
        balance = record.balance
        sequence = record.sequence
        entries = record.history.size
        historyRoot = record.history.root

        var byAction: [ActionId: UInt64] = [:]
        var outcomes = Outcomes()
        for entry in file.entries {
            guard case .action(let action) = entry.content else { continue }
            byAction[action.transaction.actionId, default: 0] += 1
            switch action.outcome {
            case .succeeded: outcomes.succeeded += 1
            case .recorded: outcomes.recorded += 1
            case .failed: outcomes.failed += 1
            }
        }
        actions = byAction.map { ActionCount(action: $0.key, count: $0.value) }.sorted { $0.action < $1.action }
        self.outcomes = outcomes

        var findings: [FindingCount] = []
        for role in Role.allCases {
            for kind in Finding.Kind.allCases {
                let matching = explanation.steps.filter { $0.finding.role == role && $0.finding.kind == kind }
                guard !matching.isEmpty else { continue }
                findings.append(
                    FindingCount(
                        role: role, kind: kind, count: UInt64(matching.count),
                        effective: UInt64(matching.count { $0.finding.weight > 0 })))
            }
        }
        self.findings = findings

        let period = Reputation.period(of: file.header.time, parameters: genesis.parameters)
        reputation = Role.allCases.map { role in
            let stored = explanation.record(of: role)
            let record = Reputation.decayed(stored, toPeriod: period)
            return RoleReputation(role: role, stored: stored, record: record, score: Reputation.score(record))
        }
        self.explanation = explanation
    }
}
