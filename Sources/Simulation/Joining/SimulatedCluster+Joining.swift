import NodeCore
import Primitives
import StateSync

/// Nodes that join by a snapshot: the process before it has a machine.
extension SimulatedCluster {
    /// Whether a masternode whose disk is empty joins by a snapshot in this run, rather than by blocks.
    func mayJoin() -> Bool { trials.kinds.contains(.joiners) && trials.chance.happens(60) }

    /// Whether a process that starts has to get its state from others first.
    func mustJoin(_ node: Int) -> Bool {
        guard trials.joiners.contains(node) || nodes[node].joinsBySnapshot else { return false }
        return !nodes[node].disk.store.isFailing && (try? nodes[node].disk.store.head()) == nil
    }

    /// - Returns: true: it runs.
    func beginJoin(_ node: Int) -> Bool {
        // A masternode that waits for a snapshot could wait for itself.
        let waits = nodes[node].kind == .follower && trials.chance.happens(60)
        var rules = SnapshotJoin.Rules(
            mode: waits ? .snapshot : .auto, checkpoint: checkpoint(),
            expectedPeers: trials.chance.pick([1, 3, nodes.count]) ?? 1)
        rules.smallestHeight = Height(trials.snapshotInterval)
        rules.chunkBytes = trials.chunkBytes
        rules.checks = configuration.joinChecks
        let machine = SnapshotJoin(
            genesis: cast.genesis, rules: rules, now: time(node),
            verifier: scenario.realSignatures ? Ed25519Verifier() : KeyedHash())
        nodes[node].join = SimulatedJoin(machine: machine)
        let known = rules.checkpoint.map { ", knows block \($0.height)" } ?? ""
        log("\(name(node)) starts to join, \(waits ? "waits for a snapshot" : "by blocks if need be")\(known)")
        queue.add(.joinTick(node: node, life: nodes[node].life), at: now + Self.joinTickMs)
        return true
    }

    private static let joinTickMs: UInt64 = 200

    /// Some operators know a final block from elsewhere.
    private func checkpoint() -> Checkpoint? {
        guard trials.chance.happens(30), invariants.height > .zero else { return nil }
        let height = Height(trials.chance.among(1...invariants.height.value))
        return invariants.finalBlock(at: height).map { Checkpoint(height: height, digest: $0) }
    }

    /// Of the node's own clock, as a join sees it.
    private func time(_ node: Int) -> UInt64 { nodes[node].clock(now).monotonic.milliseconds }

    // MARK: What it hears

    /// A connection with another node is there.
    func meet(_ node: Int, _ other: Int) {
        guard nodes[node].join != nil else { return step(node, .connected(nodes[other].peer)) }
        let time = time(node)
        perform(nodes[node].join?.machine.connected(PeerId(number: UInt64(other)), now: time) ?? [], joining: node)
    }

    /// A connection of a node that joins is gone.
    func part(_ node: Int, from other: Int) {
        let time = time(node)
        perform(nodes[node].join?.machine.disconnected(PeerId(number: UInt64(other)), now: time) ?? [], joining: node)
    }

    func hear(_ message: SnapshotMessage, from peer: PeerId, joining node: Int) {
        log("\(name(node)) <- \(peer.number): \(Words.of(message))")
        let time = time(node)
        perform(nodes[node].join?.machine.received(message, from: peer, now: time) ?? [], joining: node)
    }

    func tickJoin(_ node: Int, life: Int) {
        guard nodes[node].life == life, nodes[node].join != nil else { return }
        let next = Event.joinTick(node: node, life: life)
        guard nodes[node].pausedUntil <= now else { return queue.add(next, at: nodes[node].pausedUntil) }
        queue.add(next, at: now + Self.joinTickMs)
        let time = time(node)
        perform(nodes[node].join?.machine.tick(now: time) ?? [], joining: node)
    }

    /// What is about anything else waits for the node.
    func setAside(_ message: NodeMessage, from sender: Int, at node: Int) {
        guard nodes[node].join?.backlog.count ?? 0 < SimulatedJoin.mostInBacklog else { return }
        nodes[node].join?.backlog.append((message, sender))
    }

    // MARK: What it does

    func perform(_ outputs: [SnapshotJoin.Output], joining node: Int) {
        let life = nodes[node].life
        for output in outputs {
            guard nodes[node].life == life, nodes[node].join != nil else { return }
            hash.mix(Words.code(of: output))
            if mayDieJoining(output) {
                log("\(name(node)) dies before it has stored what it fetched")
                countDeath()
                return crash(node)
            }
            perform(output, node)
        }
    }

    private func perform(_ output: SnapshotJoin.Output, _ node: Int) {
        switch output {
        case .send(let message, let peer):
            guard let other = Int(exactly: peer.number), nodes.indices.contains(other) else {
                return ask(peer.number, message)
            }
            transmit(message, from: node, to: other)
        case .trusts: break
        case .begin(let root): nodes[node].join?.imported = SimulatedImport(root: root)
        case .store(let leaves):
            mayFailJoining(node, perMille: 80)
            do { try nodes[node].join?.imported?.add(leaves) } catch { stopJoining(node, error) }
        case .complete(let head):
            mayFailJoining(node, perMille: 300)
            do {
                let finished = try nodes[node].join?.imported?.finish(head)
                nodes[node].join?.finished = finished
            } catch { return stopJoining(node, error) }
            queue.add(.joined(node: node, life: nodes[node].life), at: now + trials.chance.among(1...300))
        case .byBlocks(let reason):
            count(.joinedByBlocks)
            log("\(name(node)) joins by blocks: \(reason)")
            startAfterJoin(node)
        case .fail(let reason): fail("\(name(node)) can't join: \(reason)")
        case .note(let note): take(note, node)
        }
    }

