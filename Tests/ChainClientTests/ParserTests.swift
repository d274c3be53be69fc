import ChainClient
import NIOCore
import Testing

@Suite(.timeLimit(.minutes(20))) struct EventStreamParserTests {
    private let text =
        ": hello\nretry: 1000\n\nid: 7\nevent: block\ndata: {\"a\":1}\n\ndata: x\r\ndata: y\r\n\r\nevent: only\n\n"

    private func events(chunkSize: Int) throws -> [EventStreamParser.Event] {
        var parser = EventStreamParser()
        var found: [EventStreamParser.Event] = []
        let bytes = Array(text.utf8)
        for start in stride(from: 0, to: bytes.count, by: chunkSize) {
            try parser.append(ByteBuffer(bytes: bytes[start..<min(start + chunkSize, bytes.count)]))
            while let event = parser.next() { found.append(event) }
        }
        return found
    }

    /// However the bytes are cut, the events are the same.
    @Test(arguments: [1, 2, 3, 7, 1_000])
    func parsesAnyChunks(size: Int) throws {
        let found = try events(chunkSize: size)
        #expect(found.map(\.name) == ["block", "message"])
        #expect(found.map { String(decoding: $0.data, as: UTF8.self) } == ["{\"a\":1}", "x\ny"])
    }

    @Test func refusesEndlessEvents() throws {
        var parser = EventStreamParser()
        let chunk = ByteBuffer(repeating: UInt8(ascii: "a"), count: 8 * 1_024 * 1_024)
        #expect(throws: NIOTooManyBytesError.self) {
            for _ in 0..<5 {
                try parser.append(chunk)
                _ = parser.next()
            }
        }
    }
}

@Suite(.timeLimit(.minutes(20))) struct NodeAddressTests {
    @Test(arguments: [
        ("http://127.0.0.1:26600", "http://127.0.0.1:26600"), ("127.0.0.1:26601", "http://127.0.0.1:26601"),
        ("node.example", "http://node.example:26600"), ("https://node.example/", "https://node.example:443"),
        ("http://[::1]:26600", "http://[::1]:26600"),
    ])
    func accepts(text: String, url: String) throws {
        #expect(try NodeAddress(text).url == url)
    }

    @Test(arguments: [
        "", "ftp://x", "http://", "http://x/path", "http://x?y", "http://u@x", "http://x:0", "http://x:99999", "a b",
    ])
    func refuses(text: String) {
        #expect(throws: ClientError.self) { try NodeAddress(text) }
    }
}
