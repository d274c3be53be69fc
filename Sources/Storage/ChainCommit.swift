import Cryptography
import Primitives

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

extension WriteBatch {
    package mutating func add(_ commit: Commit) {
        let height = commit.block.block.header.height
        put(Column.block.key(height), commit.block.borsh)
        put(Column.height.key(commit.digest.bytes), height.borsh)
        for (index, id) in commit.transactionIds.enumerated() {
            let location = TransactionLocation(height: height, index: UInt32(truncatingIfNeeded: index))
            put(Column.transaction.key(id.bytes), location.borsh)
        }
        put(Meta.head.key, ChainHead(height: height, digest: commit.digest).borsh)
        if let link = commit.link { add(link) }
        if let state = commit.state { add(state) }
    }

    mutating func add(_ link: EpochLink) { put(Column.link(link.header.epoch), link.borsh) }

    mutating func add(_ state: StateCommit) {
        for (key, value) in state.values {
            if let value { put(Column.value.key(key.bytes), value) } else { delete(Column.value.key(key.bytes)) }
        }
        for key in state.nodeRemovals { delete(Column.node.key(key)) }
        for (key, node) in state.nodePuts { put(Column.node.key(key), node) }
        for (account, entry) in state.history { put(Column.history(account, entry.index), entry.borsh) }
        put(Column.receipts.key(state.height), StoredReceipts(state.receipts).borsh)
        put(Meta.stateHeight.key, state.height.borsh)
    }
}
