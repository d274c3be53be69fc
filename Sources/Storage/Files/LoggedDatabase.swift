import Foundation
import Synchronization

/// A LevelDB with a log of its own before it: a small batch is durable, and seen by readers, once the log holds it, and goes
/// to LevelDB together with those of the next seconds, where a key that many of them wrote is written once.
///
/// A block's batch touches the same pages of the state tree as the one before, and LevelDB writes, syncs and later merges each
/// of them each time; its own log grows with each batch, so that a sync has the file's size to write after its bytes
/// (``Journal`` says what that costs).
///
/// There are two logs in turn. When what one holds is enough, a thread of its own writes that to LevelDB, while further batches
/// go to the other; no more than that waits. What LevelDB holds says up to which batch it does, in one batch with it, so that a
/// process killed at any instant finds the rest in the logs.
package final class LoggedDatabase: Sendable {
    package struct Limits: Sendable {
        /// Bytes of a batch from which it goes to LevelDB at once: where it is large its bytes cost more than its sync.
        package var largeBatch = 256 << 10
        /// Bytes of batches, with what it takes to hold them in memory, that go to LevelDB together.
        package var together = 4 << 20
        package var synchronise: @Sendable (Int32) -> Int32 = { fdatasync($0) }

        package init() {}
    }

    /// What readers see: batches up to a number, those before some others, and LevelDB as it was before those.
    package struct View: Sendable {
        fileprivate let recent: RecentWrites
        /// On its way to LevelDB.
        fileprivate var leaving: RecentWrites?
        fileprivate let stored: LevelDBSnapshot
        fileprivate var number: UInt64
    }

    private struct State {
        /// Nil once it is closed.
        var view: View?
        /// The newest batch that LevelDB holds; nil where nothing was ever written, and so nothing can be missing.
        var stored: UInt64?
        /// Why nothing more is written.
        var failure: StorageError?
    }

    private struct Logs {
        var files: [WriteAheadLog]
        /// Place of the one that is written.
        var current: Int
    }

    let path: String
    private let limits: Limits
    private let database: LevelDB
    private let state: Mutex<State>
    /// Held while a batch is written.
    private let logs: Mutex<Logs>
    /// Has a member while something is on its way to LevelDB.
    private let underWay = DispatchGroup()

    /// - Parameter database: this one's from here on.
    /// - Throws: `.corrupt` where a log is damaged, is gone, or lacks batches that were synced.
    package init(_ database: LevelDB, limits: Limits = Limits()) throws(StorageError) {
        path = database.path
        self.database = database
        self.limits = limits
        let known = try Self.stored(database)
        let stored = known ?? 0
        let recent = RecentWrites()
        var found: [WriteAheadLog.Record] = []
        var files: [WriteAheadLog] = []
        do throws(StorageError) {
            for name in ["ahead.0", "ahead.1"] {
                files.append(
                    try WriteAheadLog(
                        path: path + "/" + name, room: limits.together + limits.largeBatch, isMade: known == nil,
                        stored: stored, synchronise: limits.synchronise
                    ) { found.append($0) })
            }
            var number = stored
            for record in found.sorted(by: { $0.number < $1.number }) {
                guard record.number == number &+ 1 else {
                    throw .corrupt(path: path, detail: "its logs lack batch \(number &+ 1), which was synced")
                }
                number = record.number
                recent.add(record.batch, number: number)
            }
            let current = files[0].newest >= files[1].newest ? 0 : 1
            state = Mutex(
                State(view: View(recent: recent, stored: try database.snapshot(), number: number), stored: known))
            logs = Mutex(Logs(files: files, current: current))
        } catch {
            for file in files { file.close() }
            throw error
        }
    }

    deinit { logs.withLock { for file in $0.files { file.close() } } }

    /// Writes to LevelDB what waits, refuses further calls, and frees the folder once those under way and the snapshots have
    /// ended.
    package func close() {
        logs.withLock { logs in
            guard state.withLock({ $0.view != nil }) else { return }
            // What fails is in the log, and is found there again.
            try? empty(&logs)
            state.withLock { $0.view = nil }
            database.close()
        }
    }

    package func get(_ key: [UInt8]) throws(StorageError) -> [UInt8]? { try view().get(key) }

    package func scan(
        prefix: [UInt8], from: [UInt8]? = nil, limit: Int, bytes: Int = .max
    ) throws(StorageError) -> [LevelDBEntry] {
        try view().scan(prefix: prefix, from: from, limit: limit, bytes: bytes)
    }

    /// A view of the database as it is now, which later writes do not change. Keeps it open while it lives.
    package func view() throws(StorageError) -> View {
        guard let view = state.withLock({ $0.view }) else { throw .closed(path: path) }
        return view
    }

    /// All of the batch or nothing; it is on the disk when the call returns.
    package func write(_ batch: WriteBatch) throws(StorageError) {
        let outcome: Result<Void, StorageError> = logs.withLock { logs in
            do throws(StorageError) {
                try write(batch, &logs)
                return .success(())
            } catch { return .failure(error) }
        }
        try outcome.get()
    }

    private func write(_ batch: WriteBatch, _ logs: inout Logs) throws(StorageError) {
        // The first of all, too: from then on LevelDB says that there are logs.
        guard batch.bytes.count < limits.largeBatch, state.withLock({ $0.stored != nil }) else {
            return try empty(&logs, and: batch)
        }
        // Before the batch, which is either refused or written.
        if try usable().recent.byteCount >= limits.together { try turn(&logs) }
        let view = try usable()
        let number = view.number &+ 1
        do throws(StorageError) { try logs.files[logs.current].append(batch, number: number) } catch {
            // The log may hold it all the same, and it must not come behind a later one when it is read.
            throw failed(error)
        }
        view.recent.add(batch, number: number)
        state.withLock { $0.view?.number = number }
    }

    /// Nothing more is written.
    private func failed(_ error: StorageError) -> StorageError {
        state.withLock { $0.failure = $0.failure ?? error }
        return error
    }

    private func usable() throws(StorageError) -> View {
        let (view, failure) = state.withLock { ($0.view, $0.failure) }
        if let failure { throw failure }
        guard let view else { throw .closed(path: path) }
        return view
    }

    // MARK: To LevelDB

    /// Has what was written lately go to LevelDB, and further batches to the other log, once what went before is there.
    private func turn(_ logs: inout Logs) throws(StorageError) {
        underWay.wait()
        let view = try usable()
        guard !view.recent.isEmpty else { return }
        let other = 1 - logs.current
        // After a crash both may hold what LevelDB lacks.
        guard logs.files[other].newest <= state.withLock({ $0.stored ?? 0 }) else { return try empty(&logs) }
        let (leaving, number) = (view.recent, view.number)
        state.withLock { $0.view = View(recent: RecentWrites(), leaving: leaving, stored: view.stored, number: number) }
        logs.files[other].restart()
        logs.current = other
        underWay.enter()
        // Holds no view, which would keep LevelDB open for a moment after what is under way has ended.
        let work = Work { [self] in
            do throws(StorageError) { try store(leaving, through: number) } catch { _ = failed(error) }
            underWay.leave()
        }
        if !work.startsOnItsOwn() { work.body() }
    }

    /// Writes all that waits to LevelDB, and a batch that comes after it.
    private func empty(_ logs: inout Logs, and last: WriteBatch? = nil) throws(StorageError) {
        underWay.wait()
        let view = try usable()
        guard last != nil || !view.recent.isEmpty else { return }
        do throws(StorageError) { try store(view.recent, through: view.number, and: last) } catch { throw failed(error) }
        for place in logs.files.indices { logs.files[place].restart() }
    }

    /// Writes what these are, and another batch after them, and up to which one that is.
    private func store(_ written: RecentWrites, through number: UInt64, and last: WriteBatch? = nil) throws(StorageError) {
        var batch = written.merged()
        if let last { batch.append(last) }
        batch.put(Meta.ahead.key, number.borsh)
        try database.write(batch, sync: true)
        let snapshot = try database.snapshot()
        state.withLock { state in
            guard let view = state.view else { return }
            state.stored = number
            // Batches that came meanwhile are with the others that came after what has left.
            let recent = view.recent === written ? RecentWrites() : view.recent
            state.view = View(recent: recent, leaving: nil, stored: snapshot, number: view.number)
        }
    }

    private static func stored(_ database: LevelDB) throws(StorageError) -> UInt64? {
        guard let bytes = try database.get(Meta.ahead.key) else { return nil }
        do { return try UInt64(borsh: bytes) } catch {
            throw .corrupt(path: database.path, detail: "the number of its newest batch does not decode: \(error)")
        }
    }
}

