import Cryptography
import Encoding
import Primitives

extension WriteBatch {
    package mutating func add(_ commit: Commit) {
        addBody(commit.block, digest: commit.digest, ids: commit.transactionIds)
        put(Meta.head, ChainHead(height: commit.block.block.header.height, digest: commit.digest))
        if let link = commit.link { add(link) }
        if let mark = commit.mark { put(Meta.voted, mark) }
        if let state = commit.state { add(state) }
    }

    /// A block, and the places of what is looked for in it.
    mutating func addBody(_ block: FinalizedBlock, digest: Digest, ids: [TransactionId]) {
        let height = block.block.header.height
        put(key: { $0.key(.block, height) }, value: { $0.value(block) })
        put(key: { $0.key(.height, digest) }, value: { $0.value(height) })
        for (index, id) in ids.enumerated() {
            let location = TransactionLocation(height: height, index: UInt32(truncatingIfNeeded: index))
            put(key: { $0.key(.transaction, id) }, value: { $0.value(location) })
        }
    }

    /// A value of the state, nil where it goes.
    /// - Parameter isNew: whether the key has to be written to where its path finds it; true if in doubt.
    mutating func set(_ key: StateKey, _ value: [UInt8]?, isNew: Bool) {
        guard let value else {
            delete { $0.key(.value, key.bytes) }
            delete { $0.key(.path, key.path) }
            return
        }
        put(key: { $0.key(.value, key.bytes) }, value: { $0.fixed(value) })
        if isNew { put(key: { $0.key(.path, key.path) }, value: { $0.fixed(key.bytes) }) }
    }

    mutating func add(_ link: EpochLink) { put(Column.link(link.header.epoch), link.borsh) }

    mutating func add(_ state: StateCommit) {
        let added = state.added.map { Set($0) }
        for (key, value) in state.values { set(key, value, isNew: added?.contains(key) ?? true) }
        for key in state.pageRemovals { delete { $0.key(.page, key) } }
        for (key, page) in state.pagePuts { put(key: { $0.key(.page, key) }, value: { $0.fixed(page) }) }
        for (account, entry) in state.history {
            put(key: { $0.historyKey(account, entry.index) }, value: { $0.value(entry) })
        }
        put(key: { $0.key(.receipts, state.height) }, value: { $0.value(StoredReceipts(state.receipts)) })
        put(Meta.stateHeight, state.height)
    }

    private mutating func put(_ meta: Meta, _ value: some BorshEncodable) {
        put(key: { $0.fixed(meta.key) }, value: { $0.value(value) })
    }
}

extension BorshEncoder {
    /// A key of the store: its column, and its place there.
    fileprivate mutating func key(_ column: Column, _ place: [UInt8]) {
        integer(column.rawValue)
        fixed(place)
    }

    fileprivate mutating func key(_ column: Column, _ name: some Bytes32) {
        integer(column.rawValue)
        value(name)
    }

    fileprivate mutating func key(_ column: Column, _ height: Height) {
        integer(column.rawValue)
        bigEndian(height.value)
    }

    fileprivate mutating func historyKey(_ account: Account, _ index: UInt64) {
        key(.history, account)
        bigEndian(index)
    }

    private mutating func bigEndian(_ value: UInt64) { integer(value.byteSwapped) }
}
