import Ledger
import Primitives

/// A state after a block that nobody has stored yet: its delta over the state before it.
struct StateLayer: StateReader {
    private let changes: [(key: StateKey, value: [UInt8]?)]
    private let base: any StateReader

    init(_ delta: StateDelta, over base: any StateReader) {
        changes = delta.changes
        self.base = base
    }

    func value(_ key: StateKey) throws -> [UInt8]? {
        var low = 0
        var high = changes.count
        while low < high {
            let middle = (low + high) / 2
            if changes[middle].key < key { low = middle + 1 } else { high = middle }
        }
        if low < changes.count, changes[low].key == key { return changes[low].value }
        return try base.value(key)
    }
}
