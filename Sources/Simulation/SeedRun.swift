import Synchronization

/// Many seeds, on all cores, in their order.
public struct SeedRun: Sendable {
    public struct Totals: Sendable {
        public var seeds = 0
        public var failures: [SeedReport] = []
        public var events = 0
        public var heights: UInt64 = 0
        public var transactions = 0
        public var virtualMs: UInt64 = 0
        /// Longest virtual time that a healed quorum took.
        public var slowestHealingMs: UInt64 = 0
        public var faults: [Fault: Int] = [:]

        mutating func add(_ report: SeedReport) {
            seeds += 1
            events += report.events
            heights += report.height
            transactions += report.transactions
            virtualMs += report.virtualMs
            slowestHealingMs = max(slowestHealingMs, report.healedAfterMs)
            faults.merge(report.faults, uniquingKeysWith: +)
            if report.violation != nil { failures.append(report) }
        }
    }

    /// Failing seeds after which a run stops.
    public static let mostFailures = 5

    public let configuration: SimulationConfiguration
    public let seeds: ClosedRange<UInt64>
    public let workers: Int

    public init(configuration: SimulationConfiguration, seeds: ClosedRange<UInt64>, workers: Int) {
        self.configuration = configuration
        self.seeds = seeds
        self.workers = max(1, workers)
    }

    private final class Progress: Sendable {
        struct State {
            var next: UInt64?
            var totals = Totals()
        }
        let state: Mutex<State>

        init(from first: UInt64) { state = Mutex(State(next: first)) }
    }

    /// Runs until the last seed, or until too many have failed.
    /// - Parameter told: after each seed, from any thread, one at a time.
    public func run(told: @escaping @Sendable (SeedReport, Totals) -> Void = { _, _ in }) async throws -> Totals {
        let progress = Progress(from: seeds.lowerBound)
        let last = seeds.upperBound
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<workers {
                group.addTask {
                    while !Task.isCancelled {
                        let seed: UInt64? = progress.state.withLock { state in
                            guard let seed = state.next, state.totals.failures.count < Self.mostFailures else {
                                return nil
                            }
                            state.next = seed < last ? seed + 1 : nil
                            return seed
                        }
                        guard let seed else { return }
                        let report = try SimulatedCluster(seed: seed, configuration: configuration).run()
                        progress.state.withLock { state in
                            state.totals.add(report)
                            told(report, state.totals)
                        }
                    }
                }
            }
            try await group.waitForAll()
        }
        return progress.state.withLock { $0.totals }
    }
}
