import ChainClient
import CommandSupport
import Cryptography
import Experiments
import Foundation
import JobProtocol
import KeyFiles
import LocalNetwork
import Primitives
import Training

/// The paper's job on a chain of its own: masternodes and workers as processes on this machine, the job registered as
/// anybody would.
struct PaperChain: Sendable {
    let out: URL
    let data: URL
    let contract: String
    /// Written beside the job as a file, as a model of one's own would be.
    let model: ModelSpec
    let modelName: String
    /// Edges, or fog nodes.
    let edges: Int
    /// Training samples of all of them.
    let samples: Int
    /// A job that came to its end is not run again.
    let store: any RunStore
    /// Where masternodes, workers and their logs are, in `out`; one for each job.
    var folder = "chain"

    static let masternodes = 4
    private static let job = "paper"
    private static let limit: Duration = .seconds(60 * 60)

    private struct Evaluation: Decodable {
        let accuracy: Double
        let samples: Int
        let checkpoint: String
    }

    /// What a job on the chain came to.
    struct Outcome: Codable, Sendable {
        let rounds: Int
        let accepted: Int
        let height: UInt64
        /// In hexadecimal digits.
        let checkpoint: String
        /// Of the checkpoint that the chain names, on all test images.
        let accuracy: Double
        let testSamples: Int
        let seconds: Double
        /// Differences that the cloud refused, as its log counts them.
        let refused: Int

        var title: String { String(checkpoint.prefix(16)) }
    }

    /// Split learning with `edges` edges and one cloud, in rounds of so many steps.
    /// - Parameter devicesEach: devices of each edge, which hand it their samples; with none the edges have them.
    func splitJob(
        rounds: Int, steps: Int, batch: Int, learningRate: UInt32, momentum: UInt32, devicesEach: Int = 0
    ) async throws -> Outcome {
        let edgeNames = (1...edges).map { "edge-\($0)" }
        let devices = edgeNames.flatMap { edge in (0..<devicesEach).map { (edge: edge, name: "\(edge)-device-\($0 + 1)") } }
        let names = ["owner", "cloud"] + edgeNames + devices.map(\.name)
        let settings = "split/\(rounds)/\(steps)/\(batch)/\(learningRate)/\(momentum)"
            + (devicesEach > 0 ? "/\(devicesEach)" : "")
        return try await onDevnet(names, settings) { plan, client, group in
            let cloud = try account("cloud", plan)
            let spec = """
                id: \(Self.job)
                title: Paper A, split learning
                protocol: split
                model: \(try modelFile().path)
                edges: \(edges)
                devices: \(devices.count)
                quorum: 1
                rounds: \(rounds)
                stepsPerRound: \(steps)
                batchSize: \(batch)
                learningRate: \(Micro.text(learningRate))
                momentum: \(Micro.text(momentum))
                openTimeout: 60s
                commitMin: 60s
                commitMax: 10min
                revealTimeout: 30s
                validateTimeout: 60s
                epsilon: 0.02
                validator: \(cloud)
                validationSamples: 1000
                deposit: 20000000000

                """
            try await register(spec, plan)
            try await group.add(worker("cloud", ["--role", "cloud", "--model", finished.path], plan))
            for (index, edge) in edgeNames.enumerated() {
                let own = ["--samples", "\(max(1, samples / edges))", "--shard", "\(index)/\(edges)"]
                try await group.add(
                    worker(edge, ["--role", "edge"] + (devices.isEmpty ? own : []), plan, hasData: devices.isEmpty))
            }
            for (index, device) in devices.enumerated() {
                try await group.add(
                    worker(
                        device.name,
                        [
                            "--role", "device", "--edge", account(device.edge, plan).description, "--samples",
                            "\(max(1, samples / devices.count))", "--shard", "\(index)/\(devices.count)",
                        ], plan))
            }
            return try await outcome(client, group, plan, rounds: rounds, tolerant: [])
        }
    }

