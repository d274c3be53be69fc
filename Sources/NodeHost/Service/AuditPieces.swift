import Audit
import Cryptography
import NodeAPI
import Primitives
import StateTree
import Storage
import Synchronization

/// The audit file of an account, made while it is sent.
///
/// What certifies the history is read at once, from one state: the newest that a final header certifies. The links and
/// the entries never change once they are stored, so each page of them is read when its turn comes, from the store as it
/// is then: a reader that takes its time keeps neither a history in memory nor a snapshot of the store.
package final class AuditPieces: Sendable {
    /// An entry holds a transaction of up to 64 KiB, a link a set and its signatures.
    private static let pageEntries = 32
    private static let pageLinks = 8

    private enum Place {
        case start
        case links(from: Epoch, left: Int)
        case body
        case entries(from: UInt64)
        case end
        case over
    }

    private struct Progress {
        var encoder = AuditFileEncoder()
        var place = Place.start
    }

    private let genesisHash: Digest
    private let account: Account
    private let linkCount: Int
    private let header: Header
    private let finalization: Finalization
    private let record: ProvenValue<AccountRecord>
    private let size: UInt64
    private let reputation: [ProvenValue<ReputationRecord>]
    private let progress = Mutex(Progress())

    /// Nil where the certified state does not know the account, or there is no block yet.
    ///
    /// - Parameter links: what audits before this one have counted, so that each link is read once for a file: as it is sent.
    /// - Throws: ``NotHeld`` where the store lacks the history's beginning: a file with gaps would prove nothing.
    package init?(
        of account: Account, in snapshot: ChainSnapshot, genesisHash: Digest, links: LinkCount
    ) throws {
        guard let head = try snapshot.head(), let finalized = try snapshot.block(at: head.height),
            let finalization = finalized.finalization
        else { return nil }
        let certified = StoredState(snapshot: snapshot)
        let record: ProvenValue<AccountRecord> = try certified.prove(.account(account))
        guard let known = record.value else { return nil }
        if known.history.size > 0, try snapshot.history(account, limit: 1).first?.index != 0 {
            throw NotHeld(base: try snapshot.base())
        }
        self.genesisHash = genesisHash
        self.account = account
        header = finalized.block.header
        self.finalization = finalization
        self.record = record
        size = known.history.size
        reputation = try Role.allCases.map { try certified.prove(.reputation(account, $0)) }
        // The step that the head proves itself, where it is a border block, is not part of its own proof.
        linkCount = try links.count(in: snapshot, before: finalized.block.header.epoch)
    }

    /// The next piece of the file; nil after the last one.
    ///
    /// - Parameter snapshot: of now, or of any time after the one that the file was begun with.
    package func next(in snapshot: ChainSnapshot) throws -> [UInt8]? {
        try progress.withLock { progress in
            while true {
                switch progress.place {
                case .start:
                    progress.place = .links(from: .zero, left: linkCount)
                    return progress.encoder.start(genesisHash: genesisHash, account: account, linkCount: linkCount)
                case .links(_, left: 0): progress.place = .body
                case .links(let from, let left):
                    let page = try snapshot.links(from: from, limit: min(left, Self.pageLinks))
                    guard let last = page.last else { throw incomplete(snapshot, "\(left) of \(linkCount) links") }
                    progress.place = .links(from: last.header.epoch.next, left: left - page.count)
                    return progress.encoder.links(page)
                case .body:
                    progress.place = .entries(from: 0)
                    return progress.encoder.body(
                        header: header, descendants: [], finalization: finalization, record: record,
                        entryCount: Int(clamping: size))
                case .entries(let from) where from >= size: progress.place = .end
                case .entries(let from):
                    let page = try snapshot.history(
                        account, from: from, limit: Int(min(size - from, UInt64(Self.pageEntries))))
                    guard page.first?.index == from else { throw incomplete(snapshot, "entry \(from) of \(account)'s history") }
                    progress.place = .entries(from: from + UInt64(page.count))
                    return progress.encoder.entries(page)
                case .end:
                    progress.place = .over
                    return progress.encoder.end(reputation: reputation)
                case .over: return nil
                }
            }
        }
    }

    private func incomplete(_ snapshot: ChainSnapshot, _ what: String) -> StorageError {
        .corrupt(path: snapshot.path, detail: "\(what) is missing, which was there before")
    }
}
