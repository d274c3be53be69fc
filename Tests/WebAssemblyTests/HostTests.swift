import Testing
import WebAssembly

@Suite(.timeLimit(.minutes(20))) struct HostTests {
    private typealias Function = (HostArguments, HostContext) throws(Trap) -> UInt64?

    private func module(_ parameters: [ValueType], _ results: [ValueType]) -> [UInt8] {
        var assembler = Assembler()
        assembler.importFunction("f", parameters, results)
        assembler.memory = [0, 1]
        assembler.function(parameters, results, export: "run", parameters.indices.flatMap { get($0) }, call(0))
        assembler.export("direct", kind: 0)
        return assembler.bytes
    }

    private func host(_ type: FunctionType, _ run: @escaping Function) -> ClosureHost {
        ClosureHost([("unrelated", FunctionType(), { (_, _) throws(Trap) in nil }), ("f", type, run)])
    }

    @Test func argumentsMemoryAndResult() throws {
        let type = FunctionType([.i32, .i64, .f32, .f64], [.i32])
        let host = host(type) { (arguments, context) throws(Trap) in
            let bytes = try context.readMemory(at: try arguments.i32(0), count: 2)
            try context.writeMemory(bytes.reversed(), at: 100)
            guard try arguments.value(2) == .f32(bits: 0x7fa0_0001), try arguments.value(3) == .f64(bits: 4) else {
                return 0
            }
            return try arguments.i64(1) + 0xabc_0000_0000
        }
        let instance = try instantiate(module(type.parameters, type.results), host: host)
        try instance.writeMemory([1, 2], at: 7)
        for export in ["run", "direct"] {
            let results = try instance.invoke(export, [.i32(7), .i64(3), .f32(bits: 0x7fa0_0001), .f64(bits: 4)])
            #expect(results == [.i32(3)], "bits beyond the type's are dropped")
            #expect(try instance.readMemory(at: 100, count: 2) == [2, 1])
        }
    }

    @Test func hostTrapsReachTheCaller() throws {
        let type = FunctionType([], [.i32])
        let failure = Trap.hostFailed(code: 7, message: "no")
        let cases: [(Function, Trap)] = [
            ({ (_, _) throws(Trap) in throw failure }, failure),
            (
                { (_, context) throws(Trap) in UInt64(try context.readMemory(at: 65_535, count: 2).count) },
                .memoryOutOfBounds
            ),
            (
                { (_, context) throws(Trap) in
                    try context.chargeGas(.max)
                    return 0
                }, .outOfGas
            ),
            (
                { (arguments, _) throws(Trap) in UInt64(try arguments.i32(0)) },
                .hostFailed(code: -1, message: "host function expects another argument 0 than its type declares")
            ),
            ({ (_, _) throws(Trap) in nil }, .hostFailed(code: -1, message: "host function returned no value")),
        ]
        for (function, expected) in cases {
            let instance = try instantiate(module([], type.results), host: host(type, function))
            #expect(trap(instance) == expected)
            #expect((instance.gasLeft == 0) == (expected == .outOfGas))
        }
    }

    @Test func linkErrors() throws {
        let bytes = module([.i32], [.i64])
        let wanted = Import(module: "env", name: "f", type: FunctionType([.i32], [.i64]))
        func link(_ imports: [HostImport]) throws {
            _ = try Instance(
                module: Module(parsing: bytes), host: ClosureHost(), hostImports: imports, gasLimit: 100_000)
        }
        #expect(throws: InstantiationError.missingImport(wanted)) { try link([]) }
        #expect(throws: InstantiationError.missingImport(wanted)) {
            try link([HostImport(module: "other", name: "f", type: wanted.type)])
        }
        let other = FunctionType([.i32], [.i32])
        #expect(throws: InstantiationError.importTypeMismatch(wanted, offered: other)) {
            try link([HostImport(module: "env", name: "f", type: other)])
        }
        let pair = FunctionType([], [.i32, .i32])
        let multiple = HostImport(module: "env", name: "f", type: pair)
        #expect(throws: InstantiationError.unsupportedHostFunction(multiple)) {
            _ = try Instance(
                module: Module(parsing: module([], pair.results)), host: ClosureHost(), hostImports: [multiple],
                gasLimit: 100_000)
        }
    }

    /// Names that differ in bytes differ, even if Unicode calls them equivalent.
    @Test func namesAreComparedByBytes() throws {
        let composed = "\u{e9}"
        let decomposed = "e\u{301}"
        var assembler = Assembler()
        assembler.function([], [.i32], export: composed, i32(1))
        assembler.function([], [.i32], export: decomposed, i32(2))
        let instance = try instantiate(assembler.bytes)
        #expect(try instance.invoke(composed) == [.i32(1)])
        #expect(try instance.invoke(decomposed) == [.i32(2)])
    }

    @Test func hostMayRunOtherInstancesButNotItsCaller() throws {
        let inner = try Module(parsing: single([.i32], [.i32], get(0), get(0), mul32))
        let type = FunctionType([.i32], [.i32])
        let box = Box()
        let host = host(type) { (arguments, context) throws(Trap) in
            if let caller = box.instance {
                _ = try caller.invoke("run", [.i32(1)])
            }
            do {
                let budget = context.gasLeft
                let other = try Instance(module: inner, host: ClosureHost(), hostImports: [], gasLimit: budget)
                let result = try other.invoke("run", [.i32(try arguments.i32(0))])
                try context.chargeGas(other.gasUsed)
                guard case .i32(let value)? = result.first else { return 0 }
                return UInt64(value)
            } catch {
                throw .hostFailed(code: 1, message: "\(error)")
            }
        }
        let instance = try instantiate(module([.i32], [.i32]), host: host, gas: 100_000)
        let before = instance.gasUsed
        #expect(try instance.invoke("run", [.i32(12)]) == [.i32(144)])
        #expect(instance.gasUsed - before == 1 + 40 + 2 + inner.instantiationGas + 3)
        box.instance = instance
        #expect(trap(instance, "run", .i32(1)) == .reentrantCall)
        box.instance = nil
        #expect(try instance.invoke("run", [.i32(3)]) == [.i32(9)])
    }

    private final class Box {
        weak var instance: Instance?
    }

    @Test func invocationErrors() throws {
        let instance = try instantiate(
            module([.i32], [.i32]), host: host(FunctionType([.i32], [.i32])) { (_, _) throws(Trap) in 1 })
        #expect(trap(instance, "none") == .exportNotFound("none"))
        #expect(trap(instance, "run") == .argumentMismatch)
        #expect(trap(instance, "run", .i64(1)) == .argumentMismatch)
        #expect(trap(instance, "run", .i32(1), .i32(1)) == .argumentMismatch)
    }

    @Test func moduleTellsItsInterface() throws {
        let module = try Module(parsing: module([.i32], [.i64]))
        let type = FunctionType([.i32], [.i64])
        #expect(module.imports == [Import(module: "env", name: "f", type: type)])
        #expect(module.exports.map(\.name) == ["run", "direct"])
        #expect(module.hasFunctionExport("run", type))
        #expect(!module.hasFunctionExport("run", FunctionType()))
        #expect(!module.hasFunctionExport("memory", FunctionType()))
        #expect(!module.hasMemoryExport("memory"))
        #expect(try Module(parsing: MutationTests.kitchenSink).hasMemoryExport("memory"))
    }

    @Test func oneModuleRunsOnManyThreads() async throws {
        let module = try Module(
            parsing: single([.i32], [.i32], loop(none, get(0), i32(1), sub32, tee(0), brIf(0)), get(0)))
        let gas = await withTaskGroup(of: UInt64?.self, returning: Set<UInt64?>.self) { group in
            for _ in 0..<8 {
                group.addTask {
                    let instance = try? Instance(
                        module: module, host: ClosureHost(), hostImports: [], gasLimit: 10_000_000)
                    _ = try? instance?.invoke("run", [.i32(10_000)])
                    return instance?.gasUsed
                }
            }
            var all: Set<UInt64?> = []
            for await used in group { all.insert(used) }
            return all
        }
        #expect(gas == [module.instantiationGas + 50_001])
    }
}
