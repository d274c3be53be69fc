import APIModel
import ArgumentParser
import ChainClient
import CommandSupport
import Cryptography
import Foundation
import KeyFiles
import LocalNetwork
import Primitives

/// Sends signed transactions and measures the time until each is in a finalised block.
struct LoadCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "load", abstract: "Send transactions at a rate, or as many as a network takes, and measure until they are final.",
        discussion: """
            The senders' keys are derived from the key of --from, so that the same command uses the same accounts again. They \
            need money, which their credits come from: --fund sends each what it lacks, and the credits of money that has just \
            arrived grow within an hour. With --devnet the network is one of its own, made for the run, with rested senders.

            The clock of a transaction starts when it is due, not when a busy program comes to send it, and ends when the first \
            node announces its block. What a node refuses is offered again and counts as offered. Of nodes on this machine it \
            also says what they took of it.

            Examples:
              chain-cli load --nodes http://127.0.0.1:26600,http://127.0.0.1:26601 --from alice --fund 1000000000 --rate 500
              chain-cli load --devnet 1,4 --rate 1000,max --seconds 30
              chain-cli load --devnet 4 --link 100Mbit,50ms --rate max --bytes 60000 --in-flight 500
            """)

    @Option(help: "Transactions a second, or max: as many as --in-flight leaves room for. 0 sends nothing and measures an idle network. With --devnet several, with commas.")
    var rate = "1000"
    @Option(help: "How long to send, in seconds.") var seconds = 60
    @Option(help: "Accounts that send. Default: \(LoadCommand.standardSenders).") var senders: Int?
    @Option(help: "Bytes of an encoded signed transaction. Default: \(LoadCommand.standardBytes).") var bytes: Int?
    @Option(help: "With --rate max: transactions that are not final at any time. Default: \(LoadCommand.standardInFlight).")
    var inFlight: Int?
    @Option(help: ArgumentHelp("At a fixed rate: transactions that one request holds. Default: what comes due in 5 ms, so 5 at 1000 a second.", valueName: "number"))
    var perRequest: Int?
    @Option(help: ArgumentHelp("Key from which the senders' are derived; not needed where there is only one.", valueName: "key"))
    var from: String?
    @Option(help: ArgumentHelp("Money that each sender gets from --from, where it has less, in smallest units.", valueName: "amount"))
    var fund: String?
    @Option(help: ArgumentHelp("Measure a network of its own with so many masternodes on this machine; several, with commas, one after the other.", valueName: "number,..."))
    var devnet: String?
    @Option(help: ArgumentHelp("With --devnet: gives each masternode a line to the others of this rate in each direction, with this delay to each: \(LinkSpeed.form).", valueName: "rate,delay"))
    var link: String?
    @OptionGroup var global: GlobalOptions

    private static let standardSenders = 256
    private static let standardBytes = 200
    private static let standardInFlight = 2_000
    private var senderCount: Int { senders ?? Self.standardSenders }
    private var byteCount: Int { bytes ?? Self.standardBytes }
    private var mostInFlight: Int { inFlight ?? Self.standardInFlight }

    func validate() throws {
        let rates = try rates()
        _ = try sizes()
        guard (1...86_400).contains(seconds) else { throw ValidationError("--seconds is 1 to 86400, not \(seconds)") }
        guard (1...100_000).contains(senderCount) else { throw ValidationError("--senders is 1 to 100000, not \(senderCount)") }
        guard (1...1_000_000).contains(mostInFlight) else {
            throw ValidationError("--in-flight is 1 to 1000000, not \(mostInFlight)")
        }
        if inFlight != nil, !rates.contains(.max) {
            throw ValidationError("--in-flight goes with --rate max: at a fixed rate nothing waits for what is not final yet")
        }
        if let perRequest {
            guard (1...SubmissionLimits.transactions).contains(perRequest) else {
                throw ValidationError("--per-request is 1 to \(SubmissionLimits.transactions), not \(perRequest)")
            }
            let fixed = rates.filter { $0 != .max && $0 != .perSecond(0) }
            guard let least = fixed.map({ $0.most(seconds: seconds, bytes: byteCount) }).min() else {
                throw ValidationError("--per-request goes with a fixed --rate: at max a request takes as many as there is room for")
            }
            guard perRequest <= least else {
                throw ValidationError("--per-request is \(perRequest), and \(least) transactions come due in \(seconds) s: not one request would be full")
            }
        }
        let range = SenderLoad.smallest...SenderLoad.largest
        guard range.contains(byteCount) else {
            throw ValidationError("--bytes is \(range.lowerBound) to \(range.upperBound), not \(byteCount)")
        }
        if rates.allSatisfy({ $0 == .perSecond(0) }) {
            for (name, isGiven) in [("senders", senders != nil), ("bytes", bytes != nil), ("fund", fund != nil)] where isGiven {
                throw ValidationError("--\(name) is for a load: --rate 0 sends nothing, so leave it out")
            }
        }
        if try sizes().isEmpty, rates.count > 1 { throw ValidationError("several rates go with --devnet alone") }
        if let link {
            guard speed != nil else { throw ValidationError("--link is \(LinkSpeed.form), not '\(link)'") }
            guard let most = try sizes().max() else { throw ValidationError("--link goes with --devnet alone: other networks have lines of their own") }
            guard most <= SlowLinks.mostMasternodes else {
                throw ValidationError("--link goes with at most \(SlowLinks.mostMasternodes) masternodes, not \(most)")
            }
        }
        if devnet != nil, !global.nodes.isEmpty { throw ValidationError("--devnet has nodes of its own: leave --node out") }
        if devnet != nil, from != nil || fund != nil || global.keysPath != nil {
            throw ValidationError("--devnet has senders of its own: leave --from, --fund and --keys out")
        }
    }

    private func perRequest(at rate: LoadRate) -> Int {
        guard case .perSecond(let rate) = rate else { return SubmissionLimits.transactions }
        return perRequest ?? LoadPace.perRequest(rate: rate)
    }

    private func rates() throws -> [LoadRate] {
        try rate.split(separator: ",", omittingEmptySubsequences: false).map { text in
            if text == "max" { return .max }
            guard let number = Int(text), (0...1_000_000).contains(number) else {
                throw ValidationError("--rate is a number up to 1000000, or max, not '\(text)'")
            }
            return .perSecond(number)
        }
    }

    private var speed: LinkSpeed? { link.flatMap { LinkSpeed($0) } }

    private func sizes() throws -> [Int] {
        try devnet?.split(separator: ",", omittingEmptySubsequences: false).map { text in
            guard let number = Int(text), (1...100).contains(number) else {
                throw ValidationError("--devnet is a number of masternodes, 1 to 100, not '\(text)'")
            }
            return number
        } ?? []
    }

    func run() async throws {
        let (rates, sizes) = (try rates(), try sizes())
        guard !sizes.isEmpty else {
            let document = try await measureNetwork(rates.first ?? .perSecond(0))
            global.show(document, document.text)
            return try document.requireNothingLost()
        }
        var documents: [LoadDocument] = []
        for size in sizes {
            for rate in rates { documents.append(try await measureDevnet(size, rate)) }
        }
        global.show(documents, LoadDocument.table(documents))
        for document in documents { try document.requireNothingLost() }
    }

    private func measureNetwork(_ rate: LoadRate) async throws -> LoadDocument {
        let key = try global.signingKey(from)
        let keys = SenderLoad.keys(senderCount, of: key.seed)
        let addresses = try global.addresses()
        let client = ChainClient(nodes: addresses)
        if let fund, rate != .perSecond(0) {
            try await self.fund(keys, try Arguments.amount(fund, "--fund"), from: key, client)
        }
        return try await run(rate, keys, addresses.isEmpty ? [.standard] : addresses)
    }

    private func fund(_ keys: [PrivateKey], _ amount: UInt128, from key: PrivateKey, _ client: ChainClient) async throws {
        let sender = try await TransactionSender(client: client, key: key)
        var last: SignedTransaction?
        for (index, receiver) in keys.enumerated() {
            Progress.show("funding sender \(index + 1) of \(keys.count)")
            let account = Account(receiver.publicKey)
            let balance = try await client.account(account)?.balance ?? 0
            guard balance < amount else { continue }
            last = try await sender.submitted(.transfer(amount - balance, to: account))
        }
        if let last { _ = try await sender.wait(for: last, timeout: .seconds(120)) }
        Progress.clear()
    }

    private func measureDevnet(_ size: Int, _ rate: LoadRate) async throws -> LoadDocument {
        let folder = FileManager.default.temporaryDirectory.appending(
            path: "edgeproof-load-\(UUID().uuidString)", directoryHint: .isDirectory)
        defer { try? FileManager.default.removeItem(at: folder) }
        let ports = try FreePorts.take(size * 2)
        let plan = DevnetPlan(
            folder: folder, masternodes: size, apiPorts: Array(ports[..<size]), peerPorts: Array(ports[size...]))
        let keys = SenderLoad.keys(rate == .perSecond(0) ? 1 : senderCount, of: PrivateKey.generate().seed)
        _ = try plan.prepare(
            accounts: [], chainName: "load",
            allocations: keys.map { .init(account: Account($0.publicKey), balance: DevnetPlan.accountBalance) })
        var lines: SlowLinks?
        if let speed { lines = try await SlowLinks.lay(speed, between: plan) }
        let nodes = ProcessGroup()
        do {
            for index in 0..<size { await nodes.add(try plan.start(index)) }
            let addresses = try (0..<size).map { try NodeAddress(plan.apiURL($0)) }
            for address in addresses { try await connected(address, peers: size - 1, nodes) }
            let document = try await run(rate, keys, addresses)
            await nodes.stopAll()
            await lines?.close()
            return document
        } catch {
            await nodes.stopAll()
            await lines?.close()
            throw error
        }
    }

    /// Waits until the node is connected with all others.
    private func connected(_ address: NodeAddress, peers: Int, _ nodes: ProcessGroup) async throws {
        let client = ChainClient(nodes: [address])
        let end = ContinuousClock.now + .seconds(60)
        while (try? await client.status().peers) ?? -1 < peers {
            if let ended = await nodes.processes.first(where: { !$0.isRunning }) {
                throw Refused("node_ended", "\(ended.name) ended: \(ended.logTail())")
            }
            guard ContinuousClock.now < end else { throw Refused("not_connected", "\(address) has not \(peers) peers after 60 s") }
            try await Task.sleep(for: .milliseconds(100))
        }
    }

    private func run(_ rate: LoadRate, _ keys: [PrivateKey], _ addresses: [NodeAddress]) async throws -> LoadDocument {
        let clients = addresses.map { ChainClient(nodes: [$0]) }
        let seconds = seconds
        if rate == .perSecond(0) {
            // What starting left behind settles first.
            try await Task.sleep(for: .seconds(3))
            let machine = LoadMachine(addresses)
            let before = await machine.reading(clients)
            try await Progress.during("measuring an idle network") { try await Task.sleep(for: .seconds(seconds)) }
            return LoadDocument(
                idle: await machine.reading(clients).since(before), seconds: seconds, nodes: addresses, link: speed?.description)
        }
        Progress.show("signing")
        let load = try await SenderLoad.sign(
            keys, count: rate.most(seconds: seconds, bytes: byteCount), bytes: byteCount, client: clients[0])
        Progress.clear()
        let run = LoadRun(
            rate: rate, seconds: seconds, inFlight: mostInFlight, load: load, clients: clients, addresses: addresses,
            perRequest: perRequest(at: rate), link: speed?.description)
        return try await run.measure(bytes: byteCount)
    }
}

/// How fast transactions are offered.
enum LoadRate: Equatable, Sendable {
    case perSecond(Int)
    case max

    /// More than any network here takes: what is signed in advance for a second of `max`.
    private static let mostPerSecond = 25_000
    private static let mostSigned = 1_500_000
    /// All that is signed is held in memory. Where that does not last, sending ends earlier.
    private static let mostBytes = 1_000_000_000

    /// Transactions that are signed in advance.
    func most(seconds: Int, bytes: Int) -> Int {
        switch self {
        case .perSecond(let rate): rate * seconds
        case .max: Swift.min(Self.mostSigned, Self.mostPerSecond * seconds, Swift.max(1, Self.mostBytes / Swift.max(1, bytes)))
        }
    }
}
