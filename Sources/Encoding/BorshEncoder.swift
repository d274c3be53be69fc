/// Appends values in Borsh form: fixed little-endian integers, u32 lengths, no padding.
public struct BorshEncoder: Sendable {
    @usableFromInline var buffer: [UInt8] = []

    @inlinable public var bytes: [UInt8] { buffer }
    @inlinable public var count: Int { buffer.count }

    @inlinable public init() {}

    @inlinable
    public init(reserving capacity: Int) {
        buffer.reserveCapacity(capacity)
    }

    /// Starts over with the same memory.
    @inlinable
    public mutating func removeAll() { buffer.removeAll(keepingCapacity: true) }

    @inlinable
    public mutating func fixed(_ value: [UInt8]) {
        buffer.append(contentsOf: value)
    }

    @inlinable
    public mutating func integer<T: FixedWidthInteger>(_ value: T) {
        withUnsafeBytes(of: value.littleEndian) { buffer.append(contentsOf: $0) }
    }

    @inlinable
    public mutating func bool(_ value: Bool) {
        buffer.append(value ? 1 : 0)
    }

    /// Bytes without a length: for fixed-size fields.
    @inlinable
    public mutating func fixed(_ value: some Sequence<UInt8>) {
        buffer.append(contentsOf: value)
    }

    /// Four big-endian words: 32 bytes.
    @inlinable
    public mutating func bigEndianWords(_ a: UInt64, _ b: UInt64, _ c: UInt64, _ d: UInt64) {
        let words = (a.bigEndian, b.bigEndian, c.bigEndian, d.bigEndian)
        withUnsafeBytes(of: words) { buffer.append(contentsOf: $0) }
    }

    /// A u32 length, then the bytes.
    @inlinable
    public mutating func variable(_ value: [UInt8]) {
        integer(UInt32(truncatingIfNeeded: value.count))
        buffer.append(contentsOf: value)
    }

    public mutating func string(_ value: String) {
        variable(Array(value.utf8))
    }

    @inlinable
    public mutating func value(_ value: some BorshEncodable) {
        value.encode(to: &self)
    }

    @inlinable
    public mutating func array<Element: BorshEncodable>(_ values: [Element]) {
        integer(UInt32(truncatingIfNeeded: values.count))
        for element in values { element.encode(to: &self) }
    }

    @inlinable
    public mutating func optional<Value: BorshEncodable>(_ value: Value?) {
        bool(value != nil)
        value?.encode(to: &self)
    }
}
