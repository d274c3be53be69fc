import Testing
import WebAssembly

@Suite(.timeLimit(.minutes(20))) struct ControlFlowTests {
    @Test func nestedBranchTable() throws {
        // Each target adds its own digit; falling out of an inner block runs the outer ones' code too.
        let bytes = single(
            [.i32], [.i32], locals: [.i32],
            block(
                none,
                block(
                    none,
                    block(none, block(none, get(0), brTable([0, 1, 2, 1], 3)), i32(1), get(1), add32, set(1)),
                    i32(10), get(1), add32, set(1)),
                i32(100), get(1), add32, set(1)),
            get(1))
        let expected: [UInt32: UInt32] = [0: 111, 1: 110, 2: 100, 3: 110, 4: 0, 5: 0, 0x8000_0000: 0, .max: 0]
        let instance = try instantiate(bytes)
        for index in [0, 1, 2, 3, 4, 5, 0x8000_0000, .max] as [UInt32] {
            #expect(try instance.invoke("run", [.i32(index)]) == [.i32(expected[index] ?? 0)], "\(index)")
        }
    }

    @Test func branchTableCarriesValues() throws {
        // Targets at different heights: the operands below the carried value are dropped.
        let inner = block(0x7f, i32(7), i32(8), i32(5), get(0), brTable([0, 1], 2))
        let bytes = single(
            [.i32], [.i32],
            block(0x7f, i32(1000), block(0x7f, i32(100), inner, add32), add32))
        #expect(try run(bytes, .i32(0)) == [.i32(1105)])
        #expect(try run(bytes, .i32(1)) == [.i32(1005)])
        #expect(try run(bytes, .i32(2)) == [.i32(5)])
        #expect(try run(bytes, .i32(77)) == [.i32(5)])
    }

    @Test func loops() throws {
        // Factorial, with the product kept on the operand stack by way of a loop parameter.
        var assembler = Assembler()
        let step = assembler.type([.i64], [.i64])
        assembler.function(
            [.i64], [.i64], export: "run",
            i64(1), [0x03] + leb(step), get(0), [0x7e], get(0), i64(1), [0x7d], tee(0), [0x50, 0x45], brIf(0), end)
        #expect(try run(assembler.bytes, .i64(20)) == [.i64(2_432_902_008_176_640_000)])
        #expect(try run(assembler.bytes, .i64(1)) == [.i64(1)])
    }

    @Test func multiValueBlocks() throws {
        var assembler = Assembler()
        let swap = assembler.type([.i32, .i32], [.i32, .i32])
        let pair = assembler.type([], [.i32, .i64])
        assembler.function(
            [.i32, .i32], [.i32, .i32, .i32], export: "run",
            // The block's parameters come out swapped in both arms, by different ways.
            get(0), get(1), get(0), [0x04] + leb(swap), set(0), set(1), get(0), get(1), [0x05], set(0), set(1), get(0),
            get(1), br(0), end,
            get(0))
        assembler.function(
            [.i32], [.i32, .i64], export: "pair",
            [0x02] + leb(pair), i32(99), i32(1), i64(2), get(0), brIf(0), drop, drop, drop, i32(3), i64(4), end)
        let function = assembler.function(
            [.i32], [.i32, .i32, .i32], get(0), get(0), i32(1), add32, get(0), i32(2), add32)
        assembler.function([.i32], [.i32], export: "sum", get(0), call(function), add32, add32)
        let instance = try instantiate(assembler.bytes)
        #expect(try instance.invoke("run", [.i32(5), .i32(6)]) == [.i32(6), .i32(5), .i32(6)])
        #expect(try instance.invoke("run", [.i32(0), .i32(6)]) == [.i32(6), .i32(0), .i32(6)])
        #expect(try instance.invoke("pair", [.i32(1)]) == [.i32(1), .i64(2)])
        #expect(try instance.invoke("pair", [.i32(0)]) == [.i32(3), .i64(4)])
        #expect(try instance.invoke("sum", [.i32(10)]) == [.i32(33)])
    }

    /// Operands that are local variables must keep the value they had when they were pushed.
    @Test func operandsOutliveTheirLocals() throws {
        let setAfterPush = single([.i32], [.i32], get(0), get(0), i32(1), add32, set(0), get(0), sub32)
        #expect(try run(setAfterPush, .i32(5)) == [.i32(UInt32.max)])
        let teeAfterPush = single([.i32], [.i32], get(0), i32(10), tee(0), get(0), add32, mul32)
        #expect(try run(teeAfterPush, .i32(3)) == [.i32(60)])
        // The local changes on one of two ways only.
        let inBlock = single(
            [.i32], [.i32], get(0), block(none, get(0), eqz32, brIf(0), i32(100), set(0)), get(0), sub32)
        #expect(try run(inBlock, .i32(5)) == [.i32(UInt32(bitPattern: -95))])
        #expect(try run(inBlock, .i32(0)) == [.i32(0)])
        let inLoop = single(
            [.i32], [.i32],
            get(0), loop(none, get(0), i32(1), sub32, tee(0), brIf(0)), get(0), add32)
        #expect(try run(inLoop, .i32(4)) == [.i32(4)])
        let byCondition = single([.i32], [.i32], get(0), get(0), ifThen(none, i32(9) + set(0)), get(0), mul32)
        #expect(try run(byCondition, .i32(2)) == [.i32(18)])
        let constantInUnreachable = single(
            [.i32], [.i32], i32(7), block(none, get(0), brIf(0), unreachable, add32, drop), i32(1), add32)
        #expect(try run(constantInUnreachable, .i32(1)) == [.i32(8)])
    }

    @Test func localsStartAtZero() throws {
        var assembler = Assembler()
        let dirty = assembler.function([], [], locals: [.i64, .i64], i64(-1), set(0), i64(-1), set(1))
        let clean = assembler.function([], [.i64], locals: [.i64, .i64], get(0), get(1), [0x84])
        assembler.function([], [.i64], export: "run", call(dirty), call(clean))
        #expect(try run(assembler.bytes) == [.i64(0)])
    }

    @Test func selectAndDrop() throws {
        for condition in [0, 1, 256, 0x8000_0000] as [UInt32] {
            let bytes = single(
                [.i32, .i64, .i64], [.i64], i32(9), get(1), get(2), get(0), select, [0xa7, 0x1a, 0x1a], get(1), get(2),
                get(0), [0x1c, 1, 0x7e])
            #expect(try run(bytes, .i32(condition), .i64(1), .i64(2)) == [.i64(condition == 0 ? 2 : 1)])
        }
    }

    @Test func endlessLoopEnds() throws {
        let instance = try instantiate(single([], [], loop(none, br(0))), gas: 3_000_000)
        #expect(trap(instance) == .outOfGas)
        #expect(instance.gasLeft == 0)
        #expect(instance.gasUsed == 3_000_000)
    }

    @Test func endlessRecursionEnds() throws {
        let direct = try instantiate(single([], [], call(0)))
        #expect(trap(direct) == .callStackExhausted)
        var assembler = Assembler()
        assembler.function([.i32], [.i32], locals: Array(repeating: .i64, count: 900), export: "run", get(0), call(0))
        #expect(trap(try instantiate(assembler.bytes), "run", .i32(1)) == .callStackExhausted)
    }

    @Test func callDepthIsExact() throws {
        // Depth n needs n active calls.
        let bytes = single([.i32], [], get(0), i32(1), sub32, tee(0), ifThen(none, get(0) + call(0)))
        let instance = try instantiate(bytes)
        #expect(trap(instance, "run", .i32(UInt32(Limits.contract.callDepth))) == nil)
        #expect(trap(instance, "run", .i32(UInt32(Limits.contract.callDepth + 1))) == .callStackExhausted)
        #expect(trap(instance, "run", .i32(3)) == nil, "an instance works on after a trap")
    }

    @Test func unreachableTraps() throws {
        #expect(trap(try instantiate(single([], [.i32], unreachable))) == .unreachable)
        let conditional = try instantiate(single([.i32], [], get(0), ifThen(none, unreachable)))
        #expect(trap(conditional, "run", .i32(0)) == nil)
        #expect(trap(conditional, "run", .i32(2)) == .unreachable)
    }
}

