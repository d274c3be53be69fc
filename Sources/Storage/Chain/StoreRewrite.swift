import Cryptography
import Encoding
import Foundation
import Primitives

/// Writes a store anew in which blocks were put back that could not be read.
///
/// A block that was put back stands in a new file, and the damaged file stays: LevelDB reads all of a file when it merges it
/// with others, finds the damage, and takes no further write, whether it is paranoid or not. Repairing it, LevelDB leaves
/// out what it can't read, and older values come to light that lay below: so what can be read is copied instead, every
/// block by its height and all else in the order of its keys, where damage is an error. The new store takes the old one's
/// place when it is complete.
public enum StoreRewrite {
    private static let page = 64
    /// More blocks than these are not looked for at a time.
    private static let mostUnreadable = 4_096

    private static func unfinished(_ path: String) -> String { path + ".rewriting" }
    private static func complete(_ path: String) -> String { path + ".rewritten" }
    private static func damaged(_ path: String) -> String { path + ".damaged" }

    /// Ends what a process that was killed had begun, or throws it away. Before anybody looks for the store.
    public static func recover(_ path: String) throws(StorageError) {
        let files = FileManager.default
        if !files.fileExists(atPath: path), files.fileExists(atPath: complete(path)) {
            try Files.rename(complete(path), to: path)
        }
        for leftover in [unfinished(path), complete(path)] + (files.fileExists(atPath: path) ? [damaged(path)] : [])
        where files.fileExists(atPath: leftover) {
            try Files.attempt(leftover) { try files.removeItem(atPath: leftover) }
        }
    }

    /// Bytes of a store that has to be written anew; nil for any other, and where there is none.
    public static func bytesToWrite(_ path: String) throws(StorageError) -> UInt64? {
        guard FileManager.default.fileExists(atPath: path) else { return nil }
        let database = try LevelDB(path: path, options: LevelDB.Options(create: false))
        defer { database.close() }
        guard try database.get(Meta.healed.key) != nil else { return nil }
        let names = try Files.attempt(path) { try FileManager.default.contentsOfDirectory(atPath: path) }
        return names.reduce(0) { sum, name in
            let attributes = try? FileManager.default.attributesOfItem(atPath: path + "/" + name)
            return sum + ((attributes?[.size] as? UInt64) ?? 0)
        }
    }

    /// Bytes that are free where the store is; nil where nobody knows.
    public static func freeBytes(_ path: String) -> UInt64? {
        (try? FileManager.default.attributesOfFileSystem(forPath: path))?[.systemFreeSize] as? UInt64
    }

    /// Nobody may have the store open.
    ///
    /// - Parameter progress: called now and then with how many entries have been written; what it throws ends the work.
    /// - Returns: blocks that can't be read and have not been put back; the store is as it was then. Empty when it is done.
    /// - Throws: `.corrupt` where something can't be read that is no block; the store is as it was then, too.
    public static func run(_ path: String, progress: (UInt64) throws -> Void) throws -> [Height] {
        try recover(path)
        let made = unfinished(path)
        try Files.attempt(made) {
            try FileManager.default.createDirectory(
                atPath: made, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        }
        var isComplete = false
        defer { if !isComplete { try? FileManager.default.removeItem(atPath: made) } }
        let unreadable = try copy(path, to: made, progress)
        guard unreadable.isEmpty else { return unreadable }
        // A sync covers the log that LevelDB writes at that moment: the files before it are made durable here.
        try Files.synchroniseContents(made)
        isComplete = true
        try Files.rename(made, to: complete(path))
        try Files.rename(path, to: damaged(path))
        try recover(path)
        return []
    }

    private static func copy(_ path: String, to made: String, _ progress: (UInt64) throws -> Void) throws -> [Height] {
        let old = try LevelDB(path: path, options: LevelDB.Options(create: false))
        defer { old.close() }
        let new = try LevelDB(path: made, options: LevelDB.Options(create: true))
        defer { new.close() }
        var written: UInt64 = 0
        func write(_ entries: [LevelDBEntry]) throws {
            var batch = WriteBatch()
            // What says that there is damage stays behind.
            for entry in entries where entry.key != Meta.healed.key { batch.put(entry.key, entry.value) }
            try new.write(batch, sync: false)
            written += UInt64(entries.count)
            try progress(written)
        }
        for column in Column.allCases where column != .block {
            var from: [UInt8]?
            while true {
                let entries = try old.scan(prefix: column.key([]), from: from, limit: page)
                try write(entries)
                guard entries.count == page, let last = entries.last else { break }
                from = last.key + [0]
            }
        }
        var unreadable: [Height] = []
        let head: ChainHead? = try read(old, Meta.head, path)
        let base: Height = try read(old, Meta.base, path) ?? Height(1)
        var next = base
        while let head, next <= head.height, unreadable.count < mostUnreadable {
            let height = next
            next = height.next
            let key = Column.block.key(height)
            let block: [UInt8]?
            do throws(StorageError) { block = try old.get(key) } catch {
                guard case .corrupt = error else { throw error }
                block = nil
            }
            guard let block else {
                unreadable.append(height)
                continue
            }
            // Else they are only looked for.
            if unreadable.isEmpty { try write([LevelDBEntry(key: key, value: block)]) }
        }
        return unreadable
    }

    private static func read<Value: BorshDecodable>(
        _ database: LevelDB, _ key: Meta, _ path: String
    ) throws(StorageError) -> Value? {
        guard let bytes = try database.get(key.key) else { return nil }
        do { return try Value(borsh: bytes) } catch {
            throw .corrupt(path: path, detail: "\(key.rawValue) does not decode: \(error)")
        }
    }
}
