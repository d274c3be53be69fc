/// How a numeric instruction of the binary format is typed, priced and executed.
struct NumericInstruction: Sendable {
    enum Form: Sendable {
        /// One operand. No operation: the slot's bits stay as they are.
        case unary(Operation?)
        /// Two operands.
        case binary(BinaryForm)
    }

    var operand: ValueType
    var result: ValueType
    var cost: UInt64
    var form: Form
}

/// The operations that execute a two-operand instruction, by where its operands are.
struct BinaryForm: Sendable {
    /// Both in registers.
    var registers: Operation
    /// `registers` takes the operands in reverse order.
    var swapped = false
    /// Right operand constant.
    var rightConstant: Operation?
    /// Left operand constant, which becomes the immediate.
    var leftConstant: Operation?
    /// The immediate is the constant's negative: subtraction done by adding.
    var negatesConstant = false
}

extension NumericInstruction {
    /// The one-byte numeric instructions, by opcode.
    static let table: [NumericInstruction?] = {
        var table = [NumericInstruction?](repeating: nil, count: 256)
        for (offset, entry) in integerComparisons(.i32).enumerated() { table[0x45 + offset] = entry }
        for (offset, entry) in integerComparisons(.i64).enumerated() { table[0x50 + offset] = entry }
        for (offset, entry) in floatComparisons(.f32).enumerated() { table[0x5b + offset] = entry }
        for (offset, entry) in floatComparisons(.f64).enumerated() { table[0x61 + offset] = entry }
        for (offset, entry) in integerArithmetic(.i32).enumerated() { table[0x67 + offset] = entry }
        for (offset, entry) in integerArithmetic(.i64).enumerated() { table[0x79 + offset] = entry }
        for (offset, entry) in floatArithmetic(.f32).enumerated() { table[0x8b + offset] = entry }
        for (offset, entry) in floatArithmetic(.f64).enumerated() { table[0x99 + offset] = entry }
        for (offset, entry) in conversions.enumerated() { table[0xa7 + offset] = entry }
        return table
    }()

    /// The saturating conversions, by the number after the prefix 0xfc.
    static let saturating: [NumericInstruction] = [
        convert(.f32, .i32, .i32SaturatingF32S), convert(.f32, .i32, .i32SaturatingF32U),
        convert(.f64, .i32, .i32SaturatingF64S), convert(.f64, .i32, .i32SaturatingF64U),
        convert(.f32, .i64, .i64SaturatingF32S), convert(.f32, .i64, .i64SaturatingF32U),
        convert(.f64, .i64, .i64SaturatingF64S), convert(.f64, .i64, .i64SaturatingF64U),
    ]

    private static func unary(_ type: ValueType, _ operation: Operation, _ cost: UInt64) -> Self {
        Self(operand: type, result: type, cost: cost, form: .unary(operation))
    }

    private static func binary(_ type: ValueType, _ cost: UInt64, _ form: BinaryForm) -> Self {
        Self(operand: type, result: type, cost: cost, form: .binary(form))
    }

    private static func convert(
        _ source: ValueType, _ result: ValueType, _ operation: Operation?, _ cost: UInt64 = Gas.conversion
    ) -> Self {
        Self(operand: source, result: result, cost: cost, form: .unary(operation))
    }
}

