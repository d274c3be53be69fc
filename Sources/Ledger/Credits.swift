import Primitives

/// Resource credits: what an account may spend in place of fees (architecture, section 4). Pure arithmetic on an
/// account's record; one credit pays one unit of gas.
///
/// Capacity comes from the stake: balance and locked collateral. What is spent grows back linearly, an empty account being full again after
/// `creditWindowMs` of header time.
public struct Credits: Sendable {
    private let base: UInt64
    private let balancePerCredit: UInt64
    private let maximum: UInt64
    private let window: UInt64

    public init(_ parameters: Parameters) {
        base = parameters.creditBase
        balancePerCredit = max(1, parameters.balancePerCredit)
        maximum = parameters.creditMaximum
        window = max(1, parameters.creditWindowMs)
    }

    /// Most credits that an account with this stake can hold: 0 for an empty one.
    public func capacity(stake: UInt128) -> UInt64 {
        guard stake > 0 else { return 0 }
        let earned = UInt64(clamping: stake / UInt128(balancePerCredit))
        let (sum, overflow) = base.addingReportingOverflow(earned)
        return min(maximum, overflow ? .max : sum)
    }

    /// What the account can spend at this header time. An account that has held no balance before starts full.
    public func available(_ record: AccountRecord, at time: Time) -> UInt64 {
        let capacity = capacity(stake: record.stake)
        guard record.creditTime > .zero else { return capacity }
        let elapsed = min(time.distance(since: record.creditTime), window)
        let grown = UInt64(clamping: UInt128(capacity) * UInt128(elapsed) / UInt128(window))
        let (sum, overflow) = record.credits.addingReportingOverflow(grown)
        return min(capacity, overflow ? .max : sum)
    }

    /// Earliest header time at which the account has `amount`, its balance staying as it is; nil when it never will.
    public func time(of amount: UInt64, for record: AccountRecord, at now: Time) -> Time? {
        let available = available(record, at: now)
        if available >= amount { return now }
        let capacity = capacity(stake: record.stake)
        guard amount <= capacity, capacity > 0 else { return nil }
        // Least t with credits + floor(capacity * t / window) >= amount, counted from creditTime.
        let missing = UInt128(amount - min(amount, record.credits))
        let wait = (missing * UInt128(window) + UInt128(capacity) - 1) / UInt128(capacity)
        return max(now.next, record.creditTime.advanced(by: UInt64(clamping: wait)))
    }

    /// Brings the record up to the time, so that a balance that changes now changes what grows from now on only.
    package func settle(_ record: inout AccountRecord, at time: Time) {
        guard record.stake > 0 || record.creditTime > .zero else { return }
        record.credits = available(record, at: time)
        record.creditTime = max(time, record.creditTime)
    }

    /// Takes what is there, at most `amount`: an account may spend its balance, and with it capacity, in a transaction
    /// that was valid when it was sent.
    package func charge(_ amount: UInt64, to record: inout AccountRecord, at time: Time) {
        settle(&record, at: time)
        record.credits -= min(record.credits, amount)
    }
}
