import ChainClient
import Cryptography
import Foundation
import JobProtocol
import KeyFiles
import LocalNetwork
import Primitives
import TestSupport
import Testing

/// Liars among real workers: audited, accused on the chain, found by a jury of masternodes, and gone.
@Suite(.serialized) struct DisputeJobTests {
    @Test func aFogNodeThatLiesIsTombstonedAndNobodyElse() async throws {
        try await DisputeStage.with(workers: ["cloud", "fog-1", "fog-2"]) { stage in
            try await stage.register(
                """
                protocol: fog
                model: \(try stage.model("""
                    input: [1, 28, 28]
                    classes: 10
                    layers:
                      - flatten
                      - dense: {name: fc1, units: 8}
                      - relu
                      - dense: {name: output, units: 10}

                    """))
                fogNodes: 2
                """)
            try await stage.start("cloud", ["--role", "cloud", "--no-try-updates"])
            try await stage.start("fog-1", ["--role", "fog", "--shard", "0/2"])
            try await stage.start("fog-2", ["--role", "fog", "--shard", "1/2", "--fault", "lie:0.5"])
            try await stage.expect(tombstoned: ["fog-2"], of: ["cloud", "fog-1", "fog-2"])
        }
    }

    @Test func anEdgeThatLiesInOneStepOfTenIsTombstonedAndNobodyElse() async throws {
        try await DisputeStage.with(workers: ["cloud", "edge-1", "edge-2"]) { stage in
            try await stage.register("protocol: split\nedges: 2\nstepsPerRound: 4")
            try await stage.start("cloud", ["--role", "cloud"])
            try await stage.start("edge-1", ["--role", "edge", "--shard", "0/2"])
            try await stage.start("edge-2", ["--role", "edge", "--shard", "1/2", "--fault", "lie:0.1"])
            try await stage.expect(tombstoned: ["edge-2"], of: ["cloud", "edge-1", "edge-2"])
        }
    }
}

/// Four masternodes, of which one validates the job and the others are its juries.
private struct DisputeStage {
    static let job = "watched"

    let network: TestNetwork
    let images: URL
    let service = ServiceId(unchecked: Array(job.utf8))
    var folder: URL { network.plan.folder }

    static func with(workers: [String], _ body: (DisputeStage) async throws -> Void) async throws {
        try await TestNetwork.with(masternodes: 4, accounts: ["owner"] + workers) { network in
            let images = try BlockImages.folder(in: network.plan.folder, train: 120, test: 50)
            let stage = DisputeStage(network: network, images: images)
            do { try await body(stage) } catch {
                for name in workers + (0..<4).map({ "judge-\($0)" }) { print("--- \(name)\n\(await stage.log(name))") }
                throw error
            }
        }
    }

    func account(_ name: String) throws -> Account { Account(try network.key(name).publicKey) }

    func masternode(_ index: Int) throws -> Account {
        let keys = KeyDirectory(path: network.plan.home(index).keysFolder.path)
        return Account(try #require(PublicKey(hex: try keys.load(NodeKeyNames.consensus).publicKey)))
    }

    func model(_ text: String) throws -> String {
        let file = folder.appending(path: "small.yaml")
        try text.write(to: file, atomically: true, encoding: .utf8)
        return file.path
    }

    /// Registers the job, and starts the four judges: every masternode's operator runs one.
    func register(_ fields: String) async throws {
        let contract = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().appending(path: "Contracts/.build/job.wasm")
        for index in 0..<4 {
            let funded = try await network.cli(
                "transfer", try masternode(index).description, "200000000000", "--from", "owner")
            try #require(funded.status == 0, "\(funded.err)")
        }
        let spec = folder.appending(path: "job.yaml")
        try """
        id: \(Self.job)
        quorum: 1
        rounds: 60
        batchSize: 8
        learningRate: 0.02
        openTimeout: 60s
        commitMin: 10s
        commitMax: 15s
        revealTimeout: 10s
        validateTimeout: 30s
        epsilon: 1
        inputAudit: committee
        validator: \(try masternode(0).description)
        validationSamples: 50
        deposit: 20000000000
        \(fields)

        """.write(to: spec, atomically: true, encoding: .utf8)
        let registered = try await network.cli(
            "job", "register", spec.path, "--contract", contract.path, "--from", "owner")
        try #require(registered.status == 0, "\(registered.err)")
        for index in 0..<4 {
            try await start(
                "judge-\(index)",
                ["--role", "validator", "--audit-share", "1", "--keys", network.plan.home(index).keysFolder.path],
                key: "consensus", node: index)
        }
    }

    func start(_ name: String, _ arguments: [String], key: String? = nil, node: Int = 0) async throws {
        await network.add(
            try ChildProcess(
                name: name, program: try Programs.url("chain-worker"),
                arguments: [
                    "run", "--job", Self.job, "--data", images.path, "--key", key ?? name, "--state",
                    folder.appending(path: "state-\(name)", directoryHint: .isDirectory).path, "--node",
                    network.plan.apiURL(node),
                ] + arguments,
                logFile: folder.appending(path: "\(name).log"), environment: network.plan.environment))
    }

    func log(_ name: String) async -> String { await network.process(name)?.logTail(lines: 60) ?? "" }

    func expect(tombstoned liars: [String], of workers: [String]) async throws {
        func findings(_ account: Account) async throws -> [String] {
            try await network.withClient { client in
                (try await client.history(of: account))?.entries.compactMap(\.finding).map(\.kind) ?? []
            }
        }
        for name in liars {
            let account = try account(name)
            try await eventually("\(name) is found a liar", within: .seconds(150)) {
                try await findings(account).contains("fraud")
            }
            // Its worker learns of it, and ends.
            let process = try #require(await network.process(name))
            try await eventually("\(name) ends", within: .seconds(30)) { !process.isRunning }
            #expect(process.exitStatus == 1)
            #expect(await log(name).contains("a jury found this account's work false"))
        }
        let aborted = try await network.cli("job", "abort", Self.job, "--from", "owner", "--yes")
        #expect(aborted.status == 0, "\(aborted.err)")
        for name in workers where !liars.contains(name) {
            #expect(try await !findings(account(name)).contains("fraud"), "\(name)")
        }
        for index in 0..<4 { #expect(try await !findings(masternode(index)).contains("fraud")) }
        // Both sides have shown what they computed before the jury voted.
        #expect(await log("judge-0").contains("accused of step"))
    }
}
