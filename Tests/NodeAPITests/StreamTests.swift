import ChainClient
import Foundation
import NIOCore
import NodeAPI
import Primitives
import Testing
import WebClient

/// Answers of any length are made while they are read.
@Suite(.timeLimit(.minutes(20))) struct StreamTests {
    private static func audit(_ live: LiveNode) async throws -> HTTPClientResponse {
        try await HTTPClient.shared.execute(
            HTTPClientRequest(url: live.url + "/v1/accounts/\(Account(FakeNode.alice.publicKey))/audit"),
            timeout: .seconds(300))
    }

    /// Waits until no more pieces are made.
    /// - Returns: how many were.
    private static func whenMakingStops(_ node: FakeNode) async throws -> Int {
        var made = 0
        while true {
            try await Task.sleep(for: .milliseconds(200))
            let now = node.state.withLock { $0.auditPiecesMade }
            if now == made { return made }
            made = now
        }
    }

    /// No piece is made before the ones before it went out: what waits for a reader is bounded, whatever is to come.
    @Test func aReaderThatStopsStopsTheMaking() async throws {
        let node = try FakeNode()
        let count = 1_000
        node.state.withLock { $0.auditPieces = count }
        try await serving(node) { live in
            let response = try await Self.audit(live)
            #expect(response.status.code == 200)
            #expect(response.headers.first(name: "content-length") == nil)
            let chunks = response.body.makeAsyncIterator()
            _ = try await chunks.next()
            let made = try await Self.whenMakingStops(node)
            // 100 MB in all, of which the sockets' buffers hold a part.
            #expect(made > 0 && made < count / 2, "\(made) of \(count) pieces were made for nobody")
        }
    }

    /// A reader that takes its time does not keep others from the routes that read much, nor from audits.
    @Test func aSlowReaderHoldsNoPlaceOfOthers() async throws {
        let node = try FakeNode()
        node.produceBlock()
        node.state.withLock { $0.auditPieces = 1_000 }
        try await serving(
            node,
            configure: {
                $0.expensiveRequests = 1
                $0.expensiveWaiting = 0
                $0.streamedAnswers = 2
            }
        ) { live in
            let slow = try await Self.audit(live)
            let chunks = slow.body.makeAsyncIterator()
            _ = try await chunks.next()
            _ = try await Self.whenMakingStops(node)
            // Another piece may be made just now, if nobody got to make it before.
            try await eventuallyTrue("the block is to be had") { try await live.request("/v1/blocks/1").status == 200 }
            node.state.withLock { $0.auditPieces = 2 }
            let whole = try await live.client().auditFile(of: Account(FakeNode.alice.publicKey))
            #expect(whole == FakeNode.auditBytes(pieces: 2))
            withExtendedLifetime(slow) {}
        }
    }

    /// A place is not to be had for a trickle, and what is cut off is seen not to be whole.
    @Test func aTrickleIsCutOff() async throws {
        let node = try FakeNode()
        try await serving(
            node,
            configure: {
                $0.streamGrace = .zero
                $0.streamBytesPerSecond = 1 << 50
            }
        ) { live in
            _ = await #expect(throws: (any Error).self) {
                for try await _ in try await Self.audit(live).body {}
            }
        }
    }

    /// What goes wrong in the middle ends the connection, not the answer: half a file does not pass for a whole one.
    @Test func aFailureInTheMiddleIsSeen() async throws {
        let node = try FakeNode()
        node.state.withLock { $0.auditFailsAt = 2 }
        try await serving(node) { live in
            let response = try await Self.audit(live)
            #expect(response.status.code == 200)
            await #expect(throws: (any Error).self) {
                for try await _ in response.body {}
            }
        }
    }
}
