/// Why execution stopped before it returned. The instance's memory stays readable, but a host should
/// take none of the instance's effects as valid.
public enum Trap: Error, Sendable, Hashable {
    /// The `unreachable` instruction.
    case unreachable
    /// The gas left did not cover what came next. No gas is left.
    case outOfGas
    case memoryOutOfBounds
    case tableOutOfBounds
    case divideByZero
    /// A quotient or a float's integral part does not fit the result type.
    case integerOverflow
    /// A NaN was converted to an integer.
    case invalidConversion
    /// `call_indirect` through an index beyond the table.
    case undefinedElement
    /// `call_indirect` through an empty table entry.
    case uninitializedElement
    /// `call_indirect` found a function of another type.
    case indirectCallTypeMismatch
    /// Too many active calls, or their frames exceed the value stack.
    case callStackExhausted
    /// The host asked for an export that is absent or no function.
    case exportNotFound(String)
    /// The host's arguments don't have the types of the export's parameters.
    case argumentMismatch
    /// A host function tried to run the instance that is calling it.
    case reentrantCall
    /// A host function ended the execution.
    case hostFailed(code: Int32, message: String)
}

extension Trap: CustomStringConvertible {
    public var description: String {
        switch self {
        case .unreachable: "unreachable executed"
        case .outOfGas: "out of gas"
        case .memoryOutOfBounds: "memory access out of bounds"
        case .tableOutOfBounds: "table access out of bounds"
        case .divideByZero: "integer divided by zero"
        case .integerOverflow: "integer overflow"
        case .invalidConversion: "NaN converted to an integer"
        case .undefinedElement: "indirect call through an index beyond the table"
        case .uninitializedElement: "indirect call through an empty table entry"
        case .indirectCallTypeMismatch: "indirect call to a function of another type"
        case .callStackExhausted: "call stack exhausted"
        case .exportNotFound(let name): "no exported function \(name.debugDescription)"
        case .argumentMismatch: "arguments don't match the function's parameters"
        case .reentrantCall: "instance called while it runs"
        case .hostFailed(let code, let message): "host function failed (\(code)): \(message)"
        }
    }
}
