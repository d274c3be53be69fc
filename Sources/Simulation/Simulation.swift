import NodeCore
import Primitives
import StateSync

/// # Simulation
///
/// Clusters of the real node composition (`NodeMachine`) on virtual time, network and disk. One seed decides every
/// delay, loss, crash and lie, so a run can be repeated event for event.
///
/// A run has two phases. In the first, faults of all kinds are injected while clients submit transactions. Then the
/// failures outside a random quorum become permanent, that quorum is healed, and it must finalise everything that the
/// clients asked for within ``SimulationLimits/healingMs`` of virtual time.
///
/// What is injected
/// - **network**: loss, delay, reordering, duplication, one-way links, partitions, broken connections;
/// - **disk**: a crash before, between and after a write and its fsync; torn journal tails; batches that were or were
///   not stored; failing writes and reads; as a trial, disks that fail while a node joins by a snapshot;
/// - **votes**: journals that are gone or replaced by older copies, and empty disks, among as many masternodes as the set
///   tolerates; they are brought back by rule 12, or observe;
/// - what a run is asked for (``Trial``): processors that take time and are overloaded, homes that are copied and run twice
///   or are put back as they were, upgrades that old programs don't know, nodes that join by a snapshot among peers that
///   offer them what is false, keep silent or come again under new names, and die meanwhile;
/// - **strangers**: peers without a key that lie about heads, send what nobody wants, flood with wrong signatures, keep
///   silent, and come again under new names;
/// - **process**: crash at any output, restart, pauses, late joiners, everybody at once, followers;
/// - **clocks**: monotonic clocks that drift and start anywhere, wall clocks that are wrong and jump;
/// - **Byzantine masternodes**, up to f: two machines under one key, conflicting votes, votes withheld, mutated bytes,
///   stale replays, invalid bodies, floods, false heads.
///
/// What is checked after every event: one digest for each final height on all honest nodes, with the same state root,
/// receipts root and supply; the chain has no gap; nothing goes back across a restart; what is told of is durable; an
/// honest node's votes never contradict each other, are in its journal before they leave, and it can serve their
/// bodies; nobody honest is accused, called misbehaved, or has a proposal rejected; nobody honest halts; pools keep
/// their limits. Whoever joined by a snapshot holds the state that its block certifies, never distrusts an honest peer, and
/// in the end joins if one honest node can be reached, and is as far as the others. Across epochs: all nodes have the same set in each; every border block is where the parameters put it
/// and has a Finalization, by which a light client walks from the genesis; no honest masternode is slashed, and at the end
/// every accused one is.
public enum SimulationLimits {
    /// Virtual time in which a healed quorum must have finalised everything.
    public static let healingMs: UInt64 = 90_000
    /// A quorum that goes on finalising blocks has more of it: as often as it has made one in this time, up to
    /// ``longestHealing`` times.
    public static let progressMs: UInt64 = 15_000
    static let longestHealing = 6
    /// Added for each Byzantine masternode that goes on lying.
    public static let healingPerLiarMs: UInt64 = 60_000
    /// Added where nodes join by a snapshot among liars: each of those who are new may cost the time of a few requests.
    public static let joiningMs: UInt64 = 90_000
    /// Events after which a run is taken for a livelock.
    public static let events = 3_000_000
}

/// What a run is about, beside its seed.
public struct SimulationConfiguration: Sendable {
    public var masternodes: Int
    /// Masternodes that lie; at most f for the invariants to hold.
    public var byzantine: Int
    /// Epochs that a run has to reach. With one the first lasts for ever; with more, epochs are short, masternodes
    /// register, leave and resume, and liars are slashed and go.
    public var epochs = 1
    /// A contract module for services and scheduled calls: `counter.wasm`. It is part of what a seed means.
    public var contract: [UInt8]?
    /// Kinds of faults beside those that every seed may have.
    public var trials: Set<Trial>
    /// Keeps a readable log of every event.
    public var isVerbose: Bool
    package var rules = NodeRules()
    package var joinChecks = SnapshotJoin.Checks()
    /// Masternodes lose what they know of their votes in every run, not just in some.
    package var losesVotes = false
    /// Longest time that the stores take for a batch; nil leaves it to the seed.
    package var slowestCommitMs: UInt64?

    public init(
        masternodes: Int, byzantine: Int = 0, epochs: Int = 1, contract: [UInt8]? = nil, trials: Set<Trial> = [],
        isVerbose: Bool = false
    ) {
        self.masternodes = masternodes
        self.byzantine = byzantine
        self.epochs = max(1, epochs)
        self.contract = contract
        self.trials = trials
        self.isVerbose = isVerbose
    }
}

/// What came of one seed.
public struct SeedReport: Sendable {
    public let seed: UInt64
    /// The invariant that was broken, with time and node; nil for a good run.
    public var violation: String?
    /// Hash over all events, in order.
    public var digest: UInt64 = 0
    public var events = 0
    public var height: UInt64 = 0
    public var view: UInt64 = 0
    /// Clients' transactions that became final.
    public var transactions = 0
    /// Virtual time from the healing to the last client's transaction being final everywhere.
    public var healedAfterMs: UInt64 = 0
    public var virtualMs: UInt64 = 0
    public var faults: [Fault: Int] = [:]
    /// The epoch that the chain reached.
    public var epoch: UInt64 = 0
    /// A set came about in which more lie than its size tolerates, since honest masternodes were suspended: what lies
    /// beyond is outside of what any protocol promises, and the run ended there.
    public var isCutShort = false
    /// Masternodes against whom an honest node has evidence, by their places in the cast.
    public var accused: Set<UInt16> = []
    public var log: [String] = []
}

/// The kinds of faults that are counted.
public enum Fault: String, Sendable, CaseIterable {
    case lost, duplicated, cut, partition, oneWay = "one-way link", brokenConnection = "broken connection"
    case crash, crashAtOutput = "crash at an output", everybody = "everybody at once", lateStart = "late start"
    case pause, clockStep = "clock step", diskError = "disk error", journalCut = "journal cut"
    case equivocation, withheld = "vote withheld", mutated = "mutated bytes", replay = "stale replay"
    case invalidBody = "invalid body", forgedBlocks = "forged blocks", falseVote = "false vote", flood, falseHead = "false head"
    case lostJournal = "lost journal", oldJournal = "older copy of a journal", lostDisk = "lost disk"
    case renewal = "beacon made"
    case stranger, strangeFlood = "a stranger's flood", strangeHead = "a stranger's false head"
    case nuisance = "hopeless transaction", membership = "membership change"
    case starved = "starved processor", late = "late by overload"
    case secondHome = "second home with one key", restoredBackup = "restored backup"
    case upgrade = "program too old"
    case joined = "joined by a snapshot", joinedByBlocks = "joined by blocks instead", diedJoining = "crash in a join"
    case offerer = "peer with a false snapshot", gaveUpSnapshot = "snapshot given up", oneSource = "one honest source"
    case joinDiskError = "disk error in a join", sourceDiskError = "disk error of who gives out a state"

    /// Comes up only where its ``Trial`` is asked for.
    public var isOfTrial: Bool {
        switch self {
        case .starved, .late, .secondHome, .restoredBackup, .upgrade: true
        case .joined, .joinedByBlocks, .diedJoining, .offerer, .gaveUpSnapshot, .oneSource: true
        case .joinDiskError, .sourceDiskError: true
        default: false
        }
    }
}
