import APIModel
import Cryptography
import Foundation
import Hummingbird
import Primitives
import ProgramSupport
import Synchronization

/// Block events by height. The newest are kept, already as text, since every client wants the same ones; who asks while
/// one is being made waits for it. Older ones are read for one client, which is heavy work.
final class EventFeed: Sendable {
    /// Blocks, and their events' bytes.
    private static let kept: UInt64 = 128
    private static let keptBytes = 32_000_000

    private struct State {
        var recent: [Height: ByteBuffer] = [:]
        var bytes = 0
        /// Up to here none is kept any more.
        var dropped = Height.zero
        var underWay: [Height: Task<ByteBuffer?, any Error>] = [:]
    }

    private let backend: any NodeBackend
    private let genesis: Digest
    let heads: HeadWatch
    let clients: Gate
    let shares: AddressShares
    private let heavy: HeavyWork
    private let state = Mutex(State())

    init(
        backend: any NodeBackend, genesis: Digest, heads: HeadWatch, clients: Gate, shares: AddressShares,
        heavy: HeavyWork
    ) {
        self.backend = backend
        self.genesis = genesis
        self.heads = heads
        self.clients = clients
        self.shares = shares
        self.heavy = heavy
    }

    /// The event of the block as it goes over the wire; nil when the node has no such block.
    ///
    /// - Parameter holder: who asks.
    func event(at height: Height, for holder: AddressHolder?) async throws -> ByteBuffer? {
        guard isRecent(height) else { return try await heavy.run(for: holder, .replay) { try await made(at: height) } }
        let known: (event: ByteBuffer?, task: Task<ByteBuffer?, any Error>?) = state.withLock { state in
            if let event = state.recent[height] { return (event, nil) }
            if let task = state.underWay[height] { return (nil, task) }
            if let news = backend.news(at: height), BlockEventText.isShort(news) {
                // Here and now, under the lock: it takes less than to have somebody else do it once for all.
                let event = BlockEventText.event(height, news)
                Self.keep(event, at: height, &state)
                return (event, nil)
            }
            // Of its own, since it goes on for the others when this client leaves.
            let task = Task { try await self.makeRecent(height) }
            state.underWay[height] = task
            return (nil, task)
        }
        if let event = known.event { return event }
        return try await known.task?.value
    }

    private func isRecent(_ height: Height) -> Bool {
        heads.head.distance(since: height) < Self.kept && height > state.withLock { $0.dropped }
    }

    private func makeRecent(_ height: Height) async throws -> ByteBuffer? {
        do {
            let event = try await made(at: height)
            state.withLock { state in
                state.underWay[height] = nil
                if let event { Self.keep(event, at: height, &state) }
            }
            return event
        } catch {
            state.withLock { $0.underWay[height] = nil }
            throw error
        }
    }

    private static func keep(_ event: ByteBuffer, at height: Height, _ state: inout State) {
        state.recent[height] = event
        state.bytes += event.readableBytes
        // The newest stays, however long it is: all want it.
        while state.recent.count > 1, UInt64(state.recent.count) > kept || state.bytes > keptBytes,
            let oldest = state.recent.keys.min(), let event = state.recent.removeValue(forKey: oldest)
        {
            state.bytes -= event.readableBytes
            state.dropped = max(state.dropped, oldest)
        }
    }

    private func made(at height: Height) async throws -> ByteBuffer? {
        guard let stored = try await backend.block(at: height),
            let receipts = try await backend.receipts(at: height)
        else { return nil }
        return BlockEventText.event(
            height,
            BlockNews(
                digest: stored.digest, time: stored.block.block.header.time,
                transactions: stored.block.block.transactions.map { $0.id(genesis: genesis) },
                events: receipts.flatMap(\.events)))
    }
}

/// `GET /v1/events`: server-sent events (WHATWG HTML, section 9.2). A client's place is a height, so nothing is
/// buffered for it; one that does not read is cut off, and resumes by Last-Event-ID.
enum EventStream {
    static func response(_ input: RequestInput, _ node: RouteServices) async throws -> Response {
        var start: Height?
        if let text = input.request.headers.first(where: { $0.name.canonicalName == "last-event-id" })?.value {
            guard let last = UInt64(canonical: text) else {
                throw APIError.badParameter("Last-Event-ID", "'\(text.prefix(64))' is not a height")
            }
            start = Height(last).next
        } else if let from = try input.optionalNumber("from") {
            start = Height(from)
        }
        guard let share = node.events.shares.take(input.context.holder) else {
            throw APIError.addressLimit("event streams", node.events.shares.limit, retryAfterMs: 5_000)
        }
        guard let permit = await node.events.clients.enter() else {
            throw APIError(
                .serviceUnavailable, "busy", "the node serves as many event streams as it can; try another node",
                retryAfterMs: 5_000)
        }
        let head = max(node.heads.head, await node.backend.status().headHeight)
        if let start, start > head.next {
            throw APIError(
                .conflict, "ahead_of_chain",
                "the newest block here is \(head): nothing comes at \(start) yet. Ask another node, or without a position"
            )
        }
        if start == nil { start = head.next }
        // The genesis has no block, so the first event is that of height 1.
        let cursor = max(start ?? .zero, Height(1))
        let writer = GuardedWriter(
            timeout: node.configuration.writeTimeout, closeConnection: input.context.closeConnection)
        let keepAlive = node.configuration.keepAlive
        let feed = node.events
        let holder = input.context.holder
        return Response(
            status: .ok,
            headers: [.contentType: "text/event-stream", .cacheControl: "no-store"],
            body: ResponseBody { body in
                try await send(from: cursor, feed, for: holder, keepAlive: keepAlive, writer, to: &body)
                try await body.finish(nil)
                withExtendedLifetime((permit, share)) {}
            })
    }

    private static func send(
        from start: Height, _ feed: EventFeed, for holder: AddressHolder?, keepAlive: Duration, _ writer: GuardedWriter,
        to body: inout any ResponseBodyWriter
    ) async throws {
        var cursor = start
        try await writer.write(ByteBuffer(string: "retry: 1000\n\n"), to: &body)
        while !Task.isCancelled {
            while cursor <= feed.heads.head {
                guard let event = try await feed.event(at: cursor, for: holder) else {
                    let text = "event: gap\ndata: block \(cursor) is not available here; ask another node\n\n"
                    return try await writer.write(ByteBuffer(string: text), to: &body)
                }
                try await writer.write(event, to: &body)
                cursor = cursor.next
            }
            if feed.heads.isFinished { return }
            let before = cursor.previous ?? .zero
            if await feed.heads.head(beyond: before, timeout: keepAlive) == nil, !feed.heads.isFinished {
                try await writer.write(ByteBuffer(string: ": still here\n\n"), to: &body)
            }
        }
    }
}
