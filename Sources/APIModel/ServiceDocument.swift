import Cryptography
import Primitives

/// `GET /v1/services/{id}`
public struct ServiceDocument: Codable, Equatable, Sendable {
    @LabelText public var id: ServiceId
    @AddressText public var contract: Account
    @AddressText public var owner: Account
    @HexText public var codeHash: Digest
    /// `job` or `contract`.
    public var kind: String
    /// Absent when the owner named none.
    public var validator: AddressText?
    @DecimalText public var registeredAt: UInt64
    /// Of the contract's account.
    @DecimalText public var balance: UInt128
    /// What its owner has announced; absent when nothing is pending.
    public var notice: Notice?
    /// Who becomes its owner by accepting; absent when it is not offered.
    public var offeredTo: AddressText?
    /// The block in which it ended; absent while it goes on.
    public var retiredAt: DecimalText<UInt64>?
    /// Names all of the record as it is: what a new owner accepts.
    @HexText public var recordHash: Digest

    public struct Notice: Codable, Equatable, Sendable {
        public enum Kind: String, Codable, Sendable, CaseIterable { case upgrade, retire }

        public var kind: Kind
        /// Of the code that it is to get; absent in a retirement.
        public var codeHash: HexText<Digest>?
        /// Milliseconds since 1970 between which it can happen.
        @DecimalText public var from: UInt64
        @DecimalText public var until: UInt64

        public init(_ notice: ServiceNotice) {
            switch notice.change {
            case .upgrade(let hash):
                kind = .upgrade
                codeHash = HexText(hash)
            case .retire: kind = .retire
            }
            from = notice.from.value
            until = notice.until.value
        }
    }

    public init(_ record: ServiceRecord, balance: UInt128) {
        id = record.service
        contract = record.contract
        owner = record.owner
        codeHash = record.codeHash
        kind = record.kind
        validator = record.validator.map { AddressText($0) }
        registeredAt = record.registeredAt.value
        self.balance = balance
        notice = record.notice.map { Notice($0) }
        offeredTo = record.offeredTo.map { AddressText($0) }
        retiredAt = record.retiredAt.map { DecimalText($0.value) }
        recordHash = record.digest
    }
}

/// `GET /v1/services`
public struct ServicesDocument: Codable, Equatable, Sendable {
    /// Ascending by the bytes of their names.
    public var services: [ServiceDocument]
    /// `after` of the next page; absent when this is the last.
    public var next: LabelText<ServiceId>?

    public init(services: [ServiceDocument], next: ServiceId?) {
        self.services = services
        self.next = next.map { LabelText($0) }
    }
}

/// JSON body of `POST /v1/services/{id}/query`; the input may come raw as `application/octet-stream`.
public struct QueryDocument: Codable, Equatable, Sendable {
    @Base64Text public var input: [UInt8]

    public init(input: [UInt8]) { self.input = input }
}

/// Answer to a query.
public struct QueryResultDocument: Codable, Equatable, Sendable {
    @Base64Text public var data: [UInt8]
    @DecimalText public var gasUsed: UInt64
    /// The state that was asked: after the block of this height.
    @DecimalText public var height: UInt64

    public init(data: [UInt8], gasUsed: UInt64, height: Height) {
        self.data = data
        self.gasUsed = gasUsed
        self.height = height.value
    }
}

/// `GET /v1/code/{hash}`: that contract code with this SHA-256 is on the chain.
public struct CodeDocument: Codable, Equatable, Sendable {
    @HexText public var hash: Digest

    public init(hash: Digest) { self.hash = hash }
}
