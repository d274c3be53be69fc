import ChainClient
import Foundation
import JobProtocol
import TestSupport
import Testing

/// Apart from the others, since the contract's shortest times are waited for here.
@Suite(.timeLimit(.minutes(20))) struct PrivacyJobTests {
    /// 480 samples in batches of 8 with a noise of 1.5: epsilon is 0.68 after two rounds and 0.78 after three.
    @Test func aJobStopsWhenItsPrivacyBudgetIsSpent() async throws {
        try await FogJobStage.with(accounts: ["cloud", "fog-1"]) { stage in
            try await stage.register(
                fogNodes: 1, rounds: 5, commitMax: "10s",
                more: "clipNorm: 1\nnoiseMultiplier: 1.5\ndelta: 0.00001\nepsilonBudget: 0.73")
            let foreseen = try await stage.network.cli(
                "job", "check", stage.folder.appending(path: "job.yaml").path, "--samples", "480")
            #expect(foreseen.status == 1, "\(foreseen.err)")
            #expect(foreseen.out.contains("the privacy budget is spent after 2 of 5 rounds"), "\(foreseen.out)")
            try await stage.start("cloud", ["--role", "cloud", "--data", stage.images.path])
            try await stage.start("fog-1", ["--role", "fog", "--data", stage.images.path])
            // It says why it leaves, and does not come back.
            #expect(try await stage.end(of: "fog-1") == 1)
            #expect(stage.wholeLog("fog-1").contains("the privacy budget"))
            try await eventually("the job rests") {
                try await stage.network.withClient { try await $0.jobStatus(stage.service) }.phase == .paused
            }
            let status = try await stage.network.withClient { try await $0.jobStatus(stage.service) }
            #expect(status.acceptedRounds == 2 && status.reason.contains("fewer workers than the quorum"), "\(status)")
        }
    }
}
