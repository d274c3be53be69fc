import Primitives
import Synchronization

/// Where contracts are asked. Nobody pays for a question, so all of them together have a bounded part of one core,
/// whoever asks and from however many connections: a quick lane for what a contract answers soon, which is where every
/// question begins, and a slow one for those that went on. So questions that spin wait among themselves.
package final class QueryLanes: Sendable {
    /// In each lane.
    package static let mostWaiting = 32

    private let quick: QueryLane
    private let slow: QueryLane
    private let quickGas: UInt64
    private let mostGas: UInt64

    /// - Parameters:
    ///   - quickGas: what the quick lane lets a question take: a job's contract answers for half of it.
    ///   - share: of one core, in percent, that each lane has.
    package init(
        quickGas: UInt64 = 4_000_000, mostGas: UInt64 = 20_000_000, share: Int = 20, waiting: Int = mostWaiting
    ) {
        self.quickGas = quickGas
        self.mostGas = mostGas
        quick = QueryLane(share: share, waiting: waiting)
        slow = QueryLane(share: share, waiting: waiting)
    }

    /// Nil when too many wait already.
    /// - Parameter ask: the question, with the gas that it may take.
    package func run(
        _ ask: @Sendable (UInt64) async throws(QueryRefusal) -> QueryResult
    ) async throws(QueryRefusal) -> QueryResult? {
        do throws(QueryRefusal) { return try await quick.run(gas: quickGas, ask) } catch {
            guard error == .outOfGas, mostGas > quickGas else { throw error }
        }
        return try await slow.run(gas: mostGas, ask)
    }
}

/// One question at a time, and together no more than a part of a core: after each, the lane rests until its part of
/// the time has caught up with what was used.
final class QueryLane: Sendable {
    private let gate: Gate
    private let share: Int
    /// When the lane has rested enough.
    private let rested = Mutex(ContinuousClock.now)

    init(share: Int, waiting: Int) {
        self.share = min(100, max(1, share))
        gate = Gate(limit: 1, waiting: waiting)
    }

    func run(
        gas: UInt64, _ ask: @Sendable (UInt64) async throws(QueryRefusal) -> QueryResult
    ) async throws(QueryRefusal) -> QueryResult? {
        guard let permit = await gate.enter() else { return nil }
        defer { withExtendedLifetime(permit) {} }
        let next = rested.withLock { $0 }
        // Whoever hangs up meanwhile has its question asked all the same: it is the next one's turn soon.
        if next > .now { try? await Task.sleep(until: next, clock: .continuous) }
        let start = ContinuousClock.now
        defer {
            let end = ContinuousClock.now
            // A short question after a quiet time makes nobody wait.
            rested.withLock { $0 = max($0, start - Self.burst) + (end - start) * 100 / share }
        }
        return try await ask(gas)
    }

    /// What a quiet lane may use at once, of the time that it has rested.
    private static let burst = Duration.milliseconds(250)
}
