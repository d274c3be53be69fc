import Encoding
import Primitives

/// The state as execution sees it while it changes: writes lie over the reader's values, and a savepoint takes back
/// everything since: values, account records, history entries and events.
final class Overlay {
    private let base: any StateReader
    /// What the base says, of the keys asked so far.
    private var known: [StateKey: [UInt8]?] = [:]
    private var written: [StateKey: [UInt8]?] = [:]
    /// Account records are kept decoded, since a block touches the same ones again and again.
    private var accounts: [Account: Held] = [:]
    /// Each once, those too whose change was taken back.
    private(set) var changedAccounts: [Account] = []
    private var journal: [Undo] = []
    private(set) var history: [(account: Account, entry: HistoryEntry)] = []
    private(set) var events: [Event] = []

    /// A record as the base has it, and as it is now; nil where the chain knows nothing of the account. An object: records
    /// are large, and a table of them would be moved whenever it grows.
    private final class Held {
        let before: AccountRecord?
        var now: AccountRecord?
        var isChanged = false

        init(_ before: AccountRecord?) { (self.before, now) = (before, before) }
    }

    private enum Undo {
        case value(StateKey, previous: [UInt8]??)
        case account(Held, previous: AccountRecord?)
    }

    struct Savepoint {
        fileprivate let journal: Int
        fileprivate let history: Int
        fileprivate let events: Int
    }

    /// - Parameter transactions: that will run on it, about: for as many there is room at once.
    init(_ base: any StateReader, transactions: Int = 0) {
        self.base = base
        let room = min(transactions, Self.mostRoom)
        accounts.reserveCapacity(room)
        changedAccounts.reserveCapacity(room)
        history.reserveCapacity(room)
    }

    private static let mostRoom = 1_024

    // MARK: Values

    func value(_ key: StateKey) throws(LedgerError) -> [UInt8]? {
        if let value = written[key] { return value }
        return try original(key)
    }

    func value<Value: BorshDecodable>(_ key: StateKey, as type: Value.Type = Value.self) throws(LedgerError) -> Value? {
        guard let bytes = try value(key) else { return nil }
        do { return try Value(borsh: bytes) } catch { throw .corruptState(key, error.description) }
    }

    func set(_ key: StateKey, _ value: [UInt8]?) {
        journal.append(.value(key, previous: written[key]))
        written.updateValue(value, forKey: key)
    }

    func set(_ key: StateKey, _ value: some BorshEncodable) { set(key, value.borsh) }

    func original(_ key: StateKey) throws(LedgerError) -> [UInt8]? {
        if let value = known[key] { return value }
        let value = try base.read(key)
        known.updateValue(value, forKey: key)
        return value
    }

    // MARK: Accounts

    private func held(_ account: Account) throws(LedgerError) -> Held {
        if let held = accounts[account] { return held }
        let held = Held(try base.read(.account(account)))
        accounts[account] = held
        return held
    }

    /// Nil for an account of which the chain knows nothing yet.
    func record(_ account: Account) throws(LedgerError) -> AccountRecord? { try held(account).now }

    func account(_ account: Account) throws(LedgerError) -> AccountRecord {
        try held(account).now ?? AccountRecord()
    }

    func setAccount(_ account: Account, _ record: AccountRecord) throws(LedgerError) {
        let held = try held(account)
        journal.append(.account(held, previous: held.now))
        held.now = record
        guard !held.isChanged else { return }
        held.isChanged = true
        changedAccounts.append(account)
    }

    /// Appends to the account's history: the entry to the archive, its leaf to the frontier.
    func append(_ content: HistoryEntry.Content, to account: Account, height: Height, time: Time) throws(LedgerError) {
        var record = try self.account(account)
        let entry = HistoryEntry(index: record.history.size, height: height, time: time, content: content)
        record.history.append(entry.leaf)
        try setAccount(account, record)
        history.append((account, entry))
    }

    /// The account as the base has it, and as it is now.
    func versions(of account: Account) throws(LedgerError) -> (before: AccountRecord, after: AccountRecord) {
        let held = try held(account)
        return (held.before ?? AccountRecord(), held.now ?? AccountRecord())
    }

    // MARK: Events

    func emit(_ event: Event) { events.append(event) }

    /// Takes the events out, for the receipt that they belong to.
    func takeEvents() -> [Event] {
        defer { events = [] }
        return events
    }

    // MARK: Savepoints

    func savepoint() -> Savepoint { Savepoint(journal: journal.count, history: history.count, events: events.count) }

    /// Undoes everything since the savepoint. Later savepoints are void then.
    func rollBack(to savepoint: Savepoint) {
        while journal.count > savepoint.journal, let undo = journal.popLast() {
            switch undo {
            case .value(let key, let previous):
                if let previous { written.updateValue(previous, forKey: key) } else { written.removeValue(forKey: key) }
            case .account(let held, let previous): held.now = previous
            }
        }
        history.removeLast(max(0, history.count - savepoint.history))
        events.removeLast(max(0, events.count - savepoint.events))
    }

    /// Forgets how to undo what happened so far, when no savepoint is in use.
    func commit() { journal.removeAll(keepingCapacity: true) }

    // MARK: Result

    /// Values that were written, at most.
    var changes: Int { written.count + changedAccounts.count }

    func delta() throws(LedgerError) -> StateDelta {
        var changes: [(key: StateKey, value: [UInt8]?)] = []
        for (key, value) in written where try original(key) != value { changes.append((key, value)) }
        for account in changedAccounts {
            guard let held = accounts[account], held.now != held.before else { continue }
            changes.append((.account(account), held.now?.borsh))
        }
        changes.sort { $0.key < $1.key }
        return StateDelta(changes: changes, history: history)
    }
}
