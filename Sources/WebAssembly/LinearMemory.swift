/// A linear memory (specification 1.0, section 4.2.8): bytes that are always within `count`, or a trap.
struct LinearMemory: ~Copyable {
    private(set) var base: UnsafeMutableRawPointer
    private(set) var count: Int
    private var capacity: Int
    private let maximumPages: Int

    var pages: Int { count / Limits.pageBytes }

    init(_ type: MemoryType?) {
        count = (type?.minimum ?? 0) * Limits.pageBytes
        maximumPages = type?.maximum ?? 0
        capacity = max(count, 1)
        base = .allocate(byteCount: capacity, alignment: 16)
        base.initializeMemory(as: UInt8.self, repeating: 0, count: capacity)
    }

    deinit { base.deallocate() }

    func canGrow(by delta: UInt32) -> Bool {
        Int(delta) <= maximumPages - pages
    }

    /// Appends zeroed pages. Call only after ``canGrow(by:)``.
    mutating func grow(by delta: UInt32) {
        guard canGrow(by: delta) else { return }
        let newCount = count + Int(delta) * Limits.pageBytes
        if newCount > capacity {
            // Doubling keeps the copying in proportion to the pages that gas paid for.
            let newCapacity = max(newCount, min(capacity * 2, maximumPages * Limits.pageBytes))
            let newBase = UnsafeMutableRawPointer.allocate(byteCount: newCapacity, alignment: 16)
            newBase.copyMemory(from: base, byteCount: count)
            base.deallocate()
            base = newBase
            capacity = newCapacity
        }
        (base + count).initializeMemory(as: UInt8.self, repeating: 0, count: newCount - count)
        count = newCount
    }

    /// The bytes `offset ..< offset + length`, if they are all there.
    func range(_ offset: UInt32, _ length: UInt32) -> Range<Int>? {
        let end = Int(offset) + Int(length)
        return end <= count ? Int(offset)..<end : nil
    }

    func read(_ offset: UInt32, _ length: UInt32) throws(Trap) -> [UInt8] {
        guard let range = range(offset, length) else { throw .memoryOutOfBounds }
        return Array(UnsafeRawBufferPointer(start: base + range.lowerBound, count: range.count))
    }

    func write(_ bytes: some Collection<UInt8>, at offset: UInt32) throws(Trap) {
        guard let length = UInt32(exactly: bytes.count), let range = range(offset, length) else {
            throw .memoryOutOfBounds
        }
        UnsafeMutableRawBufferPointer(start: base + range.lowerBound, count: range.count).copyBytes(from: bytes)
    }
}
