import Consensus
import Cryptography
import Primitives

/// Proposals travel as sketches and are put together from the pool; what is missing is asked of whoever sent the sketch.
extension NodeMachine {
    /// How a body that this node proposed goes to the others.
    func relayed(_ block: Block) -> NodeMessage {
        block.transactions.isEmpty
            ? .body(block) : .sketch(BlockSketch(block, ids: block.transactions.map { $0.id(genesis: genesisHash) }))
    }

    func receivedSketch(_ sketch: BlockSketch, from peer: NodePeer, _ clock: NodeClock) {
        let header = sketch.header
        let digest = header.digest(genesis: genesisHash)
        guard header.height > head.header.height, pool[digest] == nil, !sketches.holds(digest), !sketches.hasGivenUp(digest) else { return }
        // Nobody else sends it, and who sends it is asked for its parts.
        guard case .masternode(header.proposer) = names.peer(of: peer, in: epoch.set) else { return }
        // Its line carries what it lacks first; this block comes in its turn.
        guard !chain.isFarBehind else { return }
        guard header.parentCertificateHash == sketch.parentCertificate.hash || !rules.bindBodies else {
            return outputs.append(.note(.offence(peer, .unboundBody)))
        }
        if sync.bodies[digest] == nil, !takesRelayed(header, from: peer, clock) { return }
        if let block = sketches.add(
            sketch, digest: digest, from: peer, at: clock.monotonic.milliseconds, delay: simplex.delayMs, known: { mempool.transaction($0)?.signed })
        {
            putTogether(block, digest, from: peer, clock)
        }
    }

    /// Transactions came that a sketch may wait for.
    func offerToSketches(_ transactions: [SignedTransaction], _ clock: NodeClock) {
        let complete = sketches.offer(
            transactions, at: clock.monotonic.milliseconds, delay: simplex.delayMs, genesis: genesisHash)
        for (digest, block, source) in complete {
            putTogether(block, digest, from: source, clock)
        }
    }

    /// Asks for what did not come by itself.
    func askForParts(_ clock: NodeClock) {
        for (digest, source, step) in sketches.takeDue(at: clock.monotonic.milliseconds, delay: simplex.delayMs) {
            switch step {
            case .askSource(let places): outputs.append(.send(.wantParts(digest, places), to: source))
            case .askSourceForBody: askForBody(digest, of: source)
            // Whoever voted for the block has it.
            case .askOthersForBody: requestBody(digest, preferring: nil)
            }
        }
        if let next = sketches.nextDue { outputs.append(.setTimer(.due, at: Instant(milliseconds: next))) }
    }

    private func askForBody(_ digest: Digest, of peer: NodePeer) {
        sketches.forget(digest)
        sync.bodies[digest] = ticks &+ bodyPatience
        outputs.append(.send(.wantBody(digest), to: peer))
    }

    private func putTogether(_ block: Block, _ digest: Digest, from peer: NodePeer, _ clock: NodeClock) {
        // One of the pool's transactions has another signature than the block's, or the sketch is false: the body tells.
        guard block.isBoundByHeader || !rules.bindBodies else { return askForBody(digest, of: peer) }
        insertBody(block, digest: digest, clock)
    }

    func serveParts(_ digest: Digest, _ places: [UInt32], to peer: NodePeer) {
        guard let block = servableBody(digest) else { return }
        var bytes = 0
        let parts = places.lazy.compactMap { place -> SignedTransaction? in
            let place = Int(place)
            return block.transactions.indices.contains(place) ? block.transactions[place] : nil
        }.prefix { transaction in
            bytes += transaction.byteCount
            return bytes <= NodeLimits.syncBytes
        }
        outputs.append(.send(.parts(Array(parts)), to: peer))
    }
}
