import CWasmCore

/// Validates function bodies by the specification's algorithm (1.0, appendix "Validation Algorithm") and compiles
/// them on the way.
///
/// Both need the same bookkeeping: the operand stack with types, and the stack of open blocks. Code that can't
/// be reached is validated but not emitted.
///
/// **Linear.** Strangers choose the code, so each instruction may do only so much: a constant number of steps, one
/// for each value of a label or callee (few: ``Limits/blockValues``, ``Limits/resultsPerType``), and steps that some
/// earlier instruction paid for: an operand is popped, settled or searched over only as often as it was pushed. The
/// steps are counted in ``work`` and held below ``Limits/workPerByte``, so that an error in this reasoning refuses
/// a module instead of stopping a chain.
///
/// Methods that only read are `mutating` all the same where they are called often: the compiler (6.3) copies the whole
/// value to call the others.
struct FunctionCompiler: ~Copyable {
    let module: ModuleContents
    let limits: Limits
    let numeric = NumericInstruction.table
    var code = CompiledCode()
    /// Steps done so far: operands pushed, popped, compared and settled, instructions read and emitted.
    var work = 0

    // The function at hand.
    var reader: ByteReader
    var instructionOffset = 0
    var locals = LocalVariables()
    var stack = OperandStack()
    private(set) var blocks: [Block] = []
    /// What ``pop(_:)`` needs of the innermost block.
    private(set) var blockHeight = 0
    private(set) var isUnreachable = false
    /// Whether control can get here, so that code is emitted.
    var isLive = true
    /// The `gas` instruction of the metered block at hand, once something in it costs gas, and what it costs so far.
    private var gasInstruction = -1
    private var gasCost: UInt64 = 0
    /// The instruction that has just computed the topmost operand into its home. It may still be given another
    /// destination, or be merged into a jump.
    var producer: Int?
    /// The labels of the `br_table` at hand: kept to be used again.
    var tableLabels: [Int32] = []
    /// The number of `br_table`s so far.
    var tableNumber = 0

    private let workBase: Int
    private let workPerByte: Int

    init(_ module: ModuleContents, limits: Limits) {
        self.module = module
        self.limits = limits
        workBase = limits.workBase
        workPerByte = limits.workPerByte
        reader = ByteReader([])
    }

    mutating func compile(_ body: ByteReader, function: Int) throws(ModuleError) {
        let shape = module.shape(ofFunction: function)
        reader = body
        try locals.begin(shape.parameters, &reader, module, limits)
        work += 8 + locals.groupCount
        stack.reset(locals: locals.count)
        isLive = true
        let entry = code.instructions.count
        beginMeteredBlock()
        let zeroed = locals.count - locals.parameterCount
        charge(Gas.locals(zeroed))
        open(Block(kind: .function, shape: shape, height: 0, isLiveAtEntry: true))
        // Each round takes a byte at least, and no round many steps: looking once in a while is enough.
        while !blocks.isEmpty {
            try compileInstruction()
            guard work <= workBase + workPerByte &* reader.offset else {
                throw ModuleError(.limitExceeded, at: instructionOffset, "the code takes too long to check")
            }
        }
        beginMeteredBlock()
        guard reader.isAtEnd else { throw reader.malformed("function body continues after its end") }
        let frameSlots = max(locals.count + stack.highest, Int(shape.results.count))
        guard frameSlots <= Limits.addressableSlots, code.instructions.count <= Limits.addressableInstructions else {
            throw ModuleError(.limitExceeded, at: instructionOffset, "function needs \(frameSlots) slots")
        }
        joinInstructions(from: entry)
        code.functions.append(
            CompiledFunction(
                entry: entry, parameters: locals.parameterCount, zeroedLocals: zeroed, frameSlots: frameSlots))
    }
}

extension FunctionCompiler {
    /// The last pass over a function: jumps get their distances, and instructions that can be carried out together
    /// are marked.
    private mutating func joinInstructions(from entry: Int) {
        let end = position
        work += end - entry
        for index in entry..<end {
            var instruction = code.instructions[index]
            if instruction.operation.isJump {
                let distance = (Int(instruction.lower) - index) * MemoryLayout<Instruction>.stride
                instruction.lower = UInt32(bitPattern: Int32(truncatingIfNeeded: distance))
                code.instructions[index] = instruction
            } else if index + 1 < end {
                let next = code.instructions[index + 1].operation
                let variant: Instruction.Variant
                switch instruction.operation {
                case .gas: variant = .metered
                case .add32Constant: variant = .looping
                default: continue
                }
                let code16 = UInt16(variant.rawValue) << 8 | UInt16(next.rawValue)
                guard wasm_has_variant(code16) != 0 else { continue }
                code.instructions[index].operation = next
                code.instructions[index].variant = variant
            }
        }
    }
}

