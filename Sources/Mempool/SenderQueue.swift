import Primitives

/// One account's waiting transactions: at most ``ChainLimits/sequenceWindow``, sorted by sequence. Those from the
/// account's next sequence on, up to the first gap, are ready for a block; the others are parked.
struct SenderQueue: Sendable {
    struct Item: Sendable {
        let admitted: Admitted
        let share: Int
        /// When it came, among all.
        let arrival: UInt64
        /// Its place among the ready ones; nil while it is parked.
        var tag: UInt128?

        var sequence: UInt64 { admitted.sequence }
    }

    /// The account's next sequence in the state.
    private(set) var nextSequence: UInt64
    private(set) var items: [Item] = []

    init(nextSequence: UInt64) { self.nextSequence = nextSequence }

    var isEmpty: Bool { items.isEmpty }

    func item(_ sequence: UInt64) -> Item? {
        let index = position(of: sequence)
        guard index < items.count, items[index].sequence == sequence else { return nil }
        return items[index]
    }

    /// The first sequence that nothing ready waits for.
    var readyEnd: UInt64 {
        var end = nextSequence
        for item in items {
            guard item.tag != nil, item.sequence == end, end < .max else { break }
            end += 1
        }
        return end
    }

    /// The ready one with the highest sequence.
    var lastReady: Item? { items.last { $0.tag != nil } }

    /// The caller has made sure that the sequence is free.
    mutating func insert(_ item: Item) { items.insert(item, at: position(of: item.sequence)) }

    mutating func remove(_ sequence: UInt64) -> Item? {
        let index = position(of: sequence)
        guard index < items.count, items[index].sequence == sequence else { return nil }
        return items.remove(at: index)
    }

    mutating func setTag(_ tag: UInt128?, of sequence: UInt64) {
        let index = position(of: sequence)
        guard index < items.count, items[index].sequence == sequence else { return }
        items[index].tag = tag
    }

    /// Removes and returns what lies below the sequence.
    mutating func advance(to sequence: UInt64) -> [Item] {
        nextSequence = max(nextSequence, sequence)
        let below = Array(items.prefix(position(of: nextSequence)))
        items.removeFirst(below.count)
        return below
    }

    /// Index of the first item whose sequence is not below.
    private func position(of sequence: UInt64) -> Int {
        var low = 0
        var high = items.count
        while low < high {
            let middle = (low + high) / 2
            if items[middle].sequence < sequence { low = middle + 1 } else { high = middle }
        }
        return low
    }
}