extension NumericInstruction {
    /// 0x45 ... 0x4f and 0x50 ... 0x5a: eqz, eq, ne, lt_s, lt_u, gt_s, gt_u, le_s, le_u, ge_s, ge_u.
    private static func integerComparisons(_ type: ValueType) -> [Self] {
        let is32 = type == .i32
        let less: Operation = is32 ? .less32S : .less64S
        let greaterOrEqual: Operation = is32 ? .greaterOrEqual32S : .greaterOrEqual64S
        let lessConstant: Operation = is32 ? .less32SConstant : .less64SConstant
        let greaterConstant: Operation = is32 ? .greater32SConstant : .greater64SConstant
        let lessOrEqualConstant: Operation = is32 ? .lessOrEqual32SConstant : .lessOrEqual64SConstant
        let greaterOrEqualConstant: Operation = is32 ? .greaterOrEqual32SConstant : .greaterOrEqual64SConstant
        let forms: [BinaryForm] = [
            BinaryForm(registers: .equal, rightConstant: .equalConstant, leftConstant: .equalConstant),
            BinaryForm(registers: .notEqual, rightConstant: .notEqualConstant, leftConstant: .notEqualConstant),
            BinaryForm(registers: less, rightConstant: lessConstant, leftConstant: greaterConstant),
            BinaryForm(registers: .lessU, rightConstant: .lessUConstant, leftConstant: .greaterUConstant),
            BinaryForm(registers: less, swapped: true, rightConstant: greaterConstant, leftConstant: lessConstant),
            BinaryForm(
                registers: .lessU, swapped: true, rightConstant: .greaterUConstant, leftConstant: .lessUConstant),
            BinaryForm(
                registers: greaterOrEqual, swapped: true,
                rightConstant: lessOrEqualConstant, leftConstant: greaterOrEqualConstant),
            BinaryForm(
                registers: .greaterOrEqualU, swapped: true,
                rightConstant: .lessOrEqualUConstant, leftConstant: .greaterOrEqualUConstant),
            BinaryForm(
                registers: greaterOrEqual, rightConstant: greaterOrEqualConstant, leftConstant: lessOrEqualConstant),
            BinaryForm(
                registers: .greaterOrEqualU,
                rightConstant: .greaterOrEqualUConstant, leftConstant: .lessOrEqualUConstant),
        ]
        return [Self(operand: type, result: .i32, cost: Gas.simple, form: .unary(.equalZero))]
            + forms.map { Self(operand: type, result: .i32, cost: Gas.simple, form: .binary($0)) }
    }

    /// 0x5b ... 0x60 and 0x61 ... 0x66: eq, ne, lt, gt, le, ge.
    private static func floatComparisons(_ type: ValueType) -> [Self] {
        let is32 = type == .f32
        let less: Operation = is32 ? .lessF32 : .lessF64
        let lessOrEqual: Operation = is32 ? .lessOrEqualF32 : .lessOrEqualF64
        let forms = [
            BinaryForm(registers: is32 ? .equalF32 : .equalF64),
            BinaryForm(registers: is32 ? .notEqualF32 : .notEqualF64),
            BinaryForm(registers: less),
            BinaryForm(registers: less, swapped: true),
            BinaryForm(registers: lessOrEqual),
            BinaryForm(registers: lessOrEqual, swapped: true),
        ]
        return forms.map { Self(operand: type, result: .i32, cost: Gas.float, form: .binary($0)) }
    }

    /// 0x67 ... 0x78 and 0x79 ... 0x8a: clz, ctz, popcnt, add, sub, mul, div_s, div_u, rem_s, rem_u, and, or, xor,
    /// shl, shr_s, shr_u, rotl, rotr.
    private static func integerArithmetic(_ type: ValueType) -> [Self] {
        let is32 = type == .i32
        func either(_ narrow: Operation, _ wide: Operation) -> Operation { is32 ? narrow : wide }
        func commutative(_ registers: Operation, _ constant: Operation) -> Self {
            binary(type, Gas.simple, BinaryForm(registers: registers, rightConstant: constant, leftConstant: constant))
        }
        func shift(_ registers: Operation, _ constant: Operation?) -> Self {
            binary(type, Gas.simple, BinaryForm(registers: registers, rightConstant: constant))
        }
        let add = either(.add32Constant, .add64Constant)
        return [
            unary(type, either(.clz32, .clz64), Gas.simple),
            unary(type, either(.ctz32, .ctz64), Gas.simple),
            unary(type, .popcount, Gas.simple),
            commutative(either(.add32, .add64), add),
            binary(
                type, Gas.simple,
                BinaryForm(registers: either(.subtract32, .subtract64), rightConstant: add, negatesConstant: true)),
            commutative(either(.multiply32, .multiply64), either(.multiply32Constant, .multiply64Constant)),
            binary(type, Gas.division, BinaryForm(registers: either(.divide32S, .divide64S))),
            binary(type, Gas.division, BinaryForm(registers: either(.divide32U, .divide64U))),
            binary(type, Gas.division, BinaryForm(registers: either(.remainder32S, .remainder64S))),
            binary(type, Gas.division, BinaryForm(registers: either(.remainder32U, .remainder64U))),
            commutative(.and, .andConstant),
            commutative(.or, .orConstant),
            commutative(.xor, .xorConstant),
            shift(either(.shiftLeft32, .shiftLeft64), either(.shiftLeft32Constant, .shiftLeft64Constant)),
            shift(either(.shiftRight32S, .shiftRight64S), either(.shiftRight32SConstant, .shiftRight64SConstant)),
            shift(either(.shiftRight32U, .shiftRight64U), either(.shiftRight32UConstant, .shiftRight64UConstant)),
            shift(either(.rotateLeft32, .rotateLeft64), either(.rotateLeft32Constant, .rotateLeft64Constant)),
            binary(
                type, Gas.simple,
                BinaryForm(
                    registers: either(.rotateRight32, .rotateRight64),
                    rightConstant: either(.rotateLeft32Constant, .rotateLeft64Constant), negatesConstant: true)),
        ]
    }

