import Cryptography
import Encoding

/// The state of one account.
public struct AccountRecord: BorshCodable, Hashable, Sendable {
    public static let currentVersion: UInt8 = 1

    /// The sequence that the account's next transaction must have.
    public var sequence: UInt64
    /// Smallest units of money that the account can spend.
    public var balance: UInt128
    /// Collateral of the masternode whose consensus key this account is: it can't be spent, and it earns resource
    /// credits as a balance does, so that a masternode can report and vote with its hot key alone.
    public var locked: UInt128
    /// Held for the state that this account made exist (its own record, a contract's storage, code, names): it comes
    /// back when that goes.
    public var deposit: UInt128
    /// Contract of the service that paid for this account last, or that lends `lent`.
    public var sponsor: Account?
    /// What `sponsor` holds for this account's record, until the account has money of its own.
    public var lent: UInt128
    /// Resource credits left at `creditTime`.
    public var credits: UInt64
    public var creditTime: Time
    /// Size and root of the account's history are this frontier's.
    public var history: MerkleFrontier

    public init(
        sequence: UInt64 = 0, balance: UInt128 = 0, locked: UInt128 = 0, deposit: UInt128 = 0, sponsor: Account? = nil,
        lent: UInt128 = 0, credits: UInt64 = 0, creditTime: Time = .zero, history: MerkleFrontier = MerkleFrontier()
    ) {
        self.sequence = sequence
        self.balance = balance
        self.locked = locked
        self.deposit = deposit
        self.sponsor = sponsor
        self.lent = lent
        self.credits = credits
        self.creditTime = creditTime
        self.history = history
    }

    /// All the account's money: what resource credits grow from. Saturates, though no supply comes near.
    public var stake: UInt128 {
        let (sum, overflow) = balance.addingReportingOverflow(locked)
        let (total, overflows) = sum.addingReportingOverflow(deposit)
        return overflow || overflows ? .max : total
    }

    public func encode(to encoder: inout BorshEncoder) {
        encoder.integer(Self.currentVersion)
        encoder.integer(sequence)
        encoder.integer(balance)
        encoder.integer(locked)
        encoder.integer(deposit)
        encoder.optional(sponsor)
        encoder.integer(lent)
        encoder.integer(credits)
        encoder.value(creditTime)
        encoder.value(history)
    }

    public init(from decoder: inout BorshDecoder) throws(BorshError) {
        let version: UInt8 = try decoder.integer()
        guard version == Self.currentVersion else { throw decoder.failure(.unknownTag(version)) }
        sequence = try decoder.integer()
        balance = try decoder.integer()
        locked = try decoder.integer()
        deposit = try decoder.integer()
        sponsor = try decoder.optional()
        lent = try decoder.integer()
        credits = try decoder.integer()
        creditTime = try decoder.value()
        history = try decoder.value()
    }
}

/// Evidence for and against an account in one role (architecture, section 5), in units of 2^-20.
public struct ReputationRecord: BorshCodable, Hashable, Sendable {
    public var positive: UInt64
    public var negative: UInt64
    /// Decay period up to which the counters have been decayed.
    public var period: UInt64

    public init(positive: UInt64 = 0, negative: UInt64 = 0, period: UInt64 = 0) {
        self.positive = positive
        self.negative = negative
        self.period = period
    }

    public func encode(to encoder: inout BorshEncoder) {
        encoder.integer(positive)
        encoder.integer(negative)
        encoder.integer(period)
    }

    public init(from decoder: inout BorshDecoder) throws(BorshError) {
        positive = try decoder.integer()
        negative = try decoder.integer()
        period = try decoder.integer()
    }
}
