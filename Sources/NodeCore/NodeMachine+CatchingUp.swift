import Consensus
import Cryptography
import Primitives

/// Fetches final blocks from several peers at once. Each answer is proven by its own last block's Finalization, so whose
/// answer does not fit is known; answers are taken in the order of their heights, since a border block brings the set
/// that proves what lies above it.
extension NodeMachine {
    /// Whether a peer has final blocks that this node lacks, beyond the ordinary difference of one.
    public var isCatchingUp: Bool { peers.values.contains { $0.distance(since: head.header.height) > 1 } }

    /// Asks peers that are ahead for the blocks after the head, each for another span.
    func requestBlocks(_ clock: NodeClock) {
        // What the store has not taken yet stays in memory: the disk sets the pace.
        guard committing.count < NodeLimits.candidateBlocks else { return }
        while sync.fetch.hasRoom {
            let start = sync.fetch.nextStart(after: head.header.height)
            func rank(_ peer: (key: NodePeer, value: Height)) -> (UInt64, UInt64, NodePeer) {
                (sync.failures[peer.key] ?? 0, .max - peer.value.value, peer.key)
            }
            let able = peers.filter { $0.value >= start && !sync.fetch.isAsking($0.key) }
            guard let best = able.min(by: { rank($0) < rank($1) }) else { return }
            // Whoever failed before is asked for what is next alone: the others don't wait for it.
            guard start == head.header.height.next || sync.failures[best.key] == nil else { return }
            sync.fetch.ask(best.key, from: start, count: NodeLimits.syncBlocks, at: clock.monotonic.milliseconds)
            outputs.append(.send(.wantBlocks(from: start, count: NodeLimits.syncBlocks), to: best.key))
            if best.value.distance(since: head.header.height) > 2 {
                outputs.append(.note(.catchingUp(from: head.header.height, to: best.value)))
            }
        }
    }

    func serveBlocks(from: Height, count: UInt16, to peer: NodePeer) {
        var blocks: [FinalizedBlock] = []
        var bytes = 0
        var height = from
        var isProven = false
        // More blocks than were asked for only where a shorter answer would hold no proof.
        while blocks.count < (isProven ? Int(min(count, NodeLimits.syncBlocks)) : NodeLimits.syncBlocksUnproven),
            height <= published.header.height, let block = try? store.block(at: height)
        {
            // Of one epoch: whoever asks learns the next set from the border block.
            if let first = blocks.first, first.block.header.epoch != block.block.header.epoch { break }
            bytes += block.borsh.count
            // A single large block still goes; what follows waits for the next request.
            if bytes > NodeLimits.syncBytes, isProven { break }
            blocks.append(block)
            isProven = isProven || block.finalization != nil
            height = height.next
        }
        while let last = blocks.last, last.finalization == nil { blocks.removeLast() }
        outputs.append(.send(.blocks(blocks), to: peer))
    }

    func receivedBlocks(_ blocks: [FinalizedBlock], from peer: NodePeer, _ clock: NodeClock) {
        // Blocks from another height answer a request that has run out; the one that is under way goes on.
        guard sync.fetch.answered(peer, from: blocks.first?.block.header.height) else { return }
        guard !blocks.isEmpty else {
            // It has nothing of what its head promised.
            peers[peer] = .zero
            sync.failed(peer)
            return requestBlocks(clock)
        }
        guard Self.isSpan(blocks) else {
            distrust(peer, "sent blocks that do not follow one another")
            return requestBlocks(clock)
        }
        sync.fetch.keep(blocks, from: peer)
        while let answer = sync.fetch.take(after: head.header.height) {
            take(answer, clock)
            advanceEpoch(clock)
            guard !isHalted else { return }
        }
        if peers.values.contains(where: { $0 > head.header.height }) { requestBlocks(clock) }
    }

    /// Whether the heights of the blocks are consecutive, in one epoch: what the bookkeeping of spans relies on.
    private static func isSpan(_ blocks: [FinalizedBlock]) -> Bool {
        guard let first = blocks.first?.block.header, blocks.count <= NodeLimits.syncBlocksUnproven else { return false }
        return blocks.enumerated().allSatisfy { place, block in
            block.block.header.height == first.height.advanced(by: UInt64(place)) && block.block.header.epoch == first.epoch
        }
    }

    private func take(_ answer: BlockFetch.Answer, _ clock: NodeClock) {
        var parent = head.digest
        var height = head.header.height
        var fresh: [(Block, Digest)] = []
        for finalized in answer.blocks where finalized.block.header.height > head.header.height {
            let block = finalized.block
            let digest = block.header.digest(genesis: genesisHash)
            guard block.header.height == height.next, block.header.parent == parent, block.isBoundByHeader,
                block.header.epoch == epoch.epoch
            else { return distrust(answer.peer, "sent blocks that do not follow one another") }
            fresh.append((block, digest))
            parent = digest
            height = block.header.height
        }
        guard let finalization = answer.blocks.last?.finalization, !fresh.isEmpty,
            finalization.subject.digest == parent, isGenuine(finalization)
        else { return distrust(answer.peer, "sent blocks without a valid Finalization") }
        sync.failures[answer.peer] = nil
        for (block, digest) in fresh {
            sync.bodies[digest] = nil
            pool.insertMakingRoom(block, digest: digest)
        }
        step(.message(.finalization(finalization), from: names.peer(of: answer.peer, in: epoch.set)), clock)
        deliver(finalization, clock)
    }

    private func isGenuine(_ finalization: Finalization) -> Bool {
        guard rules.checkSyncProof else { return true }
        return finalization.epoch == epoch.epoch
            && (try? finalization.verify(by: epoch.set, genesis: genesisHash, verifier: signatures)) != nil
    }

    private func distrust(_ peer: NodePeer, _ what: String) {
        peers[peer] = .zero
        sync.failed(peer)
        outputs.append(.note(.peerMisbehaved(peer, what)))
    }
}
