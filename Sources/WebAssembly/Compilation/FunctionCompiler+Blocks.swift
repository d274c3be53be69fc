/// A block that is open while a function is compiled: the specification's control frame.
struct Block {
    enum Kind: UInt8 {
        case function, block, loop, `if`, `else`
    }

    var kind: Kind
    var shape: TypeShape
    /// Operands on the stack below the block's own.
    var height: Int32
    /// Whether control can get to the block.
    var isLiveAtEntry: Bool
    /// Whether the rest of the block can't be reached.
    var isUnreachable = false
    /// Where a loop starts.
    var start: Int32 = 0
    /// Jumps to the block's end.
    var references = Reference.none
    /// The jump over an `if`'s first arm.
    var elseReference: Int32 = -1
    /// The last `br_table` that goes to the block by a detour, and where that is.
    var detourTable: Int32 = 0
    var detour: Int32 = 0

    /// The types that a branch to the block carries.
    var labelTypes: TypeShape.Run {
        kind == .loop ? shape.parameters : shape.results
    }
}

/// Something that must learn where a block's label is: an instruction or an entry of the jump table.
///
/// The open references of a block form a list that runs through the very places which the label's position will
/// fill. So blocks hold no memory of their own.
struct Reference: Equatable {
    fileprivate var code: UInt32

    static let none = Reference(code: .max)

    fileprivate init(code: UInt32) { self.code = code }

    static func instruction(_ index: Int) -> Reference { Reference(code: UInt32(truncatingIfNeeded: index << 1)) }
    static func jumpTarget(_ index: Int) -> Reference { Reference(code: UInt32(truncatingIfNeeded: index << 1 | 1)) }

    fileprivate var index: Int { Int(code >> 1) }
    fileprivate var isJumpTarget: Bool { code & 1 != 0 }
}

// Structured control instructions.
extension FunctionCompiler {
    /// A block's type is one byte for none or one result, or the index of a type as a signed number (specification
    /// 2.0, section 5.4.1). The bytes are what they are: a padded -1 is not the type i32.
    private mutating func blockType() throws(ModuleError) -> TypeShape {
        let start = reader.offset
        let first = try reader.peek()
        if first == 0x40 {
            _ = try reader.byte()
            return TypeShape()
        }
        if first & 0xc0 == 0x40 { return .one(try reader.valueType()) }
        let code = try reader.signed33()
        guard code >= 0 else { throw ModuleError(.malformed, at: start, "unknown block type") }
        guard code < module.shapes.count else { throw ModuleError(.invalid, at: start, "unknown type \(code)") }
        let shape = module.shapes[Int(code)]
        guard Int(max(shape.parameters.count, shape.results.count)) <= limits.blockValues else {
            throw ModuleError(
                .limitExceeded, at: start,
                "a block of type \(module.types[Int(code)]), at most \(limits.blockValues) parameters and results are allowed")
        }
        return shape
    }

    private mutating func haveEqualTypes(_ left: TypeShape.Run, _ right: TypeShape.Run) -> Bool {
        guard left.count == right.count else { return false }
        for index in 0..<Int(left.count) where value(left, index) != value(right, index) { return false }
        return true
    }

    mutating func beginBlock(_ kind: Block.Kind) throws(ModuleError) {
        let shape = try blockType()
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
        settleTop(Int(shape.parameters.count))
        // Mostly the operands are there with the types they should have: then they stay as they are.
        let areThere = lieOnTop(shape.parameters)
        if !areThere { try pop(shape.parameters) }
        let height = areThere ? stack.count - Int(shape.parameters.count) : stack.count
        var block = Block(
            kind: kind, shape: shape, height: Int32(truncatingIfNeeded: height), isLiveAtEntry: isLive)
        if let condition {
            block.elseReference = Int32(truncatingIfNeeded: emitConditionalJump(condition, whenTrue: false) ?? -1)
            beginMeteredBlock()
        } else if kind == .loop {
            block.start = Int32(truncatingIfNeeded: position)
            beginMeteredBlock()
        }
        open(block)
        if !areThere { try push(shape.parameters) }
    }

