/// Decodes the sections of a module (specification 1.0, section 5.5) and validates what lies outside of functions.
struct ModuleDecoder {
    var reader: ByteReader
    let limits: Limits
    var contents: ModuleContents
    /// Whether the code section was there.
    private var hasCode = false

    init(_ bytes: [UInt8], limits: Limits) {
        reader = ByteReader(bytes)
        self.limits = limits
        contents = ModuleContents(bytes: bytes)
    }

    mutating func decode() throws(ModuleError) -> ModuleContents {
        guard reader.remaining <= limits.moduleBytes else {
            throw ModuleError(
                .limitExceeded, at: 0, "\(reader.remaining) bytes, at most \(limits.moduleBytes) allowed")
        }
        guard try reader.fixed32() == 0x6d73_6100 else {
            throw ModuleError(.malformed, at: 0, "no WebAssembly module: magic number missing")
        }
        let version = try reader.fixed32()
        guard version == 1 else {
            throw ModuleError(.unsupported, at: 4, "binary format version \(version), only 1 is supported")
        }
        var lastRank = 0
        while !reader.isAtEnd {
            let start = reader.offset
            let id = try reader.byte()
            var section = try reader.slice(try reader.index())
            if id == 0 {
                _ = try section.name(limits: limits)
                continue
            }
            let rank = try Self.rank(ofSection: id, at: start)
            guard rank > lastRank else {
                throw ModuleError(.malformed, at: start, "section \(id) is out of order or repeated")
            }
            lastRank = rank
            try decodeSection(id, &section, at: start)
            guard section.isAtEnd else { throw section.malformed("section \(id) is longer than its content") }
        }
        try checkCompleteness()
        contents.signatures = contents.functionTypes.map { UInt32(truncatingIfNeeded: contents.canonicalTypes[$0]) }
        return contents
    }

    /// The place of a section in the prescribed order.
    private static func rank(ofSection id: UInt8, at offset: Int) throws(ModuleError) -> Int {
        let order: [UInt8] = [1, 2, 3, 4, 5, 6, 7, 8, 9, 12, 10, 11]
        guard let rank = order.firstIndex(of: id) else {
            if id == 13 { throw ModuleError(.unsupported, at: offset, "exceptions are not supported (tag section)") }
            throw ModuleError(.malformed, at: offset, "unknown section \(id)")
        }
        return rank + 1
    }

    private mutating func decodeSection(_ id: UInt8, _ section: inout ByteReader, at start: Int) throws(ModuleError) {
        switch id {
        case 1: try decodeTypes(&section)
        case 2: try decodeImports(&section)
        case 3: try decodeFunctions(&section)
        case 4: try decodeTables(&section)
        case 5: try decodeMemories(&section)
        case 6: try decodeGlobals(&section)
        case 7: try decodeExports(&section)
        case 8:
            throw ModuleError(
                .unsupported, at: start,
                "a start function is not supported: nothing may run before the host calls an exported function")
        case 9: try decodeElements(&section)
        case 12: contents.dataCount = try section.index()
        case 10: try decodeCode(&section)
        default: try decodeData(&section)
        }
    }

    private mutating func decodeCode(_ section: inout ByteReader) throws(ModuleError) {
        hasCode = true
        let count = try section.vectorLength(atMost: limits.functions, of: "function bodies")
        let declared = contents.functionTypes.count - contents.imports.count
        guard count == declared else {
            throw section.malformed("\(count) function bodies for \(declared) declared functions")
        }
        var compiler = FunctionCompiler(contents, limits: limits)
        // Most code has fewer instructions than half its bytes. Growing would copy it several times.
        compiler.code.instructions.reserveCapacity(section.remaining / 2)
        compiler.code.functions.reserveCapacity(count)
        defer { contents.work += compiler.work }
        for index in 0..<count {
            try compiler.compile(try section.slice(try section.index()), function: contents.imports.count + index)
        }
        contents.code = compiler.code
    }

    private func checkCompleteness() throws(ModuleError) {
        guard hasCode || contents.functionTypes.count == contents.imports.count else {
            throw reader.malformed("declared functions have no bodies")
        }
        if let declared = contents.dataCount, declared != contents.data.count {
            throw reader.malformed("\(contents.data.count) data segments, but the data count section says \(declared)")
        }
    }
}
