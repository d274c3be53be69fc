import Cryptography
import Encoding
import JobProtocol
import NodeAPI
import Primitives
import Synchronization

/// A node in memory: takes transactions by the rules that clients meet (signature, sequence, window), makes blocks of
/// them, and answers the job contract's queries. Nothing of it agrees with anybody.
final class FakeNode: NodeBackend {
    let genesis: Genesis
    let genesisHash: Digest
    let name: String
    static let alice = key(1)
    static let bob = key(2)
    static let job = ServiceId("digits")!
    static let start = Time(1_750_000_000_000)

    struct State {
        var blocks: [StoredBlock] = []
        var receipts: [[Receipt]] = []
        var accounts: [Account: AccountRecord] = [:]
        var histories: [Account: [HistoryEntry]] = [:]
        var pool: [SignedTransaction] = []
        var services: [ServiceView] = []
        var jobStatus: JobStatus
        var jobRounds: [JobRound] = []
        var codes: Set<Digest> = []
        /// Masternodes beside the genesis' own, and their members' records by place.
        var records: [MasternodeRecord] = []
        var proposals: [ProposalRecord] = []
        var parameters: Parameters?
        var watchers: [AsyncStream<Height>.Continuation] = []
        /// Of blocks.
        var reads = 0
        /// Whether none can be read.
        var isDamaged = false
        /// How long one takes.
        var readTime: Duration?
        /// Reads under way of blocks at least 128 below the newest, now and at most.
        var readingOld = 0
        var mostReadingOld = 0
        /// Of an audit file, and how many of all were asked for.
        var auditPieces = 3
        var auditPiecesMade = 0
        var auditFailsAt: Int?
        /// Since the newest block.
        var silenceMs: UInt64 = 1_200
        /// Events that the next block's first transaction, or a scheduled call, announces.
        var nextEvents: [Event] = []
        var refusal: SubmissionRefusal?
        /// How long a submission takes.
        var submitTime: Duration?
        /// Submissions that came without a task.
        var directly = 0
        /// Whether what blocks announce is known without reading them.
        var hasNews = false
        /// Accepts, but forgets: as a node that dies before it passes a transaction on.
        var losesSubmissions = 0
    }

    /// Makes a block of every transaction at once.
    let blockPerTransaction: Bool
    let state: Mutex<State>

    init(name: String = "alpha", blockPerTransaction: Bool = true) throws {
        self.name = name
        self.blockPerTransaction = blockPerTransaction
        let members = (0..<4).map { (index: UInt8) -> Masternode in
            let owner = Account(Self.key(50 + index).publicKey)
            return Masternode(
                name: "node-\(index)", consensusKey: Self.key(100 + index).publicKey, owner: owner,
                beaconTip: Digest(sha256: [index]))
        }
        genesis = try Genesis(
            chainName: "fakenet", time: Self.start, parameters: Parameters(), masternodes: MasternodeSet(members),
            allocations: [
                Genesis.Allocation(account: Account(Self.alice.publicKey), balance: 5_000_000_000),
                Genesis.Allocation(account: Account(Self.bob.publicKey), balance: 1),
            ])
        genesisHash = genesis.hash
        state = Mutex(State(jobStatus: Self.status(phase: .open, round: 0)))
        let owner = Account(Self.alice.publicKey)
        let contract = Account.contract(creator: owner, sequence: 0)
        state.withLock { state in
            for allocation in genesis.allocations {
                state.accounts[allocation.account] = AccountRecord(balance: allocation.balance)
            }
            state.services = [
                ServiceView(
                    record: ServiceRecord(
                        service: Self.job, contract: contract, owner: owner, codeHash: Digest(sha256: [7]), kind: "job",
                        validator: Account(Self.bob.publicKey), registeredAt: Height(1)), balance: 1_000),
                ServiceView(
                    record: ServiceRecord(
                        service: ServiceId([0xff, 0x00])!, contract: Account.contract(creator: owner, sequence: 1),
                        owner: owner, codeHash: Digest(sha256: [8]), kind: "contract", validator: nil,
                        registeredAt: Height(2)), balance: 0),
            ]
            state.codes = [Digest(sha256: [7]), Digest(sha256: [8])]
            state.records = Self.records(genesis)
        }
    }

