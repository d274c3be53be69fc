import Ledger
import Primitives
import Testing

/// What the pages say (`DocumentedGasTests`) is what is taken: a price that is written and not charged stops nobody.
@Suite(.timeLimit(.minutes(20))) struct ChargedGasTests {
    /// An action that makes a call of the host takes the call's price more than one that makes none.
    @Test func eachCallTakesItsPrice() throws {
        let alice = try User("alice")
        let bob = try User("bob")
        let stranger = try User("stranger").account.bytes
        var chain = try TestChain([alice, bob])
        let parameters = chain.ledger.genesis.parameters
        let write = parameters.gasPerStorageWrite
        let value = [UInt8](repeating: 1, count: 1_000)
        // A key has 33 bytes in the state before the contract's own.
        let stored = parameters.storageGas(bytes: 34 + value.count)
        let calls: [(name: String, steps: [Step], price: UInt64)] = [
            ("storage_set of a new key", [.set(key: "a", value: value)], write + stored),
            (
                "storage_set, twice", [.set(key: "b", value: value), .set(key: "b", value: value)],
                write + HostGas.knownAccess + 2 * stored
            ),
            ("storage_get", [.get(key: "c")], parameters.gasPerStorageAccess),
            ("storage_remove", [.remove(key: "d")], write),
            ("transfer to a new account", [.transfer(to: stranger, amount: 1)], 2 * write),
            ("emit", [.emit(topic: "t", data: [1])], HostGas.event + 2 * parameters.gasPerDataByte),
            (
                "ed25519_verify",
                [.verify(key: bob.account.bytes, signature: [UInt8](repeating: 0, count: 64), message: value)],
                parameters.gasPerSignatureCheck + HostGas.hash + UInt64(value.count) * HostGas.perHashedByte
            ),
            (
                "schedule", [.schedule(time: 1 << 50, entry: 1, data: [1])],
                parameters.gas(of: .schedule) + parameters.storageGas(bytes: 1)
            ),
        ]
        let steps = calls.enumerated().map { Step.when(action: UInt32(256 + $0.offset), $0.element.steps) }
        try chain.deploy("s", owner: alice, deposit: UInt128(4 * parameters.balancePerCredit * parameters.scheduledGasPerCall), [("action", steps), ("scheduled", [])])
        // An action that none of the steps is for.
        let idle = try chain.send(bob, service: "s", ActionId(999))
        #expect(idle.outcome == .succeeded)
        for (index, call) in calls.enumerated() {
            let receipt = try chain.send(bob, service: "s", ActionId(UInt16(256 + index)))
            #expect(receipt.outcome == .succeeded, "\(call.name)")
            let taken = Int(receipt.gasUsed) - Int(idle.gasUsed)
            // Some instructions, for the arguments, beside it.
            #expect(Int(call.price) <= taken && taken < Int(call.price) + 1_000, "\(call.name): \(taken) for \(call.price)")
        }
    }
}
