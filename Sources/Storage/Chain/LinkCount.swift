import Primitives
import Synchronization

/// How many links between masternode sets a chain has. What was counted once is not read again: links are only added.
public final class LinkCount: Sendable {
    private static let page = 8

    /// The epochs that the links end, ascending: 8 bytes for each.
    private let known = Mutex<[Epoch]>([])

    public init() {}

    /// Those that the chain has as it is read here, which may be older than what was counted before.
    /// - Parameter epoch: only those that end an earlier one; nil for all.
    public func count(in chain: some ChainReading, before epoch: Epoch? = nil) throws(StorageError) -> Int {
        var epochs = known.withLock { $0 }
        while let last = epochs.last, try chain.links(from: last, limit: 1).first?.header.epoch != last {
            epochs.removeLast()
        }
        var from: Epoch? = epochs.last?.next ?? .zero
        while let next = from {
            let page = try chain.links(from: next, limit: Self.page)
            epochs += page.map(\.header.epoch)
            from = page.last?.header.epoch.next
        }
        let counted = epochs
        known.withLock { if counted.count > $0.count { $0 = counted } }
        guard let epoch else { return counted.count }
        return counted.count { $0 < epoch }
    }
}
