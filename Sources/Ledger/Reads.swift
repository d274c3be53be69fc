import Cryptography
import Encoding
import Primitives

/// An account as people and the API see it.
public struct AccountView: Hashable, Sendable {
    public let record: AccountRecord
    /// Resource credits at the time asked for.
    public let credits: UInt64
    public let capacity: UInt64
    /// The service that paid for it last, or lends its deposit.
    public let sponsor: ServiceId?
}

/// What reputation an account has in one role.
public struct ReputationView: Hashable, Sendable {
    public let role: Role
    /// Decayed to the time asked for.
    public let record: ReputationRecord
    /// R, in 0..<2^20.
    public let score: UInt64
}

/// What a query gave.
public struct QueryResult: Sendable {
    public enum Outcome: Equatable, Sendable {
        case returned([UInt8])
        case failed(String)
    }

    public let outcome: Outcome
    public let gasUsed: UInt64
    public let logs: [ContractLog]
}

extension Ledger {
    /// Nil for an account of which the chain knows nothing.
    public func account(_ account: Account, at time: Time, state: any StateReader) throws(LedgerError) -> AccountView? {
        guard let record: AccountRecord = try state.read(.account(account)) else { return nil }
        let credits = Credits(try parameters(state))
        return AccountView(
            record: record, credits: credits.available(record, at: time),
            capacity: credits.capacity(stake: record.stake),
            sponsor: try record.sponsor.flatMap { contract throws(LedgerError) in try state.read(.contract(contract)) })
    }

    public func service(_ id: ServiceId, state: any StateReader) throws(LedgerError) -> ServiceRecord? {
        try state.read(.service(id))
    }

    /// Name of the service whose contract has this account.
    public func service(ofContract contract: Account, state: any StateReader) throws(LedgerError) -> ServiceId? {
        try state.read(.contract(contract))
    }

    /// One view for each role in which something was ever counted.
    public func reputation(
        _ account: Account, at time: Time, state: any StateReader
    ) throws(LedgerError) -> [ReputationView] {
        let period = Reputation.period(of: time, parameters: genesis.parameters)
        var views: [ReputationView] = []
        for role in Role.allCases {
            guard let record: ReputationRecord = try state.read(.reputation(account, role)) else { continue }
            let decayed = Reputation.decayed(record, toPeriod: period)
            views.append(ReputationView(role: role, record: decayed, score: Reputation.score(decayed)))
        }
        return views
    }

    /// Gas that a query may use unless the caller says otherwise.
    public static let queryGas: UInt64 = 20_000_000

    /// Asks a service's contract, without changing anything. Nil when there is no such service.
    public func query(
        _ service: ServiceId, input: [UInt8], state: any StateReader, gasLimit: UInt64 = Ledger.queryGas
    ) throws(LedgerError) -> QueryResult? {
        let overlay = Overlay(state)
        guard let record: ServiceRecord = try overlay.value(.service(service)) else { return nil }
        // Its code may be gone.
        if let retiredAt = record.retiredAt {
            return QueryResult(outcome: .failed("the service '\(service)' has ended in block \(retiredAt)"), gasUsed: 0, logs: [])
        }
        let executor = Executor(
            ledger: self, overlay: overlay, context: try EpochContext(ledger: self, state: state), height: try overlay.value(.height) ?? .zero,
            time: try overlay.value(.time) ?? genesis.time,
            randomness: try overlay.value(.randomness) ?? genesis.initialRandomness)
        let call = ContractCall(
            service: record, entry: .query, kind: .query, caller: .zero, signer: nil, value: 0, actionId: 0, postId: [],
            input: input, readOnly: true)
        let result = try executor.invoke(call, gasLimit: gasLimit)
        let outcome: QueryResult.Outcome =
            switch result.outcome {
            case .returned(let bytes): .returned(bytes)
            case .failed(let message): .failed(message)
            }
        return QueryResult(outcome: outcome, gasUsed: result.gasUsed, logs: executor.logs)
    }
}
