import CWasmCore

/// Why a module could not be instantiated.
public enum InstantiationError: Error, Sendable, Hashable {
    /// The host offers no function of this name.
    case missingImport(Import)
    /// The host's function of this name has another type.
    case importTypeMismatch(Import, offered: FunctionType)
    /// The host's function has more than one result.
    case unsupportedHostFunction(HostImport)
    /// The gas limit is below ``Module/instantiationGas``.
    case outOfGas
}

extension InstantiationError: CustomStringConvertible {
    public var description: String {
        // The names come from strangers: quoted, so that they can't break a line.
        func quoted(_ module: String, _ name: String) -> String {
            "\(module.debugDescription) \(name.debugDescription)"
        }
        return switch self {
        case .missingImport(let wanted):
            "the host offers no \(quoted(wanted.module, wanted.name)) \(wanted.type)"
        case .importTypeMismatch(let wanted, let offered):
            "the module imports \(quoted(wanted.module, wanted.name)) as \(wanted.type), the host offers \(offered)"
        case .unsupportedHostFunction(let function):
            "the host's function \(quoted(function.module, function.name)) has more than one result"
        case .outOfGas: "out of gas at instantiation"
        }
    }
}

/// A module at work: its memory, table, globals and gas. Not for use by several threads at a time.
public final class Instance {
    public let module: Module
    let host: any HostFunctions
    /// For each imported function its number at the host.
    let hostFunctions: [Int]

    var memory: LinearMemory
    var table: UnsafeMutableBufferPointer<UInt32>
    var globals: UnsafeMutableBufferPointer<UInt64>
    var droppedData: [Bool]
    var droppedElements: [Bool]
    /// Frames of all active calls. Not initialised: validation guarantees that a slot is written before it is read.
    let valueStack: UnsafeMutableBufferPointer<UInt64>
    let callStack: UnsafeMutableBufferPointer<wasm_frame>
    var isRunning = false
    /// What a host function trapped with, on its way through the interpreter.
    var hostTrap: Trap?

    public let gasLimit: UInt64
    public internal(set) var gasLeft: UInt64

    /// Gas spent since and including the instantiation.
    public var gasUsed: UInt64 { gasLimit - gasLeft }

    /// Resolves imports by name and type, charges ``Module/instantiationGas``, and initialises memory and table.
    public init(
        module: Module, host: any HostFunctions, hostImports: [HostImport], gasLimit: UInt64
    ) throws(InstantiationError) {
        precondition(SharedDefinitions.agree, "the interpreter's two halves differ")
        let contents = module.contents
        hostFunctions = try Self.link(contents.imports, hostImports)
        guard gasLimit >= contents.instantiationGas else { throw .outOfGas }
        self.module = module
        self.host = host
        self.gasLimit = gasLimit
        gasLeft = gasLimit - contents.instantiationGas
        memory = LinearMemory(contents.memory, limit: module.limits.memoryPages)
        table = .allocate(capacity: max(1, contents.tableEntries ?? 0))
        table.initialize(repeating: ElementSegment.emptyEntry)
        globals = .allocate(capacity: max(1, contents.globals.count))
        globals.initialize(repeating: 0)
        for (index, global) in contents.globals.enumerated() { globals[index] = global.initial }
        let slots = max(1, module.limits.valueStackSlots)
        let stack = BufferPool.take(slots * 8, from: .stacks).bindMemory(to: UInt64.self, capacity: slots)
        valueStack = UnsafeMutableBufferPointer(start: stack, count: slots)
        callStack = .allocate(capacity: max(1, module.limits.callDepth))
        droppedData = contents.data.map { $0.activeOffset != nil }
        droppedElements = contents.elements.map { $0.mode != .passive }
        copyActiveSegments()
    }

    deinit {
        table.deallocate()
        globals.deallocate()
        if let stack = valueStack.baseAddress {
            BufferPool.give(UnsafeMutableRawPointer(stack), valueStack.count * 8, to: .stacks)
        }
        callStack.deallocate()
    }

    private static func link(_ imports: [Import], _ offers: [HostImport]) throws(InstantiationError) -> [Int] {
        var numbers: [Int] = []
        for wanted in imports {
            // Names differ sooner than modules do. ``Gas/instantiationImport`` pays for the search.
            let match = offers.firstIndex { sameBytes($0.name, wanted.name) && sameBytes($0.module, wanted.module) }
            guard let match else { throw .missingImport(wanted) }
            guard offers[match].type == wanted.type else {
                throw .importTypeMismatch(wanted, offered: offers[match].type)
            }
            guard wanted.type.results.count <= 1 else { throw .unsupportedHostFunction(offers[match]) }
            numbers.append(match)
        }
        return numbers
    }

    /// The decoder has made sure that active segments fit.
    private func copyActiveSegments() {
        let contents = module.contents
        for segment in contents.elements {
            guard case .active(let first) = segment.mode else { continue }
            for (index, entry) in segment.entries.enumerated() { table[first + index] = entry }
        }
        for segment in contents.data {
            guard let offset = segment.activeOffset, offset + segment.range.count <= memory.count else { continue }
            copy(module.contents.bytes, segment.range, to: offset)
        }
    }

    func copy(_ bytes: [UInt8], _ range: Range<Int>, to offset: Int) {
        bytes.withUnsafeBytes { source in
            UnsafeMutableRawBufferPointer(start: memory.base + offset, count: range.count)
                .copyMemory(from: UnsafeRawBufferPointer(rebasing: source[range]))
        }
    }
}

// Memory and gas, for hosts and tests.
extension Instance {
    /// Bytes in the linear memory; 0 without one.
    public var memoryCount: Int { memory.count }

    public func readMemory(at offset: UInt32, count: UInt32) throws(Trap) -> [UInt8] {
        try memory.read(offset, count)
    }

    public func writeMemory(_ bytes: some Collection<UInt8>, at offset: UInt32) throws(Trap) {
        try memory.write(bytes, at: offset)
    }

    /// The value of a global variable that the module exports under this name; nil if there is none.
    public func exportedGlobal(_ name: String) -> Value? {
        for export in module.exports where sameBytes(export.name, name) {
            guard case .global(let index) = export.item else { return nil }
            return Value(slot: globals[index], type: module.contents.globals[index].type)
        }
        return nil
    }

    func chargeGas(_ amount: UInt64) throws(Trap) {
        guard amount <= gasLeft else {
            gasLeft = 0
            throw .outOfGas
        }
        gasLeft -= amount
    }
}
