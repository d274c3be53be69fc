/// # WorkerRuntime
///
/// A participant of a training job, of either protocol: it follows the job's contract through the chain, exchanges sealed
/// messages with the others of its round, and puts the digests of what it did on the chain. Edges and a cloud do split
/// learning, and devices that hand the front's work to their edge; devices, fog nodes and a cloud fog learning;
/// validators evaluate.
///
/// The module promises
/// - **the chain decides, and no node is believed**: who takes part, where and with which key, and what the job's code is,
///   is read with proofs from the genesis on; what other participants say is checked against keys and digests of the chain;
/// - **nothing leaves unsealed**: boundary values, gradients, weights and samples go out in envelopes for one receiver;
/// - **nothing large from a stranger**: who speaks is known from a request's head, signed, before its body is read;
///   members divide the room, and every transfer has its time;
/// - **training on threads of its own**: peers and the chain are heard while it computes;
/// - **no hang**: every wait ends at a deadline of the chain's own or a time-out named here;
/// - **restartable**: what must survive a crash (models, an unopened commitment, a score, keys, what samples were exposed
///   to) is on disk before the chain learns of it, and a round can be done again: the same work gives the same commitments;
/// - **there to answer**: it stays after the job's end while its last rounds' work can be disputed, unless it is told not to.
public enum WorkerLimits {
    /// Envelopes of one sender that wait for their turn: the two sides alternate, so one of this round and one that
    /// comes early for the next. Further ones are refused with 503, and the sender tries again.
    public static let waitingFromOneSender = 2
    /// Bytes of all envelopes that wait or are under way. The members of a job divide them evenly.
    public static let waitingBytes = 512 * 1_024 * 1_024
    /// Bytes of a round's answers that the cloud keeps, to give them again to an edge that restarts.
    public static let keptAnswerBytes = 128 * 1_024 * 1_024
    /// Bytes of one envelope on the wire besides its boundary values: contexts, keys, signature, a front's parameters.
    public static let envelopeOverhead = 16_384
    /// Connections that have not said yet who they are: of one address, and in all. The oldest makes way for a new one.
    public static let strangersOfOneAddress = 32
    public static let strangers = 128
    /// Time in which a connection says who it is. A member's signed request comes in its first packet.
    public static let introductionMs: Int64 = 5_000
    /// Connections of one member at a time; the oldest makes way for a new one.
    public static let connectionsOfOneMember = 4
    /// The silence after which a member's connection is closed.
    public static let idleMs: Int64 = 60_000
    /// Time that a body or an answer gets to cross the wire: so much, and more for each byte at the slowest rate that is
    /// of use.
    public static let transferMs: Int64 = 10_000
    public static let slowestBytesPerMs: Int64 = 64
    /// After a refusal what still comes is thrown away for so long: an answer that a reset overtakes is never read.
    public static let lingerMs: Int64 = 500
    /// The largest difference between two workers' clocks with which a request is taken.
    public static let clockToleranceMs: UInt64 = 120_000
    /// The age from which on a certified state is worth a warning.
    public static let certifiedAgeMs: UInt64 = 120_000
    /// Blocks by which a node's answer may be ahead of the newest certified state that was seen.
    public static let blocksAhead: UInt64 = 1_000
    /// Rounds of one epoch of a job: so many are done with one key for sealing.
    public static let roundsEachKey: UInt32 = 16
    /// Time that a peer gets to answer one request.
    public static let requestMs: UInt64 = 10_000
    /// Time between two tries to reach a peer.
    public static let retryMs: UInt64 = 150
    /// How often the job is asked for where no event announces a change.
    public static let pollMs: UInt64 = 1_000
    /// The longest pause after an action that failed.
    public static let longestPauseMs: UInt64 = 8_000
    /// The cloud waits for a silent edge for this part of the longest commit phase, and drops it then.
    public static let stepShare: UInt64 = 6
    /// Times that, before an edge takes the cloud for restarted and does the round again...
    public static let edgePatience = 2
    /// ...and that the cloud waits for a round's first message, longer than any edge's patience.
    public static let firstStepPatience = 3
    /// Of a commit phase's time the part after which a fog job's cloud goes on without those that are late.
    public static let collectPercent: UInt64 = 70
    /// Of a commit phase's time the part that a fog node waits for its devices' samples: one in so many.
    public static let deviceShare: UInt64 = 2
    /// So long before the end of a commit phase a worker that the cloud has left out says that it is there.
    public static let attendanceMs: UInt64 = 2_500
    /// How often an asynchronous job's cloud asks the chain who has committed.
    public static let commitmentPollMs: Int64 = 300
    /// How often its fog nodes hand over again what no round has taken yet.
    public static let redeliveryMs: Int64 = 3_000
    /// How often a device looks whether its fog node still has everything.
    public static let feedMs: UInt64 = 5_000
    /// Bytes of samples that a fog node holds for its devices, which divide them evenly.
    public static let sampleBytes = 1_024 * 1_024 * 1_024
    /// Warnings about peers that one round may print.
    public static let warningsEachRound = 20
    /// Bytes of what a worker heard in a round that it keeps for audits: of a longer round nothing is.
    public static let auditBytes = 128 * 1_024 * 1_024
    /// Bytes of rounds' evidence that a worker keeps on disk for disputes; the oldest go first.
    public static let keptAuditBytes = 512 * 1_024 * 1_024
    /// Time for which an answer to an auditor waits until a fog node that restarted has its devices' samples again.
    public static let samplesAgainMs: Int64 = 10_000
    /// Blocks that a member of a committee looks back at its start, for when the running round's commit phase closed.
    public static let blocksBack: UInt64 = 1_000
    /// Samples times epochs of a fog node's round that an auditor does again: what somebody hands over must not keep it busy
    /// for ever.
    public static let auditedPasses = 1_000_000
    /// How often it is asked for disputes that no event has announced: events can get lost, and a turn of a dispute takes
    /// a minute.
    public static let disputePollMs: Int64 = 15_000
    /// Workers that an auditor asks at the same time: silent ones are waited for together.
    public static let auditsAtOnce = 16
    /// Bytes of their answers that it holds meanwhile, beside the answer that came first.
    public static let auditAnswersBytes = auditBytes * 2
    /// Time in which a worker begins to hand over what an auditor asks for. For the whole answer it has this time for each
    /// worker that is asked with it: they share the auditor's line.
    public static let auditAnswerMs: Int64 = 15_000
    /// Gas that one action on a job may use.
    public static let actionGas: UInt64 = 10_000_000
}

