// Types, imports, functions, tables, memories, globals, exports.

extension ModuleDecoder {
    mutating func decodeTypes(_ section: inout ByteReader) throws(ModuleError) {
        let count = try section.vectorLength(elementBytes: 3, atMost: limits.types, of: "types")
        var interner = ByteInterner(capacity: count)
        var firstIndices: [Int] = []
        // The types without padding: what makes two of them equal.
        var normal: [UInt8] = []
        // A type's runs are appended twice the bytes it took at most.
        contents.typeValues.reserveCapacity(contents.typeValues.count + section.remaining)
        for index in 0..<count {
            let start = section.offset
            let form = try section.byte()
            guard form == 0x60 else {
                throw ModuleError(.malformed, at: start, "type \(index) is no function type (0x\(hex(form)))")
            }
            var type = FunctionType()
            let parameters = try section.vectorLength(atMost: limits.parametersPerType, of: "parameters")
            type.parameters.reserveCapacity(parameters)
            for _ in 0..<parameters { type.parameters.append(try section.valueType()) }
            let results = try section.vectorLength(atMost: limits.resultsPerType, of: "results")
            type.results.reserveCapacity(results)
            for _ in 0..<results { type.results.append(try section.valueType()) }
            let shape = contents.add(type)
            let first = normal.count
            normal.append(UInt8(truncatingIfNeeded: shape.parameters.count))
            normal.append(UInt8(truncatingIfNeeded: shape.parameters.count >> 8))
            for type in type.parameters { normal.append(type.rawValue) }
            for type in type.results { normal.append(type.rawValue) }
            let (number, isNew) = interner.intern(first..<normal.count, of: normal)
            if isNew { firstIndices.append(index) }
            contents.canonicalTypes.append(firstIndices[number])
        }
    }

    mutating func decodeImports(_ section: inout ByteReader) throws(ModuleError) {
        let count = try section.vectorLength(elementBytes: 4, atMost: limits.imports, of: "imports")
        for _ in 0..<count {
            let start = section.offset
            let module = try section.name(limits: limits)
            let name = try section.name(limits: limits)
            let kind = try section.byte()
            func label() -> String { "import \(module.debugDescription) \(name.debugDescription)" }
            switch kind {
            case 0:
                let type = try typeIndex(&section)
                contents.imports.append(Import(module: module, name: name, type: contents.types[type]))
                contents.functionTypes.append(type)
            case 1, 2, 3:
                let what = ["a function", "a table", "a memory", "a global"][Int(kind)]
                throw ModuleError(.unsupported, at: start, "\(label()) is \(what): only functions can be imported")
            default:
                throw ModuleError(.malformed, at: start, "\(label()) is of unknown kind \(kind)")
            }
        }
    }

    mutating func decodeFunctions(_ section: inout ByteReader) throws(ModuleError) {
        let count = try section.vectorLength(atMost: limits.functions, of: "functions")
        for _ in 0..<count { contents.functionTypes.append(try typeIndex(&section)) }
    }

    private func typeIndex(_ section: inout ByteReader) throws(ModuleError) -> Int {
        let start = section.offset
        let index = try section.index()
        guard index < contents.types.count else { throw ModuleError(.invalid, at: start, "unknown type \(index)") }
        return index
    }

    mutating func decodeTables(_ section: inout ByteReader) throws(ModuleError) {
        let count = try section.vectorLength(elementBytes: 3, atMost: limits.moduleBytes, of: "tables")
        guard count <= 1 else { throw section.unsupported("more than one table is not supported") }
        guard count == 1 else { return }
        let start = section.offset
        let type = try section.byte()
        guard type == 0x70 else {
            if type == 0x6f {
                throw ModuleError(.unsupported, at: start, "tables of external references are not supported")
            }
            throw ModuleError(.malformed, at: start, "unknown table type 0x\(hex(type))")
        }
        let size = try sizeLimits(&section, of: "table")
        guard size.minimum <= limits.tableEntries else {
            throw ModuleError(
                .limitExceeded, at: start, "\(size.minimum) table entries, at most \(limits.tableEntries) allowed")
        }
        contents.tableEntries = size.minimum
    }

