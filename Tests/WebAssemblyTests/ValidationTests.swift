import Testing
import WebAssembly

/// The kind of error that bytes are refused with; nil if they are accepted.
func refusal(_ bytes: [UInt8], limits: Limits = .contract) -> ModuleError? {
    do throws(ModuleError) {
        _ = try Module(parsing: bytes, limits: limits)
        return nil
    } catch {
        return error
    }
}

@Suite(.timeLimit(.minutes(20))) struct ValidationTests {
    private func refused(_ code: [UInt8]..., parameters: [ValueType] = [], results: [ValueType] = []) -> ModuleError
        .Kind?
    {
        var assembler = Assembler()
        assembler.memory = [0, 1]
        assembler.table = [0x70, 0, 1]
        assembler.global(.i32, mutable: false, i32(0))
        assembler.global(.i64, mutable: true, i64(0))
        assembler.passiveData([1])
        let target = assembler.function([.i32], [.i64], i64(1))
        assembler.passiveElements([target])
        assembler.function(parameters, results, locals: [.i32, .f32], export: "run", code.flatMap { $0 })
        return refusal(assembler.bytes)?.kind
    }

    @Test func typeErrors() {
        let bad: [[UInt8]] = [
            add32, i32(1) + add32 + drop, i32(1) + i64(1) + add32 + drop, i64(1) + eqz32 + drop,
            i32(1), i32(1) + ifThen(none, i32(1)), i32(1) + ifThen(0x7f, i32(1)) + drop,
            i32(1) + ifThen(0x7f, i32(1), else: i64(1)) + drop, i64(1) + ifThen(none, []),
            block(0x7f) + drop, block(none, i32(1)), block(0x7f, i64(1)) + drop, loop(0x7f, br(1)),
            block(0x7f, i64(1), br(0)) + drop, block(0x7f, br(0)) + drop, block(0x7f, i32(1), brIf(0)) + drop,
            i32(1) + brTable([0], 5), block(0x7f, i32(1), i32(1), brTable([0], 1)) + drop,
            i64(1) + brTable([], 0), br(1), brIf(0), returnOp + i64(1) + add32 + drop,
            unreachable + i64(1) + i32(1) + add32 + drop, unreachable + i32(1),
            call(0) + drop, i64(1) + call(0) + drop, call(9), i32(1) + call(0),
            i32(1) + callIndirect(0) + drop, i32(1) + i32(1) + callIndirect(9) + drop,
            i32(1) + i64(1) + callIndirect(0) + drop,
            drop, i32(1) + select, i32(1) + i64(1) + i32(1) + select + drop, i32(1) + i32(1) + i64(1) + select + drop,
            i32(1) + i32(1) + i32(1) + [0x1c, 1, 0x7e] + drop, i32(1) + i32(1) + i32(1) + [0x1c, 2, 0x7f, 0x7f] + drop,
            get(2), i32(1) + set(2), i32(1) + tee(1), get(1) + set(0), i64(1) + set(0),
            getGlobal(2), i32(1) + setGlobal(0), i32(1) + setGlobal(1), i64(1) + setGlobal(2),
            i64(1) + memoryOp(0x28) + drop, i32(1) + [0x28, 3, 0] + drop, i32(1) + [0x29, 4, 0] + drop,
            i32(1) + [0x2c, 1, 0] + drop, i32(1) + i64(1) + memoryOp(0x36), i32(1) + i32(1) + [0x3a, 1, 0],
            i32(1) + [0x28, 0x42, 1, 0] + drop,
            i64(1) + [0x40, 0] + drop,
            i32(1) + i32(1) + [0xfc, 11, 0], i32(0) + i32(0) + i32(0) + [0xfc, 8, 1, 0],
            i32(0) + i32(0) + i32(0) + [0xfc, 12, 1, 0], i32(0) + i32(0) + i64(0) + [0xfc, 14, 0, 0],
            [0xfc, 9, 1], [0xfc, 13, 1],
            [0x05],
        ]
        for code in bad { #expect(refused(code) == .invalid, "\(code)") }
        // Where only a zero byte may stand, neither another byte nor a zero in two bytes will do; and a block's type
        // -1 is one byte, not a padded number.
        let three = i32(0) + i32(0) + i32(0)
        let malformed: [[UInt8]] = [
            [0x3f, 1] + drop, [0x3f, 0x80, 0] + drop, i32(1) + [0x40, 0x80, 0] + drop, three + [0xfc, 10, 0, 1],
            three + [0xfc, 10, 0, 0x80, 0], three + [0xfc, 10, 0x80, 0, 0], three + [0xfc, 11, 0x80, 0],
            three + [0xfc, 8, 0, 0x80, 0],
            [0x02, 0xff, 0x7f] + i32(0) + end + drop, [0x02, 0xc0, 0x7f] + end, [0x03, 0xff, 0xff, 0x7f] + end,
        ]
        for code in malformed { #expect(refused(code) == .malformed, "\(code)") }
        #expect(refused(results: [.i32]) == .invalid)
        #expect(refused(i64(1), results: [.i32]) == .invalid)
        #expect(refused(i32(1), i32(1), results: [.i32]) == .invalid)
        #expect(refused(returnOp, results: [.i32]) == .invalid)
    }

    /// After a branch the operand stack fits whatever follows asks for.
    @Test func unreachableCodeIsPolymorphic() {
        let good: [[UInt8]] = [
            unreachable + add32 + drop, unreachable + i32(1) + add32 + drop, br(0) + [0x92] + drop,
            unreachable + select + drop, unreachable + i64(1) + i32(1) + select + drop,
            unreachable + select + i32(1) + add32 + drop,
            block(0x7f, i32(1), br(0), i64(3), br(1)) + drop,
            block(0x7f, unreachable, brTable([0], 0)) + drop, loop(none, br(0), [0xa7], drop),
            block(0x7f, unreachable, brIf(0)) + drop, returnOp + brTable([0, 0], 0),
            unreachable + block(none, unreachable + add32 + drop) + add32 + drop,
            i32(1) + ifThen(0x7f, unreachable, else: i32(1)) + drop,
            unreachable + call(0) + drop, unreachable + memoryOp(0x36), unreachable + tee(0) + drop,
        ]
        for code in good { #expect(refused(code) == nil, "\(code)") }
        let bad: [[UInt8]] = [
            unreachable + i64(1) + select + drop, unreachable + block(none, add32),
            unreachable + block(none, i32(1)), unreachable + get(7), unreachable + call(7), unreachable + br(3),
        ]
        for code in bad { #expect(refused(code) == .invalid, "\(code)") }
    }

    @Test func memoryTableAndDataCountMustExist() {
        #expect(refusal(bare(i32(0), memoryOp(0x28), drop))?.kind == .invalid)
        #expect(refusal(bare([0x3f, 0], drop))?.kind == .invalid)
        #expect(refusal(bare(i32(0), callIndirect(0)))?.kind == .invalid)
        var assembler = Assembler()
        assembler.memory = [0, 1]
        assembler.passiveData([1])
        assembler.writesDataCount = false
        assembler.function([], [], [0xfc, 9, 0])
        #expect(refusal(assembler.bytes)?.kind == .malformed)
    }

    private func bare(_ code: [UInt8]...) -> [UInt8] {
        var assembler = Assembler()
        assembler.function([], [], code.flatMap { $0 })
        return assembler.bytes
    }

    @Test func unsupportedInstructionsAreNamed() {
        let cases: [([UInt8], String)] = [
            ([0xfd, 0x0c], "SIMD"), ([0xfe, 0x10], "threads"), ([0xfb, 0], "garbage"), ([0x12, 0], "tail calls"),
            ([0x13, 0, 0], "tail calls"), ([0x06, 0x40], "exceptions"), ([0x08, 0], "exceptions"),
            ([0xd0, 0x70], "reference types"), ([0x25, 0], "reference types"), ([0xfc, 16, 0], "reference types"),
            (block(0x7b), "SIMD"), (block(0x70), "reference types"),
        ]
        for (code, word) in cases {
            let error = refusal(bare(code))
            #expect(error?.kind == .unsupported, "\(code)")
            #expect(error?.reason.contains(word) == true, "\(code): \(error?.reason ?? "")")
        }
        for code in [[0x27], [0xc5], [0xff], [0xfc, 18]] as [[UInt8]] {
            #expect(refusal(bare(code))?.kind == .malformed)
        }
    }

    @Test func errorsSayWhere() throws {
        let bytes = single([], [.i32], i32(1), i64(2), add32)
        let error = try #require(refusal(bytes))
        #expect(bytes[error.offset] == 0x6a)
        #expect(error.description == "invalid module at byte \(error.offset): operand has type i64, expected i32")
    }
}
