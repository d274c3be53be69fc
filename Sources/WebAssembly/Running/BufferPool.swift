import Synchronization

/// Memory that instances use one after another.
///
/// Fresh memory costs a page fault for each 4 KiB, several times what clearing them costs: whoever calls many
/// contracts, or grows a memory page by page, would make the operating system work for nothing. So buffers are kept, a
/// bounded number of each size, and as large as an instance's limits allow from the start: growing never copies.
///
/// A buffer comes as it was left. Who takes one clears what it shows.
final class BufferPool: Sendable {
    private struct Buffer: @unchecked Sendable {
        // Owned by the pool, and by nobody else while it is in here.
        let address: UnsafeMutableRawPointer
    }

    let byteCount: Int
    private let most: Int
    private let free = Mutex<[Buffer]>([])

    private init(byteCount: Int, most: Int) {
        self.byteCount = byteCount
        self.most = most
    }

    /// For linear memories under the contract limits: at most 64 MiB are kept.
    static let memories = BufferPool(byteCount: Limits.contract.memoryPages * Limits.pageBytes, most: 16)
    /// For value stacks under the contract limits: at most 16 MiB are kept.
    static let stacks = BufferPool(byteCount: Limits.contract.valueStackSlots * 8, most: 32)

    /// A buffer of at least so many bytes; one of the pool's if that is large enough and not far too large.
    static func take(_ byteCount: Int, from pool: BufferPool) -> UnsafeMutableRawPointer {
        if byteCount == pool.byteCount, let kept = pool.free.withLock({ $0.popLast() }) { return kept.address }
        return .allocate(byteCount: max(1, byteCount), alignment: 16)
    }

    /// Gives back what ``take(_:from:)`` gave for the same size.
    static func give(_ address: UnsafeMutableRawPointer, _ byteCount: Int, to pool: BufferPool) {
        let buffer = Buffer(address: address)
        let isKept =
            byteCount == pool.byteCount
            && pool.free.withLock { free in
                guard free.count < pool.most else { return false }
                free.append(buffer)
                return true
            }
        if !isKept { address.deallocate() }
    }
}
