// Instructions whose work depends on run-time sizes: bounds first, then gas, then the effect.

extension Instance {
    /// Takes gas; false if there isn't enough.
    private func pay(_ amount: UInt64) -> Bool {
        guard amount <= gasLeft else {
            gasLeft = 0
            return false
        }
        gasLeft -= amount
        return true
    }

    /// The pages before, or `UInt32.max` if the memory can't grow so far; nil if gas ran out.
    @inline(never)
    func growMemory(by delta: UInt32) -> UInt32? {
        let before = UInt32(truncatingIfNeeded: memory.pages)
        guard memory.canGrow(by: delta) else { return .max }
        guard pay(UInt64(delta) * Gas.page) else { return nil }
        if delta > 0 { memory.grow(by: delta) }
        return before
    }

    @inline(never)
    func initializeMemory(at destination: UInt32, from source: UInt32, count: UInt32, segment: Int) -> Outcome {
        let whole = module.contents.data[segment].range
        let available = droppedData[segment] ? 0 : whole.count
        guard Int(source) + Int(count) <= available, let to = memory.range(destination, count) else {
            return .memoryOutOfBounds
        }
        guard pay(Gas.bulkBytes(UInt64(count))) else { return .outOfGas }
        let start = whole.lowerBound + Int(source)
        copy(module.contents.bytes, start..<(start + Int(count)), to: to.lowerBound)
        return .finished
    }

    @inline(never)
    func copyTable(to destination: UInt32, from source: UInt32, count: UInt32) -> Outcome {
        let size = module.contents.tableEntries ?? 0
        guard Int(source) + Int(count) <= size, Int(destination) + Int(count) <= size else {
            return .tableOutOfBounds
        }
        guard pay(UInt64(count) * Gas.tableElement) else { return .outOfGas }
        guard let base = table.baseAddress else { return .tableOutOfBounds }
        (base + Int(destination)).update(from: base + Int(source), count: Int(count))
        return .finished
    }

    @inline(never)
    func initializeTable(at destination: UInt32, from source: UInt32, count: UInt32, segment: Int) -> Outcome {
        let entries = module.contents.elements[segment].entries
        let available = droppedElements[segment] ? 0 : entries.count
        let size = module.contents.tableEntries ?? 0
        guard Int(source) + Int(count) <= available, Int(destination) + Int(count) <= size else {
            return .tableOutOfBounds
        }
        guard pay(UInt64(count) * Gas.tableElement) else { return .outOfGas }
        for index in 0..<Int(count) { table[Int(destination) + index] = entries[Int(source) + index] }
        return .finished
    }
}
