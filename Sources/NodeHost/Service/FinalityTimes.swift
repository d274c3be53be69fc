import NodeCore
import Primitives

/// How long submissions at this node took until they were final and durable here. Bounded: newest samples only.
struct FinalityTimes {
    private static let mostWaiting = 65_536

    private var submitted: [TransactionId: ContinuousClock.Instant] = [:]
    private var samples: [UInt64] = []
    private var next = 0
    /// The samples in their order, from when they are asked for until another one comes.
    private var ordered: [UInt64]?

    mutating func submitted(_ id: TransactionId, at instant: ContinuousClock.Instant) {
        if submitted.count >= Self.mostWaiting { submitted = [:] }
        if submitted[id] == nil { submitted[id] = instant }
    }

    mutating func included(_ ids: [TransactionId], at instant: ContinuousClock.Instant) {
        for id in ids {
            guard let start = submitted.removeValue(forKey: id) else { continue }
            ordered = nil
            let elapsed = start.duration(to: instant).components
            let milliseconds = UInt64(max(0, elapsed.seconds)) * 1_000 + UInt64(max(0, elapsed.attoseconds)) / 1_000_000_000_000_000
            if samples.count < NodeLimits.finalitySamples {
                samples.append(milliseconds)
            } else {
                samples[next] = milliseconds
                next = (next + 1) % NodeLimits.finalitySamples
            }
        }
    }

    /// The sample that `percent` of all are not above; nil without samples.
    mutating func percentile(_ percent: Int) -> UInt64? {
        guard !samples.isEmpty else { return nil }
        let ordered = self.ordered ?? samples.sorted()
        self.ordered = ordered
        return ordered[min(ordered.count - 1, ordered.count * percent / 100)]
    }

    var count: Int { samples.count }
}
