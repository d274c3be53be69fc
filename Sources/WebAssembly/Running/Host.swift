/// A function that a host offers to modules. Its place in the list given to ``Instance`` is its number.
public struct HostImport: Sendable, Hashable {
    public var module: String
    public var name: String
    /// At most one result.
    public var type: FunctionType

    public init(module: String, name: String, type: FunctionType) {
        self.module = module
        self.name = name
        self.type = type
    }
}

/// What answers a module's calls of imported functions.
///
/// A host may create and run other instances meanwhile. It must not run the calling instance:
/// that traps with ``Trap/reentrantCall``.
public protocol HostFunctions: AnyObject {
    /// - Parameters:
    ///   - function: index into the list of ``HostImport``s given at instantiation.
    ///   - arguments: as many as the function's type has parameters, of their types.
    ///   - context: the calling instance's memory and gas.
    /// - Returns: the result's bits, nil for a function without one. Bits beyond 32 are dropped for i32 and f32.
    /// - Throws: what the calling module traps with; ``Trap/hostFailed(code:message:)`` for the host's own reasons.
    func call(_ function: Int, _ arguments: HostArguments, _ context: HostContext) throws(Trap) -> UInt64?
}

/// The arguments of a host function. Asking for one that isn't there, or for another type, is a trap:
/// a host whose code and declared types differ fails cleanly.
public struct HostArguments {
    let slots: [UInt64]
    let types: [ValueType]

    public var count: Int { slots.count }

    public func i32(_ index: Int) throws(Trap) -> UInt32 {
        UInt32(truncatingIfNeeded: try slot(index, .i32))
    }

    public func i64(_ index: Int) throws(Trap) -> UInt64 {
        try slot(index, .i64)
    }

    public func value(_ index: Int) throws(Trap) -> Value {
        guard types.indices.contains(index) else { throw Self.mismatch(index) }
        return Value(slot: slots[index], type: types[index])
    }

    private func slot(_ index: Int, _ type: ValueType) throws(Trap) -> UInt64 {
        guard types.indices.contains(index), types[index] == type else { throw Self.mismatch(index) }
        return slots[index]
    }

    private static func mismatch(_ index: Int) -> Trap {
        .hostFailed(code: -1, message: "host function expects another argument \(index) than its type declares")
    }
}

/// What a host function may do with the instance that calls it. Valid only during the call.
public struct HostContext {
    let instance: Instance

    /// Bytes in the caller's linear memory.
    public var memoryCount: Int { instance.memoryCount }

    public func readMemory(at offset: UInt32, count: UInt32) throws(Trap) -> [UInt8] {
        try instance.readMemory(at: offset, count: count)
    }

    public func writeMemory(_ bytes: some Collection<UInt8>, at offset: UInt32) throws(Trap) {
        try instance.writeMemory(bytes, at: offset)
    }

    /// Takes gas from the calling instance; traps with ``Trap/outOfGas`` and leaves none if there isn't enough.
    public func chargeGas(_ amount: UInt64) throws(Trap) {
        try instance.chargeGas(amount)
    }

    /// The caller's gas. What its metered block at hand costs is already paid.
    public var gasLeft: UInt64 { instance.gasLeft }
}
