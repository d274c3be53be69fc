import Testing
import WebAssembly

@Suite(.timeLimit(.minutes(20))) struct MemoryTests {
    private static let page = UInt32(Limits.pageBytes)

    @Test func everyAccessIsLittleEndianAndExtends() throws {
        let bits: UInt64 = 0x8182_8384_8586_8788
        // opcode, result type, expected
        let loads: [(UInt8, ValueType, UInt64)] = [
            (0x28, .i32, 0x8586_8788), (0x29, .i64, bits), (0x2a, .f32, 0x8586_8788), (0x2b, .f64, bits),
            (0x2c, .i32, 0xffff_ff88), (0x2d, .i32, 0x88), (0x2e, .i32, 0xffff_8788), (0x2f, .i32, 0x8788),
            (0x30, .i64, 0xffff_ffff_ffff_ff88), (0x31, .i64, 0x88), (0x32, .i64, 0xffff_ffff_ffff_8788),
            (0x33, .i64, 0x8788),
            (0x34, .i64, 0xffff_ffff_8586_8788), (0x35, .i64, 0x8586_8788),
        ]
        for (opcode, type, expected) in loads {
            let bytes = single(
                [], [type], i32(3), constant(.i64(bits)), memoryOp(0x37, offset: 5), i32(5), memoryOp(opcode, offset: 3)
            )
            let value: Value =
                switch type {
                case .i32: .i32(UInt32(expected))
                case .i64: .i64(expected)
                case .f32: .f32(bits: UInt32(expected))
                case .f64: .f64(bits: expected)
                }
            #expect(try run(bytes) == [value], "0x\(String(opcode, radix: 16))")
        }
        let stores: [(UInt8, Value, Int)] = [
            (0x36, .i32(0x8586_8788), 4), (0x37, .i64(bits), 8), (0x38, .f32(bits: 0x8586_8788), 4),
            (0x39, .f64(bits: bits), 8),
            (0x3a, .i32(0x8586_8788), 1), (0x3b, .i32(0x8586_8788), 2),
            (0x3c, .i64(bits), 1), (0x3d, .i64(bits), 2), (0x3e, .i64(bits), 4),
        ]
        for (opcode, value, width) in stores {
            let instance = try instantiate(single([value.type], [], i32(1), get(0), memoryOp(opcode)))
            #expect(trap(instance, "run", value) == nil)
            let little: [UInt8] = [0x88, 0x87, 0x86, 0x85, 0x84, 0x83, 0x82, 0x81]
            #expect(
                try instance.readMemory(at: 0, count: 10) == [0] + little.prefix(width)
                    + Array(repeating: 0, count: 9 - width))
        }
    }

    @Test func boundsHoldForEveryWidth() throws {
        let accesses: [(UInt8, UInt32)] = [
            (0x28, 4), (0x29, 8), (0x2a, 4), (0x2b, 8), (0x2c, 1), (0x2d, 1), (0x2e, 2), (0x2f, 2),
            (0x30, 1), (0x31, 1), (0x32, 2), (0x33, 2), (0x34, 4), (0x35, 4),
        ]
        for (opcode, width) in accesses {
            for offset in [0, 1, 65_535, 0x7fff_ffff, 0xffff_ffff] {
                let instance = try instantiate(single([.i32], [], get(0), memoryOp(opcode, offset: offset), drop))
                for address in [0, 1, Self.page - width, Self.page - width + 1, Self.page, 0x8000_0000, .max]
                    as [UInt32]
                {
                    let fits = UInt64(address) + UInt64(offset) + UInt64(width) <= UInt64(Self.page)
                    #expect(
                        trap(instance, "run", .i32(address)) == (fits ? nil : .memoryOutOfBounds),
                        "\(opcode) \(address)+\(offset)")
                }
            }
        }
        let stores: [(UInt8, Value, UInt32)] = [
            (0x36, .i32(1), 4), (0x37, .i64(1), 8), (0x38, .f32(bits: 1), 4), (0x39, .f64(bits: 1), 8),
            (0x3a, .i32(1), 1), (0x3b, .i32(1), 2), (0x3c, .i64(1), 1), (0x3d, .i64(1), 2), (0x3e, .i64(1), 4),
        ]
        for (opcode, value, width) in stores {
            for offset in [0, 65_535, 0xffff_ffff] {
                let instance = try instantiate(
                    single([.i32], [], get(0), constant(value), memoryOp(opcode, offset: offset)))
                for address in [0, Self.page - width, Self.page - width + 1, .max] as [UInt32] {
                    let fits = UInt64(address) + UInt64(offset) + UInt64(width) <= UInt64(Self.page)
                    #expect(
                        trap(instance, "run", .i32(address)) == (fits ? nil : .memoryOutOfBounds),
                        "\(opcode) \(address)+\(offset)")
                }
            }
        }
    }

    @Test func growth() throws {
        var assembler = Assembler()
        assembler.memory = [1, 1, 4]
        assembler.function([.i32], [.i32], export: "run", get(0), [0x40, 0])
        assembler.function([], [.i32], export: "size", [0x3f, 0])
        assembler.function([.i32], [.i32], export: "load", get(0), memoryOp(0x28))
        let instance = try instantiate(assembler.bytes)
        try instance.writeMemory([1, 2, 3, 4], at: 8)
        #expect(trap(instance, "load", .i32(Self.page)) == .memoryOutOfBounds)
        for (delta, before) in [(0, 1), (2, 1), (2, .max), (.max, .max), (1, 3), (1, .max), (0, 4)]
            as [(UInt32, UInt32)]
        {
            #expect(try instance.invoke("run", [.i32(delta)]) == [.i32(before)])
        }
        #expect(try instance.invoke("size") == [.i32(4)])
        #expect(try instance.invoke("load", [.i32(8)]) == [.i32(0x0403_0201)])
        #expect(try instance.invoke("load", [.i32(4 * Self.page - 4)]) == [.i32(0)])
        #expect(instance.memoryCount == 4 * Limits.pageBytes)
    }

    @Test func growthWithoutDeclaredMaximumStopsAtTheLimit() throws {
        var assembler = Assembler()
        assembler.memory = [0, 0]
        assembler.function([.i32], [.i32], export: "run", get(0), [0x40, 0])
        let instance = try instantiate(assembler.bytes)
        #expect(try instance.invoke("run", [.i32(65)]) == [.i32(.max)])
        #expect(try instance.invoke("run", [.i32(64)]) == [.i32(0)])
        #expect(try instance.invoke("run", [.i32(1)]) == [.i32(.max)])
    }

    @Test func bulkOperations() throws {
        var assembler = Assembler()
        assembler.memory = [0, 1]
        assembler.activeData(at: 4, [1, 2, 3, 4, 5])
        assembler.passiveData([9, 8, 7])
        let three: [ValueType] = [.i32, .i32, .i32]
        let operands = get(0) + get(1) + get(2)
        assembler.function(three, [], export: "copy", operands, [0xfc, 10, 0, 0])
        assembler.function(three, [], export: "fill", operands, [0xfc, 11, 0])
        assembler.function(three, [], export: "init", operands, [0xfc, 8, 1, 0])
        assembler.function(three, [], export: "initActive", operands, [0xfc, 8, 0, 0])
        assembler.function([], [], export: "drop", [0xfc, 9, 1])
        let instance = try instantiate(assembler.bytes)
        func bulk(_ name: String, _ a: UInt32, _ b: UInt32, _ c: UInt32) -> Trap? {
            trap(instance, name, .i32(a), .i32(b), .i32(c))
        }
        func start() throws -> [UInt8] { try instance.readMemory(at: 0, count: 12) }
        #expect(try start() == [0, 0, 0, 0, 1, 2, 3, 4, 5, 0, 0, 0])
        #expect(bulk("copy", 6, 4, 5) == nil, "overlapping, upwards")
        #expect(try start() == [0, 0, 0, 0, 1, 2, 1, 2, 3, 4, 5, 0])
        #expect(bulk("copy", 3, 4, 7) == nil, "overlapping, downwards")
        #expect(try start() == [0, 0, 0, 1, 2, 1, 2, 3, 4, 5, 5, 0])
        #expect(bulk("fill", 9, 0x1ff, 2) == nil)
        #expect(bulk("init", 0, 1, 2) == nil)
        #expect(try start() == [8, 7, 0, 1, 2, 1, 2, 3, 4, 0xff, 0xff, 0])
        let page = Self.page
        #expect(bulk("fill", page - 1, 0, 1) == nil)
        #expect(bulk("fill", page, 0, 0) == nil)
        #expect(bulk("copy", page, page, 0) == nil)
        for (a, c) in [(page - 1, 2), (page, 1), (page + 1, 0), (.max, 1), (1, .max), (.max, .max)]
            as [(UInt32, UInt32)]
        {
            #expect(bulk("fill", a, 0, c) == .memoryOutOfBounds)
            #expect(bulk("copy", a, 0, c) == .memoryOutOfBounds)
            #expect(bulk("copy", 0, a, c) == .memoryOutOfBounds)
            #expect(bulk("init", a, 0, c) == .memoryOutOfBounds)
        }
        #expect(bulk("init", 0, 0, 4) == .memoryOutOfBounds)
        #expect(bulk("init", 0, 4, 0) == .memoryOutOfBounds)
        #expect(bulk("initActive", 0, 0, 1) == .memoryOutOfBounds)
        #expect(trap(instance, "drop") == nil)
        #expect(bulk("init", 0, 0, 1) == .memoryOutOfBounds)
        #expect(bulk("init", 0, 0, 0) == nil)
    }

    @Test func globals() throws {
        var assembler = Assembler()
        assembler.global(.i64, mutable: true, i64(-5))
        assembler.global(.f64, mutable: false, constant(.f64(bits: 0x7ff4_0000_0000_0001)))
        assembler.function([.i64], [.i64, .f64], export: "run", getGlobal(0), get(0), setGlobal(0), getGlobal(1))
        let instance = try instantiate(assembler.bytes)
        #expect(
            try instance.invoke("run", [.i64(6)]) == [.i64(UInt64(bitPattern: -5)), .f64(bits: 0x7ff4_0000_0000_0001)])
        #expect(try instance.invoke("run", [.i64(7)])[0] == .i64(6))
    }

    @Test func hostAccessIsBounded() throws {
        let instance = try instantiate(single([], []))
        #expect(throws: Trap.memoryOutOfBounds) { try instance.readMemory(at: Self.page, count: 1) }
        #expect(throws: Trap.memoryOutOfBounds) { try instance.readMemory(at: .max, count: .max) }
        #expect(throws: Trap.memoryOutOfBounds) { try instance.writeMemory([1, 2], at: Self.page - 1) }
        #expect(try instance.readMemory(at: Self.page, count: 0) == [])
    }
}

