import Consensus
import Cryptography
import Encoding
import Primitives

/// What nodes say to each other, above the authenticated connections of `PeerNetwork`. The kind is the frame's kind
/// byte; the payload is Borsh.
public enum NodeMessage: Sendable {
    case consensus(ConsensusMessage)
    /// A block that its proposer relays where it holds no transactions, or the answer to `wantBody`.
    case body(Block)
    case wantBody(Digest)
    case transactions([SignedTransaction])
    /// The sender's last finalised block: who sees a higher one asks for what lies between.
    case head(height: Height, digest: Digest)
    case wantBlocks(from: Height, count: UInt16)
    /// Consecutive finalised blocks; the last holds its own Finalization.
    case blocks([FinalizedBlock])
    /// A block that its proposer relays.
    case sketch(BlockSketch)
    /// Transactions at these places of a block, ascending.
    case wantParts(Digest, [UInt32])
    /// The answer to `wantParts`.
    case parts([SignedTransaction])

    public enum Kind: UInt8, Sendable, CaseIterable {
        case consensus = 16
        case body, wantBody, transactions, head, wantBlocks, blocks, sketch, wantParts, parts
    }

    public var kind: Kind {
        switch self {
        case .consensus: .consensus
        case .body: .body
        case .wantBody: .wantBody
        case .transactions: .transactions
        case .head: .head
        case .wantBlocks: .wantBlocks
        case .blocks: .blocks
        case .sketch: .sketch
        case .wantParts: .wantParts
        case .parts: .parts
        }
    }

    /// What answering it costs, in units of ``NodeLimits/requestCostPerTick``; nil for what asks for nothing.
    var requestCost: Int? {
        switch self {
        case .wantBlocks: 10
        case .wantBody, .wantParts, .consensus(.wantCertificates), .consensus(.wantPosition): 2
        case .consensus, .body, .transactions, .head, .blocks, .sketch, .parts: nil
        }
    }

    public var payload: [UInt8] {
        var encoder = BorshEncoder()
        switch self {
        case .consensus(let message): encoder.value(message)
        case .body(let block): encoder.value(block)
        case .wantBody(let digest): encoder.value(digest)
        case .transactions(let transactions): encoder.array(transactions)
        case .head(let height, let digest):
            encoder.value(height)
            encoder.value(digest)
        case .wantBlocks(let from, let count):
            encoder.value(from)
            encoder.integer(count)
        case .blocks(let blocks): encoder.array(blocks)
        case .sketch(let sketch): encoder.value(sketch)
        case .wantParts(let digest, let places):
            encoder.value(digest)
            encoder.array(places)
        case .parts(let transactions): encoder.array(transactions)
        }
        return encoder.bytes
    }

    public init(kind raw: UInt8, payload: [UInt8]) throws(BorshError) {
        var decoder = BorshDecoder(payload)
        guard let kind = Kind(rawValue: raw) else { throw decoder.failure(.unknownTag(raw)) }
        switch kind {
        case .consensus: self = .consensus(try decoder.value())
        case .body: self = .body(try decoder.value())
        case .wantBody: self = .wantBody(try decoder.value())
        case .transactions:
            self = .transactions(
                try decoder.array(limit: NodeLimits.gossipTransactions, smallestElement: 152))
        case .head: self = .head(height: try decoder.value(), digest: try decoder.value())
        case .wantBlocks: self = .wantBlocks(from: try decoder.value(), count: try decoder.integer())
        case .blocks:
            self = .blocks(try decoder.array(limit: NodeLimits.syncBlocksUnproven, smallestElement: 300))
        case .sketch: self = .sketch(try decoder.value())
        case .wantParts:
            self = .wantParts(try decoder.value(), try decoder.array(limit: SketchTable.mostPlaces, smallestElement: 4))
        case .parts: self = .parts(try decoder.array(limit: SketchTable.mostPlaces, smallestElement: 152))
        }
        try decoder.finish()
    }
}

extension NodeMessage {
    /// Transactions in as many messages as they need, in their order: none holds more than a receiver takes.
    package static func telling(of transactions: [SignedTransaction]) -> [NodeMessage] {
        var messages: [NodeMessage] = []
        var group: [SignedTransaction] = []
        var bytes = 0
        for transaction in transactions {
            let isFull = group.count >= NodeLimits.gossipTransactions || bytes + transaction.byteCount > NodeLimits.gossipBytes
            if isFull, !group.isEmpty {
                messages.append(.transactions(group))
                (group, bytes) = ([], 0)
            }
            group.append(transaction)
            bytes += transaction.byteCount
        }
        if !group.isEmpty { messages.append(.transactions(group)) }
        return messages
    }
}

extension NodeMessage.Kind {
    /// Bytes that a message may have beyond what its content is bounded by: counts and tags.
    private static let envelope = 4_096
    /// Votes, and certificates with as many signatures as a set may have members.
    private static let consensusBytes = 400_000
    /// Requests: some hashes and numbers.
    private static let requestBytes = 128

    /// Bytes of a payload above which receivers take the message for an offence; nil where only what they asked for, or
    /// what leads a view, comes, which the connection's own limit bounds.
    package var mostBytes: Int? {
        switch self {
        case .consensus: Self.consensusBytes
        case .head, .wantBody, .wantBlocks: Self.requestBytes
        // A digest, and as many places as a request may name.
        case .wantParts: SketchTable.mostPlaces * 4 + Self.requestBytes
        // Identifiers of as many transactions as a block may hold, and a certificate.
        case .sketch: ChainLimits.blockBytes / 152 * 32 + Self.consensusBytes
        case .transactions: NodeLimits.gossipBytes + NodeLimits.largestTransaction + Self.envelope
        case .body, .blocks, .parts: nil
        }
    }
}

/// What the node's journal holds, beside the consensus records: bodies of blocks that are not final yet, since a vote
/// promises that its voter can serve the body.
public enum JournalEntry: BorshCodable, Sendable {
    case consensus(JournalRecord)
    case body(Block)
    /// In this epoch the node found that votes of its key are lost: it does not vote until it is resumed, or comes back
    /// by rule 12.
    case observing(Epoch, VoteLoss)
    /// The name of this journal: first in it.
    case opened(UInt64)
    /// This journal held votes up to here when it was cut.
    case reached(VotePosition)

    public func encode(to encoder: inout BorshEncoder) {
        switch self {
        case .observing(let epoch, let loss):
            encoder.integer(UInt8(2))
            encoder.value(epoch)
            encoder.integer(loss.rawValue)
        case .opened(let name):
            encoder.integer(UInt8(3))
            encoder.integer(name)
        case .reached(let position):
            encoder.integer(UInt8(4))
            encoder.value(position)
        case .consensus(let record):
            encoder.integer(UInt8(0))
            encoder.value(record)
        case .body(let block):
            encoder.integer(UInt8(1))
            encoder.value(block)
        }
    }

    public init(from decoder: inout BorshDecoder) throws(BorshError) {
        let tag: UInt8 = try decoder.integer()
        switch tag {
        case 0: self = .consensus(try decoder.value())
        case 1: self = .body(try decoder.value())
        case 2:
            let (epoch, raw): (Epoch, UInt8) = (try decoder.value(), try decoder.integer())
            guard let loss = VoteLoss(rawValue: raw) else { throw decoder.failure(.unknownTag(raw)) }
            self = .observing(epoch, loss)
        case 3: self = .opened(try decoder.integer())
        case 4: self = .reached(try decoder.value())
        default: throw decoder.failure(.unknownTag(tag))
        }
    }
}
