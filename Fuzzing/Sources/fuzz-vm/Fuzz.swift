import WebAssembly

/// One input: bytes that may be a module. Whatever they are, this returns: no crash, no sanitizer's complaint, no
/// execution beyond its gas, no check beyond its steps.
///
/// The module is parsed under the contract limits. If it is one, every exported function is called twice in instances of
/// its own, with little gas: both must do the same, to the unit of gas.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzOneInput(_ start: UnsafePointer<UInt8>?, _ count: Int) -> Int32 {
    let bytes = Array(UnsafeBufferPointer(start: start, count: count))
    let (steps, error) = Module.measuringWork(parsing: bytes)
    precondition(
        steps <= Limits.contract.workBase + (Limits.contract.workPerByte + 1) * bytes.count, "checking took \(steps) steps")
    guard error == nil, let module = try? Module(parsing: bytes) else { return 0 }
    precondition(
        module.memoryBytes <= 8_192 + Module.memoryBytesPerByte * bytes.count, "it takes \(module.memoryBytes) bytes")
    let first = behaviour(module)
    let second = behaviour(module)
    precondition(first == second, "two runs differ")
    return 0
}

/// What all exported functions of a module do, as text.
private func behaviour(_ module: Module) -> [String] {
    let host = Host(module)
    guard
        let instance = try? Instance(
            module: module, host: host, hostImports: host.imports, gasLimit: module.instantiationGas + 20_000)
    else { return ["no instance"] }
    var lines: [String] = []
    for export in module.exports {
        guard let type = module.functionType(ofExport: export.name) else { continue }
        let arguments = type.parameters.map { type -> Value in
            switch type {
            case .i32: .i32(9)
            case .i64: .i64(9)
            case .f32: .f32(bits: 0x4110_0000)
            case .f64: .f64(bits: 0x4022_0000_0000_0000)
            }
        }
        do throws(Trap) { lines.append("\(try instance.invoke(export.name, arguments))") } catch { lines.append("\(error)") }
        precondition(instance.gasUsed <= instance.gasLimit, "more gas than there was")
        lines.append("\(instance.gasUsed)")
    }
    return lines
}

/// Offers what the module asks for: functions that read and write what their first arguments say.
private final class Host: HostFunctions {
    let imports: [HostImport]

    init(_ module: Module) {
        imports = module.imports.map { HostImport(module: $0.module, name: $0.name, type: $0.type) }
    }

    func call(_ function: Int, _ arguments: HostArguments, _ context: HostContext) throws(Trap) -> UInt64? {
        try context.chargeGas(40)
        guard arguments.count >= 2, case .i32(let place) = try arguments.value(0), case .i32(let count) = try arguments.value(1)
        else { return 7 }
        let bytes = try context.readMemory(at: place, count: min(count, 1_024))
        try context.writeMemory(bytes.reversed(), at: place)
        return UInt64(bytes.count)
    }
}
