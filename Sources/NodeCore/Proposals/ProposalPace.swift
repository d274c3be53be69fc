/// How long this machine takes for the part of a block that comes after its transactions: the state tree. Learned from the
/// blocks that it executed, so that a proposer's time budget covers all that proposing takes, and not execution alone: calls
/// that change very many values are quickly run, and slowly put into the tree.
///
/// Nothing but the size of this node's own proposals depends on it.
package struct ProposalPace: Sendable, Hashable {
    /// For each value that a block changes.
    package private(set) var nanosecondsPerChange: UInt64 = ProposalPace.start

    private static let start: UInt64 = 10_000
    /// A stopwatch of milliseconds tells what so many took; fewer tell no more than that it is not as slow as it was, and
    /// very few nothing.
    private static let enough = 256
    private static let fewest = 64
    /// One block during which the machine did something else must not make all that follow tiny.
    private static let slowest: UInt64 = 500_000

    package init() {}

    /// Of a block that changed so many values, whose tree took so long.
    package mutating func note(changes: Int, milliseconds: UInt64) {
        guard changes >= Self.fewest else { return }
        let each = min(Self.slowest, min(milliseconds, 1 << 32) * 1_000_000 / UInt64(changes))
        let next = (3 * nanosecondsPerChange + each) / 4
        // Else a proposer that was slow once would make small blocks for ever, and learn nothing from them.
        nanosecondsPerChange = changes >= Self.enough ? next : min(nanosecondsPerChange, max(Self.start, next))
    }

    /// Whether a block on which execution has spent so long, and which changes so many values, may take one more
    /// transaction.
    package func allows(milliseconds: UInt64, changes: Int) -> Bool {
        let (tree, overflow) = UInt64(clamping: changes).multipliedReportingOverflow(by: nanosecondsPerChange)
        guard milliseconds < NodeLimits.proposalMs, !overflow else { return false }
        return tree < (NodeLimits.proposalMs - milliseconds) * 1_000_000
    }
}