/// A function's parameters and local variables, kept as they are declared: a declaration of two bytes can stand for
/// thousands.
struct LocalVariables: ~Copyable {
    private var parameters: ArraySlice<ValueType> = []
    /// For each group of equal locals the index after its last one.
    private var ends: [Int] = []
    private var types: [ValueType] = []
    private(set) var parameterCount = 0
    private(set) var count = 0

    var groupCount: Int { ends.count }

    mutating func begin(
        _ run: TypeShape.Run, _ reader: inout ByteReader, _ module: ModuleContents, _ limits: Limits
    ) throws(ModuleError) {
        ends.removeAll(keepingCapacity: true)
        types.removeAll(keepingCapacity: true)
        parameters = module.typeValues[Int(run.start)..<Int(run.start + run.count)]
        parameterCount = parameters.count
        count = parameterCount
        let groups = try reader.vectorLength(elementBytes: 2, atMost: limits.localsPerFunction, of: "groups of locals")
        for _ in 0..<groups {
            let number = try reader.index()
            guard number <= limits.localsPerFunction - min(count, limits.localsPerFunction) else {
                throw ModuleError(
                    .limitExceeded, at: reader.offset, "more than \(limits.localsPerFunction) locals in a function")
            }
            count += number
            types.append(try reader.valueType())
            ends.append(count)
        }
    }

    /// The type of a local; nil if there is none of this index.
    func type(_ index: Int) -> ValueType? {
        guard index >= 0, index < count else { return nil }
        guard index >= parameterCount else { return parameters[parameters.startIndex + index] }
        var low = 0
        var high = ends.count - 1
        while low < high {
            let middle = (low + high) / 2
            if index < ends[middle] { high = middle } else { low = middle + 1 }
        }
        return types[low]
    }
}

// Blocks.
extension FunctionCompiler {
    mutating func open(_ block: Block) {
        blocks.append(block)
        blockHeight = Int(block.height)
        isUnreachable = block.isUnreachable
    }

    mutating func close() -> Block? {
        let closed = blocks.popLast()
        if let index = blocks.indices.last {
            blockHeight = Int(blocks[index].height)
            isUnreachable = blocks[index].isUnreachable
        }
        return closed
    }

    /// Notes that the rest of the innermost block can't be reached.
    mutating func closeOff() {
        guard let index = blocks.indices.last else { return }
        blocks[index].isUnreachable = true
        isUnreachable = true
    }

    mutating func setReferences(_ list: Reference, of label: Int) { blocks[label].references = list }

    mutating func setDetour(_ position: Int, of label: Int) {
        blocks[label].detourTable = Int32(truncatingIfNeeded: tableNumber)
        blocks[label].detour = Int32(truncatingIfNeeded: position)
    }
}

// Errors.
extension FunctionCompiler {
    func invalid(_ reason: String) -> ModuleError {
        ModuleError(.invalid, at: instructionOffset, reason)
    }

    func unsupported(_ reason: String) -> ModuleError {
        ModuleError(.unsupported, at: instructionOffset, reason)
    }
}

// Emission.
extension FunctionCompiler {
    /// The index of the next instruction.
    var position: Int { code.instructions.count }

    mutating func emit(_ instruction: Instruction) {
        guard isLive else { return }
        work += 1
        code.instructions.append(instruction)
    }

    /// Emits an instruction whose `a` is the home of the operand that is pushed next.
    mutating func emitProducer(_ instruction: Instruction) {
        guard isLive else { return }
        work += 1
        producer = code.instructions.count
        code.instructions.append(instruction)
    }

    /// Adds an instruction's cost to its metered block.
    mutating func charge(_ cost: UInt64) {
        guard isLive, cost > 0 else { return }
        if gasInstruction < 0 {
            gasInstruction = position
            emit(Instruction(operation: .gas))
        }
        gasCost += cost
    }

