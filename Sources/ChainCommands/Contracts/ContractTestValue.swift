import Cryptography
import Encoding
import Primitives
import Yams

/// Bytes as a test says them: a text, `{u64: 5}`, `{hex: 00ff}`, `{account: alice}`, `{sha256: ...}`, or a list of such,
/// one behind the other. Names of accounts are resolved when a test runs: the contract's own is not known before.
indirect enum ContractTestValue {
    case bytes([UInt8])
    case account(String)
    case sha256(ContractTestValue)
    case joined([ContractTestValue])

    struct Mistake: Error {
        let line: Int?
        let message: String

        init(node: Node, message: String) {
            line = node.mark?.line
            self.message = message
        }
    }

    init(_ node: Node) throws {
        switch node {
        case .scalar(let scalar):
            // Text or a number of which width? Both would be a guess.
            if scalar.style == .plain, UInt128(scalar.string) != nil {
                throw Mistake(
                    node: node, message: "\(scalar.string) is a number: say {u64: \(scalar.string)}, or \"\(scalar.string)\" for the text")
            }
            self = .bytes(Array(scalar.string.utf8))
        case .sequence(let list): self = .joined(try list.map { try ContractTestValue($0) })
        case .mapping(let mapping):
            guard mapping.count == 1, let (key, value) = mapping.first(where: { _ in true }), let form = key.scalar?.string else {
                throw Mistake(node: node, message: "a value is a text, or one of {u64: 5}, {hex: 00ff}, {account: alice}, {sha256: text}")
            }
            self = try Self.form(form, value)
        case .alias: throw Mistake(node: node, message: "references have no place here")
        }
    }

    private static func form(_ form: String, _ node: Node) throws -> ContractTestValue {
        if form == "sha256" { return .sha256(try ContractTestValue(node)) }
        guard let text = node.scalar?.string else { throw Mistake(node: node, message: "\(form) takes one text or number") }
        func integer<Number: FixedWidthInteger & BorshEncodable>(_: Number.Type) throws -> ContractTestValue {
            guard let number = Number(text.filter { $0 != "," && $0 != "_" }) else {
                throw Mistake(node: node, message: "'\(text)' is no \(form): a number from \(Number.min) to \(Number.max)")
            }
            return .bytes(number.borsh)
        }
        switch form {
        case "text": return .bytes(Array(text.utf8))
        case "account": return .account(text)
        case "hex":
            guard let bytes = Hexadecimal.decode(text) else {
                throw Mistake(node: node, message: "'\(text)' is no even number of hexadecimal digits")
            }
            return .bytes(bytes)
        case "string": return .bytes(UInt32(truncatingIfNeeded: text.utf8.count).borsh + Array(text.utf8))
        case "u8": return try integer(UInt8.self)
        case "u16": return try integer(UInt16.self)
        case "u32": return try integer(UInt32.self)
        case "u64": return try integer(UInt64.self)
        case "u128": return try integer(UInt128.self)
        default:
            let forms = ["text", "string", "hex", "u8", "u16", "u32", "u64", "u128", "account", "sha256"]
            throw Mistake(node: node, message: "there is no form '\(form)'; there are \(forms.joined(separator: ", "))")
        }
    }

    /// - Parameter account: who goes by a name; nil where nobody does.
    func resolve(_ account: (String) -> Account?) throws -> [UInt8] {
        switch self {
        case .bytes(let bytes): return bytes
        case .account(let name):
            guard let account = account(name) else { throw UnknownAccount(name: name) }
            return account.bytes
        case .sha256(let value): return Digest(sha256: try value.resolve(account)).bytes
        case .joined(let values): return try values.flatMap { try $0.resolve(account) }
        }
    }

    struct UnknownAccount: Error, CustomStringConvertible {
        let name: String
        var description: String { "there is no account '\(name)'" }
    }
}
