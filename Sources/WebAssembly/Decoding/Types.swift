/// The number types (specification 1.0, section 2.3.1).
public enum ValueType: UInt8, Sendable, Hashable {
    case i32 = 0x7f
    case i64 = 0x7e
    case f32 = 0x7d
    case f64 = 0x7c

    /// In the order of ``TypeShape/one(_:)``.
    static let all: [ValueType] = [.i32, .i64, .f32, .f64]
}

extension ValueType: CustomStringConvertible {
    public var description: String {
        switch self {
        case .i32: "i32"
        case .i64: "i64"
        case .f32: "f32"
        case .f64: "f64"
        }
    }
}

/// Parameters and results of a function or a block.
public struct FunctionType: Sendable, Hashable {
    public var parameters: [ValueType]
    public var results: [ValueType]

    public init(_ parameters: [ValueType] = [], _ results: [ValueType] = []) {
        self.parameters = parameters
        self.results = results
    }
}

extension FunctionType: CustomStringConvertible {
    public var description: String {
        func list(_ types: [ValueType]) -> String {
            "(" + types.map(\.description).joined(separator: ", ") + ")"
        }
        return list(parameters) + " -> " + list(results)
    }
}

/// A number at the border between host and module. Floats are carried as bits, so that NaN payloads survive.
public enum Value: Sendable, Hashable {
    case i32(UInt32)
    case i64(UInt64)
    case f32(bits: UInt32)
    case f64(bits: UInt64)

    public var type: ValueType {
        switch self {
        case .i32: .i32
        case .i64: .i64
        case .f32: .f32
        case .f64: .f64
        }
    }

    /// The value as a stack slot: 32-bit values are zero-extended.
    var slot: UInt64 {
        switch self {
        case .i32(let value), .f32(bits: let value): UInt64(value)
        case .i64(let value), .f64(bits: let value): value
        }
    }

    init(slot: UInt64, type: ValueType) {
        switch type {
        case .i32: self = .i32(UInt32(truncatingIfNeeded: slot))
        case .i64: self = .i64(slot)
        case .f32: self = .f32(bits: UInt32(truncatingIfNeeded: slot))
        case .f64: self = .f64(bits: slot)
        }
    }
}

/// A function that the module expects from its host.
public struct Import: Sendable, Hashable {
    public var module: String
    public var name: String
    public var type: FunctionType

    public init(module: String, name: String, type: FunctionType) {
        self.module = module
        self.name = name
        self.type = type
    }
}

/// Something that the module offers under a name.
public struct Export: Sendable, Hashable {
    public enum Item: Sendable, Hashable {
        /// Index into the function index space: imports first, then the module's own.
        case function(Int)
        case table
        case memory
        case global(Int)
    }

    public var name: String
    public var item: Item
}

/// A global variable's type and its first value.
struct Global: Sendable, Hashable {
    var type: ValueType
    var isMutable: Bool
    var initial: UInt64
}

/// A memory's size in pages. `maximum` is the lower of the declared one and the limit.
struct MemoryType: Sendable, Hashable {
    var minimum: Int
    var maximum: Int
}

/// Names are compared by their bytes: Swift's own comparison of strings follows Unicode's canonical
/// equivalence, under which two names that a module holds apart could be one.
func sameBytes(_ left: String, _ right: String) -> Bool {
    left.utf8.elementsEqual(right.utf8)
}
