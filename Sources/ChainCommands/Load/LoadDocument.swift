import APIModel
import ChainClient
import CommandSupport
import Foundation

/// What `chain-cli load` found.
struct LoadDocument: Encodable {
    struct Latency: Encodable {
        let p50: Double, p95: Double, p99: Double, max: Double
    }

    /// Of the blocks that hold transactions.
    struct Blocks: Encodable {
        /// Of their transactions.
        let largestBytes: Int
        let meanBytes: Int
        let bytesPerSecond: Double
        /// From the time in the header, which is the proposer's, until the first node announced it.
        let proposalToFinalMs: Latency
        /// Views without a block, over the whole run; absent where the blocks could not be asked for.
        let viewsGivenUp: Int?
    }

    struct Node: Encodable {
        let node: String
        let cpuSeconds: Double
        let cores: Double
        let peakMemoryBytes: UInt64
        let sentBytes: UInt64
        let storedBytes: UInt64
    }

    struct Machine: Encodable {
        let nodes: [Node]
        /// Of all nodes, microseconds of processor time for each final transaction; absent without any.
        let cpuMicrosPerTransaction: Double?
        let cores: Double
        let loadCpuMicrosPerTransaction: Double?
        let loadCores: Double
        let sentBytesPerTransaction: Double?
        let storedBytesPerTransaction: Double?
    }

    let nodes: Int
    /// Transactions a second, or `max`.
    let rate: String
    let seconds: Double
    let senders: Int
    let bytes: Int
    /// Transactions of one request; absent at the highest rate, where it is as many as there is room for.
    let perRequest: Int?
    /// Distinct ones that were offered.
    let submitted: Int
    /// With those that were offered again.
    let offered: Int
    let accepted: Int
    /// By reason.
    let refused: [String: Int]
    let finalised: Int
    /// Accepted, and not final a minute after the last was sent.
    let lost: Int
    let blocks: Int
    let blockSizes: Blocks?
    /// Line of each masternode, where `--link` gave it one.
    let link: String?
    /// From the first submission to the last finalised block.
    let tps: Double
    let latencyMs: Latency?
    /// Absent where no node is on this machine.
    let machine: Machine?

    init(
        _ summary: LoadBook.Summary, rate: LoadRate, seconds: Double, start: ContinuousClock.Instant, bytes: Int, senders: Int,
        perRequest: Int?, used: LoadMachine.Use, nodes: [NodeAddress], viewsGivenUp: Int?, link: String?
    ) {
        self.nodes = nodes.count
        self.rate = rate.text
        self.seconds = round3(seconds)
        self.senders = senders
        self.bytes = bytes
        self.perRequest = perRequest
        submitted = summary.submitted
        offered = summary.offered
        accepted = summary.taken
        refused = summary.refused
        finalised = summary.final
        lost = summary.lost
        blocks = summary.blockBytes.count
        self.link = link
        let wall = summary.lastFinal.map { LoadBook.milliseconds($0 - start) / 1_000 } ?? 0
        tps = wall > 0 ? round3(Double(summary.final) / wall) : 0
        latencyMs = Latency(summary.samples)
        let sum = summary.blockBytes.reduce(0, +)
        blockSizes = Latency(summary.blockAges).map { ages in
            Blocks(
                largestBytes: summary.blockBytes.max() ?? 0, meanBytes: sum / max(1, summary.blockBytes.count),
                bytesPerSecond: wall > 0 ? (Double(sum) / wall).rounded() : 0, proposalToFinalMs: ages,
                viewsGivenUp: viewsGivenUp)
        }
        machine = Self.machine(used, nodes, transactions: summary.final)
    }

    init(idle used: LoadMachine.Use, seconds: Int, nodes: [NodeAddress], link: String?) {
        self.link = link
        blockSizes = nil
        self.nodes = nodes.count
        rate = "0"
        self.seconds = Double(seconds)
        (senders, bytes, submitted, offered, accepted, finalised, lost, blocks) = (0, 0, 0, 0, 0, 0, 0, 0)
        refused = [:]
        perRequest = nil
        tps = 0
        latencyMs = nil
        machine = Self.machine(used, nodes, transactions: 0)
    }

    private static func machine(_ used: LoadMachine.Use, _ addresses: [NodeAddress], transactions: Int) -> Machine? {
        let known = zip(addresses, used.nodes).compactMap { address, node in node.map { (address, $0) } }
        guard !known.isEmpty, used.seconds > 0 else { return nil }
        let cpu = known.reduce(0) { $0 + $1.1.cpuSeconds }
        func each(_ sum: Double) -> Double? { transactions > 0 ? round3(sum / Double(transactions)) : nil }
        return Machine(
            nodes: known.map { address, node in
                Node(
                    node: address.url, cpuSeconds: round3(node.cpuSeconds), cores: round3(node.cpuSeconds / used.seconds),
                    peakMemoryBytes: node.memoryBytes, sentBytes: node.sentBytes, storedBytes: node.storedBytes)
            }, cpuMicrosPerTransaction: each(cpu * 1e6), cores: round3(cpu / used.seconds),
            loadCpuMicrosPerTransaction: each(used.ownSeconds * 1e6), loadCores: round3(used.ownSeconds / used.seconds),
            sentBytesPerTransaction: each(Double(known.reduce(0) { $0 + $1.1.sentBytes })),
            storedBytesPerTransaction: each(Double(known.reduce(0) { $0 + $1.1.storedBytes })))
    }

    /// What a node took and the chain never got is the one thing that must not be.
    func requireNothingLost() throws {
        guard lost > 0 else { return }
        throw Refused("lost", "\(lost) accepted transactions were not final a minute after the last was sent")
    }

