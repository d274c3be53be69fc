import Testing
import WebAssembly

/// SplitMix64 (Steele, Lea, Flood 2014): small, seeded, the same everywhere.
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
        return mixed ^ (mixed >> 31)
    }
}

/// A host whose functions are closures.
final class ClosureHost: HostFunctions {
    typealias Function = (HostArguments, HostContext) throws(Trap) -> UInt64?
    let imports: [HostImport]
    private let functions: [Function]

    init(_ functions: [(name: String, type: FunctionType, run: Function)] = []) {
        imports = functions.map { HostImport(module: "env", name: $0.name, type: $0.type) }
        self.functions = functions.map(\.run)
    }

    func call(_ function: Int, _ arguments: HostArguments, _ context: HostContext) throws(Trap) -> UInt64? {
        try functions[function](arguments, context)
    }
}

func instantiate(
    _ bytes: [UInt8], host: ClosureHost = ClosureHost(), gas: UInt64 = 1_000_000_000, limits: Limits = .contract
) throws -> Instance {
    let module = try Module(parsing: bytes, limits: limits)
    return try Instance(module: module, host: host, hostImports: host.imports, gasLimit: gas)
}

/// Runs the export "run" of a fresh instance.
func run(_ bytes: [UInt8], _ arguments: Value...) throws -> [Value] {
    try instantiate(bytes).invoke("run", arguments)
}

/// The trap that a call ends with; nil if it returns.
func trap(_ instance: Instance, _ export: String = "run", _ arguments: Value...) -> Trap? {
    do throws(Trap) {
        _ = try instance.invoke(export, arguments)
        return nil
    } catch {
        return error
    }
}

/// A module with one function, exported as "run".
func single(
    _ parameters: [ValueType] = [], _ results: [ValueType] = [], locals: [ValueType] = [], _ code: [UInt8]...
) -> [UInt8] {
    var assembler = Assembler()
    assembler.memory = [1, 1, 4]
    assembler.function(parameters, results, locals: locals, export: "run", code.flatMap { $0 })
    return assembler.bytes
}

/// What an instruction does with operands: a value or a trap.
enum Answer: Equatable {
    case value(Value)
    case trap(Trap)
}

/// Runs a numeric instruction in each way it can be compiled: operands in locals, computed, constant on either
/// side, its result stored or branched on. All must agree; the answer is what they agree on.
func evaluate(_ opcode: [UInt8], _ operands: [Value], _ result: ValueType) throws -> Answer {
    var assembler = Assembler()
    let types = operands.map(\.type)
    let locals = operands.indices.map { get($0) }
    let constants = operands.map { constant($0) }
    // A block's result is computed as far as the compiler knows.
    let computed = operands.indices.map { block(types[$0].rawValue, locals[$0]) }
    var forms = [locals, constants, computed]
    if operands.count == 2 {
        forms += [[locals[0], constants[1]], [constants[0], locals[1]]]
    }
    for (number, form) in forms.enumerated() {
        let code = form.flatMap { $0 } + opcode
        assembler.function(types, [result], export: "plain\(number)", code)
        assembler.function(
            types, [result], locals: [result], export: "stored\(number)", code, set(types.count), get(types.count))
        if result == .i32 {
            assembler.function(
                types, [.i32], export: "if\(number)", code, ifThen(0x7f, i32(1), else: i32(0)))
            assembler.function(
                types, [.i32], export: "branch\(number)", block(none, code, brIf(0), i32(0), returnOp), i32(1))
        }
    }
    let instance = try instantiate(assembler.bytes)
    func answer(_ export: String) throws -> Answer {
        do throws(Trap) { return .value(try instance.invoke(export, operands)[0]) } catch { return .trap(error) }
    }
    let first = try answer("plain0")
    var truth = first
    if case .value(.i32(let bits)) = first { truth = .value(.i32(bits == 0 ? 0 : 1)) }
    for number in forms.indices {
        for name in ["plain", "stored"] {
            let other = try answer(name + "\(number)")
            #expect(other == first, "\(opcode) \(operands) as \(name)\(number)")
        }
        guard result == .i32 else { continue }
        for name in ["if", "branch"] {
            let other = try answer(name + "\(number)")
            #expect(other == truth, "\(opcode) \(operands) as \(name)\(number)")
        }
    }
    return first
}
