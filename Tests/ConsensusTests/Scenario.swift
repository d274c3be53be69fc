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
    /// So many honest masternodes are down from soon after the start until the faults are over.
    var absent = 0
    /// Transactions that are submitted while there are faults.
    var submissions = 4
    /// Where the epoch ends: at this height, of which everybody must get a Finalization.
    var borderHeight: Int?
    /// To where the timers may adapt.
    var minimumDelayMs: UInt64 = 150
    var silenceViews: UInt64?
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
        scenario.submissions = chance.pick([4, 4, 4, 30])
        scenario.minimumDelayMs = chance.pick([20, 150, 150, Cast.delta])
        scenario.silenceViews = chance.pick([nil, 1])
        if scenario.byzantine == 0, chance.happens(50) { scenario.absent = (masternodes - 1) / 3 }
        return scenario
    }
}

struct Report {
    /// The broken rule, or nil.
    var violation: String?
    var views: UInt64 = 0
    var finalized = 0
    var crashes = 0
    /// From the end of the faults to when everything submitted was final everywhere.
    var recoveryMs: UInt64 = 0
    /// How long each transaction took from its submission to its first delivery as final.
    var finalityMs: [(submitted: UInt64, took: UInt64)] = []
    /// When a block of this leader was last delivered as final.
    var lastFinalOfLeader: [UInt16: UInt64] = [:]
    var messages = 0
    /// Masternodes that some honest node has evidence against.
    var accused: Set<UInt16> = []
    /// Of everything that happened, in order.
    var fingerprint: UInt64 = 0
    var log: [String] = []
}
