import Cryptography
import Encoding

/// A registered service: its contract, owner and what it is. It stays when the service is retired, so that nobody else
/// ever goes by its name and its members can still leave.
public struct ServiceRecord: BorshCodable, Hashable, Sendable {
    public static let longestKind = 32

    public let service: ServiceId
    public let contract: Account
    public package(set) var owner: Account
    public package(set) var codeHash: Digest
    /// What people list it as: `job`, `contract`.
    public let kind: String
    /// Who evaluates independently of the owner; verdicts count only with such a validator.
    public let validator: Account?
    /// What it pays for its members.
    public let sponsorship: Sponsorship
    public let registeredAt: Height
    /// What its owner has announced.
    public package(set) var notice: ServiceNotice?
    /// Who becomes its owner by accepting.
    public package(set) var offeredTo: Account?
    /// The block from which on it takes no actions any more.
    public package(set) var retiredAt: Height?

    public init(
        service: ServiceId, contract: Account, owner: Account, codeHash: Digest, kind: String, validator: Account?,
        sponsorship: Sponsorship = .none, registeredAt: Height, notice: ServiceNotice? = nil, offeredTo: Account? = nil,
        retiredAt: Height? = nil
    ) {
        self.service = service
        self.contract = contract
        self.owner = owner
        self.codeHash = codeHash
        self.kind = kind
        self.validator = validator
        self.sponsorship = sponsorship
        self.registeredAt = registeredAt
        self.notice = notice
        self.offeredTo = offeredTo
        self.retiredAt = retiredAt
    }

    /// Names the record as it is, so that who accepts a service accepts this and nothing else.
    public var digest: Digest { Digest(domain: "edgeproof/service/1", parts: borsh) }

    public func encode(to encoder: inout BorshEncoder) {
        encoder.value(service)
        encoder.value(contract)
        encoder.value(owner)
        encoder.value(codeHash)
        encoder.string(kind)
        encoder.optional(validator)
        encoder.value(sponsorship)
        encoder.value(registeredAt)
        encoder.optional(notice)
        encoder.optional(offeredTo)
        encoder.optional(retiredAt)
    }

    public init(from decoder: inout BorshDecoder) throws(BorshError) {
        service = try decoder.value()
        contract = try decoder.value()
        owner = try decoder.value()
        codeHash = try decoder.value()
        kind = try decoder.string(limit: Self.longestKind)
        validator = try decoder.optional()
        sponsorship = try decoder.value()
        registeredAt = try decoder.value()
        notice = try decoder.optional()
        offeredTo = try decoder.optional()
        retiredAt = try decoder.optional()
    }
}

/// `data` of a `registerService` transaction; its `value` becomes the service's deposit.
public struct RegisterService: BorshCodable, Hashable, Sendable {
    public let service: ServiceId
    public let codeHash: Digest
    public let kind: String
    public let validator: Account?
    /// What it pays for its members.
    public let sponsorship: Sponsorship
    /// Input of the contract's `init`.
    public let initData: [UInt8]

    public init(
        service: ServiceId, codeHash: Digest, kind: String, validator: Account?, sponsorship: Sponsorship = .none, initData: [UInt8]
    ) {
        self.service = service
        self.codeHash = codeHash
        self.kind = kind
        self.validator = validator
        self.sponsorship = sponsorship
        self.initData = initData
    }

    public func encode(to encoder: inout BorshEncoder) {
        encoder.value(service)
        encoder.value(codeHash)
        encoder.string(kind)
        encoder.optional(validator)
        encoder.value(sponsorship)
        encoder.variable(initData)
    }

    public init(from decoder: inout BorshDecoder) throws(BorshError) {
        service = try decoder.value()
        codeHash = try decoder.value()
        kind = try decoder.string(limit: ServiceRecord.longestKind)
        validator = try decoder.optional()
        sponsorship = try decoder.value()
        initData = try decoder.variable(limit: ChainLimits.transactionDataBytes)
    }
}

/// `data` of a `transfer` transaction; its `value` is what moves.
public struct Transfer: BorshCodable, Hashable, Sendable {
    public let recipient: Account

    public init(recipient: Account) { self.recipient = recipient }

    public func encode(to encoder: inout BorshEncoder) { encoder.value(recipient) }
    public init(from decoder: inout BorshDecoder) throws(BorshError) { recipient = try decoder.value() }
}
