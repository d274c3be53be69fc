import APIModel
import ChainClient
import Cryptography
import Foundation
import JobProtocol
import LocalNetwork
import Primitives
import TestSupport
import Testing

/// Fog jobs whose participants die, are slow, withhold, and are lied to.
@Suite(.serialized, .timeLimit(.minutes(20))) struct FogFaultTests {
    /// Six fog nodes: two die in mid-round, one is slow, one commits and never reveals, and one asks a node that lies about
    /// keys. Then the leading cloud dies. Every round ends by its deadline, and what stands in each history is what the
    /// rules of reputation say of what its account did, no more and no less.
    @Test(.timeLimit(.minutes(20))) func everyRoundEndsAndEachIsFoundWhatItDid() async throws {
        let nodes = (1...6).map { "fog-\($0)" }
        try await FogJobStage.played(accounts: ["cloud", "cloud-2"] + nodes) { stage in
            try await stage.fundMasternode()
            try await stage.register(
                fogNodes: 6, rounds: 3, quorum: 2, validator: try stage.masternode().description, commitMax: "10s",
                revealAndValidate: "10s", more: "clouds: 2")
            let liar = try await LyingAPI.start(
                before: stage.network.plan.apiURL(0), key: KEMPrivateKey.generate().publicKey)
            do { try await play(stage, nodes, liar) } catch {
                await liar.stop()
                throw error
            }
            await liar.stop()
        }
    }

    private func play(_ stage: FogJobStage, _ nodes: [String], _ liar: LyingAPI) async throws {
        try await stage.startValidator()
        let cloud = ["--role", "cloud", "--data", stage.images.path, "--no-try-updates"]
        try await stage.start("cloud", cloud)
        try await stage.until("cloud", says: "joined")
        let model = stage.folder.appending(path: "model.bin")
        try await stage.start("cloud-2", cloud + ["--model", model.path])
        for (index, name) in nodes.enumerated() {
            let faults =
                switch name {
                // Of the three rounds the first alone.
                case "fog-4": ["--fault", "withhold:0.4", "--fault-seed", "16"]
                case "fog-3": ["--fault", "slow:1"]
                default: [String]()
                }
            try await stage.start(
                name, nodes: name == "fog-1" ? [liar.url, stage.network.plan.apiURL(0)] : nil,
                ["--role", "fog", "--data", stage.images.path, "--shard", "\(index)/6"] + faults)
        }
        for name in ["fog-5", "fog-6"] {
            try await stage.untilInTime(name, says: "started  round 0")
            await stage.kill(name)
        }
        try await stage.untilInTime("fog-1", says: "closed  round 0")
        await stage.kill("cloud")
        let status = try await stage.untilOver()
        #expect(status.phase == .finished, "\(status.reason)")

        let rounds = try await stage.network.withClient { try await $0.jobHistory(stage.service) }
        try asPlanned(rounds.map(\.outcome) == [.accepted, .starved, .accepted], "\(rounds)")
        // These are what the test is about; the others follow from when the killed ones died. Slow is no fault within the time.
        for (name, expected) in [
            ("fog-1", ["accepted", "accepted"]), ("fog-2", ["accepted", "accepted"]), ("fog-3", ["accepted", "accepted"]),
            ("fog-4", ["notRevealed", "accepted"]), ("cloud-2", ["accepted"]),
        ] {
            let found = try await stage.findings(name)
            try asPlanned(found == expected, "\(name): \(found)")
        }
        for name in ["fog-1", "fog-2", "fog-3", "fog-4", "cloud-2"] {
            #expect(try await stage.end(of: name) == 0, "\(name)")
        }
        #expect(FileManager.default.fileExists(atPath: model.path), "the cloud that took over has the model")
        let record = try await JobRecord(stage, clouds: ["cloud", "cloud-2"], workers: nodes)
        for name in ["cloud", "cloud-2"] + nodes {
            let (found, expected) = (try await stage.findings(name), record.expectedFindings(of: name, in: rounds))
            #expect(found == expected, "\(name)")
        }
        for name in ["fog-5", "fog-6"] {
            #expect(try await stage.findings(name).last == "absent", "\(name)")
            let account = try stage.account(name)
            let member = try await stage.network.withClient { try await $0.jobParticipants(stage.service) }
                .first { $0.account == account }
            #expect(member?.standing == .suspended, "\(name): two misses in a row")
        }
        // The liar was seen through by the state's proof, told of, and the other node asked.
        let said = stage.wholeLog("fog-1")
        #expect(said.contains("a node's answer does not hold, and is not used"), "\(said)")
        #expect(said.contains("a node names another key for"), "\(said)")
        #expect(!stage.wholeLog("fog-2").contains("a node names another key for"), "its node is honest")
        #expect(liar.lies > 0)
    }

    /// An asynchronous job: rounds close at two of three updates, nobody waits for the slow one, and its work goes into a
    /// later round.
    @Test(.timeLimit(.minutes(20))) func anAsynchronousJobWaitsForNobody() async throws {
        let nodes = (1...3).map { "fog-\($0)" }
        try await FogJobStage.played(accounts: ["cloud"] + nodes) { stage in
            try await stage.fundMasternode()
            try await stage.register(
                fogNodes: 3, rounds: 200, quorum: 1, validator: try stage.masternode().description, commitMax: "10s",
                revealAndValidate: "10s",
                more: "mode: asynchronous\nbufferedUpdates: 2\ninputAudit: committee")
            let shown = try await stage.network.cli("job", "show", FogJobStage.job)
            #expect(shown.out.contains("asynchronous: a round closes at 2 of 3 workers"), "\(shown.out)")
            try await stage.startValidator(auditShare: 1)
            let model = stage.folder.appending(path: "model.bin")
            try await stage.start("cloud", ["--role", "cloud", "--data", stage.images.path, "--model", model.path])
            for (index, name) in nodes.enumerated() {
                try await stage.start(
                    name,
                    ["--role", "fog", "--data", stage.images.path, "--shard", "\(index)/3"]
                        + (name == "fog-3" ? ["--fault", "slow:1"] : []))
            }
            func jobHistory() async throws -> [JobRound] {
                try await stage.network.withClient { try await $0.jobHistory(stage.service) }
            }
            try await eventually("the slow one's work is used late, in one of many rounds") {
                if try await jobHistory().count >= 60 { return true }
                return try await stage.findings("fog-3").contains("lateButUsed")
            }
            try asPlanned(try await stage.findings("fog-3").contains("lateButUsed"), "the slow one was never late")
            try await eventually("six rounds are closed") { try await jobHistory().count >= 6 }
            try await stage.until("consensus", says: "done again, all match")
            let aborted = try await stage.network.cli("job", "abort", FogJobStage.job, "--from", "owner", "--yes")
            #expect(aborted.status == 0, "\(aborted.err)")
            _ = try await stage.untilOver()
            let rounds = try await jobHistory()
            try asPlanned(rounds.filter { $0.outcome == .accepted }.count >= 5, "\(rounds.map(\.outcome))")
            let fine: Set = ["accepted", "auditedMatch", "lateButUsed"]
            for name in ["cloud"] + nodes {
                let found = try await stage.findings(name)
                // A round that runs into its deadline does find who was too slow for it.
                try asPlanned(!found.isEmpty && Set(found).isSubset(of: fine), "\(name): \(found)")
            }
            for name in nodes { #expect(try await stage.end(of: name) == 1) }
            #expect(try await stage.end(of: "cloud") == 1)
            let evaluated = try await stage.network.run(
                "chain-worker",
                ["evaluate", "--model", model.path, "--data", stage.images.path, "--job", FogJobStage.job, "--json"])
            #expect(evaluated.json?["isChainCheckpoint"] as? Bool == true, "\(evaluated.out) \(evaluated.err)")
        }
    }

    /// Who can't do a job is told before any money is spent.
    @Test func whatCannotBeAsynchronousIsRefusedByName() async throws {
        try await TestNetwork.with(masternodes: 1, accounts: ["owner", "judge"]) { network in
            let file = network.plan.folder.appending(path: "bad.yaml")
            func refused(_ more: String, _ reason: String) async throws {
                try """
                    id: bad
                    protocol: fog
                    fogNodes: 5
                    rounds: 2
                    batchSize: 8
                    learningRate: 0.1
                    openTimeout: 60s
                    commitMin: 10s
                    commitMax: 15s
                    revealTimeout: 10s
                    validateTimeout: 10s
                    validator: judge
                    \(more)

                    """.write(to: file, atomically: true, encoding: .utf8)
                let checked = try await network.cli("job", "check", file.path)
                #expect(checked.status == 2 && checked.err.contains(reason), "\(more): \(checked.err)")
            }
            try await refused("mode: asynchronous\nquorum: 3\naggregation: secureSum:3", "it needs mode: synchronous")
            try await refused("mode: asynchronous\nquorum: 3\nbufferedUpdates: 2", "bufferedUpdates is not between quorum and workers")
            try await refused("bufferedUpdates: 2", "bufferedUpdates is for the asynchronous mode")
            try await refused("mode: sometimes", "mode 'sometimes' is not one of: asynchronous, synchronous")
        }
    }
}

/// What the participants of a synchronous job did, by their histories, and what has to be found about it.
struct JobRecord {
    private struct Did {
        var commits: Set<UInt32> = []
        var reveals: [UInt32: JobReveal] = [:]
    }

    private var did: [String: Did] = [:]
    private let clouds: [String]
    private let workers: [String]
    /// By name; places are given in the order of confirmation.
    private var places: [String: UInt16] = [:]

    init(_ stage: FogJobStage, clouds: [String], workers: [String]) async throws {
        self.clouds = clouds
        self.workers = workers
        let participants = try await stage.network.withClient { try await $0.jobParticipants(stage.service) }
        for name in clouds + workers {
            let account = try stage.account(name)
            places[name] = participants.first { $0.account == account }?.index
            let history = try await stage.network.withClient { try await $0.history(of: account) }
            var done = Did()
            for action in try #require(history).entries.compactMap(\.action) where action.outcome.kind == .succeeded {
                let post = String(decoding: action.transaction.postId.bytes, as: UTF8.self)
                guard action.transaction.actionId == 6, let round = UInt32(post.dropFirst().dropLast(2)) else { continue }
                switch post.last {
                case "c": done.commits.insert(round)
                case "r":
                    let data = try #require(action.transaction.data?.wrappedValue)
                    done.reveals[round] = try JobReveal(borsh: data)
                default: break
                }
            }
            did[name] = done
        }
    }

    /// Section 5 of the architecture, row by row, for a job without audits and late work.
    func expectedFindings(of name: String, in rounds: [JobRound]) -> [String] {
        var findings: [String] = []
        var misses = 0
        for round in rounds where round.outcome != .starved {
            // A validated round has a lead that revealed.
            guard let lead = clouds.first(where: { did[$0]?.reveals[round.round] != nil }),
                let partners = did[lead]?.reveals[round.round]?.partners
            else { continue }
            func isMatched(_ worker: String) -> Bool {
                guard let reveal = did[worker]?.reveals[round.round], round.outcome == .accepted else { return false }
                return partners.contains { $0.index == places[worker] && $0.root == reveal.stepsRoot && $0.use == .used }
            }
            if clouds.contains(name) {
                if name == lead, workers.contains(where: isMatched) { findings.append("accepted") }
                continue
            }
            // Two misses in a row suspend.
            guard misses < 2 else { continue }
            if did[name]?.reveals[round.round] != nil {
                misses = 0
                if isMatched(name) { findings.append("accepted") }
            } else {
                misses += 1
                findings.append(did[name]?.commits.contains(round.round) == true ? "notRevealed" : "absent")
            }
        }
        return findings
    }
}
