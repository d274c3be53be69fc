import Cryptography
import Primitives

/// What a service's contract finds about an account (architecture, section 5).
struct Verdict {
    let account: Account
    let role: Role
    let kind: Finding.Kind
    /// w that the contract asks for, in units of 2^-20.
    let weight: UInt64
}

extension Executor {
    /// Records the finding in the account's history, and counts what the rules let count of it.
    /// - Returns: whether anything counted.
    func judge(_ verdict: Verdict, by service: ServiceRecord) throws(LedgerError) -> Bool {
        let (weight, note) = try weigh(verdict, service)
        let finding = Finding(
            service: service.service, role: verdict.role, kind: verdict.kind, weight: weight, note: note)
        try overlay.append(.finding(finding), to: verdict.account, height: height, time: time)
        guard weight > 0 else { return false }
        let key = StateKey.reputation(verdict.account, verdict.role)
        let before: ReputationRecord = try overlay.value(key) ?? ReputationRecord()
        let after = Reputation.apply(before, kind: verdict.kind, weight: weight, at: time, parameters: parameters)
        if after != before { overlay.set(key, after) }
        return true
    }

    private func weigh(_ verdict: Verdict, _ service: ServiceRecord) throws(LedgerError) -> (UInt64, StaticString) {
        guard try overlay.value(.membership(service.contract, verdict.account)) != nil else {
            return (0, "the account did not join the service")
        }
        guard let validator = service.validator, validator != service.owner, validator != service.contract else {
            return (0, "no validator outside the owner's control")
        }
        // Nobody but itself matched the validator's result. What it failed to do shows on the chain, and counts.
        if verdict.account == validator, verdict.kind.isFavourable {
            return (0, "the validator's own result: nobody matched it")
        }
        guard verdict.weight > 0 else { return (0, "no weight was asked for") }
        let granted = try draw(verdict.weight, from: service)
        return granted > 0 ? (granted, "") : (0, "the service's verdict budget is used up")
    }

    /// Takes up to `asked` from what the service's deposit allows in this decay period.
    private func draw(_ asked: UInt64, from service: ServiceRecord) throws(LedgerError) -> UInt64 {
        let period = Reputation.period(of: time, parameters: parameters)
        let key = StateKey.counters(service.contract)
        var counters: ContractCounters = try overlay.value(key) ?? ContractCounters()
        if counters.period != period {
            counters.period = period
            counters.weight = 0
        }
        let budget = parameters.verdictBudget(deposit: try overlay.account(service.contract).balance)
        let granted = min(asked, budget - min(budget, counters.weight))
        counters.weight = counters.weight.addingSaturating(granted)
        overlay.set(key, counters)
        return granted
    }
}

extension Finding.Kind {
    var isFavourable: Bool {
        switch self {
        case .accepted, .auditedMatch, .lateButUsed: true
        case .absent, .outlier, .notRevealed, .equivocation: false
        }
    }
}

extension Parameters {
    /// Weight, in units of 2^-20, that a service with this deposit can give in each decay period.
    public func verdictBudget(deposit: UInt128) -> UInt64 {
        let whole = deposit / UInt128(max(1, depositPerVerdict))
        return UInt64(clamping: min(whole, UInt128(UInt64.max)) * UInt128(Reputation.unit))
    }
}
