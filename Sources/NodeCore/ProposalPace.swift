/// How long this machine takes for the part of a block that comes after its transactions: the state tree. Learned from the
/// blocks that it executed, so that a proposer's time budget covers all that proposing takes, and not execution alone: calls
/// that change very many values are quickly run, and slowly put into the tree.
///
/// Nothing but the size of this node's own proposals depends on it.
package struct ProposalPace: Sendable, Hashable {
    /// For each value that a block changes.
    package private(set) var nanosecondsPerChange: UInt64 = 10_000

    /// A stopwatch of milliseconds says nothing about fewer.
    static let fewest = 256
    /// One block during which the machine did something else must not make all that follow tiny.
    static let slowest: UInt64 = 500_000

    package init() {}

    /// Of a block that changed so many values, whose tree took so long.
    package mutating func note(changes: Int, milliseconds: UInt64) {
        guard changes >= Self.fewest else { return }
        let each = min(Self.slowest, min(milliseconds, 1 << 32) * 1_000_000 / UInt64(changes))
        nanosecondsPerChange = (3 * nanosecondsPerChange + each) / 4
    }

    /// Whether a block on which execution has spent so long, and which changes so many values, may take one more
    /// transaction.
    package func allows(milliseconds: UInt64, changes: Int) -> Bool {
        let (tree, overflow) = UInt64(clamping: changes).multipliedReportingOverflow(by: nanosecondsPerChange)
        guard milliseconds < NodeLimits.proposalMs, !overflow else { return false }
        return tree < (NodeLimits.proposalMs - milliseconds) * 1_000_000
    }
}
