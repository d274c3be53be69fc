import Foundation
import Simulation
import Synchronization

/// What people and programs are told of a run.
final class Console: Sendable {
    private let seeds: ClosedRange<UInt64>
    private let isVerbose: Bool
    private let isQuiet: Bool
    private let replay: @Sendable (UInt64) -> String
    private let started = ContinuousClock.now
    private let lastLine = Mutex(ContinuousClock.now)

    init(
        seeds: ClosedRange<UInt64>, isVerbose: Bool, isQuiet: Bool, replay: @escaping @Sendable (UInt64) -> String
    ) {
        self.seeds = seeds
        self.isVerbose = isVerbose
        self.isQuiet = isQuiet
        self.replay = replay
    }

    private var seconds: Double {
        let elapsed = ContinuousClock.now - started
        return Double(elapsed.components.seconds) + Double(elapsed.components.attoseconds) / 1e18
    }

    private func rate(_ totals: SeedRun.Totals) -> String {
        String(format: "%.1f", Double(totals.seeds) / max(seconds, 0.001))
    }

    func tell(_ report: SeedReport, _ totals: SeedRun.Totals) {
        guard !isQuiet else { return }
        if isVerbose {
            for line in report.log { print(line) }
            print("seed \(report.seed): \(report.events) events, digest \(Self.hex(report.digest))")
        }
        if let violation = report.violation {
            print("seed \(report.seed) breaks a rule at \(violation)\n  replay: \(replay(report.seed))")
        }
        let isDue = lastLine.withLock { last in
            guard ContinuousClock.now - last >= .seconds(2) else { return false }
            last = ContinuousClock.now
            return true
        }
        if isDue, !isVerbose {
            let of = seeds.upperBound == .max ? "" : " of \(seeds.upperBound - seeds.lowerBound + 1)"
            Terminal.tell("\(totals.seeds)\(of) seeds, \(rate(totals)) a second, \(totals.failures.count) failed")
        }
    }

    func summarise(_ totals: SeedRun.Totals) {
        print(
            """
            \(totals.seeds) seeds in \(String(format: "%.1f", seconds)) s (\(rate(totals)) seeds/s): \
            \(totals.failures.count) failed
            \(totals.events) events, \(totals.virtualMs / 1_000) s of virtual time, \(totals.heights) final blocks, \
            \(totals.transactions) transactions final
            slowest healing \(totals.slowestHealingMs) ms of virtual time
            faults injected:
            """)
        for (fault, count) in totals.faults.sorted(by: { $0.value > $1.value }) {
            print("  \(String(count).leftPadded(to: 10)) \(fault.rawValue)")
        }
        for failure in totals.failures {
            print("FAILED seed \(failure.seed): \(failure.violation ?? "")\n  replay: \(replay(failure.seed))")
        }
    }

    private struct Document: Encodable {
        struct Failure: Encodable {
            let seed: String, violation: String, digest: String, replay: String
        }
        let seeds: Int, secondsElapsed: Double, seedsPerSecond: Double
        let events: Int, finalBlocks: String, transactions: Int, virtualSeconds: String, slowestHealingMs: String
        let faults: [String: Int]
        let trials: [String], trialsLeftOut: [String]
        let failures: [Failure]
    }

    /// - Parameter leftOut: kinds of trials that were asked for and that such runs can't have.
    func printDocument(_ totals: SeedRun.Totals, trials: Set<Trial>, leftOut: [Trial]) throws {
        let document = Document(
            seeds: totals.seeds, secondsElapsed: seconds, seedsPerSecond: Double(totals.seeds) / max(seconds, 0.001),
            events: totals.events, finalBlocks: String(totals.heights), transactions: totals.transactions,
            virtualSeconds: String(totals.virtualMs / 1_000), slowestHealingMs: String(totals.slowestHealingMs),
            faults: Dictionary(uniqueKeysWithValues: totals.faults.map { ($0.key.rawValue, $0.value) }),
            trials: trials.map(\.rawValue).sorted(), trialsLeftOut: leftOut.map(\.rawValue),
            failures: totals.failures.map {
                Document.Failure(
                    seed: String($0.seed), violation: $0.violation ?? "", digest: Self.hex($0.digest),
                    replay: replay($0.seed))
            })
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        print(String(decoding: try encoder.encode(document), as: UTF8.self))
    }

    private static func hex(_ word: UInt64) -> String {
        let digits = String(word, radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }
}

enum Terminal {
    /// To standard error, so that what is piped stays clean.
    static func tell(_ line: String) { FileHandle.standardError.write(Data((line + "\n").utf8)) }
}

extension String {
    func leftPadded(to width: Int) -> String { String(repeating: " ", count: max(0, width - count)) + self }
}
