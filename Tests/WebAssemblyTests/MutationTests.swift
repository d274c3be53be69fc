import Testing
import WebAssembly

/// Hostile input: whatever bytes come, parsing and running end in an error or a result, never in a crash.
@Suite(.timeLimit(.minutes(20))) struct MutationTests {
    /// A module with something of everything.
    static let kitchenSink: [UInt8] = {
        var assembler = Assembler()
        assembler.importFunction("spend", [.i64], [.i64])
        assembler.importFunction("peek", [.i32, .i32], [.i32])
        assembler.memory = [1, 1, 3]
        assembler.table = [0x70, 0, 6]
        assembler.global(.i32, mutable: true, i32(40))
        assembler.global(.f64, mutable: true, constant(.f64(bits: 0x4009_21fb_5444_2d18)))
        assembler.activeData(at: 16, Array("edgeproof".utf8))
        assembler.passiveData([1, 2, 3, 4, 5])
        let pair = assembler.type([.i32, .i64], [.i64, .i32])
        let unary = assembler.type([.i32], [.i32])
        let double = assembler.function([.i32], [.i32], get(0), i32(2), mul32)
        let floats = assembler.function(
            [.i32], [.i32], locals: [.f64, .f32],
            get(0), [0xb7], getGlobal(1), [0xa2], tee(1), [0x9f], get(1), [0xa4], set(1), get(1), [0xb6], tee(2),
            get(2), [0x92],
            [0xfc, 0], get(1), setGlobal(1))
        assembler.activeElements(at: 0, [double, floats, double])
        assembler.passiveElements([floats, double])
        assembler.function(
            [.i32], [.i32], locals: [.i32, .i64], export: "run",
            block(
                none,
                loop(
                    none, get(1), get(0), [0x4f], brIf(1),
                    get(1), get(1), i32(1), add32, tee(1), i32(3), [0x71], callIndirect(unary), getGlobal(0), add32,
                    setGlobal(0),
                    get(1), i32(2), [0x74], get(2), memoryOp(0x37, offset: 64),
                    get(2), i64(13), [0x7e], get(1), [0xac], [0x7c], set(2), br(0))),
            get(0), get(2), [0x02] + leb(pair), set(2), set(1), get(2), get(1), get(1), brIf(0), end, set(1), [0xa7],
            getGlobal(0), [0x73],
            block(none, block(none, get(1), i32(4), [0x70], brTable([0, 1], 1)), i32(5), set(1)), get(1), add32)
        assembler.function(
            [], [.i64], export: "bulk",
            i32(0), i32(16), i32(9), [0xfc, 10, 0, 0], i32(100), i32(255), i32(50), [0xfc, 11, 0],
            i32(200), i32(1), i32(3), [0xfc, 8, 1, 0], [0xfc, 9, 1], i32(3), i32(0), i32(2), [0xfc, 12, 1, 0],
            i32(1), i32(3), i32(2), [0xfc, 14, 0, 0], [0xfc, 13, 1], i32(1), [0x40, 0], drop,
            i64(5), call(0), i32(4), memoryOp(0x35), i32(99), memoryOp(0x31), i32(1), select, [0x7c])
        assembler.function(
            [], [.i32], export: "host", i32(16), i32(4), call(1), [0x3f, 0], add32, i32(1),
            ifThen(0x7f, i32(1), else: i32(2)), sub32)
        assembler.export("memory", kind: 2)
        assembler.export("table", kind: 1)
        assembler.export("state", kind: 3)
        return assembler.bytes
    }()

    static func host() -> ClosureHost {
        ClosureHost([
            (
                "spend", FunctionType([.i64], [.i64]),
                { (arguments: HostArguments, context: HostContext) throws(Trap) -> UInt64? in
                    try context.chargeGas(try arguments.i64(0))
                    return context.gasLeft
                }
            ),
            (
                "peek", FunctionType([.i32, .i32], [.i32]),
                { (arguments: HostArguments, context: HostContext) throws(Trap) -> UInt64? in
                    let bytes = try context.readMemory(at: try arguments.i32(0), count: try arguments.i32(1))
                    return bytes.reduce(0) { ($0 &* 31) &+ UInt64($1) }
                }
            ),
        ])
    }

    /// What all exports do, as text: equal texts mean equal behaviour.
    static func behaviour(_ bytes: [UInt8], gas: UInt64) -> String {
        var text = ""
        do {
            let module = try Module(parsing: bytes)
            let host = host()
            let instance = try Instance(module: module, host: host, hostImports: host.imports, gasLimit: gas)
            for export in module.exports {
                guard let type = module.functionType(ofExport: export.name) else { continue }
                let arguments = type.parameters.map { type -> Value in
                    switch type {
                    case .i32: .i32(9)
                    case .i64: .i64(9)
                    case .f32: .f32(bits: 9)
                    case .f64: .f64(bits: 9)
                    }
                }
                do {
                    text += "\(try instance.invoke(export.name, arguments)) "
                } catch {
                    text += "\(error) "
                }
                text += "\(instance.gasUsed) of \(instance.gasLimit)\n"
            }
        } catch {
            text += "\(error)"
        }
        return text
    }

    @Test func theModuleItselfWorks() throws {
        let text = Self.behaviour(Self.kitchenSink, gas: 1_000_000)
        #expect(!text.contains("module at byte"))
        #expect(text.split(separator: "\n").count == 3)
        #expect(!text.contains("unreachable") && !text.contains("out of"), "\(text)")
        #expect(text == Self.behaviour(Self.kitchenSink, gas: 1_000_000))
    }

    @Test func everyTruncationIsRefused() {
        let accepted = (0..<Self.kitchenSink.count).filter { count in
            let text = Self.behaviour(Array(Self.kitchenSink.prefix(count)), gas: 10_000)
            return !text.contains("module at byte")
        }
        // Before the function section a module may end after any section: header, types, imports.
        #expect(accepted.count == 3 && accepted.first == 8, "\(accepted)")
    }

    @Test(arguments: [1, 2, 3, 4, 5, 6, 7, 8] as [UInt64])
    func mutationsNeverCrash(seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        // Values that are instructions, types or borders of encodings.
        let interesting: [UInt8] = [
            0, 1, 2, 3, 4, 5, 0x0b, 0x0c, 0x0d, 0x0e, 0x0f, 0x10, 0x11, 0x1a, 0x1b, 0x20, 0x21, 0x22, 0x3f, 0x40, 0x41,
            0x6a, 0x6d,
            0x7f, 0x7e, 0x7d, 0x7c, 0x80, 0xff, 0xfc,
        ]
        var accepted = 0
        for round in 0..<1_500 {
            var bytes = Self.kitchenSink
            for _ in 0...Int.random(in: 0...2, using: &generator) {
                let index = Int.random(in: 0..<bytes.count, using: &generator)
                switch Int.random(in: 0..<5, using: &generator) {
                case 0: bytes[index] = UInt8.random(in: 0...255, using: &generator)
                case 1: bytes[index] ^= 1 << UInt8.random(in: 0..<8, using: &generator)
                case 2: bytes.remove(at: index)
                case 3: bytes.insert(interesting.randomElement(using: &generator) ?? 0, at: index)
                default: bytes[index] = interesting.randomElement(using: &generator) ?? 0
                }
            }
            let text = Self.behaviour(bytes, gas: 20_000)
            if !text.contains("module at byte") { accepted += 1 }
            if round % 16 == 0 {
                #expect(text == Self.behaviour(bytes, gas: 20_000), "seed \(seed) round \(round) is not deterministic")
            }
        }
        #expect(accepted > 0, "seed \(seed)")
    }

    /// Random instruction bytes in an otherwise valid function.
    @Test(arguments: [11, 12] as [UInt64])
    func randomBodiesNeverCrash(seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        for _ in 0..<1_500 {
            let code = (0..<Int.random(in: 1...40, using: &generator)).map { _ in
                UInt8.random(in: 0...255, using: &generator)
            }
            _ = Self.behaviour(single([.i32], [], code), gas: 20_000)
        }
    }
}
