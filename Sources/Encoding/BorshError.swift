/// Why bytes are not the canonical encoding of the expected type, and where decoding stopped.
public struct BorshError: Error, Equatable, Sendable, CustomStringConvertible {
    public enum Reason: Equatable, Sendable {
        case truncated(needed: Int, available: Int)
        case trailingBytes(Int)
        case lengthOverLimit(length: Int, limit: Int)
        case unknownTag(UInt8)
        case notCanonical(String)
        case invalidUTF8
    }

    public let reason: Reason
    /// Byte offset from the start of the message.
    public let offset: Int

    public init(_ reason: Reason, at offset: Int) {
        self.reason = reason
        self.offset = offset
    }

    public var description: String {
        let what =
            switch reason {
            case .truncated(let needed, let available): "needs \(needed) bytes, \(available) are left"
            case .trailingBytes(let count): "\(count) bytes follow the end of the value"
            case .lengthOverLimit(let length, let limit): "length \(length) is over the limit of \(limit)"
            case .unknownTag(let tag): "unknown tag \(tag)"
            case .notCanonical(let detail): "not canonical: \(detail)"
            case .invalidUTF8: "text is not UTF-8"
            }
        return "malformed encoding at byte \(offset): \(what)"
    }
}
