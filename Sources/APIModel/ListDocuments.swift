import Cryptography
import Primitives

/// A block in `GET /v1/blocks`.
public struct BlockSummaryDocument: Codable, Equatable, Sendable {
    @DecimalText public var height: UInt64
    @HexText public var digest: Digest
    /// Milliseconds since 1970.
    @DecimalText public var time: UInt64
    @DecimalText public var epoch: UInt64
    /// Place of the proposer in the epoch's set.
    public var proposer: UInt16
    public var transactions: Int

    public init(_ finalized: FinalizedBlock, digest: Digest) {
        let header = finalized.block.header
        height = header.height.value
        self.digest = digest
        time = header.time.value
        epoch = header.epoch.value
        proposer = header.proposer
        transactions = finalized.block.transactions.count
    }
}

/// `GET /v1/blocks`
public struct BlocksDocument: Codable, Equatable, Sendable {
    /// Newest first.
    public var blocks: [BlockSummaryDocument]
    /// `before` of the next page; absent on the last.
    public var next: DecimalText<UInt64>?

    public init(blocks: [BlockSummaryDocument], next: Height?) {
        self.blocks = blocks
        self.next = next.map { DecimalText($0.value) }
    }
}

/// A place among all transactions: `HEIGHT.INDEX`.
public struct TransactionPlace: Codable, Equatable, Sendable, CustomStringConvertible {
    public let height: Height
    public let index: Int

    public init(height: Height, index: Int) {
        self.height = height
        self.index = index
    }

    /// Nil for any other form. Places in a block have at most seven digits.
    public init?(_ text: String) {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 2, parts[1].utf8.count <= 7, let height = UInt64(parts[0]), let index = UInt32(parts[1]),
            "\(height).\(index)" == text
        else { return nil }
        self.init(height: Height(height), index: Int(index))
    }

    public var description: String { "\(height).\(index)" }

    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        guard let place = Self(try container.decode(String.self)) else {
            throw DecodingError.dataCorruptedError(in: container, debugDescription: "not HEIGHT.INDEX")
        }
        self = place
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }
}

/// A transaction in `GET /v1/transactions`.
public struct ListedTransactionDocument: Codable, Equatable, Sendable {
    /// Without its data.
    public var transaction: TransactionDocument
    @DecimalText public var height: UInt64
    /// Place in the block.
    public var index: Int
    @DecimalText public var time: UInt64
    public var outcome: OutcomeDocument?
    /// What its data says; absent where its form is not known.
    public var meaning: MeaningDocument?

    public init(
        _ transaction: TransactionDocument, height: Height, index: Int, time: Time, outcome: Outcome?,
        meaning: MeaningDocument?
    ) {
        self.meaning = meaning
        self.transaction = transaction
        self.height = height.value
        self.index = index
        self.time = time.value
        self.outcome = outcome.map { OutcomeDocument($0) }
    }
}

/// `GET /v1/transactions`
public struct TransactionsDocument: Codable, Equatable, Sendable {
    /// Newest first.
    public var transactions: [ListedTransactionDocument]
    /// `before` of the next page; absent on the last.
    public var next: TransactionPlace?

    public init(transactions: [ListedTransactionDocument], next: TransactionPlace?) {
        self.transactions = transactions
        self.next = next
    }
}

/// An account in `GET /v1/accounts`.
public struct AccountSummaryDocument: Codable, Equatable, Sendable {
    @AddressText public var account: Account
    @DecimalText public var balance: UInt128
    /// Of the account's next transaction.
    @DecimalText public var sequence: UInt64
    /// Entries in its history.
    @DecimalText public var entries: UInt64

    public init(_ account: Account, balance: UInt128, sequence: UInt64, entries: UInt64) {
        self.account = account
        self.balance = balance
        self.sequence = sequence
        self.entries = entries
    }

    public init(_ account: Account, _ record: AccountRecord) {
        self.init(account, balance: record.balance, sequence: record.sequence, entries: record.history.size)
    }
}

/// `GET /v1/accounts`
public struct AccountsDocument: Codable, Equatable, Sendable {
    public var accounts: [AccountSummaryDocument]
    /// `after` of the next page; absent on the last.
    public var next: AddressText?

    public init(accounts: [AccountSummaryDocument], next: Account?) {
        self.accounts = accounts
        self.next = next.map { AddressText($0) }
    }
}
