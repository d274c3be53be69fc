import Cryptography
import Primitives

/// Bodies of blocks above the last finalised one, by digest. Bounded; who may add is ``NodeMachine``'s to decide.
struct CandidatePool {
    final class Candidate {
        let block: Block
        let digest: Digest
        /// Whether the journal holds the body.
        var journalled = false
        /// Set once the block was found valid on its parent and executed.
        var executed: ExecutedBlock?
        /// Why the block can never be valid.
        var flaw: String?

        init(block: Block, digest: Digest) {
            self.block = block
            self.digest = digest
        }

        fileprivate var weight: (Int, Int, View, Digest) {
            (journalled ? 1 : 0, executed == nil ? 0 : 1, block.header.view, digest)
        }
    }

    let limit: Int
    private var byDigest: [Digest: Candidate] = [:]
    /// Bodies that were relayed unasked, by view: a leader gets two, so that an honest second is not lost to a forger.
    private var relayed: [View: Int] = [:]

    init(limit: Int = NodeLimits.candidateBlocks) { self.limit = limit }

    subscript(digest: Digest) -> Candidate? { byDigest[digest] }
    var count: Int { byDigest.count }
    var isFull: Bool { byDigest.count >= limit }

    /// In ascending order of height, for the journal.
    var ordered: [Candidate] {
        byDigest.values.sorted {
            ($0.block.header.height, $0.digest) < ($1.block.header.height, $1.digest)
        }
    }

    mutating func insert(_ block: Block, digest: Digest) -> Candidate? {
        if let known = byDigest[digest] { return known }
        guard !isFull else { return nil }
        let candidate = Candidate(block: block, digest: digest)
        byDigest[digest] = candidate
        return candidate
    }

    /// Takes a body that this node needs. In a full pool it takes the place of one that matters less: rather one that
    /// nobody voted for here than one that a vote promised, rather one of an old view than of a new one.
    @discardableResult
    mutating func insertMakingRoom(_ block: Block, digest: Digest) -> Candidate? {
        if isFull, byDigest[digest] == nil,
            let least = byDigest.values.min(by: { $0.weight < $1.weight })?.digest
        {
            byDigest[least] = nil
        }
        return insert(block, digest: digest)
    }

    /// Whether one more unasked body of this view fits.
    mutating func admitRelayed(view: View) -> Bool {
        guard relayed[view, default: 0] < 2, !isFull else { return false }
        relayed[view, default: 0] += 1
        return true
    }

    /// Views count anew in each epoch.
    mutating func forgetRelays() { relayed = [:] }

    /// Forgets blocks at or below a height, and of the epoch those at or below a view: their place is taken for ever.
    mutating func forget(through height: Height, epoch: Epoch, view: View) {
        byDigest = byDigest.filter { candidate in
            let header = candidate.value.block.header
            return header.height > height && (header.epoch, header.view) > (epoch, view)
        }
        relayed = relayed.filter { $0.key > view }
    }
}
