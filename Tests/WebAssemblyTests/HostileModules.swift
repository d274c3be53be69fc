import WebAssembly

/// Modules of about `bytes` bytes that are built to take long to check: each aims at one place where a naive checker
/// does more than a constant number of steps for each byte. All are valid unless the name says otherwise.
struct HostileModule: CustomStringConvertible, Sendable {
    var name: String
    var make: @Sendable (_ bytes: Int) -> [UInt8]

    var description: String { name }

    /// The most values that a block, and a result list, can have.
    private static let wide = min(Limits.contract.blockValues, Limits.contract.resultsPerType)

    private static func sections(_ sections: (UInt8, [UInt8])...) -> [UInt8] {
        sections.reduce(Assembler.header) { $0 + Assembler.section($1.0, $1.1) }
    }

    /// A module with these types, the function bodies (locals and code, without the end) of type 0, a memory, a table.
    private static func module(_ types: [FunctionType], _ bodies: [[UInt8]], extra: Int = 0) -> [UInt8] {
        let written = types.map {
            [0x60] + Assembler.vector($0.parameters.map { [$0.rawValue] })
                + Assembler.vector($0.results.map { [$0.rawValue] })
        }
        return sections(
            (1, Assembler.vector(written)),
            (3, Assembler.vector((0..<bodies.count).map { $0 < extra ? [1] : [0] })),
            (4, [1, 0x70, 0, 4]), (5, [1, 0, 1]), (6, [1, 0x7f, 1, 0x41, 0, 0x0b]),
            (10, Assembler.vector(bodies.map { leb($0.count + 1) + $0 + [0x0b] })))
    }

    /// A function without parameters and results that repeats some code between a beginning and an end.
    private static func repeating(
        _ unit: [UInt8], types: [FunctionType] = [], locals: [UInt8] = [0], before: [UInt8] = [], after: [UInt8] = []
    ) -> @Sendable (Int) -> [UInt8] {
        { bytes in
            let count = max(1, (bytes - 64 - before.count - after.count) / unit.count)
            return module(
                [FunctionType()] + types, [locals + before + repeated(unit, count) + after])
        }
    }

    private static func repeated(_ unit: [UInt8], _ count: Int) -> [UInt8] {
        Array(repeatElement(unit, count: max(0, count)).joined())
    }

    /// The same code in functions of a few hundred bytes.
    private static func functions(
        _ unit: [UInt8], types: [FunctionType] = [], locals: [UInt8] = [0], before: [UInt8] = [], after: [UInt8] = [],
        bodyBytes: Int = 600
    ) -> @Sendable (Int) -> [UInt8] {
        { bytes in
            let body =
                locals + before + repeated(unit, max(1, (bodyBytes - before.count - after.count) / unit.count)) + after
            return module([FunctionType()] + types, Array(repeating: body, count: max(1, (bytes - 64) / (body.count + 4))))
        }
    }

    private static let integers = Array(repeating: ValueType.i32, count: wide)
    private static let through = FunctionType(integers, integers)
    private static let results = FunctionType([], integers)
    private static let zeros = repeated(i32(0), wide)
    private static let drops = repeated(drop, wide)

