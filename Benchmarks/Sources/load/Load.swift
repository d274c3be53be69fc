import ArgumentParser
import ChainClient
import Cryptography
import Encoding
import Foundation
import KeyFiles
import LocalNetwork
import Primitives

/// Sends signed transactions at a steady rate to a devnet of its own and measures the time from each submission until
/// a node announces the finalised block that holds it, and the processor time that this took.
@main
struct Load: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "load", abstract: "Submission to finality on a devnet, under a steady load; or what an idle one takes.",
        discussion: "Example: load --programs ../.build/release --rate 1000 --seconds 60")

    @Option(help: "Folder with the built chaind.") var programs: String
    @Option(help: "Transactions a second.") var rate: Int = 1_000
    @Option(help: "How long to send, in seconds.") var seconds: Int = 60
    @Option(help: "Sends nothing: measures the processor time of the idle devnet for this many seconds.") var idle: Int?
    @Option(help: "Bytes of one encoded signed transaction, about.") var bytes: Int = 200
    @Option(help: "Masternodes of the devnet.") var masternodes: Int = 4
    @Option(help: "Accounts that send.") var senders: Int = 64
    @Option(help: "Connections to each node.") var connections: Int = 2

    func validate() throws {
        guard rate > 0, seconds > 0, senders > 0, connections > 0, masternodes > 0, idle ?? 1 > 0 else {
            throw ValidationError("rates, times and numbers are at least 1")
        }
    }

    func run() async throws {
        let folder = FileManager.default.temporaryDirectory.appending(
            path: "edgeproof-load-\(UUID().uuidString)", directoryHint: .isDirectory)
        defer { try? FileManager.default.removeItem(at: folder) }
        let ports = try FreePorts.take(masternodes * 2)
        let plan = DevnetPlan(
            folder: folder, masternodes: masternodes, apiPorts: Array(ports[..<masternodes]),
            peerPorts: Array(ports[masternodes...]),
            programs: URL(filePath: programs, directoryHint: .isDirectory))
        let accounts = idle == nil ? senders : 1
        tell("making \(accounts) keys and the genesis")
        let names = (0..<accounts).map { "sender-\($0)" }
        let genesis = try plan.prepare(accounts: names, chainName: "load")
        let nodes = ProcessGroup()
        do {
            var processes: [Int32] = []
            for index in 0..<masternodes {
                let node = try plan.start(index)
                await nodes.add(node)
                processes.append(node.processIdentifier)
            }
            let clients = try await connect(plan)
            if let idle {
                try await measureIdle(processes, seconds: idle)
            } else {
                let load = try sign(plan, genesis.hash, names)
                try await measure(load, plan, clients[0], processes)
            }
            for client in clients { try await client.shutdown() }
        } catch {
            await nodes.stopAll()
            throw error
        }
        await nodes.stopAll()
    }

    /// Waits until every node is connected with every other one.
    private func connect(_ plan: DevnetPlan) async throws -> [ChainClient] {
        let clients = try (0..<masternodes).map { ChainClient(nodes: [try NodeAddress(plan.apiURL($0))]) }
        for client in clients {
            while (try? await client.status().peers) ?? 0 < masternodes - 1 { try await Task.sleep(for: .milliseconds(100)) }
        }
        return clients
    }

    // MARK: Idle

    private func measureIdle(_ processes: [Int32], seconds: Int) async throws {
        // What starting left behind settles first.
        try await Task.sleep(for: .seconds(5))
        tell("measuring \(seconds) s of idleness")
        let (before, start) = (processes.map(ProcessorTime.of), ContinuousClock.now)
        try await Task.sleep(for: .seconds(seconds))
        let wall = Figures.seconds(ContinuousClock.now - start)
        let used = zip(processes.map(ProcessorTime.of), before).map { $0 - $1 }
        let each = used.map { Figures.text($0 / wall, 4) }.joined(separator: ", ")
        print("idle          \(Figures.text(used.reduce(0, +) / wall, 4)) of a core over \(Figures.text(wall, 0)) s (each node: \(each))")
    }

    // MARK: Load

    /// Signs everything beforehand, so that sending costs next to nothing.
    private func sign(_ plan: DevnetPlan, _ genesis: Digest, _ names: [String]) throws -> [Submission] {
        let passphrase = try Passphrase(file: plan.passphraseFile.path)
        let directory = KeyDirectory(path: plan.keysFolder.path)
        let keys = try names.map { try directory.open($0, passphrase: passphrase) }
        tell("signing \(rate * seconds) transactions")
        let until = Time(UInt64(Date().timeIntervalSince1970 * 1_000) + 590_000)
        let service = ServiceId(unchecked: Array("load".utf8))
        let padding = [UInt8](repeating: 7, count: max(0, bytes - 156))
        return try (0..<rate * seconds).map { index in
            let key = keys[index % keys.count]
            let signed = try SignedTransaction(
                signing: Transaction(
                    sender: Account(key.publicKey), sequence: UInt64(index / keys.count), validUntil: until,
                    gasLimit: 200_000, serviceId: service, actionId: .applicationTask, data: padding),
                with: key, genesis: genesis)
            return Submission(id: signed.transaction.id(genesis: genesis), body: signed.borsh)
        }
    }

    private func measure(
        _ load: [Submission], _ plan: DevnetPlan, _ client: ChainClient, _ processes: [Int32]
    ) async throws {
        let book = Book(load.map(\.id))
        let watcher = Task {
            for try await event in client.events(from: Height(1)) {
                book.final(event.transactions.map(\.wrappedValue), at: .now)
            }
        }
        defer { watcher.cancel() }
        // An account's transactions all go over one connection, so that they arrive in their order.
        let links = try (0..<masternodes * connections).map { index in
            try Connection(port: plan.apiPorts[index % masternodes]) { book.refused($0) }
        }
        tell("sending \(rate) a second for \(seconds) s")
        let (nodesBefore, ownBefore) = (processes.map(ProcessorTime.of), ProcessorTime.own)
        let start = ContinuousClock.now
        let (rate, senders) = (rate, senders)
        await Background.run {
            for (index, submission) in load.enumerated() {
                let due = start + .microseconds(index * 1_000_000 / rate)
                let wait = due - .now
                if wait > .zero { usleep(UInt32(clamping: Figures.microseconds(wait))) }
                book.submitted(index, due: due, at: .now)
                links[index % senders % links.count].send(submission.body)
            }
        }
        let sending = ContinuousClock.now - start
        for _ in 0..<100 where book.waiting > 0 { try await Task.sleep(for: .milliseconds(100)) }
        let wall = Figures.seconds(ContinuousClock.now - start)
        let nodes = zip(processes.map(ProcessorTime.of), nodesBefore).map { $0 - $1 }.reduce(0, +)
        let own = ProcessorTime.own - ownBefore
        for link in links { link.close() }
        print(book.report(sending: sending))
        print(
            """
            processor     nodes \(Figures.text(nodes, 1)) s (\(Figures.text(nodes / wall, 2)) cores), \
            generator \(Figures.text(own, 1)) s (\(Figures.text(own / wall, 2)) cores)
            a transaction \(Figures.text(nodes * 1e6 / Double(load.count), 0)) us of all nodes together, \
            \(Figures.text(own * 1e6 / Double(load.count), 0)) us of the generator
            """)
    }

    private func tell(_ text: String) { FileHandle.standardError.write(Data((text + "\n").utf8)) }
}

/// A signed transaction, ready to send.
struct Submission: Sendable {
    let id: TransactionId
    let body: [UInt8]
}
