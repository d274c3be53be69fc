import Cryptography
import Encoding
import Primitives
import StateTree

/// Brings a store of an earlier format to this one. A process that is killed at any instant leaves a store that the next
/// one goes on with.
struct StoreUpgrade {
    private static let together = 4_096

    let database: LevelDB
    /// Told every few thousand entries how many of the column that it is at were looked at.
    var onProgress: (Int) -> Void = { _ in }

    /// - Parameter certified: the root that the tree must have, where the chain says it.
    func run(from format: UInt32, certified: @autoclosure () throws(StorageError) -> Digest?) throws(StorageError) {
        guard format < Storage.formatVersion else { return }
        if format <= Storage.formatWithoutPaths { try addPaths() }
        if format <= Storage.formatWithoutPages { try addPages(certified()) }
        try finish(Storage.formatVersion)
    }

    /// Writes each key of the state to where its path finds it.
    private func addPaths() throws(StorageError) {
        try each(.value) { entries throws(StorageError) in
            var batch = WriteBatch()
            for entry in entries {
                let key = StateKey(Array(entry.key.dropFirst()))
                batch.put(Column.path.key(key.path.bytes), key.bytes)
            }
            try database.write(batch, sync: true)
        }
        try finish(Storage.formatWithoutPages)
    }

    /// Writes the leaves of the tree, which has each node under a key of its own, into pages.
    private func addPages(_ certified: Digest?) throws(StorageError) {
        var root: Digest?
        try each(.node) { entries throws(StorageError) in
            var leaves: [(path: Digest, valueHash: Digest?)] = []
            for entry in entries { if let leaf = try leaf(entry) { leaves.append(leaf) } }
            let update: TreeUpdate
            do throws(StateTreeError) { update = try StateTree.update(reader: Pages(database: database), changes: leaves) } catch {
                throw .corrupt(path: database.path, detail: "\(error)")
            }
            root = update.root
            var batch = WriteBatch()
            for key in update.removals { batch.delete(Column.page.key(key.bytes)) }
            for (key, page) in update.puts { batch.put(Column.page.key(key.bytes), page) }
            try database.write(batch, sync: true)
        }
        if let certified, let root, root != certified {
            throw .corrupt(
                path: database.path,
                detail: "its state tree has root \(root), the head certifies \(certified)")
        }
        // All pages are on the disk before the first node goes. They stay as they are when the work starts over with what is
        // left of the nodes.
        try each(.node) { entries throws(StorageError) in
            var batch = WriteBatch()
            for entry in entries { batch.delete(entry.key) }
            try database.write(batch, sync: true)
        }
        try finish(Storage.formatWithoutLogs)
    }

    private func finish(_ format: UInt32) throws(StorageError) {
        var batch = WriteBatch()
        batch.put(Meta.format.key, format.borsh)
        try database.write(batch, sync: true)
    }

    private func each(_ column: Column, _ body: ([LevelDBEntry]) throws(StorageError) -> Void) throws(StorageError) {
        var from: [UInt8]?
        var count = 0
        while true {
            let entries = try database.scan(prefix: column.key([]), from: from, limit: Self.together)
            guard let last = entries.last else { return }
            try body(entries)
            count += entries.count
            onProgress(count)
            from = last.key + [0]
        }
    }

    /// Of a node: a tag (0 leaf, 1 inner) and two hashes. A leaf has its path and the hash of its value.
    private func leaf(_ entry: LevelDBEntry) throws(StorageError) -> (path: Digest, valueHash: Digest?)? {
        guard entry.value.count == 65, let tag = entry.value.first, tag <= 1,
            let path = Digest(entry.value[1..<33]), let valueHash = Digest(entry.value[33...])
        else { throw .corrupt(path: database.path, detail: "a node of its state tree does not decode") }
        return tag == 0 ? (path, valueHash) : nil
    }

    private struct Pages: PageReader {
        let database: LevelDB
        func page(_ key: NodeKey) throws -> [UInt8]? { try database.get(Column.page.key(key.bytes)) }
    }
}
