import Consensus
import NodeCore
import Primitives

/// Faults of the network, processes and clocks, and their end.
extension SimulatedCluster {
    /// One fault; the next follows.
    func injectFault() {
        guard !isHealed else { return }
        queue.add(.fault, at: now + chance.among(300...2_500))
        switch chance.below(14) {
        case 0: network.lossPercent = chance.pick([0, 3, 15, 35]) ?? 0
        case 1: network.duplicatesPercent = chance.pick([0, 5, 30]) ?? 0
        case 2: network.slowestMs = chance.pick([30, 120, 500, 2_500]) ?? 120
        case 3 where scenario.partitions: partition()
        case 4 where scenario.partitions: cutOneWay()
        case 5, 6: network.cut = []
        case 7 where scenario.crashes:
            if let node = chance.pick(nodes.indices.filter { nodes[$0].isHonest && nodes[$0].machine != nil }) {
                count(.crash)
                crash(node)
            }
        case 8 where scenario.crashes && chance.happens(20):
            count(.everybody)
            for node in nodes.indices where nodes[node].isHonest { crash(node) }
        case 9 where scenario.pauses: pause()
        case 10 where scenario.clockSteps: stepClock()
        case 11: breakConnection()
        case 12 where scenario.diskErrors:
            if let node = chance.pick(honestMasternodes), nodes[node].machine != nil {
                count(.diskError)
                nodes[node].disk.store.isFailing = true
            }
        default: break
        }
        log("faults: loss \(network.lossPercent) %, slowest \(network.slowestMs) ms, \(network.cut.count) links cut")
    }

    /// Two sides of any sizes.
    func partition() {
        count(.partition)
        let side = Set(nodes.indices.filter { _ in chance.happens(50) })
        network.cut = []
        for a in nodes.indices {
            for b in nodes.indices where side.contains(a) != side.contains(b) {
                network.cut.insert(NetworkFaults.key(a, b))
            }
        }
        // Some hosts notice; others find out when the packets pass again.
        if chance.happens(40) { return }
        for a in nodes.indices {
            for (b, connection) in nodes[a].connections.sorted(by: { $0.key < $1.key })
            where a < b && network.isCut(a, b) && chance.happens(50) {
                queue.add(.broken(a, b, connection: connection), at: now + chance.among(500...4_000))
            }
        }
    }

    private func cutOneWay() {
        count(.oneWay)
        network.cut.insert(NetworkFaults.key(chance.below(nodes.count), chance.below(nodes.count)))
    }

    private func breakConnection() {
        guard let node = chance.pick(Array(nodes.indices)),
            let (other, connection) = chance.pick(nodes[node].connections.sorted { $0.key < $1.key })
        else { return }
        count(.brokenConnection)
        disconnect(node, other, connection)
    }

    private func pause() {
        guard let node = chance.pick(honestMasternodes) else { return }
        count(.pause)
        nodes[node].pausedUntil = now + chance.among(100...5_000)
        log("\(name(node)) pauses until \(nodes[node].pausedUntil)")
    }

    private func stepClock() {
        guard let node = chance.pick(honestMasternodes) else { return }
        count(.clockStep)
        nodes[node].skew = Int64(chance.among(0...8_000)) - 4_000
    }

    /// Failures outside a random quorum become permanent; inside, everybody is up, connected and on time.
    func heal() {
        isHealed = true
        healedAt = now
        for node in nodes.indices {
            nodes[node].processor.starvedUntil = 0
            guard nodes[node].kind == .second else { continue }
            crash(node)
            nodes[node].isGone = true
        }
        survivors = randomQuorum()
        log("healing: the quorum is \(survivors.map { name($0) }.joined(separator: " "))")
        network = NetworkFaults()
        network.lossPercent = scenario.lossInPeacePercent
        network.slowestMs = 80
        let outside = nodes.indices.filter { !survivors.contains($0) && !trials.joiners.contains($0) }
        for node in outside where nodes[node].isHonest || scenario.liarsFallSilent { abandon(node) }
        for node in survivors {
            nodes[node].disk.store.isFailing = false
            nodes[node].pausedUntil = 0
            comeOnTime(node)
            if nodes[node].hasLostVotes, !nodes[node].comesBack || nodes[node].machine?.notVoting != nil {
                // Its operator sees that it only observes, and brings it back, also once more where it had voted already
                // when it noticed.
                nodes[node].comesBack = true
                crash(node)
            }
            start(node)
        }
        healJoiners()
        // Connections over which packets were lost are made anew, or nobody notices.
        let renew = chance.happens(40)
        for a in survivors {
            for b in survivors where a < b {
                if let connection = nodes[a].connections[b], renew {
                    queue.add(.broken(a, b, connection: connection), at: now + chance.among(1...300))
                } else {
                    queue.add(.dial(a, b), at: now + chance.among(1...300))
                }
            }
        }
    }

