import Consensus
import Cryptography
import Primitives

/// What is under way to catch up. Bodies are asked for again after a while.
struct SyncProgress {
    static let bodiesRemembered = 256
    static let longestBodyPatience: UInt64 = 4

    /// A final block with its proof, ahead of the head, and what lies between is on its way in single bodies.
    struct Bridge {
        let finalization: Finalization
        let height: Height
        /// Whose answer it is.
        let peer: NodePeer
        /// Tick at which it is given up, unless the body that is missing has come.
        var until: UInt64
        /// The first body on the way down that is not here.
        var missing: Digest?
    }

    /// Ticks.
    static let bridgePatience: UInt64 = 30
    static let bridgeBodyPatience: UInt64 = 4
    /// All its bodies are held until the last has come: 64 full blocks.
    static let bridgeBytes = 512_000_000
    /// Of a block beside its transactions, about.
    static let emptyBlockBytes = 1_000
    /// What an answer has beside its blocks, at most: a certificate, counts.
    static let proofBytes = 64_000

    var fetch = BlockFetch()
    var bridge: Bridge?
    /// Bodies asked for: each is asked of the next peer.
    var bodiesAsked: UInt64 = 0
    /// Bodies asked for, with the tick up to which they are not asked for again.
    var bodies: [Digest: UInt64] = [:]

    /// What each peer's requests have cost since the last tick, and those of all followers.
    private var served: [NodePeer: Int] = [:]
    private var servedFollowers = 0
    /// Who was told the head since the last tick because it spoke of an earlier epoch.
    private var told: Set<NodePeer> = []

    mutating func forget(_ peer: NodePeer) { fetch.forget(peer) }

    func isBridging(above head: Height) -> Bool { bridge.map { $0.height > head } ?? false }

    /// Whether a peer's request is still within what one peer, and all followers together, may cost between two ticks.
    /// What a peer asked for is not forgotten when it goes: it would only have to come again.
    mutating func mayServe(_ peer: NodePeer, cost: Int) -> Bool {
        let cost = max(0, cost)
        switch peer {
        case .masternode:
            guard served[peer, default: 0] + cost <= NodeLimits.requestCostPerTick else { return false }
        case .follower:
            guard served[peer, default: 0] + cost <= NodeLimits.followerCostPerTick,
                servedFollowers + cost <= NodeLimits.requestCostPerTick
            else { return false }
            servedFollowers += cost
        }
        served[peer, default: 0] += cost
        return true
    }

    mutating func mayTellHead(_ peer: NodePeer) -> Bool { told.insert(peer).inserted }

    mutating func renewBudgets() {
        served = [:]
        servedFollowers = 0
        told = []
    }
}

/// What peers say, and housekeeping.
extension NodeMachine {
    func connected(_ peer: NodePeer, _ clock: NodeClock) {
        sources.connected(peer)
        names.add(peer)
        outputs.append(.send(.head(height: published.header.height, digest: published.digest), to: peer))
        // Whoever comes again and again under new names is sent no more than that.
        if case .masternode = peer {
            let waiting = waitingForPeers
            if !waiting.isEmpty { outputs.append(.send(.transactions(waiting), to: peer)) }
        }
        step(.peerConnected(names.peer(of: peer, in: epoch.set)), clock)
    }

    func received(_ message: NodeMessage, from peer: NodePeer, _ clock: NodeClock) {
        // What makes this node read and send is rationed; whoever asks too much asks again later.
        if let cost = message.requestCost, !sync.mayServe(peer, cost: cost) { return }
        switch message {
        case .consensus(let message):
            if message.epoch < epoch.epoch { bringForward(peer) }
            step(.message(message, from: names.peer(of: peer, in: epoch.set)), clock)
        case .body(let block): receivedBody(block, from: peer, clock)
        case .wantBody(let digest): serveBody(digest, to: peer)
        case .transactions(let transactions): receivedTransactions(transactions, from: peer, clock)
        case .head(let height, _):
            guard sources.isConnected(peer) else { return }
            guard height <= highestPossible(clock) else {
                sources.failed(peer, tick: ticks)
                return outputs.append(.note(.offence(peer, .impossibleHead(height))))
            }
            sources.says(height, peer)
            // One block of difference is the ordinary course of things; the tick looks after what stays.
            if height.distance(since: head.header.height) > 1 { requestBlocks(clock) }
        case .wantBlocks(let from, let count): serveBlocks(from: from, count: count, to: peer)
        case .blocks(let blocks): receivedBlocks(blocks, from: peer, clock)
        case .sketch(let sketch): receivedSketch(sketch, from: peer, clock)
        case .wantParts(let digest, let places): serveParts(digest, places, to: peer)
        case .parts(let transactions):
            offerToSketches(transactions, clock)
            sketches.answered()
        }
    }

