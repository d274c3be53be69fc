// Element and data segments. An active segment that can't fit makes every instantiation fail, so it is refused at once.

extension ModuleDecoder {
    mutating func decodeElements(_ section: inout ByteReader) throws(ModuleError) {
        let count = try section.vectorLength(
            elementBytes: 2, atMost: limits.elementSegments, of: "element segments")
        for _ in 0..<count { contents.elements.append(try elementSegment(&section)) }
    }

    /// The flags' bits: 0 passive or declarative; 1 explicit table, or declarative; 2 expressions instead of indices.
    private func elementSegment(_ section: inout ByteReader) throws(ModuleError) -> ElementSegment {
        let start = section.offset
        let flags = try section.unsigned32()
        guard flags <= 7 else { throw ModuleError(.malformed, at: start, "unknown element segment flags \(flags)") }
        var mode = ElementSegment.Mode.passive
        if flags & 1 == 0 {
            let table = flags & 2 == 0 ? 0 : try section.index()
            guard table == 0, contents.tableEntries != nil else {
                throw ModuleError(.invalid, at: start, "element segment for unknown table \(table)")
            }
            mode = .active(at: Int(try section.constantExpression(.i32)))
        } else if flags & 2 != 0 {
            mode = .declarative
        }
        let usesExpressions = flags & 4 != 0
        if flags & 3 != 0 {
            let kind = try section.byte()
            guard kind == (usesExpressions ? 0x70 : 0x00) else {
                throw ModuleError(.unsupported, at: start, "element segment of other than functions (0x\(hex(kind)))")
            }
        }
        let count = try section.vectorLength(atMost: limits.moduleBytes, of: "elements")
        var entries: [UInt32] = []
        entries.reserveCapacity(count)
        for _ in 0..<count {
            entries.append(usesExpressions ? try functionExpression(&section) : try functionIndex(&section))
        }
        if case .active(let first) = mode, first + count > contents.tableEntries ?? 0 {
            throw ModuleError(.invalid, at: start, "active element segment exceeds the table")
        }
        return ElementSegment(mode: mode, entries: entries)
    }

    private func functionIndex(_ section: inout ByteReader) throws(ModuleError) -> UInt32 {
        let index = try section.unsigned32()
        guard Int(index) < contents.functionTypes.count else { throw section.invalid("unknown function \(index)") }
        return index
    }

    private func functionExpression(_ section: inout ByteReader) throws(ModuleError) -> UInt32 {
        let entry: UInt32
        switch try section.byte() {
        case 0xd2: entry = try functionIndex(&section)
        case 0xd0:
            guard try section.byte() == 0x70 else { throw section.invalid("null of another type than funcref") }
            entry = ElementSegment.emptyEntry
        default: throw section.invalid("element expression is no function reference")
        }
        guard try section.byte() == 0x0b else { throw section.invalid("element expression is more than one reference") }
        return entry
    }

    mutating func decodeData(_ section: inout ByteReader) throws(ModuleError) {
        let count = try section.vectorLength(elementBytes: 2, atMost: limits.dataSegments, of: "data segments")
        for _ in 0..<count {
            let start = section.offset
            let flags = try section.unsigned32()
            guard flags <= 2 else { throw ModuleError(.malformed, at: start, "unknown data segment flags \(flags)") }
            var activeOffset: Int?
            if flags != 1 {
                let memory = flags == 2 ? try section.index() : 0
                guard memory == 0, contents.memory != nil else {
                    throw ModuleError(.invalid, at: start, "data segment for unknown memory \(memory)")
                }
                activeOffset = Int(try section.constantExpression(.i32))
            }
            let range = try section.take(try section.index())
            let memoryBytes = (contents.memory?.minimum ?? 0) * Limits.pageBytes
            if let activeOffset, activeOffset + range.count > memoryBytes {
                throw ModuleError(.invalid, at: start, "active data segment exceeds the memory's initial size")
            }
            contents.data.append(DataSegment(activeOffset: activeOffset, range: range))
        }
    }
}
