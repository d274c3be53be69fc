import Testing
import WebAssembly

@Suite(.timeLimit(.minutes(20))) struct DecoderTests {
    private func module(_ sections: (UInt8, [UInt8])...) -> [UInt8] {
        Assembler.header + sections.flatMap { Assembler.section($0.0, $0.1) }
    }

    private func kind(_ sections: (UInt8, [UInt8])..., limits: Limits = .contract) -> ModuleError.Kind? {
        refusal(Assembler.header + sections.flatMap { Assembler.section($0.0, $0.1) }, limits: limits)?.kind
    }

    private let type: (UInt8, [UInt8]) = (1, [1, 0x60, 0, 0])
    private let function: (UInt8, [UInt8]) = (3, [1, 0])
    private let code: (UInt8, [UInt8]) = (10, [1, 2, 0, 0x0b])

    @Test func headers() {
        #expect(refusal(Assembler.header) == nil)
        #expect(refusal([])?.kind == .malformed)
        #expect(refusal([0, 0x61, 0x73, 0x6d])?.kind == .malformed)
        #expect(refusal([0, 0x61, 0x73, 0x6e, 1, 0, 0, 0])?.kind == .malformed)
        #expect(refusal([0, 0x61, 0x73, 0x6d, 2, 0, 0, 0])?.kind == .unsupported)
        #expect(refusal([0, 0x61, 0x73, 0x6d, 0x0d, 0, 1, 0])?.kind == .unsupported, "component")
    }

    @Test func sections() {
        #expect(kind(type, function, code) == nil)
        #expect(
            kind((0, [1, 0x61]), type, (0, [0, 1, 2, 3]), function, code, (0, [0])) == nil,
            "custom sections are skipped")
        #expect(kind((0, [])) == .malformed)
        #expect(kind((0, [1, 0xff])) == .malformed, "custom section's name is not UTF-8")
        #expect(kind(function, type) == .invalid)
        #expect(kind(type, type) == .malformed)
        #expect(kind(type, (5, [1, 0, 1]), function) == .malformed, "order")
        #expect(kind((14, [])) == .malformed)
        #expect(kind((13, [])) == .unsupported)
        #expect(kind(type, function) == .malformed, "no code")
        #expect(kind(type, code) == .malformed, "code for nothing")
        #expect(kind((1, [1, 0x60, 0, 0, 0])) == .malformed, "bytes left over")
        #expect(kind((1, [2, 0x60, 0, 0])) == .malformed, "too few")
        #expect(kind((1, [1, 0x5f, 0, 0])) == .malformed)
        #expect(kind(type, function, (10, [1, 3, 0, 0x0b, 0x0b])) == .malformed, "body goes on after its end")
        #expect(kind(type, function, (10, [1, 1, 0])) == .malformed, "body without end")
        #expect(kind((12, [1])) == .malformed, "data count without data")
        let start = refusal(module(type, function, (8, [0]), code))
        #expect(start?.kind == .unsupported)
        #expect(start?.reason.contains("start function") == true)
        #expect(
            refusal(Assembler.header + [1, 0xff, 0xff, 0xff, 0xff, 0x0f])?.kind == .malformed,
            "section longer than the module")
    }

    @Test func integersMayBePaddedWithinTheirWidth() throws {
        func unsigned(_ bytes: [UInt8]) -> ModuleError.Kind? {
            kind((1, bytes + [0x60, 0, 0]), function, code)
        }
        #expect(unsigned([0x81, 0x80, 0x80, 0x80, 0x00]) == nil)
        #expect(unsigned([0x81, 0x80, 0x80, 0x80, 0x10]) == .malformed, "unused bits")
        #expect(unsigned([0x81, 0x80, 0x80, 0x80, 0x80, 0x00]) == .malformed, "too long")
        func result(_ bytes: [UInt8], _ type: ValueType) throws -> Value { try run(single([], [type], bytes))[0] }
        #expect(try result([0x41, 0x80, 0x80, 0x80, 0x80, 0x78], .i32) == .i32(0x8000_0000))
        #expect(try result([0x41, 0xff, 0xff, 0xff, 0xff, 0x7f], .i32) == .i32(.max))
        #expect(try result([0x41, 0xff, 0x7f], .i32) == .i32(.max))
        #expect(try result([0x41, 0xff, 0x80, 0x80, 0x80, 0x00], .i32) == .i32(0x7f))
        #expect(try result([0x42, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x7f], .i64) == .i64(1 << 63))
        #expect(
            try result([0x42, 0xc0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x00], .i64)
                == .i64(UInt64.max >> 1 - 63))
        for bad in [
            [0x41, 0x80, 0x80, 0x80, 0x80, 0x08], [0x41, 0x80, 0x80, 0x80, 0x80, 0x70],
            [0x41, 0x80, 0x80, 0x80, 0x80, 0x80, 0x00],
        ] as [[UInt8]] {
            #expect(refusal(single([], [.i32], bad))?.kind == .malformed)
        }
        for last in [0x01, 0x7e, 0x80] as [UInt8] {
            let bad = [0x42] + Array(repeating: UInt8(0x80), count: 9) + [last]
            #expect(refusal(single([], [.i64], bad))?.kind == .malformed)
        }
    }

    @Test func tablesAndMemories() {
        #expect(
            kind((4, [1, 0x70, 0, 3]), (5, [1, 1, 0, 0x80, 0x80, 4])) == nil, "a maximum beyond the limit is fine")
        #expect(kind((4, [2, 0x70, 0, 0, 0x70, 0, 0])) == .unsupported)
        #expect(kind((5, [2, 0, 0, 0, 0])) == .invalid)
        #expect(kind((4, [1, 0x6f, 0, 0])) == .unsupported)
        #expect(kind((4, [1, 0x70, 1, 2, 1])) == .invalid)
        #expect(kind((5, [1, 1, 2, 1])) == .invalid)
        #expect(kind((5, [1, 1, 0, 0x81, 0x80, 4])) == .invalid, "65,537 pages")
        #expect(kind((5, [1, 0, 64])) == nil)
        #expect(kind((5, [1, 0, 65])) == .limitExceeded)
        #expect(kind((4, [1, 0x70, 0, 0x81, 0x20])) == .limitExceeded)
        #expect(kind((5, [1, 3, 0, 1])) == .unsupported, "shared")
        #expect(kind((5, [1, 4, 0])) == .unsupported, "64-bit")
    }

    @Test func importsGlobalsAndExports() {
        let f: [UInt8] = [1, 0x61, 1, 0x62]
        #expect(kind(type, (2, [1] + f + [0, 0])) == nil)
        #expect(kind(type, (2, [1] + f + [0, 1])) == .invalid)
        #expect(kind(type, (2, [1] + f + [1, 0x70, 0, 0])) == .unsupported)
        #expect(kind(type, (2, [1] + f + [2, 0, 0])) == .unsupported)
        #expect(kind(type, (2, [1] + f + [3, 0x7f, 0])) == .unsupported)
        #expect(kind(type, (2, [1] + f + [9, 0])) == .malformed)
        #expect(kind(type, (2, [1, 2, 0xc0, 0x80, 0, 0, 0])) == .malformed, "overlong UTF-8")
        #expect(kind((6, [1, 0x7f, 0] + i32(1) + end)) == nil)
        #expect(kind((6, [1, 0x7f, 2] + i32(1) + end)) == .malformed)
        #expect(kind((6, [1, 0x7f, 0] + i64(1) + end)) == .invalid)
        #expect(kind((6, [1, 0x7f, 0] + end + end)) == .invalid)
        #expect(kind((6, [1, 0x7f, 0] + i32(1) + i32(1) + end)) == .invalid)
        #expect(kind((6, [2, 0x7f, 0] + i32(1) + end + [0x7f, 0] + getGlobal(0) + end)) == .invalid)
        #expect(kind((6, [1, 0x7f, 0] + i32(1) + i32(1) + add32 + end)) == .invalid)
        #expect(kind((6, [1, 0x7b, 0] + i32(1) + end)) == .unsupported)
        #expect(kind(type, function, (7, [2, 1, 0x61, 0, 0, 1, 0x62, 0, 0]), code) == nil)
        #expect(kind(type, function, (7, [2, 1, 0x61, 0, 0, 1, 0x61, 0, 0]), code) == .invalid, "duplicate")
        for kindByte in 0...3 as ClosedRange<UInt8> {
            #expect(kind(type, function, (7, [1, 1, 0x61, kindByte, 1]), code) == .invalid)
        }
        #expect(kind(type, function, (7, [1, 1, 0x61, 4, 0]), code) == .malformed)
        #expect(kind(type, function, (7, [1, 1, 0x80, 0, 0]), code) == .malformed, "name is not UTF-8")
    }

    @Test func segments() {
        let memory: (UInt8, [UInt8]) = (5, [1, 0, 1])
        let table: (UInt8, [UInt8]) = (4, [1, 0x70, 0, 2])
        #expect(kind(memory, (11, [1, 0] + i32(65_535) + end + [1, 7])) == nil)
        #expect(kind(memory, (11, [1, 2, 0] + i32(0) + end + [1, 7])) == nil)
        #expect(kind(memory, (11, [1, 0] + i32(65_535) + end + [2, 7, 7])) == .invalid, "out of bounds")
        #expect(kind(memory, (11, [1, 0] + i32(-1) + end + [1, 7])) == .invalid, "out of bounds")
        #expect(kind((11, [1, 0] + i32(0) + end + [0])) == .invalid, "no memory")
        #expect(kind(memory, (11, [1, 3, 0])) == .malformed)
        #expect(kind(memory, (11, [1, 1, 5, 1])) == .malformed, "too few bytes")
        #expect(kind(memory, (12, [2]), (11, [1, 1, 1, 1])) == .malformed, "count differs")
        func elements(_ bytes: [UInt8]) -> ModuleError.Kind? { kind(type, function, table, (9, [1] + bytes), code) }
        #expect(elements([0] + i32(1) + end + [1, 0]) == nil)
        #expect(elements([0] + i32(1) + end + [2, 0, 0]) == .invalid, "out of bounds")
        #expect(elements([0] + i32(0) + end + [1, 1]) == .invalid, "no such function")
        #expect(elements([1, 0, 1, 0]) == nil)
        #expect(elements([2, 0] + i32(0) + end + [0, 1, 0]) == nil)
        #expect(elements([3, 0, 1, 0]) == nil)
        #expect(elements([4] + i32(0) + end + [2, 0xd2, 0, 0x0b, 0xd0, 0x70, 0x0b]) == nil)
        #expect(elements([5, 0x70, 1, 0xd2, 0, 0x0b]) == nil)
        #expect(elements([5, 0x6f, 1, 0xd0, 0x6f, 0x0b]) == .unsupported)
        #expect(elements([8, 0, 0]) == .malformed)
    }

    @Test func limitsHold() {
        func refused(_ bytes: [UInt8], _ change: (inout Limits) -> Void) -> ModuleError.Kind? {
            var limits = Limits()
            change(&limits)
            return refusal(bytes, limits: limits)?.kind
        }
        var assembler = Assembler()
        assembler.importFunction("abc", [.i32, .i32], [.i64])
        assembler.memory = [0, 2]
        assembler.table = [0x70, 0, 9]
        assembler.global(.i32, mutable: true, i32(1))
        assembler.passiveElements([0])
        assembler.passiveData([1])
        assembler.function(
            [.i32], [], locals: [.i32, .i32], export: "run",
            block(none, block(none, get(0), brTable([0, 0, 0], 0))), i32(1), i32(2), i32(3), drop, drop, drop)
        let bytes = assembler.bytes
        #expect(refused(bytes) { _ in } == nil)
        let changes: [(inout Limits) -> Void] = [
            { $0.moduleBytes = bytes.count - 1 }, { $0.types = 1 }, { $0.parametersPerType = 1 },
            { $0.resultsPerType = 0 },
            { $0.imports = 0 }, { $0.functions = 0 }, { $0.exports = 0 }, { $0.nameBytes = 2 }, { $0.globals = 0 },
            { $0.tableEntries = 8 }, { $0.elementSegments = 0 }, { $0.dataSegments = 0 }, { $0.localsPerFunction = 2 },
            { $0.operandsPerFunction = 2 }, { $0.blockDepth = 2 }, { $0.branchTableTargets = 2 },
            { $0.memoryPages = 1 },
        ]
        for (number, change) in changes.enumerated() {
            #expect(refused(bytes, change) == .limitExceeded, "limit \(number)")
        }
    }

    /// A few bytes must not make the decoder reserve or do much.
    @Test func hugeCountsAreRefused() {
        let huge: [UInt8] = [0xff, 0xff, 0xff, 0xff, 0x0f]
        for id in [1, 2, 3, 4, 5, 6, 7, 9, 10, 11] as [UInt8] {
            #expect(kind((id, huge)) == .malformed, "section \(id)")
        }
        #expect(kind(type, function, (10, [1, 8, 1] + huge + [0x7f, 0x0b])) == .limitExceeded, "locals")
        #expect(
            kind(type, function, (10, [1, 19, 2] + huge + [0x7f] + huge + [0x7f, 0x0b, 0, 0, 0, 0, 0]))
                == .limitExceeded)
        #expect(refusal(single([], [], i32(0), [0x0e] + huge + [0]))?.kind == .malformed)
    }
}
