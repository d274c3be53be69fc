/// What execution costs. These numbers and the rules below are protocol: all engines must agree on them.
/// One unit of gas is about the time of one simple instruction.
///
/// **Metered blocks.** Gas is charged for a whole metered block when it is entered, before any of its
/// instructions runs. A metered block begins
///
/// - at the start of a function, of a `loop`'s body, and of each arm of an `if`;
/// - after the `end` of a `block` or an `if` (not of a `loop`);
/// - after a `br_if`;
///
/// and runs up to the next such place. It does not end at a call. Instructions that can't be reached because
/// a `br`, `br_table`, `return` or `unreachable` precedes them in their block cost nothing. If less gas is
/// left than the block costs, the execution traps with no gas left.
///
/// **Dynamic charges** for sizes known only at run time come on top, before the instruction takes effect.
public enum Gas {
    // Static, for each instruction. `block`, `loop`, `else`, `end` cost nothing.

    /// Constants, locals, globals, integer arithmetic and comparisons, `drop`, `select`, `nop`, `unreachable`, `if`,
    /// `memory.size`.
    public static let simple: UInt64 = 1
    /// Memory loads and stores.
    public static let memoryAccess: UInt64 = 2
    /// Integer division and remainder.
    public static let division: UInt64 = 6
    /// Float addition, subtraction, multiplication, comparison, sign operations.
    public static let float: UInt64 = 2
    /// Conversions from and to floats.
    public static let conversion: UInt64 = 4
    /// Float division, square root and rounding.
    public static let floatSlow: UInt64 = 8
    /// `br`, `br_if`, `return`.
    public static let branch: UInt64 = 1
    /// `br_table`.
    public static let branchTable: UInt64 = 3
    /// For each value that a branch or a `return` carries.
    public static let branchValue: UInt64 = 1
    /// `call` of a function that the module defines.
    public static let call: UInt64 = 8
    /// `call_indirect`; a call of an imported function costs ``hostCall`` on top.
    public static let callIndirect: UInt64 = 12
    /// Call of an imported function, before what the host charges.
    public static let hostCall: UInt64 = 40
    /// For each parameter and result of a call.
    public static let callValue: UInt64 = 1
    /// A function's first block pays one unit for each of so many local variables, or a part of them.
    public static let localsPerUnit: UInt64 = 4
    /// The bulk memory instructions, before what they move.
    public static let bulk: UInt64 = 10
    /// `memory.grow`, before what it adds.
    public static let memoryGrow: UInt64 = 50

    // Dynamic.

    /// For each page of linear memory, at instantiation and by a `memory.grow` that succeeds: clearing 64 KiB, at worst
    /// in memory that is fresh.
    public static let page: UInt64 = 4_096
    /// Bulk memory instructions pay one unit for each of so many bytes, or a part of them.
    public static let bulkBytesPerUnit: UInt64 = 4
    /// For each element that `table.copy` and `table.init` move.
    public static let tableElement: UInt64 = 1

    // Instantiation.

    /// For each instance.
    public static let instantiation: UInt64 = 1_000
    /// For each import, which is looked up among what the host offers.
    public static let instantiationImport: UInt64 = 250
    /// For each global, table entry and segment of an instance. The bytes of active data segments cost the same
    /// as bulk memory instructions, the elements of active element segments the same as `table.init`.
    public static let instantiationEntry: UInt64 = 1

    // Parsing: charged by whoever has a module parsed, before it is.

    /// For each module that is decoded, checked and compiled.
    public static let parsingBase: UInt64 = 2_000
    /// For each byte of such a module.
    public static let parsingByte: UInt64 = 16

    /// What decoding, checking and compiling a module of so many bytes costs, whether it is taken or refused.
    ///
    /// The worst module known takes 38 nanoseconds a byte (measured on one core of a 2-core cloud machine by
    /// `scripts/bench-vm check`, over the hostile modules of the tests, see ``Module/measuringWork(parsing:limits:)``);
    /// contracts that a compiler made take 13. The steps behind it are bounded by ``Limits/workPerByte``.
    public static func parsing(bytes: Int) -> UInt64 {
        let (variable, overflow) = UInt64(max(0, bytes)).multipliedReportingOverflow(by: parsingByte)
        return overflow ? .max : variable.addingReportingOverflow(parsingBase).overflow ? .max : variable + parsingBase
    }

    static func bulkBytes(_ count: UInt64) -> UInt64 {
        count / bulkBytesPerUnit + (count % bulkBytesPerUnit == 0 ? 0 : 1)
    }

    static func locals(_ count: Int) -> UInt64 {
        (UInt64(count) + localsPerUnit - 1) / localsPerUnit
    }
}
