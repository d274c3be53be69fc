import CLevelDB
import Encoding
import Synchronization

/// A LevelDB database: an ordered map from bytes to bytes in a folder of its own.
///
/// One process may have the folder open. All calls may come from any thread, and block while the disk works.
public final class LevelDB: Sendable {
    public struct Options: Sendable {
        /// Makes a database where there is none.
        public var create: Bool
        /// Bytes of decompressed blocks kept in memory.
        public var blockCacheBytes: Int
        /// Bytes of writes gathered in memory before they become a sorted file. As many as the processor's caches hold: each
        /// write looks for its place among them.
        public var writeBufferBytes: Int
        /// Bits a key in each file's Bloom filter; 10 give about 1 % false positives.
        public var bloomBitsPerKey: Int32
        public var openFiles: Int32
        /// Bytes that are read, checked and unpacked together. Small, since the state is read value by value and page by
        /// page, in no order.
        public var blockBytes: Int
        /// Bytes of a sorted file: so many that all of a large state stay open. Ten million accounts take about 5 GB; a table
        /// that has to be opened for a read costs as much as several reads.
        public var fileBytes: Int

        public init(
            create: Bool = true, blockCacheBytes: Int = 32 << 20, writeBufferBytes: Int = 4 << 20,
            bloomBitsPerKey: Int32 = 10, openFiles: Int32 = 500, blockBytes: Int = 2 << 10, fileBytes: Int = 16 << 20
        ) {
            self.blockBytes = blockBytes
            self.fileBytes = fileBytes
            self.create = create
            self.blockCacheBytes = blockCacheBytes
            self.writeBufferBytes = writeBufferBytes
            self.bloomBitsPerKey = bloomBitsPerKey
            self.openFiles = openFiles
        }
    }

    public let path: String
    private let handle: Mutex<LevelDBHandle?>

    public init(path: String, options: Options = Options()) throws(StorageError) {
        self.path = path
        try TableFooter.checkAll(in: path)
        handle = Mutex(try LevelDBHandle(path: path, options: options))
    }

    /// Refuses further calls. The folder is free for others once the calls under way and the snapshots have ended.
    public func close() {
        handle.withLock { $0 = nil }
    }

    /// Nil where the key has no value.
    public func get(_ key: [UInt8]) throws(StorageError) -> [UInt8]? {
        try openHandle().get(key, snapshot: nil)
    }

    /// All of the batch or nothing; with `sync` it is on the disk when the call returns.
    public func write(_ batch: WriteBatch, sync: Bool) throws(StorageError) {
        try openHandle().write(batch, sync: sync)
    }

    /// Entries whose keys start with `prefix`, in the order of their bytes.
    ///
    /// - Parameters:
    ///   - from: the first key to return if it is there; nil starts at the prefix.
    ///   - limit: the most entries to return.
    ///   - bytes: of keys and values, after which no further entry is taken.
    public func scan(
        prefix: [UInt8], from: [UInt8]? = nil, limit: Int, bytes: Int = .max
    ) throws(StorageError) -> [LevelDBEntry] {
        try openHandle().scan(prefix: prefix, from: from, limit: limit, bytes: bytes, snapshot: nil)
    }

    /// A view of the database as it is now, which later writes do not change.
    public func snapshot() throws(StorageError) -> LevelDBSnapshot {
        LevelDBSnapshot(of: try openHandle())
    }

    private func openHandle() throws(StorageError) -> LevelDBHandle {
        guard let open = handle.withLock({ $0 }) else { throw .closed(path: path) }
        return open
    }
}

public struct LevelDBEntry: Equatable, Sendable {
    public let key: [UInt8]
    public let value: [UInt8]

    package init(key: [UInt8], value: [UInt8]) {
        self.key = key
        self.value = value
    }
}

/// Reads the database as it was at one instant. Keeps it open while it lives.
public final class LevelDBSnapshot: @unchecked Sendable {  // LevelDB's snapshots may be read from any thread.
    private let handle: LevelDBHandle
    private let snapshot: OpaquePointer?

    fileprivate init(of handle: LevelDBHandle) {
        self.handle = handle
        snapshot = handle.createSnapshot()
    }

    deinit { handle.releaseSnapshot(snapshot) }

    public func get(_ key: [UInt8]) throws(StorageError) -> [UInt8]? {
        try handle.get(key, snapshot: snapshot)
    }

    public func scan(
        prefix: [UInt8], from: [UInt8]? = nil, limit: Int, bytes: Int = .max
    ) throws(StorageError) -> [LevelDBEntry] {
        try handle.scan(prefix: prefix, from: from, limit: limit, bytes: bytes, snapshot: snapshot)
    }
}

/// Puts and deletes that take effect together, in their order.
///
/// All their bytes lie behind each other, where what is stored is encoded at once: a block's batch has a hundred small ones.
public struct WriteBatch: Sendable {
    package struct Operation: Sendable {
        package let key: Range<Int>
        /// Nil where the key is deleted.
        package let value: Range<Int>?
    }

    package private(set) var operations: [Operation] = []
    private var encoder = BorshEncoder()

    public init() {}

    /// - Parameter operations: with places in the bytes.
    init(operations: [Operation], bytes: [UInt8]) {
        self.operations = operations
        encoder.fixed(bytes)
    }

    public var isEmpty: Bool { operations.isEmpty }

    /// Of all keys and values.
    package var bytes: [UInt8] { encoder.bytes }

    public mutating func put(_ key: [UInt8], _ value: [UInt8]) {
        put(key: { $0.fixed(key) }, value: { $0.fixed(value) })
    }

    public mutating func delete(_ key: [UInt8]) { delete { $0.fixed(key) } }

    mutating func put(key: (inout BorshEncoder) -> Void, value: (inout BorshEncoder) -> Void) {
        let start = encoder.count
        key(&encoder)
        let middle = encoder.count
        value(&encoder)
        operations.append(Operation(key: start..<middle, value: middle..<encoder.count))
    }

    mutating func delete(key: (inout BorshEncoder) -> Void) {
        let start = encoder.count
        key(&encoder)
        operations.append(Operation(key: start..<encoder.count, value: nil))
    }

    /// After its own.
    mutating func append(_ other: WriteBatch) {
        let start = encoder.count
        encoder.fixed(other.bytes)
        operations += other.operations.map { operation in
            Operation(
                key: (operation.key.lowerBound + start)..<(operation.key.upperBound + start),
                value: operation.value.map { ($0.lowerBound + start)..<($0.upperBound + start) })
        }
    }

    /// Keeps the room that it has, unless that is more than so many bytes.
    mutating func removeAll(keeping mostBytes: Int) {
        guard encoder.count <= mostBytes else { return self = WriteBatch() }
        operations.removeAll(keepingCapacity: true)
        encoder.removeAll()
    }
}
