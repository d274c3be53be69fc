/// Distinct keys in ascending order, in chunks of bounded length: adding and removing one costs a logarithmic search and
/// moves at most a chunk, and both ends are at hand. An array in one piece would move half of fifty thousand keys.
struct OrderedIndex<Key: Comparable & Sendable>: Sendable {
    private static var chunkLimit: Int { 512 }
    /// None is empty.
    private var chunks: [[Key]] = []
    private(set) var count = 0

    var isEmpty: Bool { count == 0 }
    var last: Key? { chunks.last?.last }

    mutating func insert(_ key: Key) {
        count += 1
        guard !chunks.isEmpty else {
            chunks.append([key])
            return
        }
        let chunk = min(chunkIndex(of: key), chunks.count - 1)
        chunks[chunk].insert(key, at: Self.position(of: key, in: chunks[chunk]))
        guard chunks[chunk].count > Self.chunkLimit else { return }
        let half = chunks[chunk].count / 2
        let upper = Array(chunks[chunk][half...])
        chunks[chunk].removeLast(chunks[chunk].count - half)
        chunks.insert(upper, at: chunk + 1)
    }

    /// Whether the key was there.
    @discardableResult
    mutating func remove(_ key: Key) -> Bool {
        let chunk = chunkIndex(of: key)
        guard chunk < chunks.count else { return false }
        let position = Self.position(of: key, in: chunks[chunk])
        guard position < chunks[chunk].count, chunks[chunk][position] == key else { return false }
        chunks[chunk].remove(at: position)
        if chunks[chunk].isEmpty { chunks.remove(at: chunk) }
        count -= 1
        return true
    }

    /// From the lowest key on, until the body says false.
    func forEachAscending(_ body: (Key) -> Bool) {
        for chunk in chunks { for key in chunk where !body(key) { return } }
    }

    /// From the highest key on, until the body says false.
    func forEachDescending(_ body: (Key) -> Bool) {
        for chunk in chunks.reversed() { for key in chunk.reversed() where !body(key) { return } }
    }

    /// The first chunk whose highest key is not below; their number where there is none.
    private func chunkIndex(of key: Key) -> Int {
        var (low, high) = (0, chunks.count)
        while low < high {
            let middle = (low + high) / 2
            if let highest = chunks[middle].last, highest < key { low = middle + 1 } else { high = middle }
        }
        return low
    }

    private static func position(of key: Key, in chunk: [Key]) -> Int {
        var (low, high) = (0, chunk.count)
        while low < high {
            let middle = (low + high) / 2
            if chunk[middle] < key { low = middle + 1 } else { high = middle }
        }
        return low
    }
}
