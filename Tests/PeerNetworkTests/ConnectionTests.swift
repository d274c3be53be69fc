import Cryptography
import Encoding
import Foundation
import LocalNetwork
import PeerNetwork
import Primitives
import Testing

@Suite(.timeLimit(.minutes(20))) struct ConnectionTests {
    @Test func whatIsSentInOneStepArrivesInOrderAtEverybody() async throws {
        let keys = try Keys(3)
        let a = try await TestNode(key: keys.keys[0], set: keys.set)
        let dial = [a.address(keys.keys[0].publicKey)]
        let b = try await TestNode(key: keys.keys[1], set: keys.set, dial: dial)
        let c = try await TestNode(key: keys.keys[2], set: keys.set, dial: dial)
        try await withNodes([a, b, c]) {
            try await until("connected") { a.isConnected(keys.id(1)) && a.isConnected(keys.id(2)) }
            // Those that share a record with others, and those that are not copied.
            let sizes = [1, 0, 300, 16_384, 16_385, 2, 70_000, 3, 4, 40_000]
            let payloads = sizes.enumerated().map { [UInt8](repeating: UInt8($0), count: $1) }
            var untold = PeerNetwork.Untold()
            for payload in payloads {
                a.network.send(kind: 16, payload, to: [keys.id(1), keys.id(2)], priority: .urgent, telling: &untold)
            }
            a.network.tell(&untold)
            for node in [b, c] {
                try await until("arrived") { node.messages.count == payloads.count }
                #expect(node.messages.map(\.payload) == payloads)
            }
            // The next step is told as well.
            a.network.send(kind: 16, [9], to: [keys.id(2)], priority: .urgent, telling: &untold)
            a.network.tell(&untold)
            try await until("the next one") { c.messages.last?.payload == [9] }
        }
    }

    @Test func messagesGoBothWays() async throws {
        let keys = try Keys(2)
        let a = try await TestNode(key: keys.keys[0], set: keys.set)
        let b = try await TestNode(
            key: keys.keys[1], set: keys.set, dial: [a.address(keys.keys[0].publicKey)], port: 0)
        try await withNodes([a, b]) {
            try await until("both connected") { a.isConnected(keys.id(1)) && b.isConnected(keys.id(0)) }
            #expect(a.network.peers.first?.consensusKey == keys.keys[1].publicKey)
            #expect(a.network.peers.first?.tlsKey == b.network.tlsKey)
            #expect(a.network.peers.first?.listenAddress == "127.0.0.1:\(b.port)")
            #expect(a.network.peers.first?.dialled == false && b.network.peers.first?.dialled == true)

            let large = (0..<PeerNetwork.maximumPayload).map { UInt8(truncatingIfNeeded: $0 &* 31) }
            #expect(a.network.send(kind: 16, [], to: keys.id(1), priority: .urgent) == .queued)
            #expect(a.network.send(kind: 255, [1, 2, 3], to: keys.id(1), priority: .urgent) == .queued)
            #expect(b.network.send(kind: 17, large, to: keys.id(0), priority: .bulk) == .queued)
            try await until("messages") { b.messages.count == 2 && a.messages.count == 1 }
            #expect(b.messages == [Frame(kind: 16, payload: []), Frame(kind: 255, payload: [1, 2, 3])])
            #expect(a.messages[0].payload == large)

            #expect(a.network.send(kind: 15, [], to: keys.id(1), priority: .urgent) == .refused)
            #expect(a.network.send(kind: 16, large + [0], to: keys.id(1), priority: .bulk) == .refused)
            #expect(a.network.send(kind: 16, [], to: keys.id(0), priority: .urgent) == .notConnected)
            let metrics = a.network.metrics
            #expect(metrics.masternodes == 1 && metrics.followers == 0 && metrics.pending == 0)
            #expect(metrics.messagesSent == 2 && metrics.messagesReceived == 1)
            #expect(metrics.bytesReceived > UInt64(large.count))
        }
        try await until("told of the end") { a.events.contains { if case .disconnected = $0 { true } else { false } } }
    }

    @Test func fourNodesInAMesh() async throws {
        let keys = try Keys(4)
        var nodes: [TestNode] = []
        for key in keys.keys {
            // Each dials all before it; the first ones also learn of the later ones that way.
            let dial = nodes.enumerated().map { $1.address(keys.keys[$0].publicKey) }
            nodes.append(try await TestNode(key: key, set: keys.set, dial: dial))
        }
        try await withNodes(nodes) {
            try await until("mesh") { nodes.allSatisfy { $0.network.peers.count == 3 } }
            for (index, node) in nodes.enumerated() {
                #expect(node.network.broadcast(kind: 20, [UInt8(index)], priority: .urgent) == 3)
                #expect(node.network.broadcast(kind: 21, [UInt8(index)], priority: .bulk, except: keys.id((index + 1) % 4)) == 2)
            }
            try await until("broadcasts") { nodes.allSatisfy { $0.messages.count == 5 } }
            for (index, node) in nodes.enumerated() {
                let first = Set(node.messages.filter { $0.kind == 20 }.map(\.payload))
                #expect(first == Set((0..<4).filter { $0 != index }.map { [UInt8($0)] }))
            }
        }
    }

    @Test(arguments: 0..<4) func bothDialAtOnce(round: Int) async throws {
        let keys = try Keys(2)
        let ports = try FreePorts.take(2)
        let (portA, portB) = (ports[0], ports[1])
        async let first = TestNode(
            key: keys.keys[0], set: keys.set,
            dial: [PeerAddress(host: "127.0.0.1", port: portB, consensusKey: round % 2 == 0 ? keys.keys[1].publicKey : nil)],
            port: portA)
        async let second = TestNode(
            key: keys.keys[1], set: keys.set,
            dial: [PeerAddress(host: "127.0.0.1", port: portA, consensusKey: round % 2 == 0 ? keys.keys[0].publicKey : nil)],
            port: portB)
        let (a, b) = try await (first, second)
        try await withNodes([a, b]) {
            try await until("one connection, the same at both ends") {
                guard let atA = a.network.peers.first, let atB = b.network.peers.first else { return false }
                return atA.dialled != atB.dialled && a.network.metrics.pending == 0 && b.network.metrics.pending == 0
            }
            // A second connection may still be on its way, and what is in the first goes with it when that one stays.
            try await until("messages") {
                if b.messages.isEmpty { a.network.send(kind: 30, [1], to: keys.id(1), priority: .urgent) }
                if a.messages.isEmpty { b.network.send(kind: 30, [2], to: keys.id(0), priority: .urgent) }
                return !a.messages.isEmpty && !b.messages.isEmpty
            }
            // Each connection that was reported is either lost or the one that stays.
            try await until("one stays") {
                [a, b].allSatisfy { node in
                    let connected = node.events.count { if case .connected = $0 { true } else { false } }
                    return connected == node.disconnections.count + 1
                }
            }
            for node in [a, b] { #expect(node.refusals.isEmpty) }
        }
    }

    @Test func reconnectsAfterARestart() async throws {
        let keys = try Keys(2)
        let a = try await TestNode(key: keys.keys[0], set: keys.set)
        let b = try await TestNode(key: keys.keys[1], set: keys.set, dial: [a.address(keys.keys[0].publicKey)])
        var nodes = [a, b]
        do {
            try await until("connected") { b.hasHeard(of: keys.id(0)) }
            await a.network.shutdown()
            try await until("lost") { !b.disconnections.isEmpty }
            #expect(b.disconnections.first?.description.contains("shutting down") == true)
            let again = try await TestNode(key: keys.keys[0], set: keys.set, port: a.port)
            nodes.append(again)
            try await until("connected again") { b.isConnected(keys.id(0)) && again.isConnected(keys.id(1)) }
            b.network.send(kind: 16, [7], to: keys.id(0), priority: .urgent)
            try await until("message") { again.messages == [Frame(kind: 16, payload: [7])] }
            #expect(b.network.peers.first?.tlsKey == again.network.tlsKey)
            #expect(b.network.peers.first?.tlsKey != a.network.tlsKey)
        }
        try await withNodes(nodes) {}
    }

    @Test func followersAreBounded() async throws {
        let keys = try Keys(1)
        var limits = TestNode.limits
        limits.followers = 2
        let a = try await TestNode(key: keys.keys[0], set: keys.set, limits: limits)
        let dial = [a.address(keys.keys[0].publicKey)]
        let f = try await TestNode(key: nil, set: keys.set, dial: dial)
        let g = try await TestNode(key: nil, set: keys.set, dial: dial)
        var nodes = [a, f, g]
        do {
            try await until("followers") { a.network.metrics.followers == 2 }
            let h = try await TestNode(key: nil, set: keys.set, dial: dial)
            nodes.append(h)
            try await until("refusal") { !h.refusals.isEmpty }
            #expect(h.refusals.first?.description.contains("2 places for followers") == true)
            #expect(a.network.broadcast(kind: 16, [1], priority: .bulk) == 2)
            #expect(a.network.broadcast(kind: 16, [1], priority: .bulk, masternodesOnly: true) == 0)
            try await until("broadcast") { f.messages.count == 1 && g.messages.count == 1 }
            await f.network.shutdown()
            try await until("its place is taken") { h.isConnected(keys.id(0)) }
        }
        try await withNodes(nodes) {}
    }

    @Test func refusesToStartTwiceOrOnATakenPort() async throws {
        let keys = try Keys(1)
        let a = try await TestNode(key: keys.keys[0], set: keys.set)
        try await withNodes([a]) {
            await #expect(throws: PeerNetworkError.alreadyStarted) { try await a.network.start() }
            let error = await #expect(throws: PeerNetworkError.self) {
                try await TestNode(key: nil, set: keys.set, port: a.port)
            }
            #expect(error?.description.contains("choose another") == true)
        }
    }
}
