/// Text for messages, made of literals, unsigned integers, accounts and digests. It stands in for
/// `String`, whose Unicode tables would outweigh most contracts.
///
/// ```swift
/// Chain.fail("commit for round \(round) refused: the job is in round \(job.round)")
/// ```
struct Text: ExpressibleByStringInterpolation {
    private var writer = Writer()

    var utf8: Bytes { writer.bytes }

    init() {}
    @inline(never)
    init(stringLiteral literal: StaticString) { append(literal) }
    init(stringInterpolation interpolation: Interpolation) { self = interpolation.text }

    @inline(never)
    mutating func append(_ literal: StaticString) { writer.write(raw: Bytes(literal)) }

    @inline(never)
    mutating func append(decimal value: UInt64) {
        if value >= 10 { append(decimal: value / 10) }
        writer.write(UInt8(truncatingIfNeeded: value % 10) &+ UInt8(ascii: "0"))
    }

    @inline(never)
    mutating func append(hex bytes: Bytes32) {
        bytes.withPointer {
            for byte in Bytes(start: $0, count: Bytes32.byteCount) {
                append(hexDigit: byte >> 4)
                append(hexDigit: byte & 15)
            }
        }
    }

    private mutating func append(hexDigit digit: UInt8) {
        writer.write(digit < 10 ? digit &+ UInt8(ascii: "0") : digit &- 10 &+ UInt8(ascii: "a"))
    }

    struct Interpolation: StringInterpolationProtocol {
        typealias StringLiteralType = StaticString
        fileprivate(set) var text = Text()

        init(literalCapacity: Int, interpolationCount: Int) {}
        mutating func appendLiteral(_ literal: StaticString) { text.append(literal) }
        mutating func appendInterpolation(_ literal: StaticString) { text.append(literal) }
        mutating func appendInterpolation(_ other: Text) { text.writer.write(raw: other.utf8) }
        mutating func appendInterpolation(_ value: some FixedWidthInteger & UnsignedInteger) {
            text.append(decimal: UInt64(truncatingIfNeeded: value))
        }
        mutating func appendInterpolation(_ account: Account) { text.append(hex: account.bytes) }
        mutating func appendInterpolation(_ digest: Digest) { text.append(hex: digest.bytes) }
    }
}
