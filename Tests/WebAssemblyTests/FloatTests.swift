import Testing
import WebAssembly

private func f32(_ value: Float) -> Value { .f32(bits: value.bitPattern) }
private func f64(_ value: Double) -> Value { .f64(bits: value.bitPattern) }
private let canonical32 = Value.f32(bits: 0x7fc0_0000)
private let canonical64 = Value.f64(bits: 0x7ff8_0000_0000_0000)
/// NaNs with sign, payload, quiet and signalling.
private let nans32: [UInt32] = [0x7fc0_0000, 0xffc0_0000, 0x7fa0_0001, 0xff80_0001, 0x7fff_ffff]
private let nans64: [UInt64] = [
    0x7ff8_0000_0000_0000, 0xfff8_0000_0000_0000, 0x7ff4_0000_0000_0001, 0xfff0_0000_0000_0001, 0x7fff_ffff_ffff_ffff,
]

@Suite(.timeLimit(.minutes(20))) struct FloatTests {
    @Test func arithmeticIsIEEE() throws {
        let single: [Float] = [
            0, -0.0, 1, -1, 0.1, 3, .infinity, -.infinity, .greatestFiniteMagnitude, .leastNonzeroMagnitude,
            -.leastNormalMagnitude, 1e-30, 16_777_215,
        ]
        let references: [(UInt8, UInt8, (Float, Float) -> Float, (Double, Double) -> Double)] = [
            (0x92, 0xa0, { $0 + $1 }, { $0 + $1 }), (0x93, 0xa1, { $0 - $1 }, { $0 - $1 }),
            (0x94, 0xa2, { $0 * $1 }, { $0 * $1 }), (0x95, 0xa3, { $0 / $1 }, { $0 / $1 }),
        ]
        for (narrow, wide, reference, referenceWide) in references {
            for (index, a) in single.enumerated() {
                let b = single[(index * 5 + 3) % single.count]
                let expected = reference(a, b)
                #expect(
                    try evaluate([narrow], [f32(a), f32(b)], .f32)
                        == .value(expected.isNaN ? canonical32 : f32(expected)))
                let expectedWide = referenceWide(Double(a) / 3, Double(b))
                #expect(
                    try evaluate([wide], [f64(Double(a) / 3), f64(Double(b))], .f64)
                        == .value(expectedWide.isNaN ? canonical64 : f64(expectedWide)))
            }
        }
    }

    @Test func arithmeticNaNsAreCanonical() throws {
        for bits in nans32 {
            for opcode in [0x92, 0x93, 0x94, 0x95, 0x96, 0x97] as [UInt8] {
                #expect(try evaluate([opcode], [.f32(bits: bits), f32(1)], .f32) == .value(canonical32))
                #expect(try evaluate([opcode], [f32(-2), .f32(bits: bits)], .f32) == .value(canonical32))
            }
            for opcode in 0x8d...0x91 as ClosedRange<UInt8> {
                #expect(try evaluate([opcode], [.f32(bits: bits)], .f32) == .value(canonical32))
            }
            #expect(try evaluate([0xbb], [.f32(bits: bits)], .f64) == .value(canonical64))
        }
        for bits in nans64 {
            for opcode in [0xa0, 0xa1, 0xa2, 0xa3, 0xa4, 0xa5] as [UInt8] {
                #expect(try evaluate([opcode], [.f64(bits: bits), f64(1)], .f64) == .value(canonical64))
                #expect(try evaluate([opcode], [f64(-2), .f64(bits: bits)], .f64) == .value(canonical64))
            }
            for opcode in 0x9b...0x9f as ClosedRange<UInt8> {
                #expect(try evaluate([opcode], [.f64(bits: bits)], .f64) == .value(canonical64))
            }
            #expect(try evaluate([0xb6], [.f64(bits: bits)], .f32) == .value(canonical32))
        }
        // Made, not passed on: 0/0, inf - inf, 0 * inf, sqrt(-1).
        #expect(try evaluate([0x95], [f32(0), f32(-0.0)], .f32) == .value(canonical32))
        #expect(try evaluate([0xa1], [f64(.infinity), f64(.infinity)], .f64) == .value(canonical64))
        #expect(try evaluate([0xa2], [f64(0), f64(-.infinity)], .f64) == .value(canonical64))
        #expect(try evaluate([0x91], [f32(-1)], .f32) == .value(canonical32))
        #expect(try evaluate([0x9f], [f64(-1)], .f64) == .value(canonical64))
    }

    @Test func bitwiseOperationsKeepPayloads() throws {
        for bits in nans32 {
            let value = Value.f32(bits: bits)
            #expect(try evaluate([0x8b], [value], .f32) == .value(.f32(bits: bits & 0x7fff_ffff)))
            #expect(try evaluate([0x8c], [value], .f32) == .value(.f32(bits: bits ^ 0x8000_0000)))
            #expect(try evaluate([0x98], [value, f32(-1)], .f32) == .value(.f32(bits: bits | 0x8000_0000)))
            #expect(try evaluate([0x98], [value, f32(1)], .f32) == .value(.f32(bits: bits & 0x7fff_ffff)))
            #expect(try evaluate([0xbc], [value], .i32) == .value(.i32(bits)))
            #expect(try evaluate([0xbe], [.i32(bits)], .f32) == .value(value))
            let stored = single([.f32], [.f32], i32(8), get(0), memoryOp(0x38), i32(8), memoryOp(0x2a))
            #expect(try run(stored, value) == [value])
            #expect(try run(single([], [.f32], constant(value))) == [value])
        }
        for bits in nans64 {
            let value = Value.f64(bits: bits)
            #expect(try evaluate([0x99], [value], .f64) == .value(.f64(bits: bits & (.max >> 1))))
            #expect(try evaluate([0x9a], [value], .f64) == .value(.f64(bits: bits ^ (1 << 63))))
            #expect(try evaluate([0xa6], [value, f64(-0.0)], .f64) == .value(.f64(bits: bits | 1 << 63)))
            #expect(try evaluate([0xbd], [value], .i64) == .value(.i64(bits)))
            #expect(try evaluate([0xbf], [.i64(bits)], .f64) == .value(value))
            let stored = single([.f64], [.f64], i32(8), get(0), memoryOp(0x39), i32(8), memoryOp(0x2b))
            #expect(try run(stored, value) == [value])
        }
    }

    @Test func minimumAndMaximum() throws {
        let zeros: [(Float, Float)] = [(0, -0.0), (-0.0, 0)]
        for (a, b) in zeros {
            #expect(try evaluate([0x96], [f32(a), f32(b)], .f32) == .value(f32(-0.0)))
            #expect(try evaluate([0x97], [f32(a), f32(b)], .f32) == .value(f32(0)))
            #expect(try evaluate([0xa4], [f64(Double(a)), f64(Double(b))], .f64) == .value(f64(-0.0)))
            #expect(try evaluate([0xa5], [f64(Double(a)), f64(Double(b))], .f64) == .value(f64(0)))
        }
        #expect(try evaluate([0xa4], [f64(-.infinity), f64(3)], .f64) == .value(f64(-.infinity)))
        #expect(try evaluate([0xa5], [f64(-.infinity), f64(3)], .f64) == .value(f64(3)))
        #expect(try evaluate([0x96], [f32(2), f32(1)], .f32) == .value(f32(1)))
    }

    @Test func rounding() throws {
        // value, ceil, floor, trunc, nearest
        let cases: [(Double, Double, Double, Double, Double)] = [
            (0.5, 1, 0, 0, 0), (-0.5, -0.0, -1, -0.0, -0.0), (1.5, 2, 1, 1, 2), (2.5, 3, 2, 2, 2),
            (-2.5, -2, -3, -2, -2), (-3.5, -3, -4, -3, -4), (0.49999999999999994, 1, 0, 0, 0),
            (-0.0, -0.0, -0.0, -0.0, -0.0),
            (
                2_251_799_813_685_249.5, 2_251_799_813_685_250, 2_251_799_813_685_249, 2_251_799_813_685_249,
                2_251_799_813_685_250
            ),
            (.infinity, .infinity, .infinity, .infinity, .infinity), (1e300, 1e300, 1e300, 1e300, 1e300),
        ]
        for (value, ceil, floor, trunc, nearest) in cases {
            for (opcode, expected) in zip(0x9b...0x9e as ClosedRange<UInt8>, [ceil, floor, trunc, nearest]) {
                #expect(try evaluate([opcode], [f64(value)], .f64) == .value(f64(expected)), "\(opcode) \(value)")
            }
            guard abs(value) < 100, Double(Float(value)) == value else { continue }
            for (opcode, expected) in zip(0x8d...0x90 as ClosedRange<UInt8>, [ceil, floor, trunc, nearest]) {
                #expect(
                    try evaluate([opcode], [f32(Float(value))], .f32) == .value(f32(Float(expected))),
                    "\(opcode) \(value)")
            }
        }
        #expect(try evaluate([0x91], [f32(-0.0)], .f32) == .value(f32(-0.0)))
        #expect(try evaluate([0x9f], [f64(2)], .f64) == .value(f64(1.4142135623730951)))
    }

    @Test func comparisons() throws {
        let values: [Double] = [0, -0.0, 1, -1, .infinity, -.infinity, .nan]
        let references: [(Double, Double) -> Bool] = [
            { $0 == $1 }, { $0 != $1 }, { $0 < $1 }, { $0 > $1 }, { $0 <= $1 }, { $0 >= $1 },
        ]
        for a in values {
            for b in [0, 1, .infinity, .nan] as [Double] {
                for (number, reference) in references.enumerated() {
                    let expected = Answer.value(.i32(reference(a, b) ? 1 : 0))
                    #expect(try evaluate([UInt8(0x61 + number)], [f64(a), f64(b)], .i32) == expected)
                    #expect(try evaluate([UInt8(0x5b + number)], [f32(Float(a)), f32(Float(b))], .i32) == expected)
                }
            }
        }
    }
}

