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
    var readyEnd: UInt64 { nextSequence &+ UInt64(readyCount) }

    /// How many stand at the front with neither a gap nor one that is parked before them.
    private var readyCount: Int {
        // The ready ones come first, so that they end in one place.
        var (low, high) = (0, items.count)
        while low < high {
            let middle = (low + high) / 2
            if items[middle].tag != nil, isNext(middle) {
                low = middle + 1
            } else {
                high = middle
            }
        }
        return low
    }

    /// Whether nothing is missing before the item at this index. The last sequence of all can't be used.
    private func isNext(_ index: Int) -> Bool {
        let sequence = items[index].sequence
        return sequence < .max && sequence &- nextSequence == UInt64(index)
    }

    /// The highest tag of a ready one.
    var lastReadyTag: UInt128? {
        var index = items.count
        while index > 0 {
            index -= 1
            if let tag = items[index].tag { return tag }
        }
        return nil
    }

    /// A parked one that nothing is missing before any more, with the tag of the one that it follows.
    var firstParked: (Item, lastTag: UInt128?)? {
        let count = readyCount
        guard count < items.count, items[count].tag == nil, isNext(count) else { return nil }
        return (items[count], lastReadyTag)
    }

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
