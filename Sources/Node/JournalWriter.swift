import Consensus
import Dispatch
import Storage
import Synchronization

/// Appends to the vote journal on a queue of its own. What piles up while the disk syncs goes into one batch with one
/// fsync.
final class JournalWriter: Sendable {
    typealias Outcome = Result<JournalToken, StorageError>

    private struct Waiting {
        var records: [[UInt8]] = []
        var token: JournalToken?
        var isScheduled = false
    }

    private let journal: Journal
    private let queue = DispatchQueue(label: "edgeproof.journal", qos: .userInitiated)
    private let waiting = Mutex(Waiting())

    init(_ journal: Journal) { self.journal = journal }

    /// - Parameter done: called from the journal's queue with the newest token that is durable.
    func append(_ records: [[UInt8]], token: JournalToken, done: @escaping @Sendable (Outcome) -> Void) {
        let mustSchedule = waiting.withLock { waiting in
            waiting.records += records
            waiting.token = token
            defer { waiting.isScheduled = true }
            return !waiting.isScheduled
        }
        if mustSchedule { queue.async { self.flush(done) } }
    }

    private func flush(_ done: @Sendable (Outcome) -> Void) {
        let batch = waiting.withLock { waiting in
            defer { waiting = Waiting() }
            return waiting
        }
        guard let token = batch.token else { return }
        do throws(StorageError) {
            try journal.append(batch.records)
            try journal.sync()
            done(.success(token))
        } catch {
            done(.failure(error))
        }
    }

    func rewrite(_ records: [[UInt8]], failed: @escaping @Sendable (StorageError) -> Void) {
        queue.async {
            do throws(StorageError) { try self.journal.rewrite(records) } catch { failed(error) }
        }
    }

    /// Waits for what is under way.
    func close() {
        queue.sync { self.journal.close() }
    }
}
