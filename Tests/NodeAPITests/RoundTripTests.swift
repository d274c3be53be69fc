import APIModel
import ChainClient
import Cryptography
import Foundation
import NodeAPI
import Primitives
import Testing

/// Every route, through the live server and the typed client.
@Suite(.timeLimit(.minutes(20))) struct RoundTripTests {
    @Test func statusGenesisAndMetrics() async throws {
        let node = try FakeNode()
        node.produceBlock()
        try await serving(node) { live in
            let client = try live.client()
            let status = try await client.status()
            #expect(status.chain == "fakenet")
            #expect(status.genesisHash == node.genesisHash)
            #expect(status.head.height == 1)
            #expect(status.finalityMs?.p95 == 340)
            #expect(try await client.genesis() == node.genesis)
            #expect(try await client.metrics().contains("edgeproof_height 1"))
        }
    }

    @Test func transactionFromSubmissionToHistory() async throws {
        let node = try FakeNode()
        try await serving(node) { live in
            let client = try live.client()
            let signed = try SignedTransaction.record("hello", sequence: 0, genesis: node.genesisHash)
            let id = try await client.submit(signed)
            #expect(id == signed.transaction.id(genesis: node.genesisHash))

            let found = try #require(try await client.transaction(id))
            #expect(found.state == .included)
            #expect(found.inclusion?.receipt.outcome.kind == .recorded)
            #expect(try found.transaction.transaction() == signed.transaction)
            #expect(found.transaction.action == "applicationTask")
            #expect(found.transaction.signature?.count == 128)

            let block = try #require(try await client.block(at: nil))
            #expect(block.height == 1 && block.finalizedBy == [0, 1, 2])
            #expect(block.transactions.map(\.id) == [id])
            #expect(block.transactions[0].data == nil && block.transactions[0].dataBytes == 5)
            #expect(try await client.block(at: Height(1)) == block)
            let receipts = try #require(try await client.receipts(at: Height(1)))
            #expect(receipts.receipts.first?.transaction?.wrappedValue == id)

            let alice = Account(FakeNode.alice.publicKey)
            let account = try #require(try await client.account(alice))
            #expect(account.sequence == 1 && account.balance == 5_000_000_000 && account.history.size == 1)
            node.addFinding(about: alice)
            let history = try #require(try await client.history(of: alice))
            #expect(history.size == 2 && history.next == nil)
            #expect(try history.entries[0].action?.transaction.transaction() == signed.transaction)
            #expect(history.entries[1].finding?.kind == "accepted")
            let page = try #require(try await client.history(of: alice, from: 0, limit: 1))
            #expect(page.entries.count == 1 && page.next?.wrappedValue == 1)
            #expect(try await client.reputation(of: alice).roles.first?.role == "edge")
            #expect(try await client.reputation(of: Account(FakeNode.bob.publicKey)).roles.isEmpty)
            #expect(try await client.auditFile(of: alice) == FakeNode.auditBytes(pieces: 3))
            #expect(
                try await client.stateExtract(of: [.account(alice), .parameters]) == StateKey.account(alice).bytes
                    + StateKey.parameters.bytes)
            #expect(try await client.stateExtract(of: []) == nil)
            await #expect(throws: ClientError.self) {
                _ = try await client.stateExtract(of: [StateKey(Array(repeating: 1, count: 257))])
            }
            await #expect(throws: ClientError.self) {
                _ = try await client.stateExtract(of: Array(repeating: .parameters, count: 161))
            }
        }
    }

    @Test func servicesQueriesAndCode() async throws {
        let node = try FakeNode()
        try await serving(node) { live in
            let client = try live.client()
            let services = try await client.services()
            #expect(services.map(\.id.bytes) == [Array("digits".utf8), [0xff, 0x00]])
            #expect(try await client.services(kind: "job").map(\.id) == [FakeNode.job])
            // A name that is no text reads back to the same bytes, in JSON and in the address.
            let odd = try #require(try await client.service(ServiceId(unchecked: [0xff, 0x00])))
            #expect(odd == services[1])
            #expect(try await client.service(ServiceId(unchecked: Array("a/b c%".utf8))) == nil)

            #expect(try await client.jobStatus(FakeNode.job) == FakeNode.status(phase: .open, round: 0))
            #expect(try await client.jobParticipants(FakeNode.job).first?.endpoint == "127.0.0.1:27000")
            #expect(try await client.jobHistory(FakeNode.job).isEmpty)
            #expect(try await client.hasCode(Digest(sha256: [7])))
            #expect(try await client.hasCode(Digest(sha256: [6])) == false)

            let json = try await live.request(
                "/v1/services/digits/query", method: "POST", body: Array(#"{"input":"AA=="}"#.utf8),
                type: "application/json")
            #expect(json.status == 200)
        }
    }

    /// Accuracy and loss, round by round, for whoever draws them.
    @Test func metricsOfAJob() async throws {
        let node = try FakeNode()
        node.closeRound(0, phase: .commit)
        node.closeRound(1, phase: .commit)
        try await serving(node) { live in
            let answer = try await live.request("/v1/jobs/digits/metrics")
            #expect(answer.status == 200, "\(answer.text)")
            let metrics = try JSONDecoder().decode(JobMetricsDocument.self, from: Data(answer.body))
            #expect(metrics.history.map(\.round) == [0, 1])
            #expect(metrics.history.map(\.metricMicro) == [700_000, 760_000])
            #expect(metrics.history.allSatisfy { $0.lossMicro == 800_000 && $0.outcome == "accepted" })
            #expect(metrics.metricMicro == 912_300 && metrics.round == 1)
            #expect(try await live.request("/v1/jobs/none/metrics").status == 404)
            // A service that is no job.
            #expect(try await live.request("/v1/jobs/0xff00/metrics").status == 422)
        }
    }

    @Test func whatIsNotThereIsNil() async throws {
        let node = try FakeNode()
        try await serving(node) { live in
            let client = try live.client()
            let nobody = Account(FakeNode.key(77).publicKey)
            #expect(try await client.block(at: Height(5)) == nil)
            #expect(try await client.block(at: .zero) == nil)
            #expect(try await client.transaction(.zero) == nil)
            #expect(try await client.account(nobody) == nil)
            #expect(try await client.history(of: nobody) == nil)
            #expect(try await client.auditFile(of: nobody) == nil)
            #expect(try await client.service(#require(ServiceId("none"))) == nil)
        }
    }

    /// A look-up with `waitMs` comes back with the block, not with the end of the wait.
    @Test func lookupWaitsForInclusion() async throws {
        let node = try FakeNode(blockPerTransaction: false)
        try await serving(node) { live in
            let client = try live.client()
            let id = try await client.submit(.record("later", sequence: 0, genesis: node.genesisHash))
            #expect(try await client.transaction(id)?.state == .pending)
            async let found = client.transaction(id, wait: .seconds(20))
            try await Task.sleep(for: .milliseconds(50))
            node.produceBlock()
            #expect(try await found?.state == .included)
        }
    }
}
