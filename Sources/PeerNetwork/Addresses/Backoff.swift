/// Waits that double from the first to the last, each with a jitter of half, so that nodes do not dial in step.
struct Backoff {
    private let first: Int64
    private let last: Int64
    private var next: Int64

    /// - Parameters: milliseconds.
    init(first: Int64, last: Int64) {
        self.first = max(1, first)
        self.last = max(self.first, last)
        next = self.first
    }

    mutating func reset() { next = first }

    /// The next wait.
    mutating func take() -> Duration {
        let wait = next
        next = next > last / 2 ? last : next * 2
        return .milliseconds(wait / 2 + Int64.random(in: 0...wait))
    }

    /// Waits; not at all in a task that was cancelled.
    mutating func pause() async { try? await Task.sleep(for: take()) }
}
