import Consensus
import Cryptography
import Primitives

/// What is under way to catch up. One request for blocks at a time; bodies are asked for again after a while.
struct SyncProgress {
    static let timeoutMs: UInt64 = 2_000
    static let bodiesRemembered = 256

    var request: (peer: Peer, at: Instant)?
    /// Bodies asked for, with the tick of the last request.
    var bodies: [Digest: UInt64] = [:]
    /// Requests for blocks that a connected peer did not answer well since its last good answer. Whoever claims the
    /// greatest height must not be asked again and again for nothing.
    var failures: [Peer: UInt64] = [:]

    /// What each peer's requests have cost since the last tick.
    private var served: [Peer: Int] = [:]

    mutating func forget(_ peer: Peer) {
        if request?.peer == peer { request = nil }
        failures[peer] = nil
        served[peer] = nil
    }

    /// Whether a peer's request is still within what one peer may cost between two ticks.
    mutating func mayServe(_ peer: Peer, cost: Int) -> Bool {
        guard served[peer, default: 0] + cost <= NodeLimits.requestCostPerTick else { return false }
        served[peer, default: 0] += cost
        return true
    }

    mutating func renewBudgets() { served = [:] }

    mutating func failed(_ peer: Peer) { failures[peer, default: 0] += 1 }
}

extension NodeMachine {
    /// Whether a peer has final blocks that this node lacks, beyond the ordinary difference of one.
    var isCatchingUp: Bool { peers.values.contains { $0.distance(since: head.header.height) > 1 } }

    func connected(_ peer: Peer, _ clock: NodeClock) {
        peers[peer] = .zero
        outputs.append(.send(.head(height: published.header.height, digest: published.digest), to: peer))
        let waiting = waitingForPeers
        if !waiting.isEmpty { outputs.append(.send(.transactions(waiting), to: peer)) }
        step(.peerConnected(peer), clock)
    }

    func received(_ message: NodeMessage, from peer: Peer, _ clock: NodeClock) {
        // What makes this node read and send is rationed; whoever asks too much asks again later.
        if let cost = message.requestCost, !sync.mayServe(peer, cost: cost) { return }
        switch message {
        case .consensus(let message): step(.message(message, from: peer), clock)
        case .body(let block): receivedBody(block, from: peer, clock)
        case .wantBody(let digest): serveBody(digest, to: peer)
        case .transactions(let transactions): receivedTransactions(transactions, from: peer, clock)
        case .head(let height, _):
            peers[peer] = height
            // One block of difference is the ordinary course of things; the tick looks after what stays.
            if height.distance(since: head.header.height) > 1 { requestBlocks(clock) }
        case .wantBlocks(let from, let count): serveBlocks(from: from, count: count, to: peer)
        case .blocks(let blocks): receivedBlocks(blocks, from: peer, clock)
        }
    }

    func tick(_ clock: NodeClock) {
        ticks &+= 1
        sync.renewBudgets()
        outputs.append(.setTimer(.tick, at: clock.monotonic.advanced(byMs: Self.tickMs)))
        if let request = sync.request, request.at.advanced(byMs: SyncProgress.timeoutMs) <= clock.monotonic {
            // Silent or empty-handed: the next request goes to another peer.
            peers[request.peer] = peers[request.peer].map { _ in .zero }
            sync.failed(request.peer)
            sync.request = nil
        }
        deliverPending(clock)
        if peers.values.contains(where: { $0 > head.header.height }) { requestBlocks(clock) }
        if ticks % 5 == 0 {
            outputs.append(
                .broadcast(.head(height: published.header.height, digest: published.digest), to: .everyone))
            let waiting = waitingForPeers
            if !waiting.isEmpty { outputs.append(.broadcast(.transactions(waiting), to: .masternodes)) }
        }
    }

    // MARK: Bodies

    /// Asks one peer for a body, another one at the next tick.
    func requestBody(_ digest: Digest, preferring leader: UInt16?) {
        if let asked = sync.bodies[digest], asked == ticks { return }
        let first = sync.bodies[digest] == nil
        if sync.bodies.count >= SyncProgress.bodiesRemembered { sync.bodies = [:] }
        sync.bodies[digest] = ticks
        let masternodes = peers.keys.compactMap { peer -> UInt16? in
            if case .masternode(let index) = peer { index } else { nil }
        }.sorted()
        guard !masternodes.isEmpty else { return }
        let chosen =
            if first, let leader, masternodes.contains(leader) { leader } else {
                masternodes[Int(ticks % UInt64(masternodes.count))]
            }
        // The leader relays its body anyway: at first there is nothing to ask.
        if first, leader != nil { return }
        outputs.append(.send(.wantBody(digest), to: .masternode(chosen)))
    }

