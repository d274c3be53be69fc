import Cryptography
import Encoding
import Primitives

/// Whose store it is, and of which format: looked at before anything else is read of it.
struct StoreIdentity: ChainReading {
    let database: LevelDB

    var path: String { database.path }

    func get(_ key: [UInt8]) throws(StorageError) -> [UInt8]? { try database.get(key) }

    func scan(prefix: [UInt8], from: [UInt8]?, limit: Int) throws(StorageError) -> [LevelDBEntry] {
        try database.scan(prefix: prefix, from: from, limit: limit)
    }

    /// Brings a store of an earlier format to this one.
    ///
    /// - Throws: `.otherChain`, `.unsupportedFormat`, `.corrupt`.
    func check(_ genesisHash: Digest, _ onUpgrade: @escaping (Int) -> Void) throws(StorageError) {
        let format: UInt32? = try decoded(get(Meta.format.key), "the format version")
        let genesis: Digest? = try decoded(get(Meta.genesis.key), "the genesis hash")
        // Both are written before the folder gets its name, so they can be missing only through damage.
        guard let format, let genesis else { throw .corrupt(path: path, detail: "it has no format version and genesis hash") }
        guard (Storage.formatWithoutPaths...Storage.formatVersion).contains(format) else {
            throw .unsupportedFormat(path: path, found: format, expected: Storage.formatVersion)
        }
        guard genesis == genesisHash else { throw .otherChain(path: path, found: genesis, expected: genesisHash) }
        try StoreUpgrade(database: database, onProgress: onUpgrade).run(from: format, certified: certifiedRoot())
    }

    /// Of the stored state, according to the head; nil where the head is not the block after it.
    private func certifiedRoot() throws(StorageError) -> Digest? {
        guard let height = try head()?.height, let state = try stateHeight(), state.next == height else { return nil }
        return try block(at: height)?.block.header.stateRoot
    }
}
