import Testing
import WebAssembly

@Suite(.timeLimit(.minutes(20))) struct GasTests {
    /// Gas of one call, without what the instantiation cost.
    private func cost(_ bytes: [UInt8], _ arguments: Value..., export: String = "run") throws -> UInt64 {
        let instance = try instantiate(bytes)
        let before = instance.gasUsed
        _ = try instance.invoke(export, arguments)
        return instance.gasUsed - before
    }

    @Test func straightLineCostsItsSum() throws {
        // get 1, const 1, add 1
        #expect(try cost(single([.i32], [.i32], get(0), i32(1), add32), .i32(1)) == 3)
        // const 1, load 2, const 1, const 1, store 2, const 1, const 1, div 6, drop 1, nop 1
        let mixed = single(
            [], [.i32], i32(0), memoryOp(0x28), i32(4), i32(7), memoryOp(0x36), i32(8), i32(2), [0x6d], drop, [0x01])
        #expect(try cost(mixed) == 1 + 2 + 1 + 1 + 2 + 1 + 1 + 6 + 1 + 1)
        // const 1, const 1, add 2, sqrt 8, nearest 8, convert 4
        let floats = single(
            [], [.i32], constant(.f64(bits: 0)), constant(.f64(bits: 0)), [0xa0], [0x9f], [0x9e], [0xaa])
        #expect(try cost(floats) == 1 + 1 + 2 + 8 + 8 + 4)
        // One unit for each four locals that aren't parameters.
        #expect(try cost(single([.i32], [], locals: [.i32, .i64, .f32, .f64, .i32]), .i32(1)) == 2, "five locals")
        // Unreachable code is free.
        #expect(try cost(single([], [.i32], i32(1), returnOp, i32(2), i32(3), add32)) == 1 + 1 + 1)
    }

    @Test func loopsCostEachRound() throws {
        // Before the loop nothing; each round: get, const, sub, tee, br_if.
        let bytes = single([.i32], [], loop(none, get(0), i32(1), sub32, tee(0), brIf(0)))
        #expect(try cost(bytes, .i32(1)) == 5)
        #expect(try cost(bytes, .i32(1000)) == 5000)
    }

    @Test func branchesCostTheWayTaken() throws {
        // get 1, if 1; then: const 1; else: const, const, add 3.
        let bytes = single([.i32], [.i32], get(0), ifThen(0x7f, i32(1), else: i32(1) + i32(2) + add32))
        #expect(try cost(bytes, .i32(1)) == 3)
        #expect(try cost(bytes, .i32(0)) == 5)
        // get 1, const 1, br_if 1 + 1 for the value it carries; on the way on: drop 1, const 1.
        let carried = single([.i32], [.i32], block(0x7f, i32(5), get(0), brIf(0), drop, i32(6)))
        #expect(try cost(carried, .i32(1)) == 4)
        #expect(try cost(carried, .i32(0)) == 6)
        // get 1, br_table 3.
        #expect(try cost(single([.i32], [], get(0), brTable([0, 0], 0)), .i32(1)) == 4)
    }

    @Test func callsAndDynamicCosts() throws {
        var assembler = Assembler()
        assembler.memory = [1, 1, 9]
        assembler.table = [0x70, 0, 8]
        assembler.passiveElements([0, 0, 0])
        assembler.passiveData([1, 2, 3])
        let callee = assembler.function([.i32], [.i32], get(0))
        assembler.activeElements(at: 0, [callee])
        let type = assembler.type([.i32], [.i32])
        assembler.function([.i32], [.i32], export: "call", get(0), call(callee))
        assembler.function([.i32], [.i32], export: "indirect", get(0), i32(0), callIndirect(type))
        assembler.function([.i32], [.i32], export: "grow", get(0), [0x40, 0])
        assembler.function([.i32], [], export: "fill", i32(0), i32(0), get(0), [0xfc, 11, 0])
        assembler.function([.i32], [], export: "table", i32(0), i32(0), get(0), [0xfc, 12, 0, 0])
        let bytes = assembler.bytes
        #expect(try cost(bytes, .i32(1), export: "call") == 1 + 8 + 2 + 1)
        #expect(try cost(bytes, .i32(1), export: "indirect") == 1 + 1 + 12 + 2 + 1)
        #expect(try cost(bytes, .i32(0), export: "grow") == 1 + 50)
        #expect(try cost(bytes, .i32(3), export: "grow") == 1 + 50 + 3 * 4_096)
        #expect(try cost(bytes, .i32(300), export: "grow") == 1 + 50, "growth that fails costs no pages")
        #expect(try cost(bytes, .i32(0), export: "fill") == 3 + 10)
        #expect(try cost(bytes, .i32(1), export: "fill") == 3 + 10 + 1)
        #expect(try cost(bytes, .i32(8), export: "fill") == 3 + 10 + 2)
        #expect(try cost(bytes, .i32(65_536), export: "fill") == 3 + 10 + 16_384)
        #expect(try cost(bytes, .i32(3), export: "table") == 3 + 10 + 3)
    }

    @Test func instantiationCostIsKnownBefore() throws {
        var assembler = Assembler()
        assembler.memory = [0, 2]
        assembler.table = [0x70, 0, 5]
        assembler.global(.i32, mutable: true, i32(0))
        assembler.activeData(at: 0, Array(repeating: 1, count: 17))
        assembler.passiveData([1, 2])
        let function = assembler.function([], [], export: "run")
        assembler.activeElements(at: 0, [function, function])
        let module = try Module(parsing: assembler.bytes)
        // instance, pages, global, table entries, segments, 17 bytes, two elements
        #expect(module.instantiationGas == 1_000 + 2 * 4_096 + 1 + 5 + 3 + 5 + 2)
        let host = ClosureHost()
        #expect(throws: InstantiationError.outOfGas) {
            _ = try Instance(module: module, host: host, hostImports: [], gasLimit: module.instantiationGas - 1)
        }
        let instance = try Instance(module: module, host: host, hostImports: [], gasLimit: module.instantiationGas)
        #expect(instance.gasLeft == 0)
        #expect(trap(instance) == nil, "an empty function costs nothing")
    }

    /// With each gas limit short of what a run needs, it ends out of gas with nothing left; with more, always alike.
    @Test func everyLimit() throws {
        var assembler = Assembler()
        assembler.importFunction("spend", [.i64], [.i64])
        assembler.memory = [0, 1]
        let fibonacci = 1
        assembler.function(
            [.i32], [.i32], export: "run",
            get(0), i32(2), lessU32,
            ifThen(
                0x7f, get(0),
                else: get(0) + i32(1) + sub32 + call(fibonacci) + get(0) + i32(2) + sub32 + call(fibonacci) + add32
                    + i32(0) + i32(1) + i32(9) + [0xfc, 11, 0] + i64(3) + call(0) + drop))
        let module = try Module(parsing: assembler.bytes)
        let host = ClosureHost([
            (
                "spend", FunctionType([.i64], [.i64]),
                { (arguments: HostArguments, context: HostContext) throws(Trap) -> UInt64? in
                    try context.chargeGas(try arguments.i64(0))
                    return context.gasLeft
                }
            )
        ])
        func outcome(_ limit: UInt64) throws -> (Trap?, UInt64) {
            let instance = try Instance(module: module, host: host, hostImports: host.imports, gasLimit: limit)
            return (trap(instance, "run", .i32(6)), instance.gasLeft)
        }
        let plenty: UInt64 = 1_000_000
        let needed = plenty - (try outcome(plenty)).1
        #expect(try outcome(plenty) == (nil, plenty - needed))
        for limit in module.instantiationGas..<needed {
            #expect(try outcome(limit) == (.outOfGas, 0), "limit \(limit)")
        }
        #expect(try outcome(needed) == (nil, 0))
        #expect(try outcome(needed + 1) == (nil, 1))
    }
}
