// Calls between the host and the instance.

/// Why the interpreter's loop ended: the outcomes of `CWasmCore.h`, value for value.
enum Outcome: UInt8 {
    case finished
    case unreachable, outOfGas, memoryOutOfBounds, tableOutOfBounds, divideByZero, integerOverflow
    case invalidConversion, undefinedElement, uninitializedElement, indirectCallTypeMismatch, callStackExhausted
    case hostTrapped
}

extension Instance {
    /// Calls an exported function and returns its results.
    ///
    /// Gas is taken from what the instance has left; after a trap ``gasUsed`` tells what was spent.
    public func invoke(_ export: String, _ arguments: [Value] = []) throws(Trap) -> [Value] {
        guard !isRunning else { throw .reentrantCall }
        guard let function = module.functionIndex(ofExport: export) else { throw .exportNotFound(export) }
        let type = module.contents.type(ofFunction: function)
        guard arguments.map(\.type) == type.parameters else { throw .argumentMismatch }
        guard max(arguments.count, type.results.count) <= valueStack.count else { throw .callStackExhausted }
        for (index, argument) in arguments.enumerated() { valueStack[index] = argument.slot }
        isRunning = true
        defer { isRunning = false }
        let outcome: Outcome
        let importCount = module.contents.imports.count
        if function < importCount {
            outcome = callHost(function, valueStack.baseAddress)
        } else {
            outcome = execute(function - importCount)
        }
        if let trap = trap(for: outcome) { throw trap }
        return type.results.enumerated().map { Value(slot: valueStack[$0.offset], type: $0.element) }
    }

    private func trap(for outcome: Outcome) -> Trap? {
        switch outcome {
        case .finished: return nil
        case .unreachable: return .unreachable
        case .outOfGas:
            gasLeft = 0
            return .outOfGas
        case .memoryOutOfBounds: return .memoryOutOfBounds
        case .tableOutOfBounds: return .tableOutOfBounds
        case .divideByZero: return .divideByZero
        case .integerOverflow: return .integerOverflow
        case .invalidConversion: return .invalidConversion
        case .undefinedElement: return .undefinedElement
        case .uninitializedElement: return .uninitializedElement
        case .indirectCallTypeMismatch: return .indirectCallTypeMismatch
        case .callStackExhausted: return .callStackExhausted
        case .hostTrapped:
            defer { hostTrap = nil }
            return hostTrap ?? .unreachable
        }
    }

    /// Calls an imported function with arguments from `slots` on, and puts its result there.
    /// ``gasLeft`` must be up to date before; it may be less afterwards, and the memory may have moved.
    @inline(never)
    func callHost(_ index: Int, _ slots: UnsafeMutablePointer<UInt64>?) -> Outcome {
        guard let slots else { return .callStackExhausted }
        let type = module.contents.imports[index].type
        let arguments = HostArguments(
            slots: Array(UnsafeBufferPointer(start: slots, count: type.parameters.count)), types: type.parameters)
        do throws(Trap) {
            let result = try host.call(hostFunctions[index], arguments, HostContext(instance: self))
            guard let expected = type.results.first else { return .finished }
            guard let result else {
                throw Trap.hostFailed(code: -1, message: "host function returned no value")
            }
            slots[0] = Value(slot: result, type: expected).slot
            return .finished
        } catch {
            hostTrap = error
            return .hostTrapped
        }
    }
}
