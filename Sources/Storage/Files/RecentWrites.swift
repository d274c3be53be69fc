import Foundation
import Synchronization

/// What was written lately and is not in LevelDB yet: of each key what each batch made of it, so that readers see it as it
/// was after any of them.
///
/// Values stay where their batch has them.
final class RecentWrites: Sendable {
    /// A key where its batch has it.
    private struct Key: Hashable {
        let bytes: [UInt8]
        let range: Range<Int>

        static func == (a: Key, b: Key) -> Bool {
            guard a.range.count == b.range.count else { return false }
            return a.bytes.withUnsafeBytes { x in
                b.bytes.withUnsafeBytes { y in
                    let (x, y) = (UnsafeRawBufferPointer(rebasing: x[a.range]), UnsafeRawBufferPointer(rebasing: y[b.range]))
                    guard let start = x.baseAddress, let other = y.baseAddress else { return true }
                    return memcmp(start, other, x.count) == 0
                }
            }
        }

        func hash(into hasher: inout Hasher) {
            bytes.withUnsafeBytes { hasher.combine(bytes: UnsafeRawBufferPointer(rebasing: $0[range])) }
        }

        var copy: [UInt8] { Array(bytes[range]) }
    }

    private struct Entry {
        let key: Key
        /// Nil where the key is deleted.
        let value: Range<Int>?
        /// Of the batch.
        let number: UInt64
        /// What an earlier batch, or this one, made of the key before.
        let before: Int?
        /// Whether it is the newest of its key.
        var isNewest = true

        var content: [UInt8]? { value.map { Array(key.bytes[$0]) } }
    }

    /// What became of a key.
    struct Change {
        let key: [UInt8]
        /// Nil where it is deleted.
        let value: [UInt8]?

        var size: Int { key.count + (value?.count ?? 0) }
    }

    private struct State {
        var entries: [Entry] = []
        var newest: [Key: Int] = [:]
        var byteCount = 0
        /// Keys in their order, and how many entries were looked at for that.
        var sorted: [[UInt8]] = []
        var sortedThrough = 0

        func find(_ key: [UInt8], through number: UInt64) -> [UInt8]?? {
            var place = newest[Key(bytes: key, range: 0..<key.count)]
            while let index = place {
                let entry = entries[index]
                if entry.number <= number { return .some(entry.content) }
                place = entry.before
            }
            return nil
        }
    }

    private let state = Mutex(State())

    /// What it holds, with about what it takes to hold an entry.
    var byteCount: Int { state.withLock { $0.byteCount + 128 * $0.entries.count } }
    var isEmpty: Bool { state.withLock { $0.entries.isEmpty } }

    /// - Parameter number: of the batch; each is higher than the one before.
    func add(_ batch: WriteBatch, number: UInt64) {
        state.withLock { state in
            // No longer than they are: the batch keeps its memory for the next one.
            let bytes = Array(batch.bytes[...])
            state.byteCount += bytes.count
            for operation in batch.operations {
                let key = Key(bytes: bytes, range: operation.key)
                let place = state.entries.count
                let before = state.newest.updateValue(place, forKey: key)
                if let before { state.entries[before].isNewest = false }
                state.entries.append(Entry(key: key, value: operation.value, number: number, before: before))
            }
        }
    }

    /// What the key has after the batch of this number; nil where none up to it has touched the key.
    func find(_ key: [UInt8], through number: UInt64) -> [UInt8]?? {
        state.withLock { $0.find(key, through: number) }
    }

    /// Keys that start with the prefix, from one on, in their order, that batches up to this number have touched.
    ///
    /// - Parameters:
    ///   - limit: keys that are looked at, at least 1: whoever writes waits meanwhile.
    ///   - bytes: of keys and values, after which no further one is looked at.
    /// - Returns: the changes, and the key up to which all were looked at; nil for the last of the prefix.
    func changes(
        prefix: [UInt8], from start: [UInt8], limit: Int, bytes: Int, number: UInt64
    ) -> (changes: [Change], end: [UInt8]?) {
        state.withLock { state in
            Self.sort(&state)
            var found: [Change] = []
            var (looked, taken) = (0, 0)
            for key in state.sorted[state.sorted.firstPlace { !$0.lexicographicallyPrecedes(start) }...] {
                guard key.starts(with: prefix) else { break }
                if let content = state.find(key, through: number) {
                    let change = Change(key: key, value: content)
                    found.append(change)
                    taken += change.size
                }
                looked += 1
                if looked >= limit || taken >= bytes { return (found, key) }
            }
            return (found, nil)
        }
    }

    /// What all its batches together make of each key, of which none comes meanwhile.
    func merged() -> WriteBatch {
        // Not under the lock, which readers would wait for.
        let entries = state.withLock { $0.entries }
        var batch = WriteBatch()
        for entry in entries where entry.isNewest {
            let bytes = entry.key.bytes
            if let value = entry.value {
                batch.put(key: { $0.fixed(bytes[entry.key.range]) }, value: { $0.fixed(bytes[value]) })
            } else {
                batch.delete { $0.fixed(bytes[entry.key.range]) }
            }
        }
        return batch
    }

    /// Puts the keys in their order that came since this was done last: only once somebody asks for them.
    private static func sort(_ state: inout State) {
        guard state.sortedThrough < state.entries.count else { return }
        var fresh = state.entries[state.sortedThrough...].filter { $0.before == nil }.map(\.key.copy)
        state.sortedThrough = state.entries.count
        fresh.sort { $0.lexicographicallyPrecedes($1) }
        // Few among many: to sort all of them would look at each.
        var rest = state.sorted[...]
        var sorted: [[UInt8]] = []
        sorted.reserveCapacity(rest.count + fresh.count)
        for key in fresh {
            let lower = rest.prefix(upTo: rest.firstPlace { !$0.lexicographicallyPrecedes(key) })
            sorted += lower
            sorted.append(key)
            rest = rest[lower.endIndex...]
        }
        state.sorted = sorted + rest
    }
}

extension RandomAccessCollection where Index == Int {
    /// Where the first element is that the condition holds for, as it does for all behind it.
    fileprivate func firstPlace(_ condition: (Element) -> Bool) -> Int {
        var (low, high) = (startIndex, endIndex)
        while low < high {
            let middle = low + (high - low) / 2
            if condition(self[middle]) { high = middle } else { low = middle + 1 }
        }
        return low
    }
}
