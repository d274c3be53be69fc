import ChainClient
import Cryptography
import Foundation
import JobProtocol
import Primitives
import Training

/// What one worker runs with.
public struct WorkerConfiguration: Sendable {
    public var job: ServiceId
    /// `.cloud`, `.edge`, `.fog`, `.device` or `.validator`.
    public var role: Role
    /// The fog node that a device belongs to, or the edge in a split job.
    public var parent: Account?
    public var key: PrivateKey
    public var nodes: [NodeAddress]
    /// Where other workers reach this one. Loopback unless the operator says otherwise; port 0 takes a free one.
    public var host: String
    public var port: Int
    /// The host that is published, where it differs from the one that is bound.
    public var publicHost: String?
    /// A worker's own images, or the reserved ones of a cloud or validator; nil for one that needs none.
    public var data: ImageSource?
    /// Holds what must survive a crash.
    public var stateFolder: URL
    /// Where the cloud writes the final model; the best one goes beside it, see ``ModelFile``.
    public var modelFile: URL?
    /// The weights that the job starts from, where its specification names a checkpoint.
    public var weightsFile: URL?
    public var threads: Int
    /// Whether to wait for a job that does not exist yet.
    public var waits: Bool
    /// SHA-256 of the contracts that this worker works for.
    public var acceptedCode: Set<Digest>
    /// Who may validate; everybody where it is empty.
    public var acceptedValidators: Set<Account>
    /// What all proofs start from; the node's word, taken once, where it is nil.
    public var genesis: Genesis?
    /// Whether a fog job's cloud tries each update on its reserved images before it takes it in.
    public var triesEachUpdate: Bool
    /// Of all steps the part that a validator does again, 0 to 1.
    public var auditShare: Double
    /// Whether to stay when the job is over, until nobody can dispute its last rounds' work any more.
    public var stays: Bool
    /// For experiments alone.
    public var faults: Faults

    public init(
        job: ServiceId, role: Role, key: PrivateKey, nodes: [NodeAddress], host: String = "127.0.0.1", port: Int = 0,
        publicHost: String? = nil, parent: Account? = nil, data: ImageSource?, stateFolder: URL, modelFile: URL? = nil,
        weightsFile: URL? = nil, threads: Int = 1,
        waits: Bool = false, acceptedCode: Set<Digest>, acceptedValidators: Set<Account> = [], genesis: Genesis? = nil,
        triesEachUpdate: Bool = true, auditShare: Double = 0.1, stays: Bool = true, faults: Faults = Faults()
    ) {
        self.job = job
        self.role = role
        self.key = key
        self.nodes = nodes
        self.host = host
        self.port = port
        self.publicHost = publicHost
        self.parent = parent
        self.data = data
        self.stateFolder = stateFolder
        self.modelFile = modelFile
        self.weightsFile = weightsFile
        self.threads = threads
        self.waits = waits
        self.acceptedCode = acceptedCode
        self.acceptedValidators = acceptedValidators
        self.genesis = genesis
        self.triesEachUpdate = triesEachUpdate
        self.auditShare = auditShare
        self.stays = stays
        self.faults = faults
    }

    /// What is published for other workers: `host:port`.
    func endpoint(port: Int) -> String {
        let host = publicHost ?? host
        return host.contains(":") && !host.hasPrefix("[") ? "[\(host)]:\(port)" : "\(host):\(port)"
    }
}

/// What a worker tells whoever watches it.
public enum WorkerEvent: Sendable {
    case listening(String)
    /// What the worker is about to apply for.
    case terms(JobSpec, validator: Account)
    case joined(Account)
    case roundStarted(UInt32)
    case roundDone(UInt32, lossMicro: UInt64, seconds: Double)
    case roundAbandoned(UInt32, String)
    case edgeDropped(UInt32, UInt16)
    /// What a fog node delivered was left out, and why.
    case leftOut(UInt32, UInt16, String)
    /// A device's samples are at its fog node, or edge.
    case fed(Int, Account)
    case validated(UInt32, accuracyMicro: UInt64, lossMicro: UInt64)
    /// A worker's picked steps were done again: so many, or the one that failed and why.
    case audited(UInt32, Account, UInt32, String?)
    /// What was said in a dispute about an account.
    case disputed(Account, String)
    case roundClosed(JobRound)
    /// What the worker waits for, said once.
    case waiting(String)
    /// The last accepted model, or the best one, is in this file.
    case saved(String, Digest)
    case warning(String)
    case finished(acceptedRounds: UInt32, accuracyMicro: UInt64)
}
