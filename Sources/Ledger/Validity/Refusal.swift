import Encoding
import Primitives

/// Why the chain does not take a transaction.
public enum Refusal: Error, Equatable, Sendable, CustomStringConvertible {
    case malformed(BorshError)
    case oversize(bytes: Int, limit: Int)
    case noSuchAction(ActionId)
    case notAvailable(ActionId)
    /// An action of the chain's own under another service.
    case chainActionElsewhere(ActionId, ServiceId)
    case malformedData(ActionId, String)
    case gasLimitTooLow(UInt64, needed: UInt64)
    case gasLimitTooHigh(UInt64, limit: UInt64)
    case wrongSignature
    /// Anybody can sign for such a key.
    case smallOrder(Account)
    case sequenceReused(UInt64, next: UInt64)
    case sequenceTooFarAhead(UInt64, next: UInt64)
    /// In a block the account's next transaction must come first.
    case sequenceGap(UInt64, next: UInt64)
    case expired(validUntil: Time, now: Time)
    case validTooLong(validUntil: Time, latest: Time)
    case noSuchService(ServiceId, ActionId)
    /// The service sponsors its members, but not this transaction.
    case notSponsored(ServiceId, String)
    /// `enoughAt` is header time; nil when the account never has that many.
    case tooFewCredits(needed: UInt64, available: UInt64, enoughAt: Time?)

    public var description: String {
        switch self {
        case .malformed(let error): error.description
        case .oversize(let bytes, let limit): "the transaction has \(bytes) bytes; at most \(limit) are allowed"
        case .noSuchAction(let action): "there is no action \(action.value)"
        case .notAvailable(let action): "\(action) is not available in protocol version 1"
        case .chainActionElsewhere(let action, let service):
            "\(action) is the chain's own: its serviceId must be 'chain', not '\(service)'"
        case .malformedData(let action, let reason): "the data is not that of \(action): \(reason)"
        case .gasLimitTooLow(let limit, let needed):
            "gasLimit \(limit) is too low: the transaction itself takes \(needed)"
        case .gasLimitTooHigh(let gas, let limit): "gasLimit \(gas) is over the limit of \(limit)"
        case .wrongSignature: "the signature is not the sender's for this chain"
        case .smallOrder(let account): "\(account) is a key of small order: anybody can sign for it"
        case .sequenceReused(let given, let next):
            "sequence \(given) is used already: the account's next one is \(next)"
        case .sequenceTooFarAhead(let given, let next):
            "sequence \(given) is too far ahead: the account's next one is \(next), and at most \(ChainLimits.sequenceWindow) can wait"
        case .sequenceGap(let given, let next): "sequence \(given) does not follow: the account's next one is \(next)"
        case .expired(let validUntil, let now): "it was valid until \(validUntil); the chain's time is \(now)"
        case .validTooLong(let validUntil, let latest):
            "validUntil \(validUntil) is too far ahead: the latest allowed now is \(latest)"
        case .noSuchService(let service, let action):
            "no service '\(service)' is registered; \(action) needs its contract"
        case .notSponsored(let service, let reason):
            "the account has too few credits of its own, and service '\(service)' does not pay: \(reason)"
        case .tooFewCredits(let needed, let available, .some(let time)):
            "the account has \(available) of the \(needed) credits that this needs; it has enough at time \(time)"
        case .tooFewCredits(let needed, let available, nil):
            "the account has \(available) of the \(needed) credits that this needs, and its stake never earns that many"
        }
    }

    /// Whether waiting can't help: no later state or time makes the transaction valid.
    public var isFinal: Bool {
        switch self {
        case .sequenceTooFarAhead, .sequenceGap, .validTooLong, .noSuchService, .tooFewCredits, .notSponsored: false
        default: true
        }
    }
}
