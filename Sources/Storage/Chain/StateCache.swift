import Cryptography
import Primitives
import Synchronization

/// Values and tree pages of the newest stored state that were read or written lately, so that what every block touches is
/// not looked for in files again and again.
///
/// Two generations of bounded size: the older is dropped when the newer is full. It answers as the database would: a
/// commit changes it under the lock that reads take, and what was read before the commit's end does not get in after its
/// beginning.
package final class StateCache: Sendable {
    /// Longer ones (code of contracts) are left to the database's own cache.
    private static let longest = 1_024
    /// Bytes of one generation, with what it takes to hold an entry.
    private static let most = 8 << 20
    private static let entryBytes = 96

    /// Where something lies: a value of the state, or a page of its tree.
    package struct Key: Hashable {
        private let isPage: Bool
        private let bytes: [UInt8]

        package static func value(_ key: StateKey) -> Key { Key(isPage: false, bytes: key.bytes) }
        package static func page(_ key: [UInt8]) -> Key { Key(isPage: true, bytes: key) }

        /// In the database.
        var stored: [UInt8] { (isPage ? Column.page : .value).key(bytes) }
        fileprivate var count: Int { bytes.count }

        package func hash(into hasher: inout Hasher) {
            hasher.combine(isPage)
            bytes.withUnsafeBytes { hasher.combine(bytes: $0) }
        }

        package func _rawHashValue(seed: Int) -> Int {
            bytes.withUnsafeBytes { TableHash.of($0, seed: isPage ? ~seed : seed) }
        }
    }

    private struct Entry {
        let value: [UInt8]?
        /// A turn in which it was the database's for certain; it has been since.
        let since: UInt64
    }

    private struct State {
        var newer: [Key: Entry] = [:]
        var older: [Key: Entry] = [:]
        /// Of the newer.
        var bytes = 0
        /// One more with each beginning of a commit, and with each end.
        var turn: UInt64 = 0
        var isWriting = false
        var isClosed = false

        mutating func put(_ key: Key, _ entry: Entry) {
            guard (entry.value?.count ?? 0) <= StateCache.longest else {
                if let former = newer.removeValue(forKey: key) { bytes -= StateCache.size(key, former) }
                older[key] = nil
                return
            }
            if bytes >= StateCache.most {
                older = newer
                newer = [:]
                bytes = 0
            }
            bytes += StateCache.size(key, entry)
            if let former = newer.updateValue(entry, forKey: key) { bytes -= StateCache.size(key, former) }
        }
    }

    private static func size(_ key: Key, _ entry: Entry) -> Int { entryBytes + key.count + (entry.value?.count ?? 0) }

    private let state = Mutex(State())

    package init() {}

    package enum Answer {
        case known([UInt8]?)
        /// To be read, and remembered as of this turn; nil where it may be what it was or what it will be.
        case unknown(UInt64?)
    }

    package func find(_ key: Key) -> Answer {
        state.withLock { state in
            if let entry = state.newer[key] { return .known(entry.value) }
            guard let entry = state.older[key] else { return .unknown(state.isWriting ? nil : state.turn) }
            state.put(key, entry)
            return .known(entry.value)
        }
    }

    package func remember(_ key: Key, _ value: [UInt8]?, _ turn: UInt64?) {
        guard let turn else { return }
        state.withLock { state in
            guard state.turn == turn, !state.isClosed else { return }
            state.put(key, Entry(value: value, since: turn))
        }
    }

    /// What it knows of the state as it is now, also when the state has changed. To be asked for between commits.
    package var now: Past { Past(cache: self, turn: state.withLock { $0.turn }) }

    /// Of an earlier state: what has not changed since then. Readers of this kind may be strangers: what they ask for
    /// is neither remembered for them nor kept for longer.
    package struct Past: Sendable {
        fileprivate let cache: StateCache
        fileprivate let turn: UInt64

        /// Nil where it is to be read.
        package func find(_ key: Key) -> [UInt8]?? {
            cache.state.withLock { state in
                guard let entry = state.newer[key] ?? state.older[key], entry.since <= turn else { return nil }
                return .some(entry.value)
            }
        }
    }

    /// Knows nothing from here on.
    func close() {
        state.withLock { state in
            state.isClosed = true
            state.newer = [:]
            state.older = [:]
            state.bytes = 0
        }
    }

    /// Before the database changes.
    package func beginCommit() {
        state.withLock { state in
            state.turn &+= 1
            state.isWriting = true
        }
    }

    /// - Parameter states: that are in the database now, in this order; none where writing failed.
    package func endCommit(_ states: [StateCommit]) {
        state.withLock { state in
            state.turn &+= 1
            state.isWriting = false
            guard !state.isClosed else { return }
            let now = state.turn
            for commit in states {
                for (key, value) in commit.values { state.put(.value(key), Entry(value: value, since: now)) }
                for key in commit.pageRemovals { state.put(.page(key), Entry(value: nil, since: now)) }
                for (key, page) in commit.pagePuts { state.put(.page(key), Entry(value: page, since: now)) }
            }
        }
    }
}
