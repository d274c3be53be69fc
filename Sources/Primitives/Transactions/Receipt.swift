import Cryptography
import Encoding

/// What became of a transaction or a scheduled call.
public enum Outcome: BorshCodable, Hashable, Sendable {
    /// It took effect.
    case succeeded
    /// A plain record: no such service is registered.
    case recorded
    /// Nothing changed but sequence, credits and history.
    case failed(String)

    public func encode(to encoder: inout BorshEncoder) {
        switch self {
        case .succeeded: encoder.integer(UInt8(0))
        case .recorded: encoder.integer(UInt8(1))
        case .failed(let message):
            encoder.integer(UInt8(2))
            encoder.string(message)
        }
    }

    public init(from decoder: inout BorshDecoder) throws(BorshError) {
        let tag: UInt8 = try decoder.integer()
        switch tag {
        case 0: self = .succeeded
        case 1: self = .recorded
        case 2: self = .failed(try decoder.string(limit: ChainLimits.failureMessageBytes))
        default: throw decoder.failure(.unknownTag(tag))
        }
    }

    /// A failure whose message fits a receipt, whatever its length was.
    public static func failure(_ message: String) -> Outcome {
        .failed(message.truncated(utf8: ChainLimits.failureMessageBytes))
    }
}

/// What a contract announced.
public struct Event: BorshCodable, Hashable, Sendable {
    public let contract: Account
    /// At most ``ChainLimits/eventTopicBytes``.
    public let topic: [UInt8]
    /// At most ``ChainLimits/eventDataBytes``.
    public let data: [UInt8]

    /// Nil when topic or data are over their limits.
    public init?(contract: Account, topic: [UInt8], data: [UInt8]) {
        guard topic.count <= ChainLimits.eventTopicBytes, data.count <= ChainLimits.eventDataBytes else { return nil }
        self.contract = contract
        self.topic = topic
        self.data = data
    }

    public func encode(to encoder: inout BorshEncoder) {
        encoder.value(contract)
        encoder.variable(topic)
        encoder.variable(data)
    }

    public init(from decoder: inout BorshDecoder) throws(BorshError) {
        contract = try decoder.value()
        topic = try decoder.variable(limit: ChainLimits.eventTopicBytes)
        data = try decoder.variable(limit: ChainLimits.eventDataBytes)
    }
}

/// What caused a receipt.
public enum Origin: BorshCodable, Hashable, Sendable {
    case transaction(TransactionId)
    /// A call of the schedule queue, by its number in the queue.
    case scheduled(contract: Account, number: UInt64)
    /// The border into this epoch.
    case border(Epoch)

    public func encode(to encoder: inout BorshEncoder) {
        switch self {
        case .transaction(let id):
            encoder.integer(UInt8(0))
            encoder.value(id)
        case .scheduled(let contract, let number):
            encoder.integer(UInt8(1))
            encoder.value(contract)
            encoder.integer(number)
        case .border(let epoch):
            encoder.integer(UInt8(2))
            encoder.value(epoch)
        }
    }

    public init(from decoder: inout BorshDecoder) throws(BorshError) {
        let tag: UInt8 = try decoder.integer()
        switch tag {
        case 0: self = .transaction(try decoder.value())
        case 1: self = .scheduled(contract: try decoder.value(), number: try decoder.integer())
        case 2: self = .border(try decoder.value())
        default: throw decoder.failure(.unknownTag(tag))
        }
    }
}

public struct Receipt: BorshCodable, Hashable, Sendable {
    public let origin: Origin
    public let outcome: Outcome
    public let gasUsed: UInt64
    public let events: [Event]
    /// Digest of what the contract returned.
    public let returned: Digest

    public init(origin: Origin, outcome: Outcome, gasUsed: UInt64, events: [Event], returned: Digest) {
        self.origin = origin
        self.outcome = outcome
        self.gasUsed = gasUsed
        self.events = events
        self.returned = returned
    }

    public func encode(to encoder: inout BorshEncoder) {
        encoder.value(origin)
        encoder.value(outcome)
        encoder.integer(gasUsed)
        encoder.array(events)
        encoder.value(returned)
    }

    public init(from decoder: inout BorshDecoder) throws(BorshError) {
        origin = try decoder.value()
        outcome = try decoder.value()
        gasUsed = try decoder.integer()
        events = try decoder.array(limit: ChainLimits.eventsPerReceipt, smallestElement: 40)
        returned = try decoder.value()
    }

    /// ``returned`` of these bytes; most transactions return none.
    public static func digest(ofReturned bytes: [UInt8]) -> Digest { bytes.isEmpty ? ofNothing : Digest(sha256: bytes) }

    private static let ofNothing = Digest(sha256: [])

    public static func root(_ receipts: [Receipt]) -> Digest {
        MerkleLog.root(receipts.map { MerkleLog.leafHash($0.borsh) })
    }
}
