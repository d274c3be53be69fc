import Synchronization

/// Values and tree pages of the newest stored state that were read or written lately, so that what every block touches is
/// not looked for in files again and again.
///
/// Two generations of bounded size: the older is dropped when the newer is full. It answers as the database would: a
/// commit changes it under the lock that reads take, and what was read before a commit does not get in after it.
final class StateCache: Sendable {
    /// Longer ones (code of contracts) are left to the database's own cache.
    private static let longest = 1_024
    /// Bytes of one generation, with what it takes to hold an entry.
    private static let most = 8 << 20
    private static let entryBytes = 96

    private typealias Entries = [[UInt8]: [UInt8]?]

    private struct State {
        var newer: Entries = [:]
        var older: Entries = [:]
        /// Of the newer.
        var bytes = 0
        var commits: UInt64 = 0
        var isClosed = false

        mutating func put(_ key: [UInt8], _ value: [UInt8]?) {
            guard (value?.count ?? 0) <= StateCache.longest else {
                if let former = newer.removeValue(forKey: key) { bytes -= StateCache.size(key, former) }
                older[key] = nil
                return
            }
            if bytes >= StateCache.most {
                older = newer
                newer = [:]
                bytes = 0
            }
            bytes += StateCache.size(key, value)
            if let former = newer.updateValue(value, forKey: key) { bytes -= StateCache.size(key, former) }
        }
    }

    private static func size(_ key: [UInt8], _ value: [UInt8]?) -> Int { entryBytes + key.count + (value?.count ?? 0) }

    private let state = Mutex(State())

    enum Answer {
        case known([UInt8]?)
        /// To be read, and remembered with this number.
        case unknown(UInt64)
    }

    /// Whether keys like this one are kept.
    static func keeps(_ key: [UInt8]) -> Bool { key.first == Column.value.rawValue || key.first == Column.page.rawValue }

    func find(_ key: [UInt8]) -> Answer {
        state.withLock { state in
            if let value = state.newer[key] { return .known(value) }
            guard let value = state.older[key] else { return .unknown(state.commits) }
            state.put(key, value)
            return .known(value)
        }
    }

    func remember(_ key: [UInt8], _ value: [UInt8]?, _ number: UInt64) {
        state.withLock { state in
            guard state.commits == number, !state.isClosed else { return }
            state.put(key, value)
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

    /// After the batch is in the database.
    func commit(_ batch: WriteBatch) {
        state.withLock { state in
            state.commits &+= 1
            guard !state.isClosed else { return }
            for operation in batch.operations {
                switch operation {
                case .put(let key, let value) where Self.keeps(key): state.put(key, value)
                case .delete(let key) where Self.keeps(key): state.put(key, nil)
                case .put, .delete: break
                }
            }
        }
    }
}
