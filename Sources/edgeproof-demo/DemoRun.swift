import ChainClient
import Cryptography
import Encoding
import Foundation
import JobProtocol
import KeyFiles
import LocalNetwork
import Primitives

/// One run of the demo; see the README.
struct DemoRun: Sendable {
    let home: URL
    let data: String
    let contract: String
    let rounds: UInt32
    let steps: UInt32

    static let masternodes = 4
    static let job = "digits"
    /// The masternode that gets SIGKILL in the middle and comes back near the end.
    static let victim = 3
    static let limit: Duration = .seconds(7 * 60)

    struct Failure: Error, CustomStringConvertible {
        let description: String
        init(_ description: String) { self.description = description }
    }

    private struct Party: Sendable {
        let name: String
        let role: String
        let account: Account
    }

    func perform() async throws {
        try? FileManager.default.removeItem(at: home.appending(path: "net"))
        try? FileManager.default.removeItem(at: home.appending(path: "audits"))
        try? FileManager.default.removeItem(at: home.appending(path: "workers"))
        try FileManager.default.createDirectory(at: home, withIntermediateDirectories: true)
        let ports = try FreePorts.take(Self.masternodes * 2)
        let plan = DevnetPlan(
            folder: home.appending(path: "net", directoryHint: .isDirectory), masternodes: Self.masternodes,
            apiPorts: Array(ports[..<Self.masternodes]), peerPorts: Array(ports[Self.masternodes...]))

        Console.step("making keys and the genesis of \(Self.masternodes) masternodes")
        let genesis = try plan.prepare(
            accounts: ["owner", "cloud", "edge-1", "edge-2"], chainName: "edgeproof-demo")
        let genesisFile = home.appending(path: "genesis.json")
        try GenesisDocument(genesis).encoded().write(to: genesisFile, options: .atomic)

        let stage = ProcessGroup()
        do {
            try await act(plan, genesis, genesisFile, stage)
            await stage.stopAll()
        } catch {
            await stage.stopAll()
            throw error
        }
    }

    private func act(_ plan: DevnetPlan, _ genesis: Genesis, _ genesisFile: URL, _ stage: ProcessGroup) async throws {
        let clients = try (0..<plan.masternodes).map { ChainClient(nodes: [try NodeAddress(plan.apiURL($0))]) }
        let client = ChainClient(nodes: try (0..<plan.masternodes).map { try NodeAddress(plan.apiURL($0)) })
        do {
            try await act(plan, genesis, genesisFile, stage, client, clients)
        } catch {
            for client in clients + [client] { try? await client.shutdown() }
            throw error
        }
        for client in clients + [client] { try? await client.shutdown() }
    }

    private func act(
        _ plan: DevnetPlan, _ genesis: Genesis, _ genesisFile: URL, _ stage: ProcessGroup, _ client: ChainClient,
        _ clients: [ChainClient]
    ) async throws {
        Console.step("starting \(plan.masternodes) masternodes on loopback")
        for index in 0..<plan.masternodes { await stage.add(try plan.start(index)) }
        for (index, client) in clients.enumerated() {
            try await until("masternode \(index) answers", within: .seconds(240), stage) {
                (try? await client.status().peers) ?? 0 >= plan.masternodes - 1
            }
        }
        try lendHotKey(plan)
        let parties = try parties(plan)

        Console.step("registering the job: LeNet-5 cut at S2, \(rounds) rounds of \(steps) steps")
        let tools = Tools(environment: plan.environment.merging(["EDGEPROOF_NODE": plan.apiURL(0)]) { $1 })
        let spec = home.appending(path: "job.yaml")
        try jobSpec(validator: parties[1].account).write(to: spec, atomically: true, encoding: .utf8)
        try await tools.run(
            "chain-cli", ["job", "register", spec.path, "--contract", contract, "--from", "owner", "--json"])
        try await tools.run("chain-cli", ["lock", "100000000", "--from", "owner", "--json"])
        // A masternode's hot account has its collateral and no money; what a membership locks is money.
        try await tools.run(
            "chain-cli", ["transfer", "\(parties[1].account)", "1000000000", "--from", "owner", "--json"])

        Console.step("starting one cloud and two edges")
        let model = home.appending(path: "model.bin")
        try? FileManager.default.removeItem(at: model)
        for (party, extra) in [
            (parties[1], ["--role", "cloud", "--model", model.path]),
            (parties[2], ["--role", "edge", "--shard", "0/2"]), (parties[3], ["--role", "edge", "--shard", "1/2"]),
        ] {
            await stage.add(try worker(party, extra, plan))
        }

        let (status, restarted) = try await follow(plan, client, clients, stage)
        try await until("the workers end", within: .seconds(240), stage) { await stage.workersDone }
        try await stage.check(allowing: nil)

        Console.step("comparing the masternodes")
        let agreement = try await compare(clients, stage)
        let caughtUp = restarted && agreement.agree

        Console.step("auditing every participant, from the genesis file alone")
        let participants = try await audit(parties, client, tools, genesisFile)
        let evaluation = try await evaluate(model, tools)
        let finality = await finalityTimes(clients)
        let counts = try await count(client)
        let report = Report(
            accuracy: evaluation.accuracy, loss: evaluation.loss, testImages: evaluation.samples,
            masternodes: plan.masternodes, rounds: status.spec.rounds, acceptedRounds: status.acceptedRounds,
            blocks: counts.blocks, transactions: counts.transactions, finalityMs: finality,
            stateRootsAgree: agreement.agree, stateRoot: agreement.root.hex, stateHeight: agreement.height,
            restartedNodeCaughtUp: caughtUp, auditsVerified: participants.filter(\.auditVerified).count,
            participants: participants, genesisHash: genesis.hash.hex, job: Self.job,
            checkpoint: status.checkpoint.hex, seconds: Console.elapsedSeconds)
        try report.write(to: home.appending(path: "report.json"))
        Summary.print(report, home: home)
        if evaluation.checkpoint != status.checkpoint.hex {
            throw Failure("the cloud's model file is not the one that the chain accepted")
        }
        if !agreement.agree { throw Failure("the masternodes do not have the same state root") }
        if !caughtUp { throw Failure("the restarted masternode did not catch up") }
        if report.auditsVerified != participants.count { throw Failure("an audit did not verify") }
    }

