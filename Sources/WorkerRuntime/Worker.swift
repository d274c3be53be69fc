import AsyncHTTPClient
import ChainClient
import Cryptography
import Foundation
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

    /// Works until the job is finished or aborted, or the task is cancelled.
    public func run() async throws {
        let client = ChainClient(nodes: configuration.nodes)
        let http = HTTPClient(eventLoopGroupProvider: .singleton)
        do {
            try await run(client, http)
        } catch {
            try? await client.shutdown()
            try? await http.shutdown()
            throw error
        }
        try await client.shutdown()
        try await http.shutdown()
    }

    private func run(_ client: ChainClient, _ http: HTTPClient) async throws {
        let sender = try await TransactionSender(client: client, key: configuration.key)
        let job = try await JobView(client: client, sender: sender, job: configuration.job)
        let kemKey = try configuration.kemKey(job: job.contract)
        let inbox = Inbox()
        let shelf = ModelShelf()
        let server = WorkerServer(host: configuration.host, port: configuration.port, inbox: inbox) { account in
            guard let (checkpoint, round) = await shelf.current,
                let participants = try? await job.participants(),
                let asker = participants.all.first(where: { $0.account == account && $0.role == .edge })
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
                    let endpoint = "\(configuration.publicHost ?? configuration.host):\(port)"
                    report(.listening(endpoint))
                    let loop = WorkerLoop(
                        configuration: configuration, job: job, kemKey: kemKey, inbox: inbox,
                        postman: Postman(http: http), shelf: shelf, endpoint: endpoint,
                        state: try WorkerState(folder: configuration.stateFolder), report: report)
                    try await loop.run()
                    break
                }
                return true
            }
            _ = try await group.next()
            group.cancelAll()
        }
    }
}

/// The cloud's accepted model, for edges that were away.
actor ModelShelf {
    private(set) var current: (Checkpoint, UInt32)?

    func put(_ checkpoint: Checkpoint, round: UInt32) { current = (checkpoint, round) }
}