    /// Fog learning with `edges` fog nodes and so many devices for each.
    /// - Parameters:
    ///   - fault: what every fog node does wrong, as in `poison:0.2`.
    ///   - validates: whether the cloud tries each difference, and the contract takes no model that is worse.
    func fogJob(
        dataset: String, devicesEach: Int, rounds: Int, batch: Int, learningRate: UInt32, epsilon: UInt32,
        fault: String? = nil, validates: Bool = true
    ) async throws -> Outcome {
        let fogNodes = (1...edges).map { "fog-\($0)" }
        let devices = fogNodes.flatMap { node in (1...devicesEach).map { (node: node, name: "\(node)-device-\($0)") } }
        let names = ["owner", "cloud"] + fogNodes + devices.map(\.name)
        let settings = "fog/\(dataset)/\(devicesEach)/\(rounds)/\(batch)/\(learningRate)/\(epsilon)/\(fault ?? "")/\(validates)"
        return try await onDevnet(names, settings) { plan, client, group in
            let spec = """
                id: \(Self.job)
                title: Paper B, fog learning
                protocol: fog
                model: \(try modelFile().path)
                dataset: \(dataset)
                fogNodes: \(edges)
                devices: \(devices.count)
                quorum: 1
                rounds: \(rounds)
                batchSize: \(batch)
                learningRate: \(Micro.text(learningRate))
                openTimeout: 2min
                commitMin: 60s
                commitMax: 10min
                revealTimeout: 60s
                validateTimeout: 60s
                epsilon: \(validates ? Micro.text(epsilon) : "1")
                validator: \(try account("cloud", plan))
                validationSamples: 500
                deposit: 20000000000

                """
            try await register(spec, plan)
            try await group.add(
                worker(
                    "cloud", ["--role", "cloud", "--model", finished.path] + (validates ? [] : ["--no-try-updates"]), plan))
            for (index, node) in fogNodes.enumerated() {
                try await group.add(
                    worker(
                        node,
                        ["--role", "fog"] + (fault.map { ["--fault", $0, "--fault-seed", "\(index + 1)"] } ?? []), plan,
                        hasData: false))
            }
            for (index, device) in devices.enumerated() {
                try await group.add(
                    worker(
                        device.name,
                        [
                            "--role", "device", "--fog-node", account(device.node, plan).description, "--samples",
                            "\(max(1, samples / devices.count))", "--shard", "\(index)/\(devices.count)",
                        ], plan))
            }
            // A fog node that does wrong may lose its place, and its devices with it.
            return try await outcome(
                client, group, plan, rounds: rounds,
                tolerant: fault == nil ? [] : Set(fogNodes + devices.map(\.name)))
        }
    }

    // MARK: Parts

    private var home: URL { out.appending(path: folder, directoryHint: .isDirectory) }
    private var finished: URL { home.appending(path: "model.safetensors") }

    private func modelFile() throws -> URL {
        let file = home.appending(path: "model.yaml")
        try model.yaml.write(to: file, atomically: true, encoding: .utf8)
        return file
    }

    private func outcome(
        _ client: ChainClient, _ group: ProcessGroup, _ plan: DevnetPlan, rounds: Int, tolerant: Set<String>
    ) async throws -> Outcome {
        let start = ContinuousClock.now
        let status = try await follow(client, group, rounds: rounds, tolerant: tolerant)
        let seconds = Double((ContinuousClock.now - start).components.seconds)
        try await untilWorkersEnd(group, tolerant: tolerant)
        let result = try await evaluate(plan, checkpoint: status.checkpoint)
        let log = (try? String(contentsOf: home.appending(path: "workers/cloud/log"), encoding: .utf8)) ?? ""
        return Outcome(
            rounds: rounds, accepted: Int(status.acceptedRounds), height: try await client.status().head.height,
            checkpoint: status.checkpoint.hex, accuracy: result.accuracy, testSamples: result.samples, seconds: seconds,
            refused: log.split(separator: "\n").count { $0.contains("left out") })
    }

    private func evaluate(_ plan: DevnetPlan, checkpoint: Digest) async throws -> Evaluation {
        let evaluation = try await Programs.run(
            "chain-worker",
            [
                "evaluate", "--model", finished.path, "--data", data.path, "--json", "--job", Self.job, "--node",
                Self.nodes(plan),
            ], environment: plan.environment)
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

    /// - Parameter settings: what decides the outcome beside the model, the data and the workers.
    private func onDevnet(
        _ accounts: [String], _ settings: String,
        _ body: (DevnetPlan, ChainClient, ProcessGroup) async throws -> Outcome
    ) async throws -> Outcome {
        let name = "\(folder)-\(Digest(sha256: Array("\(settings)/\(edges)/\(samples)/\(model.yaml)".utf8)).hex.prefix(12))"
        if let bytes = try store.load(name), let outcome = try? JSONDecoder().decode(Outcome.self, from: Data(bytes)) {
            return outcome
        }
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
            let outcome = try await body(plan, client, group)
            await group.stopAll()
            try? await client.shutdown()
            try store.save(name, Array(try JSONEncoder().encode(outcome)))
            return outcome
        } catch {
            await group.stopAll()
            try? await client.shutdown()
            throw error
        }
    }

