import ChainClient
import CommandSupport
import Cryptography
import Foundation
import JobProtocol
import KeyFiles
import LocalNetwork
import Primitives

/// The paper's job on a chain of its own: masternodes and workers as processes on this machine, the job registered as
/// anybody would.
struct PaperChain: Sendable {
    let out: URL
    let data: URL
    let contract: String
    let edges: Int
    let samples: Int

    static let masternodes = 4
    private static let job = "paper"
    private static let limit: Duration = .seconds(30 * 60)

    private struct Evaluation: Decodable {
        let accuracy: Double
        let samples: Int
        let checkpoint: String
    }

    /// Split learning with `edges` edges and one cloud. Gives the paragraph for the report.
    func splitJob() async throws -> String {
        let rounds = 10
        let steps = max(1, min(40, samples / (edges * 32)))
        let names = ["owner", "cloud"] + (1...edges).map { "edge-\($0)" }
        return try await onDevnet(names) { plan, client, group in
            let cloud = try account("cloud", plan)
            let spec = """
                id: \(Self.job)
                title: Paper A, split learning
                protocol: split
                model: lenet5-s2
                edges: \(edges)
                quorum: 1
                rounds: \(rounds)
                stepsPerRound: \(steps)
                batchSize: 32
                learningRate: 0.02
                openTimeout: 60s
                commitMin: 10s
                commitMax: 60s
                revealTimeout: 15s
                validateTimeout: 30s
                epsilon: 0.02
                validator: \(cloud)
                validationSamples: 1000
                deposit: 20000000000

                """
            let model = out.appending(path: "chain/model.bin")
            try await register(spec, plan)
            try await group.add(worker("cloud", ["--role", "cloud", "--model", model.path], plan))
            for edge in 1...edges {
                try await group.add(
                    worker("edge-\(edge)", ["--role", "edge", "--shard", "\(edge - 1)/\(edges)"], plan))
            }
            let status = try await follow(client, group, rounds: rounds)
            try await untilWorkersEnd(group)
            let result = try await evaluate(model, [], plan, checkpoint: status.checkpoint)
            let height = try await client.status().head.height
            return String(
                format: """
                    A devnet of %d masternodes, one cloud and %d edges, each a process of its own; the job ran as a contract on \
                    it: %d of %d rounds of %d steps accepted, %llu blocks. The checkpoint that the chain names (`%@...`) gets \
                    %.2f %% of %d test images, after %d training samples were seen (a part of an epoch: the job shows that \
                    the protocol holds, the figures below how far it comes).
                    """,
                Self.masternodes, edges, Int(status.acceptedRounds), rounds, steps, height,
                String(status.checkpoint.hex.prefix(16)), result.accuracy * 100, result.samples,
                rounds * steps * 32 * edges)
        }
    }

    /// Fog learning with `edges` fog nodes and so many devices for each. Gives the paragraph for the report.
    func fogJob(dataset: String, devicesEach: Int) async throws -> String {
        let rounds = 5
        let fogNodes = (1...edges).map { "fog-\($0)" }
        let devices = fogNodes.flatMap { node in (1...devicesEach).map { (node: node, name: "\(node)-device-\($0)") } }
        return try await onDevnet(["owner", "cloud"] + fogNodes + devices.map(\.name)) { plan, client, group in
            let spec = """
                id: \(Self.job)
                title: Paper B, fog learning
                protocol: fog
                model: fog-mlp
                dataset: \(dataset)
                fogNodes: \(edges)
                devices: \(devices.count)
                quorum: 1
                rounds: \(rounds)
                batchSize: 32
                learningRate: 0.1
                openTimeout: 2min
                commitMin: 10s
                commitMax: 5min
                revealTimeout: 60s
                validateTimeout: 60s
                epsilon: 0.05
                validator: \(try account("cloud", plan))
                validationSamples: 500
                deposit: 20000000000

                """
            let model = out.appending(path: "chain/model.bin")
            try await register(spec, plan)
            try await group.add(worker("cloud", ["--role", "cloud", "--model", model.path], plan))
            for node in fogNodes { try await group.add(worker(node, ["--role", "fog"], plan, hasData: false)) }
            for (index, device) in devices.enumerated() {
                try await group.add(
                    worker(
                        device.name,
                        [
                            "--role", "device", "--fog-node", account(device.node, plan).description, "--shard",
                            "\(index)/\(devices.count)",
                        ], plan))
            }
            let status = try await follow(client, group, rounds: rounds)
            try await untilWorkersEnd(group)
            let result = try await evaluate(
                model, ["--job", Self.job, "--node", plan.apiURL(0)], plan, checkpoint: status.checkpoint)
            let height = try await client.status().head.height
            return String(
                format: """
                    A devnet of %d masternodes, one cloud, %d fog nodes and %d devices, each a process of its own; the job ran as a \
                    contract on it, with the paper's MLP on all training samples: %d of %d rounds (epochs) accepted, %llu blocks. The \
                    checkpoint that the chain names (`%@...`) gets %.2f %% of %d test images. The paper has 6 devices for each fog \
                    node.
                    """,
                Self.masternodes, edges, devices.count, Int(status.acceptedRounds), rounds, height,
                String(status.checkpoint.hex.prefix(16)), result.accuracy * 100, result.samples)
        }
    }

    // MARK: Parts

