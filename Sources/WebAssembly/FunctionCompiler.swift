/// Validates function bodies by the specification's algorithm (1.0, appendix "Validation Algorithm") and compiles
/// them on the way.
///
/// Both need the same bookkeeping: the operand stack with types, and the stack of open blocks. Code that can't
/// be reached is validated but not emitted.
struct FunctionCompiler {
    let module: ModuleContents
    let limits: Limits
    var code = CompiledCode()

    // The function at hand.
    var reader: ByteReader
    var instructionOffset = 0
    var locals: [ValueType] = []
    var stack = OperandStack()
    var blocks: [Block] = []
    /// Whether control can get here, so that code is emitted.
    var isLive = true
    /// The `gas` instruction of the metered block at hand, once something in it costs gas.
    private var gasInstruction: Int?
    /// The instruction that has just computed the topmost operand into its home. It may still be given another
    /// destination, or be merged into a jump.
    var producer: Int?

    init(_ module: ModuleContents, limits: Limits) {
        self.module = module
        self.limits = limits
        reader = ByteReader([])
    }

    mutating func compile(_ body: inout ByteReader, function: Int) throws(ModuleError) {
        let type = module.type(ofFunction: function)
        reader = body
        try decodeLocals(parameters: type.parameters)
        stack.reset(locals: locals.count)
        blocks.removeAll(keepingCapacity: true)
        isLive = true
        let entry = code.instructions.count
        beginMeteredBlock()
        let zeroed = locals.count - type.parameters.count
        charge(Gas.locals(zeroed))
        blocks.append(Block(kind: .function, type: type, height: 0, isLiveAtEntry: true))
        while !blocks.isEmpty {
            try compileInstruction()
        }
        guard reader.isAtEnd else { throw reader.malformed("function body continues after its end") }
        let frameSlots = max(locals.count + stack.highest, type.results.count)
        guard frameSlots <= Limits.addressableSlots else {
            throw ModuleError(.limitExceeded, at: instructionOffset, "function needs \(frameSlots) slots")
        }
        code.functions.append(
            CompiledFunction(
                entry: entry, parameters: type.parameters.count, zeroedLocals: zeroed, frameSlots: frameSlots))
    }

    private mutating func decodeLocals(parameters: [ValueType]) throws(ModuleError) {
        locals.removeAll(keepingCapacity: true)
        locals.append(contentsOf: parameters)
        let groups = try reader.vectorLength(elementBytes: 2, atMost: limits.localsPerFunction, of: "groups of locals")
        for _ in 0..<groups {
            let count = try reader.index()
            guard count <= limits.localsPerFunction - min(locals.count, limits.localsPerFunction) else {
                throw ModuleError(
                    .limitExceeded, at: reader.offset, "more than \(limits.localsPerFunction) locals in a function")
            }
            locals.append(contentsOf: repeatElement(try reader.valueType(), count: count))
        }
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
        code.instructions.append(instruction)
    }

    /// Emits an instruction whose `a` is the home of the operand that is pushed next.
    mutating func emitProducer(_ instruction: Instruction) {
        guard isLive else { return }
        code.instructions.append(instruction)
        producer = position - 1
    }

    /// Adds an instruction's cost to its metered block.
    mutating func charge(_ cost: UInt64) {
        guard isLive, cost > 0 else { return }
        if let gasInstruction {
            code.instructions[gasInstruction].immediate += cost
        } else {
            gasInstruction = position
            code.instructions.append(Instruction(operation: .gas, immediate: cost))
        }
    }

    /// From here on gas is charged anew, and earlier instructions are not touched any more.
    mutating func beginMeteredBlock() {
        gasInstruction = nil
        producer = nil
    }

    /// Whether the operand was computed by the very last instruction.
    func isFresh(_ operand: Operand) -> Bool {
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
    mutating func push(_ type: ValueType?, _ place: Place? = nil) throws(ModuleError) {
        guard stack.count < limits.operandsPerFunction else {
            throw ModuleError(
                .limitExceeded, at: instructionOffset, "more than \(limits.operandsPerFunction) operands on the stack")
        }
        stack.push(type, place)
    }

    mutating func pop(_ expected: ValueType? = nil) throws(ModuleError) -> Operand {
        guard let block = blocks.last else { throw invalid("instruction after the function's end") }
        if stack.count == block.height {
            guard block.isUnreachable else {
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

    mutating func pop(_ expected: [ValueType]) throws(ModuleError) {
        for type in expected.reversed() { _ = try pop(type) }
    }

    mutating func push(_ types: [ValueType]) throws(ModuleError) {
        for type in types { try push(type) }
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
        for index in max(0, stack.count - number)..<stack.count { settle(at: index) }
    }

    /// Saves the operands that live in locals: what follows may run or not, or run again.
    mutating func settleLocals() {
        guard isLive else { return }
        var index = stack.count
        while stack.aliasCount > 0, index > 0 {
            index -= 1
            if stack.isLocal(stack.operands[index].place) { settle(at: index) }
        }
    }

    /// Saves the operands that live in one local, which is about to change.
    mutating func settle(local: Int) {
        var index = stack.count
        while stack.aliasCount(of: local) > 0, index > 0 {
            index -= 1
            if stack.operands[index].place == .slot(UInt16(truncatingIfNeeded: local)) { settle(at: index) }
        }
    }
}