    /// All of them, as the programs take them: one may still be starting.
    private static func nodes(_ plan: DevnetPlan) -> String {
        (0..<plan.masternodes).map(plan.apiURL).joined(separator: ",")
    }

    private func account(_ name: String, _ plan: DevnetPlan) throws -> Account {
        guard let key = PublicKey(hex: try KeyDirectory(path: plan.keysFolder.path).load(name).publicKey) else {
            throw UsageError("key \(name) in \(plan.keysFolder.path) is damaged")
        }
        return Account(key)
    }

    private func register(_ spec: String, _ plan: DevnetPlan) async throws {
        let file = home.appending(path: "job.yaml")
        try spec.write(to: file, atomically: true, encoding: .utf8)
        let result = try await Programs.run(
            "chain-cli", ["job", "register", file.path, "--contract", contract, "--from", "owner", "--json"],
            environment: plan.environment.merging(["EDGEPROOF_NODE": Self.nodes(plan)]) { $1 })
        guard result.status == 0 else {
            throw Refused("job", "the job could not be registered: \(String(decoding: result.err.suffix(1_000), as: UTF8.self))")
        }
    }

    private func worker(
        _ name: String, _ extra: [String], _ plan: DevnetPlan, hasData: Bool = true
    ) throws -> ChildProcess {
        let folder = home.appending(path: "workers/\(name)", directoryHint: .isDirectory)
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        return try ChildProcess(
            name: name, program: try Programs.url("chain-worker"),
            arguments: [
                "run", "--no-stay", "--job", Self.job, "--key", name, "--state", folder.appending(path: "state").path,
                "--accept-code", contract,
            ]
                + (hasData ? ["--data", data.path] : []) + extra + (0..<plan.masternodes).flatMap { ["--node", plan.apiURL($0)] },
            logFile: folder.appending(path: "log"), environment: plan.environment)
    }

    /// Loss and accuracy of each round, until the job is over.
    private func follow(
        _ client: ChainClient, _ group: ProcessGroup, rounds: Int, tolerant: Set<String>
    ) async throws -> JobStatus {
        guard let job = ServiceId(Self.job) else { throw UsageError("the job's name is too long") }
        let deadline = ContinuousClock.now + Self.limit
        var shown: UInt32?
        while ContinuousClock.now < deadline {
            try Task.checkCancellation()
            try await check(group, tolerant)
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
        throw Refused("job", "the job did not finish within \(Self.limit); the logs are in \(home.path)")
    }

    /// Those of which nothing good is expected are not waited for.
    private func untilWorkersEnd(_ group: ProcessGroup, tolerant: Set<String>) async throws {
        try await waitFor("the workers end", limit: .seconds(60), group, tolerant) {
            await group.processes.allSatisfy { $0.name.hasPrefix("node") || tolerant.contains($0.name) || !$0.isRunning }
        }
    }

    private func waitFor(
        _ what: String, limit: Duration, _ group: ProcessGroup, _ tolerant: Set<String> = [],
        _ condition: () async -> Bool
    ) async throws {
        let deadline = ContinuousClock.now + limit
        while !(await condition()) {
            try Task.checkCancellation()
            try await check(group, tolerant)
            guard ContinuousClock.now < deadline else { throw Refused("chain", "gave up waiting until \(what) (\(limit))") }
            try await Task.sleep(for: .milliseconds(150))
        }
    }

    private func check(_ group: ProcessGroup, _ tolerant: Set<String>) async throws {
        for process in await group.processes where !tolerant.contains(process.name) {
            guard let status = process.exitStatus, process.name.hasPrefix("node") || status != 0 else { continue }
            throw Refused(
                "process",
                "\(process.name) ended with status \(status); the end of \(process.logFile.path):\n\(process.logTail())")
        }
    }
}
