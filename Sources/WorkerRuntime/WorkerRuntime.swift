/// # WorkerRuntime
///
/// A worker of a training job: it follows the job's contract through the chain, exchanges sealed messages with the
/// other workers of its round, and puts the digests of what it did on the chain.
///
/// The module promises
/// - **the chain decides**: a worker acts on finalised state alone; what other workers say is checked against the
///   keys and digests that the chain holds;
/// - **nothing leaves unsealed**: boundary values, gradients and weights go out in envelopes for one receiver;
/// - **no hang**: every wait ends at a deadline of the chain's own or a time-out named here;
/// - **restartable**: what must survive a crash (the accepted model, an unopened commitment) is on disk before the
///   chain learns of it.
public enum WorkerLimits {
    /// Envelopes that wait for their turn; further ones are refused with 503, and the sender tries again.
    public static let waitingEnvelopes = 128
    /// Bytes of one envelope on the wire.
    public static let envelopeBytes = 17 * 1_024 * 1_024
    /// Time between two tries to reach a peer.
    public static let retryMs: UInt64 = 150
    /// How often the job is asked for where no event announces a change.
    public static let pollMs: UInt64 = 1_000
    /// The share of the longest commit phase that the cloud gives a silent edge, in each round once.
    public static let stepShare: UInt64 = 6
    /// Gas that one action on a job may use.
    public static let actionGas: UInt64 = 10_000_000
}

public enum WorkerError: Error, CustomStringConvertible {
    case noSuchJob(String)
    case notAJob(String, String)
    case unusableData(String)
    case jobFull(String)
    case damagedState(String, String)
    case peer(String)
    case aborted(String)

    public var description: String {
        switch self {
        case .noSuchJob(let job): "there is no job '\(job)' on this chain; 'chain-cli job list' shows what there is"
        case .notAJob(let job, let reason): "the service '\(job)' does not answer like a job: \(reason)"
        case .unusableData(let reason): "the images can't be used: \(reason)"
        case .jobFull(let reason): "the job does not take this worker: \(reason)"
        case .damagedState(let path, let reason): "\(path) is damaged: \(reason); move it aside and start again"
        case .peer(let reason): reason
        case .aborted(let reason): "the job was aborted: \(reason)"
        }
    }
}
