import ArgumentParser
import ChainClient
import Cryptography
import Encoding
import Foundation
import KeyFiles
import LocalNetwork
import Primitives

/// Sends signed transactions at a steady rate to a devnet of its own and measures the time from each submission until
/// a node announces the finalised block that holds it.
@main
struct Load: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "load", abstract: "Submission to finality on a devnet, under a steady load.",
        discussion: "Example: load --programs ../.build/release --rate 1000 --seconds 60")

    @Option(help: "Folder with the built chaind.") var programs: String
    @Option(help: "Transactions a second.") var rate: Int = 1_000
    @Option(help: "How long to send.") var seconds: Int = 60
    @Option(help: "Bytes of one encoded signed transaction, about.") var bytes: Int = 200
    @Option(help: "Masternodes of the devnet.") var masternodes: Int = 4
    @Option(help: "Accounts that send.") var senders: Int = 64

    func run() async throws {
        let folder = FileManager.default.temporaryDirectory.appending(
            path: "edgeproof-load-\(UUID().uuidString)", directoryHint: .isDirectory)
        defer { try? FileManager.default.removeItem(at: folder) }
        let ports = try FreePorts.take(masternodes * 2)
        let plan = DevnetPlan(
            folder: folder, masternodes: masternodes, apiPorts: Array(ports[..<masternodes]),
            peerPorts: Array(ports[masternodes...]),
            programs: URL(filePath: programs, directoryHint: .isDirectory))
        tell("making \(senders) keys and the genesis")
        let names = (0..<senders).map { "sender-\($0)" }
        let genesis = try plan.prepare(accounts: names, chainName: "load")
        let nodes = ProcessGroup()
        for index in 0..<masternodes { await nodes.add(try plan.start(index)) }
        do {
            try await measure(plan, genesis.hash, names)
        } catch {
            await nodes.stopAll()
            throw error
        }
        await nodes.stopAll()
    }

    private func measure(_ plan: DevnetPlan, _ genesis: Digest, _ names: [String]) async throws {
        let clients = try (0..<masternodes).map { ChainClient(nodes: [try NodeAddress(plan.apiURL($0))]) }
        for client in clients {
            while (try? await client.status().peers) ?? 0 < masternodes - 1 { try await Task.sleep(for: .milliseconds(100)) }
        }
        let passphrase = try Passphrase(file: plan.passphraseFile.path)
        let directory = KeyDirectory(path: plan.keysFolder.path)
        let keys = try names.map { try directory.open($0, passphrase: passphrase) }
        tell("signing \(rate * seconds) transactions")
        let until = Time(UInt64(Date().timeIntervalSince1970 * 1_000) + 590_000)
        let service = ServiceId(unchecked: Array("load".utf8))
        let padding = [UInt8](repeating: 7, count: max(0, bytes - 156))
        var transactions: [SignedTransaction] = []
        for index in 0..<rate * seconds {
            let key = keys[index % keys.count]
            transactions.append(
                try SignedTransaction(
                    signing: Transaction(
                        sender: Account(key.publicKey), sequence: UInt64(index / keys.count), validUntil: until,
                        gasLimit: 30_000, serviceId: service, actionId: .applicationTask, data: padding),
                    with: key, genesis: genesis))
        }
        let book = Book()
        let watcher = Task { [client = clients[0]] in
            for try await event in client.events(from: Height(1)) {
                await book.final(event.transactions.map(\.wrappedValue), at: .now)
            }
        }
        tell("sending \(rate) a second for \(seconds) s")
        let start = ContinuousClock.now
        await withTaskGroup(of: Void.self) { group in
            for (index, transaction) in transactions.enumerated() {
                let due = start + .microseconds(index * 1_000_000 / rate)
                try? await Task.sleep(until: due, clock: .continuous)
                // An account's transactions all go to one node, in order enough: the pool holds up to 64 ahead.
                let client = clients[index % keys.count % clients.count]
                group.addTask {
                    let id = transaction.transaction.id(genesis: genesis)
                    await book.submitted(id, at: .now)
                    do { _ = try await client.submit(transaction) } catch { await book.refused("\(error)") }
                }
            }
        }
        let sending = ContinuousClock.now - start
        for _ in 0..<100 where await book.waiting > 0 { try await Task.sleep(for: .milliseconds(100)) }
        watcher.cancel()
        let result = await book.result
        print(
            """
            transactions  \(transactions.count), sent in \(sending)
            final         \(result.count), refused \(result.refused), not seen final \(result.waiting)
            finality      p50 \(result.p50) ms, p95 \(result.p95) ms, longest \(result.longest) ms
            """)
        if let sample = result.sample { print("refusal       \(sample)") }
        for client in clients { try await client.shutdown() }
    }

    private func tell(_ text: String) { FileHandle.standardError.write(Data((text + "\n").utf8)) }
}

actor Book {
    private var starts: [TransactionId: ContinuousClock.Instant] = [:]
    private var early: [TransactionId: ContinuousClock.Instant] = [:]
    private var samples: [Double] = []
    private var refusals = 0
    private var sample: String?

    var waiting: Int { starts.count }

    func submitted(_ id: TransactionId, at instant: ContinuousClock.Instant) {
        if let end = early.removeValue(forKey: id) { return add(end - instant) }
        starts[id] = instant
    }

    func refused(_ reason: String) {
        refusals += 1
        sample = reason
    }

    func final(_ ids: [TransactionId], at instant: ContinuousClock.Instant) {
        for id in ids {
            if let start = starts.removeValue(forKey: id) { add(instant - start) } else { early[id] = instant }
        }
    }

    private func add(_ duration: Duration) {
        let parts = duration.components
        samples.append(max(0, Double(parts.seconds) * 1e3 + Double(parts.attoseconds) / 1e15))
    }

    var result: (count: Int, refused: Int, waiting: Int, p50: Int, p95: Int, longest: Int, sample: String?) {
        let ordered = samples.sorted()
        func at(_ share: Double) -> Int { ordered.isEmpty ? 0 : Int(ordered[min(ordered.count - 1, Int(Double(ordered.count) * share))]) }
        return (ordered.count, refusals, starts.count, at(0.5), at(0.95), Int(ordered.last ?? 0), sample)
    }
}