    static func key(_ number: UInt8) -> PrivateKey { PrivateKey(seed: [UInt8](repeating: number, count: 32))! }

    var head: Height { Height(UInt64(state.withLock { $0.blocks.count })) }
    var contract: Account { state.withLock { $0.services[0].record.contract } }

    // MARK: Blocks

    /// Puts everything that waits into a block and announces it.
    @discardableResult
    func produceBlock() -> Height {
        let (height, watchers) = state.withLock { state -> (Height, [AsyncStream<Height>.Continuation]) in
            let height = Height(UInt64(state.blocks.count) + 1)
            let time = Self.start.advanced(by: height.value * 1_000)
            let transactions = state.pool
            state.pool = []
            let header = Header(
                height: height, view: View(height.value), epoch: .zero,
                parent: state.blocks.last?.digest ?? genesisHash, proposer: UInt16(height.value % 4), time: time,
                transactionsRoot: Block.transactionsRoot(transactions), stateRoot: Digest(sha256: height.borsh),
                receiptsRoot: .zero, gasUsed: 0, reveal: .zero, randomness: Digest(sha256: [1]),
                activeSetHash: genesis.masternodes.hash, nextSetHash: genesis.masternodes.hash,
                parentCertificateHash: .zero)
            let digest = header.digest(genesis: genesisHash)
            var receipts = transactions.map { transaction in
                Receipt(
                    origin: .transaction(transaction.transaction.id(genesis: genesisHash)),
                    outcome: outcome(of: transaction.transaction, state), gasUsed: 1_234, events: [],
                    returned: Digest(sha256: []))
            }
            if !state.nextEvents.isEmpty {
                receipts.append(
                    Receipt(
                        origin: .scheduled(contract: state.services[0].record.contract, number: 3), outcome: .succeeded,
                        gasUsed: 99, events: state.nextEvents, returned: .zero))
                state.nextEvents = []
            }
            for (transaction, receipt) in zip(transactions, receipts) {
                let sender = transaction.transaction.sender
                var record = state.accounts[sender] ?? AccountRecord()
                record.sequence = transaction.transaction.sequence + 1
                let entry = HistoryEntry(
                    index: record.history.size, height: height, time: time,
                    content: .action(
                        ActionRecord(
                            transaction: transaction.transaction, outcome: receipt.outcome, gasUsed: receipt.gasUsed)))
                record.history.append(entry.leaf)
                state.accounts[sender] = record
                state.histories[sender, default: []].append(entry)
            }
            let subject = Finalize(epoch: .zero, view: header.view, digest: digest)
            let votes = (0..<3).compactMap { (index: UInt8) -> Vote<Finalize>? in
                let signature = try? Self.key(100 + index).sign(subject, domain: .finalize, genesis: genesisHash)
                return signature.map { Vote(subject: subject, signer: UInt16(index), signature: $0) }
            }
            let finalization = Finalization(subject: subject, votes: votes)
            let block = Block(header: header, parentCertificate: .genesis, transactions: transactions)
            state.blocks.append(
                StoredBlock(block: FinalizedBlock(block: block, finalization: finalization), digest: digest))
            state.receipts.append(receipts)
            return (height, state.watchers)
        }
        for watcher in watchers { watcher.yield(height) }
        return height
    }

    private func outcome(of transaction: Transaction, _ state: State) -> Outcome {
        if transaction.data == Array("fail".utf8) { return .failure("it was told to") }
        if transaction.actionId.range == .chain { return .succeeded }
        return state.services.contains { $0.record.service == transaction.serviceId } ? .succeeded : .recorded
    }

    /// A finding about the account, as a contract's verdict leaves it.
    func addFinding(about account: Account) {
        state.withLock { state in
            var record = state.accounts[account] ?? AccountRecord()
            let entry = HistoryEntry(
                index: record.history.size, height: Height(UInt64(state.blocks.count)), time: Self.start,
                content: .finding(
                    Finding(service: Self.job, role: .edge, kind: .accepted, weight: 1 << 20, note: "")))
            record.history.append(entry.leaf)
            state.accounts[account] = record
            state.histories[account, default: []].append(entry)
        }
    }

    func stop() {
        for watcher in state.withLock({ $0.watchers }) { watcher.finish() }
    }

    // MARK: Job

