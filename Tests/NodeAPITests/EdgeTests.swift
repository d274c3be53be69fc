import APIModel
import ChainClient
import Dispatch
import Encoding
import Foundation
import NodeAPI
import Primitives
import Testing

/// What a server owes to HTTP and to whoever watches it.
@Suite(.timeLimit(.minutes(20))) struct EdgeTests {
    @Test func headIsWhereGetIs() async throws {
        try await serving(try FakeNode()) { live in
            for path in ["/", "/v1/status", "/health", "/metrics", "/openapi.json", "/v1/genesis"] {
                let get = try await live.request(path)
                let head = try await live.request(path, method: "HEAD")
                #expect(head.status == get.status && head.body.isEmpty, "\(path)")
                #expect(head.headers["content-type"] == get.headers["content-type"], "\(path)")
            }
        }
    }

    @Test(arguments: ["OPTIONS", "DELETE", "TRACE", "PUT", "PATCH", "POST"])
    func otherMethodsAreToldWhichThereAre(method: String) async throws {
        try await serving(try FakeNode()) { live in
            let answer = try await live.request("/v1/blocks/1", method: method)
            #expect(answer.status == 405)
            #expect(answer.headers["allow"] == "GET, HEAD")
            #expect(try answer.error().code == "wrong_method")
            let unknown = try await live.request("/v1/nothing", method: method)
            #expect(unknown.status == 404)
        }
    }

    /// A head that no parser takes is answered in JSON all the same.
    @Test func tooLongIsSaidInJSON() async throws {
        try await serving(try FakeNode()) { live in
            let answer = try await live.request("/v1/blocks/" + String(repeating: "1", count: 40_000))
            #expect(answer.status == 431)
            #expect(try answer.error().code == "head_too_large")
            let garbage = try await live.raw("this is no HTTP\r\n\r\n")
            #expect(garbage.contains("400 Bad Request") && garbage.contains("\"malformed\""), "\(garbage)")
        }
    }

    @Test func pagesHaveATagAndShrink() async throws {
        try await serving(try FakeNode()) { live in
            for path in ["/", "/openapi.json", "/v1/genesis"] {
                let first = try await live.request(path)
                let tag = try #require(first.headers["etag"])
                let again = try await live.request(path, headers: ["if-none-match": tag])
                #expect(again.status == 304 && again.body.isEmpty, "\(path)")
                #expect(try await live.request(path, headers: ["if-none-match": "\"other\""]).status == 200)
            }
            let plain = try await live.request("/openapi.json")
            let gzip = try await live.request("/openapi.json", headers: ["accept-encoding": "br, gzip;q=0.8"])
            #expect(gzip.headers["content-encoding"] == "gzip" && gzip.body.prefix(2) == [0x1f, 0x8b])
            #expect(gzip.body.count * 3 < plain.body.count)
            #expect(
                try await live.request("/openapi.json", headers: ["accept-encoding": "gzip;q=0"]).headers[
                    "content-encoding"] == nil)
            // Documents too, where it is worth it.
            let nodes = try await live.request("/v1/masternodes", headers: ["accept-encoding": "gzip"])
            #expect(nodes.headers["content-encoding"] == "gzip")
            #expect(
                try await live.request("/v1/status", headers: ["accept-encoding": "gzip"]).headers["vary"]
                    == "accept-encoding")
        }
    }

    @Test func healthSaysWhetherTheChainMoves() async throws {
        let node = try FakeNode()
        try await serving(node) { live in
            #expect(try await live.request("/health").status == 200)
            node.state.withLock { $0.silenceMs = 93_000 }
            let answer = try await live.request("/health")
            #expect(answer.status == 503)
            let document = try JSONDecoder().decode(HealthDocument.self, from: Data(answer.body))
            #expect(document.status == .stalled)
            let reason = try #require(document.reason)
            #expect(reason.contains("no block for 93 s; 2 of 4 masternodes reachable, quorum 3"), "\(reason)")
            #expect(reason.contains("when 1 more is back"), "\(reason)")
            let status = try await live.client().status()
            #expect(status.liveness?.stalled == true && status.liveness?.problem == reason)
        }
    }

    /// What lies in a damaged part of the store is no missing thing, and no fault of the request.
    @Test func damageIsNeitherMissingNorAFault() async throws {
        let node = try FakeNode()
        node.produceBlock()
        node.state.withLock { $0.isDamaged = true }
        try await serving(node) { live in
            for path in ["/v1/blocks/1", "/v1/blocks/1/raw"] {
                let answer = try await live.request(path)
                #expect(answer.status == 503)
                #expect(try answer.error().code == "store_damaged")
            }
            #expect(try await live.request("/v1/accounts/\(Account(FakeNode.alice.publicKey))").status == 200)
            let health = try await live.request("/health")
            #expect(health.status == 503)
            let document = try JSONDecoder().decode(HealthDocument.self, from: Data(health.body))
            #expect(document.status == .damaged && document.reason == "block 1 can't be read")
            #expect(try await live.client().status().storeProblem == "block 1 can't be read")
        }
    }

    /// All places taken: who comes is told so, and the operator's two questions are still answered.
    @Test func usedUpConnectionsAreAnswered() async throws {
        try await serving(try FakeNode(), configure: { $0.maxConnections = 2 }) { live in
            // Answered once, so that the node has counted them; then they say nothing.
            var held: [HeldAnswer] = []
            for _ in 0..<2 { held.append(try await live.get("/v1/status", from: "127.0.0.1")) }
            #expect(held.map(\.status) == [200, 200])
            let refused = try await live.request("/v1/status", headers: ["connection": "close"])
            #expect(refused.status == 503)
            #expect(try refused.error().code == "busy")
            #expect(try await live.request("/health", headers: ["connection": "close"]).status == 200)
            #expect(try await live.request("/metrics", headers: ["connection": "close"]).status == 200)
            for answer in held { answer.end() }
        }
    }

    @Test func aPositionBeyondTheEndIsAnswered() async throws {
        let node = try FakeNode()
        node.produceBlock()
        try await serving(node) { live in
            for headers in [["last-event-id": "500"], [:]] {
                let answer = try await live.request(
                    headers.isEmpty ? "/v1/events?from=501" : "/v1/events", headers: headers)
                #expect(answer.status == 409)
                #expect(try answer.error().code == "ahead_of_chain")
            }
        }
    }

    @Test func listsHavePages() async throws {
        let node = try FakeNode()
        let client = FakeNode.alice
        for sequence in 0..<5 {
            _ = try await node.submit(
                .record("\(sequence)", sequence: UInt64(sequence), key: client, genesis: node.genesisHash))
            node.produceBlock()
        }
        try await serving(node) { live in
            var heights: [UInt64] = []
            var next: String? = ""
            while let query = next {
                let page = try await live.document(BlocksDocument.self, "/v1/blocks?limit=3" + query)
                heights += page.blocks.map(\.height)
                next = page.next.map { "&before=\($0.wrappedValue)" }
            }
            #expect(heights == Array((1...UInt64(heights.count)).reversed()) && heights.count >= 10)

            var sequences: [UInt64] = []
            next = ""
            while let query = next {
                let page = try await live.document(TransactionsDocument.self, "/v1/transactions?limit=2" + query)
                sequences += page.transactions.map(\.transaction.sequence)
                #expect(page.transactions.allSatisfy { $0.outcome != nil && $0.transaction.data == nil })
                next = page.next.map { "&before=\($0)" }
            }
            #expect(sequences == [4, 3, 2, 1, 0])

            var accounts: [Account] = []
            next = ""
            while let query = next {
                let page = try await live.document(AccountsDocument.self, "/v1/accounts?limit=1" + query)
                accounts += page.accounts.map(\.account)
                next = page.next.map { "&after=\($0.wrappedValue)" }
            }
            #expect(Set(accounts).count == accounts.count && accounts.contains(Account(client.publicKey)))
        }
    }

    /// The bytes that a client checks for itself.
    @Test func rawBlocksAndFinality() async throws {
        let node = try FakeNode()
        node.produceBlock()
        try await serving(node) { live in
            let raw = try await live.request("/v1/blocks/1/raw")
            let block = try Block(borsh: raw.body)
            let document = try await live.client().block(at: Height(1))
            #expect(block.header.digest(genesis: node.genesisHash) == document?.digest)
            let finality = try await live.document(FinalityDocument.self, "/v1/blocks/1/finality")
            #expect(try Header(borsh: try #require(finality.headers.first).wrappedValue) == block.header)
            #expect(try Finalization(borsh: finality.finalization.wrappedValue).subject.digest != .zero)
            #expect(try await live.request("/v1/blocks/99/raw").status == 404)
            #expect(try await live.request("/v1/state/zz").status == 400)
        }
    }

    /// A schema's bounds are the server's, at both ends.
    @Test(arguments: [
        ("/v1/blocks/18446744073709551615", 404), ("/v1/blocks/18446744073709551616", 400), ("/v1/blocks/01", 400),
        ("/v1/blocks/99999999999999999999", 400), ("/v1/services?limit=0", 400), ("/v1/services?limit=101", 400),
        ("/v1/services?limit=100", 200), ("/v1/services?kind=", 400), ("/v1/services?after=", 400),
        ("/v1/services?after=0xzz", 200), ("/v1/services?kind=" + String(repeating: "k", count: 40), 200),
        ("/v1/services/" + String(repeating: "n", count: 40), 404),
        ("/v1/services/" + String(repeating: "n", count: 65), 400),
        ("/v1/proposals?before=18446744073709551616", 400), ("/v1/transactions?before=1", 400),
        ("/v1/transactions?before=1.2", 200), ("/v1/transactions?before=1.99999999", 400),
        ("/v1/transactions/" + String(repeating: "a", count: 64) + "?waitMs=100000000000", 400),
    ])
    func bounds(path: String, status: Int) async throws {
        try await serving(try FakeNode()) { live in
            let answer = try await live.request(path)
            #expect(answer.status == status, "\(path): \(answer.text)")
        }
    }

    @Test func patternsAreExactlyTheNumbers() async throws {
        try await serving(try FakeNode()) { live in
            let json = try JSONSerialization.jsonObject(with: Data(try await live.request("/openapi.json").body))
            let schemas =
                ((json as? [String: Any])?["components"] as? [String: Any])?["schemas"] as? [String: [String: Any]]
            let pattern = try Regex(try #require(schemas?["U64"]?["pattern"] as? String))
            for text in [
                "0", "9", "10", "18446744073709551615", "18446744073709551614", "9999999999999999999",
                "17999999999999999999",
            ] {
                #expect(try pattern.wholeMatch(in: text) != nil, "\(text)")
            }
            for text in [
                "", "00", "01", "-1", "18446744073709551616", "18446744073709551620", "20000000000000000000",
                "99999999999999999999",
            ] {
                #expect(try pattern.wholeMatch(in: text) == nil, "\(text)")
            }
        }
    }
}