    /// A wall clock as time services keep it. Who starts again after the healing, for a newer program or to come back, has
    /// one too: where the whole quorum is needed and two of its clocks are more apart than the 2 s that a header may be
    /// ahead, each block waits for the slowest clock over views that fail. That goes on, but at no pace that
    /// ``SimulationLimits/healingMs`` could bound.
    func comeOnTime(_ node: Int) { nodes[node].skew /= 8 }

    /// Honest masternodes that stay a quorum of each set that may come about. In one epoch that is any quorum. With
    /// epochs, some are left out as long as the set tolerates them beside the liars, however it shrinks and grows by what
    /// is under way; candidates stay, since a registration of theirs may be.
    private func randomQuorum() -> [Int] {
        // Who ran twice or was put back counts among those that are tolerated, whatever becomes of it.
        let candidates = honestMasternodes.filter { !trials.copied.contains($0) }
        guard configuration.epochs > 1 else {
            return Array(chance.shuffled(candidates).prefix(cast.genesis.masternodes.quorum)).sorted()
        }
        if candidates.count < honestMasternodes.count { return candidates }
        var chosen = honestMasternodes
        let sets = [invariants.epoch, invariants.epoch.next].compactMap { invariants.epochs.set(of: $0) }
        let machine = honestMasternodes.compactMap { nodes[$0].machine }.max { $0.headHeight < $1.headHeight }
        let registered = (0..<cast.count).filter { place in
            guard case .active = machine?.record(of: cast.keys[place].publicKey)?.status else { return false }
            return true
        }
        let members = sets.map { set in Set((0..<cast.count).filter { set.index(of: cast.keys[$0].publicKey) != nil }) }
        for node in chance.shuffled(honestMasternodes) where Int(nodes[node].identity) < cast.count {
            let rest = Set(chosen.filter { $0 != node }.map { Int(nodes[$0].identity) })
            // All that are not there, liars among them, wherever they may come back to.
            let missing = (0..<cast.count).count { !rest.contains($0) }
            let present = (members + [Set(registered)]).map { $0.intersection(rest).count }.min() ?? 0
            guard missing <= (missing + present - 1) / 3, chance.happens(70) else { continue }
            chosen.removeAll { $0 == node }
        }
        return chosen
    }

    /// Outside of the quorum: dead for ever, cut off for ever, or half there for ever.
    private func abandon(_ node: Int) {
        switch nodes[node].kind == .liar ? 1 : chance.below(3) {
        case 0:
            crash(node)
            nodes[node].isGone = true
        case 1:
            for other in nodes.indices {
                network.cut.insert(NetworkFaults.key(node, other))
                network.cut.insert(NetworkFaults.key(other, node))
            }
        default:
            for other in nodes.indices where chance.happens(50) {
                network.cut.insert(NetworkFaults.key(chance.happens(50) ? node : other, chance.happens(50) ? other : node))
            }
        }
    }

    /// A member that has evidence which the ledger does not know. One that is in no set may have nothing to pay with.
    private func owesReport(_ node: Int) -> Bool {
        guard let machine = nodes[node].machine, machine.me != nil else { return false }
        return machine.openCases > 0
    }

    /// Everything that clients want is final on all of the quorum.
    var isDone: Bool {
        guard now >= healedAt + 3_000, clients.allSatisfy({ $0.isDone }) else { return false }
        guard invariants.epoch.value + 1 >= UInt64(configuration.epochs) else { return false }
        let highest = clients.map(\.highest).max() ?? .zero
        guard survivors.allSatisfy({ !owesReport($0) }) else { return false }
        guard trials.joiners.allSatisfy({ nodes[$0].machine != nil && nodes[$0].published >= highest }) else { return false }
        return survivors.allSatisfy { nodes[$0].published >= highest }
    }

    func checkLiveness() {
        for client in clients where !client.isDone {
            return fail(
                "the quorum \(survivors.map { name($0) }) has not finalised \(client.waiting.count) transactions, "
                    + "from sequence \(client.waiting.first?.sequence ?? 0) of \(client.key.account.short), within the bound")
        }
        if invariants.epoch.value + 1 < UInt64(configuration.epochs) {
            return fail("the chain stands in epoch \(invariants.epoch) at the end")
        }
        for node in survivors where owesReport(node) {
            return fail("\(name(node)) still has evidence that the ledger does not know")
        }
        for node in survivors where nodes[node].published < (clients.map(\.highest).max() ?? .zero) {
            return fail("\(name(node)) stands at height \(nodes[node].published) at the end")
        }
        for node in trials.joiners {
            if nodes[node].machine == nil { return fail("\(name(node)) has not joined at the end") }
            if nodes[node].published < (clients.map(\.highest).max() ?? .zero) {
                return fail("\(name(node)) stands at height \(nodes[node].published) at the end, having joined")
            }
        }
    }
}
