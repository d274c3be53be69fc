import ChainClient
import Foundation
import LocalNetwork
import Primitives
import Testing

/// Seven real masternodes tolerate two faulty ones, of whatever kind: here one is killed, and in the place of another
/// runs the test program `ByzantineNode`, which sends conflicting votes to its peers in every view. The five others go
/// on finalising, and find it out. With three stopped nothing becomes final, until one comes back.
@Suite(.timeLimit(.minutes(20))) struct SevenMasternodesTests {
    private static let byzantine = 6

    @Test func oneIsDeadAndOneLiesAndFiveGoOn() async throws {
        let byzantine = Self.byzantine
        let network = try TestNetwork(masternodes: 7, serving: Array(0..<byzantine)) { plan, index in
            guard index == byzantine else { return try plan.start(index) }
            let command = try plan.command(index)
            return try ChildProcess(
                name: "node\(index)", program: try Programs.url("ByzantineNode"),
                arguments: ["--home", plan.home(index).folder.path], logFile: command.logFile,
                environment: command.environment)
        }
        try await network.use { network in
            let alice = try network.key("alice")
            await network.kill(5)
            try await network.withClient([0, 1, 2]) { client in
                let sender = try await TransactionSender(client: client, key: alice)
                for index in 0..<8 { try await sender.perform(Self.record(UInt8(index)), timeout: .seconds(110)) }
            }
            try await network.expectContradictionFound(by: byzantine, honest: 0..<6)

            // Three of seven: a quorum is five.
            await network.kill(4)
            await network.kill(byzantine)
            let waiting = try await network.withClient([0]) { client in
                try await TransactionSender(client: client, key: alice).send(Self.record(100))
            }
            try await Task.sleep(for: .seconds(2))
            for index in 0..<4 {
                try await network.withClient([index]) { client in
                    let found = try await client.transaction(waiting)
                    #expect(found?.inclusion == nil, "node\(index)")
                }
            }
            try await network.start(4)
            try await network.withClient([0]) { client in
                try await eventually("five of seven finalise it") {
                    (try await client.transaction(waiting))?.inclusion != nil
                }
            }
            try await network.start(5)
            for index in [4, 5] { try await network.untilReady(index) }
            try await network.expectSameRoots()
        }
    }

    private static func record(_ value: UInt8) -> TransactionRequest {
        TransactionRequest(
            service: ServiceId(unchecked: Array("log".utf8)), action: .applicationTask, data: [value])
    }
}

extension TestNetwork {
    /// An honest masternode holds both votes of a contradiction, and no honest one is ever accused.
    func expectContradictionFound(by liar: Int, honest: Range<Int>) async throws {
        let mark = "a masternode contradicted itself"
        func accusations() -> [Substring] {
            honest.flatMap { wholeLog($0).split(separator: "\n").filter { $0.contains(mark) } }
        }
        try await eventually("the contradiction is found") { !accusations().isEmpty }
        for line in accusations() { #expect(line.contains("signer=\(liar)"), "\(line)") }

        // Some honest node has reported it, and the ledger of each has taken its collateral.
        let key = genesis.masternodes.members[liar].consensusKey
        for index in honest where await process("node\(index)")?.isRunning == true {
            try await eventually("the liar is slashed on node\(index)") {
                let listed = try await self.cli("masternode", "list", "--json", node: index)
                guard listed.status == 0, let document = listed.json, let all = document["masternodes"] as? [[String: Any]]
                else { return false }
                let slashed = all.filter { (($0["status"] as? [String: Any])?["kind"] as? String) == "slashed" }
                    .compactMap { $0["consensusKey"] as? String }
                #expect(slashed.isEmpty || slashed == [key.hex], "only the liar is slashed")
                return slashed == [key.hex]
            }
        }
    }
}