    /// 0x8b ... 0x98 and 0x99 ... 0xa6: abs, neg, ceil, floor, trunc, nearest, sqrt, add, sub, mul, div, min, max,
    /// copysign.
    private static func floatArithmetic(_ type: ValueType) -> [Self] {
        func either(_ single: Operation, _ double: Operation) -> Operation { type == .f32 ? single : double }
        func two(_ operation: Operation, _ cost: UInt64 = Gas.float) -> Self {
            binary(type, cost, BinaryForm(registers: operation))
        }
        return [
            unary(type, either(.absF32, .absF64), Gas.float),
            unary(type, either(.negateF32, .negateF64), Gas.float),
            unary(type, either(.ceilF32, .ceilF64), Gas.floatSlow),
            unary(type, either(.floorF32, .floorF64), Gas.floatSlow),
            unary(type, either(.truncateF32, .truncateF64), Gas.floatSlow),
            unary(type, either(.nearestF32, .nearestF64), Gas.floatSlow),
            unary(type, either(.squareRootF32, .squareRootF64), Gas.floatSlow),
            two(either(.addF32, .addF64)),
            two(either(.subtractF32, .subtractF64)),
            two(either(.multiplyF32, .multiplyF64)),
            two(either(.divideF32, .divideF64), Gas.floatSlow),
            two(either(.minF32, .minF64)),
            two(either(.maxF32, .maxF64)),
            two(either(.copySignF32, .copySignF64)),
        ]
    }

    /// 0xa7 ... 0xc4: wraps, truncations, extensions, conversions, reinterpretations, sign extensions.
    private static let conversions: [Self] = [
        convert(.i64, .i32, .wrap, Gas.simple),
        convert(.f32, .i32, .i32FromF32S), convert(.f32, .i32, .i32FromF32U),
        convert(.f64, .i32, .i32FromF64S), convert(.f64, .i32, .i32FromF64U),
        convert(.i32, .i64, .extend32S64, Gas.simple),
        convert(.i32, .i64, nil, Gas.simple),
        convert(.f32, .i64, .i64FromF32S), convert(.f32, .i64, .i64FromF32U),
        convert(.f64, .i64, .i64FromF64S), convert(.f64, .i64, .i64FromF64U),
        convert(.i32, .f32, .f32FromI32S), convert(.i32, .f32, .f32FromI32U),
        convert(.i64, .f32, .f32FromI64S), convert(.i64, .f32, .f32FromI64U),
        convert(.f64, .f32, .demote),
        convert(.i32, .f64, .f64FromI32S), convert(.i32, .f64, .f64FromI32U),
        convert(.i64, .f64, .f64FromI64S), convert(.i64, .f64, .f64FromI64U),
        convert(.f32, .f64, .promote),
        convert(.f32, .i32, nil, Gas.simple), convert(.f64, .i64, nil, Gas.simple),
        convert(.i32, .f32, nil, Gas.simple), convert(.i64, .f64, nil, Gas.simple),
        unary(.i32, .extend8S32, Gas.simple), unary(.i32, .extend16S32, Gas.simple),
        unary(.i64, .extend8S64, Gas.simple), unary(.i64, .extend16S64, Gas.simple),
        unary(.i64, .extend32S64, Gas.simple),
    ]
}