    func tick(_ clock: NodeClock) {
        ticks &+= 1
        sync.renewBudgets()
        outputs.append(.setTimer(.tick, at: clock.monotonic.advanced(byMs: Self.tickMs)))
        for request in sync.fetch.takeOverdue(at: clock.monotonic.milliseconds) {
            // Silent: the next request goes to another peer.
            guard sources.isConnected(request.peer) else { continue }
            sources.failed(request.peer, tick: ticks)
            outputs.append(.note(.offence(request.peer, .silence)))
        }
        deliverPending(clock)
        goOnBridging(clock)
        reportCases(clock)
        renewBeacon(clock)
        if sources.highest(above: head.header.height) != nil { requestBlocks(clock) }
        askTwice(clock)
        // Blocks take their time from clocks: what has expired by this one waits for nothing any more.
        mempool.expire(at: max(head.header.time, clock.wall))
        if ticks % 5 == 0 {
            outputs.append(
                .broadcast(.head(height: published.header.height, digest: published.digest), to: .everyone))
            tellAgain()
        }
    }

    // MARK: Bodies

    /// Ticks until a body is asked for again: one, or where views fail since links are slow, delta, since a body under way
    /// that is asked for elsewhere makes them slower.
    var bodyPatience: UInt64 { min(SyncProgress.longestBodyPatience, simplex.delayMs / Self.tickMs) }

    /// Asks one peer for a body, another one at the next tick, or where delta has grown beyond that, after delta.
    ///
    /// - Parameter patience: other ticks than ``bodyPatience``.
    func requestBody(_ digest: Digest, preferring leader: UInt16?, patience: UInt64? = nil) {
        // It is being put together; what does not come is asked for in time. And of final blocks on their way from below,
        // single ones would come twice.
        if sketches.holds(digest) || (patience == nil && isFetchingFinalBlocks) { return }
        if let until = sync.bodies[digest], ticks <= until { return }
        let first = sync.bodies[digest] == nil
        if sync.bodies.count >= SyncProgress.bodiesRemembered { sync.bodies = [:] }
        sync.bodies[digest] = ticks &+ (patience ?? bodyPatience)
        // The leader relays its body anyway: at first there is nothing to ask.
        if first, leader != nil { return }
        let masternodes = sources.peers.filter { if case .masternode = $0 { true } else { false } }
        // A node that knows followers alone is behind them.
        let able = masternodes.isEmpty ? sources.peers : masternodes
        guard !able.isEmpty else { return }
        // Not by time: multiples of it meet the same silent one again and again.
        sync.bodiesAsked &+= 1
        outputs.append(.send(.wantBody(digest), to: able[Int(sync.bodiesAsked % UInt64(able.count))]))
    }

    private func serveBody(_ digest: Digest, to peer: NodePeer) {
        if let block = servableBody(digest) { outputs.append(.send(.body(block), to: peer)) }
    }

    /// A body that this node may show: what is durable.
    func servableBody(_ digest: Digest) -> Block? {
        if let candidate = pool[digest] ?? chain.committing.first(where: { $0.digest == digest }), candidate.journalled {
            return candidate.block
        }
        guard let height = try? store.height(of: digest) else { return nil }
        return (try? store.block(at: height))?.block
    }

    private func receivedBody(_ block: Block, from peer: NodePeer, _ clock: NodeClock) {
        let digest = block.header.digest(genesis: genesisHash)
        let header = block.header
        guard header.height > head.header.height, pool[digest] == nil else { return }
        // The header binds the body: a wrong one would never become valid under this digest, and must not take its place.
        guard !rules.bindBodies || block.isBoundByHeader else {
            return outputs.append(.note(.offence(peer, .unboundBody)))
        }
        guard sync.bodies[digest] != nil || sketches.holds(digest) || takesRelayed(header, from: peer, clock) else { return }
        insertBody(block, digest: digest, clock)
    }

    /// Whether a body that nobody asked for comes from the leader of its view, and is not one too many of this view.
    func takesRelayed(_ header: Header, from peer: NodePeer, _ clock: NodeClock) -> Bool {
        guard header.epoch == epoch.epoch, case .masternode(header.proposer) = names.peer(of: peer, in: epoch.set),
            epoch.leaders.leader(of: header.view) == header.proposer, header.view > chain.view,
            header.view <= view.advanced(by: 8),
            // Each block above the head has a view of its own.
            header.height.distance(since: head.header.height) <= header.view.distance(since: chain.view),
            pool.admitRelayed(view: header.view)
        else {
            // Only masternodes are asked for bodies, and only leaders relay them.
            if case .follower = peer { outputs.append(.note(.offence(peer, .unwantedBody))) }
            return false
        }
        compareClock(header, clock)
        return true
    }

    /// Takes a body that its header binds.
    func insertBody(_ block: Block, digest: Digest, _ clock: NodeClock) {
        sketches.forget(digest)
        if sync.bodies.removeValue(forKey: digest) != nil {
            pool.insertMakingRoom(block, digest: digest)
        } else {
            _ = pool.insert(block, digest: digest)
        }
        goOnBridging(clock)
        deliverPending(clock)
    }
}
