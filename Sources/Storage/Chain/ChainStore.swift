import Cryptography
import Encoding
import Foundation
import Primitives
import Synchronization

/// The finalised chain of a node: blocks, the state, the state tree, receipts, histories and indices in one LevelDB.
///
/// Calls may come from any thread and block while the disk works. Readers see each commit whole or not at all;
/// several reads that must fit together go through a ``snapshot()``.
public final class ChainStore: ChainReading {
    public let path: String
    public let genesisHash: Digest
    private let database: LoggedDatabase
    /// Where the stored chain and state end; held during a commit, so that commits follow one another.
    private let tip: Mutex<Tip>
    private let cache = StateCache()

    private struct Place {
        var head: ChainHead?
        var stateHeight: Height?
    }

    private struct Tip {
        var place = Place()
        /// Empty, with the memory that the last one took.
        var batch = WriteBatch()
    }

    /// A batch that was larger leaves no memory behind.
    private static let mostSpareBytes = 1 << 20

    /// Opens the chain's store in the folder, or makes it there if the folder does not exist. One of an earlier
    /// format is brought to this one, which reads its state or its state tree once.
    ///
    /// - Parameter onUpgrade: told every few thousand entries how many were looked at for that.
    /// - Throws: `.otherChain` when it belongs to another genesis, `.unsupportedFormat`, `.inUse`, `.corrupt`.
    public convenience init(
        path: String, genesisHash: Digest, options: LevelDB.Options = LevelDB.Options(),
        onUpgrade: (Int) -> Void = { _ in }
    ) throws(StorageError) {
        try self.init(path: path, genesisHash: genesisHash, options: options, limits: LoggedDatabase.Limits(), onUpgrade: onUpgrade)
    }

    package init(
        path: String, genesisHash: Digest, options: LevelDB.Options = LevelDB.Options(), limits: LoggedDatabase.Limits,
        onUpgrade: (Int) -> Void = { _ in }
    ) throws(StorageError) {
        if !FileManager.default.fileExists(atPath: path) {
            try Self.create(path: path, genesisHash: genesisHash)
        }
        var existing = options
        // A folder that lost its database must not silently become an empty chain.
        existing.create = false
        self.path = path
        self.genesisHash = genesisHash
        let levels = try LevelDB(path: path, options: existing)
        try withoutActuallyEscaping(onUpgrade) { onUpgrade throws(StorageError) in
            try StoreIdentity(database: levels).check(genesisHash, onUpgrade)
        }
        database = try LoggedDatabase(levels, limits: limits)
        tip = Mutex(Tip())
        let (head, stateHeight) = (try head(), try stateHeight())
        tip.withLock { $0.place = Place(head: head, stateHeight: stateHeight) }
    }

    /// Refuses further calls and frees the folder once those under way, and the snapshots, have ended.
    public func close() {
        database.close()
        cache.close()
    }

    /// Writes the blocks, in their order, in one synced batch.
    ///
    /// - Throws: `.outOfOrder` unless the first block follows the head (the first of all has height 1), each block
    ///   follows the one before, and so do the states (the first of all is that of genesis, height 0), none of which
    ///   may be above the block that it comes with.
    public func commit(_ commits: [Commit]) throws(StorageError) {
        let outcome: Result<Void, StorageError> = tip.withLock { tip in
            var next = tip.place
            for commit in commits {
                if let problem = Self.advance(&next, by: commit) {
                    return .failure(.outOfOrder(path: path, detail: problem))
                }
            }
            return write(commits.compactMap(\.state), then: next, &tip) { batch in
                for commit in commits { batch.add(commit) }
            }
        }
        try outcome.get()
    }

    public func commit(_ commit: Commit) throws(StorageError) { try self.commit([commit]) }

    /// Writes a state without a block: the genesis state, or the state after the head while none is stored for it.
    public func commit(state: StateCommit) throws(StorageError) {
        let outcome: Result<Void, StorageError> = tip.withLock { tip in
            var next = tip.place
            if let problem = Self.advance(&next, by: state) {
                return .failure(.outOfOrder(path: path, detail: problem))
            }
            return write([state], then: next, &tip) { $0.add(state) }
        }
        try outcome.get()
    }

    /// Writes a block again that the store holds and can't read, or has lost, with what leads to it. A damaged file stays
    /// until the store is written anew (``StoreRewrite``).
    ///
    /// - Parameter digest: of the block, which is the final one of its height: the caller has made sure.
    /// - Throws: `.outOfOrder` for a height that the store does not hold.
    public func heal(_ block: FinalizedBlock, digest: Digest) throws(StorageError) {
        let height = block.block.header.height
        let lowest = try base()
        let highest = tip.withLock { $0.place.head?.height ?? .zero }
        guard height >= lowest, height <= highest else {
            throw .outOfOrder(path: path, detail: "block \(height) is not between \(lowest) and \(highest)")
        }
        var batch = WriteBatch()
        batch.addBody(block, digest: digest, ids: block.block.transactions.map { $0.id(genesis: genesisHash) })
        let lost = try lostBlocks()
        if let place = lost.firstIndex(of: height) {
            var left = lost
            left.remove(at: place)
            batch.setLost(left)
        } else {
            batch.put(Meta.healed.key, height.borsh)
        }
        try database.write(batch)
    }

