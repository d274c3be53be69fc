import Cryptography
import Foundation
import Primitives
import Synchronization

/// A store in the making, out of a state that comes from peers: it lies beside its final place, and takes that place
/// whole. A process killed at any instant leaves no store there, or a complete one.
///
/// One thread writes at a time; calls block while the disk works.
public final class SnapshotImport: Sendable {
    /// Where the store will be.
    public let path: String
    private let unfinished: String
    private let genesisHash: Digest
    private let database: LevelDB

    public static func folder(for path: String) -> String { path + ".joining" }

    /// Starts over: what an earlier attempt left is removed.
    public init(path: String, genesisHash: Digest) throws(StorageError) {
        self.path = path
        self.genesisHash = genesisHash
        unfinished = Self.folder(for: path)
        try Self.discard(path)
        let folder = unfinished
        try Files.attempt(folder) {
            try FileManager.default.createDirectory(
                atPath: folder, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        }
        database = try LevelDB(path: unfinished, options: LevelDB.Options(create: true))
    }

    /// Removes what an unfinished attempt left.
    public static func discard(_ path: String) throws(StorageError) {
        let folder = folder(for: path)
        try Files.attempt(folder) {
            if FileManager.default.fileExists(atPath: folder) { try FileManager.default.removeItem(atPath: folder) }
        }
    }

    public func page(_ key: [UInt8]) throws(StorageError) -> [UInt8]? { try database.get(Column.page.key(key)) }

    /// Adds values with what they change in the tree. Not synced: nothing counts before ``finish(_:links:)``.
    public func add(
        values: [(StateKey, [UInt8])], pagePuts: [([UInt8], [UInt8])], pageRemovals: [[UInt8]]
    ) throws(StorageError) {
        var batch = WriteBatch()
        for (key, value) in values { batch.set(key, value, isNew: true) }
        for key in pageRemovals { batch.delete(Column.page.key(key)) }
        for (key, page) in pagePuts { batch.put(Column.page.key(key), page) }
        try database.write(batch, sync: false)
    }

    /// Adds the head, whose header certifies the state that was added, and moves the store to its place.
    ///
    /// - Parameters:
    ///   - head: the block with its own Finalization; its `state` is not used.
    ///   - links: from the genesis' masternode set to that of the head.
    /// - Throws: `.outOfOrder` when a store with blocks is in the place.
    public func finish(_ head: Commit, links: [EpochLink]) throws(StorageError) {
        let height = head.block.block.header.height
        guard let stateHeight = height.previous else {
            throw .outOfOrder(path: path, detail: "the genesis is no block to start from")
        }
        var batch = WriteBatch()
        batch.add(
            Commit(block: head.block, digest: head.digest, transactionIds: head.transactionIds, state: nil))
        for link in links { batch.add(link) }
        batch.put(Meta.stateHeight.key, stateHeight.borsh)
        batch.put(Meta.base.key, height.borsh)
        batch.put(Meta.format.key, Storage.formatVersion.borsh)
        batch.put(Meta.genesis.key, genesisHash.borsh)
        try database.write(batch, sync: true)
        database.close()
        // A sync covers the log that LevelDB writes at that moment: the files before it are made durable here.
        try Files.synchroniseContents(unfinished)
        if FileManager.default.fileExists(atPath: path) {
            let existing = try ChainStore(path: path, genesisHash: genesisHash)
            let found = try existing.head()
            existing.close()
            if let found { throw .outOfOrder(path: path, detail: "it holds blocks up to \(found.height) already") }
            let place = path
            try Files.attempt(place) { try FileManager.default.removeItem(atPath: place) }
        }
        try Files.rename(unfinished, to: path)
    }

    /// Frees the folder without finishing.
    public func close() { database.close() }
}
