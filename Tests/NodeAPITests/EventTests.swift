import APIModel
import ChainClient
import Cryptography
import Foundation
import JobProtocol
import NIOCore
import NodeAPI
import Primitives
import Testing
import WebClient

@Suite(.timeLimit(.minutes(20))) struct EventTests {
    @Test func replaysThenFollows() async throws {
        let node = try FakeNode()
        for _ in 0..<3 { node.produceBlock() }
        try await serving(node) { live in
            let client = try live.client()
            var seen: [UInt64] = []
            for try await block in client.events(from: Height(2)) {
                seen.append(block.height)
                if seen.count == 2 {
                    let signed = try SignedTransaction.record("e", sequence: 0, genesis: node.genesisHash)
                    try await client.submit(signed)
                }
                if block.height == 4 {
                    #expect(block.transactions.count == 1)
                    node.closeRound(0, phase: .commit)
                }
                if block.height == 5 {
                    #expect(block.events.map(\.topicText) == ["round"])
                    #expect(block.events.first?.contract == node.contract)
                    break
                }
            }
            #expect(seen == [2, 3, 4, 5])
        }
    }

    /// The stream of a browser: plain text, with ids to resume from.
    @Test func lastEventIdResumes() async throws {
        let node = try FakeNode()
        for _ in 0..<4 { node.produceBlock() }
        try await serving(node) { live in
            var request = HTTPClientRequest(url: live.url + "/v1/events")
            request.headers.add(name: "Last-Event-ID", value: "2")
            let response = try await HTTPClient.shared.execute(request, timeout: .seconds(300))
            #expect(response.headers.first(name: "content-type") == "text/event-stream")
            var text = ""
            for try await chunk in response.body {
                text += String(buffer: chunk)
                if text.contains("id: 4") { break }
            }
            #expect(text.hasPrefix("retry: 1000\n\nid: 3\nevent: block\ndata: {"))
            #expect(!text.contains("id: 2\n"))
        }
    }

    /// When the node of the stream stops, the sequence goes on with the next one, without a gap and without doubles.
    @Test func goesOnWithTheNextNode() async throws {
        let first = try FakeNode(name: "first")
        let second = try FakeNode(name: "second")
        for _ in 0..<2 { first.produceBlock() }
        for _ in 0..<5 { second.produceBlock() }
        try await serving(second) { two in
            try await serving(first) { one in
                let client = ChainClient(nodes: [try one.address(), try two.address()])
                var seen: [UInt64] = []
                for try await block in client.events(from: Height(1)) {
                    seen.append(block.height)
                    if seen.count == 2 { first.stop() }
                    if seen.count == 5 { break }
                }
                #expect(seen == [1, 2, 3, 4, 5])
            }
        }
    }

    /// A client that does not read holds neither the node's memory nor its place: it is cut off.
    @Test func slowClientIsCutOff() async throws {
        let node = try FakeNode()
        let contract = node.contract
        let noise = Event(contract: contract, topic: [1], data: [UInt8](repeating: 7, count: 4_000))!
        for _ in 0..<400 {
            node.state.withLock { $0.nextEvents = [Event](repeating: noise, count: 16) }
            node.produceBlock()
        }
        try await serving(
            node,
            configure: {
                $0.writeTimeout = .milliseconds(300)
                $0.eventClients = 1
            }
        ) { live in
            // About 34 MB wait for this client, far more than the sockets' buffers hold.
            let response = try await HTTPClient.shared.execute(
                HTTPClientRequest(url: live.url + "/v1/events?from=1"), timeout: .seconds(300))
            let chunks = response.body.makeAsyncIterator()
            _ = try await chunks.next()
            // Its place comes free although it never closed.
            var freed = false
            for _ in 0..<4_000 where !freed {
                try await Task.sleep(for: .milliseconds(25))
                let probe = try await HTTPClient.shared.execute(
                    HTTPClientRequest(url: live.url + "/v1/events"), timeout: .seconds(300))
                freed = probe.status.code == 200
            }
            #expect(freed)
            // What it reads at last ends before the newest block.
            var text = 0
            await #expect(throws: (any Error).self) {
                while let chunk = try await chunks.next() { text += chunk.readableBytes }
            }
            #expect(text < 30_000_000)
        }
    }

    /// A new block is read and encoded once, however many clients wait for it.
    @Test func aBlockIsEncodedOnceForAll() async throws {
        let node = try FakeNode()
        node.produceBlock()
        let count = 20
        try await serving(node) { live in
            var streams: [HTTPClientResponse.Body.Iterator] = []
            for _ in 0..<count {
                let response = try await HTTPClient.shared.execute(
                    HTTPClientRequest(url: live.url + "/v1/events"), timeout: .seconds(300))
                let chunks = response.body.makeAsyncIterator()
                #expect(try await chunks.next() != nil)
                streams.append(chunks)
            }
            let before = node.state.withLock { state in
                // All of them ask before the first has its answer.
                state.readTime = .milliseconds(300)
                return state.reads
            }
            node.produceBlock()
            for chunks in streams {
                var text = ""
                while !text.contains("id: 2\n"), let chunk = try await chunks.next() { text += String(buffer: chunk) }
                #expect(text.contains("id: 2\n"))
            }
            #expect(node.state.withLock { $0.reads } - before == 1)
        }
    }

    /// What is told of a block at once is what is read of it later, and nothing is read for it.
    @Test func newsAreWhatIsRead() async throws {
        let node = try FakeNode()
        node.state.withLock { $0.hasNews = true }
        let signed = try (0..<3).map {
            try SignedTransaction.record("\($0)", sequence: UInt64($0), genesis: node.genesisHash)
        }
        func events() async throws -> [String] {
            try await serving(node) { live in
                let response = try await HTTPClient.shared.execute(
                    HTTPClientRequest(url: live.url + "/v1/events?from=1"), timeout: .seconds(300))
                var text = ""
                for try await chunk in response.body {
                    text += String(buffer: chunk)
                    if node.head < Height(4) {
                        // One block after the other, so that each is the newest.
                        if node.head == .zero || text.contains("id: \(node.head)\n") {
                            if node.head.value < 3 {
                                _ = try await node.submit(signed[Int(node.head.value)])
                            } else {
                                node.produceBlock()
                            }
                        }
                    } else if text.contains("id: 4\n") {
                        break
                    }
                }
                return text.components(separatedBy: "\n\n").filter { $0.contains("event: block") }
            }
        }
        let atOnce = try await events()
        #expect(atOnce.count == 4 && node.state.withLock { $0.reads } == 0)
        node.state.withLock { $0.hasNews = false }
        #expect(try await events() == atOnce)
        #expect(node.state.withLock { $0.reads } == 4)
    }

    /// The text is what an encoder makes of the document.
    @Test func theTextIsTheDocuments() throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        let node = try FakeNode()
        for count in [0, 1, 2, 30] {
            let news = BlockNews(
                digest: Digest(sha256: [UInt8(count)]), time: Time(UInt64.max / UInt64(count + 1)),
                transactions: (0..<count).map { TransactionId(Digest(sha256: [UInt8($0), 1]).bytes)! },
                events: try [[], [0xff], Array("a\"/\\\u{7}é".utf8)].prefix(count).map {
                    try #require(Event(contract: node.contract, topic: $0, data: [1, 2, 3]))
                })
            let height = Height(UInt64(count) * 1_000_000_007)
            let document = BlockEventDocument(
                height: height, digest: news.digest, time: news.time, transactions: news.transactions,
                events: news.events)
            #expect(BlockEventText.json(height, news) == Array(try encoder.encode(document)))
        }
    }

    /// What lies long ago is read one block at a time for all who replay it, and comes whole.
    @Test func oldEventsAreReadOneAtATime() async throws {
        let node = try FakeNode()
        let count: UInt64 = 160
        for _ in 0..<count { node.produceBlock() }
        node.state.withLock { $0.readTime = .milliseconds(1) }
        try await serving(node) { live in
            try await withThrowingTaskGroup(of: [UInt64].self) { group in
                for _ in 0..<4 {
                    group.addTask {
                        var seen: [UInt64] = []
                        for try await block in try live.client().events(from: Height(1)) {
                            seen.append(block.height)
                            if block.height == count { break }
                        }
                        return seen
                    }
                }
                for try await seen in group { #expect(seen == Array(1...count)) }
            }
            #expect(node.state.withLock { $0.mostReadingOld } == 1)
        }
    }

    @Test func onlySoManyClients() async throws {
        let node = try FakeNode()
        try await serving(node, configure: { $0.eventClients = 1 }) { live in
            let held = try await HTTPClient.shared.execute(
                HTTPClientRequest(url: live.url + "/v1/events"), timeout: .seconds(300))
            #expect(held.status.code == 200)
            let refused = try await live.request("/v1/events")
            #expect(refused.status == 503)
            #expect(try refused.error().code == "busy")
            withExtendedLifetime(held) {}
        }
    }

    @Test func jobProgressUntilTheEnd() async throws {
        let node = try FakeNode()
        node.produceBlock()
        try await serving(node) { live in
            let client = try live.client()
            var closed: [UInt32] = []
            var phases: [JobPhase] = []
            for try await update in client.progress(of: FakeNode.job) {
                phases.append(update.status.phase)
                closed += update.closed.map(\.round)
                switch closed.count {
                case 0: node.closeRound(0, phase: .commit)
                case 1:
                    node.produceBlock()
                    node.closeRound(1, phase: .commit)
                default: node.closeRound(2, phase: .finished)
                }
                if phases.count > 6 { break }
            }
            #expect(closed == [0, 1, 2])
            #expect(phases == [.open, .commit, .commit, .finished])
            await #expect(throws: ClientError.self) {
                for try await _ in client.progress(of: ServiceId(unchecked: Array("none".utf8))) {}
            }
        }
    }
}
