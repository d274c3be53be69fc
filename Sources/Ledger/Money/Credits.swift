import Primitives

/// Resource credits: what an account may spend in place of fees (architecture, section 4). Pure arithmetic on an
/// account's record; one credit pays one unit of gas.
///
/// Capacity is in proportion to the stake, without any base and without a maximum, so that splitting or joining
/// accounts changes nothing. An account starts with none, money that arrives brings none, and money that leaves takes
/// its part along: so at any time `credits <= capacity(stake)` for every account, and all the credits of a chain are at
/// most `supply / balancePerCredit`. What is spent grows back linearly, an empty account being full again after
/// `creditWindowMs` of header time.
public struct Credits: Sendable {
    private let balancePerCredit: UInt64
    private let window: UInt64

    public init(_ parameters: Parameters) {
        balancePerCredit = max(1, parameters.balancePerCredit)
        window = max(1, parameters.creditWindowMs)
    }

    /// Most credits that an account with this stake can hold.
    public func capacity(stake: UInt128) -> UInt64 { UInt64(clamping: stake / UInt128(balancePerCredit)) }

    /// What the account can spend at this header time.
    public func available(_ record: AccountRecord, at time: Time) -> UInt64 {
        let capacity = capacity(stake: record.stake)
        // Nothing grows on an account that the ledger has not opened.
        let elapsed = record.creditTime > .zero ? min(time.distance(since: record.creditTime), window) : 0
        let grown = UInt64(clamping: UInt128(capacity) * UInt128(elapsed) / UInt128(window))
        return min(capacity, record.credits.addingSaturating(grown))
    }

    /// Earliest header time at which the account has `amount`, its balance staying as it is; nil when it never will.
    public func time(of amount: UInt64, for record: AccountRecord, at now: Time) -> Time? {
        let available = available(record, at: now)
        if available >= amount { return now }
        let capacity = capacity(stake: record.stake)
        guard amount <= capacity, capacity > 0, record.creditTime > .zero else { return nil }
        // Least t with credits + floor(capacity * t / window) >= amount, counted from creditTime.
        let missing = UInt128(amount - min(amount, record.credits))
        let wait = (missing * UInt128(window) + UInt128(capacity) - 1) / UInt128(capacity)
        return max(now.next, record.creditTime.advanced(by: UInt64(clamping: wait)))
    }

    /// Brings the record up to the time, so that a stake that changes now changes what grows from now on only.
    package func settle(_ record: inout AccountRecord, at time: Time) {
        record.credits = available(record, at: time)
        record.creditTime = max(time, record.creditTime)
    }

    /// Takes what is there, at most `amount`: an account may spend its balance, and with it credits, in a transaction
    /// that was valid when it was sent.
    package func charge(_ amount: UInt64, to record: inout AccountRecord, at time: Time) {
        settle(&record, at: time)
        record.credits -= min(record.credits, amount)
    }

    /// Gives back what was charged before and not used, as far as the account can hold it.
    package func refund(_ amount: UInt64, to record: inout AccountRecord, at time: Time) {
        settle(&record, at: time)
        record.credits = min(capacity(stake: record.stake), record.credits.addingSaturating(amount))
    }

    /// Takes the credits out that belong to a part of the stake which is about to leave.
    /// - Parameter amount: at most the stake.
    /// - Returns: what left.
    package func detach(_ amount: UInt128, from record: inout AccountRecord, at time: Time) -> UInt64 {
        settle(&record, at: time)
        let stake = record.stake
        guard amount > 0, stake > 0 else { return 0 }
        let rest = stake - min(stake, amount)
        // floor(credits * rest / stake): the quotient is at most `credits`, so the division can't overflow.
        let product = UInt128(record.credits).multipliedFullWidth(by: rest)
        let kept = UInt64(clamping: stake.dividingFullWidth(product).quotient)
        defer { record.credits = kept }
        return record.credits - min(record.credits, kept)
    }
}
