import Consensus
import Cryptography
import NodeCore
import Primitives

/// What survives a process: its block store, and its journal with what was not synced yet.
///
/// Work goes to two queues, as in a node: one for the journal, one for the store. Each does one thing after the other.
struct SimulatedDisk {
    enum JournalWork {
        case append([JournalEntry], JournalToken)
        case rewrite([JournalEntry])
    }

    let genesis: Digest
    private(set) var store = SimulatedStore()
    private(set) var journal: [JournalEntry] = []
    private var bodies: Set<Digest> = []
    private var records: Set<JournalRecord> = []
    private(set) var pendingJournal: [JournalWork] = []
    private(set) var pendingCommits: [[Commit]] = []

    init(genesis: Digest) { self.genesis = genesis }

    mutating func write(_ work: JournalWork) { pendingJournal.append(work) }
    mutating func write(_ commits: [Commit]) { pendingCommits.append(commits) }

    /// Syncs all appends and rewrites up to the token.
    mutating func syncJournal(through token: JournalToken) {
        while let work = pendingJournal.first {
            if case .append(_, let next) = work, next > token { return }
            apply(work)
            pendingJournal.removeFirst()
        }
    }

    /// The oldest rewrite is done, and what was to be done before it.
    mutating func syncRewrite() {
        guard pendingJournal.contains(where: { if case .rewrite = $0 { true } else { false } }) else { return }
        while !pendingJournal.isEmpty {
            let work = pendingJournal.removeFirst()
            apply(work)
            if case .rewrite = work { return }
        }
    }

    private mutating func apply(_ work: JournalWork) {
        switch work {
        case .append(let entries, _): append(entries)
        case .rewrite(let entries):
            (journal, bodies, records) = ([], [], [])
            append(entries)
        }
    }

    private mutating func append(_ entries: some Sequence<JournalEntry>) {
        for entry in entries {
            journal.append(entry)
            switch entry {
            case .body(let block): bodies.insert(block.header.digest(genesis: genesis))
            case .consensus(let record): records.insert(record)
            case .observing, .opened, .reached: break
            }
        }
    }

    /// - Returns: what the store refused the commits for, if anything.
    mutating func syncCommits(through height: Height) -> String? {
        while let commits = pendingCommits.first, let last = commits.last, last.block.block.header.height <= height {
            if let problem = store.commit(commits) { return problem }
            pendingCommits.removeFirst()
        }
        return nil
    }

    /// The process dies. Of what was under way a part reached the disk: whole pieces of work, then some entries of the
    /// next; an entry that was torn is cut off when the file is opened. A rewrite and a batch are there or not.
    mutating func crash(_ chance: inout Chance) -> String? {
        var survivors = chance.below(pendingJournal.count + 1)
        while survivors > 0, let work = pendingJournal.first {
            apply(work)
            pendingJournal.removeFirst()
            survivors -= 1
        }
        if case .append(let entries, _) = pendingJournal.first {
            append(entries.prefix(chance.below(entries.count + 1)))
        }
        pendingJournal = []
        let stored = chance.below(pendingCommits.count + 1)
        var problem: String?
        for commits in pendingCommits.prefix(stored) { problem = problem ?? store.commit(commits) }
        pendingCommits = []
        store.isFailing = false
        return problem
    }

    /// What was synced to the journal is gone, or is what it was before.
    mutating func replaceJournal(by entries: [JournalEntry]) { apply(.rewrite(entries)) }

    /// What a copy of the files holds: nothing of what is under way.
    func copied() -> SimulatedDisk {
        var copy = self
        copy.store = store.copied()
        (copy.pendingJournal, copy.pendingCommits) = ([], [])
        return copy
    }

    /// A store that was made beside takes its place whole.
    mutating func put(_ store: SimulatedStore) { self.store = store }

    /// Everything is gone.
    mutating func lose() {
        replaceJournal(by: [])
        store = SimulatedStore()
    }

    /// Whether the body would be found again after any crash.
    func holdsBody(_ digest: Digest) -> Bool {
        bodies.contains(digest) || (try? store.height(of: digest)).flatMap { $0 } != nil
    }

    func holds(_ record: JournalRecord) -> Bool { records.contains(record) }
}
