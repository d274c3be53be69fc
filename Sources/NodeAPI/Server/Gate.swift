import Synchronization

/// Lets a bounded number of requests run and a bounded number wait; the rest are refused at once.
package final class Gate: Sendable {
    private struct State {
        var running = 0
        var nextWaiter: UInt64 = 0
        /// In order of arrival.
        var waiting: [(id: UInt64, continuation: CheckedContinuation<Bool, Never>)] = []
    }

    private let limit: Int
    private let waitingLimit: Int
    private let state = Mutex(State())

    package init(limit: Int, waiting: Int) {
        self.limit = limit
        waitingLimit = waiting
    }

    /// The right to run. Given back when the last reference goes, so that no path can forget it.
    package final class Permit: Sendable {
        private let gate: Gate
        fileprivate init(_ gate: Gate) { self.gate = gate }
        deinit { gate.leave() }
    }

    /// Nil when too many wait already, or when the task is cancelled.
    package func enter() async -> Permit? {
        let id = state.withLock { state in
            state.nextWaiter &+= 1
            return state.nextWaiter
        }
        let admitted = await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let immediate: Bool? = state.withLock { state in
                    if Task.isCancelled { return false }
                    if state.running < limit {
                        state.running += 1
                        return true
                    }
                    guard state.waiting.count < waitingLimit else { return false }
                    state.waiting.append((id, continuation))
                    return nil
                }
                if let immediate { continuation.resume(returning: immediate) }
            }
        } onCancel: {
            let cancelled = state.withLock { state in
                state.waiting.firstIndex { $0.id == id }.map { state.waiting.remove(at: $0) }
            }
            cancelled?.continuation.resume(returning: false)
        }
        return admitted ? Permit(self) : nil
    }

    package var waitingCount: Int { state.withLock { $0.waiting.count } }

    private func leave() {
        let next = state.withLock { state -> CheckedContinuation<Bool, Never>? in
            guard !state.waiting.isEmpty else {
                state.running -= 1
                return nil
            }
            return state.waiting.removeFirst().continuation
        }
        next?.resume(returning: true)
    }
}
