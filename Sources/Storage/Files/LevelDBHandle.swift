import CLevelDB
import Synchronization

/// Owns LevelDB's C objects; whoever holds a reference may call, and the last one to let go closes the database.
final class LevelDBHandle: @unchecked Sendable {  // LevelDB locks inside; the pointers are set once.
    private let path: String
    private let database: OpaquePointer
    private let cache: OpaquePointer?
    private let filter: OpaquePointer?
    private let options: OpaquePointer?
    private let spare = Mutex<Spare?>(nil)

    private struct Spare: @unchecked Sendable {  // Whoever took it out has it alone.
        let batch: OpaquePointer?
    }

    /// A larger batch than this one leaves no memory behind.
    private static let mostSpareBytes = 1 << 20

    init(path: String, options settings: LevelDB.Options) throws(StorageError) {
        self.path = path
        let options = leveldb_options_create()
        let cache = leveldb_cache_create_lru(max(0, settings.blockCacheBytes))
        let filter = leveldb_filterpolicy_create_bloom(max(1, settings.bloomBitsPerKey))
        leveldb_options_set_create_if_missing(options, settings.create ? 1 : 0)
        // Without it, damage in the log or the manifest passes as a shorter history.
        leveldb_options_set_paranoid_checks(options, 1)
        leveldb_options_set_cache(options, cache)
        leveldb_options_set_filter_policy(options, filter)
        leveldb_options_set_write_buffer_size(options, max(1 << 16, settings.writeBufferBytes))
        leveldb_options_set_block_size(options, max(512, settings.blockBytes))
        leveldb_options_set_max_file_size(options, max(1 << 20, settings.fileBytes))
        leveldb_options_set_max_open_files(options, max(64, settings.openFiles))
        leveldb_options_set_compression(options, Int32(leveldb_snappy_compression))
        var message: UnsafeMutablePointer<CChar>?
        guard let database = leveldb_open(options, path, &message) else {
            leveldb_options_destroy(options)
            leveldb_filterpolicy_destroy(filter)
            leveldb_cache_destroy(cache)
            throw Self.error(path: path, taking: message)
        }
        self.database = database
        self.cache = cache
        self.filter = filter
        self.options = options
    }

    deinit {
        spare.withLock { spare in
            if let spare { leveldb_writebatch_destroy(spare.batch) }
        }
        leveldb_close(database)
        leveldb_options_destroy(options)
        leveldb_filterpolicy_destroy(filter)
        leveldb_cache_destroy(cache)
    }

    func get(_ key: [UInt8], snapshot: OpaquePointer?) throws(StorageError) -> [UInt8]? {
        let reading = Self.readOptions(snapshot)
        defer { leveldb_readoptions_destroy(reading) }
        var message: UnsafeMutablePointer<CChar>?
        var count = 0
        let found = key.withChars { leveldb_get(database, reading, $0, $1, &count, &message) }
        if message != nil { throw Self.error(path: path, taking: message) }
        guard let found else { return nil }
        defer { leveldb_free(found) }
        return Self.bytes(found, count)
    }

    func write(_ batch: WriteBatch, sync: Bool) throws(StorageError) {
        let writing = leveldb_writeoptions_create()
        defer { leveldb_writeoptions_destroy(writing) }
        leveldb_writeoptions_set_sync(writing, sync ? 1 : 0)
        let native = takeNative()
        defer { giveBack(native, after: batch.bytes.count) }
        batch.bytes.withUnsafeBytes { raw in
            let bytes = raw.bindMemory(to: CChar.self).baseAddress
            for operation in batch.operations {
                let key = operation.key
                if let value = operation.value {
                    leveldb_writebatch_put(
                        native, bytes?.advanced(by: key.lowerBound), key.count, bytes?.advanced(by: value.lowerBound), value.count)
                } else {
                    leveldb_writebatch_delete(native, bytes?.advanced(by: key.lowerBound), key.count)
                }
            }
        }
        var message: UnsafeMutablePointer<CChar>?
        leveldb_write(database, writing, native, &message)
        if message != nil { throw Self.error(path: path, taking: message) }
    }

