import Synchronization

/// Time limits of requests: what happens when one is not kept. Nearly all are kept, and a request has several, so that
/// a timer for each would cost more than the request. One sweep looks at all of them, and runs only while there are any.
package final class Deadlines: Sendable {
    package static let shared = Deadlines()

    /// An action comes up to this much late.
    package static let sweep = Duration.milliseconds(250)

    private struct Entry {
        let due: ContinuousClock.Instant
        let action: @Sendable () -> Void
    }

    private struct State {
        var nextId: UInt64 = 0
        var entries: [UInt64: Entry] = [:]
        var isSweeping = false
    }

    private let state = Mutex(State())

    package init() {}

    /// Runs the action after the time, unless it is called off before.
    package func set(after time: Duration, _ action: @escaping @Sendable () -> Void) -> UInt64 {
        let due = ContinuousClock.now + time
        let (id, startsSweep) = state.withLock { state in
            state.nextId &+= 1
            state.entries[state.nextId] = Entry(due: due, action: action)
            defer { state.isSweeping = true }
            return (state.nextId, !state.isSweeping)
        }
        if startsSweep { Task { await self.run() } }
        return id
    }

    package func callOff(_ id: UInt64) {
        // The closure is let go of outside the lock: what it holds may end there.
        _ = state.withLock { $0.entries.removeValue(forKey: id) }
    }

    private func run() async {
        while true {
            try? await Task.sleep(for: Self.sweep)
            let now = ContinuousClock.now
            let (due, isOver) = state.withLock { state in
                guard !state.entries.isEmpty else {
                    state.isSweeping = false
                    return ([Entry](), true)
                }
                let due = state.entries.filter { $0.value.due <= now }
                for id in due.keys { state.entries[id] = nil }
                return (Array(due.values), false)
            }
            for entry in due { entry.action() }
            if isOver { return }
        }
    }
}
