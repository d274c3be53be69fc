import Audit
import Cryptography
import Encoding
import Ledger
import NodeAPI
import NodeCore
import Primitives
import StateTree
import Storage
import Synchronization

/// The published chain as it was at one instant: blocks and the certified state from a snapshot of the store, and
/// over them what the newest block changed. Reading it needs no word from the machine, and blocks on the disk.
struct ReadView: StateReader, Sendable {
    let genesis: Genesis
    let snapshot: ChainSnapshot
    let header: Header
    let digest: Digest
    /// Of the next block.
    let nextParameters: Parameters
    /// Of the newest block, which the snapshot does not know yet.
    let receipts: [Receipt]
    private let changes: [StateKey: [UInt8]?]
    /// Of all accounts, in the order of the block: there is a view for each block, and hardly one of them is asked for this.
    private let newHistory: [(account: Account, entry: HistoryEntry)]
    private let memo = ViewMemo()

    init(genesis: Genesis, snapshot: ChainSnapshot, head: ExecutedBlock) {
        self.genesis = genesis
        self.snapshot = snapshot
        header = head.header
        digest = head.digest
        nextParameters = head.context.parameters
        receipts = head.receipts
        changes = head.layer.values
        newHistory = head.delta.history
    }

    func value(_ key: StateKey) throws -> [UInt8]? {
        if let change = changes[key] { return change }
        if let known = snapshot.rememberedValue(key) ?? memo.find(key) { return known }
        let value = try snapshot.value(key)
        memo.remember(key, value)
        return value
    }

    func decode<Value: BorshDecodable>(_ key: StateKey, as type: Value.Type = Value.self) throws -> Value? {
        try value(key).map { try Value(borsh: $0) }
    }

    /// - Throws: ``UnreadableBlock``.
    func block(at height: Height) throws -> FinalizedBlock? {
        do { return try snapshot.block(at: height) } catch { throw UnreadableBlock(height: height, cause: error) }
    }

    /// Throws where a block of this height is on the chain, but below what this node has.
    func requireHeld(_ height: Height) throws {
        let base = try snapshot.base()
        if height > .zero, height < base { throw NotHeld(base: base) }
    }

    func receipts(at height: Height) throws -> [Receipt]? {
        if height == header.height { return height == .zero ? [] : receipts }
        return try snapshot.receipts(at: height)
    }

    func history(of account: Account, from index: UInt64, limit: Int) throws -> [HistoryEntry] {
        guard limit > 0 else { return [] }
        var entries = try snapshot.history(account, from: index, limit: limit)
        for (changed, entry) in newHistory where changed == account && entry.index >= index && entries.count < limit {
            entries.append(entry)
        }
        return entries
    }

    /// Values whose keys start with a byte, ascending, with the newest block's changes.
    func scan(prefix: UInt8, after: StateKey?, limit: Int) throws -> [(key: StateKey, value: [UInt8])] {
        var found = try snapshot.scanState(prefix: [prefix], after: after, limit: limit)
        for (key, value) in changes where key.bytes.first == prefix {
            if let after, key <= after { continue }
            found.removeAll { $0.key == key }
            if let value { found.append((key, value)) }
        }
        return Array(found.sorted { $0.key < $1.key }.prefix(limit))
    }
}

extension ReadView {
    /// Values with their proofs against the root that the newest final header certifies; nil before the first block.
    func stateExtract(of keys: [StateKey]) throws -> StateExtract? {
        guard let head = try snapshot.head(), let finalized = try snapshot.block(at: head.height),
            let finalization = finalized.finalization
        else { return nil }
        let certified = StoredState(snapshot: snapshot)
        // The step that the head proves itself, where it is a border block, is not part of its own proof.
        let links = try snapshot.links().filter { $0.header.epoch < finalized.block.header.epoch }
        let entries = try keys.map { key in
            StateExtract.Entry(
                key: key.bytes, value: try snapshot.value(key),
                proof: try StateTree.prove(reader: certified, path: key.path).proof)
        }
        return StateExtract(
            genesisHash: genesis.hash, links: links, header: finalized.block.header,
            finalization: finalization, entries: entries)
    }

    /// Against the state root of the newest final header in the store; nil before there is one.
    func stateProof(_ key: StateKey) throws -> StateProofView? {
        guard let head = try snapshot.head(), let finalized = try snapshot.block(at: head.height),
            let finalization = finalized.finalization
        else { return nil }
        let proof = try StateTree.prove(reader: StoredState(snapshot: snapshot), path: key.path).proof
        return StateProofView(
            header: finalized.block.header, finalization: finalization, key: key, value: try snapshot.value(key),
            proof: proof.borsh)
    }
}

/// The stored state, with proofs against the root that the newest final header carries.
struct StoredState: PageReader {
    let snapshot: ChainSnapshot

    func page(_ key: NodeKey) throws -> [UInt8]? { try snapshot.page(key.bytes) }

    func prove<Value>(_ key: StateKey) throws -> ProvenValue<Value> {
        let proof = try StateTree.prove(reader: self, path: key.path).proof
        return ProvenValue(value: try snapshot.value(key).map { try Value(borsh: $0) }, proof: proof)
    }
}

/// What was read of a view lately that the store does not remember: many transactions of one account are looked at on the same view.
private final class ViewMemo: Sendable {
    private static let most = 4_096
    private static let longest = 1_024

    private let values = Mutex<[StateKey: [UInt8]?]>([:])

    func find(_ key: StateKey) -> [UInt8]?? { values.withLock { $0[key] } }

    func remember(_ key: StateKey, _ value: [UInt8]?) {
        guard (value?.count ?? 0) <= Self.longest else { return }
        values.withLock { values in
            if values.count >= Self.most { values = [:] }
            values.updateValue(value, forKey: key)
        }
    }
}

/// The published chain as it is now, for whoever reads it from any thread.
final class LatestView: Sendable {
    private let view: Mutex<ReadView>

    init(_ view: ReadView) { self.view = Mutex(view) }

    var current: ReadView {
        get { view.withLock { $0 } }
        set { view.withLock { $0 = newValue } }
    }
}
