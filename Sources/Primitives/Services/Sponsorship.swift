import Encoding

/// What a service pays for its members, out of the resource credits of its contract's account, and lends them: so that
/// a newcomer without money can join and work (architecture, section 4).
///
/// All limits are for one credit window (`time / creditWindowMs`), and hold together: whoever comes under many names
/// gets no more than one would.
public struct Sponsorship: BorshCodable, Hashable, Sendable {
    /// Credits that one account may use.
    public var creditsPerMember: UInt64
    /// Credits that all may use together; those who have not joined yet, half of it.
    public var creditsPerWindow: UInt64
    /// How many accounts that have not joined yet may apply (action 5) or publish their identity (action 2). Each may
    /// take the deposit of a new account.
    public var newcomers: UInt32

    public init(creditsPerMember: UInt64, creditsPerWindow: UInt64, newcomers: UInt32) {
        self.creditsPerMember = creditsPerMember
        self.creditsPerWindow = creditsPerWindow
        self.newcomers = newcomers
    }

    /// It pays for nobody.
    public static let none = Sponsorship(creditsPerMember: 0, creditsPerWindow: 0, newcomers: 0)

    public var isNone: Bool { creditsPerMember == 0 || creditsPerWindow == 0 }

    public func encode(to encoder: inout BorshEncoder) {
        encoder.integer(creditsPerMember)
        encoder.integer(creditsPerWindow)
        encoder.integer(newcomers)
    }

    public init(from decoder: inout BorshDecoder) throws(BorshError) {
        creditsPerMember = try decoder.integer()
        creditsPerWindow = try decoder.integer()
        newcomers = try decoder.integer()
    }
}

/// What one account has used of a service's sponsorship.
public struct SponsorUse: BorshCodable, Hashable, Sendable {
    /// The credit window that `credits` belongs to.
    public var window: UInt64
    public var credits: UInt64
    /// Held by the contract for the account's membership.
    public var lent: UInt128
    /// The owner asked it to join: it takes no place of ``Sponsorship/newcomers``.
    public var isInvited: Bool

    public init(window: UInt64 = 0, credits: UInt64 = 0, lent: UInt128 = 0, isInvited: Bool = false) {
        self.window = window
        self.credits = credits
        self.lent = lent
        self.isInvited = isInvited
    }

    public func encode(to encoder: inout BorshEncoder) {
        encoder.integer(window)
        encoder.integer(credits)
        encoder.integer(lent)
        encoder.integer(isInvited ? 1 : 0 as UInt8)
    }

    public init(from decoder: inout BorshDecoder) throws(BorshError) {
        window = try decoder.integer()
        credits = try decoder.integer()
        lent = try decoder.integer()
        let flag: UInt8 = try decoder.integer()
        guard flag < 2 else { throw decoder.failure(.unknownTag(flag)) }
        isInvited = flag == 1
    }
}

/// `data` of an `inviteMembers` transaction of a service's owner: whom the service pays for though they have not joined
/// yet, beside the strangers that ``Sponsorship/newcomers`` allows.
public struct InviteMembers: BorshCodable, Hashable, Sendable {
    public static let most = 64

    public let service: ServiceId
    public let accounts: [Account]
    /// False takes invitations back; what the chain keeps about an account that the service has not paid for in this
    /// credit window goes, and its deposit returns to the contract.
    public let invites: Bool

    public init(service: ServiceId, accounts: [Account], invites: Bool) {
        self.service = service
        self.accounts = accounts
        self.invites = invites
    }

    public func encode(to encoder: inout BorshEncoder) {
        encoder.value(service)
        encoder.array(accounts)
        encoder.integer(invites ? 1 : 0 as UInt8)
    }

    public init(from decoder: inout BorshDecoder) throws(BorshError) {
        service = try decoder.value()
        accounts = try decoder.array(limit: Self.most, smallestElement: 32)
        let flag: UInt8 = try decoder.integer()
        guard flag < 2 else { throw decoder.failure(.unknownTag(flag)) }
        invites = flag == 1
    }
}

/// `data` of a `cancelTransaction`: the waiting transaction of the same sender and sequence whose place it takes.
public struct CancelTransaction: BorshCodable, Hashable, Sendable {
    public let id: TransactionId

    public init(id: TransactionId) { self.id = id }

    public func encode(to encoder: inout BorshEncoder) { encoder.value(id) }
    public init(from decoder: inout BorshDecoder) throws(BorshError) { id = try decoder.value() }
}
