/// What the interpreter executes: WebAssembly's instructions over *registers* (slots of the function's frame)
/// instead of an operand stack. The frame holds the locals, then the operand stack's slots; validation knows
/// each operand's slot, so that `local.get` and constants mostly vanish into the instruction that uses them.
///
/// Slots have 64 bits and 32-bit values are always zero-extended in them. So where zero extension commutes with
/// an operation (`and`, `eq`, `lt_u`, ...), one operation serves both widths; only the others say theirs.
///
/// Fields: `a` destination slot; `b`, `c` source slots; `immediate` what each group says.
///
/// `Sources/CWasmCore/core.c` has the same list and carries the operations out: ``SharedDefinitions`` compares them.
enum Operation: UInt8, Sendable, CaseIterable {
    // Control. `immediate`: gas, or the target's index in the code.
    case unreachable
    case gas
    case jump
    case jumpIfNonZero, jumpIfZero
    // Compare b with c and jump.
    case jumpIfEqual, jumpIfNotEqual
    case jumpIfLessU, jumpIfGreaterOrEqualU
    case jumpIfLess32S, jumpIfGreaterOrEqual32S
    // Compare b with the immediate's upper half. The lower half of every jump is where to, as the target's index while
    // a function is compiled, then as the distance in bytes.
    case jumpIfEqualConstant, jumpIfNotEqualConstant
    case jumpIfLessUConstant, jumpIfGreaterOrEqualUConstant, jumpIfGreaterUConstant, jumpIfLessOrEqualUConstant
    case jumpIfLess32SConstant, jumpIfGreaterOrEqual32SConstant
    case jumpIfGreater32SConstant, jumpIfLessOrEqual32SConstant
    // Index in b; immediate: first entry in the lower half, index of the default in the upper.
    case jumpTable
    case returnNone
    // Value in b.
    case returnOne
    // Values from b on, immediate: their number.
    case returnMany
    // Arguments from slot a on, results to the same place. immediate: function, import, or type of the callee.
    case call, callHost
    // Index in b.
    case callIndirect

    // Data movement.
    case copy
    case constant
    // immediate: number of slots.
    case copyMany
    // immediate: slot of the condition.
    case select
    case globalGet, globalSet

    // Memory. Address in b, stored value in c, immediate: offset.
    case load8U, load16U, load32, load64
    case load8S32, load16S32, load8S64, load16S64, load32S64
    case store8, store16, store32, store64
    // a: destination or first operand's slot; the bulk operations take operands from a, b and c.
    case memorySize, memoryGrow
    case memoryCopy, memoryFill, memoryInit, dataDrop
    case tableCopy, tableInit, elementDrop

    // Comparison of registers; the missing ones swap their operands.
    case equal, notEqual, lessU, greaterOrEqualU
    case less32S, greaterOrEqual32S, less64S, greaterOrEqual64S
    case equalZero
    // Comparison of b with the immediate.
    case equalConstant, notEqualConstant
    case lessUConstant, greaterOrEqualUConstant, greaterUConstant, lessOrEqualUConstant
    case less32SConstant, greaterOrEqual32SConstant, greater32SConstant, lessOrEqual32SConstant
    case less64SConstant, greaterOrEqual64SConstant, greater64SConstant, lessOrEqual64SConstant

    // Integer arithmetic.
    case clz32, clz64, ctz32, ctz64, popcount
    case add32, add64, subtract32, subtract64, multiply32, multiply64
    case divide32S, divide32U, divide64S, divide64U
    case remainder32S, remainder32U, remainder64S, remainder64U
    case and, or, xor
    case shiftLeft32, shiftLeft64, shiftRight32S, shiftRight32U, shiftRight64S, shiftRight64U
    case rotateLeft32, rotateLeft64, rotateRight32, rotateRight64
    case extend8S32, extend16S32, extend8S64, extend16S64, extend32S64
    case wrap
    // b with the immediate.
    case add32Constant, add64Constant, multiply32Constant, multiply64Constant
    case andConstant, orConstant, xorConstant
    case shiftLeft32Constant, shiftLeft64Constant
    case shiftRight32SConstant, shiftRight32UConstant, shiftRight64SConstant, shiftRight64UConstant
    case rotateLeft32Constant, rotateLeft64Constant

    // Floats.
    case equalF32, notEqualF32, lessF32, lessOrEqualF32
    case equalF64, notEqualF64, lessF64, lessOrEqualF64
    case absF32, negateF32, ceilF32, floorF32, truncateF32, nearestF32, squareRootF32
    case addF32, subtractF32, multiplyF32, divideF32, minF32, maxF32, copySignF32
    case absF64, negateF64, ceilF64, floorF64, truncateF64, nearestF64, squareRootF64
    case addF64, subtractF64, multiplyF64, divideF64, minF64, maxF64, copySignF64

