/// Reads Borsh values out of bytes that may come from anybody.
public struct BorshDecoder: Sendable {
    @usableFromInline let bytes: [UInt8]
    @usableFromInline var position = 0

    @inlinable public var offset: Int { position }

    @inlinable
    public init(_ bytes: [UInt8]) {
        self.bytes = bytes
    }

    /// The bytes that were read since an earlier ``offset``.
    @inlinable
    public func bytes(since start: Int) -> [UInt8] {
        Array(bytes[max(0, min(start, position))..<position])
    }

    @inlinable public var remaining: Int { bytes.count - offset }

    /// Throws unless everything was read.
    @inlinable
    public func finish() throws(BorshError) {
        guard remaining == 0 else { throw BorshError(.trailingBytes(remaining), at: offset) }
    }

    @inlinable
    public func failure(_ reason: BorshError.Reason) -> BorshError {
        BorshError(reason, at: offset)
    }

    @inlinable
    public mutating func integer<T: FixedWidthInteger>(_ type: T.Type = T.self) throws(BorshError) -> T {
        let size = MemoryLayout<T>.size
        try need(size)
        var value: T = 0
        let start = position
        withUnsafeMutableBytes(of: &value) { target in
            bytes.withUnsafeBytes { target.copyMemory(from: UnsafeRawBufferPointer(rebasing: $0[start..<start + size])) }
        }
        position += size
        return T(littleEndian: value)
    }

    @inlinable
    public mutating func bool() throws(BorshError) -> Bool {
        let byte: UInt8 = try integer()
        switch byte {
        case 0: return false
        case 1: return true
        default: throw BorshError(.unknownTag(byte), at: offset - 1)
        }
    }

    @inlinable
    public mutating func fixed(_ count: Int) throws(BorshError) -> [UInt8] {
        try need(count)
        defer { position += count }
        return Array(bytes[position..<position + count])
    }

    /// 32 bytes as four big-endian words, without an array on the way.
    @inlinable
    public mutating func bigEndianWords() throws(BorshError) -> (UInt64, UInt64, UInt64, UInt64) {
        try need(32)
        let (a, b, c, d): (UInt64, UInt64, UInt64, UInt64) = (try integer(), try integer(), try integer(), try integer())
        return (a.byteSwapped, b.byteSwapped, c.byteSwapped, d.byteSwapped)
    }

    /// A u32 length of at most `limit`, then that many bytes.
    @inlinable
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

    @inlinable
    public mutating func value<Value: BorshDecodable>(_ type: Value.Type = Value.self) throws(BorshError) -> Value {
        try Value(from: &self)
    }

    /// - Parameter smallestElement: the fewest bytes an element can take; bounds the allocation by what is there.
    @inlinable
    public mutating func array<Element: BorshDecodable>(
        of type: Element.Type = Element.self, limit: Int, smallestElement: Int = 1
    ) throws(BorshError) -> [Element] {
        let count = try length(limit: limit, smallestElement: smallestElement)
        var result: [Element] = []
        result.reserveCapacity(min(count, 1024))
        for _ in 0..<count { result.append(try Element(from: &self)) }
        return result
    }

    @inlinable
    public mutating func optional<Value: BorshDecodable>(_ type: Value.Type = Value.self) throws(BorshError) -> Value? {
        try bool() ? try Value(from: &self) : nil
    }

    /// A u32 length that the limit allows and the bytes at hand can hold.
    @inlinable
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

    @inlinable
    func need(_ count: Int) throws(BorshError) {
        guard count >= 0, count <= remaining else {
            throw BorshError(.truncated(needed: count, available: remaining), at: offset)
        }
    }
}
