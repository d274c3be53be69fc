// What the chain knows about the service that a contract runs.

@_extern(wasm, module: "edgeproof", name: "validator") @_extern(c)
func host_validator(_ account: UnsafeMutableRawPointer) -> Int32

extension Chain {
    /// The service's one validator, as it was registered; nil where it has none.
    static func validator() -> Account? {
        let output = Arena.take(Bytes32.byteCount)
        guard host_validator(output) == 1 else { return nil }
        return Account(bytes: Bytes32(at: UnsafeRawPointer(output)))
    }
}

@_extern(wasm, module: "edgeproof", name: "draw_committee") @_extern(c)
func host_draw_committee(_ size: Int32, _ attempt: Int32, _ accounts: UnsafeMutableRawPointer) -> Int32

@_extern(wasm, module: "edgeproof", name: "reputation") @_extern(c)
func host_reputation(_ account: UnsafeRawPointer, _ role: Int32) -> Int64

extension Chain {
    /// Draws a committee of masternodes for the service by the epoch's seed. The chain notes who it is, and which
    /// validations these accounts send.
    /// - Parameter attempt: 0, and 1 for another committee in place of one that was silent.
    /// - Returns: as many as asked for, or none where there are fewer masternodes.
    static func drawCommittee(size: UInt8, attempt: UInt8) -> [Account] {
        let output = Arena.take(Int(size) &* Bytes32.byteCount)
        let count = Int(host_draw_committee(Int32(size), Int32(attempt), output))
        var members: [Account] = []
        for place in 0..<max(0, min(count, Int(size))) {
            members.append(Account(bytes: Bytes32(at: UnsafeRawPointer(output) + place &* Bytes32.byteCount)))
        }
        return members
    }

    /// R of an account in a role, 0 to 2^20 - 1.
    static func reputation(of account: Account, as role: Role) -> UInt64 {
        account.bytes.withPointer { UInt64(bitPattern: host_reputation($0, Int32(role.rawValue))) }
    }
}

@_extern(wasm, module: "edgeproof", name: "signer") @_extern(c)
func host_signer(_ account: UnsafeMutableRawPointer) -> Int32

@_extern(wasm, module: "edgeproof", name: "service") @_extern(c)
func host_service(
    _ name: UnsafeRawPointer, _ length: Int32, _ block: UnsafeMutableRawPointer, _ capacity: Int32
) -> Int32

extension Chain {
    /// Who signed the transaction that this call comes from, however many contracts lie between: `Context.caller` is the
    /// one before. Nil in a scheduled call and in a query, which nobody signed.
    ///
    /// Whoever is led to call another contract signs for it without knowing: rights belong to the caller, not to the
    /// signer.
    static func signer() -> Account? {
        let output = Arena.take(Bytes32.byteCount)
        guard host_signer(output) == 1 else { return nil }
        return Account(bytes: Bytes32(at: UnsafeRawPointer(output)))
    }

    /// The record of a service, of this one without a name; nil where there is none.
    static func service(_ name: Bytes = Bytes("")) -> ServiceInfo? {
        let output = Arena.take(ServiceInfo.size)
        let length = host_service(
            name.start, Int32(truncatingIfNeeded: name.count), output, Int32(truncatingIfNeeded: ServiceInfo.size))
        return length == Int32(truncatingIfNeeded: ServiceInfo.size) ? ServiceInfo(block: UnsafeRawPointer(output)) : nil
    }
}

/// What the chain knows about a service.
struct ServiceInfo {
    fileprivate static let size = 232
    fileprivate let block: UnsafeRawPointer

    var contract: Account { account(at: 0) }
    var owner: Account { account(at: 32) }
    var codeHash: Digest { Digest(bytes: Bytes32(at: block + 64)) }
    var validator: Account? { has(1) ? account(at: 96) : nil }
    var registeredAt: UInt64 { word(at: 128) }
    /// When the code that its owner has announced can take the place of this one; nil where none is.
    var upgrade: (code: Digest, from: Milliseconds, until: Milliseconds)? {
        has(2) ? (Digest(bytes: Bytes32(at: block + 152)), word(at: 136), word(at: 144)) : nil
    }
    /// When it can end, where its owner has announced that.
    var retirement: (from: Milliseconds, until: Milliseconds)? { has(4) ? (word(at: 136), word(at: 144)) : nil }
    /// The block in which it ended.
    var retiredAt: UInt64? { has(8) ? word(at: 184) : nil }
    var isOffered: Bool { has(16) }

    private func has(_ flag: UInt32) -> Bool {
        UInt32(littleEndian: block.loadUnaligned(fromByteOffset: 192, as: UInt32.self)) & flag != 0
    }
    private func word(at offset: Int) -> UInt64 {
        UInt64(littleEndian: block.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
    }
    private func account(at offset: Int) -> Account { Account(bytes: Bytes32(at: block + offset)) }
}
