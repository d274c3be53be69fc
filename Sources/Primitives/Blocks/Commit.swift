import Cryptography
import Encoding

/// A finalised block with what the node writes beside it, in one batch.
///
/// The state lags by one: with block h goes the state *after block h - 1*, which block h's header certifies.
public struct Commit: Sendable {
    public let block: FinalizedBlock
    /// The block's digest.
    public let digest: Digest
    /// Of the block's transactions, in their order.
    public let transactionIds: [TransactionId]
    public let state: StateCommit?
    /// The step to another masternode set that this block proves, or that its Finalization proves of an earlier one.
    public let link: EpochLink?
    /// How far this node's key has voted, durably; nil where it has not, and of a node without a key.
    public let mark: VoteMark?

    public init(
        block: FinalizedBlock, digest: Digest, transactionIds: [TransactionId], state: StateCommit?,
        link: EpochLink? = nil, mark: VoteMark? = nil
    ) {
        self.link = link
        self.mark = mark
        self.block = block
        self.digest = digest
        self.transactionIds = transactionIds
        self.state = state
    }
}

/// What the execution of the block at `height` changed.
public struct StateCommit: Sendable {
    /// The state is the one after this block; 0 is the genesis state.
    public let height: Height
    /// Nil removes the value.
    public let values: [(StateKey, [UInt8]?)]
    /// Those of `values` that were not there before; nil where nobody knows.
    public let added: [StateKey]?
    /// Pages of the state tree by their keys.
    public let pagePuts: [([UInt8], [UInt8])]
    /// Applied before the puts.
    public let pageRemovals: [[UInt8]]
    /// Of the block at `height`.
    public let receipts: [Receipt]
    public let history: [(Account, HistoryEntry)]

    public init(
        height: Height, values: [(StateKey, [UInt8]?)], added: [StateKey]? = nil, pagePuts: [([UInt8], [UInt8])] = [],
        pageRemovals: [[UInt8]] = [], receipts: [Receipt] = [], history: [(Account, HistoryEntry)] = []
    ) {
        self.height = height
        self.values = values
        self.added = added
        self.pagePuts = pagePuts
        self.pageRemovals = pageRemovals
        self.receipts = receipts
        self.history = history
    }
}

/// The last finalised block that the store holds.
public struct ChainHead: BorshCodable, Hashable, Sendable {
    public let height: Height
    public let digest: Digest

    public init(height: Height, digest: Digest) {
        self.height = height
        self.digest = digest
    }

    public func encode(to encoder: inout BorshEncoder) {
        encoder.value(height)
        encoder.value(digest)
    }

    public init(from decoder: inout BorshDecoder) throws(BorshError) {
        height = try decoder.value()
        digest = try decoder.value()
    }
}

/// Where a transaction stands in the finalised chain.
public struct TransactionLocation: BorshCodable, Hashable, Sendable {
    public let height: Height
    /// Place in the block, from 0.
    public let index: UInt32

    public init(height: Height, index: UInt32) {
        self.height = height
        self.index = index
    }

    public func encode(to encoder: inout BorshEncoder) {
        encoder.value(height)
        encoder.integer(index)
    }

    public init(from decoder: inout BorshDecoder) throws(BorshError) {
        height = try decoder.value()
        index = try decoder.integer()
    }
}

/// A view of an epoch, in the order of the chain.
public struct VotePosition: BorshCodable, Hashable, Comparable, Sendable, CustomStringConvertible {
    public let epoch: Epoch
    public let view: View

    public static let none = VotePosition(epoch: .zero, view: .zero)

    public init(epoch: Epoch, view: View) {
        self.epoch = epoch
        self.view = view
    }

    public static func < (lhs: VotePosition, rhs: VotePosition) -> Bool { (lhs.epoch, lhs.view) < (rhs.epoch, rhs.view) }
    public var description: String { "view \(view) of epoch \(epoch)" }

    public func encode(to encoder: inout BorshEncoder) {
        encoder.value(epoch)
        encoder.value(view)
    }

    public init(from decoder: inout BorshDecoder) throws(BorshError) {
        epoch = try decoder.value()
        view = try decoder.value()
    }
}

/// What the store remembers of the votes of its node's key, beside each batch: a journal that does not reach so far, or
/// has another name, is not the one that the key voted with.
public struct VoteMark: BorshCodable, Hashable, Sendable {
    public let key: PublicKey
    /// Drawn when a journal is made.
    public let journal: UInt64
    public let position: VotePosition

    public init(key: PublicKey, journal: UInt64, position: VotePosition) {
        self.key = key
        self.journal = journal
        self.position = position
    }

    public func encode(to encoder: inout BorshEncoder) {
        encoder.value(key)
        encoder.integer(journal)
        encoder.value(position)
    }

    public init(from decoder: inout BorshDecoder) throws(BorshError) {
        key = try decoder.value()
        journal = try decoder.integer()
        position = try decoder.value()
    }
}
