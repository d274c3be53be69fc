/// Why bytes are not an acceptable module.
public struct ModuleError: Error, Sendable, Hashable, CustomStringConvertible {
    public enum Kind: String, Sendable, Hashable {
        /// The bytes don't follow the binary format.
        case malformed
        /// The module decodes but breaks a validation rule of the specification.
        case invalid
        /// The module uses a feature that this engine refuses.
        case unsupported
        /// The module is larger than ``Limits`` allows.
        case limitExceeded = "limit exceeded"
    }

    public var kind: Kind
    /// Byte offset within the module at which the error was found.
    public var offset: Int
    /// What was wrong, for people.
    public var reason: String

    public init(_ kind: Kind, at offset: Int, _ reason: String) {
        self.kind = kind
        self.offset = offset
        self.reason = reason
    }

    public var description: String {
        "\(kind.rawValue) module at byte \(offset): \(reason)"
    }
}
