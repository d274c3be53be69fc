/// TensorBoard's event files: records in the TFRecord framing (length, masked CRC-32C of it, data, masked CRC-32C of
/// them), each an `Event` of tensorflow/core/util/event.proto, of which only scalars are written here.
public struct EventFile: Sendable {
    public private(set) var bytes: [UInt8] = []

    /// Starts the file as TensorBoard expects it.
    /// - Parameter time: of the wall clock, in seconds since 1970.
    public init(time: Double) {
        append(Self.event(time: time) { $0.string(3, "brain.Event:2") })
    }

    public mutating func scalar(_ tag: String, step: Int, value: Double, time: Double) {
        append(
            Self.event(time: time) { event in
                event.integer(2, UInt64(bitPattern: Int64(step)))
                event.message(5) { summary in
                    summary.message(1) { value_ in
                        value_.string(1, tag)
                        value_.float(2, Float(value))
                    }
                }
            })
    }

    /// The next bytes to write, when the file is written as it grows.
    public mutating func take() -> [UInt8] {
        defer { bytes = [] }
        return bytes
    }

    private static func event(time: Double, _ body: (inout ProtocolBuffer) -> Void) -> [UInt8] {
        var event = ProtocolBuffer()
        event.double(1, time)
        body(&event)
        return event.bytes
    }

    private mutating func append(_ record: [UInt8]) {
        let length = Self.littleEndian(UInt64(record.count), 8)
        bytes += length + Self.littleEndian(UInt64(Self.masked(length)), 4)
        bytes += record + Self.littleEndian(UInt64(Self.masked(record)), 4)
    }

    package static func littleEndian(_ value: UInt64, _ count: Int) -> [UInt8] {
        (0..<count).map { UInt8(truncatingIfNeeded: value >> (8 * UInt64($0))) }
    }

    /// TFRecord's: a CRC over data that hold CRCs is no good, so it is turned and shifted.
    package static func masked(_ data: [UInt8]) -> UInt32 {
        let crc = crc32c(data)
        return (crc >> 15 | crc << 17) &+ 0xA282_EAD8
    }

    /// CRC-32C (RFC 3720, appendix B.4), bit by bit: records are short.
    package static func crc32c(_ data: [UInt8]) -> UInt32 {
        var crc = UInt32.max
        for byte in data {
            crc ^= UInt32(byte)
            for _ in 0..<8 { crc = crc >> 1 ^ (0x82F6_3B78 & (0 &- (crc & 1))) }
        }
        return ~crc
    }
}

/// The wire format of Protocol Buffers, as far as events need it.
struct ProtocolBuffer {
    private(set) var bytes: [UInt8] = []

    mutating func integer(_ field: UInt64, _ value: UInt64) {
        varint(field << 3)
        varint(value)
    }

    mutating func double(_ field: UInt64, _ value: Double) {
        varint(field << 3 | 1)
        bytes += EventFile.littleEndian(value.bitPattern, 8)
    }

    mutating func float(_ field: UInt64, _ value: Float) {
        varint(field << 3 | 5)
        bytes += EventFile.littleEndian(UInt64(value.bitPattern), 4)
    }

    mutating func string(_ field: UInt64, _ text: String) { data(field, Array(text.utf8)) }

    mutating func message(_ field: UInt64, _ body: (inout ProtocolBuffer) -> Void) {
        var inner = ProtocolBuffer()
        body(&inner)
        data(field, inner.bytes)
    }

    private mutating func data(_ field: UInt64, _ content: [UInt8]) {
        varint(field << 3 | 2)
        varint(UInt64(content.count))
        bytes += content
    }

    private mutating func varint(_ value: UInt64) {
        var value = value
        while value >= 0x80 {
            bytes.append(UInt8(truncatingIfNeeded: value) | 0x80)
            value >>= 7
        }
        bytes.append(UInt8(value))
    }
}
