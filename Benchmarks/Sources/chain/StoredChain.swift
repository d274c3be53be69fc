import Cryptography
import Foundation
import Ledger
import Primitives
import StateTree
import Storage

/// A chain of one masternode on a store of its own, written as a node writes it: each block with the state before it. What
/// is in its blocks, and what of them is measured, is its user's.
package final class StoredChain: StateReader, PageReader {
    package typealias Changes = [(key: StateKey, value: [UInt8]?)]

    package let ledger: Ledger
    package private(set) var time: Time
    package private(set) var head: (height: Height, digest: Digest)
    private let store: ChainStore
    private let folder: URL
    /// What the newest block changed, until the next one's commit writes it.
    private var values: [StateKey: [UInt8]?] = [:]
    private var pages: [[UInt8]: [UInt8]?] = [:]
    private var pending: StateCommit

    /// The key of a name: such a chain is worth nothing.
    package static func key(_ name: String) throws -> PrivateKey {
        guard let key = PrivateKey(seed: Digest(sha256: Array(name.utf8)).bytes) else { throw CryptographyError.invalidKey }
        return key
    }

    /// - Parameters:
    ///   - owner: of the masternode; nil for its own key's account.
    ///   - cachedModuleBytes: of contracts' code that the ledger keeps checked; nil for as many as in a node.
    package init(
        name: String, owner: Account? = nil, allocations: [Genesis.Allocation], cachedModuleBytes: Int? = nil
    ) throws {
        folder = FileManager.default.temporaryDirectory.appending(path: "edgeproof-\(name)-\(UUID().uuidString)")
        let masternode = try Self.key("masternode")
        var parameters = Parameters()
        // The users of it pay for everything with what they have from the genesis, and time does not matter.
        parameters.balancePerCredit = 1
        parameters.epochBlocks = 1 << 40
        parameters.epochMs = 1 << 40
        parameters.blockGas = 1 << 40
        let genesis = try Genesis(
            chainName: name, time: Time(1_000_000), parameters: parameters,
            masternodes: MasternodeSet([
                Masternode(
                    name: "m", consensusKey: masternode.publicKey, owner: owner ?? Account(masternode.publicKey),
                    beaconTip: .zero)
            ]), allocations: allocations)
        if let cachedModuleBytes {
            ledger = Ledger(genesis: genesis, cachedModuleBytes: cachedModuleBytes)
        } else {
            ledger = Ledger(genesis: genesis)
        }
        store = try ChainStore(path: folder.path, genesisHash: genesis.hash)
        head = (.zero, genesis.hash)
        time = genesis.time
        let changes = ledger.genesisState().changes
        pending = try Self.commit(.zero, changes, over: EmptyTree())
        overlay(pending)
    }

    deinit {
        store.close()
        try? FileManager.default.removeItem(at: folder)
    }

    package func value(_ key: StateKey) throws -> [UInt8]? {
        if let value = values[key] { return value }
        return try store.value(key)
    }

    package func page(_ key: NodeKey) throws -> [UInt8]? {
        if let page = pages[key.bytes] { return page }
        return try store.page(key.bytes)
    }

    /// Time goes on to the next block's.
    package func tick(ms: UInt64) { time = time.advanced(by: ms) }

    /// Of the next block, as far as executing it depends on it.
    package func header(transactionsRoot: Digest) -> Header {
        Header(
            height: head.height.next, view: View(head.height.value + 1), epoch: .zero, parent: head.digest, proposer: 0,
            time: time, transactionsRoot: transactionsRoot, stateRoot: .zero, receiptsRoot: .zero, gasUsed: 0,
            reveal: .zero, randomness: Digest(sha256: head.height.borsh), activeSetHash: .zero, nextSetHash: .zero,
            parentCertificateHash: .zero)
    }

    /// Brings the state tree up to date: what is to be written of the state after the block of this height.
    package func commit(
        _ height: Height, _ changes: Changes, receipts: [Receipt] = [],
        history: [(account: Account, entry: HistoryEntry)] = []
    ) throws -> StateCommit {
        try Self.commit(height, changes, over: self, receipts: receipts, history: history)
    }

    package func commit(_ height: Height, _ execution: Execution) throws -> StateCommit {
        try commit(height, execution.delta.changes, receipts: execution.receipts, history: execution.delta.history)
    }

    /// Writes a block with the state before it, as a node does.
    package func write(_ block: Block, ids: [TransactionId], then state: StateCommit) throws {
        let digest = block.header.digest(genesis: ledger.genesisHash)
        try store.commit(
            Commit(
                block: FinalizedBlock(block: block, finalization: nil), digest: digest, transactionIds: ids, state: pending))
        head = (block.header.height, digest)
        pending = state
        overlay(state)
    }

    /// Reads values, and the tree's pages on their paths, so that the store has its tables open, as a node's has that runs for
    /// some time: who is first to read in a table pays for opening it, once.
    package func openTables(_ keys: [StateKey]) throws {
        for key in keys {
            _ = try store.value(key)
            _ = try StateTree.prove(reader: self, path: key.path)
        }
    }

    /// Waits until the store has put in order what came much faster than a chain writes: else its debt is measured. Some
    /// quiet seconds in a row, since it waits for the disk in between.
    package static func settle(seconds: Int) {
        var quiet = 0
        for _ in 0..<seconds where quiet < 5 {
            let before = Steps.processorSeconds
            Thread.sleep(forTimeInterval: 1)
            quiet = Steps.processorSeconds - before < 0.02 ? quiet + 1 : 0
        }
    }

    private static func commit(
        _ height: Height, _ changes: Changes, over state: some PageReader, receipts: [Receipt] = [],
        history: [(account: Account, entry: HistoryEntry)] = []
    ) throws -> StateCommit {
        let paths = changes.map(\.key.path)
        let tree = try StateTree.update(
            reader: state,
            changes: zip(paths, changes).map { (path: $0, valueHash: $1.value.map { StateTree.valueHash($0) }) })
        let added = Set(tree.added)
        return StateCommit(
            height: height, values: changes.map { ($0.key, $0.value) },
            added: zip(paths, changes).filter { added.contains($0.0) }.map(\.1.key),
            pagePuts: tree.puts.map { ($0.0.bytes, $0.1) }, pageRemovals: tree.removals.map(\.bytes), receipts: receipts,
            history: history.map { ($0.account, $0.entry) })
    }

    private func overlay(_ commit: StateCommit) {
        values = Dictionary(commit.values, uniquingKeysWith: { $1 })
        pages = [:]
        for key in commit.pageRemovals { pages.updateValue(nil, forKey: key) }
        for (key, page) in commit.pagePuts { pages.updateValue(page, forKey: key) }
    }
}
