import NodeCore
import Primitives

/// Clients' transactions that wait for company before the other masternodes hear of them: until just before the next block
/// is made, which could not take them earlier, and not at all longer than a moment where no block is expected.
package struct GossipBatch {
    /// How long before a block transactions leave, so that whoever makes it has them checked.
    package static let leadMs: UInt64 = 4
    /// Where the next block is due, or nothing is known of it.
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
    /// - Parameter nextBlock: the time before which no block is made, unless many transactions wait.
    package static func waitMs(at now: Time, nextBlock: Time) -> Int {
        let until = nextBlock.distance(since: now)
        guard until > leadMs + shortestMs, until <= longestMs else { return Int(shortestMs) }
        return Int(until - leadMs)
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
