import Cryptography
import Encoding
import Foundation
import Ledger
import Mempool
import Primitives
import Synchronization

/// A chain of records, measured step by step.
package final class PipelineChain {
    // Names of steps.
    package static let execution = "execution (with history and receipts)"
    package static let commitment = "commitment (state tree)"
    package static let storage = "storage (synced, with its compaction)"

    private let chain: StoredChain
    private let keys: [PrivateKey]
    private var sequences: [UInt64]
    private var mempool = Mempool()

    private var ledger: Ledger { chain.ledger }
    package var genesisHash: Digest { ledger.genesisHash }

    /// The keys are functions of their numbers: such a chain is worth nothing.
    package static func key(_ number: Int) throws -> PrivateKey {
        guard let key = PrivateKey(seed: Digest(sha256: UInt64(number).borsh).bytes) else { throw CryptographyError.invalidKey }
        return key
    }

    /// - Parameter senders: accounts with money, those of the first keys.
    package init(senders: Int) throws {
        keys = try (0..<senders).map { try Self.key($0) }
        sequences = Array(repeating: 0, count: keys.count)
        chain = try StoredChain(
            name: "pipeline",
            allocations: (keys + [try StoredChain.key("masternode")]).map {
                .init(account: Account($0.publicKey), balance: 1 << 60)
            })
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
                        validUntil: chain.time.advanced(by: 300_000), gasLimit: 200_000,
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
            let context = try EpochContext(ledger: ledger, state: chain)
            return try transactions.map { transaction -> (Admitted, UInt64) in
                let verdict = try ledger.admit(
                    transaction, state: chain, time: chain.time, parameters: context.parameters, isAuthorized: { _, _ in true })
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
    package func tick() { chain.tick(ms: 100) }

    /// One transaction of a sender for the next block.
    package func transaction(
        _ action: ActionId, service: ServiceId, data: [UInt8], value: UInt128 = 0, by key: PrivateKey, sequence: UInt64
    ) throws -> SignedTransaction {
        try SignedTransaction(
            signing: Transaction(
                sender: Account(key.publicKey), sequence: sequence, validUntil: chain.time.advanced(by: 300_000),
                gasLimit: 1_000_000, value: value, serviceId: service, actionId: action, data: data),
            with: key, genesis: ledger.genesisHash)
    }

    /// Executes a block of these and writes it.
    @discardableResult
    package func append(
        _ chosen: [SignedTransaction], ids chosenIds: [TransactionId], _ steps: inout Steps
    ) throws -> [Receipt] {
        let header = chain.header(transactionsRoot: Block.transactionsRoot(chosen))
        let block = Block(header: header, parentCertificate: .genesis, transactions: chosen)
        let execution = try steps.measure(Self.execution) {
            try ledger.execute(block, state: chain, transactionIds: chosenIds)
        }
        let state = try steps.measure(Self.commitment) { try chain.commit(header.height, execution) }
        try steps.measure(Self.storage) { try chain.write(block, ids: chosenIds, then: state) }
        return execution.receipts
    }

    // MARK: Filling

    private static let together = 20_000
    private static let keysAtOnce = 500_000

    /// Gives the accounts of the first keys what the first one has, without transactions.
    package func fill(_ count: Int, progress: (Int) -> Void) throws {
        guard let record = try chain.value(.account(Account(try Self.key(0).publicKey))) else { throw PipelineError() }
        var made = 0
        while made < count {
            // In the order of their paths, so that what is written together lies together.
            let keys = try Self.accounts(made..<min(count, made + Self.keysAtOnce)).map { account in
                let key = StateKey.account(account)
                return (path: key.path, key: key)
            }.sorted { $0.path < $1.path }
            for start in stride(from: 0, to: keys.count, by: Self.together) {
                let part = keys[start..<min(keys.count, start + Self.together)]
                tick()
                let header = chain.header(transactionsRoot: Block.transactionsRoot([]))
                let state = try chain.commit(header.height, part.map { (key: $0.key, value: record) })
                try chain.write(
                    Block(header: header, parentCertificate: .genesis, transactions: []), ids: [], then: state)
                progress(made + part.endIndex)
            }
            made += keys.count
        }
        StoredChain.settle(seconds: 300)
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
}

package struct PipelineError: Error, CustomStringConvertible {
    package let description = "a transaction was refused"
}
