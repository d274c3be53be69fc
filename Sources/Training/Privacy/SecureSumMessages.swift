public import Encoding

/// What a worker tells the cloud in a secure sum, besides its masked difference: `{ round, step, tag: u8, ... }` with 0 its
/// keys, 2 its shares for all others, 6 what it gives to unmask the sum. The step counts the messages of both sides.
public struct SecureSumUpMessage: TrainingMessage {
    public static let kind = MessageKind.secureSumUp

    public enum Body: Sendable, Equatable {
        case keys(SecureSum.Keys)
        case shares([SecureSum.SealedShares])
        case unmask([SecureSum.Unmasking])
    }

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
        switch body {
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
        round = try decoder.integer()
        step = try decoder.integer()
        let tag: UInt8 = try decoder.integer()
        switch tag {
        case 0: body = .keys(try decoder.value())
        case 2: body = .shares(try decoder.array(limit: SecureSum.maximumParticipants, smallestElement: 10))
        case 6: body = .unmask(try decoder.array(limit: SecureSum.maximumParticipants, smallestElement: 7))
        default: throw decoder.failure(.unknownTag(tag))
        }
    }
}

/// What the cloud tells a worker in a secure sum: `{ round, step, tag: u8, ... }` with 1 everybody's keys, 3 the shares that
/// the others have for the receiver, 5 who is in the sum.
public struct SecureSumDownMessage: TrainingMessage {
    public static let kind = MessageKind.secureSumDown

    public struct Member: Sendable, Equatable, BorshCodable {
        public let place: UInt16
        public let keys: SecureSum.Keys

        public init(place: UInt16, keys: SecureSum.Keys) {
            self.place = place
            self.keys = keys
        }

        public func encode(to encoder: inout BorshEncoder) {
            encoder.integer(place)
            encoder.value(keys)
        }

        public init(from decoder: inout BorshDecoder) throws(BorshError) {
            place = try decoder.integer()
            keys = try decoder.value()
        }
    }

    public struct Given: Sendable, Equatable, BorshCodable {
        public let place: UInt16
        public let shares: SecureSum.SealedShares

        public init(place: UInt16, shares: SecureSum.SealedShares) {
            self.place = place
            self.shares = shares
        }

        public func encode(to encoder: inout BorshEncoder) {
            encoder.integer(place)
            encoder.value(shares)
        }

        public init(from decoder: inout BorshDecoder) throws(BorshError) {
            place = try decoder.integer()
            shares = try decoder.value()
        }
    }

    public enum Body: Sendable, Equatable {
        case roster([Member])
        case shares([Given])
        case included([UInt16])
    }

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
        switch body {
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
        round = try decoder.integer()
        step = try decoder.integer()
        let tag: UInt8 = try decoder.integer()
        let limit = SecureSum.maximumParticipants
        switch tag {
        case 1: body = .roster(try decoder.array(limit: limit, smallestElement: 66))
        case 3: body = .shares(try decoder.array(limit: limit, smallestElement: 12))
        case 5: body = .included(try decoder.array(limit: limit, smallestElement: 2))
        default: throw decoder.failure(.unknownTag(tag))
        }
    }
}
