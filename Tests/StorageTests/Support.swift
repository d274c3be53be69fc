import Cryptography
import Encoding
import Foundation
import Primitives
import StateTree
import Storage

/// A folder that is gone when the test is over.
final class TemporaryFolder: Sendable {
    let path: String

    init() throws {
        path = FileManager.default.temporaryDirectory.appendingPathComponent("edgeproof-\(UUID().uuidString)").path
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    func file(_ name: String) -> String { path + "/" + name }
}

func contents(_ path: String) throws -> [UInt8] { Array(try Data(contentsOf: URL(fileURLWithPath: path))) }

func put(_ bytes: [UInt8], at path: String) throws { try Data(bytes).write(to: URL(fileURLWithPath: path)) }

/// SplitMix64.
struct SeededGenerator: RandomNumberGenerator {
    var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var z = state
        z = (z ^ z >> 30) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ z >> 27) &* 0x94d0_49bb_1331_11eb
        return z ^ z >> 31
    }

    mutating func bytes(_ count: Int) -> [UInt8] { (0..<count).map { _ in UInt8.random(in: 0...255, using: &self) } }
    mutating func digest() -> Digest { Digest(bytes(32)) ?? .zero }
}

/// Pages of a state tree in memory.
struct StoredTree: PageReader {
    private(set) var pages: [[UInt8]: [UInt8]] = [:]

    func page(_ key: NodeKey) -> [UInt8]? { pages[key.bytes] }

    mutating func apply(_ update: TreeUpdate) {
        for key in update.removals { pages[key.bytes] = nil }
        for (key, page) in update.puts { pages[key.bytes] = page }
    }
}

/// A chain of random commits, and what a store that holds them must answer.
struct SampleChain {
    let genesis = Digest(sha256: Array("sample".utf8))
    private(set) var commits: [Commit] = []
    let accounts: [Account]

    init(blocks: Int, seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        accounts = (0..<3).map { _ in Account(random.bytes(32)) ?? .zero }
        var parent = genesis
        var live: [StateKey] = []
        var tree = StoredTree()
        var historySizes = [Account: UInt64]()
        let signature = try PrivateKey.generate().sign(message: [])
        for height in 1...UInt64(blocks) {
            var values: [(StateKey, [UInt8]?)] = [
                (.chain("counter"), height.borsh), (.scheduleSlot(height), random.bytes(300)),
            ]
            // Enough for a tree of several pages.
            if height == 1 { values += (0..<60).map { (StateKey(Array("xheld\($0)".utf8)), random.bytes(20)) } }
            if height > 3, let removed = live.first {
                values.append((removed, nil))
                live.removeFirst()
            }
            live.append(.scheduleSlot(height))
            let update = try StateTree.update(
                reader: tree, changes: values.map { ($0.0.path, $0.1.map { StateTree.valueHash($0) }) })
            tree.apply(update)
            let header = Header(
                height: Height(height), view: View(height), epoch: .zero, parent: parent, proposer: 0,
                time: Time(height), transactionsRoot: .zero, stateRoot: update.root, receiptsRoot: .zero,
                gasUsed: 0, reveal: random.digest(), randomness: random.digest(), activeSetHash: .zero,
                nextSetHash: .zero, parentCertificateHash: .zero)
            let transactions = try (0..<Int.random(in: 0...2, using: &random)).map { _ in
                SignedTransaction(
                    transaction: try Transaction(
                        sender: accounts[0], sequence: random.next(), validUntil: Time(1), gasLimit: 1,
                        serviceId: .chain, actionId: ActionId(16), data: random.bytes(200)),
                    authorization: .ed25519(signature))
            }
            let block = Block(header: header, parentCertificate: .genesis, transactions: transactions)
            let digest = header.digest(genesis: genesis)
            let account = accounts[Int.random(in: 0..<3, using: &random)]
            let index = historySizes[account, default: 0]
            historySizes[account] = index + 1
            let entry = HistoryEntry(
                index: index, height: Height(height - 1), time: Time(height),
                content: .finding(
                    Finding(service: .chain, role: .edge, kind: .accepted, weight: random.next(), note: "")))
            let receipt = Receipt(
                // That of a border is the smallest that there is.
                origin: height % 4 == 0 ? .border(Epoch(height)) : .scheduled(contract: account, number: height), outcome: .succeeded, gasUsed: height, events: [],
                returned: random.digest())
            commits.append(
                Commit(
                    block: FinalizedBlock(block: block, finalization: nil), digest: digest,
                    transactionIds: transactions.map { $0.transaction.id(genesis: genesis) },
                    state: StateCommit(
                        height: Height(height - 1), values: values,
                        // In one of three nobody knows.
                        added: height % 3 == 0 ? nil : values.map(\.0).filter { update.added.contains($0.path) },
                        pagePuts: [(Array("page\(height)".utf8), random.bytes(100))]
                            + update.puts.map { ($0.0.bytes, $0.1) },
                        pageRemovals: (height > 5 ? [Array("page\(height - 5)".utf8)] : [])
                            + update.removals.map(\.bytes), receipts: [receipt],
                        history: [(account, entry)])))
            parent = digest
        }
    }

    /// The first way in which the store is not exactly the first `count` commits; nil if it is.
    func difference(from store: some ChainReading, count: Int) throws(StorageError) -> String? {
        var values: [StateKey: [UInt8]] = [:]
        var pages: [[UInt8]: [UInt8]?] = [:]
        var histories: [Account: [HistoryEntry]] = [:]
        for commit in commits.prefix(count) {
            let height = commit.block.block.header.height
            guard try store.block(at: height) == commit.block else { return "block \(height)" }
            guard try store.encodedBlock(at: height) == commit.block.borsh else { return "bytes of block \(height)" }
            guard try store.height(of: commit.digest) == height else { return "height of \(commit.digest)" }
            for (index, id) in commit.transactionIds.enumerated() {
                let expected = TransactionLocation(height: height, index: UInt32(index))
                guard try store.transactionLocation(id) == expected else { return "place of \(id)" }
            }
            guard let state = commit.state else { continue }
            guard try store.receipts(at: state.height) == state.receipts else { return "receipts at \(state.height)" }
            for (key, value) in state.values { values[key] = value }
            for key in state.pageRemovals { pages[key] = .some(nil) }
            for (key, value) in state.pagePuts { pages[key] = value }
            for (account, entry) in state.history { histories[account, default: []].append(entry) }
        }
        let last = commits.prefix(count).last
        guard try store.head()?.digest == last?.digest else { return "head" }
        guard try store.stateHeight() == last?.state?.height else { return "state height" }
        let stored = try store.scanState(prefix: [], limit: .max)
        guard stored.map(\.key) == values.keys.sorted() else { return "state keys" }
        for (key, value) in stored where values[key] != value { return "value \(key)" }
        let byPath = values.keys.sorted { $0.path < $1.path }
        guard try store.keys(from: .zero, limit: .max).map(\.key) == byPath else { return "keys by their paths" }
        if let middle = byPath.dropFirst(byPath.count / 2).first {
            let rest = try store.keys(from: middle.path, limit: 3)
            guard rest.map(\.key) == Array(byPath.dropFirst(byPath.count / 2).prefix(3)) else { return "keys from a path on" }
        }
        for (key, value) in values where try store.value(key) != value { return "value \(key)" }
        for (key, page) in pages where try store.page(key) != page { return "page \(key)" }
        for account in accounts where try store.history(account, limit: .max) != histories[account, default: []] {
            return "history of \(account)"
        }
        for commit in commits.dropFirst(count) where try store.height(of: commit.digest) != nil { return "a later block" }
        return nil
    }
}
