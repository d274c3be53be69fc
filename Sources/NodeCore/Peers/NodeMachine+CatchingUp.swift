import Consensus
import Cryptography
import Primitives

/// Fetches final blocks from several peers at once. Each answer is proven by its own last block's Finalization, so whose
/// answer does not fit is known; answers are taken in the order of their heights, since a border block brings the set
/// that proves what lies above it.
extension NodeMachine {
    /// Whether a peer has final blocks that this node lacks, beyond the ordinary difference of one.
    ///
    /// What those say who failed to prove it does not count.
    public var isCatchingUp: Bool { sources.highest(above: head.header.height.next, atLeast: .unproven) != nil }

    /// Whether final blocks that this node lacks, as a quorum's word proves, are on their way from whoever keeps his word,
    /// or will be, since single ones lead nowhere.
    var isFetchingFinalBlocks: Bool {
        guard chain.undelivered != nil else { return false }
        guard !chain.isFarBehind, let request = sync.fetch.request(of: head.header.height.next) else {
            return chain.isFarBehind
        }
        return sources.keepsItsWord(request.peer)
    }

    /// Header times ascend by a millisecond at least, from the genesis' on: no chain is higher than its age.
    func highestPossible(_ clock: NodeClock) -> Height {
        Height(clock.wall.advanced(by: Self.clockTolerance).distance(since: genesis.time))
    }

    private static let clockTolerance: UInt64 = 60_000

    /// The block that everything waits for was asked of somebody who never showed one: whoever did is asked as well.
    func askTwice(_ clock: NodeClock) {
        let next = head.header.height.next
        guard let asked = sync.fetch.request(of: next) else { return }
        // A peer of which it is known that it takes long is waited for, but not by everybody else.
        let isSlow = asked.askedAt &+ BlockFetch.shortestTimeoutMs <= clock.monotonic.milliseconds
        guard isSlow || !sources.keepsItsWord(asked.peer),
            let better = sources.candidates(for: next, tick: ticks).first(where: {
                sources.standing(of: $0) < .unproven && !sync.fetch.isAsking($0)
                    && (!isSlow || sync.fetch.timeout(for: $0) < sync.fetch.timeout(for: asked.peer))
            })
        else { return }
        ask(better, from: next, clock)
    }

    private func ask(_ peer: NodePeer, from start: Height, _ clock: NodeClock) {
        sync.fetch.ask(peer, from: start, count: NodeLimits.syncBlocks, at: clock.monotonic.milliseconds)
        outputs.append(.send(.wantBlocks(from: start, count: NodeLimits.syncBlocks), to: peer))
    }

    /// Asks peers that are ahead for the blocks after the head, each for another span.
    func requestBlocks(_ clock: NodeClock) {
        // What the store has not taken yet stays in memory: the disk sets the pace.
        guard chain.committing.count < NodeLimits.candidateBlocks, !sync.isBridging(above: head.header.height) else { return }
        while sync.fetch.hasRoom {
            let start = sync.fetch.nextStart(after: head.header.height)
            let able = sources.candidates(for: start, tick: ticks)
            guard let first = able.first(where: { !sync.fetch.isAsking($0) }) else { return }
            let standing = sources.standing(of: first)
            // Of those that are as good, whoever was quickest.
            let best = able.filter { sources.standing(of: $0) == standing && !sync.fetch.isAsking($0) }
                .min { sync.fetch.timeout(for: $0) < sync.fetch.timeout(for: $1) } ?? first
            // Whoever failed before is asked for what is next alone: the others don't wait for it. Nor do they wait for
            // more than one who has yet to show that it has anything.
            guard start == head.header.height.next || standing < .failed else { return }
            let isTrusted = able.contains { sources.standing(of: $0) < .unproven }
            let tried = sync.fetch.requests.count { sources.standing(of: $0.peer) >= .unproven }
            guard standing < .unproven || !isTrusted || tried == 0 else { return }
            ask(best, from: start, clock)
            if let claimed = sources.head(of: best), claimed.distance(since: head.header.height) > 2 {
                outputs.append(.note(.catchingUp(from: head.header.height, to: claimed)))
            }
        }
    }

