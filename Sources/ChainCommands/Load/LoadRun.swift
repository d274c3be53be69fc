import APIModel
import ChainClient
import Encoding
import Foundation
import Primitives

/// One measurement: lanes that offer what the senders have signed, and a reader of the first node's blocks.
///
/// A lane has senders of its own and one request under way, so that an account's transactions arrive in their order. What is
/// refused is offered again, before what follows it.
struct LoadRun: Sendable {
    let rate: LoadRate
    let seconds: Int
    let inFlight: Int
    let load: SenderLoad
    let clients: [ChainClient]
    let addresses: [NodeAddress]
    /// At a steady rate: transactions that a request waits for.
    let perRequest: Int
    var link: String?

    /// At the highest rate a second request is on its way while a node works on the first.
    private var lanesEach: Int { rate == .max ? 2 : 1 }
    private static let pauseMs = 2
    /// An account may have so many ahead of the chain.
    private static let window = Int(ChainLimits.sequenceWindow) - 4
    private static let patience: Duration = .seconds(60)

    func measure(bytes: Int) async throws -> LoadDocument {
        let book = LoadBook(load)
        let head = try await clients[0].status().head.height
        let watcher = Task { [clients] in
            for try await event in clients[0].events(from: Height(head).next) {
                let ageMs = Date().timeIntervalSince1970 * 1_000 - Double(event.time)
                book.final(event.transactions.map(\.wrappedValue), ageMs: max(0, ageMs), at: .now)
            }
        }
        defer { watcher.cancel() }
        let machine = LoadMachine(addresses)
        let before = await machine.reading(clients)
        let start = ContinuousClock.now
        let count = clients.count * lanesEach
        try await Progress.during("sending") {
            try await withThrowingTaskGroup(of: Void.self) { group in
                for lane in 0..<count {
                    let senders = load.senders.indices.filter { $0 % count == lane }
                    guard !senders.isEmpty else { continue }
                    group.addTask { try await send(senders, lane: lane, of: count, book, start) }
                }
                try await group.waitForAll()
            }
        }
        let sending = ContinuousClock.now - start
        let end = ContinuousClock.now + Self.patience
        while book.open > 0, ContinuousClock.now < end { try await Task.sleep(for: .milliseconds(50)) }
        let used = await machine.reading(clients).since(before)
        // Absent where a node answers no more: all else is measured by now.
        let viewsGivenUp = try? await viewsGivenUp(after: head)
        return LoadDocument(
            book.summary, rate: rate, seconds: LoadBook.milliseconds(sending) / 1_000, start: start, bytes: load.size,
            senders: load.senders.count, perRequest: rate == .max ? nil : perRequest, used: used, nodes: addresses,
            viewsGivenUp: viewsGivenUp, link: link)
    }

    // MARK: Views

    /// A final block's place; the genesis has view 0 of epoch 0.
    private struct Place {
        var height: UInt64 = 0
        var epoch: UInt64 = 0
        var view: UInt64 = 0
    }

    /// Views without a block, which the views of the final blocks leave out.
    private func viewsGivenUp(after height: UInt64) async throws -> Int {
        let head = try await clients[0].status().head.height
        return try await viewsGivenUp(from: try await place(height), to: try await place(head))
    }

    private func place(_ height: UInt64) async throws -> Place {
        guard height > 0 else { return Place() }
        guard let block = try await clients[0].block(at: Height(height)) else { throw Refused("no_block", "there is no block \(height)") }
        return Place(height: block.height, epoch: block.epoch, view: block.view)
    }

    /// Views count anew in each epoch, so that a stretch with a border in it is halved until one part has none.
    private func viewsGivenUp(from low: Place, to high: Place) async throws -> Int {
        guard high.height > low.height else { return 0 }
        if low.epoch == high.epoch {
            return Int(clamping: high.view) - Int(clamping: low.view) - Int(clamping: high.height - low.height)
        }
        // The first block of an epoch.
        guard high.height - low.height > 1 else { return Int(clamping: high.view) - 1 }
        let middle = try await place(low.height + (high.height - low.height) / 2)
        let (below, above) = (try await viewsGivenUp(from: low, to: middle), try await viewsGivenUp(from: middle, to: high))
        return below + above
    }

