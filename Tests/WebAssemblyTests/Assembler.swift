import WebAssembly

/// Builds modules byte by byte, so that tests say exactly what the decoder gets.
struct Assembler {
    private var types: [FunctionType] = []
    private var imports: [[UInt8]] = []
    private var functionTypes: [Int] = []
    private var bodies: [[UInt8]] = []
    private var exports: [[UInt8]] = []
    private var globals: [[UInt8]] = []
    private var elements: [[UInt8]] = []
    private var datas: [[UInt8]] = []
    var table: [UInt8]?
    var memory: [UInt8]?
    var writesDataCount = true

    /// The index of a type, added if it is new.
    mutating func type(_ parameters: [ValueType] = [], _ results: [ValueType] = []) -> Int {
        let type = FunctionType(parameters, results)
        if let index = types.firstIndex(of: type) { return index }
        types.append(type)
        return types.count - 1
    }

    /// Call before ``function(_:_:locals:export:_:)``: imports come first in the index space.
    mutating func importFunction(
        _ name: String, _ parameters: [ValueType] = [], _ results: [ValueType] = []
    ) {
        imports.append(Self.name("env") + Self.name(name) + [0] + leb(type(parameters, results)))
    }

    @discardableResult
    mutating func function(
        _ parameters: [ValueType] = [], _ results: [ValueType] = [], locals: [ValueType] = [],
        export: String? = nil, _ code: [UInt8]...
    ) -> Int {
        functionTypes.append(type(parameters, results))
        let groups = Self.vector(locals.map { [1, $0.rawValue] })
        bodies.append(groups + code.flatMap { $0 } + [0x0b])
        let index = imports.count + functionTypes.count - 1
        if let export { exports.append(Self.name(export) + [0] + leb(index)) }
        return index
    }

    mutating func export(_ name: String, kind: UInt8, index: Int = 0) {
        exports.append(Self.name(name) + [kind] + leb(index))
    }

    mutating func global(_ type: ValueType, mutable: Bool, _ initial: [UInt8]) {
        globals.append([type.rawValue, mutable ? 1 : 0] + initial + [0x0b])
    }

    mutating func activeElements(at offset: Int32, _ functions: [Int]) {
        elements.append([0] + i32(offset) + [0x0b] + Self.vector(functions.map { leb($0) }))
    }

    mutating func passiveElements(_ functions: [Int]) {
        elements.append([1, 0] + Self.vector(functions.map { leb($0) }))
    }

    mutating func activeData(at offset: Int32, _ bytes: [UInt8]) {
        datas.append([0] + i32(offset) + [0x0b] + leb(bytes.count) + bytes)
    }

    mutating func passiveData(_ bytes: [UInt8]) {
        datas.append([1] + leb(bytes.count) + bytes)
    }

    var bytes: [UInt8] {
        var result = Self.header
        func section(_ id: UInt8, _ entries: [[UInt8]]) {
            if !entries.isEmpty { result += Self.section(id, Self.vector(entries)) }
        }
        section(
            1,
            types.map {
                [0x60] + Self.vector($0.parameters.map { [$0.rawValue] })
                    + Self.vector($0.results.map { [$0.rawValue] })
            })
        section(2, imports)
        section(3, functionTypes.map { leb($0) })
        section(4, table.map { [$0] } ?? [])
        section(5, memory.map { [$0] } ?? [])
        section(6, globals)
        section(7, exports)
        section(9, elements)
        if writesDataCount, !datas.isEmpty { result += Self.section(12, leb(datas.count)) }
        section(10, bodies.map { leb($0.count) + $0 })
        section(11, datas)
        return result
    }

    static let header: [UInt8] = [0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0]

    static func section(_ id: UInt8, _ content: [UInt8]) -> [UInt8] {
        [id] + leb(content.count) + content
    }

    static func vector(_ entries: [[UInt8]]) -> [UInt8] {
        leb(entries.count) + entries.flatMap { $0 }
    }

    static func name(_ name: String) -> [UInt8] {
        leb(name.utf8.count) + Array(name.utf8)
    }
}

// Integers.

func leb(_ value: Int) -> [UInt8] {
    var rest = UInt64(bitPattern: Int64(value))
    var bytes: [UInt8] = []
    repeat {
        let low = UInt8(rest & 0x7f)
        rest >>= 7
        bytes.append(rest == 0 ? low : low | 0x80)
    } while rest != 0
    return bytes
}

func signedLEB(_ value: Int64) -> [UInt8] {
    var rest = value
    var bytes: [UInt8] = []
    while true {
        let low = UInt8(truncatingIfNeeded: rest & 0x7f)
        rest >>= 7
        if (rest == 0 && low & 0x40 == 0) || (rest == -1 && low & 0x40 != 0) { return bytes + [low] }
        bytes.append(low | 0x80)
    }
}

// Instructions.

func i32(_ value: Int32) -> [UInt8] { [0x41] + signedLEB(Int64(value)) }
func i64(_ value: Int64) -> [UInt8] { [0x42] + signedLEB(value) }

func constant(_ value: Value) -> [UInt8] {
    func little(_ bits: some FixedWidthInteger) -> [UInt8] { withUnsafeBytes(of: bits.littleEndian) { Array($0) } }
    return switch value {
    case .i32(let bits): i32(Int32(bitPattern: bits))
    case .i64(let bits): i64(Int64(bitPattern: bits))
    case .f32(let bits): [0x43] + little(bits)
    case .f64(let bits): [0x44] + little(bits)
    }
}

func get(_ local: Int) -> [UInt8] { [0x20] + leb(local) }
func set(_ local: Int) -> [UInt8] { [0x21] + leb(local) }
func tee(_ local: Int) -> [UInt8] { [0x22] + leb(local) }
func getGlobal(_ index: Int) -> [UInt8] { [0x23] + leb(index) }
func setGlobal(_ index: Int) -> [UInt8] { [0x24] + leb(index) }
func call(_ function: Int) -> [UInt8] { [0x10] + leb(function) }
func callIndirect(_ type: Int) -> [UInt8] { [0x11] + leb(type) + [0x80, 0x80, 0x80, 0x80, 0x00] }
func br(_ label: Int) -> [UInt8] { [0x0c] + leb(label) }
func brIf(_ label: Int) -> [UInt8] { [0x0d] + leb(label) }
func brTable(_ labels: [Int], _ fallback: Int) -> [UInt8] {
    [0x0e] + Assembler.vector(labels.map { leb($0) }) + leb(fallback)
}

let none: UInt8 = 0x40
let end: [UInt8] = [0x0b]
func block(_ type: UInt8 = none, _ code: [UInt8]...) -> [UInt8] { [0x02, type] + code.flatMap { $0 } + end }
func loop(_ type: UInt8 = none, _ code: [UInt8]...) -> [UInt8] { [0x03, type] + code.flatMap { $0 } + end }
func ifThen(_ type: UInt8 = none, _ then: [UInt8], else other: [UInt8]? = nil) -> [UInt8] {
    [0x04, type] + then + (other.map { [0x05] + $0 } ?? []) + end
}

let unreachable: [UInt8] = [0x00]
let returnOp: [UInt8] = [0x0f]
let drop: [UInt8] = [0x1a]
let select: [UInt8] = [0x1b]
let add32: [UInt8] = [0x6a]
let sub32: [UInt8] = [0x6b]
let mul32: [UInt8] = [0x6c]
let eqz32: [UInt8] = [0x45]
let lessU32: [UInt8] = [0x49]

func memoryOp(_ opcode: UInt8, offset: Int = 0) -> [UInt8] { [opcode, 0] + leb(offset) }
