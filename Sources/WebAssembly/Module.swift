/// A decoded, validated and compiled module. Immutable: parse once, instantiate as often as wanted, from any thread.
public struct Module: Sendable {
    let contents: ModuleContents
    let limits: Limits

    /// Decodes, validates and compiles a module.
    ///
    /// Time and memory are proportional to `bytes.count`, which `limits` bounds.
    public init(parsing bytes: [UInt8], limits: Limits = .contract) throws(ModuleError) {
        var decoder = ModuleDecoder(bytes, limits: limits)
        contents = try decoder.decode()
        self.limits = limits
    }

    /// The functions that the module expects from its host, in the order of their indices.
    public var imports: [Import] { contents.imports }

    /// What the module offers, in the module's order.
    public var exports: [Export] { contents.exports }

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

    func type(ofFunction index: Int) -> FunctionType {
        types[functionTypes[index]]
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
}
