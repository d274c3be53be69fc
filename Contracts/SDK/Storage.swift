/// A key of the contract's storage. It carries the type of its value, so what is written as one
/// thing cannot be read as another:
///
/// ```swift
/// static func balance(of account: Account) -> Key<Amount> { Key("balance/", account) }
///
/// Storage.set(balance(of: caller), 100)
/// let held = Storage.get(balance(of: caller)) ?? 0
/// ```
struct Key<Value: BorshCodable>: ExpressibleByStringLiteral {
    /// 1 to 64 bytes.
    let bytes: Bytes

    init(stringLiteral name: StaticString) { bytes = Bytes(name) }

    /// One entry of a family of keys.
    init<Part: BorshCodable>(_ family: StaticString, _ part: Part) {
        var writer = Writer(capacity: 64)
        writer.write(raw: Bytes(family))
        writer.write(part)
        bytes = writer.bytes
    }
}

/// The contract's own part of the chain's state: a map from short keys to values of at most 32,768
/// bytes. What lasts beyond a call lies here.
enum Storage {
    static func get<Value>(_ key: Key<Value>, as _: Value.Type = Value.self) -> Value? {
        guard var reader = reader(key.bytes) else { return nil }
        let value = Value(from: &reader)
        reader.finish()
        return value
    }

    /// The first field of a stored value, without reading the rest.
    static func get<Value, First: BorshCodable>(firstOf key: Key<Value>, size: Int, as _: First.Type) -> First? {
        guard let bytes = read(key.bytes, capacity: size).bytes else { return nil }
        var reader = Reader(bytes, of: "stored value")
        return First(from: &reader)
    }

    static func set<Value>(_ key: Key<Value>, _ value: Value) {
        var writer = Writer(capacity: 512)
        writer.write(value)
        set(key.bytes, writer.bytes)
    }

    static func remove<Value>(_ key: Key<Value>) {
        host_storage_remove(key.bytes.start, Int32(truncatingIfNeeded: key.bytes.count))
    }

    @inline(never)
    private static func reader(_ key: Bytes) -> Reader? { raw(key).map { Reader($0, of: "stored value") } }

    /// The bytes under a key as they are, without decoding them.
    @inline(never)
    static func raw(_ key: Bytes) -> Bytes? {
        // Most values are short and take one host call.
        let first = read(key, capacity: 512)
        return first.length <= 512 ? first.bytes : read(key, capacity: first.length).bytes
    }

    @inline(never)
    private static func set(_ key: Bytes, _ value: Bytes) {
        host_storage_set(
            key.start, Int32(truncatingIfNeeded: key.count), value.start, Int32(truncatingIfNeeded: value.count))
    }

    private static func read(_ key: Bytes, capacity: Int) -> (bytes: Bytes?, length: Int) {
        let start = Arena.take(capacity)
        let length = Int(host_storage_get(
            key.start, Int32(truncatingIfNeeded: key.count), start, Int32(truncatingIfNeeded: capacity)))
        let count = max(0, min(length, capacity))
        Arena.giveBack(capacity &- count)
        return (length < 0 ? nil : Bytes(start: UnsafeRawPointer(start), count: count), length)
    }
}
