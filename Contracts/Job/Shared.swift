// The names by which Sources/JobProtocol speaks of text, bytes, keys and its encoder, over the SDK. That folder's files
// are compiled into this contract as they are.

/// A value of the job protocol.
protocol JobCodable {
    func encode(to encoder: inout BorshEncoder)
    init(from decoder: inout BorshDecoder)
}

typealias JobValue = JobCodable
typealias JobStored = JobCodable
typealias JobStoredValue = JobCodable
typealias JobText = Bytes
typealias JobBytes = Bytes
typealias Role = Chain.Role
/// X25519.
typealias KEMPublicKey = Digest

extension Bytes { var byteCount: Int { count } }

/// Header time.
struct Time: Equatable, JobCodable {
    let value: Milliseconds
    init(_ value: Milliseconds) { self.value = value }
    static var zero: Time { Time(0) }

    func encode(to encoder: inout BorshEncoder) { encoder.integer(value) }
    init(from decoder: inout BorshDecoder) { value = decoder.integer() }
}

/// What is malformed ends the call here, where the host throws.
enum BorshError {
    enum Reason {
        case unknownTag(UInt8)
    }
}

struct BorshEncoder {
    private var writer: Writer

    init(capacity: Int = 256) { writer = Writer(capacity: capacity) }

    var bytes: Bytes { writer.bytes }

    mutating func integer<Integer: FixedWidthInteger & UnsignedInteger & BorshCodable>(_ value: Integer) {
        writer.write(value)
    }
    mutating func bool(_ value: Bool) { writer.write(value) }
    mutating func string(_ value: Bytes) { writer.write(string: value) }
    mutating func variable(_ value: Bytes) { writer.write(string: value) }
    mutating func fixed(_ value: Bytes) { writer.write(raw: value) }
    mutating func value<Value: JobCodable>(_ value: Value) { value.encode(to: &self) }
    mutating func array<Element: JobCodable>(_ values: [Element]) {
        writer.write(UInt32(truncatingIfNeeded: values.count))
        for element in values { element.encode(to: &self) }
    }
    fileprivate mutating func bytes32(_ value: Bytes32) { writer.write(value) }
}

struct BorshDecoder {
    private var reader: Reader

    init(_ bytes: Bytes, of subject: StaticString) { reader = Reader(bytes, of: subject) }

    func finish() { reader.finish() }

    @inline(never)
    func failure(_ reason: BorshError.Reason) -> Never {
        switch reason {
        case .unknownTag(let tag): reader.malformed("there is no \(tag)")
        }
    }

    mutating func integer<Integer: FixedWidthInteger & UnsignedInteger & BorshCodable>(
        _: Integer.Type = Integer.self
    ) -> Integer { reader.integer() }

    mutating func bool() -> Bool { Bool(from: &reader) }
    mutating func string(limit: Int) -> Bytes {
        reader.string(limit: UInt32(truncatingIfNeeded: limit))
    }
    mutating func variable(limit: Int) -> Bytes {
        reader.byteString(limit: UInt32(truncatingIfNeeded: limit))
    }
    mutating func value<Value: JobCodable>(_: Value.Type = Value.self) -> Value {
        Value(from: &self)
    }
    mutating func tag<Tag: RawRepresentable>(_: Tag.Type = Tag.self) -> Tag
    where Tag.RawValue == UInt8 {
        let raw: UInt8 = reader.integer()
        guard let tag = Tag(rawValue: raw) else { failure(.unknownTag(raw)) }
        return tag
    }
    /// What is declared allocates nothing: elements are appended as they are read.
    mutating func array<Element: JobCodable>(
        limit: Int, smallestElement: Int = 1
    ) -> [Element] {
        let count = Int(reader.integer(UInt32.self))
        guard count <= limit, count <= reader.remaining / max(1, smallestElement) else {
            reader.malformed("a list is too long")
        }
        var result: [Element] = []
        for _ in 0..<count { result.append(Element(from: &self)) }
        return result
    }
    fileprivate mutating func bytes32() -> Bytes32 { reader.bytes32() }
}

extension JobCodable {
    /// The value's Borsh form.
    var borsh: Bytes {
        var encoder = BorshEncoder()
        encoder.value(self)
        return encoder.bytes
    }

    /// Decodes a whole message, or ends the call.
    init(borsh bytes: Bytes, of subject: StaticString) {
        var decoder = BorshDecoder(bytes, of: subject)
        self.init(from: &decoder)
        decoder.finish()
    }
}

extension Account: JobCodable {
    func encode(to encoder: inout BorshEncoder) { encoder.bytes32(bytes) }
    init(from decoder: inout BorshDecoder) { self.init(bytes: decoder.bytes32()) }
}

extension Digest: JobCodable {
    func encode(to encoder: inout BorshEncoder) { encoder.bytes32(bytes) }
    init(from decoder: inout BorshDecoder) { self.init(bytes: decoder.bytes32()) }
}

extension Chain.Role: JobCodable {
    func encode(to encoder: inout BorshEncoder) { encoder.integer(rawValue) }
    init(from decoder: inout BorshDecoder) { self = decoder.tag() }
}

/// SHA-256 of an ASCII domain and what `body` writes.
@inline(never)
func jobDigest(_ domain: StaticString, _ body: (inout BorshEncoder) -> Void) -> Digest {
    var encoder = BorshEncoder(capacity: 512)
    encoder.fixed(Bytes(domain))
    body(&encoder)
    return Chain.sha256(encoder.bytes)
}

