import NodeAPI
import Primitives
import Testing

/// Nobody pays for a question to a contract: all of them together have a bounded place, and those that spin wait among
/// themselves.
@Suite(.timeLimit(.minutes(20))) struct QueryLaneTests {
    private static func answer(_ gas: UInt64) -> QueryResult { QueryResult(data: [], gasUsed: gas, height: .zero) }

    /// A question that goes on until it is let go.
    private struct Spinning {
        let started = AsyncStream.makeStream(of: Void.self)
        let end = AsyncStream.makeStream(of: Void.self)

        func ask(_ gas: UInt64) async -> QueryResult {
            started.continuation.yield()
            for await _ in end.stream { break }
            return QueryLaneTests.answer(gas)
        }

        func untilStarted() async { for await _ in started.stream { break } }
    }

    @Test(.timeLimit(.minutes(20))) func whatIsHeavyWaitsAmongItself() async throws {
        let lanes = QueryLanes(quickGas: 10, mostGas: 100, share: 100, waiting: 1)
        let spinning = Spinning()
        async let heavy = lanes.run { gas async throws(QueryRefusal) in
            guard gas > 10 else { throw .outOfGas }
            return await spinning.ask(gas)
        }
        await spinning.untilStarted()
        // The slow lane is taken; whoever is answered soon does not notice.
        for _ in 0..<5 {
            let light = try await lanes.run { gas async throws(QueryRefusal) in Self.answer(gas) }
            #expect(light?.gasUsed == 10)
        }
        // A refusal is an answer, too.
        await #expect(throws: QueryRefusal.failed("no")) {
            try await lanes.run { _ async throws(QueryRefusal) in throw .failed("no") }
        }
        spinning.end.continuation.finish()
        #expect(try await heavy?.gasUsed == 100)
        // What takes all that it may have is told so.
        await #expect(throws: QueryRefusal.outOfGas) {
            try await lanes.run { _ async throws(QueryRefusal) in throw .outOfGas }
        }
    }

    @Test(.timeLimit(.minutes(20))) func oneIsAskedAtATimeAndTooManyAreRefused() async throws {
        let lanes = QueryLanes(quickGas: 10, mostGas: 10, share: 100, waiting: 0)
        let spinning = Spinning()
        async let first = lanes.run { gas async throws(QueryRefusal) in await spinning.ask(gas) }
        await spinning.untilStarted()
        #expect(try await lanes.run { gas async throws(QueryRefusal) in Self.answer(gas) } == nil)
        spinning.end.continuation.finish()
        #expect(try await first?.gasUsed == 10)
        #expect(try await lanes.run { gas async throws(QueryRefusal) in Self.answer(gas) } != nil)
    }
}
