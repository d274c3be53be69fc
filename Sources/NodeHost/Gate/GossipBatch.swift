import NodeCore
import Primitives

/// Clients' transactions that wait for company before the other masternodes hear of them: until just before the next block
/// that can take them, and not at all longer than a moment where no block is expected.
package struct GossipBatch {
    /// How long before a block transactions leave, so that whoever makes it has them checked: microseconds, as all here.
    package static let lead: UInt64 = 3_000
    /// What leaves later than this before a block comes too late for it.
    package static let late: UInt64 = 1_300
    /// Where nothing is known of a next block.
    package static let shortest: UInt64 = 2_000
    /// Nobody's clock makes a client wait longer.
    package static let longest: UInt64 = 50_000
    package static let mostTransactions = min(64, NodeLimits.gossipTransactions)
    /// Bytes of data from which a batch goes at once.
    package static let mostDataBytes = 65_536

    private var transactions: [SignedTransaction] = []
    private var dataBytes = 0

    package init() {}

    /// Microseconds that the first of a batch waits.
    ///
    /// - Parameters:
    ///   - now: by the wall clock.
    ///   - nextBlock: the time before which no block is made, unless many transactions wait.
    ///   - isExpected: whether a block comes then whatever this node does: there is work without this batch.
    ///   - spacingMs: from that block to the one after it.
    package static func wait(at now: UInt64, nextBlock: Time, isExpected: Bool, spacingMs: UInt64) -> UInt64 {
        let (next, spacing) = (micros(nextBlock.value), micros(spacingMs))
        let until = next - min(next, now)
        if until > lead { return until <= longest ? until - lead : shortest }
        guard isExpected else { return shortest }
        // There is time for it still.
        if until > late { return 0 }
        // The block is about to be made, or on its way here: one that leaves now comes too late for it, and is early for the
        // next. Where it does not come this node has waited for nothing, for less than it takes from block to block.
        let (after, overdue) = (until &+ spacing, now - min(now, next))
        guard overdue <= spacing / 2, after <= longest, after > lead + overdue else { return shortest }
        return after - lead - overdue
    }

    private static func micros(_ milliseconds: UInt64) -> UInt64 {
        let (micros, overflow) = milliseconds.multipliedReportingOverflow(by: 1_000)
        return overflow ? .max : micros
    }

    package var isEmpty: Bool { transactions.isEmpty }

    /// - Returns: whether there is room for more; if not, the batch has to go now.
    package mutating func add(_ more: [SignedTransaction]) -> Bool {
        transactions += more
        dataBytes += more.reduce(0) { $0 + $1.transaction.data.count }
        return transactions.count < Self.mostTransactions && dataBytes < Self.mostDataBytes
    }

    package mutating func take() -> [SignedTransaction] {
        defer { self = GossipBatch() }
        return transactions
    }
}
