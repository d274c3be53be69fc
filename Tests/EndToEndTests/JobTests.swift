import ChainClient
import Cryptography
import Foundation
import LocalNetwork
import JobProtocol
import Primitives
import TestSupport
import Testing

/// A training job with real processes: a masternode, a cloud, two edges.
@Suite(.serialized, .timeLimit(.minutes(20))) struct JobTests {
    @Test func aJobFinishesAndIsOnTheRecord() async throws {
        try await JobStage.with { stage in
            try await stage.register(rounds: 3)
            let model = stage.folder.appending(path: "model.bin")
            try await stage.startCloud(model: model)
            try await stage.startEdges()
            let status = try await stage.untilOver()
            #expect(status.phase == .finished)
            #expect(status.acceptedRounds == 3)
            for worker in JobStage.workers { #expect(try await stage.end(of: worker) == 0) }

            let participants = try await stage.network.withClient { try await $0.jobParticipants(stage.service) }
            #expect(participants.map(\.acceptedRounds) == [3, 3, 3])
            try await stage.network.withClient { client in
                for name in JobStage.workers {
                    let history = try #require(try await client.history(of: try stage.account(name)))
                    #expect(history.entries.contains { $0.action?.transaction.postId == PostId.reveal(round: 2) })
                    // A masternode outside the owner's control has validated: what everybody did was accepted.
                    let findings = history.entries.compactMap(\.finding)
                    #expect(!findings.isEmpty && findings.allSatisfy { $0.kind == "accepted" }, "\(name): \(findings)")
                }
            }
            let shown = try await stage.network.cli("job", "show", JobStage.job)
            #expect(shown.status == 0 && shown.out.contains("finished") && shown.out.contains("3 accepted"), "\(shown.out)")
            // Rounds have one numbering, from 0: in posts (above), of workers, of those who watch or ask.
            let numbers = (try await stage.network.cli("job", "show", JobStage.job, "--json").json?["rounds"] as? [[String: Any]])?
                .compactMap { $0["round"] as? Int }
            #expect(numbers == [0, 1, 2])
            for text in [try await stage.network.cli("job", "watch", JobStage.job).out, await stage.log("cloud"), await stage.log("edge-1")] {
                for round in 0..<3 { #expect(text.contains("round \(round)"), "\(text)") }
                #expect(!text.contains("round 3"), "\(text)")
            }
            // The words and letters are explained where they stand.
            let scores = try await stage.network.cli("reputation", "edge-1")
            #expect(scores.out.contains("towards 1.0000, the highest"), "\(scores.out)")
            let why = try await stage.network.cli("reputation", "edge-1", "--explain")
            #expect(why.out.contains("P is what counted for the account and N what counted against it"), "\(why.out)")
            let entries = try await stage.network.cli("history", "edge-1")
            #expect(entries.out.contains("recorded: it is on the chain"), "\(entries.out)")
            let list = try await stage.network.cli("job", "list")
            #expect(list.status == 0 && list.out.contains(JobStage.job), "\(list.out)")

            let audit = stage.folder.appending(path: "edge.audit").path
            let made = try await stage.network.cli("audit", try stage.account("edge-1").description, "--output", audit)
            #expect(made.status == 0, "\(made.err)")
            let verified = try await stage.network.cli(
                "audit", "verify", audit, "--genesis", stage.network.plan.genesisFile.path)
            #expect(verified.status == 0, "\(verified.err)")
            try await DocumentVerifier.check(stage.network, audits: [audit])

            let evaluated = try await stage.network.run(
                "chain-worker", ["evaluate", "--model", model.path, "--data", stage.images.path, "--json"])
            #expect(evaluated.out.contains(status.checkpoint.hex), "the model is the accepted one: \(evaluated.out)")

            // The same asked of the chain alone; and another file.
            let named = try await stage.network.cli("job", "model", JobStage.job, model.path)
            #expect(named.status == 0 && named.out.contains("is the accepted model"), "\(named.out) \(named.err)")
            let place = try await stage.network.cli("job", "model", JobStage.job)
            #expect(place.status == 0 && place.out.contains(status.checkpoint.hex), "\(place.out)")
            let wrong = try await stage.network.cli("job", "model", JobStage.job, audit)
            #expect(wrong.status == 2 && wrong.err.contains("is no model"), "\(wrong.err)")

            // The owner of a job that is over takes the rest, once; money can't go in any more. A call that was queued for
            // a deadline far ahead holds its deposit until then, and so may come after the rest; there are two at most.
            var rest = try await stage.network.cli("job", "withdraw", JobStage.job, "--from", "owner", "--json")
            #expect(rest.status == 0 && rest.json?["amount"] as? String != "0", "\(rest.out) \(rest.err)")
            for _ in 0..<3 where rest.status == 0 {
                rest = try await stage.network.cli("job", "withdraw", JobStage.job, "--from", "owner", "--json")
                let amount = (rest.json?["amount"] as? String).flatMap { UInt64($0) } ?? 0
                #expect(rest.status == 1 || (1..<3_000_000).contains(amount), "\(rest.out) \(rest.err)")
            }
            let worker = try await stage.network.cli("job", "withdraw", JobStage.job, "--from", "edge-1")
            for (name, again) in [("owner", rest), ("edge-1", worker)] {
                #expect(again.status == 1 && again.err.contains("nothing is due"), "\(name): \(again.out) \(again.err)")
            }
            let late = try await stage.network.cli("job", "fund", JobStage.job, "5,000", "--from", "owner")
            #expect(late.status == 1, "\(late.out) \(late.err)")
        }
    }

    /// Paper A's roles, with a model of one's own: phones hand the front's work to their edges, of which one has no images
    /// of its own.
    @Test func devicesHandTheFrontsWorkToTheirEdges() async throws {
        let phones = ["phone-1", "phone-2", "phone-3"]
        try await JobStage.with(devices: phones) { stage in
            let own = stage.folder.appending(path: "own.yaml")
            try """
                input: [1, 28, 28]
                classes: 10
                layers:
                  - convolution: {name: c1, filters: 4, kernel: 5}
                  - relu
                  - maximum-pooling: {size: 4}
                  - cut
                  - flatten
                  - dense: {name: output, units: 10}

                """.write(to: own, atomically: true, encoding: .utf8)
            try await stage.register(rounds: 2, devices: phones.count, more: "model: \(own.path)")
            let model = stage.folder.appending(path: "model.bin")
            try await stage.startCloud(model: model)
            try await stage.startEdgeWithoutImages("edge-1")
            try await stage.startEdge("edge-2", shard: "3/4")
            for (index, phone) in phones.enumerated() {
                try await stage.startDevice(phone, of: index < 2 ? "edge-1" : "edge-2", shard: "\(index)/4")
            }
            #expect(try await stage.untilOver().phase == .finished)
            for worker in JobStage.workers + phones { #expect(try await stage.end(of: worker) == 0, "\(worker)") }
            for phone in phones { #expect(await stage.log(phone).contains("100 samples to"), "\(phone)") }
            let edge = try stage.account("edge-1")
            let participants = try await stage.network.withClient { try await $0.jobParticipants(stage.service) }
            #expect(participants.first { $0.account == edge }.map { $0.acceptedRounds > 0 } == true)
            // Devices commit nothing.
            #expect(participants.filter { $0.role == .device }.allSatisfy { $0.acceptedRounds == 0 })
            let evaluated = try await stage.network.run(
                "chain-worker",
                ["evaluate", "--model", model.path, "--data", stage.images.path, "--job", JobStage.job, "--json"])
            #expect(evaluated.json?["isChainCheckpoint"] as? Bool == true, "\(evaluated.out) \(evaluated.err)")
        }
    }

    @Test func aKilledEdgeComesBackInTheMiddleOfARound() async throws {
        try await JobStage.played { stage in
            try await stage.register(rounds: 3, steps: 60, phaseMs: 12_000)
            try await stage.startCloud()
            try await stage.startEdges()
            try await stage.untilInTime("edge-2", says: "started  round 1")
            await stage.kill("edge-2")
            try await stage.startEdge("edge-2", shard: "1/2")
            #expect(try await stage.untilOver().phase == .finished)
            for worker in JobStage.workers { #expect(try await stage.end(of: worker) == 0) }
            let rounds = try await stage.network.withClient { try await $0.jobHistory(stage.service) }
            #expect(rounds.count == 3)
            try asPlanned(rounds.last?.participants == 3, "it does not take part again: \(rounds)")
        }
    }

    @Test func aKilledCloudComesBackWithItsModel() async throws {
        try await JobStage.played { stage in
            try await stage.register(rounds: 3, steps: 30, phaseMs: 12_000)
            try await stage.startCloud()
            try await stage.startEdges()
            try await stage.untilInTime("cloud", says: "started  round 1")
            await stage.kill("cloud")
            try await stage.startCloud()
            #expect(try await stage.untilOver().phase == .finished)
            for worker in JobStage.workers { #expect(try await stage.end(of: worker) == 0) }
            let rounds = try await stage.network.withClient { try await $0.jobHistory(stage.service) }
            try asPlanned(
                rounds.filter { $0.outcome == .accepted }.count >= 2 && rounds.last?.participants == 3, "\(rounds)")
        }
    }

    @Test func anEdgeThatNeverComesBackHoldsUpNobody() async throws {
        try await JobStage.played { stage in
            try await stage.register(rounds: 3, steps: 40, phaseMs: 10_000)
            try await stage.startCloud()
            try await stage.startEdges()
            try await stage.untilInTime("edge-2", says: "started  round 0")
            await stage.kill("edge-2")
            let status = try await stage.untilOver()
            #expect(status.phase == .finished)
            try asPlanned(status.acceptedRounds >= 2, "\(status.acceptedRounds) rounds were accepted")
            for worker in ["cloud", "edge-1"] { #expect(try await stage.end(of: worker) == 0) }
            let participants = try await stage.network.withClient { try await $0.jobParticipants(stage.service) }
            let gone = try stage.account("edge-2")
            let standing = participants.first { $0.account == gone }?.standing
            try asPlanned(standing == .suspended, "it is \(standing.map { "\($0)" } ?? "unknown")")
        }
    }

    /// A cloud that works with one edge and leaves the other out: that one earns nothing, and nothing is found about it.
    @Test func whomTheCloudLeavesOutIsAtNoFault() async throws {
        // It has two seconds and a half before the deadline to say that it is there.
        try await JobStage.played { stage in
            try await stage.register(rounds: 1, phaseMs: 10_000)
            try await stage.startCloud(more: ["--fault", "ignore:1"])
            try await stage.startEdge("edge-1", shard: "0/2")
            try await stage.until("edge-1", says: "joined")
            try await stage.startEdge("edge-2", shard: "1/2")
            try asPlanned(try await stage.untilOver().acceptedRounds == 1, "the round starved")
            for worker in JobStage.workers { #expect(try await stage.end(of: worker) == 0) }
            try asPlanned(await stage.log("edge-1").contains("leaves this worker out of round 0"), "it was not left out")
            try await stage.network.withClient { client in
                func found(_ name: String) async throws -> [String] {
                    try #require(try await client.history(of: try stage.account(name))).entries.compactMap(\.finding).map(\.kind)
                }
                let (first, second) = (try await found("edge-1"), try await found("edge-2"))
                try asPlanned(first == [] && second == ["accepted"], "\(first), \(second)")
            }
        }
    }

    @Test func anAbortEndsEverybodyAndLeavesTheModel() async throws {
        try await JobStage.with { stage in
            // A worker that is busy with the round that the pause cancels may miss the one after it: that one then lasts as long.
            try await stage.register(rounds: 1_000, phaseMs: 15_000)
            let model = stage.folder.appending(path: "model.bin")
            try await stage.startCloud(model: model)
            try await stage.startEdges()
            try await stage.until("cloud", says: "closed  round 0")
            // A pause cancels the round in progress; resumed, it goes on.
            let paused = try await stage.network.cli("job", "pause", JobStage.job, "--from", "owner")
            #expect(paused.status == 0, "\(paused.err)")
            let round = try await stage.status().round
            let resumed = try await stage.network.cli("job", "resume", JobStage.job, "--from", "owner")
            #expect(resumed.status == 0, "\(resumed.err)")
            try await eventually("a round closes after the pause") { try await stage.status().round > round }
            #expect(try await stage.network.withClient { try await $0.jobHistory(stage.service) }
                .allSatisfy { $0.outcome == .accepted })

            let aborted = try await stage.network.cli("job", "abort", JobStage.job, "--from", "owner", "--yes")
            #expect(aborted.status == 0, "\(aborted.err)")
            for worker in JobStage.workers {
                #expect(try await stage.end(of: worker) == 1)
                #expect(await stage.log(worker).contains("error: the job was aborted: aborted by the owner"))
            }
            let evaluate = ["evaluate", "--data", stage.images.path, "--json", "--job", JobStage.job, "--model"]
            let last = try await stage.network.run("chain-worker", evaluate + [model.path])
            #expect(last.status == 0 && last.json?["isChainCheckpoint"] as? Bool == true, "\(last.out) \(last.err)")
            let best = stage.folder.appending(path: "model.best.bin")
            if FileManager.default.fileExists(atPath: best.path) {
                let other = try await stage.network.run("chain-worker", evaluate + [best.path])
                #expect(other.status == 1 && other.err.contains("not the accepted model"), "\(other.err)")
            }
        }
    }

    @Test func twoWorkersWithOneKeyBothSaySo() async throws {
        try await JobStage.with { stage in
            try await stage.register(rounds: 1_000)
            try await stage.startCloud()
            try await stage.startEdge("edge-1", shard: "0/2")
            try await stage.until("edge-1", says: "joined")
            let second = try await stage.network.run(
                "chain-worker",
                [
                    "run", "--job", JobStage.job, "--role", "edge", "--data", stage.images.path, "--key", "edge-1",
                    "--state", stage.newState().path,
                ])
            #expect(second.status == 1 && second.err.contains("another worker with this key works at"), "\(second.err)")
            try await stage.until("edge-1", says: "another worker with this key was started")
            // The first goes on.
            try await stage.startEdge("edge-2", shard: "1/2")
            try await stage.until("edge-1", says: "closed  round 0")
        }
    }

    @Test func aWorkerThatStartsBeforeItsJobWaits() async throws {
        try await JobStage.with { stage in
            try await stage.startEdge("edge-1", shard: "0/2", more: ["--wait", "--json"])
            try await stage.until("edge-1", says: "waiting for its registration")
            try await stage.register(rounds: 1)
            try await stage.startCloud()
            try await stage.startEdge("edge-2", shard: "1/2")
            #expect(try await stage.untilOver().phase == .finished)
            for worker in JobStage.workers { #expect(try await stage.end(of: worker) == 0) }
            // Every line of a JSON log says when, for which job, of which worker.
            let account = try stage.account("edge-1").description
            let lines = await stage.log("edge-1").split(separator: "\n")
            #expect(lines.count > 5)
            for line in lines {
                let fields = try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any]
                #expect(fields?["job"] as? String == JobStage.job && fields?["worker"] as? String == account, "\(line)")
                #expect((fields?["time"] as? String)?.hasSuffix("Z") == true, "\(line)")
            }
        }
    }

    @Test func anUnfundedWorkerSaysOnceWhatItLacks() async throws {
        try await JobStage.with { stage in
            try await stage.register(rounds: 1, edges: 1)
            try await stage.startCloud()
            let made = try await stage.network.cli("keys", "new", "poor")
            try #require(made.status == 0, "\(made.err)")
            try await stage.startEdge("poor", shard: "0/1")
            try await stage.until("poor", says: "can't pay for its transactions yet")
            let account = try stage.account("poor").description
            #expect(await stage.log("poor").contains("'chain-cli transfer \(account) AMOUNT --from KEY'"))
            // So much that its credits, which begin at nothing, suffice within seconds.
            let sent = try await stage.network.cli("transfer", "poor", "500,000,000,000", "--from", "owner")
            try #require(sent.status == 0, "\(sent.err)")
            #expect(try await stage.untilOver().phase == .finished)
            #expect(try await stage.end(of: "poor") == 0)
            #expect(await stage.log("poor").components(separatedBy: "can't pay for its transactions yet").count == 2)
        }
    }

    /// The job pays for its workers: one whose account is empty, and which the chain does not know, joins and works.
    @Test func aWorkerWithAnEmptyAccountWorksAtTheJobsCost() async throws {
        try await JobStage.with { stage in
            try await stage.register(rounds: 1, edges: 1, more: "sponsoredCredits: 400000000")
            try await stage.startCloud()
            let made = try await stage.network.cli("keys", "new", "poor")
            try #require(made.status == 0, "\(made.err)")
            try await stage.startEdge("poor", shard: "0/1")
            #expect(try await stage.untilOver().phase == .finished)
            #expect(try await stage.end(of: "poor") == 0)
            let log = await stage.log("poor")
            #expect(!log.contains("can't pay for its transactions yet"), "\(log)")
            let account = try stage.account("poor")
            let found = try await stage.network.withClient { try await $0.account(account) }
            #expect(try #require(found).balance == 0)
            let shown = try await stage.network.cli("account", "poor")
            #expect(shown.status == 0 && shown.out.contains(JobStage.job), "\(shown.out)\(shown.err)")
        }
    }

    @Test func aWorkerThatDoesNotFitIsToldWhy() async throws {
        try await JobStage.with { stage in
            func fails(_ arguments: [String], with reason: String) async throws {
                let ended = try await stage.network.run(
                    "chain-worker", ["run", "--data", stage.images.path, "--state", stage.newState().path] + arguments)
                #expect(ended.status != 0)
                #expect(ended.err.contains(reason), "\(ended.err)")
            }
            try await fails(["--job", "nothing", "--role", "edge", "--key", "edge-1"], with: "there is no job 'nothing'")
            try await stage.register(rounds: 1_000, edges: 1)
            // For a contract that its operator has not named it does not even begin.
            let strange = try await stage.network.run(
                "chain-worker",
                ["run", "--data", stage.images.path, "--state", stage.newState().path, "--job", JobStage.job, "--role", "edge",
                    "--key", "edge-2", "--accept-code", String(repeating: "0", count: 64)])
            #expect(strange.status != 0 && strange.err.contains("Give --accept-code with this hash"), "\(strange.err)")
            #expect(!strange.out.contains("listening"), "\(strange.out)")
            try await stage.startCloud()
            try await stage.startEdge("edge-1", shard: "0/2")
            try await stage.until("edge-1", says: "joined")
            try await fails(["--job", JobStage.job, "--role", "edge", "--key", "edge-2"], with: "the job does not take this worker")
            // As what it takes part, or that it works already: whichever it finds first.
            try await fails(["--job", JobStage.job, "--role", "edge", "--key", "cloud"], with: "this key")
            try await fails(["--job", JobStage.job, "--role", "edge", "--key", "edge-2", "--shard", "2/2"], with: "shard")
            let busy = try await stage.network.run(
                "chain-worker",
                ["run", "--data", stage.images.path, "--state", stage.state("edge-1").path, "--job", JobStage.job, "--role", "edge", "--key", "edge-1"])
            #expect(busy.status == 1 && busy.err.contains("another worker uses"), "\(busy.err)")
        }
    }
}

/// One masternode, a set of images, and the workers of one job.
private struct JobStage {
    static let job = "digits"
    static let workers = ["cloud", "edge-1", "edge-2"]

    let network: TestNetwork
    let images: URL
    let service = ServiceId(unchecked: Array(job.utf8))
    var folder: URL { network.plan.folder }

    static func with(devices: [String] = [], _ body: (JobStage) async throws -> Void) async throws {
        try await TestNetwork.with(masternodes: 1, accounts: ["owner"] + workers + devices) { network in
            let images = try BlockImages.folder(in: network.plan.folder, train: 400, test: 100)
            // The validator is a party outside the owner's control: a masternode's hot account. Here it is the cloud, too.
            let consensus = URL(filePath: network.plan.home(0).keysFolder.path).appending(path: "consensus.json")
            let cloud = network.plan.keysFolder.appending(path: "cloud.json")
            try? FileManager.default.removeItem(at: cloud)
            try FileManager.default.copyItem(at: consensus, to: cloud)
            let stage = JobStage(network: network, images: images)
            do { try await body(stage) } catch {
                for worker in workers + devices { print("--- \(worker)\n\(await stage.log(worker).suffix(10_000))") }
                throw error
            }
        }
    }

    /// A job whose moments count.
    static func played(_ body: (JobStage) async throws -> Void) async throws {
        try await EndToEndTests.played { try await with(body) }
    }

    func account(_ name: String) throws -> Account { Account(try network.key(name).publicKey) }
    func state(_ name: String) -> URL { folder.appending(path: "state-\(name)", directoryHint: .isDirectory) }
    func newState() -> URL { state(UUID().uuidString) }

    /// - Parameters:
    ///   - phaseMs: the longest that a phase of a round lasts. It ends when all have done their part: short is for jobs in which
    ///     somebody does not.
    ///   - more: further lines of the specification.
    func register(
        rounds: Int, steps: Int = 8, edges: Int = 2, devices: Int = 0, phaseMs: Int = 30_000, more: String = ""
    ) async throws {
        let contract = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().appending(path: "Contracts/.build/job.wasm")
        let spec = folder.appending(path: "job.yaml")
        try """
            id: \(Self.job)
            edges: \(edges)
            devices: \(devices)
            quorum: 1
            rounds: \(rounds)
            stepsPerRound: \(steps)
            batchSize: 8
            learningRate: 0.02
            openTimeout: 5min
            commitMin: \(phaseMs)ms
            commitMax: \(phaseMs)ms
            revealTimeout: \(phaseMs)ms
            validateTimeout: \(phaseMs)ms
            epsilon: 1
            validator: \(try account("cloud"))
            validationSamples: 100
            deposit: 20000000000
            \(more)

            """.write(to: spec, atomically: true, encoding: .utf8)
        let registered = try await network.cli(
            "job", "register", spec.path, "--contract", contract.path, "--from", "owner")
        try #require(registered.status == 0, "\(registered.err)")
        let locked = try await network.cli("lock", "100000000", "--from", "owner")
        try #require(locked.status == 0, "\(locked.err)")
        // A masternode's hot account has its collateral and no money; what a membership locks is money.
        let funded = try await network.cli(
            "transfer", "\(try account("cloud"))", "1000000000", "--from", "owner")
        try #require(funded.status == 0, "\(funded.err)")
    }

    private func start(_ name: String, _ arguments: [String], hasImages: Bool = true) async throws {
        await network.add(
            try ChildProcess(
                name: name, program: try Programs.url("chain-worker"),
                arguments: [
                    "run", "--no-stay", "--job", Self.job, "--key", name, "--state", state(name).path, "--node",
                    network.plan.apiURL(0),
                ] + (hasImages ? ["--data", images.path] : []) + arguments,
                logFile: folder.appending(path: "\(name).log"), environment: network.plan.environment))
    }

    func startCloud(model: URL? = nil, more: [String] = []) async throws {
        try await start("cloud", ["--role", "cloud"] + (model.map { ["--model", $0.path] } ?? []) + more)
    }

    func startEdge(_ name: String, shard: String, more: [String] = []) async throws {
        try await start(name, ["--role", "edge", "--shard", shard] + more)
    }

    /// Its devices have them.
    func startEdgeWithoutImages(_ name: String) async throws {
        try await start(name, ["--role", "edge"], hasImages: false)
    }

    func startDevice(_ name: String, of edge: String, shard: String) async throws {
        try await start(name, ["--role", "device", "--edge", try account(edge).description, "--shard", shard])
    }

    func startEdges() async throws {
        try await startEdge("edge-1", shard: "0/2")
        try await startEdge("edge-2", shard: "1/2")
    }

    func kill(_ name: String) async {
        guard let process = await network.process(name) else { return }
        process.kill()
        await process.waitForExit()
    }

    /// All that it has said.
    func log(_ name: String) async -> String { await network.process(name)?.wholeLog ?? "" }

    func until(_ name: String, says text: String) async throws {
        try await eventually("\(name) says '\(text)'") { await log(name).contains(text) }
    }

    /// Waits for what a worker may never come to say where the job went on without it.
    func untilInTime(_ name: String, says text: String) async throws {
        try await eventually("\(name) says '\(text)', or the job is over") {
            if await log(name).contains(text) { return true }
            return try await status().phase.isOver
        }
        try asPlanned(await log(name).contains(text), "\(name) did not say '\(text)'")
    }

    /// Exit status of a worker that is about to end.
    func end(of name: String) async throws -> Int32 {
        let process = try #require(await network.process(name))
        try await eventually("\(name) ends") { !process.isRunning }
        return process.exitStatus ?? -1
    }

    func status() async throws -> JobStatus { try await network.withClient { try await $0.jobStatus(service) } }

    func untilOver() async throws -> JobStatus {
        try await eventually("the job is over") { try await status().phase.isOver }
        return try await status()
    }
}
