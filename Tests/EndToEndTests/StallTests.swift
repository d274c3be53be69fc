import ChainClient
import Foundation
import Testing

/// A network that lacks a quorum: every way of asking says so, by whom it waits, and what to do.
@Suite(.serialized, .timeLimit(.minutes(20))) struct StallTests {
    @Test func aStalledNetworkSaysSo() async throws {
        try await TestNetwork.with(masternodes: 4) { network in
            try await eventually("it runs") {
                let before = try await network.cli("status")
                return before.status == 0 && before.out.contains("running; newest block")
            }
            // A vote of each stands in a block after a few heartbeats.
            try await eventually("a masternode takes part") {
                try await network.cli("masternode", "status").out.contains("nothing: it takes part")
            }

            await network.kill(2)
            await network.kill(3)
            try await eventually("status says that the chain stands still") {
                try await network.cli("status").status == 1
            }
            let status = try await network.cli("status")
            for text in ["STALLED", "2 of 4 masternodes reachable, quorum 3", "What to do", "1 more is back"] {
                #expect(status.out.contains(text), "\(status.out)")
            }
            let json = try await network.cli("status", "--json")
            #expect(json.status == 1)
            let liveness = try #require(json.json?["liveness"] as? [String: Any])
            #expect(liveness["stalled"] as? Bool == true && liveness["reachable"] as? Int == 2 && liveness["quorum"] as? Int == 3)
            let member = try await network.cli("masternode", "status")
            #expect(member.status == 1 && member.out.contains("the chain stands still"), "\(member.out)")
            #expect(!member.out.contains("nothing: it takes part"))
            let metrics = try await network.withClient([0]) { try await $0.metrics() }
            #expect(metrics.contains("edgeproof_stalled 1"))
            try await eventually("the log says so") { network.wholeLog(0).contains("the chain stands still") }

            try await network.start(2)
            try await eventually("it goes on") { try await network.cli("status").status == 0 }
            try await eventually("the log says that, too") { network.wholeLog(0).contains("the chain goes on") }
        }
    }
}
