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

    /// A value of the state, nil where it goes.
    /// - Parameter isNew: whether the key has to be written to where its path finds it; true if in doubt.
    mutating func set(_ key: StateKey, _ value: [UInt8]?, isNew: Bool) {
        guard let value else {
            delete(Column.value.key(key.bytes))
            delete(Column.path.key(key.path.bytes))
            return
        }
        put(Column.value.key(key.bytes), value)
        if isNew { put(Column.path.key(key.path.bytes), key.bytes) }
    }

    mutating func add(_ link: EpochLink) { put(Column.link(link.header.epoch), link.borsh) }

    mutating func add(_ state: StateCommit) {
        let added = state.added.map { Set($0) }
        for (key, value) in state.values { set(key, value, isNew: added?.contains(key) ?? true) }
        for key in state.pageRemovals { delete(Column.page.key(key)) }
        for (key, page) in state.pagePuts { put(Column.page.key(key), page) }
        for (account, entry) in state.history { put(Column.history(account, entry.index), entry.borsh) }
        put(Column.receipts.key(state.height), StoredReceipts(state.receipts).borsh)
        put(Meta.stateHeight.key, state.height.borsh)
    }
}
