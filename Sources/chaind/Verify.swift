import ArgumentParser
import CommandSupport
import Foundation
import NodeHome
import NodeHost

struct Verify: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Execute the stored chain again from the genesis and check all of it.",
        discussion: """
            The node of this home must not be running.

            Example: chaind verify --home ~/node
            """)

    @Option(help: "The node's folder.") var home: String
    @Option(
        help:
            "Threads: one executes, the others read and check signatures ahead of it. What is found does not depend on it."
    )
    var threads = max(1, ProcessInfo.processInfo.activeProcessorCount)
    @Flag(help: "Print one JSON document.") var json = false

    private struct Report: Encodable {
        let height: String
        let digest: String
        let time: String
        let stateRoot: String
        let transactions: String
        let base: String
        let unchecked: String?
        let seconds: Double
        let transactionsPerSecond: Double
    }

    func validate() throws {
        guard (1...256).contains(threads) else { throw ValidationError("--threads is 1 to 256, not \(threads)") }
    }

    func run() async throws {
        let home = NodeHome(home)
        _ = try home.configuration()
        let lock = try HomeLock(home.folder)
        defer { withExtendedLifetime(lock) {} }
        let start = ContinuousClock.now
        let result = try ChainVerifier(home: home).run(threads: threads) { height, last in
            Progress.show("block \(height) of \(last)", isLast: height == last)
        }
        let elapsed = (ContinuousClock.now - start).components
        let seconds = Double(elapsed.seconds) + Double(elapsed.attoseconds) / 1e18
        let report = Report(
            height: "\(result.height)", digest: result.digest.hex, time: "\(result.time)",
            stateRoot: result.stateRoot.hex, transactions: "\(result.transactions)", base: "\(result.base)",
            unchecked: result.unchecked, seconds: seconds,
            transactionsPerSecond: seconds > 0 ? (Double(result.transactions) / seconds).rounded() : 0)
        if json {
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
            print(String(decoding: try encoder.encode(report), as: UTF8.self))
        } else {
            print(
                """
                height        \(report.height)
                block         \(report.digest)
                time          \(report.time)
                state root    \(report.stateRoot)
                transactions  \(report.transactions), \(Int(report.transactionsPerSecond)) a second
                \(result.unchecked.map { "what is here is as it should be. \($0)" }
                    ?? "every block, certificate, receipt and root is as it should be")
                """)
        }
    }
}
