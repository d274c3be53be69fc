import NodeCore
import Primitives
import StateSync

/// What nodes give to those that join.
extension SimulatedCluster {
    /// A process that has started gives out the state it has, if it is due.
    func opensShelf(_ node: Int) {
        nodes[node].shelf = SnapshotShelf(interval: trials.snapshotInterval)
        nodes[node].admission = SnapshotAdmission()
        considerSnapshot(node)
    }

    /// The store has taken a block: its state is kept, where one is due.
    func considerSnapshot(_ node: Int) {
        guard trials.kinds.contains(.joiners), let head = try? nodes[node].disk.store.head(),
            nodes[node].shelf.wants(head.height),
            let block = try? nodes[node].disk.store.block(at: head.height), block.finalization != nil
        else { return }
        let snapshot = RetainedSnapshot(
            offer: SnapshotOffer(height: head.height, digest: head.digest), store: nodes[node].disk.store.frozen())
        _ = nodes[node].shelf.keep(snapshot, at: now)
        log("\(name(node)) keeps the state of height \(head.height)")
    }

    func transmit(_ message: SnapshotMessage, from node: Int, to other: Int) {
        guard let connection = nodes[node].connections[other] else { return }
        if network.isCut(node, other) { return count(.cut) }
        if chance.happens(network.lossPercent) { return count(.lost) }
        guard
            let arriving = scenario.isWired
                ? try? SnapshotMessage(kind: message.kind, payload: message.payload) : message
        else { return fail("\(name(node)) sends what can't be decoded: \(Words.of(message))") }
        for _ in 0...(chance.happens(network.duplicatesPercent) ? 1 : 0) {
            queue.add(
                .snapshot(arriving, from: node, to: other, connection: connection),
                at: now + chance.among(2...network.slowestMs))
        }
    }

    func receive(_ message: SnapshotMessage, from sender: Int, at node: Int, _ connection: Int) {
        guard nodes[node].connections[sender] == connection, nodes[node].isUp else { return }
        guard nodes[node].pausedUntil <= now else {
            return queue.add(
                .snapshot(message, from: sender, to: node, connection: connection), at: nodes[node].pausedUntil)
        }
        hash.mix(now << 8 ^ UInt64(node) ^ Words.code(of: message) << 48)
        let peer = PeerId(number: UInt64(sender))
        if nodes[node].join != nil { return hear(message, from: peer, joining: node) }
        guard message.kind.isRequest, let delay = nodes[node].admission.enter(peer, isStranger: true, now: now) else { return }
        log("\(name(node)) <- \(name(sender)): \(Words.of(message))")
        if case .wantOffers = message {
            nodes[node].admission.leave(peer, isStranger: true)
            if delay == 0 { say(.offers(nodes[node].shelf.offers), to: message, node, sender) }
            return
        }
        queue.add(
            .lookedUp(message, node: node, life: nodes[node].life, to: sender, connection: connection),
            at: now + delay + trials.chance.among(1...40))
    }

    /// Beside the machine, as a node does it: reading for somebody who joins holds nothing up.
    func answer(_ request: SnapshotMessage, _ node: Int, life: Int, to asker: Int, _ connection: Int) {
        guard nodes[node].life == life, let digest = request.wanted else { return }
        nodes[node].admission.leave(PeerId(number: UInt64(asker)), isStranger: true)
        guard nodes[node].connections[asker] == connection else { return }
        // What can't be read is not offered any more.
        guard !nodes[node].disk.store.isFailing else { return nodes[node].shelf.drop(digest) }
        if trials.kinds.contains(.disks), !isHealed, nodes[node].isHonest, trials.disks.happens(perMille: 40) {
            count(.sourceDiskError)
            log("\(name(node)) can't read the state that it offers")
            return nodes[node].shelf.drop(digest)
        }
        do {
            let kept = nodes[node].shelf.fetch(digest, at: now)
            guard let answer = try request.answer(from: kept, chunkBytes: trials.chunkBytes) else { return }
            say(answer, to: request, node, asker)
        } catch { fail("\(name(node)) can't give out the state that it offers: \(error)") }
    }

    private func say(_ answer: SnapshotMessage, to request: SnapshotMessage, _ node: Int, _ asker: Int) {
        guard nodes[node].kind == .liar, trials.chance.happens(50) else {
            return transmit(answer, from: node, to: asker)
        }
        let lie = trials.chance.pick(FalseOffer.allCases) ?? .silent
        if let said = falseAnswer(to: request, lie, by: UInt64(node)) { transmit(said, from: node, to: asker) }
    }
}