@Suite(.timeLimit(.minutes(20))) struct TableTests {
    private func assembler() -> Assembler {
        var assembler = Assembler()
        let seven = assembler.function([], [.i32], i32(7))
        let double = assembler.function([.i32], [.i32], get(0), get(0), add32)
        let equalType = assembler.function([], [.i32], i32(8))
        assembler.table = [0x70, 1, 6, 6]
        assembler.activeElements(at: 1, [seven, double])
        assembler.passiveElements([equalType, double, seven])
        let none = assembler.type([], [.i32])
        let one = assembler.type([.i32], [.i32])
        assembler.function([.i32], [.i32], export: "run", get(0), callIndirect(none))
        assembler.function([.i32, .i32], [.i32], export: "one", get(0), get(1), callIndirect(one))
        assembler.function(
            [.i32, .i32, .i32], [], export: "init", get(0), get(1), get(2), [0xfc, 12, 1, 0])
        assembler.function(
            [.i32, .i32, .i32], [], export: "copy", get(0), get(1), get(2), [0xfc, 14, 0, 0])
        assembler.function([], [], export: "drop", [0xfc, 13, 1])
        assembler.function([.i32, .i32, .i32], [], export: "initActive", get(0), get(1), get(2), [0xfc, 12, 0, 0])
        return assembler
    }

    @Test func indirectCalls() throws {
        let instance = try instantiate(assembler().bytes)
        #expect(try instance.invoke("run", [.i32(1)]) == [.i32(7)])
        #expect(try instance.invoke("one", [.i32(21), .i32(2)]) == [.i32(42)])
        #expect(trap(instance, "run", .i32(2)) == .indirectCallTypeMismatch)
        #expect(trap(instance, "run", .i32(0)) == .uninitializedElement)
        #expect(trap(instance, "run", .i32(6)) == .undefinedElement)
        #expect(trap(instance, "run", .i32(.max)) == .undefinedElement)
    }

    @Test func bulkOperations() throws {
        let instance = try instantiate(assembler().bytes)
        func bulk(_ name: String, _ a: UInt32, _ b: UInt32, _ c: UInt32) -> Trap? {
            trap(instance, name, .i32(a), .i32(b), .i32(c))
        }
        #expect(bulk("init", 3, 0, 3) == nil)
        #expect(try instance.invoke("run", [.i32(3)]) == [.i32(8)])
        #expect(try instance.invoke("run", [.i32(5)]) == [.i32(7)])
        #expect(bulk("copy", 0, 3, 3) == nil)
        #expect(try instance.invoke("run", [.i32(0)]) == [.i32(8)])
        #expect(bulk("copy", 1, 0, 3) == nil, "overlapping")
        #expect(try instance.invoke("run", [.i32(1)]) == [.i32(8)])
        #expect(try instance.invoke("run", [.i32(3)]) == [.i32(7)])
        for (a, b, c) in [(0, 0, 4), (4, 0, 3), (0, 3, 1), (.max, 0, 1), (0, .max, .max)] as [(UInt32, UInt32, UInt32)]
        {
            #expect(bulk("init", a, b, c) == .tableOutOfBounds)
        }
        for (a, b, c) in [(0, 0, 7), (5, 0, 2), (0, 5, 2), (.max, .max, .max), (7, 0, 0)] as [(UInt32, UInt32, UInt32)]
        {
            #expect(bulk("copy", a, b, c) == .tableOutOfBounds)
        }
        #expect(bulk("copy", 6, 6, 0) == nil)
        #expect(trap(instance, "drop") == nil)
        #expect(bulk("init", 0, 0, 1) == .tableOutOfBounds)
        #expect(bulk("init", 6, 0, 0) == nil)
        #expect(bulk("initActive", 0, 0, 1) == .tableOutOfBounds, "active segments are dropped at instantiation")
    }
}
