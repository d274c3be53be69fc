import ProgramSupport
import Synchronization

/// Requests that read or compute much. Nobody pays for them, so all of them together have a bounded part of one core,
/// whoever asks, from however many connections and addresses; and they are worked on by threads below the node's own.
///
/// It is processor time that is shared, not turns: what each request really cost is measured and charged to whom it was
/// made for, and of those that wait the one goes next whose address has had the least of late. So a stranger who asks for
/// what costs most waits behind whoever asks for little, and finds none of his time gone but his own.
public final class HeavyWork: Sendable {
    /// What of a core all have in the long run, in percent.
    private let share: Int
    /// What may be used at once after a quiet time.
    private let burst: Duration
    private let limit: Int
    private let waitingLimit: Int
    private let state: Mutex<State>

    /// Whose time it is: an address; an IPv6 site has one together, since its owner has 65,536 networks to ask from.
    private typealias Party = String?

    private struct Waiter {
        let number: UInt64
        let party: Party
        let isReplay: Bool
        /// Can't be refused any more.
        let isPatient: Bool
        let continuation: CheckedContinuation<Bool, Never>
    }

    private struct State {
        var running = 0
        var replaying = false
        var nextNumber: UInt64 = 0
        var waiting: [Waiter] = []
        /// When all that was used is made up for.
        var paidAt: ContinuousClock.Instant
        /// The same of each party, at the pace at which all together make up for theirs.
        var parties: [Party: ContinuousClock.Instant] = [:]
        var isAlarmSet = false
        var used: UInt64 = 0
        var held: UInt64 = 0
    }

    /// Parties whose use is remembered: more have not had anything worth it within the time that it is remembered for.
    private static let mostParties = 4_096

    package init(share: Int, burst: Duration = .seconds(2), limit: Int, waiting: Int) {
        self.share = min(100, max(1, share))
        self.burst = burst
        self.limit = max(1, limit)
        waitingLimit = waiting
        // As after a quiet time.
        state = Mutex(State(paidAt: .now - burst))
    }

    /// What was done and held back until now.
    package struct Totals: Equatable, Sendable {
        /// Nanoseconds of processor time.
        package let used: UInt64
        /// Requests that waited since the share was used up, or were refused.
        package let held: UInt64
    }

    /// Whether the caller is on one of the threads of what reads much: it may read where it is.
    public static var isCurrent: Bool { LowThreads.isCurrent }

    package var totals: Totals { state.withLock { Totals(used: $0.used, held: $0.held) } }
    package var waitingCount: Int { state.withLock { $0.waiting.count } }

    /// How a request comes to its turn.
    package enum Manner: Sendable {
        /// Refused while too many wait.
        case request
        /// What is being answered already and can't be refused any more.
        case underWay
        /// The same, of blocks of long ago: one at a time, whoever asks.
        case replay
    }

    /// For whom what a light request asks for is heavy work where it turns out to be: set while such a request asks.
    @TaskLocal package static var asking: Asking?

    package struct Asking: Sendable {
        let work: HeavyWork
        let holder: AddressHolder?
    }

    /// For the node behind the API: what a request came to that reads much more than its kind does mostly. It waits for its
    /// turn there.
    public static func asked<Value: Sendable>(_ body: @Sendable () async throws -> Value) async throws -> Value {
        guard let asking, !isCurrent else { return try await body() }
        return try await asking.work.run(for: asking.holder, .underWay, body)
    }

    /// Runs the body on a thread of its kind when its turn comes, and charges its time to the holder.
    ///
    /// - Throws: ``TooManyWait``, `CancellationError`, and what the body throws.
    package func run<Value: Sendable>(
        for holder: AddressHolder?, _ manner: Manner, _ body: () async throws -> Value
    ) async throws -> Value {
        let party = holder?.site
        guard await enter(party, manner) else {
            if Task.isCancelled { throw CancellationError() }
            throw TooManyWait()
        }
        defer { leave(manner) }
        return try await withTaskExecutorPreference(MeteredExecutor(self, party)) { try await body() }
    }

    /// Nothing of its kind goes before all that wait, and as many do as may.
    package struct TooManyWait: Error {}

