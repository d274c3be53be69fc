import ChainClient
import Cryptography
import Foundation
import JobProtocol
import KeyFiles
import LocalNetwork
import Primitives
import TestSupport
import Testing

/// Fog learning with real processes on a chain: devices, fog nodes, clouds, a committee.
@Suite(.serialized) struct FogJobTests {
    @Test func devicesFogNodesCloudAndCommitteeFinishAJob() async throws {
        let validators = ["val-1", "val-2", "val-3"]
        let devices = (1...4).map { "device-\($0)" }
        try await FogJobStage.with(accounts: ["cloud", "fog-1", "fog-2"] + validators + devices) { stage in
            try await stage.register(fogNodes: 2, rounds: 3, more: "devices: 4\ncommittee: \(validators.joined(separator: ", "))")
            let model = stage.folder.appending(path: "model.bin")
            try await stage.start("cloud", ["--role", "cloud", "--data", stage.images.path, "--model", model.path])
            for name in ["fog-1", "fog-2"] { try await stage.start(name, ["--role", "fog"]) }
            for (index, name) in devices.enumerated() {
                try await stage.start(
                    name,
                    [
                        "--role", "device", "--fog-node", try stage.account("fog-\(index % 2 + 1)").description, "--data",
                        stage.images.path, "--shard", "\(index)/4",
                    ])
            }
            for name in validators { try await stage.start(name, ["--role", "validator", "--data", stage.images.path]) }
            let status = try await stage.untilOver()
            #expect(status.phase == .finished && status.acceptedRounds == 3, "\(status.reason)")
            for name in ["cloud", "fog-1", "fog-2"] + validators + devices {
                #expect(try await stage.end(of: name) == 0, "\(name)")
            }
            let participants = try await stage.network.withClient { try await $0.jobParticipants(stage.service) }
            for name in ["cloud", "fog-1", "fog-2"] {
                let account = try stage.account(name)
                #expect(participants.first { $0.account == account }?.acceptedRounds == 3, "\(name)")
            }
            try await stage.network.withClient { client in
                // The committee committed before it told its scores.
                for name in validators {
                    let history = try #require(try await client.history(of: try stage.account(name)))
                    let posts = history.entries.compactMap { $0.action?.transaction.postId }
                    #expect(posts.contains(.scoreCommit(round: 2)) && posts.contains(.validation(round: 2)), "\(name)")
                }
            }
            let evaluated = try await stage.network.run(
                "chain-worker",
                ["evaluate", "--model", model.path, "--data", stage.images.path, "--job", FogJobStage.job, "--json"])
            #expect(evaluated.status == 0, "\(evaluated.err)")
            #expect(evaluated.json?["isChainCheckpoint"] as? Bool == true)
            #expect((evaluated.json?["accuracy"] as? Double ?? 0) > 0.5, "it has learned: \(evaluated.out)")
        }
    }

    @Test func aNewcomerTakesPartFromTheNextRoundOn() async throws {
        try await FogJobStage.with(accounts: ["cloud", "fog-1", "fog-2", "val-1"]) { stage in
            try await stage.register(fogNodes: 2, rounds: 8, open: "10s", more: "committee: val-1")
            try await stage.start("val-1", ["--role", "validator", "--data", stage.images.path])
            try await stage.start("cloud", ["--role", "cloud", "--data", stage.images.path])
            try await stage.start("fog-1", ["--role", "fog", "--data", stage.images.path, "--shard", "0/2"])
            try await stage.until("fog-1", says: "closed  round 0")
            // The same samples as the other's: it works, and both say so.
            try await stage.start("fog-2", ["--role", "fog", "--data", stage.images.path, "--shard", "0/2"])
            let status = try await stage.untilOver()
            #expect(status.phase == .finished, "\(status.reason)")
            let account = try stage.account("fog-2")
            let participants = try await stage.network.withClient { try await $0.jobParticipants(stage.service) }
            let newcomer = try #require(participants.first { $0.account == account })
            #expect((1...7).contains(newcomer.acceptedRounds), "\(newcomer.acceptedRounds)")
            for name in ["fog-1", "fog-2"] {
                #expect(try await stage.end(of: name) == 0)
                #expect(await stage.log(name).contains("about 100 % of the samples are"), "\(name)")
            }
        }
    }

