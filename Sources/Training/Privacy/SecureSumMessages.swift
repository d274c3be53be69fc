public import Encoding

/// What a party of a secure sum says, without the step that it belongs to.
public protocol SecureSumBody: BorshCodable, Sendable, Equatable {
    static var kind: MessageKind { get }
}

/// A message of a secure sum: `{ round, step, tag: u8, ... }`. The step counts the messages of both sides; even tags are
/// the worker's, odd ones the cloud's.
public struct SecureSumMessage<Body: SecureSumBody>: TrainingMessage {
    public static var kind: MessageKind { Body.kind }

    public let round: UInt32
    public let step: UInt32
    public let body: Body

    public init(round: UInt32, step: UInt32, body: Body) {
        self.round = round
        self.step = step
        self.body = body
    }

    public func encode(to encoder: inout BorshEncoder) {
        encoder.integer(round)
        encoder.integer(step)
        encoder.value(body)
    }

    public init(from decoder: inout BorshDecoder) throws(BorshError) {
        round = try decoder.integer()
        step = try decoder.integer()
        body = try decoder.value()
    }
}

public typealias SecureSumUpMessage = SecureSumMessage<SecureSumUp>
public typealias SecureSumDownMessage = SecureSumMessage<SecureSumDown>

/// What a worker tells the cloud, besides its masked difference: 0 its keys, 2 its shares for all others, 6 what it gives
/// to unmask the sum.
public enum SecureSumUp: SecureSumBody {
    public static let kind = MessageKind.secureSumUp

    case keys(SecureSum.Keys)
    case shares([SecureSum.SealedShares])
    case unmask([SecureSum.Unmasking])

    public func encode(to encoder: inout BorshEncoder) {
        switch self {
        case .keys(let keys):
            encoder.integer(UInt8(0))
            encoder.value(keys)
        case .shares(let shares):
            encoder.integer(UInt8(2))
            encoder.array(shares)
        case .unmask(let unmaskings):
            encoder.integer(UInt8(6))
            encoder.array(unmaskings)
        }
    }

    public init(from decoder: inout BorshDecoder) throws(BorshError) {
        let tag: UInt8 = try decoder.integer()
        switch tag {
        case 0: self = .keys(try decoder.value())
        case 2: self = .shares(try decoder.array(limit: SecureSum.maximumParticipants, smallestElement: 10))
        case 6: self = .unmask(try decoder.array(limit: SecureSum.maximumParticipants, smallestElement: 7))
        default: throw decoder.failure(.unknownTag(tag))
        }
    }
}

/// What the cloud tells a worker: 1 everybody's keys, 3 the shares that the others have for the receiver, 5 who is in the
/// sum.
public enum SecureSumDown: SecureSumBody {
    public static let kind = MessageKind.secureSumDown

    /// Something of the worker at a place.
    public struct Placed<Content: BorshCodable & Sendable & Equatable>: Sendable, Equatable, BorshCodable {
        public let place: UInt16
        public let content: Content

        public init(place: UInt16, _ content: Content) {
            self.place = place
            self.content = content
        }

        public func encode(to encoder: inout BorshEncoder) {
            encoder.integer(place)
            encoder.value(content)
        }

        public init(from decoder: inout BorshDecoder) throws(BorshError) {
            place = try decoder.integer()
            content = try decoder.value()
        }
    }

    case roster([Placed<SecureSum.Keys>])
    case shares([Placed<SecureSum.SealedShares>])
    case included([UInt16])

    public func encode(to encoder: inout BorshEncoder) {
        switch self {
        case .roster(let members):
            encoder.integer(UInt8(1))
            encoder.array(members)
        case .shares(let shares):
            encoder.integer(UInt8(3))
            encoder.array(shares)
        case .included(let places):
            encoder.integer(UInt8(5))
            encoder.array(places)
        }
    }

    public init(from decoder: inout BorshDecoder) throws(BorshError) {
        let tag: UInt8 = try decoder.integer()
        let limit = SecureSum.maximumParticipants
        switch tag {
        case 1: self = .roster(try decoder.array(limit: limit, smallestElement: 66))
        case 3: self = .shares(try decoder.array(limit: limit, smallestElement: 12))
        case 5: self = .included(try decoder.array(limit: limit, smallestElement: 2))
        default: throw decoder.failure(.unknownTag(tag))
        }
    }
}
