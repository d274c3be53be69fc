// Branches: to the end of a block, to the start of a loop, or out of the function.

extension FunctionCompiler {
    /// The index in `blocks` of the label that an instruction names.
    private mutating func label() throws(ModuleError) -> Int {
        try checkLabel(try reader.index())
    }

    private mutating func checkLabel(_ depth: Int) throws(ModuleError) -> Int {
        guard depth < blocks.count else { throw invalid("unknown label \(depth)") }
        return blocks.count - 1 - depth
    }

    mutating func branch() throws(ModuleError) {
        let label = try label()
        charge(Gas.branch + carryCost(label))
        try checkTop(blocks[label].labelTypes, retyping: true)
        emitTransfer(to: label)
        becomeUnreachable()
    }

    mutating func returnInstruction() throws(ModuleError) {
        charge(Gas.branch + carryCost(0))
        try checkTop(blocks[0].labelTypes, retyping: true)
        emitTransfer(to: 0)
        becomeUnreachable()
    }

    mutating func branchIf() throws(ModuleError) {
        let label = try label()
        charge(Gas.branch + carryCost(label))
        let condition = try pop(.i32)
        let types = blocks[label].labelTypes
        let number = Int(types.count)
        try checkTop(types, retyping: true)
        // Settling must happen on both ways.
        if number > 1 { settleTop(number) }
        if carriesNothing(to: label) {
            if let jump = emitConditionalJump(condition, whenTrue: true) { connect(.instruction(jump), to: label) }
        } else if let skip = emitConditionalJump(condition, whenTrue: false) {
            emitTransfer(to: label)
            resolve(.instruction(skip), to: position)
        }
        beginMeteredBlock()
    }

    mutating func branchTable() throws(ModuleError) {
        let count = try reader.vectorLength(atMost: limits.branchTableTargets, of: "targets of br_table")
        tableLabels.removeAll(keepingCapacity: true)
        var fallback = 0
        for _ in 0...count {
            fallback = try label()
            tableLabels.append(Int32(truncatingIfNeeded: fallback))
        }
        work += 3 * count
        charge(Gas.branchTable + carryCost(fallback))
        let index = try pop(.i32)
        let arity = blocks[fallback].labelTypes.count
        var checked = -1
        for entry in 0...count {
            let label = Int(tableLabels[entry])
            // Mostly several entries in a row go to one place.
            if label == checked { continue }
            checked = label
            guard blocks[label].labelTypes.count == arity else { throw invalid("br_table targets differ in arity") }
            try checkTop(blocks[label].labelTypes, retyping: false)
        }
        try checkTop(blocks[fallback].labelTypes, retyping: true)
        emitJumpTable(index)
        becomeUnreachable()
    }

    private mutating func carryCost(_ label: Int) -> UInt64 {
        UInt64(blocks[label].labelTypes.count) * Gas.branchValue
    }

    /// Checks the types of the topmost operands, which stay. Unreachable code may lack some or not know their types;
    /// with `retyping` they are there and known afterwards.
    ///
    /// Mostly nothing has to change, and a module may branch often with many values, so that way is the fast one.
    private mutating func checkTop(_ types: TypeShape.Run, retyping: Bool) throws(ModuleError) {
        let number = Int(types.count)
        guard number > 0 else { return }
        work += number
        var isExact = true
        var index = stack.count
        for place in stride(from: number - 1, through: 0, by: -1) {
            let expected = value(types, place)
            guard index > blockHeight else {
                guard isUnreachable else { throw invalid("operand stack is empty, expected \(expected)") }
                isExact = false
                break
            }
            index -= 1
            guard let type = stack.operands[index].type else {
                isExact = false
                continue
            }
            guard type == expected else { throw invalid("operand has type \(type), expected \(expected)") }
        }
        guard retyping, !isExact else { return }
        try pop(types)
        try push(types)
    }
}