    /// From here on gas is charged anew, and earlier instructions are not touched any more.
    mutating func beginMeteredBlock() {
        if gasInstruction >= 0 {
            code.instructions[gasInstruction].immediate = gasCost
            gasInstruction = -1
            gasCost = 0
        }
        producer = nil
    }

    /// Whether the operand was computed by the very last instruction.
    mutating func isFresh(_ operand: Operand) -> Bool {
        guard let producer, producer == position - 1, case .slot(let slot) = operand.place else { return false }
        return slot == operand.home && code.instructions[producer].a == slot
    }

    /// Emits what brings a value to a slot.
    mutating func emitMove(_ place: Place, to slot: UInt16) {
        switch place {
        case .slot(slot): break
        case .slot(let source): emit(Instruction(operation: .copy, a: slot, b: source))
        case .constant(let value): emit(Instruction(operation: .constant, a: slot, immediate: value))
        }
    }

    /// A slot from which the operand can be read. A constant is put in its home for that.
    mutating func register(_ operand: Operand) -> UInt16 {
        if case .slot(let slot) = operand.place { return slot }
        emitMove(operand.place, to: operand.home)
        return operand.home
    }
}

// Operands.
extension FunctionCompiler {
    private mutating func checkRoom() throws(ModuleError) {
        guard stack.count < limits.operandsPerFunction else {
            throw ModuleError(
                .limitExceeded, at: instructionOffset, "more than \(limits.operandsPerFunction) operands on the stack")
        }
    }

    mutating func push(_ type: ValueType?) throws(ModuleError) {
        try checkRoom()
        work += 1
        stack.push(type)
    }

    mutating func push(_ type: ValueType?, constant: UInt64) throws(ModuleError) {
        try checkRoom()
        work += 1
        stack.push(type, constant: constant)
    }

    mutating func push(_ type: ValueType?, local: Int) throws(ModuleError) {
        try checkRoom()
        work += 1
        stack.push(type, local: local)
    }

    mutating func pop(_ expected: ValueType? = nil) throws(ModuleError) -> Operand {
        work += 1
        if stack.count == blockHeight {
            guard isUnreachable else {
                throw invalid("operand stack is empty" + (expected.map { ", expected \($0)" } ?? ""))
            }
            let home = stack.home(at: stack.count)
            return Operand(type: nil, place: .slot(home), home: home)
        }
        guard let operand = stack.pop() else { throw invalid("operand stack is empty") }
        if let expected, let type = operand.type, type != expected {
            throw invalid("operand has type \(type), expected \(expected)")
        }
        return operand
    }

    mutating func value(_ run: TypeShape.Run, _ index: Int) -> ValueType {
        module.typeValues[Int(run.start) + index]
    }

    mutating func pop(_ run: TypeShape.Run) throws(ModuleError) {
        var index = Int(run.count)
        while index > 0 {
            index -= 1
            _ = try pop(value(run, index))
            // All that is left of an unreachable block's stack is whatever it should be: no need to take it one by one.
            if isUnreachable, stack.count == blockHeight { return }
        }
    }

    mutating func push(_ run: TypeShape.Run) throws(ModuleError) {
        for index in 0..<Int(run.count) { try push(value(run, index)) }
    }

    /// Brings an operand's value into its home. Unreachable code leaves the operands around it alone.
    mutating func settle(at index: Int) {
        let operand = stack.operands[index]
        guard isLive, operand.place != .slot(operand.home) else { return }
        emitMove(operand.place, to: operand.home)
        stack.settle(at: index)
    }

    /// Brings the topmost operands into their homes, so that they lie in one row.
    mutating func settleTop(_ number: Int) {
        guard isLive, number > 0 else { return }
        var index = stack.count
        let bottom = max(0, index - number)
        work += index - bottom
        while index > bottom {
            index -= 1
            settle(at: index)
        }
    }

    /// Saves the operands that live in locals: what follows may run or not, or run again.
    mutating func settleLocals() {
        guard isLive else { return }
        var index = stack.count
        // Ends at the lowest alias. What lies above it was pushed after it, and no second time comes this way.
        while stack.aliasCount > 0, index > 0 {
            index -= 1
            work += 1
            if stack.isLocal(stack.operands[index].place) { settle(at: index) }
        }
    }

    /// Saves the operands that live in one local, which is about to change.
    mutating func settle(local: Int) {
        guard isLive else { return }
        while let index = stack.topAlias(of: local) {
            work += 1
            settle(at: index)
        }
    }
}