    // MARK: Parts

    private func parties(_ plan: DevnetPlan) throws -> [Party] {
        let keys = KeyDirectory(path: plan.keysFolder.path)
        return try [("owner", "job owner"), ("cloud", "cloud"), ("edge-1", "edge"), ("edge-2", "edge")].map {
            guard let key = PublicKey(hex: try keys.load($0.0).publicKey) else {
                throw Failure("key \($0.0) is damaged")
            }
            return Party(name: $0.0, role: $0.1, account: Account(key))
        }
    }

    /// The cloud evaluates, too; what it says weighs something because its account is a masternode's hot one, a party
    /// outside the owner's control.
    private func lendHotKey(_ plan: DevnetPlan) throws {
        let cloud = plan.keysFolder.appending(path: "cloud.json")
        try? FileManager.default.removeItem(at: cloud)
        let consensus = URL(filePath: plan.home(0).keysFolder.path).appending(path: "\(NodeKeyNames.consensus).json")
        try FileManager.default.copyItem(at: consensus, to: cloud)
    }

    private func worker(_ party: Party, _ extra: [String], _ plan: DevnetPlan) throws -> ChildProcess {
        let folder = home.appending(path: "workers/\(party.name)", directoryHint: .isDirectory)
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        let nodes = (0..<plan.masternodes).flatMap { ["--node", plan.apiURL($0)] }
        return try ChildProcess(
            name: party.name, program: try Programs.url("chain-worker"),
            arguments: [
                "run", "--no-stay", "--job", Self.job, "--wait", "--data", data, "--key", party.name, "--state",
                folder.appending(path: "state").path,
            ] + extra + nodes,
            logFile: folder.appending(path: "log"), environment: plan.environment)
    }

    private func jobSpec(validator: Account) -> String {
        """
        # A training job for 'chain-cli job register'.
        id: \(Self.job)
        title: MNIST by split LeNet-5
        protocol: split
        model: lenet5-s2
        edges: 2
        quorum: 1
        rounds: \(rounds)
        stepsPerRound: \(steps)
        batchSize: 32
        learningRate: 0.02
        openTimeout: 60s
        commitMin: 10s
        commitMax: 30s
        revealTimeout: 15s
        validateTimeout: 20s
        epsilon: 0.02
        validator: \(validator)
        validationSamples: 1000
        deposit: 20000000000

        """
    }

    /// Shows progress until the job is finished; kills one masternode in the middle and starts it again near the end.
    private func follow(
        _ plan: DevnetPlan, _ client: ChainClient, _ clients: [ChainClient], _ stage: ProcessGroup
    ) async throws -> (JobStatus, Bool) {
        guard let job = ServiceId(Self.job) else { throw Failure("the job's name is too long") }
        let deadline = ContinuousClock.now + Self.limit
        var shown: UInt32?
        var killed = false
        var restarted = false
        while ContinuousClock.now < deadline {
            try Task.checkCancellation()
            try await stage.check(allowing: killed && !restarted ? "node\(Self.victim)" : nil)
            guard let status = try? await client.jobStatus(job) else {
                try await Task.sleep(for: .milliseconds(250))
                continue
            }
            let closed = status.acceptedRounds + status.rejectedRounds
            if closed != shown {
                shown = closed
                let head = try? await client.status()
                let finality = head?.finalityMs.map { "finality p50 \($0.p50) ms, p95 \($0.p95) ms" } ?? ""
                Console.say(
                    String(
                        format: "round %2d/%d  loss %.4f  accuracy %5.2f%%  height %llu  ", closed, rounds,
                        Double(status.lossMicro) / 1e6, Double(status.metricMicro) / 1e4, head?.head.height ?? 0)
                        + finality)
            }
            if !killed, closed >= max(1, rounds / 2) {
                Console.step("killing masternode \(Self.victim) (SIGKILL)")
                await stage.kill("node\(Self.victim)")
                killed = true
            }
            if killed, !restarted, closed >= rounds * 5 / 6 || status.phase == .finished {
                Console.step("starting masternode \(Self.victim) again")
                await stage.add(try plan.start(Self.victim))
                restarted = true
            }
            if status.phase == .finished { return (status, restarted) }
            if status.phase == .aborted || status.phase == .paused {
                throw Failure("the job is \(status.phase): \(status.reason)")
            }
            try await Task.sleep(for: .milliseconds(250))
        }
        throw Failure("the job did not finish within \(Self.limit)")
    }

