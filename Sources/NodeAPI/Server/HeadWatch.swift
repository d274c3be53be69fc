import Primitives
import Synchronization

/// The newest finalised height, for any number of waiting requests, from one stream of the node.
final class HeadWatch: Sendable {
    private struct State {
        var head = Height.zero
        var isFinished = false
        var nextWaiter: UInt64 = 0
        var waiters: [UInt64: Waiter] = [:]
    }

    private struct Waiter {
        let beyond: Height
        let continuation: CheckedContinuation<Height?, Never>
    }

    private let state = Mutex(State())

    var head: Height { state.withLock { $0.head } }
    /// Whether the node has stopped: no height will come any more.
    var isFinished: Bool { state.withLock { $0.isFinished } }

    /// Few are woken by the caller, which makes blocks; many by a task, since anybody may wait here.
    private static let few = 8

    func advance(to height: Height) {
        let (due, areMany) = state.withLock { state in
            guard height > state.head else { return ([Waiter](), false) }
            state.head = height
            guard state.waiters.count <= Self.few else { return ([], true) }
            return (Self.takeDue(&state), false)
        }
        for waiter in due { waiter.continuation.resume(returning: height) }
        if areMany {
            Task {
                let (due, head) = self.state.withLock { (Self.takeDue(&$0), $0.head) }
                for waiter in due { waiter.continuation.resume(returning: head) }
            }
        }
    }

    private static func takeDue(_ state: inout State) -> [Waiter] {
        guard !state.waiters.isEmpty else { return [] }
        let due = state.waiters.filter { $0.value.beyond < state.head }
        for key in due.keys { state.waiters[key] = nil }
        return Array(due.values)
    }

    func finish() {
        let all = state.withLock { state in
            state.isFinished = true
            defer { state.waiters = [:] }
            return Array(state.waiters.values)
        }
        for waiter in all { waiter.continuation.resume(returning: nil) }
    }

    /// The head once it is above `height`; nil after `timeout`, when the task is cancelled, and when the node stops.
    func head(beyond height: Height, timeout: Duration) async -> Height? {
        let id = state.withLock { state in
            state.nextWaiter &+= 1
            return state.nextWaiter
        }
        // Set before the waiter is looked for, so that a timer that is faster than the registration is seen by it.
        let expired = Flag()
        let deadline = Deadlines.shared.set(after: timeout) {
            expired.set()
            self.resume(id)
        }
        defer { Deadlines.shared.callOff(deadline) }
        return await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let immediate: Height?? = state.withLock { state in
                    if state.head > height { return .some(state.head) }
                    if state.isFinished || Task.isCancelled || expired.isSet { return .some(nil) }
                    state.waiters[id] = Waiter(beyond: height, continuation: continuation)
                    return nil
                }
                if case .some(let value) = immediate { continuation.resume(returning: value) }
            }
        } onCancel: {
            resume(id)
        }
    }

    private func resume(_ id: UInt64) {
        state.withLock { $0.waiters.removeValue(forKey: id) }?.continuation.resume(returning: nil)
    }
}

final class Flag: Sendable {
    private let value = Mutex(false)
    var isSet: Bool { value.withLock { $0 } }
    func set() { value.withLock { $0 = true } }
}
