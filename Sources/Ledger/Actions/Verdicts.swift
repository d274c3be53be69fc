import Cryptography
import Primitives

/// What a service's contract finds about an account (architecture, section 5).
struct Verdict {
    let account: Account
    let role: Role
    let kind: Finding.Kind
    /// w that the contract asks for, in units of 2^-20.
    let weight: UInt64
    /// The item whose validation stands behind it.
    let post: PostId
}

/// What became of a verdict; the raw value is what the contract is told.
enum VerdictOutcome: UInt64 {
    case counted = 0
    /// It stands in the history, without effect.
    case noted = 1
    /// It left no trace.
    case refused = 2
}

extension Executor {
    /// Takes a verdict about a member of the service, once for each validation that a party outside the owner's control
    /// has itself sent; any other leaves no trace. What the rules let count of it counts.
    func judge(_ verdict: Verdict, by service: ServiceRecord) throws(LedgerError) -> VerdictOutcome {
        let membershipKey = StateKey.membership(service.contract, verdict.account)
        guard var membership: MembershipRecord = try overlay.value(membershipKey) else { return .refused }
        guard let panel: PanelRecord = try overlay.value(.panel(service.contract)),
            let validation = panel.validation(of: verdict.post), validation.number > membership.judged
        else { return .refused }
        membership.judged = validation.number
        overlay.set(membershipKey, membership)

        let (weight, note) = try weigh(verdict, service, panel)
        let finding = Finding(
            service: service.service, role: verdict.role, kind: verdict.kind, weight: weight, note: note)
        try overlay.append(.finding(finding), to: verdict.account, height: height, time: time)
        guard weight > 0 else { return .noted }
        let key = StateKey.reputation(verdict.account, verdict.role)
        let before: ReputationRecord = try overlay.value(key) ?? ReputationRecord()
        let after = Reputation.apply(before, kind: verdict.kind, weight: weight, at: time, parameters: parameters)
        if after != before { overlay.set(key, after) }
        return .counted
    }

    private func weigh(
        _ verdict: Verdict, _ service: ServiceRecord, _ panel: PanelRecord
    ) throws(LedgerError) -> (UInt64, StaticString) {
        if verdict.kind.isFavourable {
            // Nobody but itself matched the validator's result. What it failed to do shows on the chain, and counts.
            if verdict.account == service.validator || panel.members.contains(verdict.account) {
                return (0, "the validator's own result: nobody matched it")
            }
            if try overlay.value(.tombstone(verdict.account)) != nil { return (0, "a jury found it a liar") }
            if verdict.account == service.owner { return (0, "the owner's own work for itself") }
        }
        guard verdict.weight > 0 else { return (0, "no weight was asked for") }
        let granted = try drawWeight(min(verdict.weight, Reputation.unit), of: service.owner)
        return granted > 0 ? (granted, "") : (0, "the owner's verdict budget is used up")
    }
}

extension Finding.Kind {
    var isFavourable: Bool {
        switch self {
        case .accepted, .auditedMatch, .lateButUsed: true
        case .absent, .outlier, .notRevealed, .equivocation, .fraud: false
        }
    }
}

extension Parameters {
    /// Weight, in units of 2^-20, that an owner with so much locked money can give in each of its periods.
    public func verdictBudget(deposit: UInt128) -> UInt64 {
        let whole = deposit / UInt128(max(1, depositPerVerdict))
        return UInt64(clamping: min(whole, UInt128(UInt64.max)) * UInt128(Reputation.unit))
    }
}