    /// Six fog nodes, of which two die in mid-round, one is stopped for a while and one never reveals; the leading cloud
    /// dies too. Every round ends by itself, and only those are found at fault who are.
    @Test func everyRoundEndsWhateverItsParticipantsDo() async throws {
        let nodes = (1...6).map { "fog-\($0)" }
        try await FogJobStage.with(accounts: ["cloud", "cloud-2"] + nodes) { stage in
            // A masternode validates: then something is found.
            let validator = try stage.masternode()
            let funded = try await stage.network.cli(
                "transfer", validator.description, "400000000000", "--from", "owner")
            try #require(funded.status == 0, "\(funded.err)")
            try await stage.register(
                fogNodes: 6, rounds: 6, quorum: 2, validator: validator.description, more: "clouds: 2")
            try await stage.start(
                "consensus",
                [
                    "--role", "validator", "--data", stage.images.path, "--keys",
                    stage.network.plan.home(0).keysFolder.path,
                ])
            try await stage.start("cloud", ["--role", "cloud", "--data", stage.images.path])
            try await stage.until("cloud", says: "joined")
            let model = stage.folder.appending(path: "model.bin")
            try await stage.start("cloud-2", ["--role", "cloud", "--data", stage.images.path, "--model", model.path])
            for (index, name) in nodes.enumerated() {
                try await stage.start(
                    name,
                    ["--role", "fog", "--data", stage.images.path, "--shard", "\(index)/6"]
                        + (name == "fog-4" ? ["--fault", "withhold:1"] : []))
            }
            try await stage.until("fog-1", says: "closed  round 0")
            for name in ["fog-5", "fog-6"] { await stage.kill(name) }
            await stage.signal("fog-3", SIGSTOP)
            try await Task.sleep(for: .seconds(4))
            await stage.signal("fog-3", SIGCONT)
            try await stage.until("fog-1", says: "closed  round 2", within: .seconds(150))
            await stage.kill("cloud")
            let status = try await stage.untilOver(within: .seconds(240))
            #expect(status.phase == .finished, "\(status.reason)")
            let rounds = try await stage.network.withClient { try await $0.jobHistory(stage.service) }
            #expect(rounds.count == 6 && rounds.last?.outcome == .accepted, "\(rounds)")
            for name in ["fog-1", "fog-2", "cloud-2"] { #expect(try await stage.end(of: name) == 0, "\(name)") }
            #expect(FileManager.default.fileExists(atPath: model.path), "the cloud that took over has the model")
            try await stage.network.withClient { client in
                func findings(_ name: String) async throws -> Set<String> {
                    Set(try #require(try await client.history(of: try stage.account(name))).entries.compactMap(\.finding).map(\.kind))
                }
                for name in ["fog-1", "fog-2"] { #expect(try await findings(name) == ["accepted"], "\(name)") }
                #expect(try await findings("fog-4") == ["notRevealed"])
                for name in ["fog-5", "fog-6"] {
                    let found = try await findings(name)
                    #expect(found.isSubset(of: ["accepted", "absent", "notRevealed"]) && found.count > 1, "\(name): \(found)")
                }
            }
        }
    }
}

/// One masternode, small images, and the participants of one fog job.
private struct FogJobStage {
    static let job = "houses"

    let network: TestNetwork
    let images: URL
    let service = ServiceId(unchecked: Array(job.utf8))
    var folder: URL { network.plan.folder }

    static func with(accounts: [String], _ body: (FogJobStage) async throws -> Void) async throws {
        try await TestNetwork.with(masternodes: 1, accounts: ["owner"] + accounts) { network in
            let images = try BlockImages.folder(in: network.plan.folder, train: 480, test: 100)
            let stage = FogJobStage(network: network, images: images)
            do { try await body(stage) } catch {
                for name in accounts { print("--- \(name)\n\(await stage.log(name))") }
                throw error
            }
        }
    }

    func account(_ name: String) throws -> Account { Account(try network.key(name).publicKey) }

    /// The hot account of the masternode.
    func masternode() throws -> Account {
        let keys = KeyDirectory(path: network.plan.home(0).keysFolder.path)
        return Account(try #require(PublicKey(hex: try keys.load(NodeKeyNames.consensus).publicKey)))
    }

    /// A job with a model described in a file of its own.
    func register(
        fogNodes: Int, rounds: Int, quorum: Int = 1, validator: String? = nil, open: String = "60s", more: String
    ) async throws {
        let contract = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().appending(path: "Contracts/.build/job.wasm")
        let model = folder.appending(path: "small.yaml")
        try """
            input: [1, 28, 28]
            classes: 10
            layers:
              - flatten
              - dense: {name: fc1, units: 16}
              - relu
              - dense: {name: output, units: 10}

            """.write(to: model, atomically: true, encoding: .utf8)
        let spec = folder.appending(path: "job.yaml")
        try """
            id: \(Self.job)
            protocol: fog
            model: \(model.path)
            fogNodes: \(fogNodes)
            quorum: \(quorum)
            rounds: \(rounds)
            batchSize: 8
            learningRate: 0.1
            openTimeout: \(open)
            commitMin: 10s
            commitMax: 15s
            revealTimeout: 10s
            validateTimeout: 10s
            epsilon: 1
            validator: \(try validator ?? account("cloud").description)
            validationSamples: 100
            deposit: 20000000000
            \(more)

            """.write(to: spec, atomically: true, encoding: .utf8)
        let registered = try await network.cli(
            "job", "register", spec.path, "--contract", contract.path, "--from", "owner")
        try #require(registered.status == 0, "\(registered.err)")
    }

    func start(_ name: String, _ arguments: [String]) async throws {
        await network.add(
            try ChildProcess(
                name: name, program: try Programs.url("chain-worker"),
                arguments: [
                    "run", "--job", Self.job, "--key", name, "--state",
                    folder.appending(path: "state-\(name)", directoryHint: .isDirectory).path, "--node",
                    network.plan.apiURL(0),
                ] + arguments,
                logFile: folder.appending(path: "\(name).log"), environment: network.plan.environment))
    }

    func kill(_ name: String) async {
        guard let process = await network.process(name) else { return }
        process.kill()
        await process.waitForExit()
    }

    func signal(_ name: String, _ signal: Int32) async {
        guard let process = await network.process(name), process.isRunning else { return }
        Foundation.kill(process.processIdentifier, signal)
    }

    func log(_ name: String) async -> String { await network.process(name)?.logTail(lines: 80) ?? "" }

    func until(_ name: String, says text: String, within limit: Duration = .seconds(90)) async throws {
        try await eventually("\(name) says '\(text)'", within: limit) { await log(name).contains(text) }
    }

    func end(of name: String) async throws -> Int32 {
        let process = try #require(await network.process(name))
        try await eventually("\(name) ends") { !process.isRunning }
        return process.exitStatus ?? -1
    }

    func untilOver(within limit: Duration = .seconds(150)) async throws -> JobStatus {
        try await eventually("the job is over", within: limit) {
            try await network.withClient { try await $0.jobStatus(service) }.phase.isOver
        }
        return try await network.withClient { try await $0.jobStatus(service) }
    }
}