    func serveBlocks(from: Height, count: UInt16, to peer: NodePeer) {
        let blocks = SyncAnswer.blocks(
            from: from, count: count, through: published.header.height, messageBytes: rules.syncMessageBytes
        ) { try? store.block(at: $0) }
        outputs.append(.send(.blocks(blocks), to: peer))
    }

    func receivedBlocks(_ blocks: [FinalizedBlock], from peer: NodePeer, _ clock: NodeClock) {
        // Blocks from another height answer nothing that was asked; the request that is under way goes on.
        guard let request = sync.fetch.answered(peer, by: blocks) else { return }
        guard !blocks.isEmpty else {
            // It has nothing of what its head promised.
            sources.failed(peer, tick: ticks)
            return requestBlocks(clock)
        }
        guard Self.isSpan(blocks) else {
            distrust(peer, .brokenSpan)
            return requestBlocks(clock)
        }
        sync.fetch.keep(blocks, answering: request, at: clock.monotonic.milliseconds)
        while let answer = sync.fetch.take(after: head.header.height) {
            take(answer, clock)
            advanceEpoch(clock)
            guard !isHalted else { return }
        }
        if sources.highest(above: head.header.height) != nil { requestBlocks(clock) }
    }

    /// Whether the heights of the blocks are consecutive, in one epoch: what the bookkeeping of spans relies on.
    private static func isSpan(_ blocks: [FinalizedBlock]) -> Bool {
        guard let first = blocks.first?.block.header, blocks.count <= NodeLimits.syncBlocksUnproven else { return false }
        return blocks.enumerated().allSatisfy { place, block in
            block.block.header.height == first.height.advanced(by: UInt64(place)) && block.block.header.epoch == first.epoch
        }
    }

    private func take(_ answer: BlockFetch.Answer, _ clock: NodeClock) {
        if answer.blocks.count == 1, let only = answer.blocks.first, only.block.header.height > head.header.height.next {
            return bridge(to: only, answer, clock)
        }
        var parent = head.digest
        var height = head.header.height
        var fresh: [(Block, Digest)] = []
        for finalized in answer.blocks where finalized.block.header.height > head.header.height {
            let block = finalized.block
            let digest = block.header.digest(genesis: genesisHash)
            guard block.header.height == height.next, block.header.parent == parent, block.isBoundByHeader,
                block.header.epoch == epoch.epoch
            else { return distrust(answer.peer, .brokenSpan) }
            fresh.append((block, digest))
            parent = digest
            height = block.header.height
        }
        guard let finalization = answer.blocks.last?.finalization, !fresh.isEmpty,
            finalization.subject.digest == parent, isGenuine(finalization)
        else { return distrust(answer.peer, .unprovenBlocks) }
        sources.answeredWell(answer.peer)
        sync.fetch.tookWell(answer.took, answer.peer)
        for (block, digest) in fresh {
            sync.bodies[digest] = nil
            pool.insertMakingRoom(block, digest: digest)
        }
        step(.message(.finalization(finalization), from: names.peer(of: answer.peer, in: epoch.set)), clock)
        deliver(finalization, clock)
    }

    /// A final block whose ancestors down to the head are more than a message holds: they are asked for one by one, by the
    /// digests that lead from it to the head.
    private func bridge(to proven: FinalizedBlock, _ answer: BlockFetch.Answer, _ clock: NodeClock) {
        let digest = proven.block.header.digest(genesis: genesisHash)
        guard let finalization = proven.finalization, finalization.subject.digest == digest, proven.block.isBoundByHeader,
            proven.block.header.epoch == epoch.epoch, isGenuine(finalization)
        else { return distrust(answer.peer, .unprovenBlocks) }
        sources.answeredWell(answer.peer)
        sync.fetch.tookWell(answer.took, answer.peer)
        pool.insertMakingRoom(proven.block, digest: digest)
        sync.bridge = SyncProgress.Bridge(
            finalization: finalization, height: proven.block.header.height, peer: answer.peer,
            until: ticks &+ SyncProgress.bridgePatience)
        step(.message(.finalization(finalization), from: names.peer(of: answer.peer, in: epoch.set)), clock)
        goOnBridging(clock)
    }