extension UInt8: JobCodable {
    func encode(to encoder: inout BorshEncoder) { encoder.integer(self) }
    init(from decoder: inout BorshDecoder) { self = decoder.integer() }
}

extension UInt128: JobCodable {
    func encode(to encoder: inout BorshEncoder) { encoder.integer(self) }
    init(from decoder: inout BorshDecoder) { self = decoder.integer() }
}

var jobNoText: Bytes { .empty }
func jobBytes(_ text: Bytes) -> Bytes { text }
func jobText(_ text: StaticString) -> Bytes { Bytes(text) }
func jobDigest(of account: Account) -> Digest { Digest(bytes: account.bytes) }
func jobDigest(of key: KEMPublicKey) -> Digest { key }
/// 32 bytes of a byte string that has them.
@inline(never)
func jobField(_ bytes: Bytes, at offset: Int) -> Digest {
    guard offset >= 0, offset &+ 32 <= bytes.count else { return .zero }
    return Digest(bytes: Bytes32(at: bytes.start + offset))
}

/// The specification in a status: its bytes, as they were registered.
struct JobStatusSpec: JobCodable {
    let bytes: Bytes
    init(bytes: Bytes) { self.bytes = bytes }
    func encode(to encoder: inout BorshEncoder) { encoder.fixed(bytes) }
    init(from decoder: inout BorshDecoder) { bytes = .empty }
}

extension RoundMachine {
    var statusSpec: JobStatusSpec { JobStatusSpec(bytes: Storage.raw(Keys.spec.bytes) ?? .empty) }
}

/// Ends an action that is refused, where the host throws.
@inline(never)
func Refusal(_ text: StaticString) -> Never { Chain.fail(Text(stringLiteral: text)) }

/// A whole message of the job protocol.
@inline(never)
func jobDecode<Value: JobCodable>(_ bytes: Bytes, _ what: StaticString) -> Value {
    Value(borsh: bytes, of: what)
}

/// A key of the contract's storage whose value is one of the job protocol.
struct JobKey<Value: JobCodable> {
    let bytes: Bytes

    init(_ name: StaticString) { bytes = Bytes(name) }

    /// One entry of a family of keys.
    @inline(never)
    init<Part: JobCodable>(_ family: StaticString, _ part: Part) {
        var encoder = BorshEncoder(capacity: 64)
        encoder.fixed(Bytes(family))
        encoder.value(part)
        bytes = encoder.bytes
    }
}

/// What the chain offers the job.
struct JobChain {
    let context: Context

    var now: UInt64 { context.time }
    var contract: Account { context.contract }
    var owner: Account { context.owner }
    /// The contract's, at the begin of the call.
    var balance: Amount { context.balance }
    /// The service's one validator.
    var validator: Account? { Chain.validator() }

    @inline(never)
    func get<Value>(_ key: JobKey<Value>) -> Value? {
        guard let bytes = Storage.raw(key.bytes) else { return nil }
        // Whole: the contract wrote it.
        var decoder = BorshDecoder(bytes, of: "stored value")
        return Value(from: &decoder)
    }
    @inline(never)
    func set<Value>(_ key: JobKey<Value>, _ value: Value) { store(key.bytes, value.borsh) }
    @inline(never)
    func store(_ key: Bytes, _ value: Bytes) {
        host_storage_set(
            key.start, Int32(truncatingIfNeeded: key.count), value.start, Int32(truncatingIfNeeded: value.count))
    }
    func remove<Value>(_ key: JobKey<Value>) { erase(key.bytes) }
    @inline(never)
    private func erase(_ key: Bytes) { host_storage_remove(key.start, Int32(truncatingIfNeeded: key.count)) }

    /// Has the machine run in the first block whose header time has reached this; 0 for the end of this block.
    func schedule(at time: UInt64) -> Bool {
        let none = Bytes.empty
        return host_schedule(
            Int64(bitPattern: min(time, UInt64(Int64.max))), Int32(bitPattern: RoundMachine.entry), none.start, 0) >= 0
    }

    @inline(never)
    func transfer(_ amount: UInt128, to account: Account) -> Bool { Chain.transfer(amount, to: account) }

    @inline(never)
    func emit<Value: JobCodable>(_ topic: StaticString, _ value: Value) { Chain.emit(topic, raw: value.borsh) }

    func verdict(_ finding: JobFinding, about account: Account, as role: Role, round: UInt32) {
        guard let finding = Chain.Finding(rawValue: Int32(finding.rawValue)) else { return }
        Chain.verdict(finding, about: account, as: role, post: ("r\(round)/v" as Text).utf8)
    }

    func drawCommittee(size: UInt8, attempt: UInt8) -> [Account] { Chain.drawCommittee(size: size, attempt: attempt) }
    func reputation(of account: Account, as role: Role) -> UInt64 { Chain.reputation(of: account, as: role) }

    func isSigned(_ message: Bytes, _ start: Digest, _ end: Digest, by account: Account) -> Bool {
        var signature = BorshEncoder(capacity: 64)
        signature.value(start)
        signature.value(end)
        return Chain.isValidEd25519(signature: signature.bytes, of: message, by: account.bytes)
    }
}
