import Cryptography
import Encoding
import Foundation
import HostileModules
import Ledger
import Primitives
import StateTree
import Storage

/// A chain of one masternode on a real store: every block is executed by the ledger, its tree updated and its state
/// written and synced, and the time of all that is taken.
final class MeasuredChain: StateReader, NodeReader {
    let ledger: Ledger
    let store: ChainStore
    private let folder: URL
    private var values: [StateKey: [UInt8]?] = [:]
    private var nodes: [[UInt8]: [UInt8]?] = [:]
    private var pending: StateCommit
    private var head: (height: Height, digest: Digest)
    private var time: Time
    private var sequences: [Account: UInt64] = [:]
    let user: PrivateKey
    var account: Account { Account(user.publicKey) }

    init() throws {
        folder = FileManager.default.temporaryDirectory.appending(path: "edgeproof-gas-\(UUID().uuidString)")
        guard let user = PrivateKey(seed: Digest(sha256: Array("user".utf8)).bytes),
            let masternode = PrivateKey(seed: Digest(sha256: Array("masternode".utf8)).bytes)
        else { throw CryptographyError.invalidKey }
        self.user = user
        var parameters = Parameters()
        // One user pays for everything here, and time does not matter.
        parameters.balancePerCredit = 1
        parameters.epochBlocks = 1 << 40
        parameters.epochMs = 1 << 40
        parameters.blockGas = 1 << 40
        let genesis = try Genesis(
            chainName: "gas", time: Time(1_000_000), parameters: parameters,
            masternodes: MasternodeSet([
                Masternode(
                    name: "m", consensusKey: masternode.publicKey, owner: Account(user.publicKey), beaconTip: .zero)
            ]),
            allocations: [.init(account: Account(user.publicKey), balance: 1 << 80)])
        // Whoever is called after another one is never in the cache.
        ledger = Ledger(genesis: genesis, cachedModuleBytes: 1)
        store = try ChainStore(path: folder.path, genesisHash: genesis.hash)
        head = (.zero, genesis.hash)
        time = genesis.time
        let delta = ledger.genesisState()
        let tree = try StateTree.update(reader: EmptyTree(), changes: Self.changes(delta.changes))
        pending = Self.commit(.zero, delta.changes, tree, [], [])
        overlay(pending)
    }

    deinit {
        store.close()
        try? FileManager.default.removeItem(at: folder)
    }

    // MARK: State

    func value(_ key: StateKey) throws -> [UInt8]? {
        if let value = values[key] { return value }
        return try store.value(key)
    }

    func node(_ key: NodeKey) throws -> [UInt8]? {
        if let node = nodes[key.bytes] { return node }
        return try store.node(key.bytes)
    }

    private static func changes(_ changes: [(key: StateKey, value: [UInt8]?)]) -> [(path: Digest, valueHash: Digest?)] {
        changes.map { ($0.key.path, $0.value.map { StateTree.valueHash($0) }) }
    }

    private static func commit(
        _ height: Height, _ changes: [(key: StateKey, value: [UInt8]?)], _ tree: TreeUpdate, _ receipts: [Receipt],
        _ history: [(account: Account, entry: HistoryEntry)]
    ) -> StateCommit {
        StateCommit(
            height: height, values: changes.map { ($0.key, $0.value) }, nodePuts: tree.puts.map { ($0.0.bytes, $0.1) },
            nodeRemovals: tree.removals.map(\.bytes), receipts: receipts, history: history.map { ($0.account, $0.entry) })
    }

    private func overlay(_ commit: StateCommit) {
        values = Dictionary(commit.values, uniquingKeysWith: { $1 })
        nodes = [:]
        for key in commit.nodeRemovals { nodes.updateValue(nil, forKey: key) }
        for (key, node) in commit.nodePuts { nodes.updateValue(node, forKey: key) }
    }

    // MARK: Blocks

    private func block(_ transactions: [SignedTransaction]) -> Block {
        time = time.advanced(by: 1_000)
        let header = Header(
            height: head.height.next, view: View(head.height.value + 1), epoch: .zero, parent: head.digest, proposer: 0,
            time: time, transactionsRoot: .zero, stateRoot: .zero, receiptsRoot: .zero, gasUsed: 0, reveal: .zero,
            randomness: Digest(sha256: head.height.borsh), activeSetHash: .zero, nextSetHash: .zero,
            parentCertificateHash: .zero)
        return Block(header: header, parentCertificate: .genesis, transactions: transactions)
    }

    private func append(_ block: Block, _ state: StateCommit) throws {
        let digest = block.header.digest(genesis: ledger.genesisHash)
        try store.commit(
            Commit(
                block: FinalizedBlock(block: block, finalization: nil), digest: digest,
                transactionIds: block.transactions.map { $0.transaction.id(genesis: ledger.genesisHash) }, state: pending))
        head = (block.header.height, digest)
        pending = state
        overlay(state)
    }

    struct Measurement {
        /// By the clock.
        var seconds = 0.0
        /// Of all threads, the store's compaction among them: what else the machine does is not in it.
        var processorSeconds = 0.0
        var gas: UInt64 = 0
        var receipts: [Receipt] = []
        var cost: Cost { Cost(seconds: seconds, processorSeconds: processorSeconds, gas: gas) }
    }

    /// Nanoseconds of a unit of gas.
    struct Cost {
        var clock: Double
        var processor: Double

