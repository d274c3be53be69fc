import Cryptography
import Encoding
import Primitives
import Synchronization

/// The keys that open what is sealed for this worker: fresh random ones in each epoch of the job, so that a key that
/// gets out opens little of what went before, and nothing comes from the account's key.
///
/// A sender reads the receiver's key at the beginning of its round, so the key before the newest one stays until the
/// first round of the new epoch is over; then it is gone.
package final class KeyRing: Sendable {
    /// As it is kept on disk, readable by the worker's owner alone.
    package struct Stored: BorshCodable, Sendable {
        /// Which job of which chain.
        let job: Digest
        let epoch: UInt32
        /// The secret bytes.
        let current: Digest
        let previous: Digest?

        package func encode(to encoder: inout BorshEncoder) {
            encoder.value(job)
            encoder.integer(epoch)
            encoder.value(current)
            encoder.optional(previous)
        }

        package init(from decoder: inout BorshDecoder) throws(BorshError) {
            job = try decoder.value()
            epoch = try decoder.integer()
            current = try decoder.value()
            previous = try decoder.optional()
        }

        package init(job: Digest, epoch: UInt32, current: Digest, previous: Digest?) {
            self.job = job
            self.epoch = epoch
            self.current = current
            self.previous = previous
        }
    }

    private struct Keys {
        var epoch: UInt32
        var current: KEMPrivateKey
        var previous: KEMPrivateKey?
    }

    private let job: Digest
    private let save: @Sendable (Stored) throws -> Void
    private let keys: Mutex<Keys>

    /// The epoch of the job that a round belongs to.
    package static func epoch(of round: UInt32) -> UInt32 { round / WorkerLimits.roundsEachKey }

    /// - Parameters:
    ///   - stored: what an earlier run has saved; its keys are taken if they are this job's.
    ///   - save: makes the keys durable; before that nobody hears of them.
    package init(job: Digest, stored: Stored?, save: @escaping @Sendable (Stored) throws -> Void) throws {
        self.job = job
        self.save = save
        if let stored, stored.job == job, let current = KEMPrivateKey(bytes: stored.current.bytes) {
            keys = Mutex(
                Keys(
                    epoch: stored.epoch, current: current,
                    previous: stored.previous.flatMap { KEMPrivateKey(bytes: $0.bytes) }))
        } else {
            keys = Mutex(Keys(epoch: 0, current: .generate(), previous: nil))
            try keys.withLock { try store($0) }
        }
    }

    private func store(_ keys: Keys) throws {
        try save(
            Stored(
                job: job, epoch: keys.epoch, current: Digest(keys.current.secretBytes) ?? .zero,
                previous: keys.previous.flatMap { Digest($0.secretBytes) }))
    }

    package var current: KEMPublicKey { keys.withLock { $0.current.publicKey } }

    package var all: [KEMPrivateKey] { keys.withLock { [$0.current] + ($0.previous.map { [$0] } ?? []) } }

    package func holds(_ key: KEMPublicKey) -> Bool { self.key(for: key) != nil }

    package func key(for publicKey: KEMPublicKey) -> KEMPrivateKey? {
        keys.withLock { keys in
            if keys.current.publicKey == publicKey { return keys.current }
            return keys.previous?.publicKey == publicKey ? keys.previous : nil
        }
    }

    /// Makes what the round asks for: a new key in a new epoch, and no old one once the epoch's first round is over.
    /// - Returns: whether there is a new key, which the chain shall know of.
    package func prepare(for round: UInt32) throws -> Bool {
        try keys.withLock { keys in
            var next = keys
            let epoch = Self.epoch(of: round)
            let isNew = epoch > keys.epoch
            if isNew {
                next = Keys(epoch: epoch, current: .generate(), previous: keys.current)
            } else if keys.previous != nil, round > keys.epoch &* WorkerLimits.roundsEachKey {
                next.previous = nil
            } else {
                return false
            }
            try store(next)
            keys = next
            return isNew
        }
    }
}
