import CTensorKernels

/// The processor's vector instructions that the kernels use. All give the same bits; only the speed differs.
public enum InstructionSet: Int, Sendable, CaseIterable, CustomStringConvertible {
    /// What every processor of the architecture has: 128-bit vectors on x86-64 and arm64.
    case scalar = 0
    case avx2 = 1
    case avx512 = 2

    /// The widest that this processor has, found at run time.
    public static let widest = InstructionSet(rawValue: Int(ept_widest())) ?? .scalar

    /// Those that this processor has.
    public static var available: [InstructionSet] { allCases.filter { $0.rawValue <= widest.rawValue } }

    /// The one in use. Tests set it for a task, to hold that nothing but time depends on it; a set that the processor
    /// lacks gives way to the widest that it has.
    @TaskLocal public static var current = InstructionSet.widest

    /// For the kernels.
    static var code: Int32 { Int32(min(current.rawValue, widest.rawValue)) }

    public var description: String {
        switch self {
        case .scalar: "scalar"
        case .avx2: "AVX2"
        case .avx512: "AVX-512"
        }
    }
}