    static func status(phase: JobPhase, round: UInt32) -> JobStatus {
        JobStatus(
            spec: JobSpec(
                title: "LeNet-5 on digits", workers: 2, quorum: 1, rounds: 3, stepsPerRound: 20, openTimeoutMs: 60_000,
                commitMinMs: 10_000, commitMaxMs: 30_000, revealTimeoutMs: 10_000, validateTimeoutMs: 10_000,
                epsilonMicro: 10_000,
                plan: [1, 2, 3]), phase: phase, round: round, phaseSince: start,
            deadlineOrZero: start.advanced(by: 5_000),
            validator: Account(bob.publicKey), checkpoint: Digest(sha256: [9]),
            metricMicro: 912_300, lossMicro: 301_200, bestMetricMicro: 912_300, acceptedRounds: round,
            rejectedRounds: 0, escrow: 1_000, reason: "")
    }

    /// Closes a round of the job in a new block, with the contract's event.
    func closeRound(_ round: UInt32, phase: JobPhase) {
        let record = JobRound(
            round: round, outcome: .accepted, metricMicro: 700_000 + 60_000 * UInt64(round), lossMicro: 800_000,
            closedAt: Self.start.advanced(by: UInt64(round) * 10_000), checkpoint: Digest(sha256: [UInt8(round)]),
            participants: 3)
        state.withLock { state in
            state.jobRounds.append(record)
            state.jobStatus = Self.status(phase: phase, round: round)
            if let event = Event(
                contract: state.services[0].record.contract, topic: JobEventTopic.round, data: record.borsh)
            {
                state.nextEvents.append(event)
            }
        }
        produceBlock()
    }
}

struct FakeFailure: Error {}

extension FakeNode {
    func status() async -> NodeStatus {
        let (last, pool) = state.withLock { ($0.blocks.last, $0.pool) }
        let header = last?.block.block.header
        return NodeStatus(
            version: "1.0.0", role: .masternode, nodeName: name, headHeight: header?.height ?? .zero,
            headDigest: last?.digest ?? genesisHash, headTime: header?.time ?? genesis.time,
            stateHeight: header?.height.previous ?? .zero, stateRoot: header?.stateRoot ?? .zero, epoch: .zero,
            protocolVersion: Self.protocolVersion,
            upgrade: PlannedUpgrade(among: state.withLock { $0.proposals }), view: header?.view ?? .zero,
            peersConnected: 3,
            mempoolCount: pool.count, mempoolBytes: pool.map(\.borsh.count).reduce(0, +), uptimeMs: 3_725_000,
            finalityP50Ms: 182,
            finalityP95Ms: 340,
            clockOffsetMs: -12, storeProblem: state.withLock { $0.isDamaged ? "block 1 can't be read" : nil },
            liveness: Liveness(
                sinceBlockMs: state.withLock { $0.silenceMs }, parameters: genesis.parameters, masternodes: 4,
                reachable: 2,
                quorum: 3))
    }

    func accounts(after: Account?, limit: Int) async throws -> [(account: Account, record: AccountRecord)] {
        state.withLock { state in
            let all = state.accounts.sorted { $0.key.bytes.lexicographicallyPrecedes($1.key.bytes) }
            let rest = all.filter { entry in after.map { $0.bytes.lexicographicallyPrecedes(entry.key.bytes) } ?? true }
            return rest.prefix(limit).map { (account: $0.key, record: $0.value) }
        }
    }

    func stateProof(_ key: StateKey) async throws -> StateProofView? {
        state.withLock { state in
            guard let block = state.blocks.last?.block, let finalization = block.finalization else { return nil }
            return StateProofView(
                header: block.block.header, finalization: finalization, key: key, value: nil, proof: [1, 0, 0, 0, 0])
        }
    }

    func block(at height: Height) async throws -> StoredBlock? {
        let (isOld, time) = state.withLock { state in
            state.reads += 1
            let isOld = height.value <= UInt64(state.blocks.count) && UInt64(state.blocks.count) - height.value >= 128
            if isOld {
                state.readingOld += 1
                state.mostReadingOld = max(state.mostReadingOld, state.readingOld)
            }
            return (isOld, state.readTime)
        }
        defer { if isOld { state.withLock { $0.readingOld -= 1 } } }
        if let time { try await Task.sleep(for: time) }
        if state.withLock({ $0.isDamaged }) { throw StoreDamaged() }
        return state.withLock { state in
            guard let index = Int(exactly: height.value), state.blocks.indices.contains(index - 1) else { return nil }
            return state.blocks[index - 1]
        }
    }

