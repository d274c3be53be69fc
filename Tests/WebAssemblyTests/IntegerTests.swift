import Testing
import WebAssembly

@Suite(.timeLimit(.minutes(20))) struct IntegerTests {
    /// What an instruction should do, in plain Swift on wider or checked arithmetic.
    typealias Reference32 = (UInt32, UInt32) -> Answer
    typealias Reference64 = (UInt64, UInt64) -> Answer

    static let edges32: [UInt32] = [
        0, 1, 2, 3, 7, 31, 32, 33, 0x7f, 0x80, 0xff, 0x7fff, 0x8000, 0xffff, 0x7fff_ffff, 0x8000_0000, 0x8000_0001,
        0xffff_fffe, 0xffff_ffff,
    ]
    static let edges64: [UInt64] =
        edges32.map { UInt64($0) } + [
            63, 64, 65, 0x1_0000_0000, 0x7fff_ffff_ffff_ffff, 0x8000_0000_0000_0000, 0x8000_0000_0000_0001,
            0xffff_ffff_8000_0000, 0xffff_ffff_ffff_fffe, .max,
        ]

    private func pairs<T: FixedWidthInteger & UnsignedInteger>(_ edges: [T], seed: UInt64) -> [(T, T)] {
        var generator = SeededGenerator(seed: seed)
        let interesting =
            [(edges[0], edges[1])]
            + (0..<10).map { _ in
                (edges.randomElement(using: &generator) ?? 0, edges.randomElement(using: &generator) ?? 0)
            }
        let random = (0..<3).map { _ in
            (T.random(in: 0...T.max, using: &generator), T.random(in: 0...T.max, using: &generator))
        }
        return interesting + random + [(1 << (T.bitWidth - 1), T.max), (T.max, 0), (T.max, T.max)]
    }

    private static func bool(_ value: Bool) -> Answer { .value(.i32(value ? 1 : 0)) }

    private static func generic<T: FixedWidthInteger & UnsignedInteger>(
        _ wrap: @escaping (T) -> Value
    ) -> [(T, T) -> Answer] {
        typealias Signed = Int64
        let width = T(T.bitWidth)
        func s(_ value: T) -> Int64 {
            T.bitWidth == 32 ? Int64(Int32(truncatingIfNeeded: value)) : Int64(truncatingIfNeeded: value)
        }
        func value(_ value: T) -> Answer { .value(wrap(value)) }
        let smallest = T(1) << (T.bitWidth - 1)
        return [
            { value($0 &+ $1) }, { value($0 &- $1) },
            { value(T(truncatingIfNeeded: $0.multipliedFullWidth(by: $1).low)) },
            { a, b in
                if b == 0 { return .trap(.divideByZero) }
                if a == smallest, b == T.max { return .trap(.integerOverflow) }
                return value(T(truncatingIfNeeded: s(a) / s(b)))
            },
            { a, b in b == 0 ? .trap(.divideByZero) : value(a / b) },
            { a, b in
                if b == 0 { return .trap(.divideByZero) }
                if b == T.max { return value(0) }
                return value(T(truncatingIfNeeded: s(a) % s(b)))
            },
            { a, b in b == 0 ? .trap(.divideByZero) : value(a % b) },
            { value($0 & $1) }, { value($0 | $1) }, { value($0 ^ $1) },
            { value($0 << ($1 % width)) },
            { value(T(truncatingIfNeeded: s($0) >> Int64($1 % width))) },
            { value($0 >> ($1 % width)) },
            { a, b in value(b % width == 0 ? a : a << (b % width) | a >> (width - b % width)) },
            { a, b in value(b % width == 0 ? a : a >> (b % width) | a << (width - b % width)) },
            { bool($0 == $1) }, { bool($0 != $1) },
            { bool(s($0) < s($1)) }, { bool($0 < $1) }, { bool(s($0) > s($1)) }, { bool($0 > $1) },
            { bool(s($0) <= s($1)) }, { bool($0 <= $1) }, { bool(s($0) >= s($1)) }, { bool($0 >= $1) },
        ]
    }

    @Test(arguments: 0..<25)
    func binary32(_ number: Int) throws {
        let opcode = number < 15 ? UInt8(0x6a + number) : UInt8(0x46 + number - 15)
        let reference = Self.generic { Value.i32($0) }[number]
        for (a, b) in pairs(Self.edges32, seed: UInt64(number)) {
            #expect(
                try evaluate([opcode], [.i32(a), .i32(b)], .i32) == reference(a, b),
                "0x\(String(opcode, radix: 16)) \(a) \(b)")
        }
    }

    @Test(arguments: 0..<25)
    func binary64(_ number: Int) throws {
        let opcode = number < 15 ? UInt8(0x7c + number) : UInt8(0x51 + number - 15)
        let reference = Self.generic { Value.i64($0) }[number]
        for (a, b) in pairs(Self.edges64, seed: UInt64(100 + number)) {
            let result: ValueType = number < 15 ? .i64 : .i32
            #expect(
                try evaluate([opcode], [.i64(a), .i64(b)], result) == reference(a, b),
                "0x\(String(opcode, radix: 16)) \(a) \(b)")
        }
    }

    @Test func unary() throws {
        for a in Self.edges32 {
            let operand = [Value.i32(a)]
            func check(_ opcode: UInt8, _ expected: Int) throws {
                let result = try evaluate([opcode], operand, .i32)
                #expect(result == .value(.i32(UInt32(truncatingIfNeeded: expected))), "\(opcode) \(a)")
            }
            try check(0x45, a == 0 ? 1 : 0)
            try check(0x67, a.leadingZeroBitCount)
            try check(0x68, a.trailingZeroBitCount)
            try check(0x69, a.nonzeroBitCount)
            try check(0xc0, Int(Int8(truncatingIfNeeded: a)))
            try check(0xc1, Int(Int16(truncatingIfNeeded: a)))
            #expect(
                try evaluate([0xac], operand, .i64) == .value(.i64(UInt64(bitPattern: Int64(Int32(bitPattern: a))))))
            #expect(try evaluate([0xad], operand, .i64) == .value(.i64(UInt64(a))))
        }
        for a in Self.edges64 {
            let operand = [Value.i64(a)]
            func check(_ opcode: UInt8, _ expected: Int) throws {
                let result = try evaluate([opcode], operand, .i64)
                #expect(result == .value(.i64(UInt64(bitPattern: Int64(expected)))), "\(opcode) \(a)")
            }
            try check(0x79, a.leadingZeroBitCount)
            try check(0x7a, a.trailingZeroBitCount)
            try check(0x7b, a.nonzeroBitCount)
            try check(0xc2, Int(Int8(truncatingIfNeeded: a)))
            try check(0xc3, Int(Int16(truncatingIfNeeded: a)))
            try check(0xc4, Int(Int32(truncatingIfNeeded: a)))
            #expect(try evaluate([0x50], operand, .i32) == .value(.i32(a == 0 ? 1 : 0)))
            #expect(try evaluate([0xa7], operand, .i32) == .value(.i32(UInt32(truncatingIfNeeded: a))))
        }
    }
}
