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
    init(everyMilliseconds interval: Int64, burst: Int, now: UInt64) {
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

    private mutating func refill(_ now: UInt64) {
        let elapsed = Double(now > last ? now - last : 0) / 1e9
        last = max(last, now)
        level = min(burst, level + elapsed * rate)
    }
}
