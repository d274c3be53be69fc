import Primitives

/// Finds the sender that takes the most room. Senders stand in buckets by share; an entry that a later change made
/// untrue is dropped when it is met, so that every change costs a constant amount.
struct ShareIndex: Sendable {
    private struct Entry: Sendable {
        let account: Account
        let share: Int
    }

    private var buckets: [[Entry]] = []
    private var entries = 0
    private var unit = 1

    mutating func note(_ account: Account, share: Int, unit: Int) {
        self.unit = max(1, unit)
        let bucket = max(0, share) / self.unit
        while buckets.count <= bucket { buckets.append([]) }
        buckets[bucket].append(Entry(account: account, share: share))
        entries += 1
    }

    /// The sender of the heaviest bucket that came there last.
    mutating func heaviest(of senders: [Account: SenderQueue]) -> (account: Account, share: Int)? {
        while let bucket = buckets.indices.last {
            while let entry = buckets[bucket].last {
                if senders[entry.account]?.share == entry.share { return (entry.account, entry.share) }
                buckets[bucket].removeLast()
                entries -= 1
            }
            buckets.removeLast()
        }
        return nil
    }

    func isStale(live: Int) -> Bool { entries > 4 * live + 1_024 }

    mutating func rebuild(_ live: [(Account, Int)], unit: Int) {
        buckets = []
        entries = 0
        for (account, share) in live { note(account, share: share, unit: unit) }
    }
}