extension LiveNode {
    func document<Document: Decodable>(_ type: Document.Type, _ path: String) async throws -> Document {
        let answer = try await request(path)
        #expect(answer.status == 200, "\(path): \(answer.text)")
        return try JSONDecoder().decode(type, from: Data(answer.body))
    }

    /// A connection that says nothing.
    /// - Parameter local: the address of this machine that it comes from.
    func hold(from local: String = "127.0.0.1") throws -> Int32 {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = inet_addr(local)
        let bound = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        try #require(bound == 0)
        address.sin_port = in_port_t(port).bigEndian
        address.sin_addr.s_addr = inet_addr("127.0.0.1")
        let result = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        try #require(result == 0)
        return descriptor
    }

    /// Sends a body of 10,000 bytes after 10,000 bytes, until it is answered or has them all; reads until the end.
    func streamed(_ head: String, chunks: Int) async throws -> String {
        let descriptor = try hold()
        defer { close(descriptor) }
        return await Self.aside {
            var pieces = [Array((head + "transfer-encoding: chunked\r\n\r\n").utf8)]
            pieces += Array(
                repeating: Array("2710\r\n".utf8) + [UInt8](repeating: 7, count: 10_000) + Array("\r\n".utf8),
                count: chunks)
            for piece in pieces {
                // The other side may be gone: that is no signal's matter.
                guard send(descriptor, piece, piece.count, Int32(MSG_NOSIGNAL)) == piece.count else { break }
                var waiting = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
                if poll(&waiting, 1, 20) > 0 { break }
            }
            return Self.all(descriptor)
        }
    }

