import Primitives

/// How an account came by its reputation: every finding of its history with the counters after it. A pure function of
/// the entries and the genesis parameters.
public struct ReputationExplanation: Hashable, Sendable {
    /// One finding and what it did.
    public struct Step: Hashable, Sendable {
        /// Place in the account's history.
        public let index: UInt64
        public let height: Height
        public let time: Time
        public let finding: Finding
        /// Counters of the finding's role before and after it.
        public let before: ReputationRecord
        public let after: ReputationRecord
        /// R right after it, in units of 2^-20.
        public let score: UInt64
    }

    /// In the order of the history.
    public let steps: [Step]
    private let records: [ReputationRecord]

    public init(entries: [HistoryEntry], parameters: Parameters) {
        var records = Role.allCases.map { _ in ReputationRecord() }
        var steps: [Step] = []
        for entry in entries {
            guard case .finding(let finding) = entry.content else { continue }
            let slot = Int(finding.role.rawValue)
            guard records.indices.contains(slot) else { continue }
            let before = records[slot]
            let after = Reputation.apply(
                before, kind: finding.kind, weight: finding.weight, at: entry.time, parameters: parameters)
            records[slot] = after
            steps.append(
                Step(
                    index: entry.index, height: entry.height, time: entry.time, finding: finding, before: before,
                    after: after, score: Reputation.score(after)))
        }
        self.steps = steps
        self.records = records
    }

    /// Counters after the last finding of the role; zero where there was none.
    public func record(of role: Role) -> ReputationRecord {
        let slot = Int(role.rawValue)
        return records.indices.contains(slot) ? records[slot] : ReputationRecord()
    }
}
