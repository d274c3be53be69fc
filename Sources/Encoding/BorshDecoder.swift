/// Reads Borsh values out of bytes that may come from anybody.
public struct BorshDecoder: Sendable {
    private let bytes: [UInt8]
    public private(set) var offset: Int = 0

    public init(_ bytes: [UInt8]) {
        self.bytes = bytes
    }

    public var remaining: Int { bytes.count - offset }

    /// Throws unless everything was read.
    public func finish() throws(BorshError) {
        guard remaining == 0 else { throw BorshError(.trailingBytes(remaining), at: offset) }
    }

    public func failure(_ reason: BorshError.Reason) -> BorshError {
        BorshError(reason, at: offset)
    }

    public mutating func integer<T: FixedWidthInteger>(_ type: T.Type = T.self) throws(BorshError) -> T {
        let size = T.bitWidth / 8
        try need(size)
        var value: T = 0
        withUnsafeMutableBytes(of: &value) { target in
            for index in 0..<size { target[index] = bytes[offset + index] }
        }
        offset += size
        return T(littleEndian: value)
    }

    public mutating func bool() throws(BorshError) -> Bool {
        let byte: UInt8 = try integer()
        switch byte {
        case 0: return false
        case 1: return true
        default: throw BorshError(.unknownTag(byte), at: offset - 1)
        }
    }

    public mutating func fixed(_ count: Int) throws(BorshError) -> [UInt8] {
        try need(count)
        defer { offset += count }
        return Array(bytes[offset..<offset + count])
    }

    /// A u32 length of at most `limit`, then that many bytes.
    public mutating func variable(limit: Int) throws(BorshError) -> [UInt8] {
        let count = try length(limit: limit, smallestElement: 1)
        return try fixed(count)
    }

    public mutating func string(limit: Int) throws(BorshError) -> String {
        let start = offset
        let raw = try variable(limit: limit)
        guard let text = String(validating: raw, as: UTF8.self) else { throw BorshError(.invalidUTF8, at: start) }
        return text
    }

    public mutating func value<Value: BorshDecodable>(_ type: Value.Type = Value.self) throws(BorshError) -> Value {
        try Value(from: &self)
    }

    /// - Parameter smallestElement: the fewest bytes an element can take; bounds the allocation by what is there.
    public mutating func array<Element: BorshDecodable>(
        of type: Element.Type = Element.self, limit: Int, smallestElement: Int = 1
    ) throws(BorshError) -> [Element] {
        let count = try length(limit: limit, smallestElement: smallestElement)
        var result: [Element] = []
        result.reserveCapacity(min(count, 1024))
        for _ in 0..<count { result.append(try Element(from: &self)) }
        return result
    }

    public mutating func optional<Value: BorshDecodable>(_ type: Value.Type = Value.self) throws(BorshError) -> Value? {
        try bool() ? try Value(from: &self) : nil
    }

    /// A u32 length that the limit allows and the bytes at hand can hold.
    public mutating func length(limit: Int, smallestElement: Int) throws(BorshError) -> Int {
        let start = offset
        let declared: UInt32 = try integer()
        guard let count = Int(exactly: declared), count <= limit else {
            throw BorshError(.lengthOverLimit(length: Int(clamping: declared), limit: limit), at: start)
        }
        let (needed, overflow) = count.multipliedReportingOverflow(by: max(1, smallestElement))
        guard !overflow, needed <= remaining else {
            throw BorshError(.truncated(needed: overflow ? Int.max : needed, available: remaining), at: start)
        }
        return count
    }

    private func need(_ count: Int) throws(BorshError) {
        guard count >= 0, count <= remaining else {
            throw BorshError(.truncated(needed: count, available: remaining), at: offset)
        }
    }
}
