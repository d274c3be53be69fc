import ChainClient
import Cryptography
import Foundation
import Primitives
import Testing

/// What a customer with a little money can't do to everybody else. `scripts/attack` measures it; here is whether the
/// honest get through at all.
@Suite(.serialized) struct AttackTests {
    private static func id(_ name: String) -> ServiceId { ServiceId(unchecked: Array(name.utf8)) }

    private func signed(
        _ key: PrivateKey, _ genesis: Digest, _ action: ActionId, _ service: ServiceId, data: [UInt8] = [],
        gas: UInt64, sequence: UInt64, value: UInt128 = 0
    ) throws -> SignedTransaction {
        let now = UInt64(Date().timeIntervalSince1970 * 1_000)
        return try SignedTransaction(
            signing: Transaction(
                sender: Account(key.publicKey), sequence: sequence, validUntil: Time(now + 120_000), gasLimit: gas,
                value: value, serviceId: service, actionId: action, data: data), with: key, genesis: genesis)
    }

    @Test(.timeLimit(.minutes(10))) func honestTransactionsGetThroughAFlood() async throws {
        try await TestNetwork.with(masternodes: 4, accounts: ["honest", "attacker"]) { network in
            let (honest, attacker) = (try network.key("honest"), try network.key("attacker"))
            let hash = network.genesis.hash
            try await network.withClient([0]) { client in
                let owner = try await TransactionSender(client: client, key: attacker)
                // A hundredth of what the other has.
                try await owner.perform(.transfer(990_000_000_000, to: Account(honest.publicKey)))
            }
            let sequence = try await network.withClient([0]) { try await $0.account(Account(attacker.publicKey))?.sequence ?? 0 }
            let flood = Task {
                try await network.withClient([1, 2, 3]) { client in
                    var refused = 0
                    for round in 0..<20 as Range<UInt64> {
                        // What it reserves would fill blocks; what it may send is its part.
                        let own = try signed(
                            attacker, hash, .transfer, .chain, data: Transfer(recipient: Account(attacker.publicKey)).borsh,
                            gas: 40_000_000, sequence: sequence + round, value: 1)
                        if (try? await client.submit(own)) == nil { refused += 1 }
                        let junk = try signed(
                            attacker, hash, .uploadContract, .chain, data: Array(repeating: 0xff, count: 60_000),
                            gas: 5_000_000, sequence: sequence + 40 + round)
                        if (try? await client.submit(junk)) == nil { refused += 1 }
                        for _ in 0..<10 {
                            // Under names that nobody has ever heard.
                            let dust = try signed(
                                .generate(), hash, .distributeTask, Self.id("s"), gas: 200_000, sequence: round % 2)
                            if (try? await client.submit(dust)) == nil { refused += 1 }
                        }
                    }
                    return refused
                }
            }
            try await network.withClient([0]) { client in
                let sender = try await TransactionSender(client: client, key: honest)
                for number in 0..<40 {
                    try await sender.perform(
                        TransactionRequest(
                            service: Self.id("honest"), action: .distributeTask, data: Array("\(number)".utf8), gasLimit: 200_000))
                }
            }
            // All the strangers' two hundred, and whatever the attacker's credits don't reach for.
            #expect(try await flood.value >= 200)
            let left = try await network.withClient([0]) { try await $0.account(Account(attacker.publicKey))?.credits }
            #expect((left?.available ?? 0) < (left?.capacity ?? 0))
        }
    }

    @Test(.timeLimit(.minutes(5))) func aFaucetGivesMoneyAndACancellationIsFinal() async throws {
        let network = try TestNetwork(masternodes: 1, accounts: ["alice", "faucet"])
        try await network.use { network in
            let stranger = Account(PrivateKey.generate().publicKey).description
            let given = try await network.cli("faucet", stranger)
            #expect(given.status == 0, "\(given.err)")
            let shown = try await network.cli("account", stranger)
            #expect(shown.out.contains("locked for state") && shown.out.contains("free of a capacity"), "\(shown.out)")
            // One that waits for an earlier one can be cancelled; the earlier one then goes in, too.
            let alice = try network.key("alice")
            try await network.withClient([0]) { client in
                let waiting = try signed(
                    alice, network.genesis.hash, .distributeTask, Self.id("s"), gas: 200_000, sequence: 1)
                let id = try await client.submit(waiting)
                let cancelling = Task { try await network.cli("tx", "cancel", id.hex, "--from", "alice") }
                try await eventually("the cancellation took its place") { try await client.transaction(id) == nil }
                try await client.submit(
                    try signed(alice, network.genesis.hash, .distributeTask, Self.id("s"), gas: 200_000, sequence: 0))
                let cancelled = try await cancelling.value
                #expect(cancelled.status == 0, "\(cancelled.err)")
                #expect(try await client.account(Account(alice.publicKey))?.sequence == 2)
            }
        }
    }
}
