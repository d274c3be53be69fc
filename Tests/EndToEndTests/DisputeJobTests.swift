import APIModel
import ChainClient
import Cryptography
import Foundation
import JobProtocol
import KeyFiles
import LocalNetwork
import Primitives
import TestSupport
import Testing

/// Liars and copiers among real workers: audited, accused on the chain, found by a jury of masternodes, and gone.
///
/// One seed of the faults in each run; with `EDGEPROOF_LIAR_SEEDS=0..19` (scripts/liars) all of these are played, with one lie
/// in ten steps in both protocols, and what became of each is printed.
@Suite(.serialized, .timeLimit(.minutes(20))) struct DisputeJobTests {
    private static let chosen = ProcessInfo.processInfo.environment["EDGEPROOF_LIAR_SEEDS"].flatMap(range)
    static let seeds = Array(chosen ?? 0...0)

    /// `FIRST..LAST`, as `scripts/liars` writes it.
    private static func range(_ text: String) -> ClosedRange<UInt64>? {
        let ends = text.components(separatedBy: "..").compactMap { UInt64($0) }
        guard ends.count == 2, ends[0] <= ends[1], ends[1] < 1_000_000 else { return nil }
        return ends[0]...ends[1]
    }

    /// A fog node's round is one step: alone in a test it lies in half of them, so that it is soon found.
    @Test(arguments: seeds) func aFogNodeThatLiesIsTombstonedAndNobodyElse(seed: UInt64) async throws {
        try await DisputeStage.with(workers: ["cloud", "fog-1", "fog-2", "fog-3"]) { stage in
            try await stage.registerFog(3)
            try await stage.start("cloud", ["--role", "cloud", "--no-try-updates"])
            try await stage.start("fog-1", ["--role", "fog", "--shard", "0/3"], stays: true)
            try await stage.start(
                "fog-2",
                ["--role", "fog", "--shard", "1/3", "--fault", Self.chosen == nil ? "lie:0.5" : "lie:0.1", "--fault-seed", "\(seed)"])
            try await stage.start(
                "fog-3", ["--role", "fog", "--shard", "2/3", "--fault", "copy:0.2", "--fault-seed", "\(seed)"])
            try await stage.expect(tombstoned: ["fog-2"], of: ["cloud", "fog-1", "fog-2", "fog-3"])
            try await stage.expectToStay("fog-1", notToStay: "cloud")
            try await stage.expectNothingForCopies(of: "fog-3", among: ["fog-1", "fog-2"], seed: seed)
        }
    }

    @Test(arguments: seeds) func anEdgeThatLiesInOneStepOfTenIsTombstonedAndNobodyElse(seed: UInt64) async throws {
        try await DisputeStage.with(workers: ["cloud", "edge-1", "edge-2", "edge-3"]) { stage in
            try await stage.register("protocol: split\nedges: 3\nstepsPerRound: 4")
            try await stage.start("cloud", ["--role", "cloud"])
            try await stage.start("edge-1", ["--role", "edge", "--shard", "0/3"])
            try await stage.start(
                "edge-2", ["--role", "edge", "--shard", "1/3", "--fault", "lie:0.1", "--fault-seed", "\(seed)"])
            try await stage.start(
                "edge-3", ["--role", "edge", "--shard", "2/3", "--fault", "copy:0.2", "--fault-seed", "\(seed)"])
            try await stage.expect(tombstoned: ["edge-2"], of: ["cloud", "edge-1", "edge-2", "edge-3"])
            try await stage.expectNothingForCopies(of: "edge-3", among: ["edge-1", "edge-2"], seed: seed)
        }
    }

    /// Killed after the reveal and before anybody audits: what a step worked on is on the disk, and the auditor, who comes
    /// later still, gets it.
    @Test func whoRestartsBeforeTheAuditStillAnswers() async throws {
        try await DisputeStage.with(workers: ["cloud", "fog-1", "fog-2"]) { stage in
            try await stage.registerFog(2, judges: false)
            func start(_ name: String) async throws {
                switch name {
                case "cloud": try await stage.start(name, ["--role", "cloud", "--no-try-updates"])
                case "fog-1": try await stage.start(name, ["--role", "fog", "--shard", "0/2"])
                default: try await stage.start(name, ["--role", "fog", "--shard", "1/2"])
                }
            }
            for name in ["cloud", "fog-1", "fog-2"] { try await start(name) }
            try await eventually("the round waits for its validation") {
                try await stage.network.withClient { try await $0.jobStatus(stage.service) }.phase == .validate
            }
            for name in ["cloud", "fog-1"] {
                let process = try #require(await stage.network.process(name))
                process.kill()
                await process.waitForExit()
                try await start(name)
            }
            for name in ["cloud", "fog-1"] {
                try await eventually("\(name) is there again") {
                    stage.wholeLog(name).components(separatedBy: "joined").count > 2
                }
            }
            try await stage.startJudges()
            for name in ["cloud", "fog-1", "fog-2"] {
                let account = try stage.account(name).description
                try await eventually("\(name)'s work is done again") {
                    let said = stage.wholeLog("judge-0")
                    try #require(!said.contains("does not hand over") && !said.contains("does not answer"), "\(said)")
                    return said.contains("\(account): 1 done again, all match")
                }
            }
            try await eventually("the round is closed") {
                try await stage.findings("fog-1").contains("auditedMatch")
            }
            for name in ["cloud", "fog-1", "fog-2"] {
                let found = try await stage.findings(name)
                try #require(Set(found).isSubset(of: ["auditedMatch", "accepted"]), "\(name): \(found)")
            }
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
                for name in workers + (0..<4).map({ "judge-\($0)" }) {
                    print("--- \(name)\n\(stage.wholeLog(name).suffix(10_000))")
                }
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

    func registerFog(_ nodes: Int, judges: Bool = true) async throws {
        let model = try model(
            """
            input: [1, 28, 28]
            classes: 10
            layers:
              - flatten
              - dense: {name: fc1, units: 8}
              - relu
              - dense: {name: output, units: 10}

            """)
        try await register("protocol: fog\nmodel: \(model)\nfogNodes: \(nodes)", judges: judges)
    }

    /// Registers the job, and starts the four judges: every masternode's operator runs one.
    func register(_ fields: String, judges: Bool = true) async throws {
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
        rounds: 400
        batchSize: 8
        learningRate: 0.02
        openTimeout: 5min
        commitMin: 10s
        commitMax: 15s
        revealTimeout: 15s
        validateTimeout: 4min
        epsilon: 1
        inputAudit: committee
        validator: \(try masternode(0).description)
        validationSamples: 50
        deposit: 60000000000
        \(fields)

        """.write(to: spec, atomically: true, encoding: .utf8)
        let registered = try await network.cli(
            "job", "register", spec.path, "--contract", contract.path, "--from", "owner")
        try #require(registered.status == 0, "\(registered.err)")
        if judges { try await startJudges() }
    }

    func startJudges() async throws {
        for index in 0..<4 {
            try await start(
                "judge-\(index)",
                ["--role", "validator", "--audit-share", "1", "--keys", network.plan.home(index).keysFolder.path],
                key: "consensus", node: index)
        }
    }

    func start(
        _ name: String, _ arguments: [String], key: String? = nil, node: Int = 0, stays: Bool = false
    ) async throws {
        await network.add(
            try ChildProcess(
                name: name, program: try Programs.url("chain-worker"),
                arguments: [
                    "run", stays ? "--stay" : "--no-stay", "--job", Self.job, "--data", images.path, "--key", key ?? name,
                    "--state",
                    folder.appending(path: "state-\(name)", directoryHint: .isDirectory).path, "--node",
                    network.plan.apiURL(node),
                ] + arguments,
                logFile: folder.appending(path: "\(name).log"), environment: network.plan.environment))
    }

    /// All that it has said.
    func wholeLog(_ name: String) -> String {
        (try? Data(contentsOf: folder.appending(path: "\(name).log"))).map { String(decoding: $0, as: UTF8.self) } ?? ""
    }

    private func findings(_ account: Account) async throws -> [String] {
        try await network.withClient { client in
            try await client.wholeHistory(of: account).compactMap(\.finding).map(\.kind)
        }
    }

    func findings(_ name: String) async throws -> [String] { try await findings(account(name)) }

    /// Who commits to another's commitment can't open it: such a round gives a fault, and neither pay nor credit.
    func expectNothingForCopies(of copier: String, among others: [String], seed: UInt64) async throws {
        func done(_ name: String) async throws -> (commits: [UInt32: [UInt8]], reveals: Set<UInt32>) {
            let history = try await network.withClient { try await $0.wholeHistory(of: try account(name)) }
            var (commits, reveals) = ([UInt32: [UInt8]](), Set<UInt32>())
            for action in history.compactMap(\.action) where action.outcome.kind == .succeeded {
                let post = String(decoding: action.transaction.postId.bytes, as: UTF8.self)
                guard action.transaction.actionId == 6, let round = UInt32(post.dropFirst().dropLast(2)) else { continue }
                if post.hasSuffix("c") { commits[round] = action.transaction.data?.wrappedValue }
                if post.hasSuffix("r") { reveals.insert(round) }
            }
            return (commits, reveals)
        }
        let own = try await done(copier)
        var copies: Set<UInt32> = []
        for other in others {
            let theirs = try await done(other).commits
            copies.formUnion(own.commits.filter { $0.value == theirs[$0.key] }.keys)
        }
        let closed = try await network.withClient { try await $0.jobHistory(service) }.filter { $0.outcome != .starved }
        let found = try await findings(copier)
        let its = try account(copier)
        let member = try await network.withClient { try await $0.jobParticipants(service) }.first { $0.account == its }
        let earned = found.filter { ["accepted", "auditedMatch", "lateButUsed"].contains($0) }.count
        print(
            "seed \(seed): \(closed.count) rounds validated; \(copier) copied in \(copies.sorted()), "
                + "was credited in \(earned) of its own \(own.reveals.count), and not revealed \(found.count { $0 == "notRevealed" }) times")
        // Nobody honest is found to have done anything wrong.
        for name in ["cloud"] + others {
            let found = try await findings(name)
            // The liar is the other test's subject.
            guard !found.contains("fraud") else { continue }
            let wrong = found.filter { ["outlier", "notRevealed"].contains($0) }
            #expect(wrong.isEmpty, "\(name): \(wrong)")
        }
        #expect(copies.isDisjoint(with: own.reveals))
        #expect(earned <= own.reveals.count && Int(member?.acceptedRounds ?? 0) == earned)
        // A copy that came late is a commitment to the next round.
        let judged = copies.filter { copy in closed.contains { $0.round == copy } && closed.contains { $0.round > copy } }
        #expect(found.count { $0 == "notRevealed" } >= judged.count, "copied in \(copies.sorted()): \(found)")
    }

    /// The job is over, and its last rounds' work can still be disputed: who may be asked for it is there, or told what it
    /// means to leave.
    func expectToStay(_ name: String, notToStay other: String) async throws {
        try await eventually("\(name) says that it stays") { wholeLog(name).contains("this worker stays to answer") }
        let process = try #require(await network.process(name))
        #expect(process.isRunning)
        let leaver = try #require(await network.process(other))
        try await eventually("\(other) ends") { !leaver.isRunning }
        #expect(wholeLog(other).contains("who is silent in a dispute can be found a liar"))
        #expect(process.isRunning, "it stays")
    }

    func expect(tombstoned liars: [String], of workers: [String]) async throws {
        for name in liars {
            let account = try account(name)
            try await eventually("\(name) is found a liar", within: .seconds(DisputeJobTests.seeds.count > 1 ? 1_500 : 600)) {
                try await findings(account).contains("fraud")
            }
            // Its worker learns of it, and ends.
            let process = try #require(await network.process(name))
            try await eventually("\(name) ends") { !process.isRunning }
            #expect(process.exitStatus == 1)
            #expect(wholeLog(name).contains("a jury found this account's work false"))
        }
        let aborted = try await network.cli("job", "abort", Self.job, "--from", "owner", "--yes")
        #expect(aborted.status == 0, "\(aborted.err)")
        // The running round comes to its end first: what follows is read of one and the same state.
        try await eventually("the job is over") {
            try await network.withClient { try await $0.jobStatus(service) }.phase.isOver
        }
        for name in workers where !liars.contains(name) {
            #expect(try await !findings(account(name)).contains("fraud"), "\(name)")
        }
        for index in 0..<4 { #expect(try await !findings(masternode(index)).contains("fraud")) }
        let round = try await network.withClient { try await $0.jobStatus(service) }.round
        print("\(liars.joined(separator: ", ")) tombstoned by round \(round); nobody else of \(workers.count) workers and 4 judges")
        // Both sides have shown what they computed before the jury voted.
        #expect(wholeLog("judge-0").contains("accused of step"))
    }
}
