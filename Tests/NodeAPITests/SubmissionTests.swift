import APIModel
import Cryptography
import Encoding
import Foundation
import NodeAPI
import Primitives
import Testing

/// Submissions that are answered before the router: as it would answer them, and in their place among other requests.
@Suite(.timeLimit(.minutes(20))) struct SubmissionTests {
    private func post(
        _ body: [UInt8], type: String = "application/octet-stream", headers: String = "",
        path: String = "/v1/transactions"
    ) -> [UInt8] {
        Array(
            "POST \(path) HTTP/1.1\r\nhost: a\r\ncontent-type: \(type)\r\ncontent-length: \(body.count)\r\n\(headers)\r\n"
                .utf8)
            + body
    }

    private func get(_ path: String, headers: String = "") -> [UInt8] {
        Array("GET \(path) HTTP/1.1\r\nhost: a\r\n\(headers)\r\n".utf8)
    }

    private func list(_ transactions: [SignedTransaction]) -> [UInt8] {
        var encoder = BorshEncoder()
        encoder.array(transactions)
        return encoder.bytes
    }

    private static let close = "connection: close\r\n"

    private func answers(_ text: String) -> [String] { Array(text.components(separatedBy: "HTTP/1.1 ").dropFirst()) }

    /// Whatever takes longer, and however the bytes come: all at once, or a few at a time.
    @Test(arguments: [100_000, 40]) func answersKeepTheOrderOfRequests(bytesAtATime: Int) async throws {
        let node = try FakeNode()
        node.produceBlock()
        node.state.withLock { state in
            state.readTime = .milliseconds(100)
            state.submitTime = .milliseconds(50)
        }
        let signed = try (0..<5).map {
            try SignedTransaction.record("\($0)", sequence: UInt64($0), genesis: node.genesisHash)
        }
        let ids = signed.map { $0.id(genesis: node.genesisHash).hex }
        let exchanges: [(request: [UInt8], status: String, fragment: String)] = [
            (post(signed[0].borsh), "202", ids[0]),
            (get("/v1/accounts/x"), "400", "bad_parameter"),
            (get("/v1/blocks/1"), "200", "parentCertificateHash"),
            (post(list([signed[1], signed[2]]), type: SubmissionLimits.mediaType), "200", #""accepted":2"#),
            (post(list([signed[3]]), type: SubmissionLimits.mediaType.uppercased()), "200", #""accepted":1"#),
            (get("/v1/blocks/1"), "200", "parentCertificateHash"),
            (
                post(Array(try JSONEncoder().encode(SubmissionDocument(signed[4]))), type: "application/json"), "202",
                ids[4]
            ),
            (post([1]), "400", "malformed"),
            (post(signed[0].borsh), "409", "sequence_used"),
            (get("/health", headers: Self.close), "200", "ok"),
        ]
        try await serving(node) { live in
            let bytes = exchanges.flatMap(\.request)
            let text = try await live.raw(
                stride(from: 0, to: bytes.count, by: bytesAtATime).map {
                    Array(bytes[$0..<min(bytes.count, $0 + bytesAtATime)])
                })
            let answers = answers(text)
            #expect(answers.count == exchanges.count, "\(text)")
            for (answer, exchange) in zip(answers, exchanges) {
                #expect(answer.hasPrefix(exchange.status) && answer.contains(exchange.fragment), "\(answer)")
            }
            #expect(node.state.withLock { $0.directly } >= 1)
        }
    }

    /// Who says that no more will come is answered all the same, and what came before that, too.
    @Test func whoHasEndedItsSideIsAnswered() async throws {
        let node = try FakeNode()
        node.state.withLock { $0.submitTime = .milliseconds(300) }
        let signed = try (0..<2).map {
            try SignedTransaction.record("\($0)", sequence: UInt64($0), genesis: node.genesisHash)
        }
        try await serving(node) { live in
            let one = try await live.raw([post(signed[0].borsh)], endsItsSide: true)
            #expect(one.hasPrefix("HTTP/1.1 202 "), "\(one)")
            let two = try await live.raw([post(signed[1].borsh) + get("/v1/status")], endsItsSide: true)
            #expect(answers(two).map { $0.prefix(3) } == ["202", "200"], "\(two)")
            #expect(node.state.withLock { $0.directly } == 2)
        }
    }

    /// The same request by the router, which takes those that name a connection, has the same answer.
    @Test func theRouterSaysTheSame() async throws {
        let node = try FakeNode()
        let genesis = node.genesisHash
        let good = try SignedTransaction.record("x", sequence: 0, genesis: genesis)
        let forged = try SignedTransaction.record("x", sequence: 0, genesis: Digest(sha256: [1]))
        let far = try SignedTransaction.record("x", sequence: 70, genesis: genesis)
        let one = "application/octet-stream"
        let bodies: [(body: [UInt8], type: String)] = [
            (good.borsh, one), (forged.borsh, one), (far.borsh, one), (good.borsh + [0], one), ([], one),
            ([UInt8](repeating: 1, count: ChainLimits.transactionBytes), one), (good.borsh, "text/plain"),
            (list([good]), SubmissionLimits.mediaType), (list([good, forged, far]), SubmissionLimits.mediaType),
            (list(Array(repeating: forged, count: 40)), SubmissionLimits.mediaType),
            (list([]), SubmissionLimits.mediaType),
            (list(Array(repeating: good, count: SubmissionLimits.transactions + 1)), SubmissionLimits.mediaType),
            (good.borsh, SubmissionLimits.mediaType),
        ]
        // So that the same is never another one's second.
        node.state.withLock { $0.losesSubmissions = .max }
        @Sendable func fields(_ answer: LiveNode.Answer) -> [String: String] {
            answer.headers.filter { $0.key != "date" }
        }
        try await serving(node) { live in
            for (body, type) in bodies {
                for more in [[:], ["accept-encoding": "gzip"], ["Accept-Encoding": "br"]] {
                    func ask(_ headers: [String: String]) async throws -> (LiveNode.Answer, directly: Int) {
                        let before = node.state.withLock { $0.directly }
                        let answer = try await live.request(
                            "/v1/transactions", method: "POST", body: body, type: type,
                            headers: headers.merging(more) { $1 })
                        return (answer, node.state.withLock { $0.directly } - before)
                    }
                    let (quick, directly) = try await ask([:])
                    let (routed, byTheRouter) = try await ask(["connection": "keep-alive"])
                    #expect(quick.status == routed.status && fields(quick) == fields(routed), "\(body.count) \(type)")
                    #expect(quick.body == routed.body, "\(quick.text) \(routed.text)")
                    #expect(quick.headers["date"]?.hasSuffix(" GMT") == true)
                    #expect(byTheRouter == 0)
                    // Else it was refused before the node heard of it.
                    #expect(directly == 1 || (try? quick.error().code) == "malformed", "\(quick.text)")
                }
            }
            node.state.withLock { $0.refusal = SubmissionRefusal(.poolFull, "full", retryAfterMs: 1_500) }
            let full = try await live.request("/v1/transactions", method: "POST", body: good.borsh)
            #expect(full.status == 503 && full.headers["retry-after"] == "2")
        }
    }

    /// A body that does not come holds neither the connection nor anybody else.
    @Test func aBodyThatDoesNotCome() async throws {
        let node = try FakeNode()
        let body = try SignedTransaction.record("x", sequence: 0, genesis: node.genesisHash).borsh
        func configure(_ configuration: inout APIConfiguration) {
            configuration.bodyTimeout = .milliseconds(200)
            // Nothing else ends the connection.
            configuration.idleTimeoutSeconds = 100_000
        }
        try await serving(node, configure: configure) { live in
            let request = post(body)
            #expect(try await live.raw([Array(request.dropLast(5))]) == "")
            let ended = try await live.raw([Array(request.dropLast(5))], endsItsSide: true)
            #expect(!ended.contains("202"), "\(ended)")
            #expect(node.state.withLock { $0.directly } == 0)
        }
        try await serving(node) { live in
            let answer = try await live.request("/v1/transactions", method: "POST", body: body)
            #expect(answer.status == 202)
        }
    }

    /// Who is gone before the answer has had its signatures checked all the same.
    @Test func wrongSignaturesOfWhoIsGoneCount() async throws {
        let node = try FakeNode()
        node.state.withLock { $0.submitTime = .milliseconds(300) }
        let forged = try SignedTransaction.record("x", sequence: 0, genesis: Digest(sha256: [1]))
        try await serving(node) { live in
            let descriptor = try live.hold()
            let request = post(forged.borsh)
            #expect(send(descriptor, request, request.count, Int32(MSG_NOSIGNAL)) == request.count)
            try await eventuallyTrue("the node has it") { node.state.withLock { $0.directly } == 1 }
            // The end is a reset, which nothing waits for.
            var now = linger(l_onoff: 1, l_linger: 0)
            setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &now, socklen_t(MemoryLayout<linger>.size))
            Foundation.close(descriptor)
            try await eventuallyTrue("it counts") {
                try await live.request("/metrics").text.contains("wrong_signatures_total 1\n")
            }
        }
    }

    /// Those that are over the limit, or whose length nobody knows, are the router's.
    @Test func bodiesBeyondTheLimits() async throws {
        let node = try FakeNode()
        try await serving(node) { live in
            for (type, most) in [
                ("a/b", ChainLimits.transactionBytes), (SubmissionLimits.mediaType, SubmissionLimits.bytes + 4),
            ] {
                let answer = try await live.request(
                    "/v1/transactions", method: "POST", body: [UInt8](repeating: 0, count: most + 1), type: type)
                #expect(answer.status == 413 && answer.headers["connection"] == "close")
            }
            #expect(node.state.withLock { $0.directly } == 0)
        }
    }

    @Test(arguments: [
        (0, "Thu, 01 Jan 1970 00:00:00 GMT"), (784_111_777, "Sun, 06 Nov 1994 08:49:37 GMT"),
        (1_709_251_199, "Thu, 29 Feb 2024 23:59:59 GMT"),
    ])
    func datesAreThoseOfHTTP(second: Int, text: String) {
        #expect(HTTPDate.text(of: second) == text)
    }
}
