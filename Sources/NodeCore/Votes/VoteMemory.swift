import Consensus
import Cryptography
import Primitives

/// Why a masternode's home no longer knows what its key has voted.
public enum VoteLoss: UInt8, Hashable, Sendable, CaseIterable {
    /// A certificate holds a vote of the key that the journal does not know.
    case unknownVote
    /// The store says that the key has voted, and the journal is gone or another one.
    case journalMissing
    /// The store says that the key has voted further than the journal reaches.
    case journalOld
    /// The chain holds votes of the key, and the home knows of none.
    case homeLost

    var reason: String {
        switch self {
        case .unknownVote:
            "a certificate holds a vote of its key that its journal does not know: the home is an old copy, or another "
                + "process uses the same key"
        case .journalMissing: "its key has voted, and the journal that holds these votes is gone"
        case .journalOld: "its journal is an older copy: its key has voted further than the journal reaches"
        case .homeLost: "the chain holds votes of its key that this home does not know: its store and journal were lost"
        }
    }

    /// What the operator is told, until it is over.
    var advice: String {
        reason + ". It only observes, since voting on could contradict what was said, which costs the collateral. Make "
            + "sure that no other process uses the key; then 'chain-cli masternode resume' by the owner brings it back two "
            + "epochs later, or, where the chain stands still without it, 'chaind --rejoin' at once"
    }
}

/// What a masternode knows of the votes of its own key: how far they go, and whether some are lost.
///
/// Everything here is about what is durable: a vote counts from when its record is on the disk, which is before anybody
/// else hears of it.
struct VoteMemory {
    /// Nil until the journal has a name.
    private(set) var journal: UInt64?
    /// The furthest durable vote, or where the node was allowed to vote; nil where it never was.
    private(set) var reached: VotePosition?
    private(set) var loss: VoteLoss?
    /// The epoch in which the loss was found.
    private(set) var lostIn: Epoch?
    /// From where the key votes again after votes were lost, as the journal says: nothing below matters any more.
    private var floor: VotePosition?
    /// Votes whose records are on their way to the disk, ascending by token.
    private var pending: [(JournalToken, VotePosition)] = []
    private(set) var hasVotedSinceStart = false

    /// The last write that a vote waits for.
    var newestPending: JournalToken? { pending.last?.0 }

    /// Whether nothing is known of any votes.
    var isEmpty: Bool { reached == nil }

    init(journal entries: [JournalEntry]) {
        for entry in entries {
            switch entry {
            case .opened(let name): journal = name
            case .reached(let position): reach(position)
            case .observing(let epoch, let loss): _ = lose(loss, in: epoch)
            case .consensus(let record):
                if let position = record.ownVote { reach(position) }
                if case .floor(let epoch, let view) = record {
                    regain()
                    floor = max(floor ?? .none, VotePosition(epoch: epoch, view: view))
                }
            case .body: break
            }
        }
        // A journal of before there were names: whoever moved views by certificates has taken part.
        let tookPart = entries.contains { if case .consensus = $0 { true } else { false } }
        if journal == nil, tookPart { reach(.none) }
    }

    private mutating func reach(_ position: VotePosition) { reached = max(reached ?? .none, position) }

    /// Compares the journal with what the store and the state know.
    ///
    /// - Parameters:
    ///   - name: for a journal without one.
    ///   - wasSeen: whether the state knows of votes of the key.
    /// - Returns: what has to be journalled first.
    mutating func check(against mark: VoteMark?, name: UInt64, epoch: Epoch, wasSeen: Bool) -> [JournalEntry] {
        var found: VoteLoss?
        if let mark {
            // The mark of before the way back stays until the next block is stored. What it tells of is known to be lost,
            // and lies where this key votes no more, or only to nullify.
            if let floor, mark.position <= floor {
                found = nil
            } else if journal != mark.journal {
                found = .journalMissing
            } else if reached ?? .none < mark.position {
                found = .journalOld
            }
        } else if isEmpty, wasSeen {
            found = .homeLost
        }
        var entries: [JournalEntry] = []
        if journal == nil {
            journal = name
            entries.append(.opened(name))
        }
        // What was found at an earlier start is in the journal already; a resume since then counts from there.
        if let found, loss == nil { entries.append(lose(found, in: max(epoch, mark?.position.epoch ?? .zero))) }
        return entries
    }

    mutating func lose(_ loss: VoteLoss, in epoch: Epoch) -> JournalEntry {
        self.loss = loss
        lostIn = max(lostIn ?? .zero, epoch)
        return .observing(lostIn ?? epoch, loss)
    }

    /// The node may vote again.
    mutating func regain() {
        (loss, lostIn) = (nil, nil)
        reach(.none)
    }

    mutating func votes(_ position: VotePosition, _ token: JournalToken) {
        pending.append((token, position))
        hasVotedSinceStart = true
    }

    mutating func durable(_ token: JournalToken) {
        for (due, position) in pending where due <= token { reach(position) }
        pending.removeAll { $0.0 <= token }
    }

    /// For the store. A node that lost votes leaves the old mark: it does not know better.
    func mark(of key: PublicKey) -> VoteMark? {
        guard let journal, let reached, loss == nil else { return nil }
        return VoteMark(key: key, journal: journal, position: reached)
    }

    /// What a journal that is cut must go on to say. Votes on their way to the disk come before it there: their records are
    /// among its own, but for those of views that this node's vote alone made final, which a set of one has.
    var toKeep: [JournalEntry] {
        var entries: [JournalEntry] = journal.map { [.opened($0)] } ?? []
        if let furthest = pending.reduce(reached, { max($0 ?? .none, $1.1) }) { entries.append(.reached(furthest)) }
        if let loss, let lostIn { entries.append(.observing(lostIn, loss)) }
        return entries
    }
}
