import NodeCore
import Primitives
import Synchronization

/// The newest final blocks as they were read, with their receipts: whoever waits for a transaction asks for its place as soon
/// as its block is final, and reading a full block for each who asks would take longer than making the next one.
package final class RecentBlocks: Sendable {
    package struct Entry: Sendable {
        package let block: FinalizedBlock
        package let receipts: [Receipt]
        fileprivate let bytes: Int
    }

    private static let most = 16
    private let mostBytes: Int

    private struct State {
        var entries: [Height: Entry] = [:]
        var bytes = 0
        /// Up to here none is kept any more.
        var dropped = Height.zero
    }

    private let state = Mutex(State())

    /// - Parameter mostBytes: of transactions in all that are kept.
    package init(mostBytes: Int = 16_000_000) { self.mostBytes = mostBytes }

    /// Whether the block is one of the newest, each of which is read once, however many ask for it.
    package func keeps(_ height: Height, head: Height) -> Bool {
        head.distance(since: height) < UInt64(Self.most) && height > state.withLock { $0.dropped }
    }

    /// - Parameter read: where nothing is kept; nil where there is none.
    package func entry(at height: Height, _ read: () throws -> (FinalizedBlock, [Receipt])?) rethrows -> Entry? {
        if let known = state.withLock({ $0.entries[height] }) { return known }
        guard let (block, receipts) = try read() else { return nil }
        let entry = Entry(
            block: block, receipts: receipts, bytes: block.block.transactions.byteCount)
        state.withLock { state in
            guard height > state.dropped, state.entries[height] == nil else { return }
            state.entries[height] = entry
            state.bytes += entry.bytes
            // The newest stays, however long it is.
            while state.entries.count > 1, state.entries.count > Self.most || state.bytes > mostBytes,
                let oldest = state.entries.keys.min(), let gone = state.entries.removeValue(forKey: oldest)
            {
                state.bytes -= gone.bytes
                state.dropped = max(state.dropped, oldest)
            }
        }
        return entry
    }
}
