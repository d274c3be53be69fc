import Cryptography
import Encoding
import Foundation
import Primitives

/// Writes a store anew that has a damaged file: since blocks were put back that could not be read, or since LevelDB takes no
/// more writes.
///
/// A block that was put back stands in a new file, and the damaged file stays: LevelDB reads all of a file when it merges it
/// with others, finds the damage, and takes no further write, whether it is paranoid or not. Repairing it, LevelDB leaves
/// out what it can't read, and older values come to light that lay below: so what can be read is copied instead, every
/// block by its height and all else in the order of its keys, where damage is an error. The new store takes the old one's
/// place when it is complete. A process killed at any instant leaves the old store or the new one.
///
/// It holds no more than a page of entries in memory, whatever the store's size.
public enum StoreRewrite {
    /// Entries that are copied together, at most, and their bytes, by which one entry may be too long.
    private static let page = 512
    private static let pageBytes = 1 << 20
    /// More blocks than these are not looked for at a time.
    private static let mostUnreadable = 4_096

    private static func unfinished(_ path: String) -> String { path + ".rewriting" }
    private static func complete(_ path: String) -> String { path + ".rewritten" }
    private static func damaged(_ path: String) -> String { path + ".damaged" }
    private static func requested(_ path: String) -> String { path + ".rewrite" }

    /// What of a store has been written.
    public struct Progress: Equatable, Sendable {
        public var entries: UInt64 = 0
        /// Before LevelDB compresses them.
        public var bytes: UInt64 = 0

        public init() {}
    }

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

    /// Has the store written anew at the next start, since LevelDB takes no more writes: it came to a damaged file when it
    /// merged files, perhaps before anybody read what lies there.
    public static func request(_ path: String, reason: String) throws(StorageError) {
        try AtomicFile.write(Array(reason.utf8), to: requested(path))
    }

    public static func isRequested(_ path: String) -> Bool { FileManager.default.fileExists(atPath: requested(path)) }

    /// Bytes of a store's files.
    public static func bytes(_ path: String) throws(StorageError) -> UInt64 {
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
    /// - Parameters:
    ///   - leavingOut: whether blocks that can't be read are left out, for ``ChainStore/lostBlocks()`` to name: where nothing
    ///     can be written into the store as it is, they can't be put back before.
    ///   - progress: called now and then; what it throws ends the work.
    /// - Returns: blocks that can't be read. Unless they are left out, the store is as it was then.
    /// - Throws: `.corrupt` where something can't be read that is no block, too many blocks can't, or the newest is to be left
    ///   out; the store is as it was then, too.
    public static func run(
        _ path: String, leavingOut: Bool = false, progress: (Progress) throws -> Void
    ) throws -> [Height] {
        try recover(path)
        let made = unfinished(path)
        try Files.attempt(made) {
            try FileManager.default.createDirectory(
                atPath: made, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        }
        var isComplete = false
        defer { if !isComplete { try? FileManager.default.removeItem(atPath: made) } }
        let unreadable = try copy(path, to: made, leavingOut: leavingOut, progress)
        guard unreadable.isEmpty || leavingOut else { return unreadable }
        // A sync covers the log that LevelDB writes at that moment: the files before it are made durable here.
        try Files.synchroniseContents(made)
        isComplete = true
        try Files.rename(made, to: complete(path))
        try Files.rename(path, to: damaged(path))
        try recover(path)
        // Last: one that is killed before is written anew once more.
        if isRequested(path) { try Files.attempt(requested(path)) { try FileManager.default.removeItem(atPath: requested(path)) } }
        return unreadable
    }

    private static func copy(
        _ path: String, to made: String, leavingOut: Bool, _ progress: (Progress) throws -> Void
    ) throws -> [Height] {
        // Not closed, which would write what its logs hold into the files that are damaged.
        let old = try LoggedDatabase(try LevelDB(path: path, options: LevelDB.Options(create: false)))
        defer { withExtendedLifetime(old) {} }
        let new = try LevelDB(path: made, options: LevelDB.Options(create: true))
        defer { new.close() }
        var written = Progress()
        func write(_ entries: [LevelDBEntry]) throws {
            var batch = WriteBatch()
            // What says that there is damage, or which batches are in logs, stays behind.
            for entry in entries where entry.key != Meta.healed.key && entry.key != Meta.ahead.key {
                batch.put(entry.key, entry.value)
                written.bytes += UInt64(entry.key.count + entry.value.count)
            }
            try new.write(batch, sync: false)
            written.entries += UInt64(entries.count)
            try progress(written)
        }
        for column in Column.allCases where column != .block {
            var from: [UInt8]?
            while true {
                let entries = try old.scan(prefix: column.key([]), from: from, limit: page, bytes: pageBytes)
                try write(entries)
                guard let last = entries.last else { break }
                from = last.key + [0]
            }
        }
        var unreadable: [Height] = []
        let head: ChainHead? = try read(old, Meta.head, path)
        let base: Height = try read(old, Meta.base, path) ?? Height(1)
        var next = base
        while let head, next <= head.height {
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
                guard unreadable.count >= mostUnreadable else { continue }
                if leavingOut {
                    throw StorageError.corrupt(path: path, detail: "\(unreadable.count) blocks can't be read, and perhaps more")
                }
                return unreadable
            }
            // Else they are only looked for.
            if unreadable.isEmpty || leavingOut { try write([LevelDBEntry(key: key, value: block)]) }
        }
        // The node starts with its newest block, and nobody can say what it must be but the store that is to go.
        if leavingOut, let head, unreadable.last == head.height {
            throw StorageError.corrupt(path: path, detail: "the newest block, \(head.height), can't be read")
        }
        if leavingOut {
            var batch = WriteBatch()
            batch.setLost(unreadable)
            try new.write(batch, sync: true)
        }
        return unreadable
    }

    private static func read<Value: BorshDecodable>(
        _ database: LoggedDatabase, _ key: Meta, _ path: String
    ) throws(StorageError) -> Value? {
        guard let bytes = try database.get(key.key) else { return nil }
        do { return try Value(borsh: bytes) } catch {
            throw .corrupt(path: path, detail: "\(key.rawValue) does not decode: \(error)")
        }
    }
}

/// Heights as the store keeps them: a u32 count, then the heights.
struct LostBlocks: BorshCodable {
    let heights: [Height]

    init(_ heights: [Height]) { self.heights = heights }

    func encode(to encoder: inout BorshEncoder) { encoder.array(heights) }

    init(from decoder: inout BorshDecoder) throws(BorshError) {
        heights = try decoder.array(limit: 1 << 16, smallestElement: 8)
    }
}

extension WriteBatch {
    mutating func setLost(_ heights: [Height]) {
        if heights.isEmpty { delete(Meta.lost.key) } else { put(Meta.lost.key, LostBlocks(heights).borsh) }
    }
}
