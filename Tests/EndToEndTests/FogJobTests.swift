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
@Suite(.serialized, .timeLimit(.minutes(20))) struct FogJobTests {
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
            // As many as it takes until the newcomer is there.
            try await stage.register(fogNodes: 2, rounds: 1_000, open: "10s", more: "committee: val-1")
            try await stage.start("val-1", ["--role", "validator", "--data", stage.images.path])
            try await stage.start("cloud", ["--role", "cloud", "--data", stage.images.path])
            try await stage.start("fog-1", ["--role", "fog", "--data", stage.images.path, "--shard", "0/2"])
            try await stage.until("fog-1", says: "closed  round 0")
            func jobHistory() async throws -> [JobRound] {
                try await stage.network.withClient { try await $0.jobHistory(stage.service) }
            }
            #expect(try await jobHistory().first?.participants == 2)
            // The same samples as the other's: it works, and both say so.
            try await stage.start("fog-2", ["--role", "fog", "--data", stage.images.path, "--shard", "0/2"])
            let account = try stage.account("fog-2")
            try await eventually("its work is accepted") {
                let participants = try await stage.network.withClient { try await $0.jobParticipants(stage.service) }
                return participants.first { $0.account == account }.map { $0.acceptedRounds > 0 } == true
            }
            for name in ["fog-1", "fog-2"] { try await stage.until(name, says: "about 100 % of the samples are") }
            #expect(try await jobHistory().contains { $0.participants == 3 })
            let aborted = try await stage.network.cli("job", "abort", FogJobStage.job, "--from", "owner", "--yes")
            #expect(aborted.status == 0, "\(aborted.err)")
            for name in ["fog-1", "fog-2"] { #expect(try await stage.end(of: name) == 1) }
        }
    }
}
