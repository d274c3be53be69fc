import Cryptography
import Dispatch
import Ledger
import Mempool
import NodeAPI
import NodeCore
import Primitives

/// What the API reads. Reads of the published chain run beside the node's own queue, on a ``ReadView``.
extension NodeService: NodeBackend {
    nonisolated func read<Value: Sendable>(
        _ body: @escaping @Sendable (ReadView) throws -> Value
    ) async throws -> Value {
        let view = view.current
        do {
            // What reads much has threads of its own, below those of the node, on which its time is measured.
            if HeavyWork.isCurrent { return try body(view) }
            return try await withCheckedThrowingContinuation { continuation in
                readQueue.async { continuation.resume(with: Result { try body(view) }) }
            }
        } catch {
            guard health.note(error) else { throw error }
            if error is UnreadableBlock { post { $0.lookAfterBlocks() } }
            throw StoreDamaged()
        }
    }

    public nonisolated func status() async -> NodeStatus {
        await freshStatus.value(at: view.current.header.height) { await self.statusNow() }
    }

    private func statusNow() async -> NodeStatus {
        let facts = await chainFacts()
        let published = machine.published.header
        let elapsed = started.duration(to: .now).components
        return NodeStatus(
            version: NodeRunner.version, role: machine.identity == nil ? .follower : .masternode,
            nodeName: configuration.name, headHeight: published.height, headDigest: machine.published.digest,
            headTime: published.time, stateHeight: published.height.previous ?? .zero, stateRoot: published.stateRoot,
            epoch: published.epoch,
            protocolVersion: facts?.protocolVersion, upgrade: facts?.upgrade, view: machine.view, peersConnected: peerBook.count,
            mempoolCount: machine.mempool.count, mempoolBytes: machine.mempool.byteCount,
            uptimeMs: UInt64(max(0, elapsed.seconds)) * 1_000 + UInt64(max(0, elapsed.attoseconds)) / 1_000_000_000_000_000,
            finalityP50Ms: finality.percentile(50), finalityP95Ms: finality.percentile(95),
            catchingUp: machine.isCatchingUp, notVoting: machine.notVoting, clockOffsetMs: machine.clockOffsetMs,
            storeProblem: health.problem, liveness: facts.map { liveness($0) })
    }

    public nonisolated func block(at height: Height) async throws -> StoredBlock? {
        let genesisHash = ledger.genesisHash
        return try await read { view in
            guard let block = try view.block(at: height) else {
                try view.requireHeld(height)
                return nil
            }
            return StoredBlock(block: block, digest: block.block.header.digest(genesis: genesisHash))
        }
    }

    public nonisolated func receipts(at height: Height) async throws -> [Receipt]? {
        try await read { view in
            try view.requireHeld(height)
            guard height <= view.header.height else { return nil }
            return try view.receipts(at: height)
        }
    }

    public func transaction(_ id: TransactionId) async throws -> TransactionState? {
        if let waiting = machine.mempool.transaction(id) { return .pending(waiting.signed) }
        let recent = recentBlocks
        let found: (location: TransactionLocation, entry: RecentBlocks.Entry?)? = try await read { view in
            guard let location = try view.snapshot.transactionLocation(id) else { return nil }
            guard recent.keeps(location.height, head: view.header.height) else { return (location, nil) }
            return (location, try recent.entry(at: location.height) { try view.whole(at: location.height) })
        }
        guard let found else { return nil }
        if let entry = found.entry { return .included(found.location, entry.block, entry.receipts) }
        // A whole block of long ago for one transaction of it.
        return try await HeavyWork.asked {
            try await self.read { view in
                guard let (block, receipts) = try view.whole(at: found.location.height) else { return nil }
                return .included(found.location, block, receipts)
            }
        }
    }

    public nonisolated func submit(_ transaction: SignedTransaction) async throws(SubmissionRefusal) -> TransactionId {
        if let refusal = try await submit([transaction]).first ?? nil { throw refusal }
        return transaction.id(genesis: ledger.genesisHash)
    }

    public nonisolated func submit(
        _ transactions: [SignedTransaction]
    ) async throws(SubmissionRefusal) -> [SubmissionRefusal?] {
        let outcome: Result<[SubmissionRefusal?], SubmissionRefusal> = await withCheckedContinuation { continuation in
            submit(transactions) { continuation.resume(returning: $0) }
        }
        return try outcome.get()
    }

