import Cryptography
import Encoding
import Foundation
import Primitives

/// A number that JSON carries as a decimal string, since many readers of JSON round numbers above 2^53.
@propertyWrapper
public struct DecimalText<Value: FixedWidthInteger & UnsignedInteger & Sendable>: Codable, Hashable, Sendable {
    public var wrappedValue: Value

    public init(wrappedValue: Value) { self.wrappedValue = wrappedValue }
    public init(_ value: Value) { wrappedValue = value }

    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        let text = try container.decode(String.self)
        guard let value = Value(text), String(value) == text else {
            throw DecodingError.dataCorruptedError(
                in: container,
                debugDescription: "'\(text.prefix(48))' is not a whole decimal number of \(Value.bitWidth) bits")
        }
        wrappedValue = value
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(String(wrappedValue))
    }
}

/// 32 bytes as 64 lower-case hexadecimal digits.
@propertyWrapper
public struct HexText<Value: Bytes32>: Codable, Hashable, Sendable {
    public var wrappedValue: Value

    public init(wrappedValue: Value) { self.wrappedValue = wrappedValue }
    public init(_ value: Value) { wrappedValue = value }

    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        let text = try container.decode(String.self)
        guard let value = Value(hex: text), value.hex == text else {
            throw DecodingError.dataCorruptedError(
                in: container, debugDescription: "'\(text.prefix(80))' is not 64 lower-case hexadecimal digits")
        }
        wrappedValue = value
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(wrappedValue.hex)
    }
}

/// An account as Bech32m.
@propertyWrapper
public struct AddressText: Codable, Hashable, Sendable {
    public var wrappedValue: Account

    public init(wrappedValue: Account) { self.wrappedValue = wrappedValue }
    public init(_ value: Account) { wrappedValue = value }

    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        let text = try container.decode(String.self)
        do { wrappedValue = try Account(address: String(text.prefix(128))) } catch {
            throw DecodingError.dataCorruptedError(in: container, debugDescription: "\(error)")
        }
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(wrappedValue.description)
    }
}

/// Bytes as base64 (RFC 4648, section 4, with padding).
@propertyWrapper
public struct Base64Text: Codable, Hashable, Sendable {
    public var wrappedValue: [UInt8]

    public init(wrappedValue: [UInt8]) { self.wrappedValue = wrappedValue }
    public init(_ value: [UInt8]) { wrappedValue = value }

    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        guard let data = Data(base64Encoded: try container.decode(String.self)) else {
            throw DecodingError.dataCorruptedError(in: container, debugDescription: "not base64")
        }
        wrappedValue = Array(data)
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(Data(wrappedValue).base64EncodedString())
    }
}

/// Bytes that are text by convention: the text itself if it is printable and does not start with `0x`, else `0x` and
/// hexadecimal digits. The two forms never collide.
public enum PrintableBytes {
    public static func text(_ bytes: [UInt8]) -> String {
        if let text = String(validating: bytes, as: UTF8.self), !text.hasPrefix("0x"),
            text.unicodeScalars.allSatisfy({ $0.value >= 0x20 && !(0x7f...0x9f).contains($0.value) })
        {
            return text
        }
        return "0x" + Hexadecimal.encode(bytes)
    }

    /// Nil only for `0x` that is not followed by an even number of hexadecimal digits.
    public static func bytes(_ text: String) -> [UInt8]? {
        text.hasPrefix("0x") ? Hexadecimal.decode(String(text.dropFirst(2))) : Array(text.utf8)
    }
}

/// A service or post name.
@propertyWrapper
public struct LabelText<Value: Label>: Codable, Hashable, Sendable {
    public var wrappedValue: Value

    public init(wrappedValue: Value) { self.wrappedValue = wrappedValue }
    public init(_ value: Value) { wrappedValue = value }

    /// Nil for more than 32 bytes and for a wrong `0x...`.
    public init?(text: String) {
        guard let bytes = PrintableBytes.bytes(text), let value = Value(bytes) else { return nil }
        wrappedValue = value
    }

    public var text: String { PrintableBytes.text(wrappedValue.bytes) }

    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        let text = try container.decode(String.self)
        guard let value = Self(text: text) else {
            throw DecodingError.dataCorruptedError(
                in: container,
                debugDescription: "'\(text.prefix(80))' is not a name of at most \(ChainLimits.labelBytes) bytes")
        }
        self = value
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(text)
    }
}

/// The topic of a contract's event.
@propertyWrapper
public struct TopicText: Codable, Hashable, Sendable {
    public var wrappedValue: [UInt8]

    public init(wrappedValue: [UInt8]) { self.wrappedValue = wrappedValue }

    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        guard let bytes = PrintableBytes.bytes(try container.decode(String.self)) else {
            throw DecodingError.dataCorruptedError(in: container, debugDescription: "wrong 0x... topic")
        }
        wrappedValue = bytes
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(PrintableBytes.text(wrappedValue))
    }
}
