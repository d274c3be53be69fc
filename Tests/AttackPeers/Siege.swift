import ChainClient
import Cryptography
import Foundation
import KeyFiles
import Ledger
import LocalNetwork
import Primitives
import Synchronization

/// One devnet, honest clients, and strangers around it.
struct Siege {
    let attack: Attack
    let programs: URL
    let seconds: Int
    let rate: Int

    private static let masternodes = 4
    private static let senders = 8

    func run() async throws -> Outcome {
        let folder = FileManager.default.temporaryDirectory.appending(
            path: "edgeproof-attack-\(UUID().uuidString)", directoryHint: .isDirectory)
        defer { try? FileManager.default.removeItem(at: folder) }
        let ports = try FreePorts.take(Self.masternodes * 2)
        let plan = DevnetPlan(
            folder: folder, masternodes: Self.masternodes, apiPorts: Array(ports[..<Self.masternodes]),
            peerPorts: Array(ports[Self.masternodes...]), programs: programs)
        let names = (0..<Self.senders).map { "sender-\($0)" }
        let genesis = try plan.prepare(accounts: names, chainName: "attack")
        let passphrase = try Passphrase(file: plan.passphraseFile.path)
        let directory = KeyDirectory(path: plan.keysFolder.path)
        let keys = try names.map { try directory.open($0, passphrase: passphrase) }
        let nodes = ProcessGroup()
        do {
            for index in 0..<Self.masternodes { await nodes.add(try plan.start(index)) }
            let outcome = try await besiege(plan, genesis, keys, nodes)
            await nodes.stopAll()
            return outcome
        } catch {
            await nodes.stopAll()
            throw error
        }
    }

    private func besiege(
        _ plan: DevnetPlan, _ genesis: Genesis, _ keys: [PrivateKey], _ nodes: ProcessGroup
    ) async throws -> Outcome {
        let clients = try (0..<Self.masternodes).map { ChainClient(nodes: [try NodeAddress(plan.apiURL($0))]) }
        for client in clients {
            while (try? await client.status().peers) ?? 0 < Self.masternodes - 1 { try await Task.sleep(for: .milliseconds(100)) }
        }
        let times = Times()
        let memory = Mutex(0.0)
        let watcher = Task {
            for try await event in clients[0].events(from: Height(1)) {
                times.final(event.transactions.map(\.wrappedValue), at: .now)
            }
        }
        let processes = await nodes.processes.map(\.processIdentifier)
        let meter = Task {
            while !Task.isCancelled {
                let most = processes.map(Self.megabytes).max() ?? 0
                memory.withLock { $0 = max($0, most) }
                try await Task.sleep(for: .milliseconds(250))
            }
        }
        await nodes.add(try strike(plan, victim: Account(keys[0].publicKey), rate: Double(rate) / Double(keys.count)))
        var backAfter: Double?
        let restart = Task { attack.restarts ? try await self.restart(plan, nodes, clients) : nil }
        let until = ContinuousClock.now + .seconds(seconds)
        let spacing = Duration.microseconds(1_000_000 / rate)
        var due = ContinuousClock.now
        var number = 0
        let data = [UInt8](repeating: 1, count: 60)
        let refusals = Refusals()
        while ContinuousClock.now < until {
            let key = keys[number % keys.count]
            let signed = try SignedTransaction(
                signing: Transaction(
                    sender: Account(key.publicKey), sequence: UInt64(number / keys.count),
                    validUntil: Time(UInt64(Date().timeIntervalSince1970 * 1_000) + 500_000),
                    gasLimit: genesis.parameters.intrinsicGas(dataBytes: data.count),
                    serviceId: ServiceId(unchecked: Array("attack".utf8)), actionId: .applicationTask, data: data),
                with: key, genesis: genesis.hash)
            times.submitted(signed.transaction.id(genesis: genesis.hash), at: due)
            // Never to the node that is restarted: its clients would know that it is away.
            let client = clients[number % (Self.masternodes - 1)]
            Task { do { _ = try await client.submit(signed) } catch { refusals.add("\(error)") } }
            number += 1
            due += spacing
            try await Task.sleep(until: due, clock: .continuous)
        }
        await nodes.stop(Self.strangers)
        backAfter = try await restart.value
        // What was submitted last has a little time.
        let patience = ContinuousClock.now + .seconds(20)
        while times.waiting > 0, ContinuousClock.now < patience { try await Task.sleep(for: .milliseconds(100)) }
        let metrics = try await clients[0].metrics()
        watcher.cancel()
        meter.cancel()
        for client in clients { try await client.shutdown() }
        let samples = times.samples
        return Outcome(
            attack: attack, submitted: number, final: samples.count, refused: refusals.count, firstRefusal: refusals.first,
            p95Ms: samples.isEmpty ? .infinity : samples[min(samples.count - 1, samples.count * 95 / 100)],
            longestMs: samples.last ?? .infinity, mostMegabytes: memory.withLock { $0 }, backAfter: backAfter,
            offences: Self.value("edgeproof_peer_offences_total", metrics), bans: Self.value("edgeproof_peer_bans_total", metrics),
            skipped: Self.value("edgeproof_peer_frames_refused_total", metrics))
    }

