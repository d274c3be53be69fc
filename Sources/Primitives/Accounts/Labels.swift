import Encoding

/// Up to 32 bytes that name something; UTF-8 by convention.
public protocol Label: BorshCodable, Hashable, Comparable, Sendable, CustomStringConvertible {
    var bytes: [UInt8] { get }
    init(unchecked bytes: [UInt8])
}

extension Label {
    /// Nil when there are more than 32 bytes.
    public init?(_ bytes: [UInt8]) {
        guard bytes.count <= ChainLimits.labelBytes else { return nil }
        self.init(unchecked: bytes)
    }

    /// Nil when the text takes more than 32 bytes of UTF-8.
    public init?(_ text: String) { self.init(Array(text.utf8)) }

    /// The text, or `0x...` where the bytes are not UTF-8 or hold characters that would move or hide what a terminal
    /// or page shows around them (controls, bidirectional overrides, line separators).
    public var description: String {
        if let text = String(validating: bytes, as: UTF8.self), text.unicodeScalars.allSatisfy(\.isPlain) { return text }
        return "0x" + Hexadecimal.encode(bytes)
    }

    public static func < (lhs: Self, rhs: Self) -> Bool { lhs.bytes.lexicographicallyPrecedes(rhs.bytes) }

    public func encode(to encoder: inout BorshEncoder) { encoder.variable(bytes) }

    public init(from decoder: inout BorshDecoder) throws(BorshError) {
        self.init(unchecked: try decoder.variable(limit: ChainLimits.labelBytes))
    }
}

extension Unicode.Scalar {
    /// Fixed ranges rather than the Unicode tables of a runtime: descriptions reach receipts, which all nodes must
    /// agree on.
    fileprivate var isPlain: Bool {
        switch value {
        case 0..<0x20, 0x7f..<0xa0, 0xad, 0x61c, 0x180e, 0x200b...0x200f, 0x2028...0x202e, 0x2060...0x206f, 0xfeff,
            0xfff9...0xfffb, 0xe0000...0xe007f:
            false
        default: true
        }
    }
}

extension String {
    /// The longest run of whole Unicode scalars from the start that takes at most this many bytes of UTF-8.
    func truncated(utf8 limit: Int) -> String {
        var kept = UnicodeScalarView()
        var bytes = 0
        for scalar in unicodeScalars {
            bytes += UTF8.width(scalar)
            if bytes > limit { break }
            kept.append(scalar)
        }
        return String(kept)
    }
}

/// Names a service: a job, a dApp.
public struct ServiceId: Label {
    public let bytes: [UInt8]
    public init(unchecked bytes: [UInt8]) { self.bytes = bytes }

    /// The chain's own actions.
    public static let chain = ServiceId(unchecked: Array("chain".utf8))
}

/// Names an item within a service: a round, a task.
public struct PostId: Label {
    public let bytes: [UInt8]
    public init(unchecked bytes: [UInt8]) { self.bytes = bytes }

    public static let none = PostId(unchecked: [])
}
