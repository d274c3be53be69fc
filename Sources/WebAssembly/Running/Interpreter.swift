import CWasmCore

/// The interpreter: a loop in C over the compiled code (`Sources/CWasmCore/core.c` says why), and what that loop asks
/// for. Calls push a frame and don't recurse.
extension Instance {
    /// Runs a function of the module, numbered without the imports. Its arguments are at the start of the value
    /// stack; its results come to the same place.
    func execute(_ function: Int) -> Outcome {
        let compiled = module.contents.code
        return compiled.instructions.withUnsafeBufferPointer { code in
            compiled.functions.withUnsafeBufferPointer { functions in
                compiled.jumpTargets.withUnsafeBufferPointer { jumpTargets in
                    module.contents.signatures.withUnsafeBufferPointer { signatures in
                        run(function, code, functions, jumpTargets, signatures)
                    }
                }
            }
        }
    }

    private func run(
        _ function: Int, _ code: UnsafeBufferPointer<Instruction>, _ functions: UnsafeBufferPointer<CompiledFunction>,
        _ jumpTargets: UnsafeBufferPointer<UInt32>, _ signatures: UnsafeBufferPointer<UInt32>
    ) -> Outcome {
        guard let code = UnsafeRawPointer(code.baseAddress)?.assumingMemoryBound(to: wasm_instruction.self),
            let functions = UnsafeRawPointer(functions.baseAddress)?.assumingMemoryBound(to: wasm_function.self),
            let stack = valueStack.baseAddress, let frames = callStack.baseAddress, let table = table.baseAddress,
            let globals = globals.baseAddress, let signatures = signatures.baseAddress
        else { return .callStackExhausted }
        var state = wasm_state()
        state.gas = gasLeft
        state.bottom = frames
        state.last = frames + callStack.count
        state.stack_end = UnsafePointer(stack + valueStack.count)
        state.code = code
        state.functions = functions
        // Without jump targets there is no instruction that reads them.
        state.jump_targets = jumpTargets.baseAddress ?? signatures
        state.signatures = signatures
        state.table = UnsafePointer(table)
        state.globals = globals
        state.table_count = UInt32(truncatingIfNeeded: module.contents.tableEntries ?? 0)
        state.import_count = UInt32(truncatingIfNeeded: module.contents.imports.count)
        guard wasm_begin(&state, UInt32(truncatingIfNeeded: function), stack) != 0 else { return .callStackExhausted }
        while true {
            state.memory = memory.base.assumingMemoryBound(to: UInt8.self)
            state.memory_bytes = UInt64(memory.count)
            let reason = wasm_run(&state)
            gasLeft = state.gas
            let outcome: Outcome
            switch reason {
            case UInt32(WASM_HOST_CALL):
                outcome = callHost(Int(state.requested_import), state.requested_slots)
            case UInt32(WASM_OUTSIDE):
                outcome = carryOut((state.next - 1).pointee, Registers(base: state.frame))
            default: return UInt8(exactly: reason).flatMap(Outcome.init(rawValue:)) ?? .unreachable
            }
            guard outcome == .finished else { return outcome }
            state.gas = gasLeft
        }
    }

    /// The instructions that are too rare, or too much bound to the instance, for the loop.
    private func carryOut(_ instruction: wasm_instruction, _ r: Registers) -> Outcome {
        let segment = Int(UInt32(truncatingIfNeeded: instruction.immediate))
        func operands() -> (UInt32, UInt32, UInt32) { (r.u32(instruction.a), r.u32(instruction.b), r.u32(instruction.c)) }
        switch Operation(rawValue: UInt8(truncatingIfNeeded: instruction.code)) {
        case .memoryGrow:
            guard let before = growMemory(by: r.u32(instruction.b)) else { return .outOfGas }
            r.set(instruction.a, before)
            return .finished
        case .memoryInit:
            let (destination, source, count) = operands()
            return initializeMemory(at: destination, from: source, count: count, segment: segment)
        case .dataDrop:
            droppedData[segment] = true
            return .finished
        case .tableCopy:
            let (destination, source, count) = operands()
            return copyTable(to: destination, from: source, count: count)
        case .tableInit:
            let (destination, source, count) = operands()
            return initializeTable(at: destination, from: source, count: count, segment: segment)
        case .elementDrop:
            droppedElements[segment] = true
            return .finished
        default: return .unreachable
        }
    }
}

/// Swift and C each have a list of the operations, and of the fields of an instruction. Were they not the same, one
/// program would compile and another run: so no instance is made before they have been compared.
enum SharedDefinitions {
    static let agree: Bool = {
        for operation in Operation.allCases {
            guard let name = wasm_operation_name(operation.rawValue), String(cString: name) == "\(operation)" else {
                return false
            }
        }
        return wasm_operation_name(UInt8(Operation.allCases.count)) == nil
            && MemoryLayout<Instruction>.stride == MemoryLayout<wasm_instruction>.stride
            && MemoryLayout<Instruction>.offset(of: \.variant) == 1
            && MemoryLayout<Instruction>.offset(of: \.a) == MemoryLayout<wasm_instruction>.offset(of: \.a)
            && MemoryLayout<Instruction>.offset(of: \.immediate) == MemoryLayout<wasm_instruction>.offset(of: \.immediate)
            && MemoryLayout<CompiledFunction>.stride == MemoryLayout<wasm_function>.stride
            && MemoryLayout<CompiledFunction>.offset(of: \.frameSlots)
                == MemoryLayout<wasm_function>.offset(of: \.frame_slots)
            && Outcome.hostTrapped.rawValue == UInt8(WASM_HOST_TRAPPED)
            && Gas.hostCall == 40 && Gas.bulkBytesPerUnit == 4 && ElementSegment.emptyEntry == .max
    }()
}
