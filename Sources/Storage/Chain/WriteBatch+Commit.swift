import Cryptography
import Primitives

extension WriteBatch {
    package mutating func add(_ commit: Commit) {
        addBody(commit.block, digest: commit.digest, ids: commit.transactionIds)
        put(Meta.head.key, ChainHead(height: commit.block.block.header.height, digest: commit.digest).borsh)
        if let link = commit.link { add(link) }
        if let mark = commit.mark { put(Meta.voted.key, mark.borsh) }
        if let state = commit.state { add(state) }
    }

    /// A block, and the places of what is looked for in it.
    mutating func addBody(_ block: FinalizedBlock, digest: Digest, ids: [TransactionId]) {
        let height = block.block.header.height
        put(Column.block.key(height), block.borsh)
        put(Column.height.key(digest.bytes), height.borsh)
        for (index, id) in ids.enumerated() {
            let location = TransactionLocation(height: height, index: UInt32(truncatingIfNeeded: index))
            put(Column.transaction.key(id.bytes), location.borsh)
        }
    }

    /// A value of the state, nil where it goes, with what finds its key by its path. That is written again with each value:
    /// whether it is there already is known to the disk alone.
    mutating func set(_ key: StateKey, _ value: [UInt8]?) {
        let path = Column.path.key(key.path.bytes)
        if let value {
            put(Column.value.key(key.bytes), value)
            put(path, key.bytes)
        } else {
            delete(Column.value.key(key.bytes))
            delete(path)
        }
    }

    mutating func add(_ link: EpochLink) { put(Column.link(link.header.epoch), link.borsh) }

    mutating func add(_ state: StateCommit) {
        for (key, value) in state.values { set(key, value) }
        for key in state.nodeRemovals { delete(Column.node.key(key)) }
        for (key, node) in state.nodePuts { put(Column.node.key(key), node) }
        for (account, entry) in state.history { put(Column.history(account, entry.index), entry.borsh) }
        put(Column.receipts.key(state.height), StoredReceipts(state.receipts).borsh)
        put(Meta.stateHeight.key, state.height.borsh)
    }
}
