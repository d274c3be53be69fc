import NIOCore
import Testing
import WebClient

@Suite(.timeLimit(.minutes(20))) struct WebClientTests {
    private func text(_ client: HTTPClient, _ url: String, limit: Int = 1_000) async throws -> String {
        let response = try await client.execute(HTTPClientRequest(url: url), timeout: .seconds(60))
        return String(buffer: try await response.body.collect(upTo: limit))
    }

    private func expectOK(
        _ client: HTTPClient, _ url: String, sourceLocation: SourceLocation = #_sourceLocation
    ) async throws {
        let answer = try await text(client, url)
        #expect(answer == "ok", sourceLocation: sourceLocation)
    }

    @Test(arguments: [
        ("http://a:1/x?y=z", "http://a:1", "/x?y=z"), ("http://a", "http://a:80", "/"),
        ("https://a?b", "https://a:443", "/?b"),
        ("http://[::1]:7/", "http://[::1]:7", "/"), ("http://127.0.0.1:26600", "http://127.0.0.1:26600", "/"),
    ])
    func targets(url: String, host: String, path: String) throws {
        let target = try Target(url)
        #expect(target.host == host && target.path == path)
    }

    @Test(arguments: [
        "", "ftp://a", "http://", "http://:1", "http://a:0", "http://a:65536", "http://a:x", "http://a b", "http://u@a",
        "http://a/\r\nb",
    ])
    func refusesTargets(url: String) { #expect(throws: HTTPClientError.invalidURL) { try Target(url) } }

    /// One connection serves request after request; after its end another one does.
    @Test func connectionsAreUsedAgain() async throws {
        try await ScriptedServer.with { server in
            let client = HTTPClient()
            for _ in 0..<20 { try await expectOK(client, server.url + "/ok") }
            #expect(server.counts.connections == 1)
            try await expectOK(client, server.url + "/early")
            var head = HTTPClientRequest(url: server.url + "/ok")
            head.method = .HEAD
            let none = try await client.execute(head, timeout: .seconds(60)).body.collect(upTo: 0)
            #expect(none.readableBytes == 0)
            #expect(server.counts.connections == 1)
            for _ in 0..<3 { try await expectOK(client, server.url + "/close") }
            try await expectOK(client, server.url + "/ok")
            #expect(server.counts.connections == 4)
            client.shutdown()
            await #expect(throws: HTTPClientError.shutDown) { try await text(client, server.url + "/ok") }
        }
    }

    /// A kept connection may be gone by the time it is needed: the request goes once more, on a new one.
    @Test func aLostConnectionIsNoFailure() async throws {
        try await ScriptedServer.with { server in
            let client = HTTPClient()
            try await expectOK(client, server.url + "/ok")
            try await expectOK(client, server.url + "/lost")
            #expect(server.counts.connections == 2 && server.counts.requests == 3)
        }
    }

    @Test func everyWaitEnds() async throws {
        try await ScriptedServer.with { server in
            var configuration = HTTPClient.Configuration()
            configuration.readTimeout = .milliseconds(500)
            let impatient = HTTPClient(configuration: configuration)
            for path in ["/silent", "/drip"] {
                await #expect(throws: HTTPClientError.readTimeout) { try await text(impatient, server.url + path) }
                await #expect(throws: HTTPClientError.deadlineExceeded) {
                    let response = try await HTTPClient.shared.execute(
                        HTTPClientRequest(url: server.url + path), timeout: .seconds(1))
                    _ = try await response.body.collect(upTo: 100)
                }
            }
            // Cancelling ends it at once.
            let url = server.url + "/silent"
            let waiting = Task { try await HTTPClient.shared.execute(HTTPClientRequest(url: url)) }
            try await Task.sleep(for: .milliseconds(100))
            waiting.cancel()
            await #expect(throws: CancellationError.self) { try await waiting.value }
        }
        // Nobody listens there any more.
        let gone = try await ScriptedServer.with { $0.url }
        do {
            _ = try await text(HTTPClient(), gone + "/ok")
            Issue.record("somebody answered")
        } catch { #expect(HTTPClient.reason(error) == "connection refused") }
    }

    /// The time for which a connection was kept is no silence of the answer after it.
    @Test func keptTimeIsNoSilence() async throws {
        // A server on a busy machine may be silent for longer than it means to be: not each time.
        for attempt in 1...4 {
            do {
                try await ScriptedServer.with { server in
                    var configuration = HTTPClient.Configuration()
                    configuration.readTimeout = .seconds(6)
                    let client = HTTPClient(configuration: configuration)
                    try await expectOK(client, server.url + "/ok")
                    try await Task.sleep(for: .seconds(5))
                    // Later than the time-out after the last byte, sooner than that after the request.
                    try await expectOK(client, server.url + "/slow?3000")
                    #expect(server.counts.connections == 1)
                }
                return
            } catch HTTPClientError.readTimeout where attempt < 4 {}
        }
    }

    @Test func onlySoManyAtATime() async throws {
        try await ScriptedServer.with { server in
            var configuration = HTTPClient.Configuration()
            configuration.connectionsPerHost = 3
            let client = HTTPClient(configuration: configuration)
            let all = try await withThrowingTaskGroup(of: String.self) { group in
                for _ in 0..<60 { group.addTask { try await text(client, server.url + "/ok") } }
                return try await group.reduce(into: [String]()) { $0.append($1) }
            }
            #expect(all.count == 60 && all.allSatisfy { $0 == "ok" })
            #expect(server.counts.mostOpen <= 3)
            // Who waits for a place waits no longer than for an answer.
            var held: [HTTPClientResponse] = []
            for _ in 0..<3 { held.append(try await client.execute(HTTPClientRequest(url: server.url + "/drip"))) }
            await #expect(throws: HTTPClientError.deadlineExceeded) {
                try await client.execute(HTTPClientRequest(url: server.url + "/ok"), timeout: .seconds(1))
            }
            #expect(held.count == 3)
            held = []
            // Answers that nobody reads give their places back.
            for _ in 0..<10 {
                _ = try await client.execute(
                    HTTPClientRequest(url: server.url + "/large?5000000"), timeout: .seconds(60))
            }
            try await expectOK(client, server.url + "/ok")
        }
    }

    /// Bodies arrive whole, also where they are read slowly, and are not taken beyond their limit.
    @Test func bodies() async throws {
        try await ScriptedServer.with { server in
            let client = HTTPClient()
            var request = HTTPClientRequest(url: server.url + "/echo")
            request.method = .POST
            let sent = (0..<300_000).map { UInt8(truncatingIfNeeded: $0 &* 31) }
            request.body = .bytes(sent)
            let echoed = try await client.execute(request, timeout: .seconds(60)).body.collect(upTo: sent.count)
            #expect(Array(buffer: echoed) == sent)

            var count = 0
            for try await part in try await client.execute(
                HTTPClientRequest(url: server.url + "/large?4000000"), timeout: .seconds(60)
            ).body {
                count += part.readableBytes
                if count % 7 == 0 { try await Task.sleep(for: .milliseconds(2)) }
            }
            #expect(count == 4_000_000)
            await #expect(throws: NIOTooManyBytesError.self) { try await text(client, server.url + "/large?1001") }
            let large = try await text(client, server.url + "/large?1000")
            #expect(large.count == 1_000)
        }
    }
}
