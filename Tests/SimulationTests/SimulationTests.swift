import Foundation
import Simulation
import Testing

/// The contract as `Contracts/build` makes it; runs without it have no contracts.
let counterContract: [UInt8]? = {
    let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()
    return FileManager.default.contents(atPath: root.appendingPathComponent("Contracts/.build/counter.wasm").path)
        .map { Array($0) }
}()

@Suite(.timeLimit(.minutes(20))) struct SimulationTests {
    struct Shape: Sendable, CustomTestStringConvertible {
        let masternodes: Int, byzantine: Int, epochs: Int, seeds: ClosedRange<UInt64>

        init(masternodes: Int, byzantine: Int, epochs: Int = 1, seeds: ClosedRange<UInt64>) {
            (self.masternodes, self.byzantine, self.epochs, self.seeds) = (masternodes, byzantine, epochs, seeds)
        }

        var testDescription: String { "\(masternodes) masternodes, \(byzantine) of them Byzantine, \(epochs) epochs" }
    }

    static let shapes = [
        Shape(masternodes: 1, byzantine: 0, seeds: 0...11), Shape(masternodes: 4, byzantine: 0, seeds: 0...11),
        Shape(masternodes: 4, byzantine: 1, seeds: 0...11), Shape(masternodes: 5, byzantine: 1, seeds: 0...3),
        Shape(masternodes: 7, byzantine: 0, seeds: 0...3), Shape(masternodes: 7, byzantine: 2, seeds: 0...5),
        Shape(masternodes: 4, byzantine: 0, epochs: 3, seeds: 0...9),
        Shape(masternodes: 4, byzantine: 1, epochs: 4, seeds: 0...9),
        Shape(masternodes: 7, byzantine: 2, epochs: 3, seeds: 0...5),
    ]

    /// Faults of every kind, then peace in which everything that was submitted becomes final.
    @Test(arguments: shapes) func seedsBreakNoRule(_ shape: Shape) throws {
        var (heights, transactions) = (UInt64(0), 0)
        for seed in shape.seeds {
            let configuration = SimulationConfiguration(
                masternodes: shape.masternodes, byzantine: shape.byzantine, epochs: shape.epochs, contract: counterContract)
            let report = try SimulatedCluster(seed: seed, configuration: configuration).run()
            #expect(report.violation == nil, "seed \(seed)")
            heights += report.height
            #expect(report.isCutShort || report.epoch + 1 >= UInt64(shape.epochs), "seed \(seed)")
            transactions += report.transactions
        }
        // The runs do something: blocks are made and transactions final in spite of everything.
        #expect(heights > 5 * UInt64(shape.seeds.count) && transactions > 20 * shape.seeds.count)
    }

    /// Journals that are gone, older copies, empty disks: recognised, told, and with a way back; and nobody contradicts
    /// what it said before.
    @Test(arguments: [4, 7]) func lostVotesBreakNoRule(_ masternodes: Int) throws {
        var faults: [Fault: Int] = [:]
        let wanted = [Fault.lostJournal, .oldJournal, .lostDisk]
        // An older copy is seldom put back while it says less than the store does: more seeds, where that has not happened.
        for seed in 0..<200 as Range<UInt64> {
            guard seed < (masternodes == 4 ? 40 : 12) || (masternodes == 4 && wanted.contains { faults[$0] == nil }) else { break }
            var configuration = SimulationConfiguration(masternodes: masternodes, contract: counterContract)
            configuration.losesVotes = true
            let report = try SimulatedCluster(seed: seed, configuration: configuration).run()
            #expect(report.violation == nil, "seed \(seed)")
            faults.merge(report.faults, uniquingKeysWith: +)
        }
        if masternodes == 4 {
            for fault in wanted { #expect(faults[fault] ?? 0 > 0, "\(fault)") }
        }
    }

    /// Stores that lag seconds behind their journals, so that nodes die with an epoch's border block on its way to the disk.
    @Test func slowStoresBreakNoRule() throws {
        for seed in 0...5 as ClosedRange<UInt64> {
            var configuration = SimulationConfiguration(masternodes: 4, byzantine: 1, epochs: 4, contract: counterContract)
            configuration.slowestCommitMs = 4_000
            let report = try SimulatedCluster(seed: seed, configuration: configuration).run()
            #expect(report.violation == nil, "seed \(seed)")
        }
    }

    struct TrialShape: Sendable, CustomTestStringConvertible {
        let trials: Set<Trial>, masternodes: Int, byzantine: Int, epochs: Int, faults: [Fault]
        var testDescription: String { trials.map(\.rawValue).sorted().joined(separator: ", ") }
    }

    static let trials = [
        TrialShape(trials: [.processor], masternodes: 4, byzantine: 1, epochs: 1, faults: [.starved, .late]),
        TrialShape(
            trials: [.copies], masternodes: 4, byzantine: 0, epochs: 1, faults: [.secondHome, .restoredBackup]),
        TrialShape(trials: [.upgrade], masternodes: 4, byzantine: 0, epochs: 4, faults: [.upgrade]),
        TrialShape(
            trials: [.joiners], masternodes: 4, byzantine: 1, epochs: 1,
            faults: [.joined, .diedJoining, .offerer, .gaveUpSnapshot, .oneSource]),
        TrialShape(
            trials: [.disks], masternodes: 4, byzantine: 0, epochs: 1, faults: [.joined, .joinDiskError, .sourceDiskError]),
        TrialShape(trials: [.joiners, .upgrade], masternodes: 4, byzantine: 0, epochs: 4, faults: [.joined, .upgrade]),
        TrialShape(trials: Set(Trial.allCases), masternodes: 7, byzantine: 1, epochs: 4, faults: [.starved]),
    ]

    /// Overloaded processors, homes that run twice or were put back, upgrades, and nodes that join by a snapshot: what only
    /// some runs are asked for.
    @Test(arguments: trials) func trialsBreakNoRule(_ shape: TrialShape) throws {
        var faults: [Fault: Int] = [:]
        for seed in 0...(shape.masternodes == 4 ? 11 : 3) as ClosedRange<UInt64> {
            let configuration = SimulationConfiguration(
                masternodes: shape.masternodes, byzantine: shape.byzantine, epochs: shape.epochs,
                contract: counterContract, trials: shape.trials)
            let report = try SimulatedCluster(seed: seed, configuration: configuration).run()
            #expect(report.violation == nil, "seed \(seed)")
            faults.merge(report.faults, uniquingKeysWith: +)
            guard seed == 0 else { continue }
            let again = try SimulatedCluster(seed: seed, configuration: configuration).run()
            #expect(report.digest == again.digest && report.events == again.events)
        }
        for fault in shape.faults { #expect(faults[fault, default: 0] > 0, "\(fault) was never injected") }
    }

    /// Masternodes that start again after the healing, for a newer program, while the whole quorum is needed: their clocks
    /// are right then, or the chain waits for the slowest of them in every view.
    @Test(arguments: [183, 470, 1_174] as [UInt64]) func whoStartsAfterTheHealingIsOnTime(seed: UInt64) throws {
        let configuration = SimulationConfiguration(
            masternodes: 4, epochs: 4, contract: counterContract, trials: [.processor, .copies, .upgrade])
        let report = try SimulatedCluster(seed: seed, configuration: configuration).run()
        #expect(report.violation == nil)
    }

    /// Snapshots whose head is the last block of an epoch after which the set of masternodes is another one: the step that
    /// this block proves is no part of its own proof, and whoever joined there holds it all the same.
    @Test(arguments: [32, 51, 53, 59, 63] as [UInt64]) func aSnapshotOfAnEpochsBorderIsProvable(seed: UInt64) throws {
        let configuration = SimulationConfiguration(
            masternodes: 4, byzantine: 1, epochs: 3, contract: counterContract, trials: [.joiners])
        let report = try SimulatedCluster(seed: seed, configuration: configuration).run()
        #expect(report.violation == nil)
    }

    /// One honest source, and silent ones that offer the same snapshot: it is not blamed for them.
    @Test func whoSendsIsNotBlamedForTheSilent() throws {
        let configuration = SimulationConfiguration(
            masternodes: 4, byzantine: 1, epochs: 3, contract: counterContract, trials: [.joiners])
        let report = try SimulatedCluster(seed: 66, configuration: configuration).run()
        #expect(report.violation == nil)
    }

    @Test func theSameSeedIsTheSameRun() throws {
        for seed in 100...105 as ClosedRange<UInt64> {
            let configuration = SimulationConfiguration(masternodes: 4, byzantine: 1, contract: counterContract)
            let first = try SimulatedCluster(seed: seed, configuration: configuration).run()
            let second = try SimulatedCluster(seed: seed, configuration: configuration).run()
            #expect(first.digest == second.digest && first.events == second.events, "seed \(seed)")
            #expect(first.faults == second.faults && first.height == second.height, "seed \(seed)")
        }
    }

    @Test func differentSeedsAreDifferentRuns() throws {
        let digests = try (0...7 as ClosedRange<UInt64>).map {
            try SimulatedCluster(seed: $0, configuration: SimulationConfiguration(masternodes: 4)).run().digest
        }
        #expect(Set(digests).count == digests.count)
    }

    /// All kinds of faults come up, and liars get caught.
    @Test func faultsAreInjectedAndLiarsCaught() async throws {
        let run = SeedRun(
            configuration: SimulationConfiguration(masternodes: 4, byzantine: 1, contract: counterContract),
            seeds: 200...239, workers: 2)
        let totals = try await run.run()
        #expect(totals.failures.isEmpty)
        #expect(totals.seeds == 40)
        // Masternodes lose their votes only where the set tolerates it beside the liars.
        let elsewhere: Set<Fault> = [.membership, .lostJournal, .oldJournal, .lostDisk]
        for fault in Fault.allCases where !elsewhere.contains(fault) && !fault.isOfTrial { #expect(totals.faults[fault, default: 0] > 0, "\(fault) was never injected") }
        let accusing = try (200...209 as ClosedRange<UInt64>).filter {
            try SimulatedCluster(seed: $0, configuration: run.configuration).run().accused == [3]
        }
        #expect(accusing.count >= 5)
    }

    @Test func aLogTellsWhatHappened() throws {
        let configuration = SimulationConfiguration(masternodes: 4, contract: counterContract, isVerbose: true)
        let told = try SimulatedCluster(seed: 3, configuration: configuration).run()
        let silent = try SimulatedCluster(
            seed: 3, configuration: SimulationConfiguration(masternodes: 4, contract: counterContract)
        ).run()
        #expect(told.digest == silent.digest)
        #expect(told.log.contains { $0.contains("publishes") } && told.log.contains { $0.contains("healing") })
    }
}
