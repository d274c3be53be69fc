import Encoding
import Primitives

/// The state after some block. Errors are those of the storage.
public protocol StateReader {
    func value(_ key: StateKey) throws -> [UInt8]?
}

/// What a block changes.
public struct StateDelta: Equatable, Sendable {
    /// New values, nil for removed ones; strictly ascending by key, and only where the value differs.
    public let changes: [(key: StateKey, value: [UInt8]?)]
    /// Entries that the block appended to accounts' histories, in order. The frontiers in the account records count
    /// them already; the entries themselves are archive data.
    public let history: [(account: Account, entry: HistoryEntry)]

    public init(changes: [(key: StateKey, value: [UInt8]?)], history: [(account: Account, entry: HistoryEntry)]) {
        self.changes = changes
        self.history = history
    }

    public static func == (lhs: StateDelta, rhs: StateDelta) -> Bool {
        lhs.changes.elementsEqual(rhs.changes) { $0.key == $1.key && $0.value == $1.value }
            && lhs.history.elementsEqual(rhs.history) { $0.account == $1.account && $0.entry == $1.entry }
    }
}

extension StateReader {
    /// The value, with the storage's error as the ledger's.
    func read(_ key: StateKey) throws(LedgerError) -> [UInt8]? {
        do { return try value(key) } catch let error as LedgerError { throw error } catch {
            throw .storage("\(error)")
        }
    }

    /// The decoded value.
    func read<Value: BorshDecodable>(_ key: StateKey, as type: Value.Type = Value.self) throws(LedgerError) -> Value? {
        guard let bytes = try read(key) else { return nil }
        do { return try Value(borsh: bytes) } catch { throw .corruptState(key, error.description) }
    }
}
