import NodeCore
import Primitives

/// Clients' transactions that wait for company before the other masternodes hear of them: until just before the next block
/// that can take them, and not at all longer than a moment where no block is expected.
package struct GossipBatch {
    /// How long before a block transactions leave, so that whoever makes it has them checked.
    package static let leadMs: UInt64 = 4
    /// What leaves later than this before a block comes too late for it.
    package static let lateMs: UInt64 = 2
    /// Where nothing is known of a next block.
    package static let shortestMs: UInt64 = 2
    /// Nobody's clock makes a client wait longer.
    package static let longestMs: UInt64 = 50
    package static let mostTransactions = min(64, NodeLimits.gossipTransactions)
    /// Bytes of data from which a batch goes at once.
    package static let mostDataBytes = 65_536

    private var transactions: [SignedTransaction] = []
    private var dataBytes = 0

    package init() {}

    /// Milliseconds that the first of a batch waits.
    ///
    /// - Parameters:
    ///   - nextBlock: the time before which no block is made, unless many transactions wait.
    ///   - isExpected: whether a block comes then whatever this node does: there is work without this batch.
    ///   - spacingMs: from that block to the one after it.
    package static func waitMs(at now: Time, nextBlock: Time, isExpected: Bool, spacingMs: UInt64) -> Int {
        let until = nextBlock.distance(since: now)
        if until > leadMs { return Int(until <= longestMs ? until - leadMs : shortestMs) }
        guard isExpected else { return Int(shortestMs) }
        // There is time for it still.
        if until > lateMs { return 0 }
        // The block is about to be made, or on its way here: one that leaves now comes too late for it, and is early for the
        // next. Where it does not come this node has waited for nothing, for less than it takes from block to block.
        let after = until + spacingMs
        let overdue = now.distance(since: nextBlock)
        guard overdue <= spacingMs / 2, after > leadMs + overdue, after <= longestMs else { return Int(shortestMs) }
        return Int(after - leadMs - overdue)
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
