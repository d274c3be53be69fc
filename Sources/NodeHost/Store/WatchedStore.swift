import Cryptography
import NodeCore
import Primitives
import Storage

/// The store as the machine reads it. What can't be read there is taken note of like all else, also where the machine goes
/// on without it.
final class WatchedStore: NodeStore {
    private let store: ChainStore
    private let health: StoreHealth

    init(_ store: ChainStore, health: StoreHealth) {
        self.store = store
        self.health = health
    }

    func value(_ key: StateKey) throws -> [UInt8]? { try watched { () throws(StorageError) in try store.value(key) } }
    func page(_ key: [UInt8]) throws -> [UInt8]? { try watched { () throws(StorageError) in try store.page(key) } }
    func head() throws -> ChainHead? { try watched { () throws(StorageError) in try store.head() } }
    func height(of digest: Digest) throws -> Height? { try watched { () throws(StorageError) in try store.height(of: digest) } }
    func voteMark() throws -> VoteMark? { try watched { () throws(StorageError) in try store.voteMark() } }

    func block(at height: Height) throws -> FinalizedBlock? {
        do { return try store.block(at: height) } catch {
            health.note(UnreadableBlock(height: height, cause: error))
            throw error
        }
    }

    private func watched<Value>(_ read: () throws(StorageError) -> Value) throws(StorageError) -> Value {
        do { return try read() } catch {
            health.note(error)
            throw error
        }
    }
}
