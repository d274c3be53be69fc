import ArgumentParser
import ChainBench
import Cryptography
import Foundation
import Ledger
import Primitives
import TestSupport

/// What a transaction costs in states of different sizes: blocks of transfers, and of records, among accounts drawn from all
/// that there are, executed by the ledger and written to a synced store, as a node does it.
@main struct Scale: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "scale", abstract: "Measures what a transaction costs in states of so many accounts.",
        discussion: """
            A state is filled first, without transactions: that takes some seconds for 10,000 accounts, a minute or two for a \
            million, and a quarter of an hour and about 5 GB of the disk for ten million. Then each kind of block is made \
            anew, of accounts that are drawn from all; nothing else is read meanwhile.

            us of processor time count all threads, the store's among them; those by the clock count waiting for the disk.

            Examples:
              scripts/bench-scale
              scripts/bench-scale --large --json
            """)

    @Option(help: ArgumentHelp("Accounts that the state has; several, with commas.", valueName: "number,..."))
    var accounts = "10000,1000000"
    @Flag(help: "Ten million accounts, too.") var large = false
    @Option(help: "Blocks of each kind.") var blocks = 20
    @Option(help: "Transactions in a block.") var transactions = 1_000
    @Option(help: "What accounts are drawn by.") var seed: UInt64 = 1
    @Flag(help: "Prints one JSON document.") var json = false

    func validate() throws {
        _ = try sizes()
        guard (1...10_000).contains(blocks) else { throw ValidationError("--blocks is 1 to 10000, not \(blocks)") }
        guard (1...20_000).contains(transactions) else { throw ValidationError("--transactions is 1 to 20000, not \(transactions)") }
    }

    private func sizes() throws -> [Int] {
        let sizes = try accounts.split(separator: ",", omittingEmptySubsequences: false).map { text in
            guard let number = Int(text), (2...100_000_000).contains(number) else {
                throw ValidationError("--accounts are numbers from 2 to 100000000, not '\(text)'")
            }
            return number
        }
        return large ? sizes + [10_000_000] : sizes
    }

    /// Of one kind of transaction in one state, for each transaction.
    struct Row: Encodable {
        let accounts: Int
        let kind: String
        let transactions: Int
        let executionMicros: Double
        let treeMicros: Double
        let storeMicros: Double
        let processorMicros: Double
        let clockMicros: Double
    }

    struct Document: Encodable {
        let rows: [Row]
        /// Seconds that filling took, in the order of `accounts`.
        let fillSeconds: [Double]
        /// Processor time in the largest state by that in the smallest, by kind.
        let growth: [String: Double]
    }

    func run() throws {
        let sizes = try sizes()
        var rows: [Row] = []
        var fills: [Double] = []
        for size in sizes {
            let (found, seconds) = try measure(size)
            rows += found
            fills.append(Self.rounded(seconds))
        }
        let document = Document(rows: rows, fillSeconds: fills, growth: Self.growth(rows))
        if json {
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
            print(String(decoding: try encoder.encode(document), as: UTF8.self))
        } else {
            print(Self.text(document, sizes))
        }
    }

    // MARK: Measuring

    private func measure(_ size: Int) throws -> ([Row], fillSeconds: Double) {
        let start = Date()
        let chain = try PipelineChain(senders: 1)
        try chain.fill(size) { made in tell("filling \(size) accounts: \(made * 100 / size) %, \(Int(-start.timeIntervalSinceNow)) s") }
        let seconds = -start.timeIntervalSinceNow
        tell("filled \(size) accounts in \(Int(seconds)) s", isLast: true)
        var draw = SeededGenerator(seed: seed)
        var sequences: [Int: UInt64] = [:]
        let rows = try ["transfer", "record"].map { kind in
            var steps = Steps()
            for number in 0...blocks {
                try block(kind, size, chain, &draw, &sequences, &steps)
                // The first one is not counted: it writes what the filling left.
                if number == 0 { steps = Steps() }
                tell("\(size) accounts, \(kind): block \(number) of \(blocks)")
            }
            let count = blocks * transactions
            func micros(_ name: String) -> Double { Self.rounded(steps.processorMicros(name, transactions: count)) }
            return Row(
                accounts: size, kind: kind, transactions: count, executionMicros: micros(PipelineChain.execution),
                treeMicros: micros(PipelineChain.commitment), storeMicros: micros(PipelineChain.storage),
                processorMicros: Self.rounded(steps.processorMicros(transactions: count)),
                clockMicros: Self.rounded(steps.clockMicros(transactions: count)))
        }
        tell("measured \(size) accounts", isLast: true)
        return (rows, seconds)
    }

    private func block(
        _ kind: String, _ size: Int, _ chain: PipelineChain, _ draw: inout SeededGenerator, _ sequences: inout [Int: UInt64],
        _ steps: inout Steps
    ) throws {
        chain.tick()
        let signed = try (0..<transactions).map { _ in
            let sender = draw.below(size)
            let sequence = sequences[sender] ?? 0
            sequences[sender] = sequence + 1
            let key = try PipelineChain.key(sender)
            guard kind == "transfer" else {
                let service = ServiceId(unchecked: Array("load".utf8))
                return try chain.transaction(
                    .applicationTask, service: service, data: [UInt8](repeating: 7, count: 44), by: key, sequence: sequence)
            }
            let recipient = Account(try PipelineChain.key(draw.below(size)).publicKey)
            return try chain.transaction(
                .transfer, service: .chain, data: Transfer(recipient: recipient).borsh, value: 1, by: key, sequence: sequence)
        }
        let receipts = try chain.append(signed, ids: signed.map { $0.id(genesis: chain.genesisHash) }, &steps)
        for receipt in receipts {
            if case .failed(let message) = receipt.outcome { throw ScaleError(description: "a \(kind) failed: \(message)") }
        }
    }

    // MARK: Telling

    private static func rounded(_ value: Double) -> Double { (value * 100).rounded() / 100 }

    private static func growth(_ rows: [Row]) -> [String: Double] {
        var growth: [String: Double] = [:]
        for kind in Set(rows.map(\.kind)) {
            let same = rows.filter { $0.kind == kind }.sorted { $0.accounts < $1.accounts }
            guard let first = same.first, let last = same.last, first.processorMicros > 0 else { continue }
            growth[kind] = rounded(last.processorMicros / first.processorMicros)
        }
        return growth
    }

    private static func text(_ document: Document, _ sizes: [Int]) -> String {
        func number(_ value: Double) -> String { String(format: "%.2f", value) }
        var lines = ["us of processor time for each transaction", "", "| accounts | kind | execution | tree | store | sum | by the clock |", "|---|---|---|---|---|---|---|"]
        for row in document.rows {
            lines.append(
                "| \(row.accounts) | \(row.kind) | \(number(row.executionMicros)) | \(number(row.treeMicros)) | "
                    + "\(number(row.storeMicros)) | \(number(row.processorMicros)) | \(number(row.clockMicros)) |")
        }
        lines.append("")
        for (size, seconds) in zip(sizes, document.fillSeconds) { lines.append("filling \(size) accounts took \(number(seconds)) s") }
        for (kind, times) in document.growth.sorted(by: { $0.key < $1.key }) {
            lines.append("a \(kind) costs \(number(times)) times as much in the largest state as in the smallest")
        }
        return lines.joined(separator: "\n")
    }

    /// A line that moves on a terminal; in a log the last ones alone.
    private func tell(_ text: String, isLast: Bool = false) {
        let isTerminal = isatty(2) == 1
        guard isTerminal || isLast else { return }
        FileHandle.standardError.write(Data(((isTerminal ? "\r\u{1b}[K" : "") + text + (isLast ? "\n" : "")).utf8))
    }
}

struct ScaleError: Error, CustomStringConvertible {
    let description: String
}
