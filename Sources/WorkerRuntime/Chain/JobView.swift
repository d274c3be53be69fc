import ChainClient
import Cryptography
import Encoding
import JobProtocol
import Primitives
import Synchronization

/// One job through the chain: what its contract says, and this worker's actions on it.
struct JobView: Sendable {
    let client: ChainClient
    let sender: TransactionSender
    let job: ServiceId
    let contract: Account
    private let horizon = Horizon()
    private let certified: CertifiedParticipants
    private let reader: CertifiedReader
    private let acceptedCode: Set<Digest>

    /// The newest state that was seen: with several nodes, one that lags must not turn the job's time back.
    private final class Horizon: Sendable {
        private let height = Mutex<UInt64>(0)

        func admits(_ new: UInt64) -> Bool {
            height.withLock { height in
                guard new >= height else { return false }
                height = new
                return true
            }
        }
    }

    /// Every answer comes from a node that lags behind what was seen before.
    struct StaleAnswer: Error {}

    private static let staleTries = 10

    /// - Parameters:
    ///   - reader: gives the service and its participants, so that no node need be believed.
    ///   - acceptedCode: contracts that this worker works for.
    init(
        client: ChainClient, sender: TransactionSender, job: ServiceId, reader: CertifiedReader,
        acceptedCode: Set<Digest>, acceptedValidators: Set<Account>, report: @escaping @Sendable (WorkerEvent) -> Void
    ) async throws {
        let record = try await Self.record(of: job, client, reader)
        guard record.kind == "job" else { throw WorkerError.notAJob(job.description, "it is of kind '\(record.kind)'") }
        guard acceptedCode.contains(record.codeHash) else {
            throw WorkerError.unknownCode(job.description, record.codeHash.hex)
        }
        if case .upgrade(let hash) = record.notice?.change, !acceptedCode.contains(hash) {
            throw WorkerError.unknownCode(job.description, hash.hex + ", which its owner has announced")
        }
        let validator = record.validator
        guard acceptedValidators.isEmpty || validator.map({ acceptedValidators.contains($0) }) ?? false else {
            throw WorkerError.unknownValidator(validator?.description ?? "nobody")
        }
        self.client = client
        self.sender = sender
        self.job = job
        contract = record.contract
        self.reader = reader
        self.acceptedCode = acceptedCode
        certified = CertifiedParticipants(
            contract: record.contract, own: sender.account, read: { try await reader.read($0) }, report: report)
    }

    /// The service as the certified state holds it. One that a node knows and that is not certified yet is waited for:
    /// the next block certifies it.
    private static func record(
        of job: ServiceId, _ client: ChainClient, _ reader: CertifiedReader
    ) async throws -> ServiceRecord {
        let key = StateKey.service(job)
        for _ in 0..<staleTries {
            if let record: ServiceRecord = try await reader.read([key]).decode(key) { return record }
            guard try await client.service(job) != nil else { throw WorkerError.noSuchJob(job.description, near: nil) }
            try await Task.sleep(for: .milliseconds(WorkerLimits.pollMs))
        }
        throw WorkerError.untrusted("a node shows the job '\(job)', and no node proves that it is there")
    }

    /// Names the job among all jobs of all chains.
    var digest: Digest { Digest(domain: "edgeproof/worker-job/1", parts: sender.genesis.bytes, contract.bytes) }

    func status() async throws -> JobStatus { try await ask(.status) }
    /// Asked for in each round: by then the job's code may be another one than this worker has joined.
    func participants() async throws -> [JobParticipant] {
        let key = StateKey.service(job)
        let unknown = certified.unknownKeys
        let state = try await reader.read([key] + unknown)
        if let record: ServiceRecord = try state.decode(key), !acceptedCode.contains(record.codeHash) {
            throw WorkerError.unknownCode(job.description, record.codeHash.hex)
        }
        certified.note(state, at: unknown)
        let told: (reply: JobParticipants, block: UInt64) = try await answer(.participants)
        return try await certified.certify(told.reply.all, after: told.block)
    }
    /// Whether what a node says of this participant is what the certified state holds.
    func isCertain(_ told: JobParticipant) async throws -> Bool {
        try await certified.identity(of: told.account, at: told.slot) == told.identity
    }

