import NodeCore
import Primitives

/// Clients' transactions that wait a moment for company before the other masternodes hear of them.
package struct GossipBatch {
    /// How long the first of a batch waits. Short beside the time in which a block becomes final.
    package static let waitMs = 5
    package static let mostTransactions = min(64, NodeLimits.gossipTransactions)
    /// Bytes of data from which a batch goes at once.
    package static let mostDataBytes = 65_536

    private var transactions: [SignedTransaction] = []
    private var dataBytes = 0

    package init() {}

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
