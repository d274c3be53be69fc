/// A linear memory (specification 1.0, section 4.2.8): bytes that are always within `count`, or a trap.
struct LinearMemory: ~Copyable {
    let base: UnsafeMutableRawPointer
    private(set) var count: Int
    /// What the memory may reach; it is there from the start, though not cleared.
    private let capacity: Int

    var pages: Int { count / Limits.pageBytes }

    /// - Parameter limit: pages that a module may ask for under its limits.
    init(_ type: MemoryType?, limit: Int) {
        count = (type?.minimum ?? 0) * Limits.pageBytes
        let pages = type?.maximum ?? 0
        maximumPages = pages
        // A module with a memory gets a buffer of the size that can be used again. Without one, or far below the
        // limit, there is nothing to spare.
        capacity = type == nil ? 1 : max(pages, limit) * Limits.pageBytes
        base = BufferPool.take(capacity, from: .memories)
        base.initializeMemory(as: UInt8.self, repeating: 0, count: count)
    }

    private let maximumPages: Int

    deinit { BufferPool.give(base, capacity, to: .memories) }

    func canGrow(by delta: UInt32) -> Bool {
        Int(delta) <= maximumPages - pages
    }

    /// Appends zeroed pages. Call only after ``canGrow(by:)``.
    mutating func grow(by delta: UInt32) {
        guard canGrow(by: delta) else { return }
        let added = Int(delta) * Limits.pageBytes
        (base + count).initializeMemory(as: UInt8.self, repeating: 0, count: added)
        count += added
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
