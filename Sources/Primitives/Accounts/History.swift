import Cryptography
import Encoding

/// One entry of an account's history: what it did, or what was found about it (architecture, section 4).
public struct HistoryEntry: BorshCodable, Hashable, Sendable {
    public enum Content: BorshCodable, Hashable, Sendable {
        case action(ActionRecord)
        case finding(Finding)

        public func encode(to encoder: inout BorshEncoder) {
            switch self {
            case .action(let record):
                encoder.integer(UInt8(0))
                encoder.value(record)
            case .finding(let finding):
                encoder.integer(UInt8(1))
                encoder.value(finding)
            }
        }

        public init(from decoder: inout BorshDecoder) throws(BorshError) {
            let tag: UInt8 = try decoder.integer()
            switch tag {
            case 0: self = .action(try decoder.value())
            case 1: self = .finding(try decoder.value())
            default: throw decoder.failure(.unknownTag(tag))
            }
        }
    }

    /// Place in the account's history, from 0.
    public let index: UInt64
    public let height: Height
    public let time: Time
    public let content: Content

    public init(index: UInt64, height: Height, time: Time, content: Content) {
        self.index = index
        self.height = height
        self.time = time
        self.content = content
    }

    public var leaf: Digest { MerkleLog.leafHash(borsh) }

    public func encode(to encoder: inout BorshEncoder) {
        encoder.integer(index)
        encoder.value(height)
        encoder.value(time)
        encoder.value(content)
    }

    public init(from decoder: inout BorshDecoder) throws(BorshError) {
        index = try decoder.integer()
        height = try decoder.value()
        time = try decoder.value()
        content = try decoder.value()
    }
}

/// A transaction that the account sent, whole, with what became of it.
public struct ActionRecord: BorshCodable, Hashable, Sendable {
    public let transaction: Transaction
    public let outcome: Outcome
    public let gasUsed: UInt64

    public init(transaction: Transaction, outcome: Outcome, gasUsed: UInt64) {
        self.transaction = transaction
        self.outcome = outcome
        self.gasUsed = gasUsed
    }

    public func encode(to encoder: inout BorshEncoder) {
        encoder.value(transaction)
        encoder.value(outcome)
        encoder.integer(gasUsed)
    }

    public init(from decoder: inout BorshDecoder) throws(BorshError) {
        transaction = try decoder.value()
        outcome = try decoder.value()
        gasUsed = try decoder.integer()
    }
}

/// The part of a worker in a job.
public enum Role: UInt8, BorshCodable, Hashable, Sendable, CaseIterable, CustomStringConvertible {
    case cloud, edge, fog, device, validator

    public var description: String {
        switch self {
        case .cloud: "cloud"
        case .edge: "edge"
        case .fog: "fog"
        case .device: "device"
        case .validator: "validator"
        }
    }

    public func encode(to encoder: inout BorshEncoder) { encoder.integer(rawValue) }

    public init(from decoder: inout BorshDecoder) throws(BorshError) {
        let tag: UInt8 = try decoder.integer()
        guard let role = Role(rawValue: tag) else { throw decoder.failure(.unknownTag(tag)) }
        self = role
    }
}

/// What was found about an account (architecture, section 5).
public struct Finding: BorshCodable, Hashable, Sendable {
    public enum Kind: UInt8, BorshCodable, Hashable, Sendable, CaseIterable, CustomStringConvertible {
        case accepted, auditedMatch, lateButUsed, absent, outlier, notRevealed
        /// Two contradicting votes of a masternode (`reportEquivocation`). Only the chain itself finds this.
        case equivocation
        /// Work, or an accusation, that a jury found false (``Dispute``). Only the chain itself finds this.
        case fraud

        public var description: String {
            switch self {
            case .accepted: "accepted result"
            case .auditedMatch: "audited by re-execution and matched"
            case .lateButUsed: "late but used"
            case .absent: "reserved, then absent"
            case .outlier: "outlier against the round's aggregate"
            case .notRevealed: "committed, then not revealed"
            case .equivocation: "contradicted itself as a masternode: slashed"
            case .fraud: "found false by a jury: tombstoned"
            }
        }

        public func encode(to encoder: inout BorshEncoder) { encoder.integer(rawValue) }

        public init(from decoder: inout BorshDecoder) throws(BorshError) {
            let tag: UInt8 = try decoder.integer()
            guard let kind = Kind(rawValue: tag) else { throw decoder.failure(.unknownTag(tag)) }
            self = kind
        }
    }

    public let service: ServiceId
    public let role: Role
    public let kind: Kind
    /// w in units of 2^-20: what counted after the owner's budget; 0 for a verdict without effect.
    public let weight: UInt64
    /// Why it had no effect, empty if it had.
    public let note: String

    public static let longestNote = 64

    public init(service: ServiceId, role: Role, kind: Kind, weight: UInt64, note: StaticString) {
        self.service = service
        self.role = role
        self.kind = kind
        self.weight = weight
        self.note = note.description.truncated(utf8: Self.longestNote)
    }

    public func encode(to encoder: inout BorshEncoder) {
        encoder.value(service)
        encoder.value(role)
        encoder.value(kind)
        encoder.integer(weight)
        encoder.string(note)
    }

    public init(from decoder: inout BorshDecoder) throws(BorshError) {
        service = try decoder.value()
        role = try decoder.value()
        kind = try decoder.value()
        weight = try decoder.integer()
        note = try decoder.string(limit: Self.longestNote)
    }
}
