/// What a peer may send: `rate` units a second in the long run, `burst` at once.
struct TokenBucket {
    private let rate: Double
    private let burst: Double
    private var level: Double
    private var last: UInt64

    /// - Parameter now: nanoseconds of a clock that does not go back.
    init(rate: Int, burst: Int, now: UInt64) {
        self.init(perSecond: Double(max(1, rate)), burst: burst, now: now)
    }

    /// One unit for each interval in the long run.
    init(everyMs interval: Int64, burst: Int, now: UInt64) {
        self.init(perSecond: 1_000 / Double(max(1, interval)), burst: burst, now: now)
    }

    private init(perSecond: Double, burst: Int, now: UInt64) {
        rate = perSecond
        self.burst = Double(max(1, burst))
        level = self.burst
        last = now
    }

    /// Takes the units, into debt if need be.
    ///
    /// - Returns: nanoseconds until the debt is paid; 0 without debt.
    mutating func take(_ units: Int, now: UInt64) -> UInt64 {
        refill(now)
        level -= Double(max(0, units))
        return level >= 0 ? 0 : UInt64(min(-level / rate, 60) * 1e9)
    }

    /// Takes one unit if it is there.
    mutating func takeIfThere(now: UInt64) -> Bool {
        refill(now)
        guard level >= 1 else { return false }
        level -= 1
        return true
    }

    func isFull(now: UInt64) -> Bool {
        level + Double(now > last ? now - last : 0) / 1e9 * rate >= burst
    }

    private mutating func refill(_ now: UInt64) {
        let elapsed = Double(now > last ? now - last : 0) / 1e9
        last = max(last, now)
        level = min(burst, level + elapsed * rate)
    }
}

/// One bucket for each address, for a bounded number of addresses.
struct AddressBuckets {
    static let most = 4_096

    private let rate: Int
    private let burst: Int
    private var buckets: [String: TokenBucket] = [:]

    init(rate: Int, burst: Int) {
        self.rate = rate
        self.burst = burst
    }

    var count: Int { buckets.count }

    /// Takes one unit of the address's, if it is there. What has no address takes nothing.
    mutating func takeIfThere(_ address: String?, now: UInt64) -> Bool {
        guard let address else { return true }
        if buckets[address] == nil, buckets.count >= Self.most {
            // Full ones remember nothing; if there is none, all start over.
            buckets = buckets.filter { !$0.value.isFull(now: now) }
            if buckets.count >= Self.most { buckets = [:] }
        }
        var bucket = buckets[address] ?? TokenBucket(rate: rate, burst: burst, now: now)
        defer { buckets[address] = bucket }
        return bucket.takeIfThere(now: now)
    }
}
