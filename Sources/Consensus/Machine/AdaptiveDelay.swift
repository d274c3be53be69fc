/// delta as this node's timers use it (rule 1): from the configured minimum up to the genesis's bound, and beyond it, up to
/// ``beyond`` times, where views keep failing: blocks may be heavier and links slower than the genesis thought, and
/// liveness must not end there. From what this node saw; integers only, and no part of any message: nodes may differ.
///
/// It starts at the bound. A view that this node gives up because a timer ran out doubles it, and so does, up to the bound,
/// every repetition of a nullify. A view that is notarised shows that a quorum is heard: what lies beyond the bound and
/// was not needed is given up at once, the rest falls by a sixteenth, never below twice the longest latency of late: of
/// notarised views, from when their timers started. A latency above the longest replaces it; one below draws it down by
/// an eighth of the difference. It raises delta to the bound at most, and holds what failing views raised beyond it only
/// until a view takes half the bound or less.
struct AdaptiveDelay: Sendable {
    /// How far beyond the bound delta may grow.
    static let beyond: UInt64 = 32

    private let minimum: UInt64
    private let bound: UInt64
    private let ceiling: UInt64
    private(set) var milliseconds: UInt64
    private var longestLatency: UInt64 = 0

    /// - Parameters: milliseconds; the minimum is lowered to the bound, and the bound to 2^50.
    init(minimum: UInt64, bound: UInt64) {
        self.bound = min(bound, 1 << 50)
        self.minimum = min(minimum, self.bound)
        ceiling = self.bound * Self.beyond
        milliseconds = self.bound
    }

    /// Begins with what another epoch's timers have learnt, within this one's bounds.
    mutating func inherit(_ before: AdaptiveDelay) {
        milliseconds = min(ceiling, max(minimum, before.milliseconds))
        longestLatency = min(ceiling, before.longestLatency)
    }

    mutating func grow(beyondBound: Bool) {
        milliseconds = min(beyondBound ? ceiling : max(bound, milliseconds), 2 * milliseconds)
    }

    /// Others, whose timers are shorter, are heard again.
    mutating func fallBack() { milliseconds = min(milliseconds, bound) }

    mutating func notarized(afterMs latency: UInt64) {
        let latency = min(latency, ceiling)
        if latency >= longestLatency {
            longestLatency = latency
        } else {
            longestLatency -= (longestLatency - latency + 7) / 8
            // What is well within the bound again was held up by an outage, not by the network's ordinary course.
            if longestLatency > bound, 2 * latency <= bound { longestLatency = bound / 2 }
        }
        // Beyond the bound only views that fail lead: one that waited out an outage says nothing of the next.
        let enough = min(max(bound, milliseconds), max(minimum, 2 * longestLatency))
        if milliseconds > bound { milliseconds = min(milliseconds, max(bound, enough)) }
        milliseconds = max(enough, milliseconds - (milliseconds + 15) / 16)
    }
}