    func receipts(at height: Height) async throws -> [Receipt]? {
        state.withLock { state in
            guard let index = Int(exactly: height.value), state.receipts.indices.contains(index - 1) else { return nil }
            return state.receipts[index - 1]
        }
    }

    func transaction(_ id: TransactionId) async throws -> TransactionState? {
        state.withLock { state in
            if let waiting = state.pool.first(where: { $0.transaction.id(genesis: genesisHash) == id }) {
                return .pending(waiting)
            }
            for (block, receipts) in zip(state.blocks, state.receipts) {
                let header = block.block.block.header
                for (index, transaction) in block.block.block.transactions.enumerated()
                where transaction.transaction.id(genesis: genesisHash) == id {
                    return .included(
                        IncludedTransaction(
                            height: header.height, index: index, time: header.time, transaction: transaction,
                            receipt: receipts[index]))
                }
            }
            return nil
        }
    }

    func submit(
        _ transactions: [SignedTransaction],
        answer: @escaping @Sendable (Result<[SubmissionRefusal?], SubmissionRefusal>) -> Void
    ) {
        state.withLock { $0.directly += 1 }
        Task {
            do throws(SubmissionRefusal) { answer(.success(try await submit(transactions))) } catch {
                answer(.failure(error))
            }
        }
    }

    func submit(_ transactions: [SignedTransaction]) async throws(SubmissionRefusal) -> [SubmissionRefusal?] {
        if let time = state.withLock({ $0.submitTime }) { try? await Task.sleep(for: time) }
        var refusals: [SubmissionRefusal?] = []
        for transaction in transactions {
            do throws(SubmissionRefusal) {
                _ = try await submit(transaction)
                refusals.append(nil)
            } catch { refusals.append(error) }
        }
        return refusals
    }

    func submit(_ transaction: SignedTransaction) async throws(SubmissionRefusal) -> TransactionId {
        let body = transaction.transaction
        let id = body.id(genesis: genesisHash)
        let refusal = state.withLock { state -> SubmissionRefusal? in
            if let refusal = state.refusal { return refusal }
            guard transaction.isAuthorized(genesis: genesisHash) else {
                return SubmissionRefusal(.badSignature, "the signature is not the sender's on this chain")
            }
            let next = state.accounts[body.sender]?.sequence ?? 0
            if body.sequence < next {
                return SubmissionRefusal(.sequenceUsed, "sequence \(body.sequence) is used; the next is \(next)")
            }
            if body.sequence >= next + ChainLimits.sequenceWindow {
                return SubmissionRefusal(.sequenceTooFar, "sequence \(body.sequence) is too far ahead of \(next)")
            }
            if let waiting = state.pool.first(where: {
                $0.transaction.sender == body.sender && $0.transaction.sequence == body.sequence
            }) {
                return waiting == transaction
                    ? nil : SubmissionRefusal(.sequencePending, "another transaction has this sequence")
            }
            if body.actionId.value >= 256, !state.services.contains(where: { $0.record.service == body.serviceId }) {
                return SubmissionRefusal(.unknownService, "no service '\(body.serviceId)' is registered")
            }
            if state.losesSubmissions > 0 {
                state.losesSubmissions -= 1
                return nil
            }
            state.pool.append(transaction)
            return nil
        }
        if let refusal { throw refusal }
        if blockPerTransaction { produceBlock() }
        return id
    }

    func account(_ account: Account) async throws -> AccountView? {
        state.withLock { $0.accounts[account] }.map {
            AccountView(record: $0, credits: 1_900_000_000, capacity: 2_000_000_000)
        }
    }

    func history(of account: Account, from index: UInt64, limit: Int) async throws -> HistoryPage {
        state.withLock { state in
            let record = state.accounts[account] ?? AccountRecord()
            let entries = (state.histories[account] ?? []).filter { $0.index >= index }.prefix(limit)
            return HistoryPage(size: record.history.size, root: record.history.root, entries: Array(entries))
        }
    }

