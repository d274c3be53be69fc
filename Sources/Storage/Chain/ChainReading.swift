import Cryptography
import Encoding
import Primitives

/// Reads the finalised chain: ``ChainStore`` as it is at each call, ``ChainSnapshot`` as it was at one instant.
///
/// Every call waits for the disk and throws ``StorageError``; `.corrupt` where stored bytes do not decode.
public protocol ChainReading: Sendable {
    var path: String { get }
    func get(_ key: [UInt8]) throws(StorageError) -> [UInt8]?
    func scan(prefix: [UInt8], from: [UInt8]?, limit: Int) throws(StorageError) -> [LevelDBEntry]
    func value(_ key: StateKey) throws(StorageError) -> [UInt8]?
    /// A page of the state tree.
    func page(_ key: [UInt8]) throws(StorageError) -> [UInt8]?
}

extension ChainReading {
    /// Nil while there is no block above genesis.
    public func head() throws(StorageError) -> ChainHead? {
        try decoded(get(Meta.head.key), "the head")
    }

    /// The height that ``value(_:)`` and ``page(_:)`` are the state after; nil before the genesis state is written.
    public func stateHeight() throws(StorageError) -> Height? {
        try decoded(get(Meta.stateHeight.key), "the state's height")
    }

    /// The lowest height whose block is held: 1, or more in a store that was made from a snapshot. What happened below
    /// it is not here: blocks, receipts, places of transactions, entries of histories.
    public func base() throws(StorageError) -> Height {
        try decoded(get(Meta.base.key), "the base") ?? Height(1)
    }

    /// How far the node's key had voted when the head was stored; nil where it had not.
    public func voteMark() throws(StorageError) -> VoteMark? {
        try decoded(get(Meta.voted.key), "what was voted")
    }

    /// The steps from the genesis' masternode set to the one of the head, ascending by epoch.
    ///
    /// - Parameter from: leaves out those that end an earlier epoch.
    public func links(from epoch: Epoch = .zero, limit: Int = .max) throws(StorageError) -> [EpochLink] {
        var links: [EpochLink] = []
        for item in try scan(prefix: Column.link.key([]), from: Column.link(epoch), limit: limit) {
            let link: EpochLink? = try decoded(item.value, "the link after \(links.count) others")
            guard let link, item.key == Column.link(link.header.epoch) else {
                throw .corrupt(path: path, detail: "a link between masternode sets lies under another epoch")
            }
            links.append(link)
        }
        return links
    }

    /// Nil above the head and below the base; between them there is one, or it throws.
    public func block(at height: Height) throws(StorageError) -> FinalizedBlock? {
        let block: FinalizedBlock? = try decoded(get(Column.block.key(height)), "block \(height)")
        guard let block else {
            if let head = try head(), height <= head.height, try height >= base() {
                throw .corrupt(path: path, detail: "block \(height) is not there")
            }
            return nil
        }
        guard block.block.header.height == height else {
            throw .corrupt(path: path, detail: "block \(height) holds height \(block.block.header.height)")
        }
        return block
    }

    /// The encoded ``FinalizedBlock``, undecoded: for sending to a peer, which checks it.
    public func encodedBlock(at height: Height) throws(StorageError) -> [UInt8]? {
        try get(Column.block.key(height))
    }

    /// Height of the finalised block with this digest.
    public func height(of digest: Digest) throws(StorageError) -> Height? {
        try decoded(get(Column.height.key(digest.bytes)), "the height of block \(digest)")
    }

    public func transactionLocation(_ id: TransactionId) throws(StorageError) -> TransactionLocation? {
        try decoded(get(Column.transaction.key(id.bytes)), "the place of transaction \(id)")
    }

    /// Receipts of the block at this height; nil where its execution is not stored yet.
    public func receipts(at height: Height) throws(StorageError) -> [Receipt]? {
        let stored: StoredReceipts? = try decoded(get(Column.receipts.key(height)), "the receipts of block \(height)")
        return stored?.receipts
    }

    public func value(_ key: StateKey) throws(StorageError) -> [UInt8]? {
        try get(Column.value.key(key.bytes))
    }

    public func page(_ key: [UInt8]) throws(StorageError) -> [UInt8]? {
        try get(Column.page.key(key))
    }

