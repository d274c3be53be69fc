import ChainClient
import Cryptography
import Foundation
import LocalNetwork
import Primitives
import Testing

/// A network of real processes that changes its masternodes while it works.
@Suite(.timeLimit(.minutes(20))) struct MembershipTests {
    /// Epochs of a second and a half.
    private static var parameters: Parameters {
        var parameters = Parameters()
        parameters.heartbeatMs = 300
        parameters.epochBlocks = 4
        parameters.epochMs = 1_500
        parameters.unbondingMs = 1_000
        parameters.evidenceEpochs = 1
        return parameters
    }

    /// From one masternode to four, to seven, back to four and to one. Records become final all the while.
    @Test func aNetworkGrowsAndShrinksWhileItWorks() async throws {
        let network = try TestNetwork(masternodes: 7, founders: 1, parameters: Self.parameters)
        try await network.use { network in
            let alice = Account(try network.key("alice").publicKey)
            let collateral = UInt128(network.genesis.parameters.collateral)
            let before = try await network.withClient([0]) { try await $0.account(alice)?.balance }
            let recorder = Recorder(key: try network.key("bob"))

            for group in [1..<4, 4..<7] {
                for index in group {
                    let home = network.plan.home(index).folder.path
                    let done = try await network.cli("masternode", "register", "--home", home, "--from", "alice", "--wait")
                    #expect(done.status == 0, "\(done.err)")
                    try await network.start(index)
                }
                try await recorder.record(network, until: "\(group.upperBound) masternodes agree") {
                    // On a loaded machine one may be too slow to be seen in an epoch this short: its owner does what the
                    // log says.
                    for name in try await network.suspended() {
                        print("resuming \(name), which was not seen for an epoch")
                        _ = try await network.cli("masternode", "resume", name, "--from", "alice", "--wait")
                    }
                    return try await network.activeSet().count == group.upperBound
                }
                let whole = try await network.withClient([0]) { try await $0.account(alice)?.balance }
                #expect(whole == before.map { $0 - collateral * UInt128(group.upperBound - 1) })
            }
            // All of them are needed: of seven, two may be missing.
            await network.kill(5)
            await network.kill(6)
            try await recorder.record(network, count: 3)
            for index in [5, 6] { try await network.start(index) }

            for group in [4..<7, 1..<4] {
                for index in group {
                    let key = try #require(try await network.masternode(named: "node\(index)")).consensusKey
                    let done = try await network.cli("masternode", "unregister", key.hex, "--from", "alice", "--wait", "--yes")
                    #expect(done.status == 0, "\(done.err)")
                }
                try await recorder.record(network, until: "\(group.lowerBound) masternodes agree") {
                    try await network.activeSet().count == group.lowerBound
                }
                // Whoever left is needed no more.
                for index in group { await network.stop(index) }
                try await recorder.record(network, count: 3)
            }
            try await recorder.record(network, until: "the collateral came back") {
                try await network.withClient([0]) { try await $0.account(alice)?.balance } == before
            }
            try await recorder.expectAllFinal(network)
        }
    }

    /// Three of four vote for a version that this program does not know: at the border it says so and stops, and a
    /// restart says it again.
    @Test func anOldProgramStopsAtTheBorderOfAnUpgrade() async throws {
        let network = try TestNetwork(masternodes: 4, parameters: Self.parameters)
        try await network.use { network in
            let epoch = try await network.withClient([0]) { try await $0.masternodes().epoch }
            let from = epoch + 6
            let proposed = try await network.cli(
                "governance", "propose", "--upgrade", "2", "--from-epoch", "\(from)", "--home",
                network.plan.home(0).folder.path, "--wait")
            #expect(proposed.status == 0, "\(proposed.err)")
            for index in 0..<3 {
                let voted = try await network.cli(
                    "governance", "vote", "1", "--approve", "--home", network.plan.home(index).folder.path, "--wait")
                #expect(voted.status == 0, "\(voted.err)")
            }
            for index in 0..<4 {
                try await eventually("node\(index) stops") { await network.process("node\(index)")?.isRunning == false }
                let log = network.wholeLog(index)
                #expect(log.contains("from epoch \(from) on") && log.contains("protocol version 2"), "\(log.suffix(600))")
            }
            let again = try network.plan.start(0)
            await network.add(again)
            try await eventually("the restarted one stops too") { !again.isRunning }
            #expect(again.exitStatus == 1)
            #expect(again.logTail().contains("protocol version 2"))
        }
    }
}

/// Sends records one after the other, and remembers which became final.
private final class Recorder {
    private let key: PrivateKey
    private var acknowledged: [TransactionId] = []

    init(key: PrivateKey) { self.key = key }

    func record(_ network: TestNetwork, count: Int) async throws {
        try await network.withClient([0]) { client in
            let sender = try await TransactionSender(client: client, key: key)
            for _ in 0..<count {
                let done = try await sender.perform(
                    TransactionRequest(
                        service: ServiceId(unchecked: Array("log".utf8)), action: .applicationTask,
                        data: [UInt8(truncatingIfNeeded: acknowledged.count)]))
                acknowledged.append(done.transaction.id)
            }
        }
    }

    func record(_ network: TestNetwork, until what: String, _ condition: () async throws -> Bool) async throws {
        try await eventually(what, within: .seconds(120)) {
            try await self.record(network, count: 1)
            return try await condition()
        }
    }

    func expectAllFinal(_ network: TestNetwork) async throws {
        try await network.withClient([0]) { client in
            for id in acknowledged {
                let found = try await client.transaction(id)
                #expect(found?.inclusion != nil, "\(id)")
            }
        }
        #expect(acknowledged.count > 20)
    }
}

extension TestNetwork {
    fileprivate func activeSet() async throws -> [String] {
        try await withClient([0]) { try await $0.masternodes().activeSet.map(\.name) }
    }

    fileprivate func suspended() async throws -> [String] {
        try await withClient([0]) { client in
            try await client.masternodes().masternodes.filter { $0.status.kind == .suspended }.map(\.name)
        }
    }

    fileprivate func masternode(named name: String) async throws -> (consensusKey: PublicKey, name: String)? {
        try await withClient([0]) { client in
            try await client.masternodes().masternodes.first { $0.name == name }.map { ($0.consensusKey, $0.name) }
        }
    }
}