        init(seconds: Double, processorSeconds: Double, gas: UInt64) {
            clock = gas == 0 ? 0 : seconds * 1e9 / Double(gas)
            processor = gas == 0 ? 0 : processorSeconds * 1e9 / Double(gas)
        }

        static let worst = Cost(seconds: .infinity, processorSeconds: .infinity, gas: 1)
    }

    /// Signatures, execution, tree and synced store of one block of these transactions.
    func measure(_ transactions: [SignedTransaction]) throws -> Measurement {
        let block = block(transactions)
        let clock = ContinuousClock()
        let before = Self.processorSeconds
        var execution: Execution?
        var state: StateCommit?
        let worked = try clock.measure {
            for signed in transactions where !signed.isAuthorized(genesis: ledger.genesisHash) {
                throw GasError("a signature is wrong")
            }
            let done = try ledger.execute(block, state: self)
            let tree = try StateTree.update(reader: self, changes: Self.changes(done.delta.changes))
            state = Self.commit(block.header.height, done.delta.changes, tree, done.receipts, done.delta.history)
            execution = done
        }
        var processor = Self.processorSeconds - before
        guard let execution, let state else { throw GasError("nothing was executed") }
        try append(block, state)
        // The next block's commit writes this one's state.
        let next = self.block([])
        let done = try ledger.execute(next, state: self)
        let tree = try StateTree.update(reader: self, changes: Self.changes(done.delta.changes))
        let after = Self.commit(next.header.height, done.delta.changes, tree, done.receipts, done.delta.history)
        let between = Self.processorSeconds
        let stored = try clock.measure { try append(next, after) }
        processor += Self.processorSeconds - between
        var result = Measurement()
        result.processorSeconds = processor
        result.seconds = Self.seconds(worked) + Self.seconds(stored)
        result.gas = execution.gasUsed
        result.receipts = execution.receipts
        return result
    }

    static func seconds(_ duration: Duration) -> Double {
        Double(duration.components.seconds) + Double(duration.components.attoseconds) * 1e-18
    }

    /// Keys of a contract's storage, as many as a chain has after a while. Nothing has read them when the measurement
    /// begins.
    func fill(_ leaves: Int, of service: ServiceId, progress: (Int) -> Void) throws {
        guard let record = try value(.service(service)) else { throw GasError("there is no service \(service)") }
        let contract = try ServiceRecord(borsh: record).contract
        var made = 0
        while made < leaves {
            let count = min(20_000, leaves - made)
            let changes = (made..<made + count).map { index in
                let name = Digest(sha256: Array("leaf \(index)".utf8)).bytes
                return (key: StateKey.storage(contract, WasmModule.coldKey(index)), value: [UInt8]?(name + name))
            }.sorted { $0.key.path < $1.key.path }
            let tree = try StateTree.update(reader: self, changes: Self.changes(changes))
            let block = block([])
            try append(block, Self.commit(block.header.height, changes, tree, [], []))
            made += count
            progress(made)
        }
        try append(block([]), Self.commit(head.height.next, [], try StateTree.update(reader: self, changes: []), [], []))
        settle()
    }

    /// Waits until the store has put in order what came much faster than a chain writes: else its debt is measured.
    private func settle() {
        for _ in 0..<120 {
            let before = Self.processorSeconds
            Thread.sleep(forTimeInterval: 1)
            if Self.processorSeconds - before < 0.02 { return }
        }
    }

    private static var processorSeconds: Double {
        var used = rusage()
        getrusage(RUSAGE_SELF.rawValue, &used)
        func seconds(_ time: timeval) -> Double { Double(time.tv_sec) + Double(time.tv_usec) / 1e6 }
        return seconds(used.ru_utime) + seconds(used.ru_stime)
    }

    // MARK: Transactions

    func transaction(
        _ action: ActionId, service: ServiceId = .chain, data: [UInt8] = [], value: UInt128 = 0, gas: UInt64 = 40_000_000,
        post: String = "", by sender: PrivateKey? = nil
    ) throws -> SignedTransaction {
        let key = sender ?? user
        let account = Account(key.publicKey)
        let sequence = sequences[account] ?? 0
        sequences[account] = sequence + 1
        let transaction = try Transaction(
            sender: account, sequence: sequence, validUntil: time.advanced(by: 60_000), gasLimit: gas, value: value,
            serviceId: service, postId: PostId(unchecked: Array(post.utf8)), actionId: action, data: data)
        return try SignedTransaction(signing: transaction, with: key, genesis: ledger.genesisHash)
    }

    /// Uploads code and registers a service with it.
    @discardableResult
    func deploy(_ code: [UInt8], as name: String, sponsorship: Sponsorship = .none) throws -> ServiceId {
        let service = ServiceId(unchecked: Array(name.utf8))
        let upload = try measure([try transaction(.uploadContract, data: code)])
        let registration = RegisterService(
            service: service, codeHash: Digest(sha256: code), kind: "bench", validator: nil, sponsorship: sponsorship,
            initData: [])
        let registered = try measure([try transaction(.registerService, data: registration.borsh, value: 1 << 60)])
        for receipt in upload.receipts + registered.receipts {
            guard receipt.outcome == .succeeded else { throw GasError("\(name): \(receipt.outcome)") }
        }
        return service
    }
}

struct GasError: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
}