    /// Delivers the bridge's blocks if all are here, else asks for the next one down.
    func goOnBridging(_ clock: NodeClock) {
        guard let bridge = sync.bridge else { return }
        guard bridge.height > head.header.height, bridge.finalization.epoch == epoch.epoch else {
            sync.bridge = nil
            return
        }
        // From the top each time: the head moves, and the pool may let go of a body.
        let (missing, bytes) = pathToHead(from: bridge.finalization.subject.digest)
        // Not to be had, or more than is worth it: other peers' answers may do.
        guard ticks < bridge.until || missing != bridge.missing, bytes <= SyncProgress.bridgeBytes else {
            sync.bridge = nil
            return sources.failed(bridge.peer, tick: ticks)
        }
        if let missing {
            if missing != bridge.missing {
                sync.bridge?.missing = missing
                sync.bridge?.until = ticks &+ SyncProgress.bridgePatience
            }
            return requestBody(missing, preferring: nil, patience: SyncProgress.bridgeBodyPatience)
        }
        sync.bridge = nil
        // One by one takes long: who answers so where one message would do is asked last.
        if bytes + SyncProgress.proofBytes <= rules.syncMessageBytes { sources.failed(bridge.peer, tick: ticks) }
        deliver(through: bridge.finalization, clock)
        if sources.highest(above: head.header.height) != nil { requestBlocks(clock) }
    }

    /// The first body that is missing on the way down to the head, and the bytes of those that are here.
    private func pathToHead(from digest: Digest) -> (missing: Digest?, bytes: Int) {
        var bytes = 0
        var next = digest
        while next != head.digest {
            guard let block = pool[next]?.block else { return (next, bytes) }
            // It leads beside the head: to deliver it says so.
            guard block.header.height > head.header.height else { return (nil, bytes) }
            bytes += SyncProgress.emptyBlockBytes + block.transactions.byteCount
            next = block.header.parent
        }
        return (nil, bytes)
    }

    private func isGenuine(_ finalization: Finalization) -> Bool {
        guard rules.checkSyncProof else { return true }
        return finalization.epoch == epoch.epoch
            && (try? finalization.verify(by: epoch.set, genesis: genesisHash, verifier: signatures)) != nil
    }

    private func distrust(_ peer: NodePeer, _ offence: Offence) {
        sources.failed(peer, tick: ticks)
        outputs.append(.note(.offence(peer, offence)))
    }
}

/// What a node answers whoever asks for final blocks.
package enum SyncAnswer {
    /// Consecutive blocks of one epoch, the last of which has its own Finalization; empty where there is none. Where all up
    /// to the first that has one are more than a message holds, that one alone.
    ///
    /// - Parameters:
    ///   - last: the highest block that the store holds.
    ///   - messageBytes: what one message holds.
    ///   - block: reads one; nil where it is missing.
    package static func blocks(
        from: Height, count: UInt16, through last: Height, messageBytes: Int = NodeLimits.syncMessageBytes, block read: (Height) throws -> FinalizedBlock?
    ) rethrows -> [FinalizedBlock] {
        var blocks: [FinalizedBlock] = []
        var bytes = 0
        var height = from
        var epoch: Epoch?
        var (isProven, isTooLong) = (false, false)
        // More blocks than were asked for only where a shorter answer would hold no proof.
        while height.distance(since: from)
            < UInt64(isProven ? Int(min(count, NodeLimits.syncBlocks)) : NodeLimits.syncBlocksUnproven),
            height <= last, let block = try read(height)
        {
            // Of one epoch: whoever asks learns the next set from the border block.
            if let epoch, epoch != block.block.header.epoch { break }
            epoch = block.block.header.epoch
            height = height.next
            let size = block.borsh.count
            // A single large block still goes; what follows waits for the next request.
            if isProven, bytes + size > NodeLimits.syncBytes { break }
            if !isProven, !blocks.isEmpty, bytes + size > messageBytes { (blocks, bytes, isTooLong) = ([], 0, true) }
            if isTooLong {
                if block.finalization != nil { return [block] }
                continue
            }
            bytes += size
            blocks.append(block)
            isProven = isProven || block.finalization != nil
        }
        while let end = blocks.last, end.finalization == nil { blocks.removeLast() }
        return blocks
    }
}
