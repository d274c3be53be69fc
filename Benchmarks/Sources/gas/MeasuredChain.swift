import ChainBench
import Cryptography
import Encoding
import Foundation
import HostileModules
import Ledger
import Primitives

/// A chain on a real store: every block is executed by the ledger, its tree updated and its state written and synced, and
/// the time of all that is taken.
final class MeasuredChain {
    private let chain: StoredChain
    private var sequences: [Account: UInt64] = [:]
    let user: PrivateKey
    var account: Account { Account(user.publicKey) }
    var ledger: Ledger { chain.ledger }

    init() throws {
        user = try StoredChain.key("user")
        let account = Account(user.publicKey)
        // One user pays for everything here. Whoever is called after another one is never in the cache.
        chain = try StoredChain(
            name: "gas", owner: account, allocations: [.init(account: account, balance: 1 << 80)], cachedModuleBytes: 1)
    }

    // MARK: Blocks

    private func block(_ transactions: [SignedTransaction]) -> Block {
        chain.tick(ms: 1_000)
        return Block(header: chain.header(transactionsRoot: .zero), parentCertificate: .genesis, transactions: transactions)
    }

    private func append(_ block: Block, _ state: StateCommit) throws {
        try chain.write(
            block, ids: block.transactions.map { $0.transaction.id(genesis: ledger.genesisHash) }, then: state)
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
        let before = Steps.processorSeconds
        var execution: Execution?
        var state: StateCommit?
        let worked = try clock.measure {
            for signed in transactions where !signed.isAuthorized(genesis: ledger.genesisHash) {
                throw GasError("a signature is wrong")
            }
            let done = try ledger.execute(block, state: chain)
            state = try chain.commit(block.header.height, done)
            execution = done
        }
        var processor = Steps.processorSeconds - before
        guard let execution, let state else { throw GasError("nothing was executed") }
        try append(block, state)
        // The next block's commit writes this one's state.
        let next = self.block([])
        let after = try chain.commit(next.header.height, try ledger.execute(next, state: chain))
        let between = Steps.processorSeconds
        let stored = try clock.measure { try append(next, after) }
        processor += Steps.processorSeconds - between
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

    /// Keys of a contract's storage, as many as a chain has after a while. When the measurement begins nothing has read them,
    /// but for one of many, so that the store's tables are open.
    func fill(_ leaves: Int, of service: ServiceId, progress: (Int) -> Void) throws {
        guard let record = try chain.value(.service(service)) else { throw GasError("there is no service \(service)") }
        let contract = try ServiceRecord(borsh: record).contract
        // In the order of their paths: whatever the order, the tree is the same, and so the store has far less to put in order.
        let order = (0..<leaves).map { index in
            (path: StateKey.storage(contract, WasmModule.coldKey(index)).path, index: index)
        }.sorted { $0.path < $1.path }
        for start in stride(from: 0, to: leaves, by: 20_000) {
            let part = order[start..<min(start + 20_000, leaves)]
            let changes = part.map { one in
                let name = Digest(sha256: Array("leaf \(one.index)".utf8)).bytes
                return (key: StateKey.storage(contract, WasmModule.coldKey(one.index)), value: [UInt8]?(name + name))
            }
            let block = block([])
            try append(block, try chain.commit(block.header.height, changes))
            progress(part.endIndex)
        }
        try append(block([]), try chain.commit(chain.head.height.next, []))
        StoredChain.settle(seconds: 600)
        try chain.openTables(
            stride(from: 0, to: leaves, by: max(64, leaves / 16_384)).map { .storage(contract, WasmModule.coldKey($0)) })
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
            sender: account, sequence: sequence, validUntil: chain.time.advanced(by: 60_000), gasLimit: gas, value: value,
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
