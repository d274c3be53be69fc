import Consensus
import NodeCore

/// When which timer runs out. One for each name; setting it again replaces it.
struct TimerBook {
    private var deadlines: [NodeTimer: Instant] = [:]
    /// What the host is waiting for.
    var scheduled: Instant?

    var next: Instant? { deadlines.values.min() }

    mutating func set(_ timer: NodeTimer, at instant: Instant) {
        // The `due` timer has several askers: the earliest of them counts, and a call too early does no harm.
        if timer == .due, let known = deadlines[.due], known < instant { return }
        deadlines[timer] = instant
    }

    mutating func cancel(_ timer: NodeTimer) { deadlines[timer] = nil }

    /// The timers that have run out, earliest first.
    mutating func takeDue(_ now: Instant) -> [NodeTimer] {
        let due = deadlines.filter { $0.value <= now }.sorted { $0.value < $1.value }.map(\.key)
        for timer in due { deadlines[timer] = nil }
        return due
    }
}
