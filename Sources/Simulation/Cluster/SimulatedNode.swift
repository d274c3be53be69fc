import Consensus
import Cryptography
import Ledger
import NodeCore
import Primitives
import StateSync

/// A process with its disk and clocks.
struct SimulatedNode {
    enum Kind {
        case honest, follower, liar
        /// A copy of an honest masternode's home, which runs beside it.
        case second
    }

    /// Place in the cast; of a follower, beyond it. Liars have two nodes with one place, and so has who runs twice.
    let identity: UInt16
    /// By which others know it.
    let peer: NodePeer
    let kind: Kind
    var isHonest: Bool { kind != .liar }

    var machine: NodeMachine?
    /// What the process does before it has a machine, where it joins by a snapshot.
    var join: SimulatedJoin?
    /// It joins by a snapshot when it starts with an empty disk.
    var joinsBySnapshot = false
    /// The states that it gives out while it runs.
    var shelf = SnapshotShelf(interval: 0)
    var admission = SnapshotAdmission()
    /// Whether its process runs.
    var isUp: Bool { machine != nil || join != nil }
    /// Counts starts and deaths: what was under way for an earlier life is lost.
    var life = 0
    var disk: SimulatedDisk

    // Clocks: the monotonic one reads `origin + elapsed * rate / 1000`.
    var origin: UInt64 = 0
    var rate: UInt64 = 1_000
    /// Of the wall clock, in ms.
    var skew: Int64 = 0
    var pausedUntil: UInt64 = 0
    var timers: [NodeTimer: (at: Instant, number: Int)] = [:]

    /// Which nodes it has a connection with, by index, and the number of that connection.
    var connections: [Int: Int] = [:]
    /// For liars: which masternodes this one of the two talks with.
    var audience: Set<UInt16> = []
    /// Its journal, or its whole disk, was lost or replaced by an older copy.
    var hasLostVotes = false
    /// It must not vote before it has asked the others: what is lost of its votes shows.
    var mustAsk = false
    /// Its operator starts it with the command to come back at once (rule 12).
    var comesBack = false
    /// Its journal as it was at an earlier time.
    var copy: [JournalEntry]?
    /// The newest version of the protocol that its program knows.
    var newestProtocol = ProtocolVersion.newest
    /// What its work costs, in the runs where it costs anything.
    var processor = SimulatedProcessor()
    var meter: SignatureMeter?
    /// Will never be back.
    var isGone = false
    /// When it was last published.
    var published = Height.zero
    var position = EpochView(epoch: .zero, view: .zero)

    init(identity: UInt16, kind: Kind, cast: Cast) {
        self.identity = identity
        peer = kind == .follower ? .follower(UInt64(identity)) : cast.peer(identity)
        self.kind = kind
        disk = SimulatedDisk(genesis: cast.genesisHash)
    }

    func clock(_ now: UInt64) -> NodeClock {
        let wall = Int64(Cast.genesisTime.value) + 10_000 + Int64(now) + skew
        return NodeClock(
            monotonic: Instant(milliseconds: origin + now * rate / 1_000), wall: Time(UInt64(max(0, wall))))
    }

    /// The first simulated time at which the monotonic clock reads this or more.
    func simulatedTime(_ instant: Instant) -> UInt64 {
        guard instant.milliseconds > origin else { return 0 }
        let (product, overflow) = (instant.milliseconds - origin).multipliedReportingOverflow(by: 1_000)
        return overflow ? .max : product / rate + (product % rate == 0 ? 0 : 1)
    }
}