    private func serveBody(_ digest: Digest, to peer: Peer) {
        if let candidate = pool[digest] ?? committing.first(where: { $0.digest == digest }), candidate.journalled {
            outputs.append(.send(.body(candidate.block), to: peer))
        } else if let height = try? store.height(of: digest), let block = try? store.block(at: height) {
            outputs.append(.send(.body(block.block), to: peer))
        }
    }

    private func receivedBody(_ block: Block, from peer: Peer, _ clock: NodeClock) {
        let digest = block.header.digest(genesis: genesisHash)
        let header = block.header
        guard header.height > head.header.height, pool[digest] == nil else { return }
        // The header binds the body: a wrong one would never become valid under this digest, and must not take its place.
        guard !rules.bindBodies || block.isBoundByHeader else {
            return outputs.append(.note(.peerMisbehaved(peer, "sent a body that its header does not bind")))
        }
        let wanted = sync.bodies[digest] != nil
        if !wanted {
            guard case .masternode(let sender) = peer, sender == header.proposer,
                leaders.leader(of: header.view) == sender, header.view > head.header.view,
                header.view <= view.advanced(by: 8), pool.admitRelayed(view: header.view)
            else { return }
        }
        sync.bodies[digest] = nil
        if wanted { pool.insertMakingRoom(block, digest: digest) } else { _ = pool.insert(block, digest: digest) }
        deliverPending(clock)
    }

    // MARK: Final blocks

    /// Asks a peer that is ahead for the blocks after the head, unless a request is under way.
    func requestBlocks(_ clock: NodeClock) {
        guard sync.request == nil else { return }
        let ahead = peers.filter { $0.value > head.header.height }
        func rank(_ peer: (key: Peer, value: Height)) -> (UInt64, UInt64, UInt64) {
            (sync.failures[peer.key] ?? 0, .max - peer.value.value, peer.key.order)
        }
        guard let best = ahead.min(by: { rank($0) < rank($1) }) else { return }
        sync.request = (best.key, clock.monotonic)
        outputs.append(.send(.wantBlocks(from: head.header.height.next, count: NodeLimits.syncBlocks), to: best.key))
        if best.value.distance(since: head.header.height) > 2 {
            outputs.append(.note(.catchingUp(from: head.header.height, to: best.value)))
        }
    }

    private func serveBlocks(from: Height, count: UInt16, to peer: Peer) {
        var blocks: [FinalizedBlock] = []
        var bytes = 0
        var height = from
        var isProven = false
        // More blocks than were asked for only where a shorter answer would hold no proof.
        while blocks.count < (isProven ? Int(min(count, NodeLimits.syncBlocks)) : NodeLimits.syncBlocksUnproven),
            height <= published.header.height, let block = try? store.block(at: height)
        {
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

    private func receivedBlocks(_ blocks: [FinalizedBlock], from peer: Peer, _ clock: NodeClock) {
        guard sync.request?.peer == peer else { return }
        sync.request = nil
        var parent = head.digest
        var height = head.header.height
        var fresh: [(Block, Digest)] = []
        for finalized in blocks where finalized.block.header.height > head.header.height {
            let block = finalized.block
            let digest = block.header.digest(genesis: genesisHash)
            guard block.header.height == height.next, block.header.parent == parent, block.isBoundByHeader else { return distrust(peer, "sent blocks that do not follow one another") }
            fresh.append((block, digest))
            parent = digest
            height = block.header.height
        }
        guard let last = blocks.last, !fresh.isEmpty else {
            peers[peer] = .zero
            sync.failed(peer)
            return
        }
        guard let finalization = last.finalization, finalization.subject.digest == parent,
            isGenuine(finalization)
        else { return distrust(peer, "sent blocks without a valid Finalization") }
        sync.failures[peer] = nil
        for (block, digest) in fresh {
            sync.bodies[digest] = nil
            pool.insertMakingRoom(block, digest: digest)
        }
        step(.message(.finalization(finalization), from: peer), clock)
        deliver(finalization, clock)
        if peers.values.contains(where: { $0 > head.header.height }) { requestBlocks(clock) }
    }

    private func isGenuine(_ finalization: Finalization) -> Bool {
        guard rules.checkSyncProof else { return true }
        return (try? finalization.verify(by: genesis.masternodes, genesis: genesisHash, verifier: signatures)) != nil
    }

    private func distrust(_ peer: Peer, _ what: String) {
        peers[peer] = .zero
        sync.failed(peer)
        outputs.append(.note(.peerMisbehaved(peer, what)))
    }
}

extension Peer {
    /// Any fixed order: choices must not depend on the order of a dictionary.
    var order: UInt64 {
        switch self {
        case .masternode(let index): UInt64(index)
        case .follower(let number): number | 1 << 63
        }
    }
}
