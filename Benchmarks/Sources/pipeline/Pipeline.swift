import ArgumentParser
import Cryptography
import Encoding
import Foundation
import Ledger
import Mempool
import Primitives
import StateTree
import Storage

/// Microseconds of processor time that each step takes for one transaction: plain records by many senders, in blocks that
/// are executed by the ledger and written to a synced store, as a node does it, with neither network nor consensus.
@main struct Pipeline: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "pipeline", abstract: "Measures each step of a transaction's way through a node.",
        usage: "scripts/bench-pipeline --blocks 40")

    @Option(help: "Blocks.") var blocks = 30
    @Option(help: "Transactions in a block.") var transactions = 1_000
    @Option(help: "Accounts that send.") var senders = 256
    @Option(help: "Bytes of a transaction's data.") var data = 44

    func validate() throws {
        guard (1...10_000).contains(blocks), (1...10_000).contains(transactions), (1...100_000).contains(senders),
            (0...60_000).contains(data)
        else { throw ValidationError("--blocks, --transactions and --senders are at least 1") }
    }

    func run() throws {
        var steps = Steps()
        let chain = try PipelineChain(senders: senders)
        for _ in 0..<blocks { try chain.block(of: transactions, data: data, &steps) }
        print("\(blocks) blocks of \(transactions) transactions by \(senders) senders; us of processor time a transaction")
        print(steps.text(transactions: blocks * transactions))
    }
}

/// Processor time by step, in the order in which they first came.
struct Steps {
    private var names: [String] = []
    private var seconds: [String: Double] = [:]

    mutating func measure<Result>(_ name: String, _ body: () throws -> Result) rethrows -> Result {
        let start = Self.processorSeconds
        let result = try body()
        if seconds[name] == nil { names.append(name) }
        seconds[name, default: 0] += Self.processorSeconds - start
        return result
    }

    func text(transactions: Int) -> String {
        let width = names.map(\.count).max() ?? 0
        func line(_ name: String, _ seconds: Double) -> String {
            name.padding(toLength: width + 2, withPad: " ", startingAt: 0)
                + String(format: "%8.2f", seconds * 1e6 / Double(transactions))
        }
        return (names.map { line($0, seconds[$0] ?? 0) } + [line("sum", seconds.values.reduce(0, +))]).joined(separator: "\n")
    }

    /// Of this process, with the threads of the store.
    private static var processorSeconds: Double {
        var used = rusage()
        getrusage(RUSAGE_SELF.rawValue, &used)
        func seconds(_ time: timeval) -> Double { Double(time.tv_sec) + Double(time.tv_usec) / 1e6 }
        return seconds(used.ru_utime) + seconds(used.ru_stime)
    }
}

/// A chain of one masternode on a store of its own.
final class PipelineChain: StateReader, NodeReader {
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

    init(senders: Int) throws {
        folder = FileManager.default.temporaryDirectory.appending(path: "edgeproof-pipeline-\(UUID().uuidString)")
        keys = (0..<senders).compactMap { PrivateKey(seed: Digest(sha256: UInt64($0).borsh).bytes) }
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
        let tree = try StateTree.update(reader: EmptyTree(), changes: Self.changes(delta))
        pending = Self.commit(.zero, delta, tree, [])
        overlay(pending)
    }

    deinit {
        store.close()
        try? FileManager.default.removeItem(at: folder)
    }

    func value(_ key: StateKey) throws -> [UInt8]? {
        if let value = values[key] { return value }
        return try store.value(key)
    }

    func node(_ key: NodeKey) throws -> [UInt8]? {
        if let node = nodes[key.bytes] { return node }
        return try store.node(key.bytes)
    }

    private static func changes(_ delta: StateDelta) -> [(path: Digest, valueHash: Digest?)] {
        delta.changes.map { ($0.key.path, $0.value.map { StateTree.valueHash($0) }) }
    }

    private static func commit(_ height: Height, _ delta: StateDelta, _ tree: TreeUpdate, _ receipts: [Receipt]) -> StateCommit {
        StateCommit(
            height: height, values: delta.changes.map { ($0.key, $0.value) }, nodePuts: tree.puts.map { ($0.0.bytes, $0.1) },
            nodeRemovals: tree.removals.map(\.bytes), receipts: receipts, history: delta.history.map { ($0.account, $0.entry) })
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

    func block(of count: Int, data: Int, _ steps: inout Steps) throws {
        time = time.advanced(by: 100)
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
        let header = Header(
            height: head.height.next, view: View(head.height.value + 1), epoch: .zero, parent: head.digest, proposer: 0,
            time: time, transactionsRoot: Block.transactionsRoot(chosen), stateRoot: .zero, receiptsRoot: .zero, gasUsed: 0,
            reveal: .zero, randomness: Digest(sha256: head.height.borsh), activeSetHash: .zero, nextSetHash: .zero,
            parentCertificateHash: .zero)
        let block = Block(header: header, parentCertificate: .genesis, transactions: chosen)
        let chosenIds = chosen.map { $0.id(genesis: genesis) }
        guard Set(chosenIds) == Set(ids) else { throw PipelineError() }
        let execution = try steps.measure("execution (with history and receipts)") {
            try ledger.execute(block, state: self, transactionIds: chosenIds)
        }
        let state = try steps.measure("commitment (state tree)") {
            let tree = try StateTree.update(reader: self, changes: Self.changes(execution.delta))
            return Self.commit(header.height, execution.delta, tree, execution.receipts)
        }
        let digest = header.digest(genesis: genesis)
        try steps.measure("storage (synced, with its compaction)") {
            try store.commit(
                Commit(
                    block: FinalizedBlock(block: block, finalization: nil), digest: digest, transactionIds: chosenIds,
                    state: pending))
        }
        steps.measure("pool") { mempool.include(chosen) }
        head = (header.height, digest)
        pending = state
        overlay(state)
    }
}

struct PipelineError: Error, CustomStringConvertible {
    let description = "a transaction was refused"
}
