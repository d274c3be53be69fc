import Consensus
import Cryptography
import Primitives

/// What goes to the journal, and what waits for it.
struct JournalDesk {
    /// Bytes that a journal adds to an entry.
    private static let overhead = 16

    /// Bytes that the journal holds, about.
    private(set) var bytes = 0
    /// Bodies to relay once the votes that they may hold are durable.
    private var relays: [(token: JournalToken, block: Block)] = []
    /// What has to be journalled before anything else.
    private var first: [JournalEntry] = []

    var relayCount: Int { relays.count }

    init(holding entries: [JournalEntry]) { bytes = Self.size(entries) }

    private static func size(_ entries: [JournalEntry]) -> Int { entries.reduce(0) { $0 + size($1) + overhead } }

    /// About: nothing is encoded for it.
    private static func size(_ entry: JournalEntry) -> Int {
        switch entry {
        case .body(let block): 1_024 + block.transactions.byteCount
        case .consensus(.notarization(let certificate)): 128 + Signature.byteCount * certificate.signatures.count
        case .consensus(.nullification(let certificate)): 128 + Signature.byteCount * certificate.signatures.count
        case .consensus(.finalization(let certificate)): 128 + Signature.byteCount * certificate.signatures.count
        case .consensus, .observing, .opened, .reached: 160
        }
    }

    mutating func starts(with entries: [JournalEntry]) { first = entries }
    mutating func takeFirst() -> [JournalEntry] {
        defer { first = [] }
        bytes += Self.size(first)
        return first
    }

    mutating func append(_ entries: [JournalEntry]) { bytes += Self.size(entries) }
    mutating func rewrite(_ entries: [JournalEntry]) { bytes = Self.size(entries) }

    mutating func relay(_ block: Block, after token: JournalToken) { relays.append((token, block)) }

    /// Bodies whose votes are durable now, in the order in which they were made.
    mutating func takeRelays(through token: JournalToken) -> [Block] {
        let due = relays.filter { $0.token <= token }.map(\.block)
        relays.removeAll { $0.token <= token }
        return due
    }
}