    public nonisolated func submit(
        _ transactions: [SignedTransaction],
        answer: @escaping @Sendable (Result<[SubmissionRefusal?], SubmissionRefusal>) -> Void
    ) {
        intake.submit(
            transactions,
            node: { [weak self, intake] entries, wrong in
                if let self { return self.post { $0.submit(entries, wrong) } }
                let refusal = SubmissionRefusal(.notReady, "the node is stopping: ask another one")
                intake.answer(entries.map { ($0, $0.transactions.map { _ in refusal }) })
            }, answer: answer)
    }

    /// What several requests brought, as one step of the machine.
    private func submit(_ entries: [ClientIntake.Entry], _ wrong: [Bool]) {
        let clock = Self.clock()
        let all = entries.flatMap(\.transactions)
        let sound = zip(all, wrong).filter { !$1 }.map(\.0)
        let (submissions, outputs) = stopped ? ([], []) : machine.submit(sound, at: clock)
        var answers = submissions.makeIterator()
        var places = wrong.makeIterator()
        intake.answer(
            entries.map { entry in
                let refusals = entry.transactions.map { transaction -> SubmissionRefusal? in
                    if places.next() == true { return SubmissionRefusal(.wrongSignature, now: clock.wall) }
                    guard let submission = answers.next() else {
                        return SubmissionRefusal(.notReady, "the node is stopping: ask another one")
                    }
                    return refusal(submission, of: transaction, since: entry.since, clock)
                }
                return (entry, refusals)
            })
        perform(outputs)
    }

    private func refusal(
        _ submission: NodeMachine.Submission, of transaction: SignedTransaction, since start: ContinuousClock.Instant,
        _ clock: NodeClock
    ) -> SubmissionRefusal? {
        switch submission {
        case .taken(let id):
            finality.submitted(id, at: start)
            return nil
        case .known: return nil
        case .refused(let refusal):
            // Asked again after it became final: not an error either.
            let id = transaction.id(genesis: ledger.genesisHash)
            if case .sequenceReused = refusal, (try? view.current.snapshot.transactionLocation(id)) != nil { return nil }
            return SubmissionRefusal(refusal, now: clock.wall)
        case .notPooled(let refusal): return SubmissionRefusal(refusal)
        case .failed: return SubmissionRefusal(.notReady, "the node can't read its state: ask another one")
        }
    }

    public nonisolated func account(_ account: Account) async throws -> NodeAPI.AccountView? {
        let ledger = ledger
        return try await read { view in
            try ledger.account(account, at: max(view.header.time, NodeService.clock().wall), state: view).map {
                NodeAPI.AccountView(record: $0.record, credits: $0.credits, capacity: $0.capacity, sponsor: $0.sponsor)
            }
        }
    }

    public nonisolated func accounts(
        after: Account?, limit: Int
    ) async throws -> [(account: Account, record: AccountRecord)] {
        try await read { view in
            try view.scan(prefix: UInt8(ascii: "a"), after: after.map { .account($0) }, limit: limit).compactMap { key, value in
                guard let account = Account(Array(key.bytes.dropFirst())) else { return nil }
                return (account, try AccountRecord(borsh: value))
            }
        }
    }

    public nonisolated func stateProof(_ key: StateKey) async throws -> StateProofView? {
        try await read { try $0.stateProof(key) }
    }

    public nonisolated func history(
        of account: Account, from index: UInt64, limit: Int
    ) async throws -> HistoryPage {
        try await read { view in
            let record: AccountRecord = try view.decode(.account(account)) ?? AccountRecord()
            let entries = try view.history(of: account, from: index, limit: limit)
            if index < record.history.size, limit > 0, entries.first?.index != index {
                throw NotHeld(base: try view.snapshot.base())
            }
            return HistoryPage(size: record.history.size, root: record.history.root, entries: entries)
        }
    }

    public nonisolated func reputation(of account: Account) async throws -> [NodeAPI.ReputationView] {
        let ledger = ledger
        return try await read { view in
            try ledger.reputation(account, at: view.header.time, state: view).map {
                NodeAPI.ReputationView(role: $0.role, record: $0.record, score: $0.score)
            }
        }
    }

    public nonisolated func auditFile(of account: Account) async throws -> BytePieces? {
        guard let pieces = try await read({ try AuditPieces(of: account, in: $0.snapshot, genesisHash: $0.genesis.hash, links: self.linkCount) }) else { return nil }
        return BytePieces { try await self.read { try pieces.next(in: $0.snapshot) } }
    }

    public nonisolated func stateExtract(of keys: [StateKey]) async throws -> [UInt8]? {
        try await read { try $0.stateExtract(of: keys)?.borsh }
    }

    public nonisolated func service(_ service: ServiceId) async throws -> ServiceView? {
        let ledger = ledger
        return try await read { view in
            guard let record = try ledger.service(service, state: view) else { return nil }
            return try view.view(of: record)
        }
    }

