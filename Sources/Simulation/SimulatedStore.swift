import Cryptography
import Node
import Primitives
import Storage
import Synchronization

/// A node's block store in memory, with LevelDB's promise: a synced batch is there whole or not at all.
package final class SimulatedStore: NodeStore {
    package let path = "memory"

    package init() {}

    private let content = Mutex<Content>(Content())

    private struct Content {
        var entries: [[UInt8]: [UInt8]] = [:]
        var isFailing = false
    }

    /// While set, every read fails, as on a dying disk.
    package var isFailing: Bool {
        get { content.withLock { $0.isFailing } }
        set { content.withLock { $0.isFailing = newValue } }
    }

    package func get(_ key: [UInt8]) throws(StorageError) -> [UInt8]? {
        let found: Result<[UInt8]?, StorageError> = content.withLock {
            $0.isFailing
                ? .failure(.inputOutput(path: path, detail: "injected")) : .success($0.entries[key])
        }
        return try found.get()
    }

    package func scan(prefix: [UInt8], from: [UInt8]?, limit: Int) throws(StorageError) -> [LevelDBEntry] {
        let found = content.withLock { $0.entries.filter { $0.key.starts(with: prefix) } }
        let start = from ?? prefix
        return found.filter { !$0.key.lexicographicallyPrecedes(start) }
            .sorted { $0.key.lexicographicallyPrecedes($1.key) }
            .prefix(limit).map { LevelDBEntry(key: $0.key, value: $0.value) }
    }

    /// - Returns: what ``ChainStore`` would refuse the commits for, if anything.
    package func commit(_ commits: [Commit]) -> String? {
        // A disk that fails for readers still shows the store its own end.
        let wasFailing = isFailing
        isFailing = false
        defer { isFailing = wasFailing }
        var batch = WriteBatch()
        var height = (try? head())?.height ?? .zero
        var digest = (try? head())?.digest
        var state = (try? stateHeight()) ?? nil
        for commit in commits {
            let header = commit.block.block.header
            guard header.height == height.next else { return "block \(header.height) was stored after \(height)" }
            if let digest, header.parent != digest { return "block \(header.height) was stored on another parent" }
            (height, digest) = (header.height, commit.digest)
            if let change = commit.state {
                guard change.height == state?.next ?? .zero, change.height < height else {
                    return "the state after block \(change.height) was stored with block \(height)"
                }
                state = change.height
            }
            batch.add(commit)
        }
        content.withLock { content in
            for operation in batch.operations {
                switch operation {
                case .put(let key, let value): content.entries[key] = value
                case .delete(let key): content.entries[key] = nil
                }
            }
        }
        return nil
    }
}
