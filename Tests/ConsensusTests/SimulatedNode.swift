import Consensus
import Cryptography
import Primitives

/// A process with its disk: the machine, what it was asked to do, and what would survive its death.
struct SimulatedNode {
    /// Place in the set. Liars have two nodes with one place.
    let identity: UInt16
    let isHonest: Bool

    var machine: Simplex?
    /// Counts restarts: what was under way for an earlier life is lost.
    var life = 0
    /// This life's monotonic clock reads `origin + elapsed * rate / 1000`.
    var clockOrigin: UInt64 = 0
    var clockRate: UInt64 = 1_000
    var timers: [TimerId: Int] = [:]
    var asked: ProposalRequest?

    // The disk
    var journal: [JournalRecord] = []
    var unsynced: [(token: JournalToken, records: [JournalRecord])] = []
    var floor = Floor.start(Cast.root, proof: .genesis)

    // The application
    var tip = Cast.root
    var known: Set<Int> = []
    var final: Set<Int> = []
    var toldWork = false

    /// For liars: which masternodes this one of the two talks with.
    var audience: Set<UInt16> = []

    init(identity: UInt16, isHonest: Bool) {
        self.identity = identity
        self.isHonest = isHonest
    }

    var hasWork: Bool { !known.isSubset(of: final) }

    func localTime(_ now: UInt64) -> Instant { Instant(milliseconds: clockOrigin + now * clockRate / 1_000) }

    /// The first simulated time at which the clock reads this or more.
    func simulatedTime(_ instant: Instant) -> UInt64 {
        guard instant.milliseconds > clockOrigin else { return 0 }
        return ((instant.milliseconds - clockOrigin) * 1_000 + clockRate - 1) / clockRate
    }

    /// Death: what is not synced is lost, but for a part that happened to reach the disk.
    mutating func crash(chance: inout Chance) {
        machine = nil
        life += 1
        let waiting = unsynced.flatMap(\.records)
        journal.append(contentsOf: waiting.prefix(chance.below(waiting.count + 1)))
        unsynced = []
        timers = [:]
        asked = nil
        tip = floor.block.digest
        final = []
        toldWork = false
    }
}