    /// The state root that every masternode's chain certifies at one height.
    private func compare(_ clients: [ChainClient], _ stage: ProcessGroup) async throws -> (
        agree: Bool, root: Digest, height: UInt64
    ) {
        var heights: [UInt64] = []
        for client in clients { if let status = try? await client.status() { heights.append(status.head.height) } }
        let target = heights.max() ?? 0
        try await until("every masternode has block \(target)", within: .seconds(240), stage) {
            for client in clients {
                guard let status = try? await client.status(), status.head.height >= target else { return false }
            }
            return true
        }
        var roots: [Digest] = []
        for client in clients {
            guard let block = try await client.block(at: Height(target)) else {
                throw Failure("block \(target) is missing")
            }
            roots.append(block.stateRoot)
        }
        Console.say("state root after block \(target - 1): \(roots[0].hex.prefix(16))... on \(roots.count) masternodes")
        return (Set(roots).count == 1, roots[0], target - 1)
    }

    private func audit(
        _ parties: [Party], _ client: ChainClient, _ tools: Tools, _ genesisFile: URL
    ) async throws -> [Report.Participant] {
        let folder = home.appending(path: "audits", directoryHint: .isDirectory)
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        var result: [Report.Participant] = []
        for party in parties {
            let file = folder.appending(path: "\(party.name).audit")
            try await tools.run("chain-cli", ["audit", party.account.description, "--output", file.path])
            var verified = true
            do {
                try await tools.run("chain-cli", ["audit", "verify", file.path, "--genesis", genesisFile.path])
            } catch let error as Tools.Failed {
                Console.fail("\(error)")
                verified = false
            }
            let account = try await client.account(party.account)
            let reputation = try await client.reputation(of: party.account)
            var scores: [String: UInt64] = [:]
            for role in reputation.roles { scores[role.role] = role.score * 1_000_000 / Reputation.unit }
            Console.say(
                "\(party.name): audit \(verified ? "verified" : "REFUSED"), \(account?.history.size ?? 0) entries")
            result.append(
                Report.Participant(
                    name: party.name, account: party.account.description, role: party.role,
                    actions: account?.sequence ?? 0, historyEntries: account?.history.size ?? 0, reputation: scores,
                    audit: "audits/\(party.name).audit", auditVerified: verified))
        }
        return result
    }

    private struct Evaluation: Decodable {
        let accuracy: Double
        let loss: Double
        let samples: Int
        let checkpoint: String
    }

    private func evaluate(_ model: URL, _ tools: Tools) async throws -> Evaluation {
        let output = try await tools.run("chain-worker", ["evaluate", "--model", model.path, "--data", data, "--json"])
        return try JSONDecoder().decode(Evaluation.self, from: output)
    }

    /// Of the masternode to which most transactions were submitted: each measures its own, from the submission until
    /// the block is final and durable there.
    private func finalityTimes(_ clients: [ChainClient]) async -> Report.Percentiles {
        var best = Report.Percentiles(p50: 0, p95: 0, samples: 0)
        for client in clients {
            guard let finality = try? await client.status().finalityMs, let metrics = try? await client.metrics(),
                let line = metrics.split(separator: "\n").first(where: { $0.hasPrefix("edgeproof_finality_samples ") }),
                let samples = line.split(separator: " ").last.flatMap({ Int($0) }), samples > best.samples
            else { continue }
            best = Report.Percentiles(p50: finality.p50, p95: finality.p95, samples: samples)
        }
        return best
    }

    private func count(_ client: ChainClient) async throws -> (blocks: UInt64, transactions: UInt64) {
        let head = try await client.status().head.height
        var transactions: UInt64 = 0
        var height: UInt64 = 1
        while height <= head {
            transactions += UInt64(try await client.block(at: Height(height))?.transactions.count ?? 0)
            height += 1
        }
        return (head, transactions)
    }

    private func until(
        _ what: String, within limit: Duration, _ stage: ProcessGroup, _ condition: () async -> Bool
    ) async throws {
        let deadline = ContinuousClock.now + limit
        while !(await condition()) {
            try Task.checkCancellation()
            try await stage.check(allowing: nil)
            guard ContinuousClock.now < deadline else { throw Failure("gave up waiting until \(what) (\(limit))") }
            try await Task.sleep(for: .milliseconds(150))
        }
    }
}
