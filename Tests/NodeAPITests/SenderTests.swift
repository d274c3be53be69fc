import APIModel
import ChainClient
import Cryptography
import Foundation
import JobProtocol
import NodeAPI
import Primitives
import Testing

@Suite(.timeLimit(.minutes(20))) struct SenderTests {
    private func request(_ text: String) -> TransactionRequest {
        TransactionRequest(
            service: ServiceId(unchecked: Array("s".utf8)), post: PostId(unchecked: Array("p".utf8)),
            action: .applicationTask, data: Array(text.utf8))
    }

    /// Many at once get contiguous sequences in the order in which they were asked for.
    @Test func pipelinesManyTransactions() async throws {
        let node = try FakeNode(blockPerTransaction: false)
        try await serving(node) { live in
            let sender = try await TransactionSender(client: try live.client(), key: FakeNode.alice)
            for number in 0..<20 { try await sender.send(request("t\(number)")) }
            let waiting = node.state.withLock { $0.pool.map(\.transaction) }
            #expect(waiting.map(\.sequence) == Array(0..<20))
            #expect(waiting.map { String(decoding: $0.data, as: UTF8.self) } == (0..<20).map { "t\($0)" })
        }
    }

    @Test func concurrentSendersOfOneKeyBothSucceed() async throws {
        let node = try FakeNode()
        try await serving(node) { live in
            let one = try await TransactionSender(client: try live.client(), key: FakeNode.alice)
            let two = try await TransactionSender(client: try live.client(), key: FakeNode.alice)
            try await one.perform(request("a"))
            try await two.perform(request("b"))
            // Both believe that sequence 2 is next.
            try await one.perform(request("c"))
            try await two.perform(request("d"))
            let entries = try await node.history(of: Account(FakeNode.alice.publicKey), from: 0, limit: 10).entries
            #expect(entries.count == 4)
        }
    }

    @Test func failedOutcomeIsAnError() async throws {
        let node = try FakeNode()
        try await serving(node) { live in
            let sender = try await TransactionSender(client: try live.client(), key: FakeNode.alice)
            let failed = await #expect(throws: TransactionFailed.self) { try await sender.perform(request("fail")) }
            #expect(failed?.message == "it was told to")
            try await sender.perform(request("fine"))
        }
    }

    @Test func refusalsKeepTheSequence() async throws {
        let node = try FakeNode()
        try await serving(node) { live in
            let sender = try await TransactionSender(client: try live.client(), key: FakeNode.alice)
            node.state.withLock { $0.refusal = SubmissionRefusal(.insufficientCredits, "poor", retryAfterMs: 9) }
            let refused = await #expect(throws: ClientError.self) { try await sender.send(request("x")) }
            #expect(refused?.code == "insufficient_credits")
            #expect(refused?.isTransient == true)
            node.state.withLock { $0.refusal = nil }
            let done = try await sender.perform(request("x"))
            #expect(done.transaction.sequence == 0)
        }
    }

    /// A node that dies after it took a transaction, before anybody else has it, loses it; the sender gives it again.
    @Test func lostTransactionsAreGivenAgain() async throws {
        let node = try FakeNode()
        node.state.withLock { $0.losesSubmissions = 1 }
        try await serving(node) { live in
            let sender = try await TransactionSender(client: try live.client(), key: FakeNode.alice)
            let done = try await sender.perform(request("lost"), timeout: .seconds(120))
            #expect(done.inclusion != nil && done.transaction.sequence == 0)
        }
    }

    @Test func failoverToALivingNode() async throws {
        let node = try FakeNode()
        try await serving(node) { live in
            let dead = try NodeAddress("http://127.0.0.1:1")
            let client = ChainClient(nodes: [dead, try live.address()])
            #expect(try await client.status().chain == "fakenet")
            let sender = try await TransactionSender(client: client, key: FakeNode.alice)
            try await sender.perform(request("x"))

            let error = await #expect(throws: ClientError.self) { try await ChainClient(nodes: [dead]).status() }
            guard case .unreachable(let failures) = error else {
                Issue.record("\(String(describing: error))")
                return
            }
            #expect(failures.map(\.node) == [dead])
        }
    }

    @Test func registersAJob() async throws {
        let node = try FakeNode()
        try await serving(node) { live in
            let client = try live.client()
            let sender = try await TransactionSender(client: client, key: FakeNode.bob)
            let spec = FakeNode.status(phase: .open, round: 0).spec
            let registered = try await sender.register(
                #require(ServiceId("new")), code: [1, 2, 3], kind: "job",
                validator: FakeNode.status(phase: .open, round: 0).validator, initData: spec.borsh,
                deposit: 42)
            #expect(registered.upload?.transaction.actionId == ActionId.uploadContract.value)
            #expect(registered.codeHash == Digest(sha256: [1, 2, 3]))
            #expect(registered.contract == Account.contract(creator: Account(FakeNode.bob.publicKey), sequence: 1))
            let body = try #require(try registered.registration.transaction.transaction())
            #expect(body.value == 42)
            let decoded = try RegisterService(borsh: body.data)
            #expect(try JobSpec(borsh: decoded.initData) == spec)
            // Code that the chain has is not uploaded again.
            let known = try await sender.upload(code: [7])
            #expect(known.transaction == nil)
        }
    }
}
