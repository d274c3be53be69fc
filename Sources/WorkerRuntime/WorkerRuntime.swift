/// # WorkerRuntime
///
/// A worker of a training job: it follows the job's contract through the chain, exchanges sealed messages with the
/// other workers of its round, and puts the digests of what it did on the chain.
///
/// The module promises
/// - **the chain decides**: a worker acts on finalised state alone; what other workers say is checked against the
///   keys and digests that the chain holds;
/// - **nothing leaves unsealed**: boundary values, gradients and weights go out in envelopes for one receiver;
/// - **members only**: an envelope takes a place only if a member of the job signed it for this worker's key;
/// - **no hang**: every wait ends at a deadline of the chain's own or a time-out named here;
/// - **restartable**: what must survive a crash (the accepted model, an unopened commitment) is on disk before the
///   chain learns of it, and a round can be done again: the same work gives the same commitments.
public enum WorkerLimits {
    /// Envelopes of one sender that wait for their turn: the two sides alternate, so one of this round and one that
    /// comes early for the next. Further ones are refused with 503, and the sender tries again.
    public static let waitingFromOneSender = 2
    /// Bytes of all envelopes that wait.
    public static let waitingBytes = 256 * 1_024 * 1_024
    /// Bytes of a round's answers that the cloud keeps, to give them again to an edge that restarts.
    public static let keptAnswerBytes = 128 * 1_024 * 1_024
    /// Bytes of one envelope on the wire besides its boundary values: contexts, keys, signature, a front's parameters.
    public static let envelopeOverhead = 16_384
    /// Bytes of a sealed front on the wire.
    public static let sealedFrontBytes = 65_536
    /// Connections to a worker at a time, and the silence after which one is closed.
    public static let connections = 256
    public static let idleSeconds: Int64 = 60
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
    /// Warnings about peers that one round may print.
    public static let warningsEachRound = 20
    /// Gas that one action on a job may use.
    public static let actionGas: UInt64 = 10_000_000
}

public enum WorkerError: Error, CustomStringConvertible {
    case noSuchJob(String)
    case notAJob(String, String)
    case cannotWork(String)
    case wrongRole(key: String, wanted: String)
    case unusableData(String)
    case jobFull(String)
    case damagedState(String, String)
    case stateInUse(String)
    case cannotWrite(String, String)
    case cannotListen(String, String)
    case peer(String)
    case aborted(String)

    public var description: String {
        switch self {
        case .noSuchJob(let job): "there is no job '\(job)' on this chain; 'chain-cli job list' shows what there is"
        case .notAJob(let job, let reason): "the service '\(job)' is not a training job: \(reason)"
        case .cannotWork(let reason): "this worker can't do the job: \(reason)"
        case .wrongRole(let key, let wanted):
            "this key takes part in the job as \(key), not as \(wanted): give --role \(key), or another key"
        case .unusableData(let reason): "the images can't be used: \(reason)"
        case .jobFull(let reason): "the job does not take this worker: \(reason)"
        case .damagedState(let path, let reason): "\(path) is damaged: \(reason); move it aside and start again"
        case .stateInUse(let path):
            "another worker uses \(path): stop it first, or give each worker a --state folder of its own"
        case .cannotWrite(let path, let reason): "\(path) can't be written: \(reason)"
        case .cannotListen(let address, let reason): "can't listen on \(address): \(reason)"
        case .peer(let reason): reason
        case .aborted(let reason): "the job was aborted" + (reason.isEmpty ? "" : ": \(reason)")
        }
    }
}
