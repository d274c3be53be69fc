import Consensus

/// What one seed stands for.
struct Scenario {
    var seed: UInt64
    var masternodes: Int
    /// Masternodes that run twice under one key and lie besides; at most f for the invariants to hold.
    var byzantine = 0
    /// Until then faults are injected; after it every link is good and every honest node is up.
    var faultsUntilMs: UInt64 = 25_000
    var crashes = true
    var partitions = true
    /// Liars say nothing more once the faults are over.
    var liarsFallSilent = false
    /// Connections break where messages are lost, and are made anew; otherwise nobody notices the loss.
    var healingReconnects = true
    /// Messages that even good links lose: of connections that break.
    var lossInPeacePercent = 0
    /// Rules of the honest nodes.
    var rules = Rules()

    /// A mix in which every size and every number of liars that the size tolerates comes up.
    static func mixed(seed: UInt64, rules: Rules = Rules()) -> Scenario {
        var chance = Chance(seed: seed ^ 0x5CE7_A210)
        let masternodes = chance.pick([1, 4, 4, 4, 5, 7])
        var scenario = Scenario(seed: seed, masternodes: masternodes, rules: rules)
        scenario.byzantine = chance.happens(60) ? (masternodes - 1) / 3 : 0
        scenario.liarsFallSilent = chance.happens(40)
        scenario.lossInPeacePercent = chance.pick([0, 0, 3])
        scenario.healingReconnects = chance.happens(50)
        scenario.crashes = chance.happens(75)
        scenario.partitions = chance.happens(60)
        return scenario
    }
}

struct Report {
    /// The broken rule, or nil.
    var violation: String?
    var views: UInt64 = 0
    var finalized = 0
    var crashes = 0
    var messages = 0
    /// Masternodes that some honest node has evidence against.
    var accused: Set<UInt16> = []
    /// Of everything that happened, in order.
    var fingerprint: UInt64 = 0
    var log: [String] = []
}
