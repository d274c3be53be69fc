/// A block that is open while a function is compiled: the specification's control frame.
struct Block {
    enum Kind {
        case function, block, loop, `if`, `else`
    }

    /// Something that must learn where the block's label is.
    enum Reference {
        case instruction(Int)
        case jumpTarget(Int)
    }

    var kind: Kind
    var type: FunctionType
    /// Operands on the stack below the block's own.
    var height: Int
    /// Whether control can get to the block.
    var isLiveAtEntry: Bool
    /// Whether the rest of the block can't be reached.
    var isUnreachable = false
    /// Where a loop starts.
    var start = 0
    /// Jumps to the block's end.
    var references: [Reference] = []
    /// The jump over an `if`'s first arm.
    var elseReference: Int?

    /// The types that a branch to the block carries.
    var labelTypes: [ValueType] {
        kind == .loop ? type.parameters : type.results
    }
}

// Structured control instructions.
extension FunctionCompiler {
    private mutating func blockType() throws(ModuleError) -> FunctionType {
        let start = reader.offset
        let code = try reader.signed33()
        if code >= 0 {
            guard code < module.types.count else { throw ModuleError(.invalid, at: start, "unknown type \(code)") }
            return module.types[Int(code)]
        }
        switch code {
        case -0x40: return FunctionType()
        case -0x01: return FunctionType([], [.i32])
        case -0x02: return FunctionType([], [.i64])
        case -0x03: return FunctionType([], [.f32])
        case -0x04: return FunctionType([], [.f64])
        case -0x05: throw ModuleError(.unsupported, at: start, "SIMD is not supported (type v128)")
        case -0x10, -0x11:
            throw ModuleError(.unsupported, at: start, "reference types are not supported as values")
        default: throw ModuleError(.malformed, at: start, "unknown block type")
        }
    }

    mutating func beginBlock(_ kind: Block.Kind) throws(ModuleError) {
        let type = try blockType()
        guard blocks.count < limits.blockDepth else {
            throw ModuleError(
                .limitExceeded, at: instructionOffset, "blocks nested deeper than \(limits.blockDepth)")
        }
        var condition: Operand?
        if kind == .if {
            charge(Gas.simple)
            condition = try pop(.i32)
        }
        settleLocals()
        settleTop(type.parameters.count)
        try pop(type.parameters)
        var block = Block(kind: kind, type: type, height: stack.count, isLiveAtEntry: isLive)
        if let condition {
            block.elseReference = emitConditionalJump(condition, whenTrue: false)
            beginMeteredBlock()
        } else if kind == .loop {
            block.start = position
            beginMeteredBlock()
        }
        blocks.append(block)
        try push(type.parameters)
    }

    /// Puts the results of the block that ends here in their homes and takes them off the stack.
    private mutating func takeResults() throws(ModuleError) {
        guard let block = blocks.last else { throw invalid("end without a block") }
        settleTop(min(block.type.results.count, stack.count - block.height))
        try popResults(block)
    }

    private mutating func popResults(_ block: Block) throws(ModuleError) {
        try pop(block.type.results)
        guard stack.count == block.height else {
            throw invalid("\(stack.count - block.height) operands too many at the end of a block")
        }
    }

    mutating func elseArm() throws(ModuleError) {
        guard blocks.last?.kind == .if else { throw invalid("else without if") }
        try takeResults()
        guard var block = blocks.popLast() else { return }
        if isLive {
            block.references.append(.instruction(position))
            emit(Instruction(operation: .jump))
        }
        isLive = block.isLiveAtEntry
        if let reference = block.elseReference { resolve(.instruction(reference), to: position) }
        block.elseReference = nil
        block.kind = .else
        block.isUnreachable = false
        beginMeteredBlock()
        let parameters = block.type.parameters
        blocks.append(block)
        try push(parameters)
    }

    mutating func endBlock() throws(ModuleError) {
        if blocks.last?.kind == .function { return try endFunction() }
        try takeResults()
        guard let block = blocks.last else { return }
        if block.kind == .if, block.type.parameters != block.type.results {
            throw invalid("if without else must have equal parameters and results")
        }
        blocks.removeLast()
        isLive = block.isLiveAtEntry
        for reference in block.references { resolve(reference, to: position) }
        if let reference = block.elseReference { resolve(.instruction(reference), to: position) }
        if block.kind == .loop {
            producer = nil
        } else {
            beginMeteredBlock()
        }
        try push(block.type.results)
    }

    private mutating func endFunction() throws(ModuleError) {
        guard let block = blocks.last else { return }
        emitReturn(block.type.results.count)
        try popResults(block)
        blocks.removeLast()
    }

    /// The rest of the block can't be reached.
    mutating func becomeUnreachable() {
        guard let last = blocks.indices.last else { return }
        stack.truncate(to: blocks[last].height)
        blocks[last].isUnreachable = true
        isLive = false
        beginMeteredBlock()
    }

    mutating func resolve(_ reference: Block.Reference, to target: Int) {
        let target = UInt32(truncatingIfNeeded: target)
        switch reference {
        case .jumpTarget(let index): code.jumpTargets[index] = target
        case .instruction(let index):
            let upper = code.instructions[index].upper
            code.instructions[index].immediate = Instruction.pair(lower: target, upper: upper)
        }
    }
}
