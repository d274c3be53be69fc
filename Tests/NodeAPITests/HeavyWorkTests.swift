import Foundation
import NodeAPI
import Primitives
import ProgramSupport
import Synchronization
import Testing

/// What reads much has a part of a core, by time and not by turns, and who asks for much waits for who asks for little.
@Suite(.timeLimit(.minutes(20))) struct HeavyWorkTests {
    private static let greedy = AddressHolder("203.0.113.7")
    private static let modest = AddressHolder("203.0.113.8")

    /// In nanoseconds: more than any test makes up for.
    private static let anHour: UInt64 = 3_600_000_000_000

    /// Uses so many milliseconds of the thread's processor time.
    private static func burn(_ milliseconds: Int) {
        func used() -> Int {
            var time = timespec()
            clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
            return time.tv_sec * 1_000 + time.tv_nsec / 1_000_000
        }
        let start = used()
        while used() - start < milliseconds {}
    }

    /// Holds the only place until it is let go.
    private struct Holder {
        let started = AsyncStream.makeStream(of: Void.self)
        let end = AsyncStream.makeStream(of: Void.self)

        func hold() async {
            started.continuation.yield()
            for await _ in end.stream { break }
        }

        func untilStarted() async { for await _ in started.stream { break } }
    }

    private final class Order: Sendable {
        private let added = Mutex<[String]>([])
        var names: [String] { added.withLock { $0 } }
        func add(_ name: String) { added.withLock { $0.append(name) } }
    }

    private static func until(_ count: Int, in work: HeavyWork) async throws {
        while work.waitingCount != count { try await Task.sleep(for: .milliseconds(2)) }
    }

    /// One request that costs much keeps the next from its turn for as long as its share takes, whoever asks.
    @Test func timeIsSharedAndNotTurns() async throws {
        let work = HeavyWork(share: 10, burst: .zero, limit: 4, waiting: 8)
        let start = ContinuousClock.now
        try await work.run(for: Self.greedy, .request) {
            #expect(HeavyWork.isCurrent)
            Self.burn(60)
        }
        #expect(!HeavyWork.isCurrent)
        #expect(work.totals.used >= 59_000_000)
        try await work.run(for: Self.modest, .request) {}
        #expect(ContinuousClock.now - start >= .milliseconds(590), "a tenth of the time was used")
    }

    /// What a body waits for costs nothing.
    @Test func waitingIsNotWorking() async throws {
        let work = HeavyWork(share: 1, burst: .zero, limit: 1, waiting: 8)
        try await work.run(for: Self.greedy, .request) { try await Task.sleep(for: .milliseconds(300)) }
        #expect(work.totals.used < 100_000_000)
    }

    @Test func whoHadLeastGoesNext() async throws {
        let work = HeavyWork(share: 1, burst: .seconds(1_000_000), limit: 1, waiting: 8)
        work.charge(Self.anHour, to: Self.greedy)
        let holder = Holder()
        let order = Order()
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await work.run(for: nil, .request) { await holder.hold() } }
            await holder.untilStarted()
            for number in 1...3 {
                group.addTask {
                    try await work.run(for: Self.greedy, .request) { order.add("greedy") }
                }
                try await Self.until(number, in: work)
            }
            group.addTask { try await work.run(for: Self.modest, .request) { order.add("modest") } }
            try await Self.until(4, in: work)
            holder.end.continuation.finish()
            try await group.waitForAll()
        }
        #expect(order.names == ["modest", "greedy", "greedy", "greedy"])
    }

    /// A site of IPv6 has one share, however many networks it asks from.
    @Test func aSiteIsOneParty() async throws {
        let work = HeavyWork(share: 1, burst: .seconds(1_000_000), limit: 1, waiting: 8)
        work.charge(Self.anHour, to: AddressHolder("2001:db8:5:1::1"))
        let holder = Holder()
        let order = Order()
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await work.run(for: nil, .request) { await holder.hold() } }
            await holder.untilStarted()
            for (number, ip) in ["2001:db8:5:2::1", "2001:db8:6:2::1"].enumerated() {
                group.addTask {
                    try await work.run(for: AddressHolder(ip), .request) { order.add(ip) }
                }
                try await Self.until(number + 1, in: work)
            }
            holder.end.continuation.finish()
            try await group.waitForAll()
        }
        #expect(order.names == ["2001:db8:6:2::1", "2001:db8:5:2::1"])
    }

    /// When as many wait as may, it is not who comes last that is refused but who has had most.
    @Test func whoHadMostGivesWay() async throws {
        let work = HeavyWork(share: 1, burst: .seconds(1_000_000), limit: 1, waiting: 2)
        work.charge(Self.anHour, to: Self.greedy)
        let holder = Holder()
        try await withThrowingTaskGroup(of: (String, Bool).self) { group in
            group.addTask {
                try await work.run(for: nil, .request) { await holder.hold() }
                return ("holder", true)
            }
            await holder.untilStarted()
            func ask(_ name: String, _ who: AddressHolder?, _ manner: HeavyWork.Manner = .request) {
                group.addTask {
                    do { try await work.run(for: who, manner) {} } catch is HeavyWork.TooManyWait {
                        return (name, false)
                    }
                    return (name, true)
                }
            }
            ask("greedy", Self.greedy)
            try await Self.until(1, in: work)
            ask("greedy again", Self.greedy)
            try await Self.until(2, in: work)
            // What is under way already takes nobody's place.
            ask("patient", Self.greedy, .underWay)
            try await Self.until(3, in: work)
            ask("modest", Self.modest)
            let first = try await group.next()
            #expect(first?.0 == "greedy again" && first?.1 == false)
            holder.end.continuation.finish()
            var others: [String] = []
            while let (name, isDone) = try await group.next() { if isDone { others.append(name) } }
            #expect(others.sorted() == ["greedy", "holder", "modest", "patient"])
        }
        #expect(work.totals.held >= 1)
    }

    /// Who hangs up waits no more.
    @Test func whoIsCancelledLeaves() async throws {
        let work = HeavyWork(share: 1, burst: .zero, limit: 1, waiting: 2)
        work.charge(Self.anHour, to: Self.greedy)
        let waiting = Task { try await work.run(for: Self.modest, .request) {} }
        try await Self.until(1, in: work)
        #expect(work.totals.held == 1)
        waiting.cancel()
        await #expect(throws: CancellationError.self) { try await waiting.value }
        #expect(work.waitingCount == 0)
    }

    /// Full blocks end a page early, and its `next` goes on behind them.
    @Test func aPageEndsByItsBytes() async throws {
        let node = try FakeNode(blockPerTransaction: false)
        let text = String(repeating: "x", count: 60_000)
        let one = try SignedTransaction.record(text, sequence: 0, genesis: node.genesisHash)
        for _ in 0..<4 {
            // About 6.6 MB.
            node.state.withLock { $0.pool = Array(repeating: one, count: 110) }
            node.produceBlock()
        }
        try await serving(node) { live in
            struct Page: Decodable {
                struct Block: Decodable { let height: String }
                let blocks: [Block]
                let next: String?
            }
            func page(_ query: String) async throws -> Page {
                let answer = try await live.request("/v1/blocks?limit=100" + query)
                #expect(answer.status == 200)
                return try JSONDecoder().decode(Page.self, from: Data(answer.body))
            }
            let first = try await page("")
            #expect(first.blocks.map(\.height) == ["4", "3"] && first.next == "3")
            let second = try await page("&before=3")
            #expect(second.blocks.map(\.height) == ["2", "1"] && second.next == nil)
            let before = node.state.withLock { $0.reads }
            let transactions = try await live.request("/v1/transactions?limit=100&before=4.0")
            #expect(transactions.status == 200)
            #expect(node.state.withLock { $0.reads } - before <= 2)
        }
    }

    /// Old events are charged like all that reads much; `/metrics` says what was used.
    @Test func oldEventsAreHeavyWork() async throws {
        let node = try FakeNode()
        let count: UInt64 = 400
        for _ in 0..<count { node.produceBlock() }
        try await serving(node) { live in
            func used() async throws -> Double {
                let text = try await live.request("/metrics").text
                let name = "edgeproof_api_heavy_seconds_total "
                let line = try #require(text.split(separator: "\n").first { $0.hasPrefix(name) })
                return try #require(Double(line.split(separator: " ")[1]))
            }
            let before = try await used()
            for try await block in try live.client().events(from: Height(1)) where block.height == count { break }
            #expect(try await used() > before)
        }
    }
}
