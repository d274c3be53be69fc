import Encoding
import Primitives

/// A page of a contract's list of keys (`Docs/decisions/0031`): a B-tree in the state.
/// Page 0 is the root. A leaf holds keys, a branch its children, each under a key that none in it is below. No page but
/// the root is ever empty.
struct KeyPage: BorshCodable, Hashable {
    struct Entry: BorshCodable, Hashable {
        var key: [UInt8]
        /// Number of a branch's child; 0 in a leaf.
        var child: UInt64 = 0

        init(key: [UInt8], child: UInt64 = 0) {
            self.key = key
            self.child = child
        }

        func encode(to encoder: inout BorshEncoder) {
            encoder.variable(key)
            encoder.integer(child)
        }

        init(from decoder: inout BorshDecoder) throws(BorshError) {
            key = try decoder.variable(limit: Int(ContractFrame.longestKey))
            child = try decoder.integer()
        }
    }

    /// Entries of a page; one more splits it.
    static let width = 32

    /// 0 for a leaf.
    var level: UInt8 = 0
    /// Of the root: number of the next new page.
    var next: UInt64 = 1
    var entries: [Entry] = []

    init(level: UInt8 = 0, entries: [Entry] = []) {
        self.level = level
        self.entries = entries
    }

    var isLeaf: Bool { level == 0 }

    /// Place of the first entry whose key is not below this one.
    func place(of key: [UInt8]) -> Int {
        var low = 0
        var high = entries.count
        while low < high {
            let middle = (low + high) / 2
            if entries[middle].key.lexicographicallyPrecedes(key) { low = middle + 1 } else { high = middle }
        }
        return low
    }

    /// Place of the child that a key belongs to.
    func childPlace(of key: [UInt8]) -> Int {
        let place = place(of: key)
        if entries.indices.contains(place), entries[place].key == key { return place }
        return max(0, place - 1)
    }

    /// A first child holds what is below its key, too: when it is split, its key must be below the new page's.
    mutating func lower(_ place: Int, to child: KeyPage) {
        guard entries.indices.contains(place), let first = child.entries.first?.key,
            first.lexicographicallyPrecedes(entries[place].key)
        else { return }
        entries[place].key = first
    }

    /// Takes the upper half out.
    mutating func split() -> KeyPage {
        let middle = entries.count / 2
        let upper = KeyPage(level: level, entries: Array(entries[middle...]))
        entries.removeSubrange(middle...)
        return upper
    }

    func encode(to encoder: inout BorshEncoder) {
        encoder.integer(level)
        encoder.integer(next)
        encoder.array(entries)
    }

    init(from decoder: inout BorshDecoder) throws(BorshError) {
        level = try decoder.integer()
        next = try decoder.integer()
        entries = try decoder.array(limit: Self.width, smallestElement: 12)
    }
}
