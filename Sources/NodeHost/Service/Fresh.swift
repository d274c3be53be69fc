import Primitives
import Synchronization

/// Something that many ask for and that costs the node's own queue, kept for a moment: however many ask, it is made once for
/// each block, and no more often than every so many milliseconds between two blocks.
package final class Fresh<Value: Sendable>: Sendable {
    private struct State {
        var known: (value: Value, height: Height, since: ContinuousClock.Instant)?
        var underWay: (task: Task<Value, Never>, height: Height)?
    }

    private let age: Duration
    private let state = Mutex(State())

    package init(age: Duration) { self.age = age }

    /// - Parameters:
    ///   - height: of the newest block; what was made at another one is not given out.
    ///   - make: asked where nothing is kept, once for all who wait.
    package func value(at height: Height, _ make: @escaping @Sendable () async -> Value) async -> Value {
        let (value, task): (Value?, Task<Value, Never>?) = state.withLock { state in
            let now = ContinuousClock.now
            if let known = state.known, known.height == height, now - known.since < age { return (known.value, nil) }
            if let underWay = state.underWay, underWay.height == height { return (nil, underWay.task) }
            // Of its own, since it goes on for the others when who asked first leaves.
            let task = Task { [self] in
                let value = await make()
                self.state.withLock { state in
                    // Aged from its beginning, when the first part of it was read.
                    state.known = (value, height, now)
                    if state.underWay?.height == height { state.underWay = nil }
                }
                return value
            }
            state.underWay = (task, height)
            return (nil, task)
        }
        if let value { return value }
        guard let task else { return await make() }
        return await task.value
    }
}