    /// On a thread that may wait: there are as many for tasks as the machine has cores, and the server needs them to answer.
    static func aside(_ body: @escaping @Sendable () -> String) async -> String {
        await withCheckedContinuation { continuation in
            // Not on a queue: those share their threads with all tasks, and the node that is waited for is one of them.
            Thread.detachNewThread { continuation.resume(returning: body()) }
        }
    }

    private static func all(_ descriptor: Int32) -> String {
        var found: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 4_096)
        while true {
            // Whoever does not end the connection is not waited for for ever.
            var waiting = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
            let count = poll(&waiting, 1, 120_000) > 0 ? read(descriptor, &chunk, chunk.count) : 0
            guard count > 0 else { return String(decoding: found, as: UTF8.self) }
            found += chunk[0..<count]
        }
    }

    /// Sends these bytes, and reads until the end.
    func raw(_ text: String) async throws -> String { try await raw([Array(text.utf8)]) }

    /// Sends these bytes one after the other, a moment apart, and reads until the end.
    /// - Parameter says: whether this side then says that no more will come.
    func raw(_ pieces: [[UInt8]], endsItsSide says: Bool = false) async throws -> String {
        let descriptor = try hold()
        defer { close(descriptor) }
        return await Self.aside {
            for (index, piece) in pieces.enumerated() {
                if index > 0 { usleep(20_000) }
                guard send(descriptor, piece, piece.count, Int32(MSG_NOSIGNAL)) == piece.count else { break }
            }
            if says { shutdown(descriptor, Int32(SHUT_WR)) }
            return Self.all(descriptor)
        }
    }
}

func eventuallyTrue(_ what: String, _ condition: () async throws -> Bool) async throws {
    for _ in 0..<2_000 {
        if try await condition() { return }
        try await Task.sleep(for: .milliseconds(50))
    }
    Issue.record("never true: \(what)")
}