extension LoggedDatabase.View {
    package func get(_ key: [UInt8]) throws(StorageError) -> [UInt8]? {
        if let known = change(key) { return known }
        return try stored.get(key)
    }

    private func change(_ key: [UInt8]) -> [UInt8]?? {
        if let known = recent.find(key, through: number) { return known }
        return leaving?.find(key, through: number) ?? nil
    }

    /// Entries whose keys start with `prefix`, in the order of their bytes; the parameters are those of ``LevelDB/scan``.
    package func scan(
        prefix: [UInt8], from: [UInt8]?, limit: Int, bytes: Int = .max
    ) throws(StorageError) -> [LevelDBEntry] {
        var found: [LevelDBEntry] = []
        var taken = 0
        var start = if let from, prefix.lexicographicallyPrecedes(from) { from } else { prefix }
        var page = limit
        while found.count < limit, taken < bytes {
            let room = bytes - taken
            let below = try stored.scan(prefix: prefix, from: start, limit: page, bytes: room)
            let isAll = below.count < page && below.reduce(0) { $0 + $1.size } < room
            var changes = below.map { RecentWrites.Change(key: $0.key, value: $0.value) }
            var ends = isAll ? [] : below.last.map { [$0.key] } ?? []
            for writes in [leaving, recent] {
                guard let (newer, end) = writes?.changes(prefix: prefix, from: start, limit: page, bytes: room, number: number)
                else { continue }
                changes = merge(changes, newer)
                if let end { ends.append(end) }
            }
            // What lies behind the place that one of them was looked at up to is for the next turn.
            let last = ends.min { $0.lexicographicallyPrecedes($1) }
            for change in changes {
                if let last, last.lexicographicallyPrecedes(change.key) { break }
                guard let value = change.value else { continue }
                guard found.count < limit, taken < bytes else { return found }
                found.append(LevelDBEntry(key: change.key, value: value))
                taken += change.size
            }
            guard let last else { return found }
            start = last + [0]
            // More at a time where much of it was deleted.
            page = max(limit - found.count, 2 * min(page, 256))
        }
        return found
    }
}

