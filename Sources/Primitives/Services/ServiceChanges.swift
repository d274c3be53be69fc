import Cryptography
import Encoding

/// What a service's owner has announced: it can happen from a time on that its members see, and no longer than as long
/// again after it.
public struct ServiceNotice: BorshCodable, Hashable, Sendable {
    public enum Change: BorshCodable, Hashable, Sendable {
        /// The contract's code becomes this one.
        case upgrade(codeHash: Digest)
        /// The service ends.
        case retire

        public func encode(to encoder: inout BorshEncoder) {
            switch self {
            case .upgrade(let codeHash):
                encoder.integer(UInt8(0))
                encoder.value(codeHash)
            case .retire: encoder.integer(UInt8(1))
            }
        }

        public init(from decoder: inout BorshDecoder) throws(BorshError) {
            let tag: UInt8 = try decoder.integer()
            switch tag {
            case 0: self = .upgrade(codeHash: try decoder.value())
            case 1: self = .retire
            default: throw decoder.failure(.unknownTag(tag))
            }
        }
    }

    public let change: Change
    /// Header times between which the owner can make it happen, both included.
    public let from: Time
    public let until: Time

    public init(change: Change, from: Time, until: Time) {
        self.change = change
        self.from = from
        self.until = until
    }

    public func encode(to encoder: inout BorshEncoder) {
        encoder.value(change)
        encoder.value(from)
        encoder.value(until)
    }

    public init(from decoder: inout BorshDecoder) throws(BorshError) {
        change = try decoder.value()
        from = try decoder.value()
        until = try decoder.value()
    }
}

/// What an owner, or who becomes one, wants of a service.
public struct ServiceOrder<Step: BorshCodable & Hashable & Sendable>: BorshCodable, Hashable, Sendable {
    public let service: ServiceId
    public let step: Step

    public init(service: ServiceId, step: Step) {
        self.service = service
        self.step = step
    }

    public func encode(to encoder: inout BorshEncoder) {
        encoder.value(service)
        encoder.value(step)
    }

    public init(from decoder: inout BorshDecoder) throws(BorshError) {
        service = try decoder.value()
        step = try decoder.value()
    }
}

/// `data` of an `upgradeService` transaction, which the service's owner sends.
public typealias UpgradeService = ServiceOrder<UpgradeStep>
/// `data` of a `transferService` transaction: the owner offers its service, and who gets it accepts it.
public typealias TransferService = ServiceOrder<TransferStep>
/// `data` of a `retireService` transaction, which the service's owner sends.
public typealias RetireService = ServiceOrder<RetireStep>

public enum UpgradeStep: BorshCodable, Hashable, Sendable {
    /// Announces this code, which the chain has; in place of whatever was announced before.
    case announce(codeHash: Digest)
    /// Does it: the code is exchanged, and the new one's `upgrade` runs with this input.
    case apply(codeHash: Digest, data: [UInt8])
    /// Takes the announcement back.
    case withdraw

    public func encode(to encoder: inout BorshEncoder) {
        switch self {
        case .announce(let codeHash):
            encoder.integer(UInt8(0))
            encoder.value(codeHash)
        case .apply(let codeHash, let data):
            encoder.integer(UInt8(1))
            encoder.value(codeHash)
            encoder.variable(data)
        case .withdraw: encoder.integer(UInt8(2))
        }
    }

    public init(from decoder: inout BorshDecoder) throws(BorshError) {
        let tag: UInt8 = try decoder.integer()
        switch tag {
        case 0: self = .announce(codeHash: try decoder.value())
        case 1:
            self = .apply(
                codeHash: try decoder.value(), data: try decoder.variable(limit: ChainLimits.transactionDataBytes))
        case 2: self = .withdraw
        default: throw decoder.failure(.unknownTag(tag))
        }
    }
}

public enum TransferStep: BorshCodable, Hashable, Sendable {
    case offer(to: Account)
    /// By whom it is offered to: the service exactly as ``ServiceRecord/digest`` names it.
    case accept(record: Digest)
    case withdraw

    public func encode(to encoder: inout BorshEncoder) {
        switch self {
        case .offer(let account):
            encoder.integer(UInt8(0))
            encoder.value(account)
        case .accept(let record):
            encoder.integer(UInt8(1))
            encoder.value(record)
        case .withdraw: encoder.integer(UInt8(2))
        }
    }

    public init(from decoder: inout BorshDecoder) throws(BorshError) {
        let tag: UInt8 = try decoder.integer()
        switch tag {
        case 0: self = .offer(to: try decoder.value())
        case 1: self = .accept(record: try decoder.value())
        case 2: self = .withdraw
        default: throw decoder.failure(.unknownTag(tag))
        }
    }
}

public enum RetireStep: UInt8, BorshCodable, Hashable, Sendable {
    /// Announces the end; in place of whatever was announced before.
    case announce = 0
    /// Does it. Of a service that has ended: takes what came to its account since.
    case apply = 1
    case withdraw = 2

    public func encode(to encoder: inout BorshEncoder) { encoder.integer(rawValue) }

    public init(from decoder: inout BorshDecoder) throws(BorshError) {
        let tag: UInt8 = try decoder.integer()
        guard let step = RetireStep(rawValue: tag) else { throw decoder.failure(.unknownTag(tag)) }
        self = step
    }
}