    /// Whether the topmost operands of the block at hand are in their homes and have these types.
    private mutating func lieOnTop(_ types: TypeShape.Run) -> Bool {
        let count = Int(types.count)
        let bottom = stack.count - count
        guard bottom >= blockHeight else { return false }
        work += count
        for index in 0..<count where !stack.isSettled(at: bottom + index, as: value(types, index)) { return false }
        return true
    }

    /// Puts the results of the block that ends here in their homes and takes them off the stack.
    private mutating func takeResults() throws(ModuleError) {
        guard let block = blocks.last else { throw invalid("end without a block") }
        settleTop(min(Int(block.shape.results.count), stack.count - Int(block.height)))
        try popResults(block)
    }

    private mutating func popResults(_ block: Block) throws(ModuleError) {
        try pop(block.shape.results)
        guard stack.count == Int(block.height) else {
            throw invalid("\(stack.count - Int(block.height)) operands too many at the end of a block")
        }
    }

    mutating func elseArm() throws(ModuleError) {
        guard blocks.last?.kind == .if else { throw invalid("else without if") }
        try takeResults()
        guard var block = close() else { return }
        if isLive {
            emit(Instruction(operation: .jump))
            link(.instruction(position - 1), to: &block.references)
        }
        isLive = block.isLiveAtEntry
        if block.elseReference >= 0 { resolve(.instruction(Int(block.elseReference)), to: position) }
        block.elseReference = -1
        block.kind = .else
        block.isUnreachable = false
        beginMeteredBlock()
        open(block)
        try push(block.shape.parameters)
    }

    mutating func endBlock() throws(ModuleError) {
        guard let last = blocks.last else { throw invalid("end without a block") }
        if last.kind == .function { return try endFunction() }
        settleTop(min(Int(last.shape.results.count), stack.count - blockHeight))
        let areThere =
            stack.count - blockHeight == Int(last.shape.results.count) && lieOnTop(last.shape.results)
        if !areThere { try popResults(last) }
        guard let block = close() else { return }
        if block.kind == .if, !haveEqualTypes(block.shape.parameters, block.shape.results) {
            throw invalid("if without else must have equal parameters and results")
        }
        isLive = block.isLiveAtEntry
        resolveAll(block.references, to: position)
        if block.elseReference >= 0 { resolve(.instruction(Int(block.elseReference)), to: position) }
        if block.kind == .loop {
            producer = nil
        } else {
            beginMeteredBlock()
        }
        if !areThere { try push(block.shape.results) }
    }

    private mutating func endFunction() throws(ModuleError) {
        guard let block = blocks.last else { return }
        emitReturn(Int(block.shape.results.count))
        try popResults(block)
        _ = close()
    }

    /// The rest of the block can't be reached.
    mutating func becomeUnreachable() {
        work += stack.count - blockHeight
        stack.truncate(to: blockHeight)
        closeOff()
        isLive = false
        beginMeteredBlock()
    }

    /// Puts a reference at the head of a list.
    mutating func link(_ reference: Reference, to list: inout Reference) {
        fill(reference, list.code)
        list = reference
    }

    /// Gives all references of a list their target.
    private mutating func resolveAll(_ list: Reference, to target: Int) {
        var reference = list
        while reference != .none {
            work += 1
            let next =
                reference.isJumpTarget
                ? code.jumpTargets[reference.index] : code.instructions[reference.index].lower
            resolve(reference, to: target)
            reference = Reference(code: next)
        }
    }

    mutating func resolve(_ reference: Reference, to target: Int) {
        fill(reference, UInt32(truncatingIfNeeded: target))
    }

    private mutating func fill(_ reference: Reference, _ value: UInt32) {
        let index = reference.index
        if reference.isJumpTarget {
            code.jumpTargets[index] = value
        } else {
            code.instructions[index].lower = value
        }
    }
}
