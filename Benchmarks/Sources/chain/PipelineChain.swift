import Cryptography
import Encoding
import Foundation
import Ledger
import Mempool
import Primitives
import StateTree
import Storage
import Synchronization

/// A chain of one masternode on a store of its own.
package final class PipelineChain: StateReader, NodeReader {
    // Names of steps.
    package static let execution = "execution (with history and receipts)"
    package static let commitment = "commitment (state tree)"
    package static let storage = "storage (synced, with its compaction)"

    private let ledger: Ledger
    private let store: ChainStore
    private let folder: URL
    private let keys: [PrivateKey]
    private var sequences: [UInt64]
    private var values: [StateKey: [UInt8]?] = [:]
    private var nodes: [[UInt8]: [UInt8]?] = [:]
    private var pending: StateCommit
    private var head: (height: Height, digest: Digest)
    private var time: Time
    private var mempool = Mempool()

    package var genesisHash: Digest { ledger.genesisHash }

    /// The keys are functions of their numbers: such a chain is worth nothing.
    package static func key(_ number: Int) throws -> PrivateKey {
        guard let key = PrivateKey(seed: Digest(sha256: UInt64(number).borsh).bytes) else { throw CryptographyError.invalidKey }
        return key
    }

    /// - Parameter senders: accounts with money, those of the first keys.
    package init(senders: Int) throws {
        folder = FileManager.default.temporaryDirectory.appending(path: "edgeproof-pipeline-\(UUID().uuidString)")
        keys = try (0..<senders).map { try Self.key($0) }
        sequences = Array(repeating: 0, count: keys.count)
        guard let masternode = PrivateKey(seed: Digest(sha256: Array("masternode".utf8)).bytes) else {
            throw CryptographyError.invalidKey
        }
        var parameters = Parameters()
        parameters.balancePerCredit = 1
        parameters.epochBlocks = 1 << 40
        parameters.epochMs = 1 << 40
        parameters.blockGas = 1 << 40
        let genesis = try Genesis(
            chainName: "pipeline", time: Time(1_000_000), parameters: parameters,
            masternodes: MasternodeSet([
                Masternode(
                    name: "m", consensusKey: masternode.publicKey, owner: Account(masternode.publicKey), beaconTip: .zero)
            ]),
            allocations: (keys + [masternode]).map { .init(account: Account($0.publicKey), balance: 1 << 60) })
        ledger = Ledger(genesis: genesis)
        store = try ChainStore(path: folder.path, genesisHash: genesis.hash)
        head = (.zero, genesis.hash)
        time = genesis.time
        let delta = ledger.genesisState()
        let tree = try StateTree.update(reader: EmptyTree(), changes: Self.changes(delta.changes))
        pending = Self.commit(.zero, delta.changes, tree)
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

    package func node(_ key: NodeKey) throws -> [UInt8]? {
        if let node = nodes[key.bytes] { return node }
        return try store.node(key.bytes)
    }

    private typealias Changes = [(key: StateKey, value: [UInt8]?)]

    private static func changes(_ changes: Changes) -> [(path: Digest, valueHash: Digest?)] {
        changes.map { ($0.key.path, $0.value.map { StateTree.valueHash($0) }) }
    }

    private static func commit(
        _ height: Height, _ changes: Changes, _ tree: TreeUpdate, receipts: [Receipt] = [],
        history: [(account: Account, entry: HistoryEntry)] = []
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

    /// What a client sends.
    private func list(of count: Int, data: Int) throws -> [UInt8] {
        let bytes = [UInt8](repeating: 7, count: data)
        var encoder = BorshEncoder()
        encoder.array(
            try (0..<count).map { index in
                let sender = index % keys.count
                defer { sequences[sender] += 1 }
                return try SignedTransaction(
                    signing: Transaction(
                        sender: Account(keys[sender].publicKey), sequence: sequences[sender],
                        validUntil: time.advanced(by: 300_000), gasLimit: 200_000,
                        serviceId: ServiceId(unchecked: Array("load".utf8)), actionId: .applicationTask, data: bytes),
                    with: keys[sender], genesis: ledger.genesisHash)
            })
        return encoder.bytes
    }

    /// A block of records, from the bytes that a client sends to what is on the disk.
    package func block(of count: Int, data: Int, _ steps: inout Steps) throws {
        tick()
        let bytes = try list(of: count, data: data)
        let genesis = ledger.genesisHash
        let transactions: [SignedTransaction] = try steps.measure("decode") {
            var decoder = BorshDecoder(bytes)
            return try decoder.array(limit: count, smallestElement: 152)
        }
        let ids = steps.measure("hash (identifier and leaf)") {
            transactions.map { transaction in
                _ = transaction.leafHash
                return transaction.id(genesis: genesis)
            }
        }
        try steps.measure("signature (batches of 256)") {
            for start in stride(from: 0, to: count, by: 256) {
                let claims = transactions[start..<min(count, start + 256)].map { $0.claim(genesis: genesis) }
                guard !SignatureBatch.check(claims).contains(false) else { throw PipelineError() }
            }
        }
        let admitted = try steps.measure("admission") {
            let context = try EpochContext(ledger: ledger, state: self)
            return try transactions.map { transaction -> (Admitted, UInt64) in
                let verdict = try ledger.admit(
                    transaction, state: self, time: time, parameters: context.parameters, isAuthorized: { _, _ in true })
                guard case .admitted(let facts) = verdict else { throw PipelineError() }
                return (
                    Admitted(
                        id: facts.id, signed: transaction, byteCount: facts.byteCount, reservedCredits: facts.reservedCredits,
                        payer: facts.payer, weight: facts.payerCapacity), facts.nextSequence
                )
            }
        }
        let chosen = try steps.measure("pool") {
            for (one, next) in admitted { _ = try mempool.insert(one, nextSequence: next) }
            return mempool.candidates(maxBytes: 8_000_000, maxCount: count).map(\.signed)
        }
        guard chosen.count == count else { throw PipelineError() }
        _ = try steps.measure("relay (encode, decode elsewhere)") {
            var encoder = BorshEncoder(reserving: bytes.count)
            encoder.array(chosen)
            var decoder = BorshDecoder(encoder.bytes)
            let _: [SignedTransaction] = try decoder.array(limit: count, smallestElement: 152)
        }
        let chosenIds = chosen.map { $0.id(genesis: genesis) }
        guard Set(chosenIds) == Set(ids) else { throw PipelineError() }
        try append(chosen, ids: chosenIds, &steps)
        steps.measure("pool") { mempool.include(chosen) }
    }

    /// Time goes on to the next block's.
    package func tick() { time = time.advanced(by: 100) }

    /// One transaction of a sender for the next block.
    package func transaction(
        _ action: ActionId, service: ServiceId, data: [UInt8], value: UInt128 = 0, by key: PrivateKey, sequence: UInt64
    ) throws -> SignedTransaction {
        try SignedTransaction(
            signing: Transaction(
                sender: Account(key.publicKey), sequence: sequence, validUntil: time.advanced(by: 300_000),
                gasLimit: 1_000_000, value: value, serviceId: service, actionId: action, data: data),
            with: key, genesis: ledger.genesisHash)
    }

    private func header(_ transactions: [SignedTransaction]) -> Header {
        Header(
            height: head.height.next, view: View(head.height.value + 1), epoch: .zero, parent: head.digest, proposer: 0,
            time: time, transactionsRoot: Block.transactionsRoot(transactions), stateRoot: .zero, receiptsRoot: .zero,
            gasUsed: 0, reveal: .zero, randomness: Digest(sha256: head.height.borsh), activeSetHash: .zero,
            nextSetHash: .zero, parentCertificateHash: .zero)
    }

    /// Executes a block of these and writes it.
    @discardableResult
    package func append(
        _ chosen: [SignedTransaction], ids chosenIds: [TransactionId], _ steps: inout Steps
    ) throws -> [Receipt] {
        let header = header(chosen)
        let block = Block(header: header, parentCertificate: .genesis, transactions: chosen)
        let execution = try steps.measure(Self.execution) {
            try ledger.execute(block, state: self, transactionIds: chosenIds)
        }
        let state = try steps.measure(Self.commitment) {
            let tree = try StateTree.update(reader: self, changes: Self.changes(execution.delta.changes))
            return Self.commit(
                header.height, execution.delta.changes, tree, receipts: execution.receipts, history: execution.delta.history)
        }
        try steps.measure(Self.storage) { try write(block, ids: chosenIds, then: state) }
        return execution.receipts
    }

    /// Writes a block with the state before it, as a node does.
    private func write(_ block: Block, ids: [TransactionId], then state: StateCommit) throws {
        let digest = block.header.digest(genesis: ledger.genesisHash)
        try store.commit(
            Commit(
                block: FinalizedBlock(block: block, finalization: nil), digest: digest, transactionIds: ids, state: pending))
        head = (block.header.height, digest)
        pending = state
        overlay(state)
    }

    // MARK: Filling

    private static let together = 20_000
    private static let keysAtOnce = 500_000

    /// Gives the accounts of the first keys what the first one has, without transactions.
    package func fill(_ count: Int, progress: (Int) -> Void) throws {
        guard let record = try value(.account(Account(try Self.key(0).publicKey))) else { throw PipelineError() }
        var made = 0
        while made < count {
            // In the order of their paths, so that what is written together lies together.
            let keys = try Self.accounts(made..<min(count, made + Self.keysAtOnce)).map { account in
                let key = StateKey.account(account)
                return (path: key.path, key: key)
            }.sorted { $0.path < $1.path }
            for start in stride(from: 0, to: keys.count, by: Self.together) {
                let part = keys[start..<min(keys.count, start + Self.together)]
                let changes: Changes = part.map { (key: $0.key, value: record) }
                let tree = try StateTree.update(reader: self, changes: Self.changes(changes))
                tick()
                let block = Block(header: header([]), parentCertificate: .genesis, transactions: [])
                try write(block, ids: [], then: Self.commit(block.header.height, changes, tree))
                progress(made + part.endIndex)
            }
            made += keys.count
        }
        settle()
    }

    private static func accounts(_ numbers: Range<Int>) throws -> [Account] {
        let lanes = max(1, ProcessInfo.processInfo.activeProcessorCount)
        let found = Mutex<[Int: Result<[Account], any Error>]>([:])
        DispatchQueue.concurrentPerform(iterations: lanes) { lane in
            let (first, count) = (numbers.lowerBound, numbers.count)
            let part = Result { () throws -> [Account] in
                try (first + lane * count / lanes..<first + (lane + 1) * count / lanes).map { Account(try key($0).publicKey) }
            }
            found.withLock { $0[lane] = part }
        }
        return try found.withLock { $0 }.sorted { $0.key < $1.key }.flatMap { try $0.value.get() }
    }

    /// Waits until the store has put in order what came much faster than a chain writes: else its debt is measured.
    private func settle() {
        for _ in 0..<300 {
            let before = Steps.processorSeconds
            Thread.sleep(forTimeInterval: 1)
            if Steps.processorSeconds - before < 0.02 { return }
        }
    }
}

package struct PipelineError: Error, CustomStringConvertible {
    package let description = "a transaction was refused"
}
