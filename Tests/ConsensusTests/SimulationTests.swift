import Consensus
import Testing

@Suite(.timeLimit(.minutes(20))) struct SimulationTests {
    /// Each seed: faults of every kind, liars up to f, then peace in which everything submitted becomes final.
    @Test(arguments: [0, 100, 200] as [UInt64]) func seedsBreakNoRule(first: UInt64) {
        var (finalized, crashes) = (0, 0)
        for seed in first..<first + 100 {
            var cluster = Cluster(.mixed(seed: seed))
            let report = cluster.run()
            #expect(report.violation == nil, "seed \(seed)")
            finalized += report.finalized
            crashes += report.crashes
        }
        #expect(finalized > 2_000 && crashes > 100)
    }

    @Test(arguments: [1, 4, 5, 7]) func everySizeWorks(masternodes: Int) {
        for seed in 1_000..<1_010 as Range<UInt64> {
            var cluster = Cluster(Scenario(seed: seed, masternodes: masternodes, byzantine: (masternodes - 1) / 3))
            #expect(cluster.run().violation == nil, "seed \(seed)")
        }
    }

    /// Rule 11: the epoch's last block is proposed again until a Finalization carries it, and nothing above it is.
    @Test func everyBorderBlockIsFinalized() {
        for seed in 2_000..<2_020 as Range<UInt64> {
            var scenario = Scenario.mixed(seed: seed)
            (scenario.borderHeight, scenario.submissions) = (1 + Int(seed % 5), 20)
            var cluster = Cluster(scenario)
            #expect(cluster.run().violation == nil, "seed \(seed)")
        }
    }

    /// Liars get caught: in most seeds somebody honest holds evidence (that it is of liars only, every seed checks).
    @Test func liarsAreCaught() {
        let caught = (0..<20 as Range<UInt64>).filter { seed in
            var cluster = Cluster(Scenario(seed: seed, masternodes: 4, byzantine: 1))
            return cluster.run().accused == [3]
        }
        #expect(caught.count >= 15)
    }

    @Test func theSameSeedIsTheSameRun() {
        for seed in 0..<10 as Range<UInt64> {
            var (first, second) = (Cluster(.mixed(seed: seed)), Cluster(.mixed(seed: seed)))
            let (one, two) = (first.run(), second.run())
            #expect(one.fingerprint == two.fingerprint && one.messages == two.messages, "seed \(seed)")
        }
    }

    /// With nothing to order nothing is sent, until the heartbeat's block is due; a transaction ends the silence.
    @Test(arguments: [1, 4, 7]) func anIdleNetworkIsSilent(masternodes: Int) {
        var cluster = Cluster(Scenario(seed: 5, masternodes: masternodes, crashes: false))
        for node in cluster.nodes.indices { cluster.start(node) }
        cluster.submit(at: 1_000)
        cluster.runUntil(6_000)
        #expect(cluster.honest.allSatisfy { cluster.nodes[$0].final.count == 1 })
        let (messages, view) = (cluster.report.messages, cluster.highestView)
        cluster.runUntil(14_000)
        #expect(cluster.report.messages == messages)
        #expect(cluster.highestView == view)
        // One block at the heartbeat, and no view given up.
        cluster.runUntil(1_000 + 2_000 + Cast.heartbeat + 1_000)
        #expect(cluster.highestView == view + 1)
        cluster.submit(at: 22_000)
        cluster.runUntil(25_000)
        #expect(cluster.honest.allSatisfy { cluster.nodes[$0].final.count == 2 })
        #expect(cluster.invariants.violation == nil)
    }

    /// A dead masternode costs its own views and nothing else.
    @Test func oneOfFourMayBeDead() {
        var cluster = Cluster(Scenario(seed: 8, masternodes: 4, crashes: false))
        for node in 1..<4 { cluster.start(node) }
        for index in 1...8 as ClosedRange<UInt64> { cluster.submit(at: index * 4_000) }
        cluster.runUntil(45_000)
        #expect((1..<4).allSatisfy { cluster.nodes[$0].final.count == 8 })
        // It comes back and is brought to where the others are.
        cluster.start(0)
        cluster.submit(at: 46_000)
        cluster.runUntil(55_000)
        #expect(cluster.nodes[0].final.count == 9)
        #expect(cluster.invariants.violation == nil)
    }
}
