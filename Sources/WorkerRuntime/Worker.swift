import ChainClient
import Cryptography
import JobProtocol
import Primitives
import Training

/// One worker of one job, from joining to the end.
public struct Worker: Sendable {
    private let configuration: WorkerConfiguration
    private let report: @Sendable (WorkerEvent) -> Void

    public init(configuration: WorkerConfiguration, report: @escaping @Sendable (WorkerEvent) -> Void) {
        self.configuration = configuration
        self.report = report
    }

    /// Works until the job is finished, or the task is cancelled.
    /// - Throws: ``WorkerError/aborted(_:)`` when the job is, other ``WorkerError`` for what this worker can't do or be.
    public func run() async throws {
        guard configuration.data.count > 0 else { throw WorkerError.unusableData("there are none") }
        let state = try WorkerState(folder: configuration.stateFolder)
        let client = ChainClient(nodes: configuration.nodes)
        do {
            let sender = try await TransactionSender(client: client, key: configuration.key)
            let job = try await JobView(client: client, sender: sender, job: configuration.job)
            let members = Members { try await job.participants() }
            let postman = Postman(members: members)
            do {
                try await run(job, members, postman, state)
            } catch {
                await postman.shutdown()
                throw error
            }
            await postman.shutdown()
        } catch {
            try? await client.shutdown()
            throw error
        }
        try? await client.shutdown()
    }

    private func run(_ job: JobView, _ members: Members, _ postman: Postman, _ state: WorkerState) async throws {
        let spec = try await job.status().spec
        try Joining.check(spec)
        let secrets = try WorkerSecrets(key: configuration.key, job: job.contract)
        let inbox = Inbox()
        let shelf = ModelShelf()
        let server = WorkerServer(
            host: configuration.host, port: configuration.port,
            admission: Admission(
                genesis: job.sender.genesis, job: job.contract, kemKey: secrets.kemKey.publicKey, members: members),
            inbox: inbox, envelopeLimit: try Joining.envelopeLimit(spec)
        ) { account in
            guard let (checkpoint, round) = await shelf.current, let asker = await members.member(account),
                asker.role == .edge
            else { return nil }
            return try? SealedFront(checkpoint, round: round, job: job.contract, receiver: asker.kemPublicKey)
        }
        let (ports, portReady) = AsyncStream.makeStream(of: Int.self)
        try await withThrowingTaskGroup(of: Bool.self) { group in
            group.addTask {
                try await server.run { portReady.yield($0) }
                return false
            }
            group.addTask {
                for await port in ports {
                    let endpoint = configuration.endpoint(port: port)
                    report(.listening(endpoint))
                    let loop = WorkerLoop(
                        configuration: configuration, job: job, secrets: secrets, members: members, inbox: inbox,
                        postman: postman, shelf: shelf, endpoint: endpoint, state: state, report: report)
                    try await loop.run()
                    return true
                }
                throw CancellationError()
            }
            let isDone = try await group.next()
            group.cancelAll()
            if isDone == false {
                try Task.checkCancellation()
                throw WorkerError.cannotListen(configuration.host, "the server ended")
            }
        }
    }
}