// Emission.
extension FunctionCompiler {
    /// Emits a jump whose target is still open; returns its index, nil in unreachable code.
    mutating func emitConditionalJump(_ condition: Operand, whenTrue: Bool) -> Int? {
        guard isLive else { return nil }
        if isFresh(condition), let producer,
            let fused = code.instructions[producer].fusedWithJump(whenTrue: whenTrue)
        {
            code.instructions[producer] = fused
            self.producer = nil
            return producer
        }
        let slot = register(condition)
        emit(Instruction(operation: whenTrue ? .jumpIfNonZero : .jumpIfZero, b: slot))
        return position - 1
    }

    /// Makes a jump lead to a label.
    private mutating func connect(_ reference: Reference, to label: Int) {
        if blocks[label].kind == .loop {
            resolve(reference, to: Int(blocks[label].start))
        } else {
            var list = blocks[label].references
            link(reference, to: &list)
            setReferences(list, of: label)
        }
    }

    /// Whether a jump to the label needs no other instruction: the values it carries are in place already.
    private mutating func carriesNothing(to label: Int) -> Bool {
        let block = blocks[label]
        guard block.kind != .function else { return false }
        let number = Int(block.labelTypes.count)
        guard number > 0 else { return true }
        guard let last = stack.operands.last else { return false }
        let target = stack.home(at: Int(block.height))
        if number == 1 { return last.place == .slot(target) }
        return stack.home(at: stack.count - number) == target
    }

    /// Emits the way to a label with the topmost operands. Operands that are more than one must be settled where
    /// only one of two ways comes through here.
    private mutating func emitTransfer(to label: Int) {
        guard isLive else { return }
        let block = blocks[label]
        let number = Int(block.labelTypes.count)
        guard block.kind != .function else { return emitReturn(number) }
        let target = stack.home(at: Int(block.height))
        if number == 1, let operand = stack.operands.last {
            emitMove(operand.place, to: target)
        } else if number > 1 {
            settleTop(number)
            let source = stack.home(at: stack.count - number)
            if source != target {
                emit(Instruction(operation: .copyMany, a: target, b: source, immediate: UInt64(number)))
            }
        }
        emit(Instruction(operation: .jump))
        connect(.instruction(position - 1), to: label)
    }

    /// Emits the return of the topmost operands.
    mutating func emitReturn(_ number: Int) {
        guard isLive, stack.count >= number else { return }
        switch number {
        case 0: emit(Instruction(operation: .returnNone))
        case 1:
            guard let operand = stack.operands.last else { return }
            let slot = register(operand)
            emit(Instruction(operation: .returnOne, b: slot))
        default:
            settleTop(number)
            let source = stack.home(at: stack.count - number)
            emit(Instruction(operation: .returnMany, b: source, immediate: UInt64(number)))
        }
    }

    /// A label whose values aren't in place is reached by way of a few instructions of its own, shared by all
    /// entries for that label.
    private mutating func emitJumpTable(_ index: Operand) {
        guard isLive, let fallback = tableLabels.last else { return }
        let count = tableLabels.count
        let slot = register(index)
        settleTop(Int(blocks[Int(fallback)].labelTypes.count))
        let first = code.jumpTargets.count
        code.jumpTargets.append(contentsOf: repeatElement(0, count: count))
        let immediate = Instruction.pair(
            lower: UInt32(truncatingIfNeeded: first), upper: UInt32(truncatingIfNeeded: count - 1))
        emit(Instruction(operation: .jumpTable, b: slot, immediate: immediate))
        tableNumber += 1
        for entry in 0..<count {
            let label = Int(tableLabels[entry])
            if carriesNothing(to: label) {
                connect(.jumpTarget(first + entry), to: label)
                continue
            }
            if blocks[label].detourTable != Int32(truncatingIfNeeded: tableNumber) {
                setDetour(position, of: label)
                emitTransfer(to: label)
            }
            resolve(.jumpTarget(first + entry), to: Int(blocks[label].detour))
        }
    }
}
