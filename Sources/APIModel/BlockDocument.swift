import Cryptography
import Primitives

/// `GET /v1/blocks/{height}`: the header's fields, who finalised it, and its transactions without their data.
public struct BlockDocument: Codable, Equatable, Sendable {
    @DecimalText public var height: UInt64
    @HexText public var digest: Digest
    @DecimalText public var view: UInt64
    @DecimalText public var epoch: UInt64
    @HexText public var parent: Digest
    /// Place of the proposer in the epoch's set.
    public var proposer: UInt16
    /// Milliseconds since 1970.
    @DecimalText public var time: UInt64
    @HexText public var transactionsRoot: Digest
    /// Of the state before this block.
    @HexText public var stateRoot: Digest
    /// Of the parent's receipts.
    @HexText public var receiptsRoot: Digest
    /// By the parent.
    @DecimalText public var gasUsed: UInt64
    @HexText public var reveal: Digest
    @HexText public var randomness: Digest
    @HexText public var activeSetHash: Digest
    @HexText public var nextSetHash: Digest
    @HexText public var parentCertificateHash: Digest
    /// Places of the masternodes whose votes finalised it; absent if a descendant's finalisation proves it.
    public var finalizedBy: [UInt16]?
    /// Size of the encoded block.
    public var bytes: Int
    public var transactions: [TransactionDocument]

    public init(_ finalized: FinalizedBlock, digest: Digest, bytes: Int, transactions: [TransactionDocument]) {
        let header = finalized.block.header
        height = header.height.value
        self.digest = digest
        view = header.view.value
        epoch = header.epoch.value
        parent = header.parent
        proposer = header.proposer
        time = header.time.value
        transactionsRoot = header.transactionsRoot
        stateRoot = header.stateRoot
        receiptsRoot = header.receiptsRoot
        gasUsed = header.gasUsed
        reveal = header.reveal
        randomness = header.randomness
        activeSetHash = header.activeSetHash
        nextSetHash = header.nextSetHash
        parentCertificateHash = header.parentCertificateHash
        finalizedBy = finalized.finalization?.signers
        self.bytes = bytes
        self.transactions = transactions
    }
}

/// `data` of each `block` event of `GET /v1/events`; the event's id is the height.
public struct BlockEventDocument: Codable, Equatable, Sendable {
    @DecimalText public var height: UInt64
    @HexText public var digest: Digest
    /// Milliseconds since 1970.
    @DecimalText public var time: UInt64
    /// Ids in the block's order.
    public var transactions: [HexText<TransactionId>]
    /// What contracts announced in this block, in the order of the receipts.
    public var events: [EventDocument]

    public init(height: Height, digest: Digest, time: Time, transactions: [TransactionId], events: [Event]) {
        self.height = height.value
        self.digest = digest
        self.time = time.value
        self.transactions = transactions.map { HexText($0) }
        self.events = events.map { EventDocument($0) }
    }
}