/// Instances use each other's memory, one after another: nothing of one may show in the next.
@Suite(.timeLimit(.minutes(20))) struct ReusedMemoryTests {
    @Test func memoryIsClearAtFirst() throws {
        var assembler = Assembler()
        assembler.memory = [1, 1, 3]
        // Fills all three pages.
        assembler.function([], [], export: "fill", i32(2), [0x40, 0], drop, i32(0), i32(0xaa), i32(3 * 65_536), [0xfc, 11, 0])
        // The sum of the first and the last word, after growing.
        assembler.function(
            [], [.i32], export: "look", i32(2), [0x40, 0], drop, i32(0), memoryOp(0x28), i32(3 * 65_536 - 4), memoryOp(0x28),
            [0x72])
        for _ in 0..<40 {
            let instance = try instantiate(assembler.bytes)
            #expect(try instance.readMemory(at: 0, count: 65_536).allSatisfy { $0 == 0 })
            _ = try instance.invoke("fill")
        }
        #expect(try instantiate(assembler.bytes).invoke("look") == [.i32(0)])
    }

    /// Locals are zero in a stack that was used before.
    @Test func localsAreClearInAUsedStack() throws {
        var assembler = Assembler()
        let depth = 0
        assembler.function(
            [.i32], [.i32], locals: [.i32, .i32, .i32], export: "run",
            get(0), ifThen(0x7f, get(0) + i32(1) + sub32 + call(depth) + i32(7) + set(1) + i32(9) + tee(2) + [0x6a], else: i32(0)),
            get(3), add32)
        for _ in 0..<3 {
            #expect(try instantiate(assembler.bytes).invoke("run", [.i32(20)]) == [.i32(180)])
        }
    }
}
