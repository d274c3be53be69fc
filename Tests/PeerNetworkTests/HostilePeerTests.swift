import Cryptography
import Encoding
import Foundation
import LocalNetwork
import PeerNetwork
import Primitives
import Testing

/// Whoever is not what it should be hears why and is gone; the node goes on.
@Suite(.timeLimit(.minutes(20))) struct HostilePeerTests {
    @Test func otherGenesis() async throws {
        let keys = try Keys(2)
        let other = Digest(sha256: [9])
        let a = try await TestNode(key: keys.keys[0], set: keys.set)
        let b = try await TestNode(key: keys.keys[1], set: keys.set, genesis: other, dial: [a.address()])
        try await withNodes([a, b]) {
            try await until("refused") { !a.refusals.isEmpty && !b.refusals.isEmpty }
            // Whichever looks first tells the other.
            #expect(a.refusals.allSatisfy { $0 == .otherGenesis(other) || $0.description.contains(sampleGenesis.hex) })
            #expect(b.refusals.allSatisfy { $0 == .otherGenesis(sampleGenesis) || $0.description.contains(other.hex) })
            #expect(a.network.peers.isEmpty && b.network.peers.isEmpty)
        }
    }

    @Test func aKeyThatIsNotAdmittedMakesAFollower() async throws {
        let keys = try Keys(1)
        let stranger = PrivateKey.generate()
        let a = try await TestNode(key: keys.keys[0], set: keys.set)
        let b = try await TestNode(key: stranger, set: keys.set, dial: [a.address()])
        try await withNodes([a, b]) {
            try await until("connected") { a.network.peers.count == 1 && b.isConnected(keys.id(0)) }
            let peer = try #require(a.network.peers.first)
            #expect(peer.consensusKey == nil && peer.id == PeerId(b.network.tlsKey))
            #expect(a.network.metrics.followers == 1 && a.network.metrics.masternodes == 0)
            #expect(a.network.metrics.knownAddresses == 0)
            // Its endorsement isn't looked at: a wrong one is as good.
            try await withRawPeer(port: a.port) { peer in
                let hello = Hello(
                    genesisHash: sampleGenesis, listenAddress: "", agent: "",
                    endorsement: Hello.Endorsement(
                        consensusKey: stranger.publicKey, signature: try endorsed(stranger, "elsewhere:1").signature))
                peer.send(Frame(kind: FrameKind.hello, payload: hello.borsh))
                peer.send(Frame(kind: FrameKind.welcome, payload: []))
                try await until("followers") { a.network.metrics.followers == 2 }
            }
        }
    }

    @Test func replayedEndorsement() async throws {
        let keys = try Keys(2)
        let a = try await TestNode(key: keys.keys[0], set: keys.set)
        let b = try await TestNode(key: keys.keys[1], set: keys.set)
        try await withNodes([a, b]) {
            var stolen: Frame?
            try await withRawPeer(port: b.port) { peer in
                try await until("Hello of b") { peer.frames.first != nil }
                stolen = peer.frames.first
            }
            let hello = try #require(stolen)
            #expect(hello.kind == FrameKind.hello)
            // With a TLS key of its own, b's endorsement is worth nothing.
            try await withRawPeer(port: a.port) { peer in
                peer.send(hello)
                peer.send(Frame(kind: FrameKind.welcome, payload: []))
                let goodbye = try await peer.goodbye()
                #expect(goodbye == Goodbye(.wrongEndorsement(keys.keys[1].publicKey)))
            }
            // Nor with a listen address changed, nor when the signature is about another chain.
            try await withRawPeer(port: a.port) { peer in
                let mine = try Hello(
                    genesisHash: sampleGenesis, listenAddress: "127.0.0.1:1", agent: "", tlsKey: peer.tls.publicKey,
                    endorser: Endorser(keys.keys[1], genesis: sampleGenesis))
                let moved = Hello(
                    genesisHash: sampleGenesis, listenAddress: "127.0.0.1:2", agent: "", endorsement: mine.endorsement)
                peer.send(Frame(kind: FrameKind.hello, payload: moved.borsh))
                let goodbye = try await peer.goodbye()
                #expect(goodbye?.code == 4)
            }
            try await withRawPeer(port: a.port) { peer in
                let foreign = try Hello(
                    genesisHash: sampleGenesis, listenAddress: "", agent: "", tlsKey: peer.tls.publicKey,
                    endorser: Endorser(keys.keys[1], genesis: .zero))
                peer.send(Frame(kind: FrameKind.hello, payload: foreign.borsh))
                let goodbye = try await peer.goodbye()
                #expect(goodbye?.code == 4)
            }
            #expect(a.network.peers.isEmpty)
            try await until("counted") { a.network.metrics.connectionsRefused == 3 }
        }
    }

    @Test func notTheMasternodeThatWasDialled() async throws {
        let keys = try Keys(3)
        let a = try await TestNode(key: keys.keys[0], set: keys.set)
        let b = try await TestNode(key: keys.keys[1], set: keys.set, dial: [a.address(keys.keys[2].publicKey)])
        try await withNodes([a, b]) {
            try await until("refused") { !b.refusals.isEmpty }
            #expect(
                b.refusals.first == .unexpectedKey(expected: keys.keys[2].publicKey, found: keys.keys[0].publicKey))
            #expect(!b.isConnected(keys.id(0)))
        }
    }

    @Test func ownAddressAndOwnKey() async throws {
        let keys = try Keys(1)
        let port = try FreePorts.take(1)[0]
        let own = PeerAddress(host: "127.0.0.1", port: port)
        let a = try await TestNode(key: keys.keys[0], set: keys.set, dial: [own], port: port)
        let twin = try await TestNode(key: keys.keys[0], set: keys.set, dial: [a.address()])
        try await withNodes([a, twin]) {
            try await until("itself") { a.refusals.contains(.ownConnection) }
            try await until("its twin") { a.refusals.contains(.keyUsedElsewhere(keys.keys[0].publicKey)) }
            #expect(a.network.peers.isEmpty && twin.network.peers.isEmpty)
        }
    }

    @Test func garbageAndStrangeFrames() async throws {
        let keys = try Keys(2)
        var limits = TestNode.limits
        // It does more than what bans; see ConductTests.
        limits.banThreshold = 1_000_000
        let a = try await TestNode(key: keys.keys[0], set: keys.set, limits: limits)
        try await withNodes([a]) {
            try await withRawPeer(port: a.port, encrypted: false) { peer in
                peer.send(Array("GET / HTTP/1.1\r\n\r\n".utf8))
                let goodbye = try await peer.goodbye()
                #expect(goodbye == nil)
            }
            try await until("reported") { a.refusals.contains { if case .noTLS = $0 { true } else { false } } }

            let malformed = DisconnectReason.malformed("").code
            let tooLong = DisconnectReason.frameTooLong(length: 0, limit: 0).code
            for (bytes, code) in [
                ([0, 0, 0, 0] as [UInt8], malformed), ([1, 0, 0, 0, 77], malformed), ([2, 0, 0, 0, 0, 1], malformed),
                ([1, 0, 0, 0, FrameKind.welcome], malformed), ([0xff, 0xff, 0xff, 0xff], tooLong), ([1, 0x10, 0, 0], tooLong),
                ([3, 0, 0, 0, 0, 9, 0], DisconnectReason.unsupportedVersion(9).code),
            ] {
                try await withRawPeer(port: a.port) { peer in
                    peer.send(bytes)
                    let goodbye = try await peer.goodbye()
                    #expect(goodbye?.code == code, "\(bytes)")
                }
            }
            // An admitted masternode has no more rights to break the protocol.
            let limit = UInt32(FrameLimit.established)
            for (number, (bytes, code)) in [
                ((limit + 1).borsh + [16], tooLong), ([1, 0, 0, 0, FrameKind.hello], malformed),
                ([1, 0, 0, 0, 15], malformed), ([2, 0, 0, 0, FrameKind.ping, 1], malformed),
            ].enumerated() {
                try await withRawPeer(port: a.port) { peer in
                    try await peer.introduce(keys.keys[1])
                    try await until("heard of") { a.hasHeard(of: keys.id(1)) }
                    peer.send(bytes)
                    let goodbye = try await peer.goodbye()
                    #expect(goodbye?.code == code, "\(bytes)")
                }
                try await until("lost") { a.disconnections.count == number + 1 }
            }
            try await withRawPeer(port: a.port) { peer in
                try await peer.introduce(keys.keys[1])
                peer.send(Frame(kind: FrameKind.ping, payload: [1, 2, 3, 4, 5, 6, 7, 8]))
                try await until("pong") { peer.frames.contains(Frame(kind: FrameKind.pong, payload: [1, 2, 3, 4, 5, 6, 7, 8])) }
            }
        }
    }

    @Test func silenceEnds() async throws {
        let keys = try Keys(2)
        var limits = TestNode.limits
        limits.handshakeMs = 500
        let a = try await TestNode(key: keys.keys[0], set: keys.set, limits: limits)
        try await withNodes([a]) {
            try await withRawPeer(port: a.port, encrypted: false) { peer in _ = try await peer.goodbye() }
            // Only where TLS was there in time can it be said: not each time on a machine that does much else.
            var goodbye: Goodbye?
            for _ in 0..<20 where goodbye == nil {
                try await withRawPeer(port: a.port) { goodbye = try await $0.goodbye() }
            }
            #expect(goodbye == Goodbye(.handshakeTimeout))
            try await until("both are told") { a.refusals.count >= 2 }
            #expect(a.refusals.allSatisfy { $0 == .handshakeTimeout })
        }
        limits = TestNode.limits
        limits.pingMs = 50
        limits.idleMs = 200
        let b = try await TestNode(key: keys.keys[0], set: keys.set, limits: limits)
        try await withNodes([b]) {
            // A node that gets to run too seldom finds the time over when it is about to ask: not each time.
            var wasAsked = false
            for _ in 0..<20 where !wasAsked {
                try await withRawPeer(port: b.port) { peer in
                    try await peer.introduce(keys.keys[1])
                    let goodbye = try await peer.goodbye()
                    #expect(goodbye == Goodbye(.silent))
                    wasAsked = peer.frames.contains { $0.kind == FrameKind.ping }
                }
                try await until("forgotten") { b.network.peers.isEmpty }
            }
            #expect(wasAsked)
        }
    }

    @Test func pendingConnectionsAreBounded() async throws {
        let keys = try Keys(2)
        var limits = TestNode.limits
        limits.pendingConnections = 1
        let a = try await TestNode(key: keys.keys[0], set: keys.set, limits: limits)
        try await withNodes([a]) {
            try await withRawPeer(port: a.port, encrypted: false) { _ in
                try await until("pending") { a.network.metrics.pending == 1 }
                // The one that says nothing gives way to the newcomer.
                try await withRawPeer(port: a.port, encrypted: false) { _ in
                    try await until("the older one goes") { a.refusals == [.tooManyConnections(1)] }
                }
            }
            try await until("room again") { a.network.metrics.pending == 0 }
            try await withRawPeer(port: a.port) { try await $0.introduce(keys.keys[1]) }
        }
    }
}
