import Primitives

/// One account's waiting transactions: at most ``ChainLimits/sequenceWindow``, sorted by sequence.
struct SenderQueue: Sendable {
    /// The account's next sequence in the state.
    private(set) var nextSequence: UInt64
    /// When its turn began; lower is earlier.
    var turn: UInt64
    /// Sum of the shares of what waits.
    private(set) var share = 0
    /// Sum of the credits that what waits has reserved: 64 of them at most, which can't overflow.
    private(set) var reserved: UInt128 = 0
    private var items: [Admitted] = []

    init(nextSequence: UInt64, turn: UInt64) {
        self.nextSequence = nextSequence
        self.turn = turn
    }

    var isEmpty: Bool { items.isEmpty }
    /// The one with the highest sequence.
    var last: Admitted? { items.last }

    func forEach(_ body: (Admitted) -> Void) { items.forEach(body) }

    func waiting(_ sequence: UInt64) -> Admitted? {
        let index = position(of: sequence)
        guard index < items.count, items[index].signed.transaction.sequence == sequence else { return nil }
        return items[index]
    }

    /// The caller has made sure that the sequence is free.
    mutating func insert(_ admitted: Admitted, share: Int) {
        items.insert(admitted, at: position(of: admitted.signed.transaction.sequence))
        self.share += share
        reserved += UInt128(admitted.reservedCredits)
    }

    mutating func remove(_ sequence: UInt64, share: (Admitted) -> Int) -> Admitted? {
        let index = position(of: sequence)
        guard index < items.count, items[index].signed.transaction.sequence == sequence else { return nil }
        let removed = items.remove(at: index)
        self.share -= share(removed)
        reserved -= UInt128(removed.reservedCredits)
        return removed
    }

    /// Removes and returns what lies below the sequence.
    mutating func advance(to sequence: UInt64, share: (Admitted) -> Int) -> [Admitted] {
        nextSequence = max(nextSequence, sequence)
        let below = Array(items.prefix(position(of: nextSequence)))
        items.removeFirst(below.count)
        for removed in below {
            self.share -= share(removed)
            reserved -= UInt128(removed.reservedCredits)
        }
        return below
    }

    /// Index of the first item whose sequence is not below.
    private func position(of sequence: UInt64) -> Int {
        var low = 0
        var high = items.count
        while low < high {
            let middle = (low + high) / 2
            if items[middle].signed.transaction.sequence < sequence { low = middle + 1 } else { high = middle }
        }
        return low
    }
}
