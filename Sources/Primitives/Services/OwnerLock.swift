import Encoding

/// Money that an account has locked to back the verdicts of its services (state key ``StateKey/ownerLock(_:)``). It lies
/// in ``AccountRecord/locked``, out of reach of any contract.
///
/// A lock has periods of its own, each as long as a decay period, from the moment it was made. What is added counts from
/// the next period on, what is asked back is free at the end of the running one. So whatever counts in a period is
/// locked for all of it, and no coin counts twice at a time, whoever has it next.
public struct OwnerLock: BorshCodable, Hashable, Sendable {
    /// Begin of the running period.
    public private(set) var since: Time
    /// What counts in the running period.
    public private(set) var amount: UInt128
    /// What counts from the next period on.
    public private(set) var added: UInt128
    /// What is free at the end of the running period; at most `amount + added`.
    public private(set) var leaving: UInt128
    /// Verdict weight that was given in the running period, in units of 2^-20.
    public private(set) var drawn: UInt64

    public init(since: Time) {
        self.since = since
        amount = 0
        added = 0
        leaving = 0
        drawn = 0
    }

    /// All that is locked. The parts come from one balance, so the sum fits.
    public var total: UInt128 { amount &+ added }
    public var isEmpty: Bool { total == 0 }

    /// Brings the lock to the period of this time.
    /// - Returns: what has become free.
    public mutating func settle(at now: Time, periodMs: UInt64) -> UInt128 {
        let period = max(1, periodMs)
        let passed = now.distance(since: since) / period
        guard passed > 0 else { return 0 }
        let free = min(leaving, total)
        amount = total - free
        added = 0
        leaving = 0
        drawn = 0
        since = since.advanced(by: passed &* period)
        return free
    }

    public mutating func add(_ money: UInt128) {
        if isEmpty { amount = money } else { added &+= money }
    }

    /// - Returns: how much of it was there to be asked back.
    @discardableResult
    public mutating func takeBack(_ money: UInt128) -> UInt128 {
        let taken = min(money, total - min(leaving, total))
        leaving &+= taken
        return taken
    }

    /// Takes up to `asked` of the weight that the period allows.
    public mutating func draw(_ asked: UInt64, allowance: UInt64) -> UInt64 {
        let granted = min(asked, allowance - min(allowance, drawn))
        drawn &+= granted
        return granted
    }

    public func encode(to encoder: inout BorshEncoder) {
        encoder.value(since)
        encoder.integer(amount)
        encoder.integer(added)
        encoder.integer(leaving)
        encoder.integer(drawn)
    }

    public init(from decoder: inout BorshDecoder) throws(BorshError) {
        since = try decoder.value()
        amount = try decoder.integer()
        added = try decoder.integer()
        leaving = try decoder.integer()
        drawn = try decoder.integer()
    }
}

/// `data` of an `unlockMoney` transaction: how much is asked back; 0 just takes what is free already.
public struct UnlockMoney: BorshCodable, Hashable, Sendable {
    public let amount: UInt128

    public init(amount: UInt128) { self.amount = amount }

    public func encode(to encoder: inout BorshEncoder) { encoder.integer(amount) }
    public init(from decoder: inout BorshDecoder) throws(BorshError) { amount = try decoder.integer() }
}
