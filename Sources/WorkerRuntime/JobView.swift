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

    init(client: ChainClient, sender: TransactionSender, job: ServiceId) async throws {
        guard let service = try await client.service(job) else { throw WorkerError.noSuchJob(job.description) }
        guard service.kind == "job" else { throw WorkerError.notAJob(job.description, "it is of kind '\(service.kind)'") }
        self.client = client
        self.sender = sender
        self.job = job
        contract = service.contract
    }

    /// Names the job among all jobs of all chains.
    var key: Digest { Digest(domain: "edgeproof/worker-job/1", parts: sender.genesis.bytes, contract.bytes) }

    func status() async throws -> JobStatus { try await ask(.status) }
    func participants() async throws -> [JobParticipant] { (try await ask(.participants) as JobParticipants).all }
    func history() async throws -> [JobRound] { (try await ask(.history) as JobHistory).rounds }

    /// What this worker can take by action 9.
    func owed() async throws -> UInt128 { try await ask(.owed, input: JobQuery.owed.input(sender.account)) }

    private func ask<Reply: BorshDecodable>(_ query: JobQuery, input: [UInt8]? = nil) async throws -> Reply {
        for _ in 0..<Self.staleTries {
            let answer = try await client.query(job, input: input ?? query.input)
            guard horizon.admits(answer.height) else {
                try await Task.sleep(for: .milliseconds(WorkerLimits.retryMs))
                continue
            }
            do { return try Reply(borsh: answer.data) } catch { throw WorkerError.notAJob(job.description, "\(error)") }
        }
        throw StaleAnswer()
    }

    /// Sends an action and waits until it is final. A failed outcome is thrown.
    func act(_ action: ActionId, post: PostId = .none, _ data: [UInt8] = []) async throws {
        try await sender.perform(
            TransactionRequest(
                service: job, post: post, action: action, data: data, gasLimit: WorkerLimits.actionGas))
    }
}
