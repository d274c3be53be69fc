/// How long after the start of their rounds the last 16 commitments came; sets the next deadline.
struct Arrivals: JobStored {
    private typealias Offsets = [16 of UInt32]

    private static let spreads: UInt64 = 4
    /// UInt64, in a ring; `next` is the oldest once the ring is full.
    private var offsets = Offsets(repeating: 0)
    private var count = 0
    private var next = 0

    init() {}

    mutating func record(_ offset: UInt64) {
        offsets[next] = UInt32(clamping: offset)
        next = (next &+ 1) % offsets.count
        count = min(count &+ 1, offsets.count)
    }

    /// clamp(min, median + 4 * MAD, max), MAD being the median absolute deviation; `max` until 16
    /// arrivals are known.
    func timeout(min: UInt64, max: UInt64) -> UInt64 {
        guard count == offsets.count else { return max }
        let middle = Self.median(offsets)
        var deviations = offsets
        for index in offsets.indices {
            let offset = offsets[index]
            deviations[index] = offset > middle ? offset &- middle : middle &- offset
        }
        let timeout = UInt64(middle) &+ Self.spreads &* UInt64(Self.median(deviations))
        return Swift.min(Swift.max(timeout, min), max)
    }

    /// The mean of the two middle values, rounded down.
    @inline(never)
    private static func median(_ values: Offsets) -> UInt32 {
        var sorted = values
        for end in 1..<sorted.count {
            var index = end
            while index > 0, sorted[index &- 1] > sorted[index] {
                sorted.swapAt(index &- 1, index)
                index &-= 1
            }
        }
        let (low, high) = (UInt64(sorted[sorted.count / 2 &- 1]), UInt64(sorted[sorted.count / 2]))
        return UInt32(truncatingIfNeeded: (low &+ high) / 2)
    }

    func encode(to encoder: inout BorshEncoder) {
        encoder.integer(UInt8(truncatingIfNeeded: count))
        encoder.integer(UInt8(truncatingIfNeeded: next))
        for index in 0..<count { encoder.integer(offsets[index]) }
    }

    init(from decoder: inout BorshDecoder) throws(BorshError) {
        count = min(Int(try decoder.integer(UInt8.self)), offsets.count)
        next = Int(try decoder.integer(UInt8.self)) % offsets.count
        for index in 0..<count { offsets[index] = try decoder.integer() }
    }
}
