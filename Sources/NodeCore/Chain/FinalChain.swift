import Consensus
import Cryptography
import Primitives

/// The end of the final chain: what is final, what of it the store has, and what is known to be final and not here yet.
struct FinalChain {
    /// The last final block; its commit may be under way.
    private(set) var head: ExecutedBlock
    /// The head's own, if it has one. A border block always does.
    private(set) var headFinalization: Finalization?
    /// The last final block that the store holds: what the API speaks of.
    private(set) var published: ExecutedBlock
    /// Final blocks whose commits are under way, ascending: the store does not have them yet.
    private(set) var committing: [CandidatePool.Candidate] = []
    /// The highest Finalization whose block could not be delivered yet.
    private(set) var undelivered: Finalization?
    /// View of the last Finalization that was delivered, in this epoch.
    private(set) var view: View

    init(_ start: ChainStart) {
        head = start.head
        published = start.head
        headFinalization = start.finalization
        view = start.floor.block.view
    }

    /// Remembers a Finalization until its block is delivered.
    /// - Returns: whether it is to be delivered before one that waits: a node far behind hears of the newest first, and gets
    ///   there in steps.
    mutating func heard(_ finalization: Finalization) -> Bool {
        if let waiting = undelivered, waiting.view > finalization.view { return true }
        undelivered = finalization
        return false
    }

    /// What waits to be delivered; what has been meanwhile is forgotten.
    mutating func takeWaiting() -> Finalization? {
        if let waiting = undelivered, waiting.view <= view { undelivered = nil }
        return undelivered
    }

    /// Whether a quorum has gone on for so long that single bodies lead nowhere: blocks are fetched from below then.
    var isFarBehind: Bool { undelivered.map { $0.view.distance(since: view) > Self.viewsBehind } ?? false }
    private static let viewsBehind: UInt64 = 16

    /// A Finalization counts from here on, whether or not it brings new blocks.
    mutating func delivers(_ finalization: Finalization) { view = finalization.view }

    /// These blocks are final, ascending; all are executed.
    mutating func extend(by chain: [CandidatePool.Candidate], proof finalization: Finalization) {
        guard let last = chain.last?.executed else { return }
        committing += chain
        head = last
        headFinalization = finalization
        _ = takeWaiting()
    }

    /// The store holds the blocks up to this height.
    /// - Returns: those that can be told of now, ascending.
    mutating func publish(through height: Height) -> [ExecutedBlock] {
        var told: [ExecutedBlock] = []
        while let first = committing.first?.executed, first.header.height <= height {
            committing.removeFirst()
            first.layer.sink()
            published = first
            told.append(first)
        }
        return told
    }

    /// Views count anew.
    mutating func beginEpoch() {
        view = .zero
        undelivered = nil
    }
}
