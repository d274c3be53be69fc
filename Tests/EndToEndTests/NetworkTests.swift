import ChainClient
import Cryptography
import Encoding
import Foundation
import LocalNetwork
import Primitives
import TestSupport
import Testing

/// Four real masternodes: records, refusals, audits, crashes.
@Suite(.timeLimit(.minutes(20))) struct NetworkTests {
    @Test func aRecordIsFoundWithAllFieldsOnEveryNode() async throws {
        try await TestNetwork.with(masternodes: 4) { network in
            let submitted = try await network.cli(
                "tx", "submit", "--service", "s", "--post", "p", "--action", "5", "--data", "hello", "--from", "alice",
                "--wait", "--json")
            #expect(submitted.status == 0, "\(submitted.err)")
            let alice = Account(try network.key("alice").publicKey)
            let id = try await network.withClient { client in
                let history = try #require(try await client.history(of: alice))
                return try #require(history.entries.last?.action?.transaction.id)
            }
            #expect(submitted.out.contains(id.hex))
            for node in 0..<4 {
                try await network.withClient([node]) { client in
                    try await eventually("node\(node) has it") {
                        (try await client.account(alice))?.sequence == 1
                    }
                }
                for command in [["tx", "show", id.hex, "--json"], ["history", alice.description, "--json"]] {
                    let shown = try await network.run("chain-cli", command, node: node)
                    #expect(shown.status == 0, "\(shown.err)")
                    #expect(shown.json != nil, "one JSON document: \(shown.out)")
                    for field in ["\"s\"", "\"p\"", "5", Data("hello".utf8).base64EncodedString()] {
                        #expect(shown.out.contains(field), "\(command[0]) on node\(node) lacks \(field)")
                    }
                }
            }

            let refused = try await network.cli(
                "tx", "submit", "--service", "s", "--post", "p", "--action", "300", "--data", "hello", "--from",
                "alice", "--wait")
            #expect(refused.status == 1)
            #expect(refused.err.contains("no service 's' is registered"), "\(refused.err)")
        }
    }

    @Test func anAuditVerifiesFromTheGenesisAloneAndNoByteMayChange() async throws {
        try await TestNetwork.with(masternodes: 4) { network in
            for text in ["one", "two", "three"] {
                let sent = try await network.cli(
                    "tx", "submit", "--service", "notes", "--post", text, "--action", "5", "--data", text, "--from",
                    "alice", "--wait")
                #expect(sent.status == 0, "\(sent.err)")
            }
            let alice = Account(try network.key("alice").publicKey).description
            let file = network.plan.folder.appending(path: "alice.audit")
            let genesis = network.plan.genesisFile.path
            // The state after the last record is certified by the block that follows it at once.
            try await network.withClient([0]) { client in
                try await eventually("the record is certified") {
                    let status = try await client.status()
                    return status.state.height >= 3 && status.mempool.transactions == 0
                }
            }
            var verified: TestNetwork.Output?
            try await eventually("the audit holds all three") {
                let made = try await network.cli("audit", alice, "--output", file.path)
                #expect(made.status == 0, "\(made.err)")
                verified = try await network.cli("audit", "verify", file.path, "--genesis", genesis, "--json")
                return verified?.out.contains("\"3\"") == true || verified?.out.contains(": 3") == true
            }
            #expect(verified?.status == 0, "\(verified?.err ?? "")")

            let bytes = try Data(contentsOf: file)
            var generator = SeededGenerator(seed: 7)
            for _ in 0..<12 {
                let place = Int(generator.next() % UInt64(bytes.count))
                var changed = bytes
                changed[place] ^= UInt8(1 << (generator.next() % 8))
                try changed.write(to: file)
                let refused = try await network.cli("audit", "verify", file.path, "--genesis", genesis)
                #expect(refused.status == 1, "a change of byte \(place) was not seen")
                #expect(!refused.err.isEmpty)
            }
        }
    }

    @Test func aKilledMasternodeCatchesUpAndNothingAcknowledgedIsLost() async throws {
        try await TestNetwork.with(masternodes: 4) { network in
            let alice = try network.key("alice")
            var acknowledged: [TransactionId] = []
            try await network.withClient([0, 1, 2]) { client in
                let sender = try await TransactionSender(client: client, key: alice)
                func record(_ text: String) async throws {
                    let done = try await sender.perform(
                        TransactionRequest(
                            service: ServiceId(unchecked: Array("log".utf8)), action: .applicationTask,
                            data: Array(text.utf8)),
                        timeout: .seconds(110))
                    acknowledged.append(done.transaction.id)
                }
                for cycle in 0..<3 {
                    try await record("before \(cycle)")
                    await network.kill(3)
                    for index in 0..<3 { try await record("while it is down \(cycle) \(index)") }
                    try await network.start(3)
                }
                for index in 0..<3 { try await record("after \(index)") }
            }
            // All four at once, as in a power cut, right after an acknowledgement.
            for index in 0..<4 { await network.kill(index) }
            for index in 0..<4 { try await network.start(index) }
            for index in 0..<4 { try await network.untilReady(index) }
            for index in 0..<4 {
                try await network.withClient([index]) { client in
                    for id in acknowledged {
                        try await eventually("node\(index) has \(id)") {
                            (try await client.transaction(id))?.inclusion != nil
                        }
                    }
                }
            }
            try await network.expectSameRoots()
        }
    }

    @Test func theNetworkStandsStillWithoutAQuorumAndGoesOnWithOne() async throws {
        try await TestNetwork.with(masternodes: 4) { network in
            await network.kill(2)
            await network.kill(3)
            let alice = try network.key("alice")
            let id = try await network.withClient([0]) { client in
                let sender = try await TransactionSender(client: client, key: alice)
                return try await sender.send(
                    TransactionRequest(
                        service: ServiceId(unchecked: Array("log".utf8)), action: .applicationTask, data: [1]))
            }
            try await Task.sleep(for: .seconds(2))
            try await network.withClient([0]) { client in
                let waiting = try await client.transaction(id)
                #expect(waiting?.inclusion == nil)
            }
            try await network.start(3)
            try await network.withClient([0]) { client in
                try await eventually("three of four finalise it") {
                    (try await client.transaction(id))?.inclusion != nil
                }
            }
        }
    }
}

extension TestNetwork {
    /// Every node has the highest block that any has, and the same state root in it.
    func expectSameRoots() async throws {
        var target: UInt64 = 0
        for index in serving {
            target = max(target, try await withClient([index]) { try await $0.status().head.height })
        }
        var roots: Set<Digest> = []
        for index in serving {
            try await withClient([index]) { client in
                try await eventually("node\(index) has block \(target)") {
                    try await client.status().head.height >= target
                }
                roots.insert(try #require(try await client.block(at: Height(target))).stateRoot)
            }
        }
        #expect(roots.count == 1)
    }
}
