import Cryptography
import Ledger
import NodeCore
import NodeHome
import Primitives
import StateTree
import Storage

/// Re-executes a whole store from the genesis and checks everything that it holds on the way.
public struct ChainVerifier: Sendable {
    public struct Result: Sendable {
        public let height: Height
        public let digest: Digest
        public let time: Time
        /// Certified by the header of `height`.
        public let stateRoot: Digest
        public let transactions: UInt64
        /// The lowest block that the store holds: above 1, nothing was executed again (see ``unchecked``).
        public var base = Height(1)
        /// What a store that was made from a snapshot can't show by itself; nil for a full one.
        public var unchecked: String?
    }

    public struct Failure: Error, CustomStringConvertible {
        public let height: Height
        public let reason: String
        public var description: String { "block \(height): \(reason)" }
    }

    let genesis: Genesis
    let store: ChainStore

    public init(home: NodeHome) throws {
        genesis = try home.genesis()
        store = try ChainStore(path: home.databaseFolder.path, genesisHash: genesis.hash)
    }

    /// - Parameter progress: called now and then with the height that was checked and the last one.
    public func run(progress: (Height, Height) -> Void = { _, _ in }) throws -> Result {
        defer { store.close() }
        if try store.base() > Height(1) { return try runFromSnapshot(progress: progress) }
        let ledger = Ledger(genesis: genesis)
        let memory = MemoryState()
        var parent = try ExecutedBlock(genesis: ledger, store: memory)
        var transactions: UInt64 = 0
        let last = try store.head()?.height ?? .zero
        while parent.header.height < last {
            let height = parent.header.height.next
            func fail(_ reason: String) -> Failure { Failure(height: height, reason: reason) }
            guard let finalized = try store.block(at: height) else { throw fail("it is missing") }
            let block = finalized.block
            let digest = block.header.digest(genesis: genesis.hash)
            if case .invalid(let error) = try ledger.checkBody(
                block, parent: parent.facts, state: parent.layer, context: parent.context)
            {
                throw fail(error.description)
            }
            if let finalization = finalized.finalization {
                guard finalization.subject.digest == digest else { throw fail("its Finalization is about another block") }
                do { try finalization.verify(by: parent.context.set, genesis: genesis.hash) } catch {
                    throw fail("\(error)")
                }
            } else if height == last {
                throw fail("the head has no Finalization")
            }
            // The store keeps receipts with the state, one block behind.
            if height > Height(1), let stored = try store.receipts(at: parent.header.height), stored != parent.receipts {
                throw fail("the stored receipts of its parent differ from those of the execution")
            }
            memory.apply(parent)
            parent.layer.sink()
            parent = try ExecutedBlock(
                executing: block, digest: digest, context: parent.context, ledger: ledger, below: parent.layer,
                store: memory)
            transactions += UInt64(block.transactions.count)
            if height.value % 100 == 0 || height == last { progress(height, last) }
        }
        let reader = StateLayer(stored: parent.header.stateRoot, store: store)
        if last > .zero {
            let root = try StateTree.root(reader: reader)
            guard root == parent.header.stateRoot else {
                throw Failure(height: last, reason: "the stored state has root \(root), the header \(parent.header.stateRoot)")
            }
        }
        return Result(
            height: parent.header.height, digest: parent.digest, time: parent.header.time,
            stateRoot: parent.header.stateRoot, transactions: transactions)
    }
}

/// A state in memory: what re-execution builds on.
final class MemoryState: StateSource {
    private var values: [StateKey: [UInt8]] = [:]
    private var nodes: [[UInt8]: [UInt8]] = [:]

    func value(_ key: StateKey) throws -> [UInt8]? { values[key] }
    func node(_ key: [UInt8]) throws -> [UInt8]? { nodes[key] }

    func apply(_ block: ExecutedBlock) {
        let commit = block.stateCommit
        for (key, value) in commit.values { values[key] = value }
        for key in commit.nodeRemovals { nodes[key] = nil }
        for (key, node) in commit.nodePuts { nodes[key] = node }
    }
}
