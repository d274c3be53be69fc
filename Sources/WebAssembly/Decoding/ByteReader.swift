/// Reads a module's bytes within `offset ..< end` and never beyond.
struct ByteReader {
    let bytes: [UInt8]
    private(set) var offset: Int
    private(set) var end: Int

    init(_ bytes: [UInt8]) {
        self.bytes = bytes
        offset = 0
        end = bytes.count
    }

    private init(_ bytes: [UInt8], _ range: Range<Int>) {
        self.bytes = bytes
        offset = range.lowerBound
        end = range.upperBound
    }

    var isAtEnd: Bool { offset >= end }
    var remaining: Int { end - offset }

    func malformed(_ reason: String) -> ModuleError {
        ModuleError(.malformed, at: offset, reason)
    }

    mutating func byte() throws(ModuleError) -> UInt8 {
        guard offset < end else { throw malformed("unexpected end") }
        defer { offset += 1 }
        return bytes[offset]
    }

    mutating func take(_ count: Int) throws(ModuleError) -> Range<Int> {
        guard count >= 0, count <= remaining else { throw malformed("length \(count) exceeds what is left") }
        defer { offset += count }
        return offset..<(offset + count)
    }

    /// A reader over the next `count` bytes, which this reader skips.
    mutating func slice(_ count: Int) throws(ModuleError) -> ByteReader {
        ByteReader(bytes, try take(count))
    }

    mutating func fixed32() throws(ModuleError) -> UInt32 {
        try take(4).reversed().reduce(0) { $0 << 8 | UInt32(bytes[$1]) }
    }

    mutating func fixed64() throws(ModuleError) -> UInt64 {
        try take(8).reversed().reduce(0) { $0 << 8 | UInt64(bytes[$1]) }
    }
}

// LEB128 (specification 1.0, section 5.2.2): padding is fine up to ceil(N / 7) bytes,
// and the unused bits of the last possible byte must be zero or extend the sign.
extension ByteReader {
    mutating func unsigned32() throws(ModuleError) -> UInt32 {
        if offset < end, bytes[offset] < 0x80 {
            defer { offset += 1 }
            return UInt32(bytes[offset])
        }
        var result: UInt32 = 0
        for shift in stride(from: UInt32(0), to: 35, by: 7) {
            let next = try byte()
            if shift == 28, next & 0xf0 != 0 {
                throw malformed(next & 0x80 != 0 ? "integer representation too long" : "integer too large")
            }
            result |= UInt32(next & 0x7f) << shift
            if next & 0x80 == 0 { break }
        }
        return result
    }

    mutating func index() throws(ModuleError) -> Int {
        Int(try unsigned32())
    }

    mutating func signed32() throws(ModuleError) -> Int32 {
        Int32(truncatingIfNeeded: try signed(bits: 32))
    }

    mutating func signed33() throws(ModuleError) -> Int64 {
        try signed(bits: 33)
    }

    mutating func signed64() throws(ModuleError) -> Int64 {
        try signed(bits: 64)
    }

    private mutating func signed(bits: Int) throws(ModuleError) -> Int64 {
        var result: Int64 = 0
        var shift = 0
        while true {
            let next = try byte()
            let left = bits - shift
            if left <= 7 {
                guard next & 0x80 == 0 else { throw malformed("integer representation too long") }
                let extension_ = Int8(bitPattern: next << 1) >> Int8(left)
                guard extension_ == 0 || extension_ == -1 else { throw malformed("integer too large") }
            }
            result |= Int64(next & 0x7f) << Int64(shift)
            shift += 7
            if next & 0x80 == 0 {
                if shift < 64, next & 0x40 != 0 { result |= -1 << Int64(shift) }
                return result
            }
        }
    }
}

extension ByteReader {
    /// The length of a vector of elements that take at least `elementBytes` each.
    mutating func vectorLength(
        elementBytes: Int = 1, atMost limit: Int, of what: String
    ) throws(ModuleError) -> Int {
        let start = offset
        let count = try index()
        guard count <= remaining / elementBytes else {
            throw ModuleError(.malformed, at: start, "\(count) \(what) can't fit in the section")
        }
        guard count <= limit else {
            throw ModuleError(.limitExceeded, at: start, "\(count) \(what), at most \(limit) allowed")
        }
        return count
    }

    mutating func name(limits: Limits) throws(ModuleError) -> String {
        try name(at: try nameRange(limits: limits))
    }

    /// Where a name's bytes are.
    mutating func nameRange(limits: Limits) throws(ModuleError) -> Range<Int> {
        try take(try vectorLength(atMost: limits.nameBytes, of: "bytes of a name"))
    }

    func name(at range: Range<Int>) throws(ModuleError) -> String {
        guard let name = String(validating: bytes[range], as: UTF8.self) else {
            throw ModuleError(.malformed, at: range.lowerBound, "a name is not UTF-8")
        }
        return name
    }

    /// The next byte, which stays.
    func peek() throws(ModuleError) -> UInt8 {
        guard offset < end else { throw malformed("unexpected end") }
        return bytes[offset]
    }

    mutating func valueType() throws(ModuleError) -> ValueType {
        let start = offset
        let code = try byte()
        if let type = ValueType(rawValue: code) { return type }
        switch code {
        case 0x7b: throw ModuleError(.unsupported, at: start, "SIMD is not supported (type v128)")
        case 0x70, 0x6f: throw ModuleError(.unsupported, at: start, "reference types are not supported as values")
        default: throw ModuleError(.malformed, at: start, "unknown value type 0x\(hex(code))")
        }
    }
}

func hex(_ byte: UInt8) -> String {
    let digits = String(byte, radix: 16)
    return digits.count < 2 ? "0" + digits : digits
}