    mutating func decodeMemories(_ section: inout ByteReader) throws(ModuleError) {
        let count = try section.vectorLength(elementBytes: 2, atMost: limits.moduleBytes, of: "memories")
        guard count <= 1 else { throw section.invalid("more than one memory") }
        guard count == 1 else { return }
        let start = section.offset
        let size = try sizeLimits(&section, of: "memory")
        guard size.minimum <= 65_536, size.maximum ?? 0 <= 65_536 else {
            throw ModuleError(.invalid, at: start, "memory size must be at most 65536 pages (4 GiB)")
        }
        guard size.minimum <= limits.memoryPages else {
            throw ModuleError(
                .limitExceeded, at: start, "\(size.minimum) memory pages, at most \(limits.memoryPages) allowed")
        }
        contents.memory = MemoryType(
            minimum: size.minimum, maximum: min(size.maximum ?? limits.memoryPages, limits.memoryPages))
    }

    private func sizeLimits(
        _ section: inout ByteReader, of what: String
    ) throws(ModuleError) -> (minimum: Int, maximum: Int?) {
        let start = section.offset
        let flags = try section.byte()
        switch flags {
        case 0: return (try section.index(), nil)
        case 1:
            let minimum = try section.index()
            let maximum = try section.index()
            guard minimum <= maximum else {
                throw ModuleError(.invalid, at: start, "\(what) minimum \(minimum) exceeds its maximum \(maximum)")
            }
            return (minimum, maximum)
        case 2, 3: throw ModuleError(.unsupported, at: start, "threads are not supported (shared \(what))")
        case 4...7: throw ModuleError(.unsupported, at: start, "64-bit memories and tables are not supported")
        default: throw ModuleError(.malformed, at: start, "unknown limits flags 0x\(hex(flags))")
        }
    }

    mutating func decodeGlobals(_ section: inout ByteReader) throws(ModuleError) {
        let count = try section.vectorLength(elementBytes: 4, atMost: limits.globals, of: "globals")
        for _ in 0..<count {
            let type = try section.valueType()
            let mutability = try section.byte()
            guard mutability <= 1 else { throw section.malformed("global is neither constant nor variable") }
            let initial = try section.constantExpression(type)
            contents.globals.append(Global(type: type, isMutable: mutability == 1, initial: initial))
        }
    }

    mutating func decodeExports(_ section: inout ByteReader) throws(ModuleError) {
        let count = try section.vectorLength(elementBytes: 3, atMost: limits.exports, of: "exports")
        var names = ByteInterner(capacity: count)
        for _ in 0..<count {
            let start = section.offset
            let range = try section.nameRange(limits: limits)
            let name = try section.name(at: range)
            guard names.intern(range, of: section.bytes).isNew else {
                throw ModuleError(.invalid, at: start, "export \(name.debugDescription) is there twice")
            }
            let kind = try section.byte()
            let index = try section.index()
            let item: Export.Item
            let bound: Int
            /// Only for errors: a label costs more than all else here.
            func label() -> String { "export \(name.debugDescription)" }
            switch kind {
            case 0: (item, bound) = (.function(index), contents.functionTypes.count)
            case 1: (item, bound) = (.table, contents.tableEntries == nil ? 0 : 1)
            case 2: (item, bound) = (.memory, contents.memory == nil ? 0 : 1)
            case 3: (item, bound) = (.global(index), contents.globals.count)
            default: throw ModuleError(.malformed, at: start, "\(label()) is of unknown kind \(kind)")
            }
            guard index < bound else {
                throw ModuleError(.invalid, at: start, "\(label()) refers to unknown index \(index)")
            }
            contents.exports.append(Export(name: name, item: item))
        }
    }
}

extension ByteReader {
    func invalid(_ reason: String) -> ModuleError { ModuleError(.invalid, at: offset, reason) }
    func unsupported(_ reason: String) -> ModuleError { ModuleError(.unsupported, at: offset, reason) }

    /// One constant and `end`. The specification also allows `global.get` of an imported global, but there are none.
    mutating func constantExpression(_ expected: ValueType) throws(ModuleError) -> UInt64 {
        let start = offset
        let opcode = try byte()
        let type: ValueType
        let slot: UInt64
        switch opcode {
        case 0x41: (type, slot) = (.i32, UInt64(UInt32(bitPattern: try signed32())))
        case 0x42: (type, slot) = (.i64, UInt64(bitPattern: try signed64()))
        case 0x43: (type, slot) = (.f32, UInt64(try fixed32()))
        case 0x44: (type, slot) = (.f64, try fixed64())
        case 0x23: throw ModuleError(.invalid, at: start, "constant expression reads a global that is not imported")
        default: throw ModuleError(.invalid, at: start, "instruction 0x\(hex(opcode)) in a constant expression")
        }
        guard type == expected else {
            throw ModuleError(.invalid, at: start, "constant expression has type \(type), expected \(expected)")
        }
        guard try byte() == 0x0b else {
            throw ModuleError(.invalid, at: start, "constant expression is more than one constant")
        }
        return slot
    }
}