    private func evaluate(
        _ model: URL, _ extra: [String], _ plan: DevnetPlan, checkpoint: Digest
    ) async throws -> Evaluation {
        let evaluation = try await Programs.run(
            "chain-worker", ["evaluate", "--model", model.path, "--data", data.path, "--json"] + extra,
            environment: plan.environment)
        guard evaluation.status == 0 else {
            throw Refused(
                "evaluation",
                "the job's model could not be evaluated: \(String(decoding: evaluation.err.suffix(500), as: UTF8.self))")
        }
        let result = try JSONDecoder().decode(Evaluation.self, from: evaluation.out)
        guard result.checkpoint == checkpoint.hex else {
            throw Refused("checkpoint", "the cloud's model file is not the one that the chain accepted")
        }
        return result
    }

    private func onDevnet(
        _ accounts: [String], _ body: (DevnetPlan, ChainClient, ProcessGroup) async throws -> String
    ) async throws -> String {
        let home = out.appending(path: "chain", directoryHint: .isDirectory)
        try? FileManager.default.removeItem(at: home)
        try FileManager.default.createDirectory(at: home, withIntermediateDirectories: true)
        let ports = try FreePorts.take(Self.masternodes * 2)
        let plan = DevnetPlan(
            folder: home.appending(path: "net", directoryHint: .isDirectory), masternodes: Self.masternodes,
            apiPorts: Array(ports[..<Self.masternodes]), peerPorts: Array(ports[Self.masternodes...]))
        _ = try plan.prepare(accounts: accounts, chainName: "paper")
        let group = ProcessGroup()
        let client = ChainClient(nodes: try (0..<Self.masternodes).map { try NodeAddress(plan.apiURL($0)) })
        do {
            Console.error("starting \(Self.masternodes) masternodes")
            for index in 0..<Self.masternodes { await group.add(try plan.start(index)) }
            try await waitFor("the masternodes answer", limit: .seconds(60), group) {
                ((try? await client.status().peers) ?? 0) >= Self.masternodes - 1
            }
            let text = try await body(plan, client, group)
            await group.stopAll()
            try? await client.shutdown()
            return text
        } catch {
            await group.stopAll()
            try? await client.shutdown()
            throw error
        }
    }

    private func account(_ name: String, _ plan: DevnetPlan) throws -> Account {
        guard let key = PublicKey(hex: try KeyDirectory(path: plan.keysFolder.path).load(name).publicKey) else {
            throw UsageError("key \(name) in \(plan.keysFolder.path) is damaged")
        }
        return Account(key)
    }

    private func register(_ spec: String, _ plan: DevnetPlan) async throws {
        let file = out.appending(path: "chain/job.yaml")
        try spec.write(to: file, atomically: true, encoding: .utf8)
        let result = try await Programs.run(
            "chain-cli", ["job", "register", file.path, "--contract", contract, "--from", "owner", "--json"],
            environment: plan.environment.merging(["EDGEPROOF_NODE": plan.apiURL(0)]) { $1 })
        guard result.status == 0 else {
            throw Refused("job", "the job could not be registered: \(String(decoding: result.err.suffix(1_000), as: UTF8.self))")
        }
    }

    private func worker(
        _ name: String, _ extra: [String], _ plan: DevnetPlan, hasData: Bool = true
    ) throws -> ChildProcess {
        let folder = out.appending(path: "chain/workers/\(name)", directoryHint: .isDirectory)
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        return try ChildProcess(
            name: name, program: try Programs.url("chain-worker"),
            arguments: ["run", "--job", Self.job, "--key", name, "--state", folder.appending(path: "state").path]
                + (hasData ? ["--data", data.path] : []) + extra + (0..<plan.masternodes).flatMap { ["--node", plan.apiURL($0)] },
            logFile: folder.appending(path: "log"), environment: plan.environment)
    }

    /// Loss and accuracy of each round, until the job is over.
    private func follow(_ client: ChainClient, _ group: ProcessGroup, rounds: Int) async throws -> JobStatus {
        guard let job = ServiceId(Self.job) else { throw UsageError("the job's name is too long") }
        let deadline = ContinuousClock.now + Self.limit
        var shown: UInt32?
        while ContinuousClock.now < deadline {
            try Task.checkCancellation()
            try await check(group)
            if let status = try? await client.jobStatus(job) {
                let closed = status.acceptedRounds + status.rejectedRounds
                if closed != shown {
                    shown = closed
                    Console.error(
                        String(
                            format: "  on the chain: round %2d/%d  loss %.4f  accuracy %.2f %%", Int(closed), rounds,
                            Double(status.lossMicro) / 1e6, Double(status.metricMicro) / 1e4))
                }
                if status.phase == .finished { return status }
                if status.phase == .aborted || status.phase == .paused {
                    throw Refused("job", "the job is \(status.phase): \(status.reason)")
                }
            }
            try await Task.sleep(for: .milliseconds(250))
        }
        throw Refused("job", "the job did not finish within \(Self.limit); the logs are in \(out.appending(path: "chain").path)")
    }

    private func untilWorkersEnd(_ group: ProcessGroup) async throws {
        try await waitFor("the workers end", limit: .seconds(60), group) {
            await group.processes.allSatisfy { $0.name.hasPrefix("node") || !$0.isRunning }
        }
    }

    private func waitFor(
        _ what: String, limit: Duration, _ group: ProcessGroup, _ condition: () async -> Bool
    ) async throws {
        let deadline = ContinuousClock.now + limit
        while !(await condition()) {
            try Task.checkCancellation()
            try await check(group)
            guard ContinuousClock.now < deadline else { throw Refused("chain", "gave up waiting until \(what) (\(limit))") }
            try await Task.sleep(for: .milliseconds(150))
        }
    }

    private func check(_ group: ProcessGroup) async throws {
        for process in await group.processes {
            guard let status = process.exitStatus, process.name.hasPrefix("node") || status != 0 else { continue }
            throw Refused(
                "process",
                "\(process.name) ended with status \(status); the end of \(process.logFile.path):\n\(process.logTail())")
        }
    }
}
