import Consensus
import Storage
import Synchronization

/// Writes the vote journal on a thread of its own. What piles up while the disk syncs goes into one batch with one
/// fsync. Appends and rewrites keep their order: an append that overtook a rewrite would be reported durable and then
/// erased by it.
final class JournalWriter: Sendable {
    typealias Outcome = Result<JournalToken, StorageError>

    private enum Write {
        case append([[UInt8]], JournalToken)
        case rewrite([[UInt8]])
    }

    private let journal: Journal
    private let thread = WorkThread("journal")
    private let waiting = Mutex<[Write]>([])

    init(_ journal: Journal) { self.journal = journal }

    /// - Parameter done: called from the journal's thread with the newest token that is durable.
    func append(_ records: [[UInt8]], token: JournalToken, done: @escaping @Sendable (Outcome) -> Void) {
        add(.append(records, token), done)
    }

    /// - Parameter done: as for `append`; called for appends of the same batch, and where writing fails.
    func rewrite(_ records: [[UInt8]], done: @escaping @Sendable (Outcome) -> Void) {
        add(.rewrite(records), done)
    }

    private func add(_ write: Write, _ done: @escaping @Sendable (Outcome) -> Void) {
        let isFirst = waiting.withLock { waiting in
            waiting.append(write)
            return waiting.count == 1
        }
        if isFirst { thread.async { self.flush(done) } }
    }

    private func flush(_ done: @Sendable (Outcome) -> Void) {
        let batch = waiting.withLock { waiting in
            defer { waiting = [] }
            return waiting
        }
        var durable: JournalToken?
        var appended: [[UInt8]] = []
        do throws(StorageError) {
            for write in batch {
                switch write {
                case .append(let records, let token):
                    appended += records
                    durable = token
                case .rewrite(let records):
                    try journal.append(appended)
                    appended = []
                    try journal.rewrite(records)
                }
            }
            try journal.append(appended)
            try journal.sync()
        } catch {
            return done(.failure(error))
        }
        if let durable { done(.success(durable)) }
    }

    /// Waits for what is under way.
    func close() {
        thread.sync { self.journal.close() }
    }
}
