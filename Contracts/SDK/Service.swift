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
