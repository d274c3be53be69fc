import ChainClient
import Cryptography
import Foundation
import JobProtocol
import Primitives
import Training

/// What one worker runs with.
public struct WorkerConfiguration: Sendable {
    public var job: ServiceId
    /// `.cloud` or `.edge`.
    public var role: Role
    public var key: PrivateKey
    public var nodes: [NodeAddress]
    /// Where other workers reach this one. Loopback unless the operator says otherwise; port 0 takes a free one.
    public var host: String
    public var port: Int
    /// The host that is published, where it differs from the one that is bound.
    public var publicHost: String?
    /// An edge's own images, or the cloud's reserved ones.
    public var data: Dataset
    /// Holds what must survive a crash.
    public var stateFolder: URL
    /// Where the cloud writes the final model.
    public var modelFile: URL?
    public var threads: Int

    public init(
        job: ServiceId, role: Role, key: PrivateKey, nodes: [NodeAddress], host: String = "127.0.0.1", port: Int = 0,
        publicHost: String? = nil, data: Dataset, stateFolder: URL, modelFile: URL? = nil, threads: Int = 1
    ) {
        self.job = job
        self.role = role
        self.key = key
        self.nodes = nodes
        self.host = host
        self.port = port
        self.publicHost = publicHost
        self.data = data
        self.stateFolder = stateFolder
        self.modelFile = modelFile
        self.threads = threads
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
    case terms(JobSpec)
    case joined(Account)
    case roundStarted(UInt32)
    case roundDone(UInt32, lossMicro: UInt64, seconds: Double)
    case roundAbandoned(UInt32, String)
    case edgeDropped(UInt32, UInt16)
    case validated(UInt32, accuracyMicro: UInt64, lossMicro: UInt64)
    case roundClosed(JobRound)
    case warning(String)
    case finished(acceptedRounds: UInt32, accuracyMicro: UInt64)
}