@Suite(.timeLimit(.minutes(20))) struct ConversionTests {
    private func check(_ opcode: [UInt8], _ operand: Value, _ expected: Answer, _ result: ValueType) throws {
        #expect(try evaluate(opcode, [operand], result) == expected, "\(opcode) \(operand)")
    }

    /// Both the trapping and the saturating form.
    private func truncate(
        _ trapping: UInt8, _ saturating: UInt8, _ operand: Value, _ result: ValueType, _ bits: UInt64,
        _ trap: Trap? = nil
    ) throws {
        let value = Answer.value(result == .i32 ? .i32(UInt32(truncatingIfNeeded: bits)) : .i64(bits))
        try check([trapping], operand, trap.map { .trap($0) } ?? value, result)
        try check([0xfc, saturating], operand, value, result)
    }

    @Test func truncationTo32() throws {
        let max = UInt64(Int32.max)
        let min = UInt64(UInt32(bitPattern: .min))
        try truncate(0xa8, 0, f32(2_147_483_520), .i32, 2_147_483_520)
        try truncate(0xa8, 0, f32(2_147_483_648), .i32, max, .integerOverflow)
        try truncate(0xa8, 0, f32(-2_147_483_648), .i32, min)
        try truncate(0xa8, 0, f32(-2_147_483_904), .i32, min, .integerOverflow)
        try truncate(0xa9, 1, f32(4_294_967_040), .i32, 4_294_967_040)
        try truncate(0xa9, 1, f32(4_294_967_296), .i32, UInt64(UInt32.max), .integerOverflow)
        try truncate(0xa9, 1, f32(-0.99), .i32, 0)
        try truncate(0xa9, 1, f32(-1), .i32, 0, .integerOverflow)
        try truncate(0xaa, 2, f64(2_147_483_647.9), .i32, max)
        try truncate(0xaa, 2, f64(2_147_483_648), .i32, max, .integerOverflow)
        try truncate(0xaa, 2, f64(-2_147_483_648.9), .i32, min)
        try truncate(0xaa, 2, f64(-2_147_483_649), .i32, min, .integerOverflow)
        try truncate(0xab, 3, f64(4_294_967_295.9), .i32, UInt64(UInt32.max))
        try truncate(0xab, 3, f64(4_294_967_296), .i32, UInt64(UInt32.max), .integerOverflow)
        try truncate(0xab, 3, f64(-.infinity), .i32, 0, .integerOverflow)
        for bits in nans32 { try truncate(0xa8, 0, .f32(bits: bits), .i32, 0, .invalidConversion) }
        for bits in nans64 { try truncate(0xab, 3, .f64(bits: bits), .i32, 0, .invalidConversion) }
    }

    @Test func truncationTo64() throws {
        let max = UInt64(Int64.max)
        let min = UInt64(bitPattern: .min)
        try truncate(0xae, 4, f32(9_223_371_487_098_961_920), .i64, 9_223_371_487_098_961_920)
        try truncate(0xae, 4, f32(9_223_372_036_854_775_808), .i64, max, .integerOverflow)
        try truncate(0xae, 4, f32(-9_223_372_036_854_775_808), .i64, min)
        try truncate(0xae, 4, f32(-9_223_373_136_366_403_584), .i64, min, .integerOverflow)
        try truncate(0xaf, 5, f32(18_446_742_974_197_923_840), .i64, 18_446_742_974_197_923_840)
        try truncate(0xaf, 5, f32(18_446_744_073_709_551_616), .i64, .max, .integerOverflow)
        try truncate(0xb0, 6, f64(9_223_372_036_854_774_784), .i64, 9_223_372_036_854_774_784)
        try truncate(0xb0, 6, f64(9_223_372_036_854_775_808), .i64, max, .integerOverflow)
        try truncate(0xb0, 6, f64(-9_223_372_036_854_775_808), .i64, min)
        try truncate(0xb0, 6, f64(-9_223_372_036_854_777_856), .i64, min, .integerOverflow)
        try truncate(0xb1, 7, f64(18_446_744_073_709_549_568), .i64, 18_446_744_073_709_549_568)
        try truncate(0xb1, 7, f64(18_446_744_073_709_551_616), .i64, .max, .integerOverflow)
        try truncate(0xb1, 7, f64(-0.9999), .i64, 0)
        try truncate(0xb1, 7, f64(.infinity), .i64, .max, .integerOverflow)
        for bits in nans64 { try truncate(0xb0, 6, .f64(bits: bits), .i64, 0, .invalidConversion) }
        for bits in nans32 { try truncate(0xaf, 5, .f32(bits: bits), .i64, 0, .invalidConversion) }
    }

    @Test func integersToFloats() throws {
        try check([0xb2], .i32(0x8000_0000), .value(f32(-2_147_483_648)), .f32)
        try check([0xb2], .i32(16_777_217), .value(f32(16_777_216)), .f32)
        try check([0xb3], .i32(0xffff_ffff), .value(f32(4_294_967_296)), .f32)
        try check([0xb4], .i64(.max), .value(f32(-1)), .f32)
        try check([0xb5], .i64(.max), .value(f32(18_446_744_073_709_551_616)), .f32)
        try check([0xb5], .i64(0x8000_0080_0000_0001), .value(.f32(bits: 0x5f00_0001)), .f32)
        try check([0xb7], .i32(.max), .value(f64(-1)), .f64)
        try check([0xb8], .i32(.max), .value(f64(4_294_967_295)), .f64)
        try check([0xb9], .i64(0x7fff_ffff_ffff_ffff), .value(f64(9_223_372_036_854_775_808)), .f64)
        try check([0xba], .i64(0x8000_0000_0000_0401), .value(f64(9_223_372_036_854_777_856)), .f64)
        try check([0xb6], f64(1e40), .value(f32(.infinity)), .f32)
        try check([0xb6], f64(1.0000000596046450), .value(.f32(bits: 0x3f80_0001)), .f32)
        try check([0xbb], f32(0.1), .value(f64(0.10000000149011612)), .f64)
    }
}
