// Borsh (borsh.io): fixed little-endian integers, u32 lengths, no padding. What a contract reads and
// writes goes through these two types.

/// A value with a Borsh form.
protocol BorshCodable {
    /// Reads one value, or fails the call with the reason.
    init(from reader: inout Reader)
    func encode(to writer: inout Writer)
}

/// A bounded cursor over bytes from outside. Every read checks the bounds; what is malformed ends
/// the call with a message that says what was read.
struct Reader {
    private var rest: Bytes
    /// What the bytes are, for messages: "commitment", "init data".
    private let subject: StaticString

    init(_ bytes: Bytes, of subject: StaticString) {
        rest = bytes
        self.subject = subject
    }

    var remaining: Int { rest.count }

    /// Every value must be read to its end: trailing bytes are an error.
    @inline(never)
    func finish() {
        guard remaining == 0 else { malformed("\(UInt32(truncatingIfNeeded: remaining)) bytes too many") }
    }

    /// Ends the call: "malformed SUBJECT: REASON".
    @inline(never)
    func malformed(_ reason: Text) -> Never { Chain.fail("malformed \(subject): \(reason)") }

    mutating func integer<Integer: FixedWidthInteger & BorshCodable>(_: Integer.Type = Integer.self) -> Integer {
        Integer(from: &self)
    }

    /// An integer of at most 8 bytes.
    @inline(never)
    mutating func word(_ size: Int) -> UInt64 {
        let size = min(size, 8)
        var word: UInt64 = 0
        withUnsafeMutablePointer(to: &word) {
            UnsafeMutableRawPointer($0).copyMemory(from: take(size).start, byteCount: size)
        }
        return UInt64(littleEndian: word)
    }

    @inline(never)
    mutating func bytes32() -> Bytes32 { Bytes32(at: take(Bytes32.byteCount).start) }

    /// A byte string of at most `limit` bytes.
    @inline(never)
    mutating func byteString(limit: UInt32) -> Bytes {
        let length = integer(UInt32.self)
        guard length <= limit else { malformed("\(length) bytes where at most \(limit) fit") }
        return take(Int(length))
    }

    /// A string of at most `limit` bytes of valid UTF-8, so that whoever decodes it later succeeds.
    mutating func string(limit: UInt32) -> Bytes {
        let string = byteString(limit: limit)
        guard string.isUTF8 else { malformed("a string is not UTF-8") }
        return string
    }

    private mutating func take(_ count: Int) -> Bytes {
        guard count <= rest.count else { malformed("too short") }
        let taken = Bytes(start: rest.start, count: count)
        rest = Bytes(start: rest.start + count, count: rest.count &- count)
        return taken
    }
}

/// Collects the Borsh form of values.
struct Writer {
    private var start: UnsafeMutableRawPointer
    private var count = 0
    private var capacity: Int

    @inline(never)
    init(capacity: Int = 128) {
        start = Arena.take(capacity)
        self.capacity = capacity
    }

    var bytes: Bytes { Bytes(start: UnsafeRawPointer(start), count: count) }

    mutating func write<Value: BorshCodable>(_ value: Value) { value.encode(to: &self) }

    /// A byte string or the UTF-8 of a string: its length, then the bytes.
    mutating func write(string: Bytes) {
        write(word: UInt64(truncatingIfNeeded: string.count), size: 4)
        write(raw: string)
    }

    /// Bytes without their length: hash preimages, values that are already Borsh.
    @inline(never)
    mutating func write(raw bytes: Bytes) {
        let needed = count &+ bytes.count
        if needed > capacity { grow(to: needed) }
        (start + count).copyMemory(from: bytes.start, byteCount: bytes.count)
        count = needed
    }

    /// An integer of at most 8 bytes.
    @inline(never)
    mutating func write(word: UInt64, size: Int) {
        withUnsafePointer(to: word.littleEndian) { write(raw: Bytes(start: UnsafeRawPointer($0), count: min(size, 8))) }
    }

    private mutating func grow(to needed: Int) {
        capacity = Swift.max(needed, capacity &* 2)
        let larger = Arena.take(capacity)
        larger.copyMemory(from: start, byteCount: count)
        start = larger
    }
}

extension BorshCodable where Self: FixedWidthInteger & UnsignedInteger {
    init(from reader: inout Reader) {
        self.init(truncatingIfNeeded: reader.word(MemoryLayout<Self>.size))
    }
    func encode(to writer: inout Writer) {
        writer.write(word: UInt64(truncatingIfNeeded: self), size: MemoryLayout<Self>.size)
    }
}

extension UInt8: BorshCodable {}
extension UInt16: BorshCodable {}
extension UInt32: BorshCodable {}
extension UInt64: BorshCodable {}

extension UInt128: BorshCodable {
    init(from reader: inout Reader) {
        let low = reader.integer(UInt64.self)
        self = UInt128(reader.integer(UInt64.self)) << 64 | UInt128(low)
    }
    func encode(to writer: inout Writer) {
        writer.write(UInt64(truncatingIfNeeded: self))
        writer.write(UInt64(truncatingIfNeeded: self >> 64))
    }
}

extension Bool: BorshCodable {
    init(from reader: inout Reader) {
        switch reader.integer(UInt8.self) {
        case 0: self = false
        case 1: self = true
        default: reader.malformed("a boolean is 0 or 1")
        }
    }
    func encode(to writer: inout Writer) { writer.write(self ? 1 : 0 as UInt8) }
}

extension Bytes32: BorshCodable {
    init(from reader: inout Reader) { self = reader.bytes32() }
    @inline(never)
    func encode(to writer: inout Writer) {
        withPointer { writer.write(raw: Bytes(start: $0, count: Bytes32.byteCount)) }
    }
}

extension Account: BorshCodable {
    init(from reader: inout Reader) { bytes = reader.bytes32() }
    func encode(to writer: inout Writer) { writer.write(bytes) }
}

extension Digest: BorshCodable {
    init(from reader: inout Reader) { bytes = reader.bytes32() }
    func encode(to writer: inout Writer) { writer.write(bytes) }
}

extension Optional: BorshCodable where Wrapped: BorshCodable {
    init(from reader: inout Reader) { self = Bool(from: &reader) ? Wrapped(from: &reader) : nil }
    func encode(to writer: inout Writer) {
        writer.write(self != nil)
        if let self { writer.write(self) }
    }
}

extension Array: BorshCodable where Element: BorshCodable {
    /// What is declared allocates nothing: elements are appended as they are read.
    init(from reader: inout Reader) {
        self = []
        let count = reader.integer(UInt32.self)
        guard count <= UInt32(truncatingIfNeeded: reader.remaining) else { reader.malformed("too short") }
        for _ in 0..<count { append(Element(from: &reader)) }
    }
    func encode(to writer: inout Writer) {
        writer.write(UInt32(truncatingIfNeeded: count))
        for element in self { writer.write(element) }
    }
}
