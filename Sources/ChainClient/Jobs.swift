import APIModel
import Cryptography
import Encoding
import JobProtocol
import Primitives

// Training jobs: what their contract answers, registering one, following one.

extension ChainClient {
    public func jobStatus(_ job: ServiceId) async throws -> JobStatus { try await ask(job, .status).value }

    public func jobParticipants(_ job: ServiceId) async throws -> [JobParticipant] {
        let reply: (value: JobParticipants, height: UInt64) = try await ask(job, .participants)
        return reply.value.all
    }

    /// The last rounds, up to 64, oldest first.
    public func jobHistory(_ job: ServiceId) async throws -> [JobRound] {
        let reply: (value: JobHistory, height: UInt64) = try await ask(job, .history)
        return reply.value.rounds
    }

    /// The reply with the height of the state that gave it.
    func ask<Reply: BorshDecodable>(
        _ job: ServiceId, _ query: JobQuery
    ) async throws -> (value: Reply, height: UInt64) {
        let answer = try await self.query(job, input: query.input)
        do { return (try Reply(borsh: answer.data), answer.height) } catch {
            throw ClientError.badAnswer(
                node: preferredNode, path: "the query of service '\(job)'",
                reason: "it is not what a job contract replies (\(error))")
        }
    }

    /// The job's progress: as it is now, then after every block in which its contract announced something, until the
    /// job is over. Survives the death of nodes like ``events(from:)``.
    public func progress(of job: ServiceId) -> JobProgress { JobProgress(client: self, job: job) }
}

/// See ``ChainClient/progress(of:)``.
public struct JobProgress: AsyncSequence, Sendable {
    public struct Update: Sendable {
        public let height: UInt64
        public let status: JobStatus
        /// Rounds that closed since the update before; in the first update all that the contract keeps.
        public let closed: [JobRound]
    }

    public typealias Element = Update

    let client: ChainClient
    let job: ServiceId

    public func makeAsyncIterator() -> Iterator { Iterator(client: client, job: job) }

    public struct Iterator: AsyncIteratorProtocol {
        let client: ChainClient
        let job: ServiceId
        private var contract: Account?
        private var events: BlockEvents.Iterator?
        private var seenRounds: UInt32 = 0
        private var isOver = false

        init(client: ChainClient, job: ServiceId) {
            self.client = client
            self.job = job
        }

        public mutating func next() async throws -> Update? {
            guard !isOver else { return nil }
            guard let contract else {
                guard let service = try await client.service(job) else {
                    throw await client.noSuchService(job)
                }
                self.contract = service.contract
                return try await update()
            }
            while let block = try await events?.next() {
                guard block.events.contains(where: { $0.contract == contract }) else { continue }
                return try await update()
            }
            return nil
        }

        private mutating func update() async throws -> Update {
            while true {
                do {
                    let reply: (value: JobStatus, height: UInt64) = try await client.ask(job, .status)
                    let closed = try await client.jobHistory(job).filter { $0.round >= seenRounds }
                    if let last = closed.last { seenRounds = last.round &+ 1 }
                    isOver = reply.value.phase.isOver
                    if events == nil {
                        events = client.events(from: Height(reply.height).next).makeAsyncIterator()
                    }
                    return Update(height: reply.height, status: reply.value, closed: closed)
                } catch let error as ClientError where error.isTransient {
                    try await Task.sleep(for: .milliseconds(500))
                }
            }
        }
    }
}

/// What a registration left on the chain.
public struct RegisteredService: Sendable {
    public let service: ServiceId
    public let contract: Account
    public let codeHash: Digest
    /// Nil when the code was on the chain already.
    public let upload: TransactionStateDocument?
    public let registration: TransactionStateDocument
}

extension TransactionSender {
    /// Uploads contract code unless the chain has it.
    /// - Returns: its hash, and the transaction if one was needed.
    public func upload(
        code: [UInt8], gasLimit: UInt64? = nil, timeout: Duration = .seconds(60)
    ) async throws -> (hash: Digest, transaction: TransactionStateDocument?) {
        let hash = Digest(sha256: code)
        if try await client.hasCode(hash) { return (hash, nil) }
        var request = TransactionRequest.upload(code: code)
        request.gasLimit = gasLimit
        return (hash, try await perform(request, timeout: timeout))
    }

    /// Registers a service with this code: uploads it unless the chain has it, then registers.
    /// - Parameters:
    ///   - gasLimit: of the registration alone.
    ///   - timeout: of each of the two.
    public func register(
        _ service: ServiceId, code: [UInt8], kind: String, validator: Account?, sponsorship: Sponsorship = .none,
        initData: [UInt8], deposit: UInt128, gasLimit: UInt64? = nil, timeout: Duration = .seconds(60)
    ) async throws -> RegisteredService {
        let (hash, uploaded) = try await upload(code: code, timeout: timeout)
        let registration = RegisterService(
            service: service, codeHash: hash, kind: kind, validator: validator, sponsorship: sponsorship,
            initData: initData)
        var request = TransactionRequest.register(registration, deposit: deposit)
        request.gasLimit = gasLimit
        let done = try await perform(request, timeout: timeout)
        return RegisteredService(
            service: service, contract: .contract(creator: account, sequence: done.transaction.sequence),
            codeHash: hash, upload: uploaded, registration: done)
    }
}