    static let all: [HostileModule] = [
        // Plain code, one instruction after another.
        .init(name: "nops", make: repeating([0x01])),
        .init(name: "unary chain", make: repeating(eqz32, before: i32(0), after: drop)),
        .init(name: "constant and drop", make: repeating(i32(0) + drop)),
        .init(name: "local copies", make: repeating(get(0) + set(1), locals: [1, 2, 0x7f])),
        .init(name: "tees", make: repeating(tee(1) + tee(0), locals: [1, 2, 0x7f], before: get(0), after: drop)),
        .init(name: "long additions", make: functions(i32(1) + add32, before: i32(1), after: drop)),
        .init(name: "operands, then additions", make: functions(add32, before: repeated(i32(1), 201), after: drop, bodyBytes: 603)),
        .init(name: "selects", make: repeating(i32(1) + i32(1) + select, before: i32(1), after: drop)),
        .init(name: "constants stored", make: repeating(i32(1) + i32(1) + memoryOp(0x36))),
        .init(name: "loads", make: repeating(memoryOp(0x28), before: i32(1), after: drop)),
        .init(name: "globals", make: repeating(getGlobal(0) + setGlobal(0))),
        .init(name: "bulk", make: repeating(i32(0) + i32(0) + i32(0) + [0xfc, 11, 0])),
        .init(name: "unreachable operands", make: functions(eqz32, before: unreachable, after: drop)),
        .init(name: "unreachable drops", make: repeating(drop, before: unreachable)),
        .init(name: "traps", make: repeating(block(none, unreachable))),
        // Blocks.
        .init(name: "empty blocks", make: repeating(block())),
        .init(name: "empty loops", make: repeating(loop())),
        .init(name: "ifs", make: repeating(i32(0) + ifThen(none, [], else: []))),
        .init(
            name: "nested blocks",
            make: { bytes in
                let depth = min((bytes - 64) / 3, 4_000)
                let code = repeated([0x02, none], depth) + repeated(end, depth)
                return module([FunctionType()], [[0] + code + repeated([0x01], bytes - 64 - depth * 3)])
            }),
        .init(name: "blocks left by a branch", make: repeating(block(none, br(0)))),
        .init(name: "wide blocks", make: repeating([0x02, 1, 0x0b], types: [through], before: zeros, after: drops)),
        .init(name: "wide loops", make: repeating([0x03, 1, 0x0b], types: [through], before: zeros, after: drops)),
        .init(
            name: "wide ifs",
            make: repeating(i32(1) + [0x04, 1, 0x05, 0x0b], types: [through], before: zeros, after: drops)),
        .init(name: "wide blocks, never reached", make: repeating([0x02, 1, 0x0b], types: [through], before: unreachable, after: drops)),
        .init(
            name: "wide blocks of locals",
            make: repeating(repeated(get(0), wide) + [0x02, 1] + end + drops, types: [through], locals: [1, 1, 0x7f])),
        // Branches.
        .init(
            name: "wide br_if to a loop",
            make: repeating(i32(0) + brIf(0), types: [through], before: zeros + [0x03, 1], after: end + drops)),
        .init(
            name: "wide br_if, never reached",
            make: repeating(brIf(0), types: [through], before: zeros + [0x03, 1] + unreachable, after: end + drops)),
        .init(
            name: "wide br_if out of a block",
            make: repeating(
                i32(0) + brIf(0), types: [results], before: [0x02, 1, 0x41, 0] + zeros, after: [0x0c, 0] + end + drops)),
        .init(
            name: "wide returns",
            make: { bytes in
                module([results, FunctionType()], [[0] + zeros + repeated(i32(0) + brIf(0), (bytes - 100) / 4)])
            }),
        .init(name: "branches, never reached", make: repeating(br(0))),
        .init(
            name: "br_table over two wide labels",
            make: tables(types: [through], zeros + [0x03, 1, 0x03, 1], alternating: true, end + end + drops)),
        .init(
            name: "br_table over two wide labels, never reached",
            make: tables(types: [through], zeros + [0x03, 1, 0x03, 1] + unreachable, alternating: true, end + end + drops)),
        .init(
            name: "br_table over many wide labels",
            make: { bytes in
                let depth = max(1, min(120, bytes / 40))
                // Each table lies further in; the operands in place are not those of the labels, which need detours.
                let unit = repeated(i32(1), wide) + i32(0) + brTable(Array(1...depth), 1)
                let count = max(1, (bytes - 100 - depth * (3 + 3 * wide)) / (unit.count + 3))
                let inner = repeated([0x02, none] + unit + end, count)
                let code = repeated([0x02, 1], depth) + inner + zeros + repeated(end + drops + zeros, depth) + drops
                return module([FunctionType(), results], [[0] + code])
            }),
        .init(
            name: "br_table over many labels",
            make: { bytes in
                let depth = 120
                let unit = i32(0) + brTable(Array(0..<depth), 0)
                let inner = repeated([0x02, none] + unit + end, max(1, (bytes - 500) / (unit.count + 3)))
                return module([FunctionType()], [[0] + repeated([0x02, none], depth) + inner + repeated(end, depth)])
            }),
        // Calls.
        .init(name: "calls", make: repeating(call(0))),
        .init(
            name: "calls with results",
            make: { bytes in
                let code: [UInt8] = [0] + repeated(call(0) + drops, (bytes - 100) / (2 + wide))
                return module([FunctionType(), results], [[0] + zeros, code], extra: 1)
            }),
        .init(
            name: "calls with results, never reached",
            make: { bytes in
                let code: [UInt8] = [0] + unreachable + repeated(call(0) + br(0), (bytes - 100) / 4)
                return module([FunctionType(), results], [[0] + zeros, code], extra: 1)
            }),
        .init(
            name: "calls with parameters, never reached",
            make: { bytes in
                let type = FunctionType(Array(repeating: .i32, count: Limits.contract.parametersPerType))
                let code: [UInt8] = [0] + unreachable + repeated(call(0), (bytes - 200) / 2)
                return module([FunctionType(), type], [[0], code], extra: 1)
            }),
        .init(name: "indirect calls", make: repeating(i32(0) + [0x11, 0, 0])),
        // Locals.
        .init(
            name: "aliases of locals",
            make: { bytes in
                let count = min(4_000, (bytes - 64) / 9)
                let code = (0..<count).flatMap { get($0) } + (0..<count).flatMap { i32(1) + set($0) }
                return module([FunctionType()], [[1] + leb(4_096) + [0x7f] + code + repeated(drop, count)])
            }),
        .init(
            name: "one alias below many operands",
            make: { bytes in
                let count = min(4_000, (bytes - 64) / 12)
                let locals: [UInt8] = [1, 2, 0x7f]
                let pushed = get(0) + repeated(i32(1), count) + repeated(i32(1) + set(1), count)
                let blocks = repeated(get(0) + block() + drop, (bytes - 64 - count * 7) / 6)
                return module([FunctionType()], [locals + pushed + blocks + repeated(drop, count + 1)])
            }),
        .init(
            name: "functions of many locals",
            make: { bytes in
                module([FunctionType()], Array(repeating: [1] + leb(4_096) + [0x7f], count: min(4_096, (bytes - 64) / 7)))
            }),
        .init(
            name: "locals of alternating types",
            make: { bytes in
                let groups = min(2_000, (bytes - 64) / 8)
                let declared = leb(groups) + (0..<groups).flatMap { index -> [UInt8] in [1, index % 2 == 0 ? 0x7f : 0x7e] }
                let code = repeated(get(groups - 1) + drop, (bytes - 64 - groups * 2) / 4)
                return module([FunctionType()], [declared + code])
            }),
        .init(
            name: "too many locals (refused)",
            make: { bytes in
                let body: [UInt8] = [1] + leb(4_096) + [0x7f]
                let last: [UInt8] = [1] + leb(50_000) + [0x7f]
                return module([FunctionType()], Array(repeating: body, count: min(4_000, (bytes - 100) / 7)) + [last])
            }),
        // Declarations.
        .init(
            name: "smallest functions",
            make: { bytes in module([FunctionType()], Array(repeating: [0], count: min(4_096, (bytes - 64) / 4))) }),
        .init(
            name: "types",
            make: { bytes in
                let all = ValueType.allHostile
                let types: [[UInt8]] = (0..<min(1_024, bytes / 9)).map { index in
                    var type: [UInt8] = [0x60, 5]
                    for place in 0..<5 { type.append(all[(index >> (place * 2)) & 3].rawValue) }
                    return type + [1, 0x7f]
                }
                return sections((1, Assembler.vector(types)))
            }),
        .init(
            name: "equal types",
            make: { bytes in
                let type: [UInt8] = [0x60, 1, 0x7f, 1, 0x7f]
                return sections((1, Assembler.vector(Array(repeating: type, count: min(1_024, bytes / 5)))))
            }),
        .init(
            name: "imports",
            make: { bytes in
                let function: [UInt8] = [0, 0, 0, 0]
                let all = Array(repeating: function, count: min(Limits.contract.imports, bytes / 4))
                return sections((1, [1, 0x60, 0, 0]), (2, Assembler.vector(all)))
            }),
        .init(
            name: "exports",
            make: { bytes in
                var names: [[UInt8]] = []
                for index in 0..<min(1_024, bytes / 6) {
                    let (high, low) = (UInt8(33 + index / 90), UInt8(33 + index % 90))
                    names.append([2, high, low, 0, 0])
                }
                let all = Assembler.vector(names)
                return sections((1, [1, 0x60, 0, 0]), (3, [1, 0]), (7, all), (10, [1, 2, 0, 0x0b]))
            }),
        .init(
            name: "globals",
            make: { bytes in
                let global: [UInt8] = [0x7f, 1, 0x41, 0, 0x0b]
                return sections((6, Assembler.vector(Array(repeating: global, count: min(1_024, bytes / 5)))))
            }),
        .init(
            name: "element segments",
            make: { bytes in
                let segment: [UInt8] = [1, 0, 1, 0]
                let all = Assembler.vector(Array(repeating: segment, count: min(1_024, bytes / 4)))
                return sections((1, [1, 0x60, 0, 0]), (3, [1, 0]), (9, all), (10, [1, 2, 0, 0x0b]))
            }),
        .init(
            name: "data segments",
            make: { bytes in
                let count = min(4_096, bytes / 2)
                let segment: [UInt8] = [1, 0]
                let all = Assembler.vector(Array(repeating: segment, count: count))
                return sections((5, [1, 0, 1]), (12, leb(count)), (11, all))
            }),
        .init(
            name: "custom sections",
            make: { bytes in Assembler.header + repeated([0, 1, 0], bytes / 3) }),
        .init(
            name: "padded numbers",
            make: repeating([0x20, 0x80, 0x80, 0x80, 0x80, 0x00, 0x1a], locals: [1, 1, 0x7f])),
        .init(name: "an error at the very end (refused)", make: repeating(i32(0) + drop, after: add32)),
    ]
}

extension ValueType {
    static let allHostile: [ValueType] = [.i32, .i64, .f32, .f64]
}

extension HostileModule {
    /// A table of up to 4,000 entries after another, each left for the next through a block.
    private static func tables(
        types: [FunctionType], _ before: [UInt8], alternating: Bool, _ after: [UInt8]
    ) -> @Sendable (Int) -> [UInt8] {
        { bytes in
            let entries = max(1, min(4_000, bytes - 120))
            let table = i32(0) + brTable((0..<entries).map { $0 % 2 }, 0)
            var code = before
            // After the first one the rest is never reached, yet checked.
            repeat { code += table } while code.count + table.count < bytes - 120
            return module([FunctionType()] + types, [[0] + code + after])
        }
    }
}