    // Conversions: result type, then source.
    case i32FromF32S, i32FromF32U, i32FromF64S, i32FromF64U
    case i64FromF32S, i64FromF32U, i64FromF64S, i64FromF64U
    case i32SaturatingF32S, i32SaturatingF32U, i32SaturatingF64S, i32SaturatingF64U
    case i64SaturatingF32S, i64SaturatingF32U, i64SaturatingF64S, i64SaturatingF64U
    case f32FromI32S, f32FromI32U, f32FromI64S, f32FromI64U
    case f64FromI32S, f64FromI32U, f64FromI64S, f64FromI64U
    case demote, promote
}

/// One fixed-size instruction of the compiled code.
struct Instruction: Sendable {
    var operation: Operation
    /// Whether the instruction is carried out together with another.
    var variant = Variant.plain
    var a: UInt16 = 0
    var b: UInt16 = 0
    var c: UInt16 = 0
    var immediate: UInt64 = 0

    /// Two instructions in a row that are carried out as one. The first one's place then says so, with the operation of
    /// the second, which stays as it is behind it for whoever jumps there.
    enum Variant: UInt8, Sendable {
        case plain
        /// In place of `gas`, which it does before the next instruction's operation.
        case metered
        /// In place of `add32Constant`, which it does before the next instruction's conditional jump: most loops end so.
        case looping
    }

    /// The immediate of operations that keep two numbers in it.
    var lower: UInt32 {
        get { UInt32(truncatingIfNeeded: immediate) }
        set { immediate = immediate & ~UInt64(UInt32.max) | UInt64(newValue) }
    }
    var upper: UInt32 { UInt32(truncatingIfNeeded: immediate >> 32) }

    static func pair(lower: UInt32, upper: UInt32) -> UInt64 {
        UInt64(upper) << 32 | UInt64(lower)
    }
}

extension Instruction {
    /// The conditional jump that does this comparison and the jump at once, its target still open;
    /// nil if there is none.
    func fusedWithJump(whenTrue: Bool) -> Instruction? {
        if operation == .equalZero {
            return Instruction(operation: whenTrue ? .jumpIfZero : .jumpIfNonZero, b: b)
        }
        if let jump = operation.registerJump(whenTrue: whenTrue) {
            return Instruction(operation: jump, b: b, c: c)
        }
        guard immediate <= UInt64(UInt32.max), let jump = operation.constantJump(whenTrue: whenTrue) else { return nil }
        return Instruction(operation: jump, b: b, immediate: Self.pair(lower: 0, upper: lower))
    }
}

extension Operation {
    /// Whether the immediate's lower half is a target.
    var isJump: Bool {
        rawValue >= Operation.jump.rawValue && rawValue <= Operation.jumpIfLessOrEqual32SConstant.rawValue
    }

    fileprivate func registerJump(whenTrue: Bool) -> Operation? {
        switch self {
        case .equal: whenTrue ? .jumpIfEqual : .jumpIfNotEqual
        case .notEqual: whenTrue ? .jumpIfNotEqual : .jumpIfEqual
        case .lessU: whenTrue ? .jumpIfLessU : .jumpIfGreaterOrEqualU
        case .greaterOrEqualU: whenTrue ? .jumpIfGreaterOrEqualU : .jumpIfLessU
        case .less32S: whenTrue ? .jumpIfLess32S : .jumpIfGreaterOrEqual32S
        case .greaterOrEqual32S: whenTrue ? .jumpIfGreaterOrEqual32S : .jumpIfLess32S
        default: nil
        }
    }

    fileprivate func constantJump(whenTrue: Bool) -> Operation? {
        switch self {
        case .equalConstant: whenTrue ? .jumpIfEqualConstant : .jumpIfNotEqualConstant
        case .notEqualConstant: whenTrue ? .jumpIfNotEqualConstant : .jumpIfEqualConstant
        case .lessUConstant: whenTrue ? .jumpIfLessUConstant : .jumpIfGreaterOrEqualUConstant
        case .greaterOrEqualUConstant: whenTrue ? .jumpIfGreaterOrEqualUConstant : .jumpIfLessUConstant
        case .greaterUConstant: whenTrue ? .jumpIfGreaterUConstant : .jumpIfLessOrEqualUConstant
        case .lessOrEqualUConstant: whenTrue ? .jumpIfLessOrEqualUConstant : .jumpIfGreaterUConstant
        case .less32SConstant: whenTrue ? .jumpIfLess32SConstant : .jumpIfGreaterOrEqual32SConstant
        case .greaterOrEqual32SConstant: whenTrue ? .jumpIfGreaterOrEqual32SConstant : .jumpIfLess32SConstant
        case .greater32SConstant: whenTrue ? .jumpIfGreater32SConstant : .jumpIfLessOrEqual32SConstant
        case .lessOrEqual32SConstant: whenTrue ? .jumpIfLessOrEqual32SConstant : .jumpIfGreater32SConstant
        default: nil
        }
    }
}
