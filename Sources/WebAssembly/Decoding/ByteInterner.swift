/// Finds runs of equal bytes: each run gets the number of the first one like it.
///
/// A table with open addressing over the process's seeded hash. No more than linear work in the bytes, whoever chose
/// them, and no allocation for each run: modules of strangers have thousands. What it answers doesn't depend on the seed.
struct ByteInterner {
    private var ranges: [Range<Int>] = []
    /// Number of a run plus one; 0 is free.
    private var slots: [Int32]

    /// For at most so many runs.
    init(capacity: Int) {
        var size = 8
        while size < capacity * 2 { size *= 2 }
        slots = Array(repeating: 0, count: size)
    }

    /// The number of the first run that has these bytes. A new one gets the next number.
    mutating func intern(_ range: Range<Int>, of bytes: [UInt8]) -> (number: Int, isNew: Bool) {
        var hasher = Hasher()
        bytes.withUnsafeBytes { hasher.combine(bytes: UnsafeRawBufferPointer(rebasing: $0[range])) }
        let mask = slots.count - 1
        var place = hasher.finalize() & mask
        while slots[place] != 0 {
            let number = Int(slots[place]) - 1
            if bytes[ranges[number]] == bytes[range] { return (number, false) }
            place = (place + 1) & mask
        }
        ranges.append(range)
        slots[place] = Int32(truncatingIfNeeded: ranges.count)
        return (ranges.count - 1, true)
    }
}
