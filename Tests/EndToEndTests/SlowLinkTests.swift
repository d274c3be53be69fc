import ChainClient
import Cryptography
import Encoding
import Foundation
import LocalNetwork
import Primitives
import Testing

/// Four real masternodes that are far from each other, each on one slow line to all others.
@Suite(.timeLimit(.minutes(20))) struct SlowLinkTests {
    private static let accounts = ["alice", "bob", "carol"]
    private static let each = 10
    private static let dataBytes = 30_000

    @Test func largeBlocksBecomeFinalOverSlowLines() async throws {
        let network = try TestNetwork(masternodes: 4, accounts: Self.accounts)
        let speed = try #require(LinkSpeed("20Mbit,20ms"))
        let lines: SlowLinks
        do { lines = try await SlowLinks.lay(speed, between: network.plan) } catch {
            await network.close()
            throw error
        }
        do {
            try await network.use { network in
                let ids = try await Self.submit(to: network)
                var heights: [UInt64: Int] = [:]
                for index in 0..<4 {
                    try await network.withClient([index]) { client in
                        for id in ids {
                            try await eventually("node\(index) has \(id)") {
                                guard let inclusion = try await client.transaction(id)?.inclusion else { return false }
                                if index == 0 { heights[inclusion.height, default: 0] += 1 }
                                return true
                            }
                        }
                    }
                }
                let largest = (heights.values.max() ?? 0) * Self.dataBytes
                #expect(largest >= 100_000, "blocks by height: \(heights)")
                try await network.expectSameRoots()
                // Each transaction had to come to three others, and there is no other way than the lines.
                #expect(lines.bytes >= 3 * ids.count * Self.dataBytes)
            }
        } catch {
            await lines.close()
            throw error
        }
        await lines.close()
    }

    /// Each account's transactions at once, each at another node.
    private static func submit(to network: TestNetwork) async throws -> [TransactionId] {
        let genesis = network.genesis.hash
        let until = Time(UInt64(Date().timeIntervalSince1970 * 1_000) + 300_000)
        var ids: [TransactionId] = []
        for (node, name) in accounts.enumerated() {
            let key = try network.key(name)
            let transactions = try (0..<each).map { sequence in
                try SignedTransaction(
                    signing: Transaction(
                        sender: Account(key.publicKey), sequence: UInt64(sequence), validUntil: until, gasLimit: 1_000_000,
                        serviceId: ServiceId(unchecked: Array("far".utf8)), actionId: .applicationTask,
                        data: [UInt8](repeating: UInt8(node), count: dataBytes)),
                    with: key, genesis: genesis)
            }
            var encoder = BorshEncoder()
            encoder.array(transactions)
            let list = encoder.bytes
            let refused = try await network.withClient([node]) { try await $0.submit(list: list, count: each) }
            #expect(refused.isEmpty, "\(refused)")
            ids += transactions.map { $0.id(genesis: genesis) }
        }
        return ids
    }
}