    private func send(
        _ senders: [Int], lane: Int, of lanes: Int, _ book: LoadBook, _ start: ContinuousClock.Instant
    ) async throws {
        let client = clients[lane % clients.count]
        let end = start + .seconds(seconds)
        var next = Array(repeating: 0, count: senders.count)
        var rotation = 0
        var offered = 0
        while true {
            let now = ContinuousClock.now
            guard now < end else { return }
            let room: Int
            var pace: LoadPace?
            switch rate {
            case .perSecond(let rate):
                let steady = LoadPace(rate: rate, lane: lane, lanes: lanes, perRequest: perRequest)
                room = steady.count(after: Int(LoadBook.milliseconds(now - start) * 1_000)) - offered
                pace = steady
            case .max: room = (inFlight - book.underWay + lanes - 1) / lanes
            }
            let batch = take(min(room, SubmissionLimits.transactions), senders, &next, &rotation, book.final(of: senders))
            guard !batch.isEmpty else {
                if next.allSatisfy({ $0 >= load.each }) { return }
                // Until the next request is due; and where accounts have too many under way, until they have not.
                let pause = now + .milliseconds(Self.pauseMs)
                let due = pace.map { start + .microseconds($0.leavesAfter(offered)) } ?? pause
                try await Task.sleep(until: room > 0 ? pause : min(end, max(due, now)))
                continue
            }
            let numbers = batch.map { senders[$0.lane] * load.each + $0.place }
            let due = batch.indices.map { index in
                pace.map { start + .microseconds($0.dueAfter(offered + index)) } ?? now
            }
            book.offered(numbers, due: due)
            offered += batch.count
            let refused = try await submit(batch, senders, client)
            book.answered(numbers, refused: refused)
            for (place, code) in refused where code != "sequence_used" {
                next[batch[place].lane] = min(next[batch[place].lane], batch[place].place)
            }
            // None of it was taken: a moment, as any client would wait.
            if refused.count == batch.count { try await Task.sleep(for: .milliseconds(10)) }
        }
    }

    private typealias Choice = (lane: Int, place: Int)

    /// The next transactions, of each sender in turn.
    private func take(
        _ count: Int, _ senders: [Int], _ next: inout [Int], _ rotation: inout Int, _ final: [Int]
    ) -> [Choice] {
        var batch: [Choice] = []
        let most = min(count, SubmissionLimits.bytes / max(1, load.size))
        var idle = 0
        while batch.count < most, idle < senders.count {
            let lane = rotation
            rotation = (rotation + 1) % senders.count
            guard next[lane] < load.each, next[lane] - final[lane] < Self.window else {
                idle += 1
                continue
            }
            idle = 0
            batch.append((lane, next[lane]))
            next[lane] += 1
        }
        return batch
    }

    private func submit(
        _ batch: [Choice], _ senders: [Int], _ client: ChainClient
    ) async throws -> [(place: Int, code: String)] {
        var encoder = BorshEncoder(reserving: 4 + batch.count * load.size)
        encoder.integer(UInt32(batch.count))
        for one in batch {
            encoder.fixed(load.senders[senders[one.lane]].bytes[one.place * load.size..<(one.place + 1) * load.size])
        }
        do {
            return try await client.submit(list: encoder.bytes, count: batch.count).map { ($0.index, $0.error.code) }
        } catch ClientError.refused(_, _, let code, _, _) {
            return batch.indices.map { ($0, code) }
        } catch let error as ClientError where error.isTransient {
            return batch.indices.map { ($0, "unreachable") }
        }
    }
}
