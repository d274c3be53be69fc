import APIModel
import Foundation
import NIOCore
import Primitives
import WebClient

extension ChainClient {
    /// Finalised blocks from a height on, without gaps, for ever: when a node dies or falls silent the sequence goes
    /// on with the next node where it was. Ends when the task is cancelled; throws when no node has the next block any
    /// more.
    /// - Parameter from: nil starts after the newest block.
    public func events(from: Height? = nil) -> BlockEvents { BlockEvents(client: self, from: from) }
}

/// See ``ChainClient/events(from:)``. One iteration holds one connection.
public struct BlockEvents: AsyncSequence, Sendable {
    public typealias Element = BlockEventDocument

    let client: ChainClient
    let from: Height?

    public func makeAsyncIterator() -> Iterator { Iterator(client: client, next: from) }

    public struct Iterator: AsyncIteratorProtocol {
        private let client: ChainClient
        /// Height that comes next; nil until the first event of a stream without a start.
        private var expected: Height?
        private var connection: Connection?
        private var failures = 0
        private var gaps = 0

        init(client: ChainClient, next: Height?) {
            self.client = client
            expected = next
        }

        private struct Connection {
            let node: NodeAddress
            var chunks: HTTPClientResponse.Body.AsyncIterator
            var parser = EventStreamParser()
        }

        public mutating func next() async throws -> BlockEventDocument? {
            while !Task.isCancelled {
                do {
                    if let event = try await read() {
                        failures = 0
                        gaps = 0
                        return event
                    }
                    drop()
                } catch let error as ClientError {
                    if case .missingBlock = error {
                        gaps += 1
                        // Every node was asked and none has it.
                        if gaps >= client.nodes.count { throw error }
                    } else if !error.isTransient {
                        throw error
                    }
                    drop()
                } catch {
                    drop()
                }
                if Task.isCancelled { return nil }
                let pause = 50 << Swift.min(failures, 5)
                try await Task.sleep(for: .milliseconds(pause))
            }
            return nil
        }

        private mutating func drop() {
            if let node = connection?.node { client.avoid(node) }
            connection = nil
            failures += 1
        }

        /// Nil when the stream ended.
        private mutating func read() async throws -> BlockEventDocument? {
            if connection == nil { connection = try await connect() }
            while true {
                while let event = connection?.parser.next() {
                    if event.name == "gap" {
                        throw ClientError.missingBlock(
                            expected?.value ?? 0, node: connection?.node ?? client.preferredNode)
                    }
                    guard event.name == "block" else { continue }
                    guard let block = try? JSONDecoder().decode(BlockEventDocument.self, from: Data(event.data)) else {
                        throw ClientError.badAnswer(
                            node: connection?.node ?? client.preferredNode, path: "/v1/events",
                            reason: "an event is not a block event")
                    }
                    // Two nodes may overlap; what was seen is not shown twice.
                    if let expected, block.height < expected.value { continue }
                    expected = Height(block.height).next
                    return block
                }
                guard let chunk = try await connection?.chunks.next() else { return nil }
                try connection?.parser.append(chunk)
            }
        }

        private func connect() async throws -> Connection {
            let node = client.preferredNode
            var request = HTTPClientRequest(url: node.url + "/v1/events" + (expected.map { "?from=\($0)" } ?? ""))
            request.headers.add(name: "accept", value: "text/event-stream")
            let response: HTTPClientResponse
            do {
                // The stream has no end; silence ends it (the read timeout).
                response = try await client.http.execute(request)
            } catch {
                client.avoid(node)
                throw error
            }
            guard response.status.code == 200 else {
                client.avoid(node)
                let body = try await response.body.collect(upTo: 65_536)
                throw client.refusal(
                    ChainClient.Reply(node: node, status: Int(response.status.code), body: body),
                    client.call("/v1/events"))
            }
            return Connection(node: node, chunks: response.body.makeAsyncIterator())
        }
    }
}

/// Server-sent events out of a byte stream (WHATWG HTML, section 9.2.6), as far as a node uses them: `event`, `data`
/// and comments; lines end with LF or CR LF.
package struct EventStreamParser {
    package struct Event: Equatable {
        package let name: String
        package let data: [UInt8]
    }

    package static let longestEvent = 32 * 1_024 * 1_024

    package init() {}

    private var buffer: [UInt8] = []
    /// Bytes of `buffer` that hold no line end.
    private var scanned = 0
    private var start = 0
    private var name = ""
    private var data: [UInt8] = []
    private var hasData = false

    package mutating func append(_ chunk: ByteBuffer) throws {
        if start > 0 {
            buffer.removeFirst(start)
            scanned -= start
            start = 0
        }
        guard buffer.count + data.count + chunk.readableBytes <= Self.longestEvent else {
            throw NIOTooManyBytesError(maxBytes: Self.longestEvent)
        }
        buffer.append(contentsOf: chunk.readableBytesView)
    }

    /// The next whole event, if its end has arrived.
    package mutating func next() -> Event? {
        while scanned < buffer.count {
            guard buffer[scanned] == UInt8(ascii: "\n") else {
                scanned += 1
                continue
            }
            var line = buffer[start..<scanned]
            if line.last == UInt8(ascii: "\r") { line = line.dropLast() }
            scanned += 1
            start = scanned
            if line.isEmpty {
                defer {
                    name = ""
                    data = []
                    hasData = false
                }
                if hasData { return Event(name: name.isEmpty ? "message" : name, data: data) }
                continue
            }
            take(line)
        }
        return nil
    }

    private mutating func take(_ line: ArraySlice<UInt8>) {
        let colon = line.firstIndex(of: UInt8(ascii: ":")) ?? line.endIndex
        var value = colon == line.endIndex ? [] : line[(colon + 1)...]
        if value.first == UInt8(ascii: " ") { value = value.dropFirst() }
        switch String(decoding: line[..<colon], as: UTF8.self) {
        case "event": name = String(decoding: value, as: UTF8.self)
        case "data":
            if hasData { data.append(UInt8(ascii: "\n")) }
            data.append(contentsOf: value)
            hasData = true
        default: break
        }
    }
}