    func history() async throws -> [JobRound] { (try await ask(.history) as JobHistory).rounds }

    /// What the leading cloud named in its reveal.
    func partners() async throws -> JobPartners { try await ask(.partners) }

    /// Open disputes about the job's work, as the certified state holds them.
    func disputes() async throws -> [Dispute] {
        let key = StateKey.disputes(contract)
        guard let index: DisputeIndex = try await reader.read([key]).decode(key) else { return [] }
        let keys = index.accused.map { StateKey.dispute(contract, $0) }
        let state = try await reader.read(keys)
        // One that was closed in between is gone.
        return try keys.compactMap { try state.decode($0) }
    }

    /// Milliseconds of the chain's time for which work of the last rounds can still be disputed; zero where none can.
    func disputableMs() async throws -> UInt64 {
        let key = StateKey.panel(contract)
        let state = try await reader.read([key])
        guard let panel: PanelRecord = try state.decode(key), let until = panel.disputableUntil else { return 0 }
        return until.value - min(until.value, state.time.value)
    }

    func tombstone() async throws -> Tombstone? {
        let key = StateKey.tombstone(sender.account)
        return try await reader.read([key]).decode(key)
    }

    func complaints() async throws -> [JobOpenComplaint] { (try await ask(.complaints) as JobComplaints).all }
    /// What this account can take now.
    func owed() async throws -> UInt128 { try await ask(.owed, input: JobQuery.owed.input(sender.account)) }

    /// What a participant has committed to last, as the certified state holds it.
    func commitment(of slot: UInt8) async throws -> Digest? {
        let key = StateKey.storage(contract, Array("work/".utf8) + [slot])
        return try await reader.read([key])[key].flatMap { Digest($0.prefix(32)) }
    }

    /// Who has committed in a round of an asynchronous fog job; nil while the job is not in its commit phase.
    func fogCommitments(in round: UInt32) async throws -> [Account: FogCommitment]? {
        let status = try await status()
        guard status.round == round, status.phase == .commit else { return nil }
        var committed: [Account: FogCommitment] = [:]
        for member in try await participants() where member.committed && member.role == .fog {
            committed[member.account] = FogCommitment(index: member.index, base: member.base)
        }
        return committed
    }

    private func ask<Reply: BorshDecodable>(_ query: JobQuery, input: [UInt8]? = nil) async throws -> Reply {
        try await answer(query, input: input).reply
    }

    /// With the block after which it holds, as the node says.
    private func answer<Reply: BorshDecodable>(
        _ query: JobQuery, input: [UInt8]? = nil
    ) async throws -> (reply: Reply, block: UInt64) {
        var failure: any Error = StaleAnswer()
        for _ in 0..<Self.staleTries {
            let answer = try await client.query(job, input: input ?? query.input)
            guard try await reader.allows(block: answer.height) else {
                client.distrustNode()
                failure = WorkerError.untrusted("it answers for block \(answer.height), which no masternode has seen")
                continue
            }
            guard horizon.admits(answer.height) else {
                try await Task.sleep(for: .milliseconds(WorkerLimits.retryMs))
                continue
            }
            do { return (try Reply(borsh: answer.data), answer.height) } catch {
                throw WorkerError.notAJob(job.description, "\(error)")
            }
        }
        throw failure
    }

    /// Sends one of the chain's own actions and waits until it is final. A failed outcome is thrown.
    func actOnChain(_ action: ActionId, _ data: [UInt8]) async throws {
        _ = try await sender.perform(
            TransactionRequest(service: .chain, action: action, data: data, gasLimit: WorkerLimits.actionGas))
    }

    /// Sends an action and waits until it is final. A failed outcome is thrown.
    func act(_ action: ActionId, post: PostId = .none, _ data: [UInt8] = [], value: UInt128 = 0) async throws {
        let done = try await sender.perform(
            TransactionRequest(
                service: job, post: post, action: action, data: data, value: value,
                gasLimit: WorkerLimits.actionGas))
        // What is read from now on is of a state that knows of it.
        if let height = done.inclusion?.height, try await reader.allows(block: height) { _ = horizon.admits(height) }
    }
}
