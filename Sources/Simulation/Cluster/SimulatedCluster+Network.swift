import Consensus
import NodeCore
import Primitives

/// What is wrong with the network at the moment.
struct NetworkFaults {
    var lossPercent = 0
    var duplicatesPercent = 0
    var slowestMs: UInt64 = 120
    /// Ordered pairs of nodes between which nothing passes.
    var cut: Set<UInt32> = []

    static func key(_ from: Int, _ to: Int) -> UInt32 { UInt32(from) << 16 | UInt32(to) }
    func isCut(_ from: Int, _ to: Int) -> Bool { cut.contains(Self.key(from, to)) }
}

extension SimulatedCluster {
    /// Tries to make a connection; tries again while there is none.
    func dial(_ a: Int, _ b: Int) {
        guard nodes[a].connections[b] == nil, !nodes[a].isGone, !nodes[b].isGone else { return }
        // Two followers have nothing to say to each other.
        guard nodes[a].isUp, nodes[b].isUp, !network.isCut(a, b), !network.isCut(b, a) else {
            // Whoever starts dials anew; only a network that is cut needs another try.
            if nodes[a].isUp, nodes[b].isUp {
                queue.add(.dial(a, b), at: now + chance.among(300...2_000))
            }
            return
        }
        connectionsMade += 1
        nodes[a].connections[b] = connectionsMade
        nodes[b].connections[a] = connectionsMade
        meet(a, b)
        meet(b, a)
    }

    /// `a` notices that its connection with `b` is gone; so does `b`, if it is there.
    func disconnect(_ a: Int, _ b: Int, _ connection: Int) {
        for (one, other) in [(a, b), (b, a)] where nodes[one].connections[other] == connection {
            nodes[one].connections[other] = nil
            if nodes[one].join != nil {
                part(one, from: other)
                continue
            }
            // A liar's other node may still be connected under the same name.
            let twins = nodes.indices.filter { nodes[$0].peer == nodes[other].peer }
            if twins.allSatisfy({ nodes[one].connections[$0] == nil }) { step(one, .disconnected(nodes[other].peer)) }
        }
        queue.add(.dial(a, b), at: now + chance.among(50...1_500))
    }

    func transmit(_ message: NodeMessage, from node: Int, to other: Int) {
        guard let connection = nodes[node].connections[other] else { return }
        if network.isCut(node, other) { return count(.cut) }
        if nodes[other].kind == .liar, !nodes[other].audience.contains(nodes[node].identity) { return }
        if chance.happens(network.lossPercent) { return count(.lost) }
        guard let arriving = scenario.isWired ? rewired(message) : message else {
            return fail("\(name(node)) sends what nobody takes: \(Words.of(message))")
        }
        deliver(arriving, from: node, to: other, connection)
        if chance.happens(network.duplicatesPercent) {
            count(.duplicated)
            deliver(arriving, from: node, to: other, connection)
        }
    }

    private func deliver(_ message: NodeMessage, from node: Int, to other: Int, _ connection: Int) {
        queue.add(
            .deliver(message, from: node, to: other, connection: connection),
            at: now + lag(node) + chance.among(2...network.slowestMs))
    }

    /// The message after a journey as bytes.
    private func rewired(_ message: NodeMessage) -> NodeMessage? {
        let payload = message.payload
        guard payload.count <= message.kind.mostBytes ?? .max else { return nil }
        return try? NodeMessage(kind: message.kind.rawValue, payload: payload)
    }
}