    public nonisolated func services(
        kind: String?, after: ServiceId?, limit: Int
    ) async throws -> [ServiceView] {
        try await read { view in
            var found: [ServiceView] = []
            var last = after.map { StateKey.service($0) }
            while found.count < limit {
                let page = try view.scan(prefix: UInt8(ascii: "s"), after: last, limit: 256)
                for (key, value) in page {
                    last = key
                    let record = try ServiceRecord(borsh: value)
                    if kind == nil || record.kind == kind, found.count < limit {
                        found.append(try view.view(of: record))
                    }
                }
                if page.count < 256 { break }
            }
            return found
        }
    }

    public nonisolated func query(
        _ service: ServiceId, input: [UInt8], gas: UInt64
    ) async throws(QueryRefusal) -> NodeAPI.QueryResult {
        let ledger = ledger
        let answer: Result<NodeAPI.QueryResult, QueryRefusal>
        do {
            answer = try await read { view in
                guard let result = try ledger.query(service, input: input, state: view, gasLimit: gas) else {
                    return .failure(.unknownService)
                }
                switch result.outcome {
                case .returned(let data):
                    return .success(
                        NodeAPI.QueryResult(data: data, gasUsed: result.gasUsed, height: view.header.height))
                case .failed where result.gasUsed >= gas: return .failure(.outOfGas)
                case .failed(let message): return .failure(.failed(message))
                }
            }
        } catch is StoreDamaged {
            throw .storeDamaged
        } catch {
            throw .unavailable("\(error)")
        }
        return try answer.get()
    }

    public nonisolated func hasCode(_ hash: Digest) async throws -> Bool {
        try await read { try $0.value(.code(hash)) != nil }
    }

    public nonisolated func news(at height: Height) -> BlockNews? {
        let view = view.current
        guard view.header.height == height, height > .zero else { return nil }
        return BlockNews(
            digest: view.digest, time: view.header.time, transactions: view.transactionIds,
            events: view.receipts.flatMap(\.events))
    }
}

extension TransactionState {
    /// Nil where the block has no such place.
    fileprivate static func included(
        _ location: TransactionLocation, _ block: FinalizedBlock, _ receipts: [Receipt]
    ) -> TransactionState? {
        let (index, transactions) = (Int(location.index), block.block.transactions)
        guard transactions.indices.contains(index), receipts.indices.contains(index) else { return nil }
        return .included(
            IncludedTransaction(
                height: location.height, index: index, time: block.block.header.time, transaction: transactions[index],
                receipt: receipts[index]))
    }
}

extension ReadView {
    /// A block with its receipts.
    fileprivate func whole(at height: Height) throws -> (FinalizedBlock, [Receipt])? {
        guard let block = try block(at: height), let receipts = try receipts(at: height) else { return nil }
        return (block, receipts)
    }

    func view(of record: ServiceRecord) throws -> ServiceView {
        let account: AccountRecord? = try decode(.account(record.contract))
        return ServiceView(record: record, balance: account?.balance ?? 0)
    }
}

extension SubmissionRefusal {
    init(_ refusal: MempoolRefusal) {
        let reason = refusal.description
        switch refusal {
        case .known, .sequenceWaiting: self.init(.sequencePending, reason)
        case .sequenceReused: self.init(.sequenceUsed, reason)
        case .sequenceTooFarAhead: self.init(.sequenceTooFar, reason)
        case .cancelledAlready, .expiresTooSoon: self.init(.sequencePending, reason)
        case .full, .noRoomForGaps: self.init(.poolFull, reason, retryAfterMs: 1_000)
        }
    }

    init(_ refusal: Refusal, now: Time) {
        let reason = refusal.description
        switch refusal {
        case .malformed, .malformedData, .smallOrder: self.init(.malformed, reason)
        case .oversize: self.init(.tooLarge, reason)
        case .noSuchAction, .notAvailable, .chainActionElsewhere: self.init(.unknownAction, reason)
        case .gasLimitTooLow, .gasLimitTooHigh: self.init(.gasLimit, reason)
        case .wrongSignature: self.init(.badSignature, reason)
        case .sequenceReused: self.init(.sequenceUsed, reason)
        case .sequenceTooFarAhead, .sequenceGap: self.init(.sequenceTooFar, reason)
        case .expired: self.init(.expired, reason)
        case .validTooLong: self.init(.validTooLong, reason)
        case .noSuchService: self.init(.unknownService, reason)
        case .notSponsored: self.init(.insufficientCredits, reason)
        case .tooFewCredits(_, _, let enoughAt):
            self.init(.insufficientCredits, reason, retryAfterMs: enoughAt.map { $0.distance(since: now) })
        }
    }
}
