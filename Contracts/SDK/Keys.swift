// The contract's list of its own keys: what it wants to walk through, it lists.

@_extern(wasm, module: "edgeproof", name: "key_insert") @_extern(c)
func host_key_insert(_ key: UnsafeRawPointer, _ length: Int32) -> Int32

@_extern(wasm, module: "edgeproof", name: "key_remove") @_extern(c)
func host_key_remove(_ key: UnsafeRawPointer, _ length: Int32) -> Int32

@_extern(wasm, module: "edgeproof", name: "key_next") @_extern(c)
func host_key_next(
    _ prefix: UnsafeRawPointer, _ prefixLength: Int32, _ after: UnsafeRawPointer, _ afterLength: Int32,
    _ key: UnsafeMutableRawPointer, _ capacity: Int32
) -> Int32

/// An ordered set of keys in the chain's state. A key costs its contract about three writes more when it is listed, so
/// only what is walked through needs to be; `insert` and `remove` go with `Storage.set` and `Storage.remove`:
///
/// ```swift
/// Storage.set(vote(of: account), choice)
/// KeyList.insert(vote(of: account).bytes)
///
/// var page = KeyList.next(after: Bytes(), prefix: Bytes("vote/"))
/// while let key = page {
///     // key.bytes...
///     page = KeyList.next(after: key, prefix: Bytes("vote/"))
/// }
/// ```
///
/// Each step pays for the way to the key, so a walk of any length is bounded by the gas of its call. To go on in another
/// call, hand the last key over as `after`: it need not be in the list any more.
enum KeyList {
    /// - Returns: whether it is new.
    @discardableResult
    static func insert(_ key: Bytes) -> Bool {
        host_key_insert(key.start, Int32(truncatingIfNeeded: key.count)) == 1
    }

    /// - Returns: whether it was there.
    @discardableResult
    static func remove(_ key: Bytes) -> Bool {
        host_key_remove(key.start, Int32(truncatingIfNeeded: key.count)) == 1
    }

    /// The first key above `after` (no bytes: from the beginning) that begins with `prefix`, in ascending order of bytes.
    static func next(after: Bytes, prefix: Bytes) -> Bytes? {
        let output = Arena.take(64)
        let length = host_key_next(
            prefix.start, Int32(truncatingIfNeeded: prefix.count), after.start, Int32(truncatingIfNeeded: after.count),
            output, 64)
        guard length >= 0 else { return nil }
        return Bytes(start: UnsafeRawPointer(output), count: Int(length))
    }
}
