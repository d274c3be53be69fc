import Cryptography
import Primitives

/// A block as the simulator's application knows it. Every body is at hand everywhere; only time passes.
struct SimulatedBlock {
    let digest: Digest
    let parent: Digest
    let height: Int
    let view: View
    /// What no honest node may vote for.
    let isInvalid: Bool
    let transactions: [Int]
}

/// All blocks that anybody made.
struct BlockTable {
    private var blocks: [Digest: SimulatedBlock] = [:]
    private(set) var digests: [Digest] = []
    private var made: UInt64 = 1_000_000
    /// The height of the epoch's last block, where the epoch is to end (rule 11).
    var borderHeight: Int?

    init() {
        blocks[Cast.root] = SimulatedBlock(
            digest: Cast.root, parent: .zero, height: 0, view: .zero, isInvalid: false, transactions: [])
    }

    subscript(_ digest: Digest) -> SimulatedBlock? { blocks[digest] }

    mutating func make(on parent: Digest, view: View, isInvalid: Bool = false, transactions: [Int] = []) -> Digest {
        made += 1
        let digest = Cast.digest(made)
        blocks[digest] = SimulatedBlock(
            digest: digest, parent: parent, height: (blocks[parent]?.height ?? 0) + 1, view: view,
            isInvalid: isInvalid, transactions: transactions)
        digests.append(digest)
        return digest
    }

    /// What the application says of it.
    func isValid(_ proposal: Proposal) -> Bool {
        guard let block = blocks[proposal.digest], let parent = blocks[proposal.parentDigest] else { return false }
        if proposal.digest == proposal.parentDigest { return isBorder(block) }
        if let borderHeight, block.height > borderHeight { return false }
        return !block.isInvalid && block.parent == parent.digest && block.view == proposal.view
            && parent.view == proposal.parentView
    }

    func isBorder(_ block: SimulatedBlock) -> Bool { block.height == borderHeight && !block.isInvalid }

    /// The blocks after `base` up to `tip`, oldest first; nil where they are not on one chain.
    func path(from base: Digest, to tip: Digest) -> [SimulatedBlock]? {
        guard let floor = blocks[base] else { return nil }
        var path: [SimulatedBlock] = []
        var digest = tip
        while let block = blocks[digest], block.height > floor.height {
            path.append(block)
            digest = block.parent
        }
        return digest == base ? path.reversed() : nil
    }
}
