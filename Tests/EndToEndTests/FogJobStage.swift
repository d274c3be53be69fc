import ChainClient
import Cryptography
import Foundation
import JobProtocol
import KeyFiles
import LocalNetwork
import Primitives
import TestSupport
import Testing

/// One masternode, small images, and the participants of one fog job.
struct FogJobStage {
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
                for name in accounts { print("--- \(name)\n\(stage.wholeLog(name).suffix(10_000))") }
                throw error
            }
        }
    }

    /// A job whose moments count.
    static func played(accounts: [String], _ body: (FogJobStage) async throws -> Void) async throws {
        try await EndToEndTests.played { try await with(accounts: accounts, body) }
    }

    func account(_ name: String) throws -> Account { Account(try network.key(name).publicKey) }

    /// The hot account of the masternode.
    func masternode() throws -> Account {
        let keys = KeyDirectory(path: network.plan.home(0).keysFolder.path)
        return Account(try #require(PublicKey(hex: try keys.load(NodeKeyNames.consensus).publicKey)))
    }

    /// A job with a model described in a file of its own.
    ///
    /// A phase of a round ends when all have done their part: its longest time is to be short where somebody does not.
    func register(
        fogNodes: Int, rounds: Int, quorum: Int = 1, validator: String? = nil, open: String = "5min",
        commitMax: String = "30s", revealAndValidate: String = "30s", more: String
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
            commitMin: \(commitMax)
            commitMax: \(commitMax)
            revealTimeout: \(revealAndValidate)
            validateTimeout: \(revealAndValidate)
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

    /// - Parameter nodes: URLs of the nodes that it asks, in this order; the masternode's where none is given.
    func start(_ name: String, nodes: [String]? = nil, _ arguments: [String]) async throws {
        await network.add(
            try ChildProcess(
                name: name, program: try Programs.url("chain-worker"),
                arguments: [
                    "run", "--no-stay", "--job", Self.job, "--key", name, "--state",
                    folder.appending(path: "state-\(name)", directoryHint: .isDirectory).path, "--node",
                    (nodes ?? [network.plan.apiURL(0)]).joined(separator: ","),
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

    /// All that it has said.
    func wholeLog(_ name: String) -> String {
        (try? Data(contentsOf: folder.appending(path: "\(name).log"))).map { String(decoding: $0, as: UTF8.self) } ?? ""
    }

    /// The masternode's own account scores the job: a party outside the owner's control, so that something is found.
    func startValidator(auditShare: Double = 0) async throws {
        try await start(
            "consensus",
            [
                "--role", "validator", "--data", images.path, "--audit-share", "\(auditShare)", "--keys",
                network.plan.home(0).keysFolder.path,
            ])
    }

    func fundMasternode() async throws {
        let funded = try await network.cli("transfer", try masternode().description, "400000000000", "--from", "owner")
        try #require(funded.status == 0, "\(funded.err)")
    }

    /// What was found about somebody, oldest first.
    func findings(_ name: String) async throws -> [String] {
        try await network.withClient { client in
            try #require(try await client.history(of: try account(name))).entries.compactMap(\.finding).map(\.kind)
        }
    }

    func until(_ name: String, says text: String) async throws {
        try await eventually("\(name) says '\(text)'") { wholeLog(name).contains(text) }
    }

    /// Waits for what a worker may never come to say where the job went on without it.
    func untilInTime(_ name: String, says text: String) async throws {
        try await eventually("\(name) says '\(text)', or the job is over") {
            if wholeLog(name).contains(text) { return true }
            return try await network.withClient { try await $0.jobStatus(service) }.phase.isOver
        }
        try asPlanned(wholeLog(name).contains(text), "\(name) did not say '\(text)'")
    }

    func end(of name: String) async throws -> Int32 {
        let process = try #require(await network.process(name))
        try await eventually("\(name) ends") { !process.isRunning }
        return process.exitStatus ?? -1
    }

    func untilOver() async throws -> JobStatus {
        try await eventually("the job is over") {
            try await network.withClient { try await $0.jobStatus(service) }.phase.isOver
        }
        return try await network.withClient { try await $0.jobStatus(service) }
    }
}
