/// delta as this node's timers use it (rule 1): between the configured minimum and the genesis's bound, from what this
/// node saw. Integers only, and no part of any message: nodes may differ.
///
/// It starts at the bound. A view that this node gives up because a timer ran out, and every repetition of a nullify,
/// doubles it. A view that is notarised lets it fall by a sixteenth, never below twice the longest latency of late: of
/// notarised views, from when their timers started. A latency above the longest replaces it; one below draws it down by
/// an eighth of the difference.
struct AdaptiveDelay: Sendable {
    private let minimum: UInt64
    private let bound: UInt64
    private(set) var milliseconds: UInt64
    private var longestLatency: UInt64 = 0

    /// - Parameters: milliseconds; the minimum is lowered to the bound, and the bound to 2^50.
    init(minimum: UInt64, bound: UInt64) {
        self.bound = min(bound, 1 << 50)
        self.minimum = min(minimum, self.bound)
        milliseconds = self.bound
    }

    /// Begins with what another epoch's timers have learnt, within this one's bounds.
    mutating func inherit(_ before: AdaptiveDelay) {
        milliseconds = min(bound, max(minimum, before.milliseconds))
        longestLatency = min(bound, before.longestLatency)
    }

    mutating func grow() { milliseconds = min(bound, 2 * milliseconds) }

    mutating func notarized(afterMs latency: UInt64) {
        let latency = min(latency, bound)
        if latency >= longestLatency {
            longestLatency = latency
        } else {
            longestLatency -= (longestLatency - latency + 7) / 8
        }
        let enough = min(bound, max(minimum, 2 * longestLatency))
        milliseconds = max(enough, milliseconds - (milliseconds + 15) / 16)
    }
}
