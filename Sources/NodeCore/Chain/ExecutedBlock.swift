import Cryptography
import Ledger
import Primitives
import StateTree

/// A block whose effects are known: the state after it, what its child must certify, what the store will hold.
package final class ExecutedBlock {
    package let header: Header
    package let digest: Digest
    package let transactionIds: [TransactionId]
    package let delta: StateDelta
    package let receipts: [Receipt]
    package let receiptsRoot: Digest
    package let gasUsed: UInt64
    /// When the earliest waiting call of the schedule queue is due.
    package let nextDue: Time?
    package let layer: StateLayer
    /// Of the epoch that its child belongs to.
    package let context: EpochContext
    /// Encoded, after this block: read here, since the store may have gone on by the time somebody asks.
    package let supply: [UInt8]?
    private let tree: TreeUpdate
    /// Keys that the state did not have before.
    private let added: [StateKey]

    /// Whether it did more than move the beacon: its root is then worth certifying at once.
    package var changedState: Bool { !receipts.isEmpty }
    package var stateRoot: Digest { layer.root }
    /// Whether it is the last block of its epoch.
    package var isBorder: Bool { context.epoch != header.epoch }

    /// Executes a block that is valid on the state below.
    /// - Parameters:
    ///   - ids: of its transactions, where the check has them already.
    ///   - context: of its epoch, where its parent's execution gave it.
    ///   - pages: of the state tree, that blocks before it have left in memory.
    package convenience init(
        executing block: Block, digest: Digest, transactionIds ids: [TransactionId]? = nil,
        context: EpochContext? = nil, ledger: Ledger, below: StateLayer, store: any StateSource, pages: PageCache? = nil
    ) throws {
        let ids = ids ?? block.transactions.map { $0.id(genesis: ledger.genesisHash) }
        let execution = try ledger.execute(block, state: below, context: context, transactionIds: ids)
        try self.init(
            block, digest: digest, transactionIds: ids, execution: execution, below: below, store: store, pages: pages)
    }

    /// A block whose execution is known already.
    init(
        _ block: Block, digest: Digest, transactionIds ids: [TransactionId], execution: Execution, below: StateLayer,
        store: any StateSource, pages: PageCache?
    ) throws {
        header = block.header
        self.digest = digest
        transactionIds = ids
        delta = execution.delta
        receipts = execution.receipts
        receiptsRoot = execution.receiptsRoot
        gasUsed = execution.gasUsed
        nextDue = execution.nextDue
        self.context = execution.context
        (tree, added) = try delta.change(below, cache: pages.map { ($0, below.root) })
        layer = StateLayer(delta: delta, tree: tree, below: below, store: store)
        supply = try layer.value(.supply)
    }

    /// The genesis block, whose state no transaction made.
    package init(genesis ledger: Ledger, store: any StateSource) throws {
        let empty = StateLayer(stored: StateTree.emptyRoot, store: store)
        delta = ledger.genesisState()
        (tree, added) = try delta.change(empty)
        layer = StateLayer(delta: delta, tree: tree, below: empty, store: store)
        header = GenesisBlock.header(genesis: ledger.genesis, stateRoot: tree.root)
        digest = header.digest(genesis: ledger.genesisHash)
        transactionIds = []
        receipts = []
        receiptsRoot = Receipt.root([])
        gasUsed = 0
        nextDue = nil
        context = try EpochContext(ledger: ledger, state: layer)
        supply = try layer.value(.supply)
    }

    /// What the rules need to know of this block when it is a parent.
    package var facts: ParentFacts {
        ParentFacts(
            digest: digest, height: header.height, view: header.view, epoch: header.epoch, time: header.time,
            randomness: header.randomness, stateRoot: stateRoot, receiptsRoot: receiptsRoot, gasUsed: gasUsed)
    }

    /// Whether the state holds a sign that the key has voted: in an epoch before, or in a block of this one.
    /// - Throws: where the state can't be read: taken for a no, a key that has voted would vote again.
    func hasSeen(_ key: PublicKey) throws -> Bool {
        guard let bytes = try layer.value(.masternode(key)) else { return false }
        let record = try MasternodeRecord(borsh: bytes)
        // Who registers or resumes is noted for the epoch before it takes part; the genesis' masternodes for epoch 0.
        if case .active(let from) = record.status, record.lastSeen >= from, record.lastSeen > .zero { return true }
        guard let place = context.set.index(of: key), let bytes = try layer.value(.epochProgress) else { return false }
        return try EpochProgress(borsh: bytes).hasSeen(place)
    }

    /// The state after this block, as the store takes it together with the next block.
    package var stateCommit: StateCommit {
        StateCommit(
            height: header.height, values: delta.changes.map { ($0.key, $0.value) }, added: added,
            pagePuts: tree.puts.map { ($0.0.bytes, $0.1) }, pageRemovals: tree.removals.map(\.bytes),
            receipts: receipts, history: delta.history.map { ($0.account, $0.entry) })
    }
}

extension StateDelta {
    /// What it changes in the state tree, and which of its keys are new there.
    ///
    /// - Parameter cache: of pages, with the root of the state.
    package func change(
        _ state: some PageReader, cache: (pages: PageCache, root: Digest)? = nil
    ) throws(StateTreeError) -> (tree: TreeUpdate, added: [StateKey]) {
        let paths = changes.map(\.key.path)
        let tree = try StateTree.update(
            reader: state,
            changes: zip(paths, changes).map { (path: $0, valueHash: $1.value.map { StateTree.valueHash($0) }) }, cache: cache)
        guard !tree.added.isEmpty else { return (tree, []) }
        let added = Set(tree.added)
        return (tree, zip(paths, changes).filter { added.contains($0.0) }.map(\.1.key))
    }
}

/// The block that every chain of a genesis starts with. Its header is a function of the genesis alone.
enum GenesisBlock {
    static func header(genesis: Genesis, stateRoot: Digest) -> Header {
        Header(
            height: .zero, view: .zero, epoch: .zero, parent: .zero, proposer: 0, time: genesis.time,
            transactionsRoot: MerkleLog.emptyRoot, stateRoot: stateRoot, receiptsRoot: MerkleLog.emptyRoot, gasUsed: 0,
            reveal: .zero, randomness: genesis.initialRandomness, activeSetHash: genesis.masternodes.hash,
            nextSetHash: genesis.masternodes.hash, parentCertificateHash: ParentCertificate.genesis.hash)
    }
}