    private func enter(_ party: Party, _ manner: Manner) async -> Bool {
        let number = state.withLock { state in
            state.nextNumber &+= 1
            return state.nextNumber
        }
        let isAdmitted = await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let refused: CheckedContinuation<Bool, Never>? = state.withLock { state in
                    guard !Task.isCancelled else { return continuation }
                    state.waiting.append(
                        Waiter(
                            number: number, party: party, isReplay: manner == .replay, isPatient: manner != .request,
                            continuation: continuation))
                    return nil
                }
                refused?.resume(returning: false)
                advance(since: number)
            }
        } onCancel: {
            let cancelled = state.withLock { state in
                state.waiting.firstIndex { $0.number == number }.map { state.waiting.remove(at: $0) }
            }
            cancelled?.continuation.resume(returning: false)
        }
        return isAdmitted
    }

    private func leave(_ manner: Manner) {
        state.withLock { state in
            state.running -= 1
            if manner == .replay { state.replaying = false }
        }
        advance(since: nil)
    }

    /// Lets those go on whose turn it is, and refuses whoever is one too many.
    ///
    /// - Parameter newcomer: the number of one that came just now.
    private func advance(since newcomer: UInt64?) {
        let (admitted, refused, alarm) = state.withLock { state in
            var admitted: [CheckedContinuation<Bool, Never>] = []
            let now = ContinuousClock.now
            while state.running < limit, state.paidAt <= now, let next = Self.next(&state, now) {
                let waiter = state.waiting.remove(at: next)
                state.running += 1
                if waiter.isReplay { state.replaying = true }
                admitted.append(waiter.continuation)
            }
            if newcomer != nil, state.paidAt > now { state.held &+= 1 }
            var refused: CheckedContinuation<Bool, Never>?
            // Whoever has had most gives way, not whoever came last.
            if state.waiting.count(where: { !$0.isPatient }) > waitingLimit, let last = Self.last(state, now) {
                if state.paidAt <= now { state.held &+= 1 }
                refused = state.waiting.remove(at: last).continuation
            }
            var alarm: ContinuousClock.Instant?
            if state.running < limit, !state.waiting.isEmpty, state.paidAt > now, !state.isAlarmSet {
                state.isAlarmSet = true
                alarm = state.paidAt
            }
            return (admitted, refused, alarm)
        }
        for continuation in admitted { continuation.resume(returning: true) }
        refused?.resume(returning: false)
        guard let alarm else { return }
        Task {
            try? await Task.sleep(until: alarm, clock: .continuous)
            self.state.withLock { $0.isAlarmSet = false }
            self.advance(since: nil)
        }
    }

    /// What the party has had and not made up for.
    private static func debt(_ party: Party, _ state: State, _ now: ContinuousClock.Instant) -> Duration {
        max(.zero, (state.parties[party] ?? now) - now)
    }

    /// Of several with as little the first that came.
    private static func next(_ state: inout State, _ now: ContinuousClock.Instant) -> Int? {
        var best: (index: Int, debt: Duration)?
        for (index, waiter) in state.waiting.enumerated() where !(waiter.isReplay && state.replaying) {
            let debt = debt(waiter.party, state, now)
            if best.map({ debt < $0.debt }) ?? true { best = (index, debt) }
        }
        return best?.index
    }

    /// Of several with as much the last that came.
    private static func last(_ state: State, _ now: ContinuousClock.Instant) -> Int? {
        var worst: (index: Int, debt: Duration)?
        for (index, waiter) in state.waiting.enumerated() where !waiter.isPatient {
            let debt = debt(waiter.party, state, now)
            if worst.map({ debt >= $0.debt }) ?? true { worst = (index, debt) }
        }
        return worst?.index
    }

    /// Processor time that was used for the holder.
    package func charge(_ nanoseconds: UInt64, to holder: AddressHolder?) { charge(nanoseconds, to: holder?.site) }

    fileprivate func charge(_ nanoseconds: UInt64, to party: String?) {
        guard nanoseconds > 0 else { return }
        let rest = Duration.nanoseconds(Int64(clamping: nanoseconds)) * 100 / share
        state.withLock { state in
            let now = ContinuousClock.now
            state.used &+= nanoseconds
            state.paidAt = max(state.paidAt, now - burst) + rest
            if state.parties[party] == nil, state.parties.count >= Self.mostParties {
                state.parties = state.parties.filter { $0.value > now }
                if state.parties.count >= Self.mostParties, let least = state.parties.min(by: { $0.value < $1.value }) {
                    state.parties[least.key] = nil
                }
            }
            state.parties[party] = max(now, state.parties[party] ?? now) + rest
        }
    }
}

/// Runs what a task does between its waits on a low thread, and measures it.
private final class MeteredExecutor: TaskExecutor {
    private let work: HeavyWork
    private let party: String?

    init(_ work: HeavyWork, _ party: String?) {
        self.work = work
        self.party = party
    }

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        LowThreads.shared.run { [self] in
            let start = LowThreads.processorTime
            job.runSynchronously(on: asUnownedTaskExecutor())
            work.charge(LowThreads.processorTime &- start, to: party)
        }
    }
}
