import ChainClient
import Cryptography
import Encoding
import Primitives

/// One job through the chain: what its contract says, and this worker's actions on it.
struct JobView: Sendable {
    let client: ChainClient
    let sender: TransactionSender
    let job: ServiceId
    let contract: Account

    init(client: ChainClient, sender: TransactionSender, job: ServiceId) async throws {
        guard let service = try await client.service(job) else { throw WorkerError.noSuchJob(job.description) }
        self.client = client
        self.sender = sender
        self.job = job
        contract = service.contract
    }

    func status() async throws -> JobStatus { try await ask(.status) }
    func participants() async throws -> JobParticipants { try await ask(.participants) }
    func history() async throws -> JobHistory { try await ask(.history) }

    private func ask<Reply: BorshDecodable>(_ query: JobQuery) async throws -> Reply {
        let answer = try await client.query(job, input: query.input)
        do { return try Reply(borsh: answer.data) } catch { throw WorkerError.notAJob(job.description, "\(error)") }
    }

    /// Sends an action and waits until it is final. A failed outcome is thrown.
    func act(_ action: ActionId, post: PostId = .none, _ data: [UInt8] = []) async throws {
        try await sender.perform(
            TransactionRequest(
                service: job, post: post, action: action, data: data, gasLimit: WorkerLimits.actionGas))
    }
}
