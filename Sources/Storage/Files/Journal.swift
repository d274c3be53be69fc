import Foundation
import Synchronization

/// An append-only file of records: a masternode's own votes, and what moved its view.
///
/// Records appended and synced survive any crash. At open a torn tail, which a crash can leave of what was never
/// synced, is cleared; damage before it is an error. After a failed write or fsync the journal refuses further use.
/// One process may have it open. Calls block while the disk works.
///
/// The file is longer than its records: zeros that were written before are written over. So a sync has bytes to write and
/// nothing else; where a file grows with each record it has the file's new size to write too, and what of it lies where, one
/// after the other and each with a wait.
public final class Journal: Sendable {
    public let path: String
    /// Records that the file held when it was opened, in their order.
    public let replayed: [[UInt8]]
    /// Bytes of a torn tail that were cleared at open; 0 if there was none.
    public let tornBytes: Int

    /// Zeros that are written together behind the records: so few that the sync which takes them along is hardly longer.
    private static let room = 128 << 10

    private let state: Mutex<State>
    private let room: Int
    private let synchronise: @Sendable (Int32) -> Int32

    private struct State {
        var descriptor: Int32
        /// Bytes appended, and of these the bytes known to be on the disk.
        var end: UInt64
        var durable: UInt64
        /// Bytes of the file: those appended, then zeros.
        var size: UInt64
        var failure: StorageError?
    }

    /// Opens the journal, or makes an empty one.
    public convenience init(path: String) throws(StorageError) {
        try self.init(path: path, synchronise: { fdatasync($0) })
    }

    /// - Parameters:
    ///   - room: bytes of zeros that are written together, at least 1.
    ///   - synchronise: `fdatasync`, or a test's failing one.
    package init(
        path: String, room: Int = Journal.room, synchronise: @escaping @Sendable (Int32) -> Int32 = { fdatasync($0) }
    ) throws(StorageError) {
        self.path = path
        self.room = max(1, room)
        self.synchronise = synchronise
        if access(path, F_OK) != 0 { try AtomicFile.write(JournalFormat.magic, to: path) }
        let descriptor = open(path, O_RDWR | O_CLOEXEC)
        guard descriptor >= 0 else { throw Files.systemError(path, "open") }
        do throws(StorageError) {
            try Self.lock(descriptor, path: path)
            let file = try Files.read(descriptor, path: path)
            let content: JournalFormat.Content
            do throws(JournalFormat.Damage) { content = try JournalFormat.parse(file) } catch {
                throw Self.storageError(error, path: path)
            }
            replayed = content.records
            tornBytes = content.tornEnd - content.end
            // Behind further records what is left of it could be taken for one of them.
            let zeros = [UInt8](repeating: 0, count: tornBytes)
            try Files.write(zeros, to: descriptor, at: UInt64(content.end), path: path)
            // What was read may be only in the page cache: nothing counts as durable before a sync of its own.
            guard synchronise(descriptor) == 0 else { throw Files.systemError(path, "fdatasync") }
            let end = UInt64(content.end)
            state = Mutex(State(descriptor: descriptor, end: end, durable: end, size: UInt64(file.count)))
        } catch {
            Foundation.close(descriptor)
            throw error
        }
    }

    deinit { close() }

    /// What the operator should know about the opening, if anything.
    public var note: String? {
        tornBytes == 0
            ? nil
            : "\(path): cleared \(tornBytes) bytes of a torn tail after \(replayed.count) records (never synced)"
    }

    /// Bytes of the records: for deciding when to cut them by ``rewrite(_:)``.
    public var byteCount: UInt64 { state.withLock { $0.end } }

    /// Appends the records. They are durable after the next ``sync()``.
    public func append(_ records: [[UInt8]]) throws(StorageError) {
        for record in records where record.count > JournalFormat.longestRecord {
            throw .recordTooLong(path: path, count: record.count, limit: JournalFormat.longestRecord)
        }
        try perform { (state) throws(StorageError) in
            var bytes: [UInt8] = []
            bytes.reserveCapacity(JournalFormat.size(of: records))
            for record in records { JournalFormat.append(record, durable: state.durable, to: &bytes) }
            let (start, end) = (state.end, state.end + UInt64(bytes.count))
            if end > state.size {
                try extend(state.descriptor, at: start, by: bytes, path: path)
                state.size = end + UInt64(room)
            } else {
                try Files.write(bytes, to: state.descriptor, at: start, path: path)
            }
            state.end = end
        }
    }