    private static let strangers = "strangers"

    /// The strangers' process: this program again.
    private func strike(_ plan: DevnetPlan, victim: Account, rate: Double) throws -> ChildProcess {
        var arguments = [
            "strike", "--attack", attack.rawValue, "--genesis", plan.genesisFile.path, "--victim", victim.description,
            "--rate", "\(rate)", "--seconds", "\(seconds)",
        ]
        for port in plan.peerPorts { arguments += ["--port", "\(port)"] }
        return try ChildProcess(
            name: Self.strangers, program: try Programs.url("AttackPeers"), arguments: arguments,
            logFile: plan.folder.appending(path: "strangers.log"))
    }

    /// Stops the last node in the middle of the attack, starts it again, and waits until it is where the others are.
    private func restart(_ plan: DevnetPlan, _ nodes: ProcessGroup, _ clients: [ChainClient]) async throws -> Double? {
        let index = Self.masternodes - 1
        try await Task.sleep(for: .seconds(max(2, seconds / 4)))
        await nodes.kill("node\(index)")
        try await Task.sleep(for: .seconds(2))
        let start = ContinuousClock.now
        await nodes.add(try plan.start(index))
        while ContinuousClock.now < start + .seconds(60) {
            if let own = try? await clients[index].status(), own.peers >= Self.masternodes - 1,
                let others = try? await clients[0].status(), own.head.height + 3 >= others.head.height
            {
                let taken = (ContinuousClock.now - start).components
                return Double(taken.seconds) + Double(taken.attoseconds) / 1e18
            }
            try await Task.sleep(for: .milliseconds(100))
        }
        return nil
    }

    /// Resident memory of a process.
    static func megabytes(_ process: Int32) -> Double {
        guard let text = try? String(contentsOfFile: "/proc/\(process)/status", encoding: .utf8),
            let line = text.split(separator: "\n").first(where: { $0.hasPrefix("VmRSS:") }),
            let kilobytes = line.split(separator: " ").dropFirst().first.flatMap({ Double($0) })
        else { return 0 }
        return kilobytes / 1_024
    }

    static func value(_ name: String, _ metrics: String) -> Double {
        metrics.split(separator: "\n").first { $0.hasPrefix(name + " ") }?.split(separator: " ").last.flatMap { Double($0) } ?? 0
    }
}

/// Why honest transactions were not taken.
private final class Refusals: Sendable {
    private let state = Mutex((count: 0, first: String?.none))

    var count: Int { state.withLock { $0.count } }
    var first: String? { state.withLock { $0.first } }

    func add(_ reason: String) { state.withLock { $0 = ($0.count + 1, $0.first ?? reason) } }
}

/// When each transaction was due and seen final.
final class Times: Sendable {
    private struct State {
        var due: [TransactionId: ContinuousClock.Instant] = [:]
        var early: Set<TransactionId> = []
        var samples: [Double] = []
    }

    private let state = Mutex(State())

    var waiting: Int { state.withLock { $0.due.count } }
    /// Milliseconds, ascending.
    var samples: [Double] { state.withLock { $0.samples.sorted() } }

    func submitted(_ id: TransactionId, at instant: ContinuousClock.Instant) { state.withLock { $0.due[id] = instant } }

    func final(_ ids: [TransactionId], at now: ContinuousClock.Instant) {
        state.withLock { state in
            for id in ids {
                guard let due = state.due.removeValue(forKey: id) else { continue }
                let taken = (now - due).components
                state.samples.append(max(0, Double(taken.seconds) * 1e3 + Double(taken.attoseconds) / 1e15))
            }
        }
    }
}
