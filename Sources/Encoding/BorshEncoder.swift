/// Appends values in Borsh form: fixed little-endian integers, u32 lengths, no padding.
public struct BorshEncoder: Sendable {
    public private(set) var bytes: [UInt8] = []

    public init() {}

    public init(reserving capacity: Int) {
        bytes.reserveCapacity(capacity)
    }

    public mutating func integer<T: FixedWidthInteger>(_ value: T) {
        withUnsafeBytes(of: value.littleEndian) { bytes.append(contentsOf: $0) }
    }

    public mutating func bool(_ value: Bool) {
        bytes.append(value ? 1 : 0)
    }

    /// Bytes without a length: for fixed-size fields.
    public mutating func fixed(_ value: some Sequence<UInt8>) {
        bytes.append(contentsOf: value)
    }

    /// A u32 length, then the bytes.
    public mutating func variable(_ value: [UInt8]) {
        integer(UInt32(truncatingIfNeeded: value.count))
        bytes.append(contentsOf: value)
    }

    public mutating func string(_ value: String) {
        variable(Array(value.utf8))
    }

    public mutating func value(_ value: some BorshEncodable) {
        value.encode(to: &self)
    }

    public mutating func array<Element: BorshEncodable>(_ values: [Element]) {
        integer(UInt32(truncatingIfNeeded: values.count))
        for element in values { element.encode(to: &self) }
    }

    public mutating func optional<Value: BorshEncodable>(_ value: Value?) {
        bool(value != nil)
        value?.encode(to: &self)
    }
}
