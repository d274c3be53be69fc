import APIModel
import ChainClient
import CommandSupport
import Foundation

/// What `chain-cli load` found.
struct LoadDocument: Encodable {
    struct Latency: Encodable {
        let p50: Double, p95: Double, p99: Double, max: Double
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
    /// From the first submission to the last finalised block.
    let tps: Double
    let latencyMs: Latency?
    /// Absent where no node is on this machine.
    let machine: Machine?

    init(
        _ summary: LoadBook.Summary, rate: LoadRate, seconds: Double, start: ContinuousClock.Instant, bytes: Int, senders: Int,
        used: LoadMachine.Use, nodes: [NodeAddress]
    ) {
        self.nodes = nodes.count
        self.rate = rate.text
        self.seconds = round3(seconds)
        self.senders = senders
        self.bytes = bytes
        submitted = summary.submitted
        offered = summary.offered
        accepted = summary.taken
        refused = summary.refused
        finalised = summary.final
        lost = summary.lost
        blocks = summary.blocks
        let wall = summary.lastFinal.map { LoadBook.milliseconds($0 - start) / 1_000 } ?? 0
        tps = wall > 0 ? round3(Double(summary.final) / wall) : 0
        func percentile(_ percent: Int) -> Double {
            round3(summary.samples[min(summary.samples.count - 1, summary.samples.count * percent / 100)])
        }
        latencyMs =
            summary.samples.isEmpty
            ? nil : Latency(p50: percentile(50), p95: percentile(95), p99: percentile(99), max: round3(summary.samples.last ?? 0))
        machine = Self.machine(used, nodes, transactions: summary.final)
    }

    init(idle used: LoadMachine.Use, seconds: Int, nodes: [NodeAddress]) {
        self.nodes = nodes.count
        rate = "0"
        self.seconds = Double(seconds)
        (senders, bytes, submitted, offered, accepted, finalised, lost, blocks) = (0, 0, 0, 0, 0, 0, 0, 0)
        refused = [:]
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
            ("rate", rate == "max" ? "as many as the network takes" : "\(rate) a second"),
            ("sent", "\(Format.number(submitted)) of \(bytes) bytes by \(senders) senders in \(number(seconds, 1)) s"),
            ("accepted", Format.number(accepted)),
            ("refused", refused.isEmpty ? "none" : refused.sorted { $0.key < $1.key }.map { "\($0.key) \(Format.number($0.value))" }.joined(separator: ", ")),
            ("final", "\(Format.number(finalised)) in \(Format.number(blocks)) blocks: \(Format.number(Int(tps))) a second"),
            ("lost", lost > 0 ? Format.number(lost) : nil),
            ("to finality", latencyMs.map { "p50 \(number($0.p50, 1)), p95 \(number($0.p95, 1)), p99 \(number($0.p99, 1)), at most \(number($0.max, 1)) ms" }),
            ("nodes' processors", machine.map { cpu($0) }),
            ("this program's", machine.map { "\(number($0.loadCores, 2)) cores" }),
            ("memory", machine.map { $0.nodes.map { "\($0.peakMemoryBytes / 1_000_000)" }.joined(separator: ", ") + " MB at most, by node" }),
            ("bytes a transaction", machine.flatMap { bytesEach($0) }),
        ])
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
        return table.text(none: "")
            + "\n\nPaper A names 8 MB blocks, 20,000 transactions a second and a confirmation within 3 s, on machines of its own."
            + "\nHere all nodes and this program share one machine; us a tx is processor time of all nodes together."
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
