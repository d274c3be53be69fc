import Cryptography
import Encoding

/// What the masternodes can decide together.
public enum Change: BorshCodable, Hashable, Sendable, CustomStringConvertible {
    public static let longestName = 64

    /// One of ``Parameters/changeable`` gets another value.
    case parameter(name: String, value: UInt64)
    /// This masternode leaves, and gets its collateral back after the unbonding time.
    case removeMasternode(PublicKey)
    /// The chain goes on with this version of the protocol; programs that don't know it stop.
    case upgrade(protocolVersion: UInt16)

    public var description: String {
        switch self {
        case .parameter(let name, let value): "set \(name) to \(value)"
        case .removeMasternode(let key): "remove masternode \(key)"
        case .upgrade(let version): "upgrade to protocol version \(version)"
        }
    }

    public func encode(to encoder: inout BorshEncoder) {
        switch self {
        case .parameter(let name, let value):
            encoder.integer(UInt8(0))
            encoder.string(name)
            encoder.integer(value)
        case .removeMasternode(let key):
            encoder.integer(UInt8(1))
            encoder.value(key)
        case .upgrade(let version):
            encoder.integer(UInt8(2))
            encoder.integer(version)
        }
    }

    public init(from decoder: inout BorshDecoder) throws(BorshError) {
        let tag: UInt8 = try decoder.integer()
        switch tag {
        case 0: self = .parameter(name: try decoder.string(limit: Self.longestName), value: try decoder.integer())
        case 1: self = .removeMasternode(try decoder.value())
        case 2: self = .upgrade(protocolVersion: try decoder.integer())
        default: throw decoder.failure(.unknownTag(tag))
        }
    }
}

/// `data` of a `proposeChange` transaction, which a masternode's owner or consensus key sends.
public struct ProposeChange: BorshCodable, Hashable, Sendable {
    public let change: Change
    /// The epoch from whose start on it holds.
    public let from: Epoch

    public init(change: Change, from: Epoch) {
        self.change = change
        self.from = from
    }

    public func encode(to encoder: inout BorshEncoder) {
        encoder.value(change)
        encoder.value(from)
    }

    public init(from decoder: inout BorshDecoder) throws(BorshError) {
        change = try decoder.value()
        from = try decoder.value()
    }
}

/// `data` of a `voteProposal` transaction under `serviceId = "chain"`, whose `postId` is the proposal's number.
public struct Ballot: BorshCodable, Hashable, Sendable {
    public let approves: Bool

    public init(approves: Bool) { self.approves = approves }

    public func encode(to encoder: inout BorshEncoder) { encoder.integer(UInt8(approves ? 1 : 0)) }

    public init(from decoder: inout BorshDecoder) throws(BorshError) {
        let tag: UInt8 = try decoder.integer()
        guard tag <= 1 else { throw decoder.failure(.unknownTag(tag)) }
        approves = tag == 1
    }
}

/// A proposal in the state, by number.
public struct ProposalRecord: BorshCodable, Hashable, Sendable {
    /// Proposals that are open at the same time.
    public static let mostOpen = 64
    /// Of these, proposals of one account, so that nobody fills all the places.
    public static let mostOpenOfOne = 4

    public enum Outcome: UInt8, BorshCodable, Hashable, Sendable, CustomStringConvertible {
        case open, accepted, rejected, expired, applied

        public var description: String {
            switch self {
            case .open: "open"
            case .accepted: "accepted"
            case .rejected: "rejected"
            case .expired: "expired"
            case .applied: "applied"
            }
        }

        public func encode(to encoder: inout BorshEncoder) { encoder.integer(rawValue) }

        public init(from decoder: inout BorshDecoder) throws(BorshError) {
            let tag: UInt8 = try decoder.integer()
            guard let outcome = Outcome(rawValue: tag) else { throw decoder.failure(.unknownTag(tag)) }
            self = outcome
        }
    }

    public let number: UInt64
    public let proposer: Account
    public let change: Change
    public let from: Epoch
    public let proposedIn: Epoch
    /// Consensus keys of those who voted, in the order of their votes.
    public var approvals: [PublicKey]
    public var rejections: [PublicKey]
    public var outcome: Outcome

    public init(
        number: UInt64, proposer: Account, change: Change, from: Epoch, proposedIn: Epoch,
        approvals: [PublicKey] = [], rejections: [PublicKey] = [], outcome: Outcome = .open
    ) {
        self.number = number
        self.proposer = proposer
        self.change = change
        self.from = from
        self.proposedIn = proposedIn
        self.approvals = approvals
        self.rejections = rejections
        self.outcome = outcome
    }

    public func encode(to encoder: inout BorshEncoder) {
        encoder.integer(number)
        encoder.value(proposer)
        encoder.value(change)
        encoder.value(from)
        encoder.value(proposedIn)
        encoder.array(approvals)
        encoder.array(rejections)
        encoder.value(outcome)
    }

    public init(from decoder: inout BorshDecoder) throws(BorshError) {
        number = try decoder.integer()
        proposer = try decoder.value()
        change = try decoder.value()
        from = try decoder.value()
        proposedIn = try decoder.value()
        approvals = try decoder.array(limit: Self.mostVotes, smallestElement: 32)
        rejections = try decoder.array(limit: Self.mostVotes, smallestElement: 32)
        outcome = try decoder.value()
    }

    /// Sets may change while a proposal is open, so more keys may vote than one set has.
    public static let mostVotes = 4 * ChainLimits.masternodes
}

/// Which proposals wait for their epoch, and the number of the next one.
public struct ProposalIndex: BorshCodable, Hashable, Sendable {
    public var next: UInt64
    /// Ascending.
    public var open: [UInt64]

    public init(next: UInt64 = 1, open: [UInt64] = []) {
        self.next = next
        self.open = open
    }

    public func encode(to encoder: inout BorshEncoder) {
        encoder.integer(next)
        encoder.integer(UInt32(truncatingIfNeeded: open.count))
        for number in open { encoder.integer(number) }
    }

    public init(from decoder: inout BorshDecoder) throws(BorshError) {
        next = try decoder.integer()
        let count: UInt32 = try decoder.integer()
        guard Int(count) <= ProposalRecord.mostOpen else { throw decoder.failure(.notCanonical("\(count) open proposals")) }
        open = []
        for _ in 0..<count { open.append(try decoder.integer()) }
    }
}

extension PostId {
    /// The proposal that a vote names: a decimal number in its one canonical form.
    public var proposalNumber: UInt64? {
        guard let text = String(validating: bytes, as: UTF8.self), let number = UInt64(text), String(number) == text else {
            return nil
        }
        return number
    }

    public init(proposal number: UInt64) { self.init(unchecked: Array(String(number).utf8)) }
}
