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

    public init(
        block: FinalizedBlock, digest: Digest, transactionIds: [TransactionId], state: StateCommit?,
        link: EpochLink? = nil
    ) {
        self.link = link
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
    public let nodePuts: [([UInt8], [UInt8])]
    /// Applied before the puts.
    public let nodeRemovals: [[UInt8]]
    /// Of the block at `height`.
    public let receipts: [Receipt]
    public let history: [(Account, HistoryEntry)]

    public init(
        height: Height, values: [(StateKey, [UInt8]?)], nodePuts: [([UInt8], [UInt8])] = [],
        nodeRemovals: [[UInt8]] = [], receipts: [Receipt] = [], history: [(Account, HistoryEntry)] = []
    ) {
        self.height = height
        self.values = values
        self.nodePuts = nodePuts
        self.nodeRemovals = nodeRemovals
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