    /// Entries of the account's history in their order, from the index on. The indices are contiguous, or it throws.
    /// A store that was made from a snapshot lacks the first ones: there the answer may begin with a later index.
    public func history(_ account: Account, from: UInt64 = 0, limit: Int) throws(StorageError) -> [HistoryEntry] {
        let prefix = Column.history.key(account.bytes)
        let found = try scan(prefix: prefix, from: Column.history(account, from), limit: limit)
        var entries: [HistoryEntry] = []
        var expected = from
        if let first = found.first, first.key != Column.history(account, from), try base() > Height(1) {
            let entry: HistoryEntry? = try decoded(first.value, "an entry of the history of \(account)")
            expected = max(from, entry?.index ?? from)
        }
        for item in found {
            let entry: HistoryEntry? = try decoded(item.value, "entry \(expected) of the history of \(account)")
            guard let entry, entry.index == expected, item.key == Column.history(account, expected) else {
                throw .corrupt(path: path, detail: "the history of \(account) has no entry \(expected)")
            }
            entries.append(entry)
            expected = expected.addingReportingOverflow(1).partialValue
        }
        return entries
    }

    /// Values whose keys start with these bytes, in key order: `[UInt8(ascii: "s")]` lists the services.
    ///
    /// - Parameter after: continues behind this key, for pages.
    public func scanState(
        prefix: [UInt8], after: StateKey? = nil, limit: Int
    ) throws(StorageError) -> [(key: StateKey, value: [UInt8])] {
        // The smallest key above `after` is `after` with a zero byte behind it.
        let from = after.map { Column.value.key($0.bytes + [0]) }
        return try scan(prefix: Column.value.key(prefix), from: from, limit: limit).map {
            (StateKey(Array($0.key.dropFirst())), $0.value)
        }
    }

    /// Keys of the state in the order of their paths, which is that of the leaves in the state tree, from this path on.
    public func keys(from path: Digest, limit: Int) throws(StorageError) -> [(path: Digest, key: StateKey)] {
        var found: [(path: Digest, key: StateKey)] = []
        for item in try scan(prefix: Column.path.key([]), from: Column.path.key(path.bytes), limit: limit) {
            let key = StateKey(item.value)
            guard let place = Digest(Array(item.key.dropFirst())), key.path == place else {
                throw .corrupt(path: self.path, detail: "the key \(key) lies under another path than its own")
            }
            found.append((place, key))
        }
        return found
    }

    /// Shows every value of the state once, in key order, a page at a time.
    public func everyValue(_ body: (StateKey, [UInt8]) throws -> Void) throws {
        var last: StateKey?
        repeat {
            let page = try scanState(prefix: [], after: last, limit: 256)
            for (key, value) in page { try body(key, value) }
            last = page.last?.key
        } while last != nil
    }

    func decoded<Value: BorshDecodable>(_ bytes: [UInt8]?, _ what: String) throws(StorageError) -> Value? {
        guard let bytes else { return nil }
        do { return try Value(borsh: bytes) } catch {
            throw .corrupt(path: path, detail: "\(what) does not decode: \(error)")
        }
    }
}

/// The finalised chain as it was at one instant. Keeps the database open while it lives.
public struct ChainSnapshot: ChainReading {
    public let path: String
    private let view: LoggedDatabase.View
    /// What the store remembers of that instant's state.
    private let memory: StateCache.Past

    init(path: String, view: LoggedDatabase.View, memory: StateCache.Past) {
        self.path = path
        self.view = view
        self.memory = memory
    }

    public func get(_ key: [UInt8]) throws(StorageError) -> [UInt8]? { try view.get(key) }

    public func value(_ key: StateKey) throws(StorageError) -> [UInt8]? { try remembered(.value(key)) }

    public func page(_ key: [UInt8]) throws(StorageError) -> [UInt8]? { try remembered(.page(key)) }

    /// As ``value(_:)``, and nil where it would have to be read.
    public func rememberedValue(_ key: StateKey) -> [UInt8]?? { memory.find(.value(key)) }

    private func remembered(_ key: StateCache.Key) throws(StorageError) -> [UInt8]? {
        if let known = memory.find(key) { return known }
        return try view.get(key.stored)
    }

    public func scan(prefix: [UInt8], from: [UInt8]?, limit: Int) throws(StorageError) -> [LevelDBEntry] {
        try view.scan(prefix: prefix, from: from, limit: limit)
    }
}
