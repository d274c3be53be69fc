import ChainClient
import Cryptography
import Foundation
import LocalNetwork
import NodeHome
import Primitives
import StateSync
import TestSupport
import Testing

/// A new node joins a network of real processes by a snapshot.
@Suite(.timeLimit(.minutes(20))) struct SnapshotTests {
    private static let interval: UInt64 = 20

    /// A follower's home with an address of its own.
    private func newcomer(_ network: TestNetwork, name: String) throws -> (home: NodeHome, url: String) {
        let ports = try FreePorts.take(2)
        let home = NodeHome(network.plan.folder.appending(path: name).path)
        try home.write(network.genesis)
        try home.write(
            NodeConfiguration(
                name: name, api: .init(host: "127.0.0.1", port: ports[0]),
                peer: .init(host: "127.0.0.1", port: ports[1]),
                peers: (0..<network.plan.masternodes).map {
                    .init(name: "node\($0)", host: "127.0.0.1", port: network.plan.peerPorts[$0], consensusKey: nil)
                }, snapshotBlocks: Self.interval))
        return (home, "http://127.0.0.1:\(ports[0])")
    }

    private func start(_ home: NodeHome, _ name: String, _ arguments: [String] = []) throws -> ChildProcess {
        try ChildProcess(
            name: name, program: try Programs.url("chaind"), arguments: ["--home", home.folder.path] + arguments,
            logFile: home.folder.appending(path: "log"))
    }

    @Test func aNewNodeJoinsByASnapshotThroughKills() async throws {
        let network = try TestNetwork(masternodes: 4)
        do {
            for index in 0..<4 {
                var configuration = try network.plan.home(index).configuration()
                configuration.snapshotBlocks = Self.interval
                try network.plan.home(index).write(configuration)
            }
            for index in 0..<4 { try await network.start(index) }
            for index in 0..<4 { try await network.untilReady(index) }
            try await joins(network)
        } catch {
            for index in 0..<4 { print("--- node\(index)\n\(await network.log(index))") }
            print("--- newcomer\n\((try? String(contentsOf: network.plan.folder.appending(path: "new/log"), encoding: .utf8)) ?? "")")
            await network.close()
            throw error
        }
        await network.close()
    }

    private func joins(_ network: TestNetwork) async throws {
        // Each record makes a block, and the block that certifies it.
        var number = 0
        try await network.withClient([0]) { client in
            while try await client.status().head.height < 2 * Self.interval + 3 {
                number += 1
                let sent = try await network.cli(
                    "tx", "submit", "--service", "s", "--post", "\(number)", "--action", "5", "--from", "alice", "--wait")
                try #require(sent.status == 0, "\(sent.err)")
            }
        }
        let (home, url) = try newcomer(network, name: "new")
        // Whatever instant it is killed at, the next start goes on.
        var random = SeededGenerator(seed: 11)
        for _ in 0..<4 {
            let process = try start(home, "new", ["--sync", "snapshot"])
            try await Task.sleep(for: .milliseconds(100 + random.below(900)))
            process.kill()
            _ = await process.waitForExit()
        }
        let process = try start(home, "new", ["--sync", "snapshot"])
        await network.add(process)
        let client = ChainClient(nodes: [try NodeAddress(url)])
        defer { Task { try? await client.shutdown() } }
        try await eventually("the newcomer is where the network is") {
            guard process.isRunning else { return false }
            let reference = try await network.withClient([1]) { try await $0.status() }
            guard let own = try? await client.status() else { return false }
            return own.head.height >= reference.head.height && own.head.height > 2 * Self.interval
        }
        #expect(!FileManager.default.fileExists(atPath: home.databaseFolder.path + ".joining"))
        // It executes new blocks as everybody does.
        let sent = try await network.cli(
            "tx", "submit", "--service", "s", "--post", "after", "--action", "5", "--from", "bob", "--wait")
        #expect(sent.status == 0, "\(sent.err)")
        let bob = Account(try network.key("bob").publicKey)
        try await eventually("it has the new record") { try await client.history(of: bob)?.entries.count == 1 }
        let height = Height(try await client.status().head.height)
        let own = try #require(try await client.block(at: height))
        try await eventually("node1 has that block") {
            try await network.withClient([1]) { try await $0.block(at: height)?.digest == own.digest }
        }

        // What it does not have, it says.
        let alice = Account(try network.key("alice").publicKey).description
        for command in [["block", "1"], ["history", alice], ["audit", alice, "--output", home.folder.path + "/a.audit"]] {
            let output = try await Programs.run(
                "chain-cli", command, environment: network.plan.environment.merging(["EDGEPROOF_NODE": url]) { $1 })
            #expect(output.status == 1)
            let said = String(decoding: output.err, as: UTF8.self)
            #expect(said.contains("joined the chain by a snapshot"), "\(command): \(said)")
        }
        await process.stop()
        let verified = try await Programs.run(
            "chaind", ["verify", "--home", home.folder.path, "--json"], environment: network.plan.environment)
        #expect(verified.status == 0, "\(String(decoding: verified.err, as: UTF8.self))")
        #expect(String(decoding: verified.out, as: UTF8.self).contains("unchecked"))

        // The same store with a checkpoint of another chain does not start.
        let wrong = try await Programs.run(
            "chaind",
            ["--home", home.folder.path, "--checkpoint", "\(height):\(Digest.zero.hex)"],
            environment: network.plan.environment)
        #expect(wrong.status == 1)
        #expect(String(decoding: wrong.err, as: UTF8.self).contains("another chain"))
    }
}
