import Cryptography
import Dispatch
import Ledger
import NodeCore
import NodeHome
import Primitives
import StateTree
import Storage
import Synchronization

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

    /// - Parameters:
    ///   - threads: how many work at once: one executes, the others read and check signatures ahead of it. What is found
    ///     does not depend on it.
    ///   - progress: called now and then with the height that was checked and the last one.
    public func run(threads: Int = 1, progress: (Height, Height) -> Void = { _, _ in }) throws -> Result {
        defer { store.close() }
        if try store.base() > Height(1) { return try runFromSnapshot(progress: progress) }
        let ledger = Ledger(genesis: genesis)
        let memory = MemoryState()
        var parent = try ExecutedBlock(genesis: ledger, store: memory)
        var transactions: UInt64 = 0
        let last = try store.head()?.height ?? .zero
        let blocks = BlocksAhead(store: store, genesis: genesis.hash, through: last, threads: threads)
        while parent.header.height < last {
            let height = parent.header.height.next
            func fail(_ reason: String) -> Failure { Failure(height: height, reason: reason) }
            guard let next = try blocks.next() else { throw fail("it is missing") }
            let finalized = next.block
            let block = finalized.block
            let digest = block.header.digest(genesis: genesis.hash)
            if case .invalid(let error) = try ledger.checkBody(
                block, parent: parent.facts, state: parent.layer, context: parent.context,
                firstUnauthorized: { _, _ in next.firstUnauthorized })
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
        let stored = StateLayer(stored: parent.header.stateRoot, store: store)
        if last > .zero {
            let root = try StateTree.root(reader: stored)
            guard root == parent.header.stateRoot else {
                throw Failure(height: last, reason: "the stored state has root \(root), the header \(parent.header.stateRoot)")
            }
        }
        return Result(
            height: parent.header.height, digest: parent.digest, time: parent.header.time,
            stateRoot: parent.header.stateRoot, transactions: transactions)
    }
}

/// The store's blocks in their order, read and with their signatures checked on other threads while the caller is busy with
/// those before.
private final class BlocksAhead {
    struct Checked: Sendable {
        let block: FinalizedBlock
        /// Place of the first transaction whose signature is wrong.
        let firstUnauthorized: Int?
    }

    private typealias Window = [Result<Checked?, any Error>]

    private static let window = 16
    /// Signatures that are checked together, and bytes of their transactions, since claims are copies.
    private static let batch = 2_048
    private static let batchBytes = 16_000_000

    private let store: ChainStore
    private let genesis: Digest
    private let last: UInt64
    private let threads: Int
    private var height: UInt64 = 1
    private var ready: ArraySlice<Result<Checked?, any Error>> = []
    private var ahead: (group: DispatchGroup, result: Found)?

    private final class Found: Sendable {
        let window = Mutex<Window>([])
    }

    init(store: ChainStore, genesis: Digest, through last: Height, threads: Int) {
        self.store = store
        self.genesis = genesis
        self.last = last.value
        self.threads = max(1, threads)
    }

    /// Nil where the store lacks the next block.
    func next() throws -> Checked? {
        if ready.isEmpty { ready = takeWindow()[...] }
        return try ready.popFirst()?.get()
    }

    private func takeWindow() -> Window {
        guard threads > 1 else { return Self.check(nextHeights(), store, genesis, threads: 1) }
        if ahead == nil { startWindow() }
        ahead?.group.wait()
        let window = ahead?.result.window.withLock { $0 } ?? []
        startWindow()
        return window
    }

    private func startWindow() {
        let heights = nextHeights()
        let result = Found()
        let group = DispatchGroup()
        DispatchQueue.global(qos: .userInitiated).async(group: group) { [store, genesis, threads] in
            let window = Self.check(heights, store, genesis, threads: threads - 1)
            result.window.withLock { $0 = window }
        }
        ahead = (group, result)
    }

    private func nextHeights() -> [UInt64] {
        let end = min(last, height + UInt64(Self.window) - 1)
        defer { height = max(height, end + 1) }
        return height <= end ? Array(height...end) : []
    }

    private static func check(_ heights: [UInt64], _ store: ChainStore, _ genesis: Digest, threads: Int) -> Window {
        let lanes = min(threads, heights.count)
        let found = Mutex<[Int: Window]>([:])
        DispatchQueue.concurrentPerform(iterations: lanes) { lane in
            // Neighbours, since they are checked together.
            let part = heights[lane * heights.count / lanes..<(lane + 1) * heights.count / lanes]
            let window = check(part, store, genesis)
            found.withLock { $0[lane] = window }
        }
        return found.withLock { found in (0..<lanes).flatMap { found[$0] ?? [] } }
    }

    /// The signatures of several blocks as one batch, so far as a batch gains by that.
    private static func check(_ heights: ArraySlice<UInt64>, _ store: ChainStore, _ genesis: Digest) -> Window {
        var window: Window = []
        var waiting: [FinalizedBlock] = []
        var claims: [SignatureClaim] = []
        var bytes = 0
        func checkWaiting() {
            let answers = SignatureBatch.check(claims)
            var first = 0
            for block in waiting {
                let end = first + block.block.transactions.count
                let wrong = answers[first..<end].firstIndex(of: false)
                window.append(.success(Checked(block: block, firstUnauthorized: wrong.map { $0 - first })))
                first = end
            }
            (waiting, claims, bytes) = ([], [], 0)
        }
        for height in heights {
            let block: FinalizedBlock?
            do { block = try store.block(at: Height(height)) } catch {
                checkWaiting()
                window.append(.failure(error))
                continue
            }
            guard let block else {
                checkWaiting()
                window.append(.success(nil))
                continue
            }
            for transaction in block.block.transactions {
                claims.append(transaction.claim(genesis: genesis))
                bytes += transaction.byteCount
                // Computed once, and here, where it does not hold up the execution.
                _ = (transaction.id(genesis: genesis), transaction.leafHash)
            }
            waiting.append(block)
            if claims.count >= Self.batch || bytes >= Self.batchBytes { checkWaiting() }
        }
        checkWaiting()
        return window
    }
}

/// A state in memory: what re-execution builds on.
final class MemoryState: StateSource {
    private var values: [StateKey: [UInt8]] = [:]
    private var pages: [[UInt8]: [UInt8]] = [:]

    func value(_ key: StateKey) throws -> [UInt8]? { values[key] }
    func page(_ key: [UInt8]) throws -> [UInt8]? { pages[key] }

    func apply(_ block: ExecutedBlock) {
        let commit = block.stateCommit
        for (key, value) in commit.values { values[key] = value }
        for key in commit.pageRemovals { pages[key] = nil }
        for (key, page) in commit.pagePuts { pages[key] = page }
    }
}
