/// What a module may ask for. Every number that a module can choose has its bound here.
public struct Limits: Sendable, Hashable {
    // Static: checked while a module is parsed.

    /// Bytes of the whole module.
    public var moduleBytes = 65_000
    /// Entries of the type section.
    public var types = 1_024
    /// Parameters of one function type.
    public var parametersPerType = 64
    /// Results of one function type.
    public var resultsPerType = 4
    /// Parameters and results of one block, which each branch to it carries.
    public var blockValues = 4
    /// Imported functions.
    public var imports = 256
    /// Functions that the module defines.
    public var functions = 4_096
    /// Exports.
    public var exports = 1_024
    /// UTF-8 bytes in one import or export name.
    public var nameBytes = 256
    /// Global variables.
    public var globals = 1_024
    /// Entries of the table at its declared minimum, which is also its size for good.
    public var tableEntries = 4_096
    /// Element segments.
    public var elementSegments = 1_024
    /// Data segments.
    public var dataSegments = 4_096
    /// Parameters and local variables of one function.
    public var localsPerFunction = 4_096
    /// Operands on one function's stack at a time.
    public var operandsPerFunction = 4_096
    /// Blocks open at a time within one function.
    public var blockDepth = 4_096
    /// Targets of one `br_table`, the default not counted.
    public var branchTableTargets = 4_096
    /// Steps of checking and compiling for each byte of the code so far, and those that come before.
    ///
    /// No module should get there: what takes many steps for few bytes has a bound of its own above. It is the last
    /// line, which makes a module that takes long a refused one.
    public var workPerByte = 32
    public var workBase = 4_096
    /// Pages of linear memory: at the declared minimum, and what `memory.grow` can reach.
    public var memoryPages = 64

    // Dynamic: checked while a module runs.

    /// 64-bit slots that the frames of all active calls take together.
    public var valueStackSlots = 65_536
    /// Active calls within one instance.
    public var callDepth = 256

    /// The limits that contracts live under. They are part of the protocol: all nodes must agree on them.
    public static let contract = Limits()

    public init() {}

    /// Bytes in one page of linear memory (specification 1.0, section 4.2.8).
    public static let pageBytes = 65_536
}

extension Limits {
    /// Frame slots are addressed by 16 bits in the compiled code, whatever the limits say.
    static let addressableSlots = 65_535
    /// Jumps are distances of 31 bits in bytes.
    static let addressableInstructions = 1 << 26
}