    var text: String {
        facts([
            ("rate", rate == "max" ? "as many as the network takes" : "\(rate) a second" + (perRequest.map { ", \($0) in a request" } ?? "")),
            ("sent", "\(Format.number(submitted)) of \(bytes) bytes by \(senders) senders in \(number(seconds, 1)) s"),
            ("accepted", Format.number(accepted)),
            ("refused", refused.isEmpty ? "none" : refused.sorted { $0.key < $1.key }.map { "\($0.key) \(Format.number($0.value))" }.joined(separator: ", ")),
            ("final", "\(Format.number(finalised)) in \(Format.number(blocks)) blocks: \(Format.number(Int(tps))) a second"),
            ("line of each", link),
            ("blocks", blockSizes.map { Self.text($0) }),
            ("proposal to final", blockSizes.map { Self.text($0.proposalToFinalMs) }),
            ("views given up", blockSizes?.viewsGivenUp.map { Format.number($0) }),
            ("lost", lost > 0 ? Format.number(lost) : nil),
            ("to finality", latencyMs.map { Self.text($0) }),
            ("nodes' processors", machine.map { cpu($0) }),
            ("this program's", machine.map { "\(number($0.loadCores, 2)) cores" }),
            ("memory", machine.map { $0.nodes.map { "\($0.peakMemoryBytes / 1_000_000)" }.joined(separator: ", ") + " MB at most, by node" }),
            ("bytes a transaction", machine.flatMap { bytesEach($0) }),
        ])
    }

    private static func text(_ blocks: Blocks) -> String {
        "\(Format.number(blocks.meanBytes)) bytes in the mean, the largest \(Format.number(blocks.largestBytes)); "
            + "\(Format.number(Int(blocks.bytesPerSecond))) bytes a second"
    }

    private static func text(_ times: Latency) -> String {
        "p50 \(number(times.p50, 1)), p95 \(number(times.p95, 1)), p99 \(number(times.p99, 1)), at most \(number(times.max, 1)) ms"
    }

    private func cpu(_ machine: Machine) -> String {
        "\(number(machine.cores, 3)) cores" + (machine.cpuMicrosPerTransaction.map { ", \(number($0, 0)) us a transaction over all nodes" } ?? "")
    }

    private func bytesEach(_ machine: Machine) -> String? {
        guard let sent = machine.sentBytesPerTransaction, let stored = machine.storedBytesPerTransaction else { return nil }
        return "\(number(sent, 0)) between nodes, \(number(stored, 0)) to disks"
    }

    /// All runs beside each other, with what the paper says of EdgenceChain.
    static func table(_ runs: [LoadDocument]) -> String {
        var table = Table([.left("network")] + [.right("offered"), .right("tps"), .right("p50 ms"), .right("p95 ms"), .right("p99 ms"), .right("us a tx"), .right("cores"), .right("MB"), .right("B sent"), .right("B stored"), .right("fee")])
        for run in runs {
            func each(_ value: Double?, _ digits: Int = 0) -> String { value.map { number($0, digits) } ?? "" }
            table.add(
                "\(run.nodes) masternode\(run.nodes == 1 ? "" : "s")", run.rate, number(run.tps, 0), each(run.latencyMs?.p50, 1),
                each(run.latencyMs?.p95, 1), each(run.latencyMs?.p99, 1), each(run.machine?.cpuMicrosPerTransaction),
                each(run.machine?.cores, 2), run.machine.map { "\(($0.nodes.map(\.peakMemoryBytes).max() ?? 0) / 1_000_000)" } ?? "",
                each(run.machine?.sentBytesPerTransaction), each(run.machine?.storedBytesPerTransaction), "0")
        }
        table.add("EdgenceChain (paper A, table 1)", "", "20000", "3000", "", "", "", "", "", "", "", "0")
        return table.text(none: "") + blocksTable(runs)
            + "\n\nPaper A names 8 MB blocks, 20,000 transactions a second and a confirmation within 3 s, on machines of its own."
            + "\nHere all nodes and this program share one machine; us a tx is processor time of all nodes together."
    }
}

extension LoadDocument.Latency {
    /// Nil without samples, which are ascending.
    init?(_ samples: [Double]) {
        guard let last = samples.last else { return nil }
        func percentile(_ percent: Int) -> Double { round3(samples[min(samples.count - 1, samples.count * percent / 100)]) }
        self.init(p50: percentile(50), p95: percentile(95), p99: percentile(99), max: round3(last))
    }
}

extension LoadDocument {
    /// How large blocks became, and how long they took, on lines of a given rate; empty without such runs.
    private static func blocksTable(_ runs: [LoadDocument]) -> String {
        let runs = runs.filter { $0.link != nil }
        guard !runs.isEmpty else { return "" }
        var table = Table([.left("line of each")] + [.right("blocks"), .right("mean bytes"), .right("largest"), .right("bytes/s"), .right("proposal to final p50 ms"), .right("p95 ms"), .right("max ms"), .right("views given up")])
        for run in runs {
            guard let link = run.link, let sizes = run.blockSizes else { continue }
            table.add(
                link, "\(run.blocks)", "\(sizes.meanBytes)", "\(sizes.largestBytes)", number(sizes.bytesPerSecond, 0),
                number(sizes.proposalToFinalMs.p50, 0), number(sizes.proposalToFinalMs.p95, 0),
                number(sizes.proposalToFinalMs.max, 0), sizes.viewsGivenUp.map { "\($0)" } ?? "")
        }
        return "\n\n" + table.text(none: "")
    }
}

extension LoadRate {
    var text: String {
        switch self {
        case .perSecond(let rate): "\(rate)"
        case .max: "max"
        }
    }
}

private func round3(_ value: Double) -> Double { (value * 1_000).rounded() / 1_000 }

private func number(_ value: Double, _ digits: Int) -> String { String(format: "%.\(digits)f", value) }