    private func take(_ note: SnapshotJoin.Note, _ node: Int) {
        log("\(name(node)) notes \(note)")
        switch note {
        case .distrusts(let peer, let reason):
            guard let other = Int(exactly: peer.number), nodes.indices.contains(other) else {
                trials.offerers[peer.number] = nil
                return
            }
            if nodes[other].isHonest { fail("\(name(node)) says that the honest \(name(other)) \(reason)") }
        case .abandons: count(.gaveUpSnapshot)
        case .waiting, .chose, .verified, .checkpoint, .failed, .progress: break
        }
    }

    /// The joined store has taken its place, and the process goes on with it, with the connections that it has.
    func completeJoin(_ node: Int, life: Int) {
        guard nodes[node].life == life, let store = nodes[node].join?.finished else { return }
        guard nodes[node].pausedUntil <= now else {
            return queue.add(.joined(node: node, life: life), at: nodes[node].pausedUntil)
        }
        put(store, node)
        startAfterJoin(node)
    }

    private func put(_ store: SimulatedStore, _ node: Int) {
        nodes[node].disk.put(store)
        nodes[node].published = (try? store.head())?.height ?? .zero
        count(.joined)
        log("\(name(node)) has joined at height \(nodes[node].published)")
        invariants.joined(store, by: name(node))
    }

    private func startAfterJoin(_ node: Int) {
        let backlog = nodes[node].join?.backlog ?? []
        let life = nodes[node].life
        nodes[node].join = nil
        sendAway(from: node)
        guard run(node) else { return breakConnections(node) }
        for other in nodes[node].connections.keys.sorted() where nodes[node].life == life {
            step(node, .connected(nodes[other].peer))
        }
        for (message, sender) in backlog where nodes[node].life == life && nodes[node].connections[sender] != nil {
            step(node, .message(message, from: nodes[sender].peer))
        }
    }

    // MARK: Faults

    private static let mostDeaths = 8

    private func mayDieJoining(_ output: SnapshotJoin.Output) -> Bool {
        guard !isHealed, trials.deathsInJoins < Self.mostDeaths else { return false }
        switch output {
        case .store: return trials.chance.happens(perMille: 15)
        case .complete: return trials.chance.happens(perMille: 150)
        default: return false
        }
    }

    /// The disk of a node that joins fails from here on.
    private func mayFailJoining(_ node: Int, perMille: Int) {
        guard trials.kinds.contains(.disks), !isHealed, trials.failuresInJoins < Self.mostDeaths,
            trials.disks.happens(perMille: perMille)
        else { return }
        count(.joinDiskError)
        trials.failuresInJoins += 1
        nodes[node].join?.imported?.isFailing = true
    }

    /// The process ends with what its disk says, and its operator starts it again.
    private func stopJoining(_ node: Int, _ error: any Error) {
        guard error is SimulatedStore.Failure else { return fail("\(name(node)) can't join: \(error)") }
        log("\(name(node)) stops joining: \(error)")
        crash(node)
    }

    private func countDeath() {
        count(.diedJoining)
        trials.deathsInJoins += 1
    }

    /// The process dies: what it fetched is gone, unless it was whole and took its place at that moment.
    func endJoin(_ node: Int) {
        guard let join = nodes[node].join else { return }
        nodes[node].join = nil
        sendAway(from: node)
        if let finished = join.finished, trials.chance.happens(50) { put(finished, node) }
    }

    /// What befalls those who join: deaths, pauses, and peers who come to deceive them. The latter don't end with the
    /// healing, since nobody can heal them; but they come no longer.
    func troubleJoiners() {
        guard !isHealed || now < healedAt + 15_000 else { return }
        queue.add(.trial(.joiners), at: now + trials.chance.among(100...1_200))
        guard let node = trials.chance.pick(nodes.indices.filter { nodes[$0].join != nil && nodes[$0].isHonest }) else {
            return
        }
        switch trials.chance.below(12) {
        case 0 where !isHealed && trials.deathsInJoins < Self.mostDeaths:
            countDeath()
            crash(node)
        case 1 where !isHealed:
            count(.pause)
            nodes[node].pausedUntil = now + trials.chance.among(100...4_000)
        case 2:
            let there = trials.offerers.filter { $0.value.node == node }.keys.sorted()
            if let one = trials.chance.pick(there) { leave(one) }
        default: meetOfferer(node)
        }
    }

    /// Whoever joins reaches the quorum from now on, or one honest node alone: that has to be enough.
    func healJoiners() {
        for node in trials.joiners {
            nodes[node].disk.store.isFailing = false
            nodes[node].pausedUntil = 0
            comeOnTime(node)
            if trials.hasOneSource, let source = trials.chance.pick(survivors.filter { nodes[$0].machine != nil }) {
                count(.oneSource)
                log("\(name(node)) reaches \(name(source)) alone")
                for other in nodes.indices where other != node && other != source {
                    network.cut.insert(NetworkFaults.key(node, other))
                    network.cut.insert(NetworkFaults.key(other, node))
                }
            }
            for survivor in survivors { queue.add(.dial(node, survivor), at: now + trials.chance.among(1...300)) }
        }
    }
}
