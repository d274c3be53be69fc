import Cryptography
import Encoding
import Logging
import NIOCore
import PeerNetwork
import Primitives
import Testing

/// Skips what has kind 17, whoever sends it, and takes the rest.
private struct PickyGate: FrameGate {
    func judge(kind: UInt8, length: Int, from peer: PeerIdentity) -> FrameJudgement {
        kind == 17 ? .refuse(.unwanted) : .take(peer.consensusKey == nil ? .stranger : .bulk)
    }

    func ended(_ peer: PeerId) {}
}

/// What strangers can make a node hold and do, however many connections and keys they have.
@Suite(.timeLimit(.minutes(20))) struct GateTests {
    /// Connects, sends, closes, and comes back under a fresh TLS key; the node's consumer is busy elsewhere.
    @Test func whoEndsLeavesNothingBehind() async throws {
        let keys = try Keys(1)
        var limits = TestNode.limits
        limits.strangerInboundBytes = 400_000
        limits.strangerInboundBytesInAll = 1_000_000
        let node = try await TestNode(key: keys.keys[0], set: keys.set, limits: limits, consumes: false)
        try await withNodes([node]) {
            let payload = [UInt8](repeating: 7, count: 200_000)
            for round in 0..<12 {
                try await withRawPeer(port: node.port) { peer in
                    try await peer.introduce(PrivateKey.generate())
                    for _ in 0..<8 { peer.send(Frame(kind: 16, payload: payload)) }
                    try await until("something arrives") { node.network.metrics.inboundBytes > 0 }
                    #expect(node.network.metrics.inboundBytes <= 1_000_000 + payload.count, "round \(round)")
                }
                try await until("gone") { node.network.peers.isEmpty && node.network.metrics.inboundBytes == 0 }
            }
            // A visit that nobody has heard of leaves no event: none of these will ever be told.
            node.consume()
            try await Task.sleep(for: .milliseconds(50))
            #expect(node.messages.isEmpty)
            #expect(node.events.count { if case .connected = $0 { true } else { false } } == 0)
        }
    }

    /// One lane may be full; all together may not hold more than the room.
    @Test func allTogetherAreBounded() async throws {
        let keys = try Keys(1)
        var limits = TestNode.limits
        limits.strangerInboundBytes = 400_000
        limits.strangerInboundBytesInAll = 600_000
        let node = try await TestNode(key: keys.keys[0], set: keys.set, limits: limits, consumes: false)
        let strangers = try await withThrowingTaskGroup(of: RawPeer.self) { group in
            for _ in 0..<6 { group.addTask { try await RawPeer(port: node.port) } }
            return try await group.reduce(into: [RawPeer]()) { $0.append($1) }
        }
        try await withNodes([node]) {
            let payload = [UInt8](repeating: 7, count: 100_000)
            for stranger in strangers {
                try await stranger.introduce(PrivateKey.generate())
                for _ in 0..<10 { stranger.send(Frame(kind: 16, payload: payload)) }
            }
            try await until("full") { node.network.metrics.inboundBytes >= 600_000 }
            // Whoever was on its way when the room filled up has one message more.
            #expect(node.network.metrics.inboundBytes <= 600_000 + strangers.count * payload.count)
            // Some go: the others are read from again, though nobody has taken anything.
            for stranger in strangers.prefix(5) { await stranger.close() }
            try await until("room for the last one") { node.network.metrics.inboundBytes == 10 * payload.count || node.network.metrics.inboundBytes >= 400_000 }
            node.consume()
            try await until("taken once there is room") { node.messages.count >= 10 }
        }
        // A peer whose event loop has ended can't be closed once more.
        for stranger in strangers.dropFirst(5) { await stranger.close() }
    }

    @Test func idleConnectionsTakeNoPlaceOfOwnDials() async throws {
        let keys = try Keys(2)
        var limits = TestNode.limits
        limits.pendingConnections = 4
        limits.pendingConnectionsPerAddress = 4
        limits.handshakeMs = 60_000
        let other = try await TestNode(key: keys.keys[1], set: keys.set)
        let node = try await TestNode(key: keys.keys[0], set: keys.set, dial: [], limits: limits)
        let idle = try await withThrowingTaskGroup(of: RawPeer.self) { group in
            for _ in 0..<12 { group.addTask { try await RawPeer(port: node.port, encrypted: false) } }
            return try await group.reduce(into: [RawPeer]()) { $0.append($1) }
        }
        try await withNodes([node, other]) {
            try await until("the places are taken") { node.network.metrics.pending == 4 }
            // Whoever says at once who it is finds a place: the oldest of those that say nothing goes for it.
            try await withRawPeer(port: node.port) { try await $0.introduce(keys.keys[1]) }
            let dialler = try await TestNode(
                key: keys.keys[0], set: keys.set, dial: [other.address()], limits: limits)
            try await withNodes([dialler]) {
                let more = try await withThrowingTaskGroup(of: RawPeer.self) { group in
                    for _ in 0..<12 { group.addTask { try await RawPeer(port: dialler.port, encrypted: false) } }
                    return try await group.reduce(into: [RawPeer]()) { $0.append($1) }
                }
                try await until("its own dial is through") { dialler.isConnected(keys.id(1)) }
                for peer in more { await peer.close() }
            }
        }
        for peer in idle { await peer.close() }
    }

    @Test func connectionsAreRationed() async throws {
        let keys = try Keys(1)
        var limits = TestNode.limits
        limits.handshakesPerSecondAndAddress = 1
        limits.handshakesPerSecond = 1_000
        limits.handshakeBurst = 8
        let node = try await TestNode(key: keys.keys[0], set: keys.set, limits: limits)
        try await withNodes([node]) {
            // More than eight within a second, which may take some tries.
            for _ in 0..<2_000 where !node.refusals.contains(.tooManyConnections(1_000)) {
                try await withRawPeer(port: node.port, encrypted: false) { _ in try await Task.sleep(for: .milliseconds(5)) }
            }
            try await until("refused") { node.refusals.contains(.tooManyConnections(1_000)) }
        }
    }

    @Test func whatNobodyWantsIsSkippedUnreadAndAnOffence() async throws {
        let keys = try Keys(1)
        let network = try PeerNetwork(
            configuration: PeerConfiguration(
                listenHost: "127.0.0.1", listenPort: 0, genesisHash: sampleGenesis,
                endorser: Endorser(keys.keys[0], genesis: sampleGenesis), masternodes: keys.set, dial: [],
                limits: TestNode.limits, gate: PickyGate()),
            logger: .init(label: "test") { _ in SwiftLogNoOpLogHandler() })
        try await network.start()
        let port = try #require(network.listenPort)
        try await withRawPeer(port: port) { peer in
            try await peer.introduce(PrivateKey.generate())
            let body = [UInt8](repeating: 1, count: 3_000_000)
            for _ in 0..<3 { peer.send(Frame(kind: 17, payload: body)) }
            peer.send(Frame(kind: 18, payload: [1]))
            try await until("skipped") { network.metrics.framesRefused == 3 && network.metrics.messagesReceived == 1 }
            #expect(network.metrics.inboundBytes <= 1)
            #expect(network.metrics.offencesByKind[.unwanted] == 3 && network.metrics.bans.isEmpty)
            // Of the points a little is forgotten in between: the fourth may not be enough.
            for _ in 0..<2 { peer.send(Frame(kind: 17, payload: [1])) }
            let goodbye = try await peer.goodbye()
            #expect(goodbye?.code == DisconnectReason.banned(seconds: 1).code)
        }
        await network.shutdown()
    }

    @Test func framesAreJudgedBeforeTheyAreRead() throws {
        var reader = FrameReader(limit: 1_000)
        func bytes(_ kind: UInt8, _ count: Int) -> ByteBuffer {
            ByteBuffer(bytes: UInt32(count + 1).borsh + [kind] + [UInt8](repeating: 9, count: count))
        }
        var stream = bytes(17, 500)
        stream.writeImmutableBuffer(bytes(18, 3))
        var items: [FrameReader.Item] = []
        while let piece = stream.readSlice(length: min(7, stream.readableBytes)), piece.readableBytes > 0 {
            reader.append(piece)
            while let item = try reader.next({ kind, _ in kind == 17 ? .refuse(.unwanted) : .take(.bulk) }) {
                items.append(item)
            }
        }
        #expect(items == [.refused(kind: 17, .unwanted), .frame(Frame(kind: 18, payload: [9, 9, 9]), .bulk)])
    }

    @Test func silenceOfAMasternodeIsNoReasonToLoseItsVotes() {
        var scores = Scoreboard(limits: PeerLimits())
        for _ in 0..<19 { #expect(scores.add(.silent, by: .address("10.0.0.1"), isAdmitted: false, now: 1) == nil) }
        #expect(scores.add(.silent, by: .address("10.0.0.1"), isAdmitted: false, now: 1) == 60)
    }
}