    /// Heights whose blocks were left out when the store was written anew (``StoreRewrite``) and have not been put back,
    /// ascending.
    public func lostBlocks() throws(StorageError) -> [Height] {
        let lost: LostBlocks? = try decoded(get(Meta.lost.key), "the list of lost blocks")
        return lost?.heights ?? []
    }

    /// Whether blocks were put back beside damaged ones, so that the store is to be written anew (``StoreRewrite``).
    public func holdsDamage() throws(StorageError) -> Bool { try get(Meta.healed.key) != nil }

    /// Adds a step between masternode sets that the store lacks: the caller has made sure that it is right.
    public func add(_ link: EpochLink) throws(StorageError) {
        var batch = WriteBatch()
        batch.add(link)
        try database.write(batch)
    }

    public func snapshot() throws(StorageError) -> ChainSnapshot {
        // Between commits: what is remembered is that of the snapshot's own state then.
        let outcome: Result<ChainSnapshot, StorageError> = tip.withLock { _ in
            do throws(StorageError) {
                return .success(ChainSnapshot(path: path, view: try database.view(), memory: cache.now))
            } catch { return .failure(error) }
        }
        return try outcome.get()
    }

    public func get(_ key: [UInt8]) throws(StorageError) -> [UInt8]? { try database.get(key) }

    public func value(_ key: StateKey) throws(StorageError) -> [UInt8]? { try remembered(.value(key)) }

    public func page(_ key: [UInt8]) throws(StorageError) -> [UInt8]? { try remembered(.page(key)) }

    private func remembered(_ key: StateCache.Key) throws(StorageError) -> [UInt8]? {
        switch cache.find(key) {
        case .known(let value): return value
        case .unknown(let turn):
            let value = try database.get(key.stored)
            cache.remember(key, value, turn)
            return value
        }
    }

    public func scan(prefix: [UInt8], from: [UInt8]?, limit: Int) throws(StorageError) -> [LevelDBEntry] {
        try database.scan(prefix: prefix, from: from, limit: limit)
    }

    private func write(
        _ states: [StateCommit], then next: Place, _ tip: inout Tip, _ fill: (inout WriteBatch) -> Void
    ) -> Result<Void, StorageError> {
        fill(&tip.batch)
        defer { tip.batch.removeAll(keeping: Self.mostSpareBytes) }
        guard !tip.batch.isEmpty else { return .success(()) }
        cache.beginCommit()
        do throws(StorageError) { try database.write(tip.batch) } catch {
            cache.endCommit([])
            return .failure(error)
        }
        cache.endCommit(states)
        tip.place = next
        return .success(())
    }

    /// Moves the tip over the commit, or says why it does not fit.
    private static func advance(_ tip: inout Place, by commit: Commit) -> String? {
        let header = commit.block.block.header
        let expected = tip.head?.height.next ?? Height(1)
        guard header.height == expected else { return "block \(header.height) came where \(expected) follows" }
        if let head = tip.head, header.parent != head.digest {
            return "the parent of block \(header.height) is \(header.parent), the head is \(head.digest)"
        }
        guard commit.transactionIds.count == commit.block.block.transactions.count else {
            return "block \(header.height) has \(commit.block.block.transactions.count) transactions and "
                + "\(commit.transactionIds.count) identifiers"
        }
        tip.head = ChainHead(height: header.height, digest: commit.digest)
        return commit.state.flatMap { advance(&tip, by: $0) }
    }

    private static func advance(_ tip: inout Place, by state: StateCommit) -> String? {
        let expected = tip.stateHeight?.next ?? .zero
        guard state.height == expected else { return "the state after block \(state.height) came where \(expected) follows" }
        let head = tip.head?.height ?? .zero
        guard state.height <= head else { return "the state after block \(state.height) is above the head \(head)" }
        tip.stateHeight = state.height
        return nil
    }

    /// Makes the database under another name and renames it when it says whose it is: no instant leaves half of it.
    private static func create(path: String, genesisHash: Digest) throws(StorageError) {
        let unfinished = path + ".creating"
        let files = FileManager.default
        try Files.attempt(unfinished) {
            if files.fileExists(atPath: unfinished) { try files.removeItem(atPath: unfinished) }
            try files.createDirectory(
                atPath: unfinished, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        }
        let database = try LevelDB(path: unfinished, options: LevelDB.Options(create: true))
        var batch = WriteBatch()
        batch.put(Meta.format.key, Storage.formatVersion.borsh)
        batch.put(Meta.genesis.key, genesisHash.borsh)
        try database.write(batch, sync: true)
        database.close()
        try Files.synchroniseFolder(unfinished)
        try Files.rename(unfinished, to: path)
    }
}