public enum WorkerError: Error, CustomStringConvertible {
    /// With the name of a service that there is, where it may be meant.
    case noSuchJob(String, near: String?)
    case notAJob(String, String)
    case cannotWork(String)
    case wrongRole(key: String, wanted: String)
    case unusableData(String)
    case jobFull(String)
    case damagedState(String, String)
    case unusableEvidence(String, String, round: UInt32)
    case stateInUse(String)
    case cannotWrite(String, String)
    case cannotListen(String, String)
    case otherModel(String, String)
    case unusableModel(String, String)
    case untrusted(String)
    case unknownCode(String, String)
    case unknownValidator(String)
    case keyInUse(String)
    case displaced(String)
    case peer(String)
    case aborted(String)

    public var description: String {
        switch self {
        case .noSuchJob(let job, let near):
            "there is no job '\(job)' on this chain" + (near.map { " (did you mean '\($0)'?)" } ?? "")
                + "; 'chain-cli job list' shows what there is, and --wait waits for one that is still to come"
        case .notAJob(let job, let reason): "the service '\(job)' is not a training job: \(reason)"
        case .cannotWork(let reason): "this worker can't do the job: \(reason)"
        case .wrongRole(let key, let wanted):
            "this key takes part in the job as \(key), not as \(wanted): give --role \(key), or another key"
        case .unusableData(let reason): "the images can't be used: \(reason)"
        case .jobFull(let reason): "the job does not take this worker: \(reason)"
        case .damagedState(let path, let reason): "\(path) is damaged: \(reason); move it aside and start again"
        case .unusableEvidence(let path, let reason, let round):
            "the evidence of round \(round) in \(path) can't be used: \(reason). Without it this worker can't answer when "
                + "its work of that round is audited or disputed: put a copy of the file there, or make it readable. "
                + "It is looked at again each time"
        case .stateInUse(let path):
            "another worker uses \(path): stop it first, or give each worker a --state folder of its own"
        case .cannotWrite(let path, let reason): "\(path) can't be written: \(reason)"
        case .cannotListen(let address, let reason): "can't listen on \(address): \(reason)"
        case .otherModel(let job, let checkpoint):
            "the file is not the accepted model of the job '\(job)': that is \(checkpoint)"
        case .unusableModel(let path, let reason): "\(path) is no model that this program reads: \(reason)"
        case .untrusted(let reason): "no node proves what it says about the job: \(reason)"
        case .unknownCode(let job, let hash):
            "the code of the job '\(job)' is unknown (SHA-256 \(hash)): its contract may do anything with this worker's pay, "
                + "bond and reputation. Give --accept-code with this hash, or with the contract's file, if you trust it"
        case .unknownValidator(let who):
            "the job is validated by \(who), which --accept-validator does not name"
        case .keyInUse(let endpoint):
            "another worker with this key works at \(endpoint): stop it first, or give this one a key of its own"
        case .displaced(let endpoint):
            "another worker with this key has taken its place in the job and is at \(endpoint) now: give each worker a key of its own"
        case .peer(let reason): reason
        case .aborted(let reason): "the job was aborted" + (reason.isEmpty ? "" : ": \(reason)")
        }
    }
}
