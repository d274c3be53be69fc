import ChainClient
import Cryptography
import Foundation
import LocalNetwork
import NodeHome
import Primitives
import Storage
import Testing

/// A byte of a node's store changes on the disk: whoever asks for what lies there is told so, and the node gets it back
/// from its peers.
@Suite(.timeLimit(.minutes(20))) struct DamagedStoreTests {
    @Test func aDamagedBlockIsToldAndFetchedAgain() async throws {
        try await TestNetwork.with(masternodes: 4) { network in
            let alice = try network.key("alice")
            // Found again in the files: longer than what LevelDB reads together, so that it is alone there.
            let marker = (0..<100 as Range<UInt8>).flatMap { Digest(sha256: [$0]).bytes }
            let height = try await network.withClient([0]) { client in
                let sender = try await TransactionSender(client: client, key: alice)
                let done = try await sender.perform(
                    TransactionRequest(
                        service: ServiceId(unchecked: Array("log".utf8)), action: .applicationTask, data: marker))
                return try #require(done.inclusion?.height)
            }
            try await network.withClient([3]) { client in
                try await eventually("node3 has the block") { try await client.status().head.height > height + 1 }
            }
            // The log that LevelDB writes becomes a table when the store is opened.
            await network.stop(3)
            try await network.start(3)
            try await network.untilReady(3)
            await network.stop(3)
            #expect(try Self.damage(network.plan.home(3).databaseFolder, at: marker) == true)
            try await network.start(3)
            try await network.untilReady(3)

            try await eventually("the block is there again") {
                try await network.run("chain-cli", ["block", "\(height)"], node: 3).status == 0
            }
            let metrics = try await network.withClient([3]) { try await $0.metrics() }
            #expect(!metrics.contains("edgeproof_store_read_failures_total 0\n"))
            #expect(!metrics.contains("edgeproof_store_healed_blocks_total 0\n"))
            #expect(network.wholeLog(3).contains("the store can't be read"))
            #expect(network.wholeLog(3).contains("in the store again"))
            try await network.expectSameRoots()

            // What was put back lies beside the damaged file, which is gone after the next start.
            let folder = network.plan.home(3).databaseFolder
            await network.stop(3)
            try await network.start(3)
            try await network.untilReady(3)
            #expect(network.wholeLog(3).contains("the store is written anew"))
            await network.stop(3)
            // Damage that nobody has read, and a store that takes no more writes because of it: the block is left out and
            // fetched again.
            #expect(try Self.damage(folder, at: marker) == true)
            try StoreRewrite.request(folder.path, reason: "block checksum mismatch")
            try await network.start(3)
            try await network.untilReady(3)
            #expect(!StoreRewrite.isRequested(folder.path))
            #expect(network.wholeLog(3).contains("LevelDB took no more writes"))
            try await eventually("the block is there once more") {
                try await network.run("chain-cli", ["block", "\(height)"], node: 3).status == 0
            }
            try await network.expectSameRoots()
        }
    }

    /// Changes a byte in the first place of a table where the bytes stand: that of the block, whose column comes first.
    private static func damage(_ folder: URL, at marker: [UInt8]) throws -> Bool {
        let needle = Data(marker[1_600..<1_624])
        for name in try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted() where name.hasSuffix(".ldb") {
            let file = folder.appending(path: name)
            var bytes = try Data(contentsOf: file)
            guard let found = bytes.range(of: needle) else { continue }
            bytes[found.lowerBound] ^= 1
            try bytes.write(to: file)
            return true
        }
        return false
    }
}
