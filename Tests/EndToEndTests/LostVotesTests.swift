import ChainClient
import Foundation
import LocalNetwork
import Primitives
import Testing

/// A masternode whose journal was removed says so wherever its operator looks, does not vote, and comes back at its
/// operator's word.
@Suite(.timeLimit(.minutes(20))) struct LostVotesTests {
    @Test func aRemovedJournalIsToldAndThereIsAWayBack() async throws {
        let network = try TestNetwork(masternodes: 4)
        try await network.use { network in
            let alice = try network.key("alice")
            func record(_ value: UInt8) async throws {
                try await network.withClient([0]) { client in
                    let sender = try await TransactionSender(client: client, key: alice)
                    try await sender.perform(
                        TransactionRequest(
                            service: ServiceId(unchecked: Array("log".utf8)), action: .applicationTask, data: [value]),
                        timeout: .seconds(110))
                }
            }
            func notVoting() async throws -> String? {
                try await network.withClient([3]) { try await $0.status().notVoting }
            }
            for value in 0..<6 as Range<UInt8> { try await record(value) }
            try await network.withClient([3]) { client in
                try await eventually("all vote") { try await client.status().notVoting == nil }
            }
            await network.stop(3)
            try FileManager.default.removeItem(at: network.plan.home(3).journalFile)
            try await network.start(3)
            try await network.untilReady(3)
            #expect(try #require(try await notVoting()).contains("journal that holds these votes is gone"))
            let status = try await network.cli("masternode", "status", node: 3)
            #expect(status.out.contains("only observes") && !status.out.contains("nothing: it takes part"))
            let metrics = try await network.withClient([3]) { try await $0.metrics() }
            #expect(metrics.contains("edgeproof_observing 1"))
            #expect(network.wholeLog(3).contains("this node does not vote"))
            // Three of four go on without it; and it is told at the next start too.
            try await record(7)
            await network.stop(3)
            try await network.start(3)
            try await network.untilReady(3)
            #expect(try await notVoting() != nil)
            // Its operator knows better, and one more is away: now its votes are needed.
            await network.stop(3)
            let command = try network.plan.command(3, arguments: ["--rejoin"])
            let back = try ChildProcess(
                name: "node3", program: command.program, arguments: command.arguments, logFile: command.logFile,
                environment: command.environment)
            await network.add(back)
            try await network.untilReady(3)
            try await network.withClient([3]) { client in
                try await eventually("it takes part") { try await client.status().notVoting == nil }
            }
            await network.stop(2)
            try await record(8)
            try await network.start(2)
            try await network.untilReady(2)
            // Without the command, and without a word of it: it is over.
            await network.stop(3)
            try await network.start(3)
            try await network.untilReady(3)
            try await eventually("nothing keeps it from voting") { try await notVoting() == nil }
            try await network.expectSameRoots()
        }
    }
}
