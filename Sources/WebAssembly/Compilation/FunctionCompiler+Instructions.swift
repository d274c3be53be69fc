// Reading one instruction, and the simple ones.

extension FunctionCompiler {
    mutating func compileInstruction() throws(ModuleError) {
        instructionOffset = reader.offset
        let opcode = try reader.byte()
        work += 1
        switch opcode {
        case 0x00...0x11: try compileControl(opcode)
        case 0x1a: try drop()
        case 0x1b, 0x1c: try select(typed: opcode == 0x1c)
        case 0x20...0x24: try compileVariable(opcode)
        case 0x28...0x40: try compileMemory(opcode)
        case 0x41...0x44: try compileConstant(opcode)
        case 0x45...0xc4:
            guard let instruction = numeric[Int(opcode)] else { throw unknown(opcode) }
            try compileNumeric(instruction)
        case 0xfc: try compilePrefixed(try reader.unsigned32())
        default: throw unknown(opcode)
        }
    }

    private func unknown(_ opcode: UInt8) -> ModuleError {
        switch opcode {
        case 0x06...0x0a, 0x18, 0x19, 0x1f: unsupported("exceptions are not supported (0x\(hex(opcode)))")
        case 0x12, 0x13, 0x15: unsupported("tail calls are not supported (0x\(hex(opcode)))")
        case 0x14, 0x25, 0x26, 0xd0...0xd6: unsupported("reference types are not supported (0x\(hex(opcode)))")
        case 0xfb: unsupported("garbage collection is not supported (0xfb)")
        case 0xfd: unsupported("SIMD is not supported (0xfd)")
        case 0xfe: unsupported("threads are not supported (0xfe)")
        default: ModuleError(.malformed, at: instructionOffset, "unknown opcode 0x\(hex(opcode))")
        }
    }

    private mutating func compileControl(_ opcode: UInt8) throws(ModuleError) {
        switch opcode {
        case 0x00:
            charge(Gas.simple)
            emit(Instruction(operation: .unreachable))
            becomeUnreachable()
        case 0x01: charge(Gas.simple)
        case 0x02: try beginBlock(.block)
        case 0x03: try beginBlock(.loop)
        case 0x04: try beginBlock(.if)
        case 0x05: try elseArm()
        case 0x0b: try endBlock()
        case 0x0c: try branch()
        case 0x0d: try branchIf()
        case 0x0e: try branchTable()
        case 0x0f: try returnInstruction()
        case 0x10: try call()
        case 0x11: try callIndirect()
        default: throw unknown(opcode)
        }
    }

    private mutating func call() throws(ModuleError) {
        let index = try reader.index()
        guard index < module.functionTypes.count else { throw invalid("unknown function \(index)") }
        let shape = module.shape(ofFunction: index)
        let isImported = index < module.imports.count
        charge((isImported ? Gas.hostCall : Gas.call) + callValuesCost(shape))
        settleTop(Int(shape.parameters.count))
        try pop(shape.parameters)
        let immediate = UInt64(isImported ? index : index - module.imports.count)
        emit(
            Instruction(
                operation: isImported ? .callHost : .call, a: stack.home(at: stack.count), immediate: immediate))
        try push(shape.results)
    }

    private mutating func callIndirect() throws(ModuleError) {
        let index = try reader.index()
        let table = try reader.index()
        guard table == 0, module.tableEntries != nil else { throw invalid("unknown table \(table)") }
        guard index < module.types.count else { throw invalid("unknown type \(index)") }
        let shape = module.shapes[index]
        charge(Gas.callIndirect + callValuesCost(shape))
        let entry = try pop(.i32)
        let slot = isLive ? register(entry) : 0
        settleTop(Int(shape.parameters.count))
        try pop(shape.parameters)
        emit(
            Instruction(
                operation: .callIndirect, a: stack.home(at: stack.count), b: slot,
                immediate: UInt64(module.canonicalTypes[index])))
        try push(shape.results)
    }

    private mutating func callValuesCost(_ shape: TypeShape) -> UInt64 {
        UInt64(shape.parameters.count + shape.results.count) * Gas.callValue
    }

    private mutating func drop() throws(ModuleError) {
        charge(Gas.simple)
        _ = try pop()
    }

