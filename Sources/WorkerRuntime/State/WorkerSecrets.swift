import Cryptography
import Primitives
import Training

/// The secrets with which one worker does one job.
package struct WorkerSecrets: Sendable {
    package let key: PrivateKey
    /// Open what is sealed for this worker.
    package let keys: KeyRing
    private let saltKey: Digest

    package init(key: PrivateKey, job: Account, keys: KeyRing) {
        self.key = key
        self.keys = keys
        saltKey = Digest(domain: "edgeproof/worker-salt/1", parts: key.seed, job.bytes)
    }

    /// Unpredictable for anybody else, and a function of what it salts: a worker that restarts and does a round again
    /// makes the same commitments, so the other side knows its messages again.
    package func salt(context: EnvelopeContext, payload: [UInt8]) -> [UInt8] {
        Digest(
            domain: "edgeproof/envelope-salt/1",
            parts: saltKey.bytes, context.digest.bytes, Digest(sha256: payload).bytes
        ).bytes
    }
}