    func reputation(of account: Account) async throws -> [ReputationView] {
        account == Account(Self.alice.publicKey)
            ? [
                ReputationView(
                    role: .edge, record: ReputationRecord(positive: 3 << 20, negative: 1 << 18, period: 4),
                    score: Reputation.score(ReputationRecord(positive: 3 << 20, negative: 1 << 18)))
            ] : []
    }

    func auditFile(of account: Account) async throws -> BytePieces? {
        guard state.withLock({ $0.accounts[account] != nil }) else { return nil }
        let pieces = Places(count: state.withLock { $0.auditPieces })
        return BytePieces { [self] in
            guard let place = pieces.next() else { return nil }
            let fails = state.withLock { state in
                state.auditPiecesMade += 1
                return state.auditFailsAt == place
            }
            if fails { throw FakeFailure() }
            return Self.auditPiece(place)
        }
    }

    /// Larger than what one write takes.
    static func auditPiece(_ place: Int) -> [UInt8] {
        (0..<100_000).map { UInt8(truncatingIfNeeded: ($0 &+ place) &* 31) }
    }

    /// The bytes of an audit file of so many pieces.
    static func auditBytes(pieces: Int) -> [UInt8] { (0..<pieces).flatMap { auditPiece($0) } }

    private final class Places: Sendable {
        private let count: Int
        private let given = Mutex(0)

        init(count: Int) { self.count = count }

        func next() -> Int? {
            given.withLock { given in
                guard given < count else { return nil }
                defer { given += 1 }
                return given
            }
        }
    }

    func stateExtract(of keys: [StateKey]) async throws -> [UInt8]? { keys.isEmpty ? nil : keys.flatMap(\.bytes) }

    func service(_ service: ServiceId) async throws -> ServiceView? {
        state.withLock { $0.services.first { $0.record.service == service } }
    }

    func services(kind: String?, after: ServiceId?, limit: Int) async throws -> [ServiceView] {
        state.withLock { state in
            let all = state.services.sorted { $0.record.service < $1.record.service }
            let wanted = all.filter { view in
                (kind == nil || view.record.kind == kind) && (after.map { view.record.service > $0 } ?? true)
            }
            return Array(wanted.prefix(limit))
        }
    }

    func query(_ service: ServiceId, input: [UInt8], gas: UInt64) async throws(QueryRefusal) -> QueryResult {
        guard service == Self.job else { throw .unknownService }
        let (status, rounds) = state.withLock { ($0.jobStatus, $0.jobRounds) }
        let data: [UInt8]
        switch input {
        case [0]: data = status.borsh
        case [1]: data = JobParticipants([Self.worker]).borsh
        case [2]: data = JobHistory(rounds).borsh
        case [255]: throw .unavailable("the secret reason")
        default: throw .failed("query is not a job's")
        }
        return QueryResult(data: data, gasUsed: 777, height: head)
    }

    private static var worker: JobParticipant {
        JobParticipant(
            slot: 0, account: Account(bob.publicKey), role: .cloud, standing: .active, index: 0, samples: 0,
            kemPublicKey: .zero, endpoint: "127.0.0.1:27000", committed: true, revealed: false, misses: 0,
            acceptedRounds: 2, lastRoot: .zero, lastArtifact: .zero)
    }

    func hasCode(_ hash: Digest) async throws -> Bool { state.withLock { $0.codes.contains(hash) } }

    func news(at height: Height) -> BlockNews? {
        state.withLock { state in
            guard state.hasNews, height > .zero, let index = Int(exactly: height.value - 1), index < state.blocks.count
            else {
                return nil
            }
            let stored = state.blocks[index]
            return BlockNews(
                digest: stored.digest, time: stored.block.block.header.time,
                transactions: stored.block.block.transactions.map { $0.id(genesis: genesisHash) },
                events: state.receipts[index].flatMap(\.events))
        }
    }

    func followHeads(_ tell: @escaping @Sendable (Height) -> Void) async {
        let (stream, continuation) = AsyncStream.makeStream(of: Height.self, bufferingPolicy: .bufferingNewest(1))
        let head = state.withLock { state in
            state.watchers.append(continuation)
            return Height(UInt64(state.blocks.count))
        }
        continuation.yield(head)
        for await height in stream { tell(height) }
    }

    func metrics() async -> String { "# TYPE edgeproof_height gauge\nedgeproof_height \(head)\n" }
}