    private mutating func select(typed: Bool) throws(ModuleError) {
        var type: ValueType?
        if typed {
            guard try reader.unsigned32() == 1 else { throw invalid("select of other than one type") }
            type = try reader.valueType()
        }
        charge(Gas.simple)
        let condition = try pop(.i32)
        let second = try pop(type)
        let first = try pop(type ?? second.type)
        let result = type ?? first.type ?? second.type
        if isLive {
            let (b, c, test) = (register(first), register(second), register(condition))
            emitProducer(Instruction(operation: .select, a: first.home, b: b, c: c, immediate: UInt64(test)))
        }
        try push(result)
    }

    private mutating func compileVariable(_ opcode: UInt8) throws(ModuleError) {
        let index = try reader.index()
        charge(Gas.simple)
        switch opcode {
        case 0x20...0x22:
            guard let type = locals.type(index) else { throw invalid("unknown local \(index)") }
            if opcode != 0x20 { setLocal(index, try pop(type)) }
            if opcode != 0x21 { try push(type, local: index) }
        default:
            guard index < module.globals.count else { throw invalid("unknown global \(index)") }
            let global = module.globals[index]
            if opcode == 0x23 {
                emitProducer(
                    Instruction(operation: .globalGet, a: stack.home(at: stack.count), immediate: UInt64(index)))
                try push(global.type)
            } else {
                guard global.isMutable else { throw invalid("global \(index) is constant") }
                let value = try pop(global.type)
                let slot = isLive ? register(value) : 0
                emit(Instruction(operation: .globalSet, b: slot, immediate: UInt64(index)))
            }
        }
    }

    private mutating func setLocal(_ index: Int, _ value: Operand) {
        guard isLive else { return }
        let target = UInt16(truncatingIfNeeded: index)
        guard value.place != .slot(target) else { return }
        settle(local: index)
        if isFresh(value), let producer {
            code.instructions[producer].a = target
            self.producer = nil
        } else {
            emitMove(value.place, to: target)
        }
    }

    private mutating func compileConstant(_ opcode: UInt8) throws(ModuleError) {
        charge(Gas.simple)
        switch opcode {
        case 0x41: try push(.i32, constant: UInt64(UInt32(bitPattern: try reader.signed32())))
        case 0x42: try push(.i64, constant: UInt64(bitPattern: try reader.signed64()))
        case 0x43: try push(.f32, constant: UInt64(try reader.fixed32()))
        default: try push(.f64, constant: try reader.fixed64())
        }
    }
}

// Numeric instructions.
extension FunctionCompiler {
    /// Pushes an operand that was just popped, under another type: its bits stay where they are.
    private mutating func pushAgain(_ operand: Operand, as type: ValueType) throws(ModuleError) {
        guard isLive else { return try push(type) }
        switch operand.place {
        case .constant(let value): try push(type, constant: value)
        case .slot(let slot) where stack.isLocal(operand.place): try push(type, local: Int(slot))
        case .slot: try push(type)
        }
    }

    mutating func compileNumeric(_ instruction: NumericInstruction) throws(ModuleError) {
        charge(instruction.cost)
        switch instruction.form {
        case .unary(let operation):
            let operand = try pop(instruction.operand)
            guard let operation else {
                try pushAgain(operand, as: instruction.result)
                return
            }
            if isLive {
                emitProducer(Instruction(operation: operation, a: operand.home, b: register(operand)))
            }
            try push(instruction.result)
        case .binary(let form):
            let right = try pop(instruction.operand)
            let left = try pop(instruction.operand)
            if isLive { emitBinary(form, left, right, instruction.operand) }
            try push(instruction.result)
        }
    }

    private mutating func emitBinary(_ form: BinaryForm, _ left: Operand, _ right: Operand, _ type: ValueType) {
        if case .constant(let constant) = right.place, let operation = form.rightConstant {
            let negated = type == .i32 ? UInt64(UInt32(truncatingIfNeeded: 0 &- constant)) : 0 &- constant
            emitProducer(
                Instruction(
                    operation: operation, a: left.home, b: register(left),
                    immediate: form.negatesConstant ? negated : constant))
        } else if case .constant(let constant) = left.place, let operation = form.leftConstant {
            emitProducer(Instruction(operation: operation, a: left.home, b: register(right), immediate: constant))
        } else {
            let (first, second) = (register(left), register(right))
            emitProducer(
                Instruction(
                    operation: form.registers, a: left.home,
                    b: form.swapped ? second : first, c: form.swapped ? first : second))
        }
    }
}
