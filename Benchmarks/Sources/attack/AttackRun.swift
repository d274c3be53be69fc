import ArgumentParser
import Attacks
import ChainClient
import Cryptography
import Foundation
import KeyFiles
import LocalNetwork
import Primitives

/// A devnet of real masternodes under attack by somebody with a hundredth of the stake, while an honest client goes on
/// sending. A table says what each attack cost and did.
@main
struct AttackRun: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "attack", abstract: "An honest client's time to finality while somebody attacks.",
        discussion: "Example: attack --programs ../.build/release --seconds 30")

    @Option(help: "Folder with the built chaind.") var programs: String
    @Option(help: "How long each attack lasts, in seconds.") var seconds: Int = 30
    @Option(help: "Transactions a second of the honest client.") var rate: Int = 20
    @Option(help: "Attempts a second of the attacker.") var attempts: Int = 50
    @Option(help: "Services whose code the attacker calls in turn.") var services: Int = 70
    @Option(help: "Attack to run; may be repeated. All of them without it.") var only: [String] = []
    @Option(help: "Ends with 1 where the 95th percentile of the honest is above so many milliseconds.") var limit = 2_000

    private static let masternodes = 4

    /// Each attack is somebody else's, who comes with all the credits of a hundredth of the stake: one account, or one
    /// for each part of the attack.
    private static func attackers(_ attack: Attack) -> [(name: String, part: Attack)] {
        let parts = attack == .everything ? Attack.allCases.filter { $0 != .everything && $0 != .nothing } : [attack]
        return parts.map { (name: "\(attack.rawValue)-\($0.rawValue)".lowercased(), part: $0) }
    }

    private typealias Team = [(part: Attack, attacker: Attacker, sender: TransactionSender)]

    func run() async throws {
        let wanted = try only.isEmpty
            ? Attack.allCases
            : only.map { name in
                guard let attack = Attack(rawValue: name) else {
                    throw ValidationError("there is no attack '\(name)'; there are \(Attack.allCases.map(\.rawValue).joined(separator: ", "))")
                }
                return attack
            }
        let folder = FileManager.default.temporaryDirectory.appending(
            path: "edgeproof-attack-\(UUID().uuidString)", directoryHint: .isDirectory)
        defer { try? FileManager.default.removeItem(at: folder) }
        let ports = try FreePorts.take(Self.masternodes * 2)
        let plan = DevnetPlan(
            folder: folder, masternodes: Self.masternodes, apiPorts: Array(ports[..<Self.masternodes]),
            peerPorts: Array(ports[Self.masternodes...]), programs: URL(filePath: programs, directoryHint: .isDirectory))
        let genesis = try plan.prepare(accounts: ["honest"] + wanted.flatMap(Self.attackers).map(\.name), chainName: "attack")
        let nodes = ProcessGroup()
        do {
            var processes: [Int32] = []
            for index in 0..<Self.masternodes {
                let node = try plan.start(index)
                await nodes.add(node)
                processes.append(node.processIdentifier)
            }
            try await measure(wanted, plan, genesis, processes)
        } catch {
            await nodes.stopAll()
            throw error
        }
        await nodes.stopAll()
    }

    private struct Row {
        let attack: Attack
        let honest: [Double]
        let lost: Int
        let taken: Int
        let refused: Int
        let credits: Int64
        let views: Int
        let memory: Int
    }

    private func measure(_ attacks: [Attack], _ plan: DevnetPlan, _ genesis: Genesis, _ processes: [Int32]) async throws {
        let passphrase = try Passphrase(file: plan.passphraseFile.path)
        let directory = KeyDirectory(path: plan.keysFolder.path)
        let honestKey = try directory.open("honest", passphrase: passphrase)
        let clients = try (0..<Self.masternodes).map { ChainClient(nodes: [try NodeAddress(plan.apiURL($0))]) }
        for client in clients {
            while (try? await client.status().peers) ?? 0 < Self.masternodes - 1 { try await Task.sleep(for: .milliseconds(100)) }
        }
        let honest = try await TransactionSender(client: clients[0], key: honestKey)
        let supply = genesis.allocations.reduce(UInt128(0)) { $0 + $1.balance } + UInt128(genesis.parameters.collateral) * 4
        tell("\(attacks.count) attackers keep a hundredth of the stake each")
        var teams: [Attack: Team] = [:]
        for attack in attacks {
            let names = Self.attackers(attack)
            for (name, part) in names {
                let key = try directory.open(name, passphrase: passphrase)
                let kept = supply / 100 / UInt128(names.count)
                let attacker = Attacker(
                    key: key, genesis: genesis.hash, name: name, services: services, money: kept,
                    accountDeposit: genesis.parameters.accountDeposit)
                let sender = try await TransactionSender(client: clients[1], key: key)
                let balance = try await clients[1].account(attacker.account)?.balance ?? 0
                try await sender.perform(.transfer(balance - min(balance, kept), to: honest.account))
                teams[attack, default: []].append((part, attacker, sender))
            }
        }
        var rows: [Row] = []
        for attack in attacks {
            guard let team = teams[attack] else { continue }
            tell("\(attack.title), \(seconds) s")
            for (part, attacker, sender) in team { try await attacker.prepare(part, sender) }
            let row = try await run(attack, team, honest, clients, processes)
            rows.append(row)
            tell("  \(Self.line(row))")
            try await Task.sleep(for: .seconds(3))
        }
        print("| attack | honest p50, p95 ms (lost) | views given up | attempts taken, refused | credits it cost | resident MB of all nodes |\n|---|---|---|---|---|---|")
        for row in rows { print("| \(row.attack.title) | " + Self.line(row) + " |") }
        for client in clients { try await client.shutdown() }
        let bad = rows.filter { Self.percentile($0.honest, 95) > Double(limit) || $0.lost > 0 }
        if !bad.isEmpty {
            print("\nover \(limit) ms, or lost: \(bad.map(\.attack.rawValue).joined(separator: ", "))")
            throw ExitCode(1)
        }
    }

    private static func line(_ row: Row) -> String {
        "\(Int(percentile(row.honest, 50))), \(Int(percentile(row.honest, 95))) (\(row.lost)) | \(row.views) | \(row.taken), \(row.refused) | \(row.credits) | \(row.memory)"
    }

    private static func percentile(_ values: [Double], _ percent: Int) -> Double {
        let sorted = values.sorted()
        return sorted.isEmpty ? 0 : sorted[min(sorted.count - 1, sorted.count * percent / 100)]
    }

    private func run(
        _ attack: Attack, _ team: Team, _ honest: TransactionSender, _ clients: [ChainClient], _ processes: [Int32]
    ) async throws -> Row {
        let before = try await clients[0].status()
        let credits = try await available(team, clients[0])
        let end = ContinuousClock.now + .seconds(seconds)
        let tally = Tally()
        let pause = Duration.microseconds(1_000_000 * team.count / max(1, attempts))
        let assault = Task {
            await withTaskGroup(of: Void.self) { group in
                for (part, attacker, _) in team where part != .nothing {
                    group.addTask { await Assault(attacker: attacker, clients: clients, pause: pause, tally: tally).run(part, until: end) }
                }
            }
        }
        let (times, lost) = try await work(honest, until: end)
        await assault.value
        let after = try await clients[0].status()
        let left = try await available(team, clients[0])
        let (taken, refused) = tally.counts
        let views = try await givenUp(from: before.head.height, to: after.head.height, clients[0])
        return Row(
            attack: attack, honest: times, lost: lost, taken: taken, refused: refused,
            credits: Int64(clamping: credits) - Int64(clamping: left), views: views,
            memory: processes.reduce(0) { $0 + Self.residentMegabytes($1) })
    }

    /// Views without a block, which the views of the final blocks leave out.
    private func givenUp(from first: UInt64, to last: UInt64, _ client: ChainClient) async throws -> Int {
        var count = 0
        var previous = try await client.block(at: Height(first))
        for height in first..<max(first, last) {
            let block = try await client.block(at: Height(height + 1))
            if let block {
                // They count anew in each epoch.
                let below = previous?.epoch == block.epoch ? previous?.view ?? 0 : 0
                count += Int(clamping: block.view) - Int(clamping: below) - 1
            }
            previous = block
        }
        return count
    }

    private func available(_ team: Team, _ client: ChainClient) async throws -> UInt64 {
        var sum: UInt64 = 0
        for member in team { sum += try await client.account(member.attacker.account)?.credits.available ?? 0 }
        return sum
    }

    /// What somebody does who has nothing to do with it: transfers, steadily, each timed from submission to finality.
    private func work(_ honest: TransactionSender, until end: ContinuousClock.Instant) async throws -> ([Double], Int) {
        let rate = rate
        return await withTaskGroup(of: Double?.self) { group in
            var number = 0
            while ContinuousClock.now < end {
                let request = TransactionRequest(
                    service: Attacker.id("honest"), action: .distributeTask, data: Array("\(number)".utf8), gasLimit: 200_000)
                number += 1
                group.addTask {
                    let start = ContinuousClock.now
                    guard (try? await honest.sendAndWait(request, timeout: .seconds(60))) != nil else { return nil }
                    let took = (ContinuousClock.now - start).components
                    return Double(took.seconds) * 1_000 + Double(took.attoseconds) * 1e-15
                }
                try? await Task.sleep(for: .microseconds(1_000_000 / max(1, rate)))
            }
            var times: [Double] = []
            var lost = 0
            for await time in group { if let time { times.append(time) } else { lost += 1 } }
            return (times, lost)
        }
    }

    private static func residentMegabytes(_ process: Int32) -> Int {
        guard let text = try? String(contentsOfFile: "/proc/\(process)/statm", encoding: .utf8) else { return 0 }
        let pages = text.split(separator: " ").dropFirst().first.flatMap { Int($0) } ?? 0
        return pages * 4_096 / 1_000_000
    }

    private func tell(_ text: String) { FileHandle.standardError.write(Data((text + "\n").utf8)) }
}