/// Two ascending lists as one; of two changes of one key the second list's.
private func merge(_ first: [RecentWrites.Change], _ second: [RecentWrites.Change]) -> [RecentWrites.Change] {
    guard !first.isEmpty, !second.isEmpty else { return first.isEmpty ? second : first }
    var result: [RecentWrites.Change] = []
    result.reserveCapacity(first.count + second.count)
    var rest = second[...]
    for change in first {
        while let next = rest.first, next.key.lexicographicallyPrecedes(change.key) { result.append(rest.removeFirst()) }
        if let next = rest.first, next.key == change.key { continue }
        result.append(change)
    }
    return result + rest
}

/// What a thread of its own does, once.
private final class Work: Sendable {
    let body: @Sendable () -> Void

    init(_ body: @escaping @Sendable () -> Void) { self.body = body }

    /// Whether the system had a thread for it.
    func startsOnItsOwn() -> Bool {
        var attributes = pthread_attr_t()
        guard pthread_attr_init(&attributes) == 0 else { return false }
        defer { pthread_attr_destroy(&attributes) }
        pthread_attr_setdetachstate(&attributes, Int32(PTHREAD_CREATE_DETACHED))
        var thread = pthread_t()
        let argument = Unmanaged.passRetained(self)
        let failure = pthread_create(
            &thread, &attributes,
            { argument in
                if let argument { Unmanaged<Work>.fromOpaque(argument).takeRetainedValue().body() }
                return nil
            }, argument.toOpaque())
        if failure != 0 { argument.release() }
        return failure == 0
    }
}

extension LevelDBEntry {
    fileprivate var size: Int { key.count + value.count }
}