    /// Writes the bytes, with room behind them. In pages: the system keeps together what is written together, and all of
    /// that would count as changed with each record that goes into it.
    private func extend(_ descriptor: Int32, at start: UInt64, by bytes: [UInt8], path: String) throws(StorageError) {
        let bytes = bytes + [UInt8](repeating: 0, count: room)
        try Files.write(bytes, to: descriptor, at: start, page: 4_096, path: path)
    }

    /// Waits until every appended record is on the disk.
    public func sync() throws(StorageError) {
        try perform { (state) throws(StorageError) in
            guard synchronise(state.descriptor) == 0 else { throw Files.systemError(path, "fdatasync") }
            state.durable = state.end
        }
    }

    /// Replaces the content by these records, atomically and durably: for cutting what finalisation made needless.
    public func rewrite(_ records: [[UInt8]]) throws(StorageError) {
        for record in records where record.count > JournalFormat.longestRecord {
            throw .recordTooLong(path: path, count: record.count, limit: JournalFormat.longestRecord)
        }
        try perform { (state) throws(StorageError) in
            let temporary = path + ".new"
            let descriptor = open(temporary, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
            guard descriptor >= 0 else { throw Files.systemError(temporary, "open") }
            do throws(StorageError) {
                // Locked before it has the journal's name, so that no other process slips in.
                try Self.lock(descriptor, path: nil)
                var bytes = JournalFormat.magic
                bytes.reserveCapacity(bytes.count + JournalFormat.size(of: records))
                for record in records {
                    // The file has its name once all of it is durable, so that nothing in it can be a torn tail.
                    let durable = UInt64(bytes.count)
                    JournalFormat.append(record, durable: durable, to: &bytes)
                }
                let end = UInt64(bytes.count)
                try extend(descriptor, at: 0, by: bytes, path: temporary)
                guard synchronise(descriptor) == 0 else { throw Files.systemError(temporary, "fdatasync") }
                try Files.rename(temporary, to: path)
                Foundation.close(state.descriptor)
                state = State(descriptor: descriptor, end: end, durable: end, size: end + UInt64(room))
            } catch {
                Foundation.close(descriptor)
                throw error
            }
        }
    }

    /// Frees the file. Appended records that were not synced may be lost.
    public func close() {
        state.withLock { state in
            if state.descriptor >= 0 { Foundation.close(state.descriptor) }
            state.descriptor = -1
            state.failure = .closed(path: path)
        }
    }

    private func perform(_ body: (inout State) throws(StorageError) -> Void) throws(StorageError) {
        let outcome: Result<Void, StorageError> = state.withLock { state in
            if let failure = state.failure { return .failure(failure) }
            do throws(StorageError) {
                try body(&state)
                return .success(())
            } catch {
                state.failure = .journalFailed(path: path, detail: error.description)
                return .failure(error)
            }
        }
        try outcome.get()
    }

    /// - Parameter path: where the file must still have this name after it was locked; nil for a new one.
    private static func lock(_ descriptor: Int32, path: String?) throws(StorageError) {
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else { throw .inUse(path: path ?? "the journal") }
        guard let path else { return }
        var (mine, named) = (stat(), stat())
        // Between open and lock another process may have put a rewritten file in its place.
        guard fstat(descriptor, &mine) == 0, stat(path, &named) == 0, mine.st_ino == named.st_ino,
            mine.st_dev == named.st_dev
        else { throw .inUse(path: path) }
    }

    private static func storageError(_ damage: JournalFormat.Damage, path: String) -> StorageError {
        switch damage {
        case .notAJournal: .corruptJournal(path: path, detail: "it does not start like a journal")
        case .damaged(let offset):
            .corruptJournal(path: path, detail: "its record at byte \(offset) is not what was written and synced")
        }
    }
}