    /// LevelDB's own batch, with the memory that the last one took: one that starts from nothing grows a dozen times.
    private func takeNative() -> OpaquePointer? {
        let kept = spare.withLock { spare in
            defer { spare = nil }
            return spare
        }
        return kept?.batch ?? leveldb_writebatch_create()
    }

    private func giveBack(_ native: OpaquePointer?, after bytes: Int) {
        leveldb_writebatch_clear(native)
        let isKept = spare.withLock { spare in
            guard spare == nil, bytes <= Self.mostSpareBytes else { return false }
            spare = Spare(batch: native)
            return true
        }
        if !isKept { leveldb_writebatch_destroy(native) }
    }

    func scan(
        prefix: [UInt8], from: [UInt8]?, limit: Int, bytes: Int = .max, snapshot: OpaquePointer?
    ) throws(StorageError) -> [LevelDBEntry] {
        let reading = Self.readOptions(snapshot)
        defer { leveldb_readoptions_destroy(reading) }
        let iterator = leveldb_create_iterator(database, reading)
        defer { leveldb_iter_destroy(iterator) }
        let start = if let from, prefix.lexicographicallyPrecedes(from) { from } else { prefix }
        start.withChars { leveldb_iter_seek(iterator, $0, $1) }
        var entries: [LevelDBEntry] = []
        var taken = 0
        while entries.count < limit, taken < bytes, leveldb_iter_valid(iterator) != 0 {
            var keyCount = 0
            var valueCount = 0
            let key = Self.bytes(leveldb_iter_key(iterator, &keyCount), keyCount)
            guard key.starts(with: prefix) else { break }
            entries.append(LevelDBEntry(key: key, value: Self.bytes(leveldb_iter_value(iterator, &valueCount), valueCount)))
            taken += keyCount + valueCount
            leveldb_iter_next(iterator)
        }
        // An iterator that met damage is merely not valid: only its error tells that from the end.
        var message: UnsafeMutablePointer<CChar>?
        leveldb_iter_get_error(iterator, &message)
        if message != nil { throw Self.error(path: path, taking: message) }
        return entries
    }

    func createSnapshot() -> OpaquePointer? { leveldb_create_snapshot(database) }

    func releaseSnapshot(_ snapshot: OpaquePointer?) {
        if let snapshot { leveldb_release_snapshot(database, snapshot) }
    }

    private static func readOptions(_ snapshot: OpaquePointer?) -> OpaquePointer? {
        let reading = leveldb_readoptions_create()
        leveldb_readoptions_set_verify_checksums(reading, 1)
        if let snapshot { leveldb_readoptions_set_snapshot(reading, snapshot) }
        return reading
    }

    private static func bytes(_ start: UnsafePointer<CChar>?, _ count: Int) -> [UInt8] {
        Array(UnsafeRawBufferPointer(start: start, count: start == nil ? 0 : count))
    }

    /// LevelDB reports errors as text that starts with their class.
    private static func error(path: String, taking message: UnsafeMutablePointer<CChar>?) -> StorageError {
        guard let message else { return .inputOutput(path: path, detail: "LevelDB gave no reason") }
        defer { leveldb_free(message) }
        let text = String(cString: message)
        if text.hasPrefix("Corruption:") { return .corrupt(path: path, detail: String(text.dropFirst(12))) }
        if text.hasPrefix("IO error: lock ") { return .inUse(path: path) }
        if text.hasSuffix("does not exist (create_if_missing is false)") { return .notFound(path: path) }
        // A file that the manifest names and that is gone, or is shorter than its index says, is damage.
        if text.hasSuffix(": No such file or directory") || text.hasSuffix(": Invalid argument") { return .corrupt(path: path, detail: text) }
        return .inputOutput(path: path, detail: text)
    }
}

extension [UInt8] {
    /// The bytes as LevelDB takes them: a start and a count.
    fileprivate func withChars<Result>(_ body: (UnsafePointer<CChar>?, Int) -> Result) -> Result {
        withUnsafeBytes { body($0.bindMemory(to: CChar.self).baseAddress, $0.count) }
    }
}
