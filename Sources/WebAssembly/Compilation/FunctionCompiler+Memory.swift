// Memory and table instructions.

/// A load or store of the binary format.
private struct Access {
    var operation: Operation
    var type: ValueType
    /// log2 of the bytes accessed, which is also the largest alignment allowed.
    var width: UInt32

    init(_ operation: Operation, _ type: ValueType, _ width: UInt32) {
        self.operation = operation
        self.type = type
        self.width = width
    }

    /// 0x28 ... 0x35.
    static let loads: [Access] = [
        Access(.load32, .i32, 2), Access(.load64, .i64, 3), Access(.load32, .f32, 2), Access(.load64, .f64, 3),
        Access(.load8S32, .i32, 0), Access(.load8U, .i32, 0), Access(.load16S32, .i32, 1), Access(.load16U, .i32, 1),
        Access(.load8S64, .i64, 0), Access(.load8U, .i64, 0), Access(.load16S64, .i64, 1), Access(.load16U, .i64, 1),
        Access(.load32S64, .i64, 2), Access(.load32, .i64, 2),
    ]

    /// 0x36 ... 0x3e.
    static let stores: [Access] = [
        Access(.store32, .i32, 2), Access(.store64, .i64, 3), Access(.store32, .f32, 2), Access(.store64, .f64, 3),
        Access(.store8, .i32, 0), Access(.store16, .i32, 1),
        Access(.store8, .i64, 0), Access(.store16, .i64, 1), Access(.store32, .i64, 2),
    ]
}

extension FunctionCompiler {
    private mutating func requireMemory(_ index: Int = 0) throws(ModuleError) {
        guard index == 0, module.memory != nil else { throw invalid("unknown memory \(index)") }
    }

    /// The byte that stands for the only memory: a zero, not a number in LEB128 (specification 2.0, section 5.4.6).
    private mutating func zeroByte() throws(ModuleError) -> Int {
        guard try reader.byte() == 0 else { throw reader.malformed("zero byte expected") }
        return 0
    }

    private mutating func requireTable(_ index: Int) throws(ModuleError) {
        guard index == 0, module.tableEntries != nil else { throw invalid("unknown table \(index)") }
    }

    mutating func compileMemory(_ opcode: UInt8) throws(ModuleError) {
        switch opcode {
        case 0x28...0x35: try load(Access.loads[Int(opcode) - 0x28])
        case 0x36...0x3e: try store(Access.stores[Int(opcode) - 0x36])
        default:
            try requireMemory(try zeroByte())
            charge(opcode == 0x3f ? Gas.simple : Gas.memoryGrow)
            if opcode == 0x3f {
                emitProducer(Instruction(operation: .memorySize, a: stack.home(at: stack.count)))
            } else {
                let delta = try pop(.i32)
                if isLive { emitProducer(Instruction(operation: .memoryGrow, a: delta.home, b: register(delta))) }
            }
            try push(.i32)
        }
    }

    /// Alignment hint and offset; returns the offset.
    private mutating func memoryArgument(_ access: Access) throws(ModuleError) -> UInt64 {
        let alignment = try reader.unsigned32()
        let offset = try reader.unsigned32()
        try requireMemory()
        guard alignment <= access.width else { throw invalid("alignment 2^\(alignment) exceeds the natural one") }
        charge(Gas.memoryAccess)
        return UInt64(offset)
    }

    private mutating func load(_ access: Access) throws(ModuleError) {
        let offset = try memoryArgument(access)
        let address = try pop(.i32)
        if isLive {
            emitProducer(
                Instruction(operation: access.operation, a: address.home, b: register(address), immediate: offset))
        }
        try push(access.type)
    }

    private mutating func store(_ access: Access) throws(ModuleError) {
        let offset = try memoryArgument(access)
        let value = try pop(access.type)
        let address = try pop(.i32)
        guard isLive else { return }
        let (b, c) = (register(address), register(value))
        emit(Instruction(operation: access.operation, b: b, c: c, immediate: offset))
    }

    /// Instructions after the prefix 0xfc.
    mutating func compilePrefixed(_ number: UInt32) throws(ModuleError) {
        switch number {
        case 0...7: try compileNumeric(NumericInstruction.saturating[Int(number)])
        case 8: try memoryInit()
        case 9: try drop(.dataDrop, dataSegment())
        case 10:
            try requireMemory(try zeroByte())
            try requireMemory(try zeroByte())
            try bulk(.memoryCopy)
        case 11:
            try requireMemory(try zeroByte())
            try bulk(.memoryFill)
        case 12: try tableInit()
        case 13: try drop(.elementDrop, elementSegment())
        case 14:
            try requireTable(try reader.index())
            try requireTable(try reader.index())
            try bulk(.tableCopy)
        case 15...17: throw unsupported("reference types are not supported (table.grow, table.size, table.fill)")
        default: throw ModuleError(.malformed, at: instructionOffset, "unknown opcode 0xfc \(number)")
        }
    }

    private mutating func memoryInit() throws(ModuleError) {
        let segment = try dataSegment()
        try requireMemory(try zeroByte())
        try bulk(.memoryInit, segment)
    }

    private mutating func tableInit() throws(ModuleError) {
        let segment = try elementSegment()
        try requireTable(try reader.index())
        try bulk(.tableInit, segment)
    }

    private mutating func dataSegment() throws(ModuleError) -> Int {
        let index = try reader.index()
        guard let count = module.dataCount else {
            throw ModuleError(.malformed, at: instructionOffset, "data segment used without a data count section")
        }
        guard index < count else { throw invalid("unknown data segment \(index)") }
        return index
    }

    private mutating func elementSegment() throws(ModuleError) -> Int {
        let index = try reader.index()
        guard index < module.elements.count else { throw invalid("unknown element segment \(index)") }
        return index
    }

    /// Instructions with three i32 operands: destination, source or value, count.
    private mutating func bulk(_ operation: Operation, _ segment: Int = 0) throws(ModuleError) {
        charge(Gas.bulk)
        let count = try pop(.i32)
        let source = try pop(.i32)
        let destination = try pop(.i32)
        guard isLive else { return }
        let (a, b, c) = (register(destination), register(source), register(count))
        emit(Instruction(operation: operation, a: a, b: b, c: c, immediate: UInt64(segment)))
    }

    private mutating func drop(_ operation: Operation, _ segment: Int) throws(ModuleError) {
        charge(Gas.bulk)
        emit(Instruction(operation: operation, immediate: UInt64(segment)))
    }
}
