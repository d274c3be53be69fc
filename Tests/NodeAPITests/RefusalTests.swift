import APIModel
import ChainClient
import Cryptography
import Foundation
import NIOCore
import NodeAPI
import Primitives
import Testing
import WebClient

/// Hostile and mistyped requests: each gets a JSON error that names what is wrong, and the server goes on.
@Suite(.timeLimit(.minutes(20))) struct RefusalTests {
    @Test(arguments: [
        ("/v1/blocks/abc", "height", "neither a number"),
        ("/v1/blocks/-1", "height", "neither a number"),
        ("/v1/blocks/18446744073709551616", "height", "neither a number"),
        ("/v1/transactions/abcd", "id", "4 characters"),
        ("/v1/transactions/" + String(repeating: "z", count: 64), "id", "hexadecimal"),
        ("/v1/transactions/" + String(repeating: "0", count: 64) + "?waitMs=999999", "waitMs", "0...25000"),
        ("/v1/accounts/edge1qqqq", "account", "every address has 63"),
        ("/v1/accounts/bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4", "account", "instead of 'edge1'"),
        ("/v1/accounts/%20", "account", "1 characters"),
        ("/v1/accounts/" + String(repeating: "a", count: 5_000), "account", "too long"),
        ("/v1/accounts/edge1qqqq/history", "account", "every address has 63"),
        ("/v1/services/" + String(repeating: "s", count: 65), "service", "1 to 64 characters"),
        ("/v1/services?limit=0", "limit", "1...100"),
        ("/v1/services?limit=1e3", "limit", "1...100"),
        ("/v1/services?kind=", "kind", "1 to 64 characters"),
        ("/v1/services?after=", "after", "1 to 64 characters"),
        ("/v1/code/12", "hash", "64"),
        ("/v1/events?from=x", "from", "not a number"),
        ("/v1/blocks?limt=5", "limt", "did you mean 'limit'"),
        ("/v1/blocks?limit=5&limit=6", "limit", "twice"),
        ("/v1/status?verbose=1", "verbose", "takes none"),
    ])
    func malformedParameters(path: String, parameter: String, reason: String) async throws {
        try await serving(try FakeNode()) { live in
            let answer = try await live.request(path)
            #expect(answer.status == 400)
            #expect(answer.headers["content-type"] == "application/json")
            let error = try answer.error()
            #expect(error.code == "bad_parameter")
            #expect(error.reason.hasPrefix(parameter + ":"), "\(error.reason)")
            #expect(error.reason.contains(reason), "\(error.reason)")
        }
    }

    /// It has the form of an address, so that no schema can refuse it: there is no such account.
    @Test(arguments: ["/v1/accounts/ACCOUNT", "/v1/accounts/ACCOUNT/history", "/v1/accounts?after=ACCOUNT"])
    func aWrongChecksumIsNoAccount(path: String) async throws {
        try await serving(try FakeNode()) { live in
            var address = Account(FakeNode.alice.publicKey).description
            address.append(address.removeLast() == "q" ? "p" : "q")
            let answer = try await live.request(path.replacingOccurrences(of: "ACCOUNT", with: address))
            #expect(answer.status == 404)
            #expect(try answer.error().reason.contains("checksum"))
        }
    }

    @Test func transactionBodies() async throws {
        let node = try FakeNode()
        try await serving(node) { live in
            func post(_ body: [UInt8], type: String = "application/octet-stream") async throws -> (Int, String, String)
            {
                let answer = try await live.request("/v1/transactions", method: "POST", body: body, type: type)
                let error = try answer.error()
                return (answer.status, error.code, error.reason)
            }
            let good = try SignedTransaction.record("x", sequence: 0, genesis: node.genesisHash)
            let trailing = try await post(good.borsh + [0])
            #expect(trailing.0 == 400 && trailing.1 == "malformed" && trailing.2.contains("follow the end"))
            #expect(try await post([]).1 == "malformed")
            #expect(try await post(Array("{}".utf8), type: "application/json").1 == "malformed")
            #expect(try await post([0xff], type: "application/json; charset=utf-8").1 == "malformed")
            let oversize = try await post([UInt8](repeating: 1, count: ChainLimits.transactionBytes + 1))
            #expect(oversize.0 == 413 && oversize.1 == "too_large")
            let otherChain = try SignedTransaction.record("x", sequence: 0, genesis: Digest(sha256: [1]))
            let forged = try await post(otherChain.borsh)
            #expect(forged.0 == 403 && forged.1 == "bad_signature")
            let ahead = try await post(try SignedTransaction.record("x", sequence: 64, genesis: node.genesisHash).borsh)
            #expect(ahead.0 == 409 && ahead.1 == "sequence_too_far")
            let noService = try await post(
                try SignedTransaction.record("x", sequence: 0, genesis: node.genesisHash, action: 300).borsh)
            #expect(noService.0 == 422 && noService.1 == "unknown_service")
            #expect(node.head == .zero)

            // In JSON, as base64.
            let json = try JSONEncoder().encode(SubmissionDocument(good))
            let taken = try await live.request(
                "/v1/transactions", method: "POST", body: Array(json), type: "application/json")
            #expect(taken.status == 202)
            let again = try await post(try SignedTransaction.record("y", sequence: 0, genesis: node.genesisHash).borsh)
            #expect(again.0 == 409 && again.1 == "sequence_used")

            node.state.withLock {
                $0.refusal = SubmissionRefusal(.insufficientCredits, "wait", retryAfterMs: 2_500)
            }
            let poor = try await live.request(
                "/v1/transactions", method: "POST",
                body: try SignedTransaction.record("z", sequence: 1, genesis: node.genesisHash).borsh)
            #expect(poor.status == 429 && poor.headers["retry-after"] == "3")
            #expect(try poor.error().retryAfterMs?.wrappedValue == 2_500)
        }
    }

    /// A body whose length is not declared is counted as it comes.
    @Test func endlessBody() async throws {
        try await serving(try FakeNode()) { live in
            let answer = try await live.streamed("POST /v1/transactions HTTP/1.1\r\nhost: a\r\n", chunks: 100)
            #expect(answer.hasPrefix("HTTP/1.1 413 "), "\(answer)")
            #expect(try await live.request("/v1/status").status == 200)
        }
    }

    @Test func queriesThatFail() async throws {
        try await serving(try FakeNode()) { live in
            func query(_ service: String, _ input: [UInt8]) async throws -> (Int, ErrorDocument.Detail) {
                let answer = try await live.request("/v1/services/\(service)/query", method: "POST", body: input)
                return (answer.status, try answer.error())
            }
            let unknown = try await query("none", [0])
            #expect(unknown.0 == 404 && unknown.1.code == "unknown_service")
            let failed = try await query("digits", [9])
            #expect(failed.0 == 422 && failed.1.code == "query_failed" && failed.1.reason.contains("not a job's"))
            // The node's own troubles are for its log.
            let internalError = try await query("digits", [255])
            #expect(internalError.0 == 500 && internalError.1.code == "internal")
            #expect(!internalError.1.reason.contains("secret"))
            let large = try await query("digits", [UInt8](repeating: 0, count: 70_000))
            #expect(large.0 == 413)
        }
    }

    @Test func routesThatDoNotExist() async throws {
        try await serving(try FakeNode()) { live in
            for (method, path) in [
                ("GET", "/v1/nothing"), ("DELETE", "/v1/nothing"), ("POST", "/v1"), ("GET", "/../etc/passwd"),
                ("GET", "/v1/blocks/1/receipts/x"),
            ] {
                let answer = try await live.request(path, method: method)
                #expect(answer.status == 404)
                #expect(try answer.error().code == "unknown_route")
            }
        }
    }

    /// More requests than may run and wait are refused, not queued.
    @Test func gateRefusesTheRest() async throws {
        let gate = Gate(limit: 2, waiting: 1)
        var first: Gate.Permit? = await gate.enter()
        let second = await gate.enter()
        #expect(first != nil && second != nil)
        async let third = gate.enter()
        while gate.waitingCount == 0 { await Task.yield() }
        #expect(await gate.enter() == nil)
        first = nil
        #expect(await third != nil)
        _ = first

        let waiting = Task { await gate.enter() }
        while gate.waitingCount == 0 { await Task.yield() }
        waiting.cancel()
        #expect(await waiting.value == nil)
        withExtendedLifetime(second) {}
    }
}

extension Array where Element: Sendable {
    fileprivate var async: AsyncStream<Element> {
        AsyncStream { continuation in
            for element in self { continuation.yield(element) }
            continuation.finish()
        }
    }
}
