import Attacks
import ChainClient
import Cryptography
import Foundation
import Primitives
import Testing

/// What a customer with a little money can't do to everybody else. `scripts/attack` measures it; here is whether the
/// honest get through at all.
@Suite(.serialized, .timeLimit(.minutes(20))) struct AttackTests {
    private static func id(_ name: String) -> ServiceId { ServiceId(unchecked: Array(name.utf8)) }

    private func signed(
        _ key: PrivateKey, _ genesis: Digest, _ action: ActionId, _ service: ServiceId, data: [UInt8] = [],
        gas: UInt64, sequence: UInt64, value: UInt128 = 0
    ) throws -> SignedTransaction {
        let now = UInt64(Date().timeIntervalSince1970 * 1_000)
        return try SignedTransaction(
            signing: Transaction(
                sender: Account(key.publicKey), sequence: sequence, validUntil: Time(now + 400_000), gasLimit: gas,
                value: value, serviceId: service, actionId: action, data: data), with: key, genesis: genesis)
    }

    private static let parts = Attack.allCases.filter { $0 != .everything && $0 != .nothing }
    private static func name(_ part: Attack) -> String { "attacker-\(part.rawValue)".lowercased() }

    /// Every attack at once, each by somebody with a thousandth of the stake.
    @Test(.timeLimit(.minutes(20))) func honestTransactionsGetThroughAllAttacks() async throws {
        try await TestNetwork.with(masternodes: 4, accounts: ["honest"] + Self.parts.map(Self.name)) { network in
            let clients = try (0..<4).map { ChainClient(nodes: [try NodeAddress(network.plan.apiURL($0))]) }
            let result: Result<Void, any Error>
            do { result = .success(try await attack(network, clients)) } catch { result = .failure(error) }
            for client in clients { try await client.shutdown() }
            try result.get()
        }
    }

    /// Whether a node has taken something of the attack, or answered it where nothing is ever taken.
    private static func hasBegun(_ part: Attack, _ tally: Tally) -> Bool {
        let (taken, refused) = tally.counts
        return part == .dust || part == .queries ? taken + refused > 0 : taken > 0
    }

    private func attack(_ network: TestNetwork, _ clients: [ChainClient]) async throws {
        let honest = try network.key("honest")
        let team = try await prepare(network, client: clients[1], richest: Account(honest.publicKey))
        let end = ContinuousClock.now + .seconds(8)
        let assault = Task {
            await withTaskGroup(of: Void.self) { group in
                for (part, attacker, tally) in team {
                    group.addTask {
                        let assault = Assault(
                            attacker: attacker, clients: clients, pause: .milliseconds(150), tally: tally)
                        await assault.run(part, until: end)
                        // On a machine that does much else nothing of it may have come to a node by then.
                        for _ in 0..<20 where !Self.hasBegun(part, tally) {
                            await assault.run(part, until: .now + .seconds(4))
                        }
                    }
                }
            }
        }
        let sender = try await TransactionSender(client: clients[0], key: honest)
        var number = 0
        while number < 40 || ContinuousClock.now < end {
            // Sent and final, or this throws: lost, refused, or longer on its way than anybody would wait.
            try await sender.perform(
                TransactionRequest(
                    service: Self.id("honest"), action: .distributeTask, data: Array("\(number)".utf8), gasLimit: 200_000),
                timeout: .seconds(100))
            number += 1
            try await Task.sleep(for: .milliseconds(50))
        }
        await assault.value
        for (part, _, tally) in team {
            let (taken, refused) = tally.counts
            #expect(taken + refused > 0, "\(part) was not tried")
            switch part {
            // Nobody whom the chain has never heard of gets in.
            case .dust: #expect(taken == 0)
            case .queries: break
            default: #expect(taken > 0, "\(part) was never taken: \(refused) were refused")
            }
        }
        // They paid for it.
        let keys = try #require(try await clients[0].account(team[0].attacker.account)).credits
        #expect(keys.available < keys.capacity)
    }

    /// Each attacker keeps a thousandth of the stake, uploads its contracts and pays their deposits.
    private func prepare(
        _ network: TestNetwork, client: ChainClient, richest: Account
    ) async throws -> [(part: Attack, attacker: Attacker, tally: Tally)] {
        let genesis = network.genesis
        let supply = genesis.allocations.reduce(UInt128(0)) { $0 + $1.balance } + UInt128(genesis.parameters.collateral) * 4
        let money = supply / 1_000
        var team: [(part: Attack, attacker: Attacker, tally: Tally)] = []
        for part in Self.parts {
            let key = try network.key(Self.name(part))
            let sender = try await TransactionSender(client: client, key: key)
            let balance = try #require(try await client.account(Account(key.publicKey))).balance
            try await sender.perform(.transfer(balance - money, to: richest))
            let attacker = Attacker(
                key: key, genesis: genesis.hash, name: Self.name(part), services: 6, money: money,
                accountDeposit: genesis.parameters.accountDeposit)
            try await attacker.prepare(part, sender)
            team.append((part, attacker, Tally()))
        }
        return team
    }

    @Test(.timeLimit(.minutes(20))) func aFaucetGivesMoneyAndACancellationIsFinal() async throws {
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
                let cancelling = Task { try await network.cli("tx", "cancel", id.hex, "--timeout", "300", "--from", "alice") }
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
