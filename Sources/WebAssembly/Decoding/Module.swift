/// A decoded, validated and compiled module. Immutable: parse once, instantiate as often as wanted, from any thread.
public struct Module: Sendable {
    let contents: ModuleContents
    let limits: Limits

    /// Decodes, validates and compiles a module.
    ///
    /// Time and memory are proportional to `bytes.count`, which `limits` bounds, for every module, valid or not:
    /// ``Gas/parsing(bytes:)`` is what it costs, ``memoryBytes`` what the result takes.
    public init(parsing bytes: [UInt8], limits: Limits = .contract) throws(ModuleError) {
        var decoder = ModuleDecoder(bytes, limits: limits)
        contents = try decoder.decode()
        self.limits = limits
    }

    /// The functions that the module expects from its host, in the order of their indices.
    public var imports: [Import] { contents.imports }

    /// What the module offers, in the module's order.
    public var exports: [Export] { contents.exports }

    /// Bytes of memory that the module takes while it is kept, its own bytes included. At most
    /// ``memoryBytesPerByte`` for each of them, and a few kilobytes.
    public var memoryBytes: Int { contents.memoryBytes }

    /// The most memory that a parsed module takes for each of its bytes: see ``memoryBytes``.
    public static let memoryBytesPerByte = 80

    /// The steps that checking these bytes takes, and why they are no module, if they aren't. For tests and
    /// measurements: ``init(parsing:limits:)`` bounds the steps by itself (``Limits/workPerByte``).
    public static func measuringWork(
        parsing bytes: [UInt8], limits: Limits = .contract
    ) -> (steps: Int, error: ModuleError?) {
        var decoder = ModuleDecoder(bytes, limits: limits)
        do throws(ModuleError) {
            return (try decoder.decode().work, nil)
        } catch {
            return (decoder.contents.work, error)
        }
    }

    /// The gas that creating an instance costs: fixed for a module.
    public var instantiationGas: UInt64 { contents.instantiationGas }

    /// Whether the module exports a linear memory under this name.
    public func hasMemoryExport(_ name: String) -> Bool {
        contents.exports.contains { $0.item == .memory && sameBytes($0.name, name) }
    }

    /// Whether the module exports a function of this name and type.
    public func hasFunctionExport(_ name: String, _ type: FunctionType) -> Bool {
        functionType(ofExport: name) == type
    }

    /// The type of the function exported under this name; nil if there is none.
    public func functionType(ofExport name: String) -> FunctionType? {
        functionIndex(ofExport: name).map { contents.type(ofFunction: $0) }
    }

    func functionIndex(ofExport name: String) -> Int? {
        for export in contents.exports {
            if case .function(let index) = export.item, sameBytes(export.name, name) { return index }
        }
        return nil
    }
}

/// Everything about a module that instances share.
struct ModuleContents: Sendable {
    var bytes: [UInt8]
    var types: [FunctionType] = []
    /// The same types for the compiler, which copies them often.
    var shapes: [TypeShape] = []
    /// The value types that ``shapes`` point into. The first four are the number types, for blocks with one result.
    var typeValues: [ValueType] = ValueType.all
    /// For each type index the first index of an equal type: `call_indirect` compares these.
    var canonicalTypes: [Int] = []
    var imports: [Import] = []
    /// Type index of each function, imports first.
    var functionTypes: [Int] = []
    /// For each function the canonical index of its type, for `call_indirect`.
    var signatures: [UInt32] = []
    /// Entries of the table; nil without one.
    var tableEntries: Int?
    var memory: MemoryType?
    var globals: [Global] = []
    var exports: [Export] = []
    var elements: [ElementSegment] = []
    /// Number of data segments as the data count section declares it.
    var dataCount: Int?
    var data: [DataSegment] = []
    var code = CompiledCode()
    /// Steps that checking the functions took.
    var work = 0

    func type(ofFunction index: Int) -> FunctionType {
        types[functionTypes[index]]
    }

    func shape(ofFunction index: Int) -> TypeShape {
        shapes[functionTypes[index]]
    }
}

/// A function or block type as two runs of ``ModuleContents/typeValues``: copied without reference counting.
struct TypeShape: Sendable, Equatable {
    var parameters = Run()
    var results = Run()

    struct Run: Sendable, Equatable {
        var start: Int32 = 0
        var count: Int32 = 0
    }

    static func one(_ type: ValueType) -> TypeShape {
        TypeShape(results: Run(start: Int32(0x7f - type.rawValue), count: 1))
    }
}

struct ElementSegment: Sendable {
    enum Mode: Sendable, Hashable {
        /// Copied into the table from this entry on, at instantiation.
        case active(at: Int)
        /// Copied by `table.init`.
        case passive
        /// Of no use at run time.
        case declarative
    }

    var mode: Mode
    /// Function indices; ``emptyEntry`` for null.
    var entries: [UInt32]

    static let emptyEntry = UInt32.max
}

struct DataSegment: Sendable {
    /// Byte offset in the memory for an active segment; nil for a passive one.
    var activeOffset: Int?
    /// Where the segment's bytes are in the module.
    var range: Range<Int>
}

/// The compiled functions of a module, in one flat code.
struct CompiledCode: Sendable {
    var instructions: [Instruction] = []
    /// Indices into `instructions`, for `jumpTable`.
    var jumpTargets: [UInt32] = []
    var functions: [CompiledFunction] = []
}

struct CompiledFunction: Sendable {
    /// Index of the first instruction.
    var entry = 0
    /// Slots that the caller fills.
    var parameters = 0
    /// Slots of further locals, zero at the start.
    var zeroedLocals = 0
    /// Slots of parameters, locals, operands and results together.
    var frameSlots = 0
}

extension ModuleContents {
    var instantiationGas: UInt64 {
        var gas = Gas.instantiation
        gas += UInt64(memory?.minimum ?? 0) * Gas.page
        gas += UInt64(imports.count) * Gas.instantiationImport
        let entries = globals.count + (tableEntries ?? 0) + elements.count + data.count
        gas += UInt64(entries) * Gas.instantiationEntry
        for segment in data where segment.activeOffset != nil {
            gas += Gas.bulkBytes(UInt64(segment.range.count))
        }
        for segment in elements {
            if case .active = segment.mode { gas += UInt64(segment.entries.count) * Gas.tableElement }
        }
        return gas
    }

    /// What the arrays hold on to, and their headers.
    var memoryBytes: Int {
        func room<Element>(_ array: [Element]) -> Int { 32 + array.capacity * MemoryLayout<Element>.stride }
        var total = 512 + room(bytes) + room(types) + room(shapes) + room(typeValues) + room(canonicalTypes)
        total += room(imports) + room(functionTypes) + room(signatures) + room(globals) + room(exports)
        total += room(elements) + room(data)
        total += room(code.instructions) + room(code.jumpTargets) + room(code.functions)
        for type in types { total += room(type.parameters) + room(type.results) }
        for wanted in imports { total += 64 + wanted.module.utf8.count + wanted.name.utf8.count }
        for export in exports { total += 32 + export.name.utf8.count }
        for segment in elements { total += room(segment.entries) }
        return total
    }
}

extension ModuleContents {
    mutating func add(_ type: FunctionType) -> TypeShape {
        func run(_ types: [ValueType]) -> TypeShape.Run {
            let start = Int32(truncatingIfNeeded: typeValues.count)
            typeValues.append(contentsOf: types)
            return TypeShape.Run(start: start, count: Int32(truncatingIfNeeded: types.count))
        }
        types.append(type)
        let shape = TypeShape(parameters: run(type.parameters), results: run(type.results))
        shapes.append(shape)
        return shape
    }
}
