import Cryptography
import Encoding
import Logging
import NIOCore
import NIOEmbedded
import PeerNetwork
import Primitives
import Testing

private struct Everything: FrameGate {
    func judge(kind: UInt8, length: Int, from peer: PeerIdentity) -> FrameJudgement { length > 100 ? .refuse(.unwanted) : .take(.bulk) }
    func ended(_ peer: PeerId) {}
}

/// What a connection decides, frame by frame.
@Suite(.timeLimit(.minutes(20))) struct DialogueTests {
    private let hello = Hello(genesisHash: sampleGenesis, listenAddress: "", agent: "x", endorsement: nil)
    private let peer = PeerIdentity(key: PrivateKey.generate().publicKey, isMasternode: false)

    private func established() -> PeerDialogue {
        var dialogue = PeerDialogue()
        dialogue.welcomed(peer)
        dialogue.entered()
        return dialogue
    }

    private func step(_ dialogue: inout PeerDialogue, _ kind: UInt8, _ payload: [UInt8] = []) -> PeerDialogue.Step {
        dialogue.received(Frame(kind: kind, payload: payload), .bulk)
    }

    private func isMalformed(_ step: PeerDialogue.Step) -> Bool {
        if case .disconnect(.malformed) = step { true } else { false }
    }

    @Test func theWayIn() {
        var dialogue = PeerDialogue()
        #expect(dialogue.frameLimit == FrameLimit.handshake)
        #expect(step(&dialogue, FrameKind.hello, hello.borsh) == .greet(hello))
        dialogue.welcomed(peer)
        #expect(step(&dialogue, FrameKind.welcome) == .establish(peer))
        dialogue.entered()
        #expect(dialogue.phase == .established(peer) && dialogue.frameLimit == FrameLimit.established)
        #expect(step(&dialogue, 16, [1]) == .deliver(Frame(kind: 16, payload: [1]), .bulk, peer))
    }

    @Test func nothingComesBeforeItsTurn() {
        for kind in [FrameKind.welcome, FrameKind.ping, FrameKind.addresses, 16, 255] {
            var dialogue = PeerDialogue()
            #expect(isMalformed(step(&dialogue, kind)), "kind \(kind) before Hello")
            #expect(isMalformed(step(&dialogue, kind, hello.borsh)), "kind \(kind) that holds a Hello")
            dialogue.welcomed(peer)
            if kind != FrameKind.welcome { #expect(isMalformed(step(&dialogue, kind)), "kind \(kind) before Welcome") }
        }
        var dialogue = PeerDialogue()
        #expect(isMalformed(step(&dialogue, FrameKind.hello, [1, 0, 7])))
        #expect(step(&dialogue, FrameKind.hello, [9, 0]) == .disconnect(.unsupportedVersion(9)))
        dialogue.entered()
        #expect(dialogue.phase == .greeting, "nobody is in without a welcome")
        dialogue = established()
        #expect(isMalformed(step(&dialogue, FrameKind.hello, hello.borsh)) && isMalformed(step(&dialogue, FrameKind.welcome)))
    }

    @Test func pingsAndAddresses() {
        var dialogue = established()
        let token = [UInt8](repeating: 3, count: 8)
        #expect(step(&dialogue, FrameKind.ping, token) == .pong(token) && step(&dialogue, FrameKind.pong, token) == .nothing)
        #expect(isMalformed(step(&dialogue, FrameKind.ping, [1])))
        #expect(step(&dialogue, FrameKind.wantAddresses) == .tellAddresses(peer))
        let answer = AddressAnswer([])
        #expect(step(&dialogue, FrameKind.addresses, answer.borsh) == .blame(.excessiveRequests, peer))
        check(dialogue.asksForAddresses())
        #expect(step(&dialogue, FrameKind.addresses, answer.borsh) == .learn(answer, peer))
        #expect(step(&dialogue, FrameKind.addresses, answer.borsh) == .blame(.excessiveRequests, peer), "one answer each")
        check(dialogue.asksForAddresses())
        #expect(isMalformed(step(&dialogue, FrameKind.addresses, [1])))
    }

    @Test func sizesAreJudgedByWhoMaySayWhat() {
        var dialogue = established()
        #expect(dialogue.judge(kind: 16, length: 101, gate: Everything()) == .refuse(.unwanted))
        #expect(dialogue.judge(kind: 16, length: 100, gate: Everything()) == .take(.bulk))
        #expect(dialogue.judge(kind: FrameKind.addresses, length: 50_000, gate: Everything()) == .refuse(.excessiveRequests))
        check(dialogue.asksForAddresses())
        #expect(dialogue.judge(kind: FrameKind.addresses, length: 50_000, gate: Everything()) == .take(.urgent))
        #expect(dialogue.judge(kind: FrameKind.ping, length: 50_000, gate: Everything()) == .refuse(.excessiveRequests))
        #expect(dialogue.refused(.unwanted) == .blame(.unwanted, peer) && dialogue.refused(nil) == .nothing)
    }

    @Test func theFirstReasonCounts() throws {
        var dialogue = established()
        let goodbye = Goodbye(.silent)
        #expect(
            step(&dialogue, FrameKind.goodbye, goodbye.borsh)
                == .close(.saidByPeer(code: DisconnectReason.silent.code, text: goodbye.text)))
        let found = dialogue.end(.shutdown)
        let ending = try #require(found)
        #expect(ending.wasEstablished && ending.identity == peer && ending.reason == .shutdown)
        check(dialogue.end(.silent) == nil)
        #expect(step(&dialogue, 16, [1]) == .nothing)
        var early = PeerDialogue()
        check(early.end(.handshakeTimeout)?.wasEstablished == false)
    }
}

/// The handler that carries the decisions out, on a channel without a network.
@Suite(.timeLimit(.minutes(20))) struct HandlerTests {
    private func withHandler(
        _ body: (EmbeddedChannel, PeerNetwork, PublicKey) throws -> Void
    ) async throws {
        let keys = try Keys(1)
        let network = try PeerNetwork(
            configuration: PeerConfiguration(
                listenHost: "127.0.0.1", listenPort: 0, genesisHash: sampleGenesis,
                endorser: Endorser(keys.keys[0], genesis: sampleGenesis), masternodes: keys.set, dial: []),
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        try await network.start()
        try run(network, body)
        await network.shutdown()
    }

    /// On one thread: such a channel has no other.
    private func run(_ network: PeerNetwork, _ body: (EmbeddedChannel, PeerNetwork, PublicKey) throws -> Void) throws {
        let channel = EmbeddedChannel()
        let key = PrivateKey.generate().publicKey
        try network.serve(channel, peerKey: TLSKeyBox(key))
        channel.connect(to: try SocketAddress(ipAddress: "127.0.0.1", port: 1), promise: nil)
        try body(channel, network, key)
        _ = try? channel.finish()
    }

    private func feed(_ channel: EmbeddedChannel, _ kind: UInt8, _ payload: [UInt8] = []) throws {
        try channel.writeInbound(ByteBuffer(bytes: UInt32(payload.count + 1).borsh + [kind] + payload))
    }

    private func frames(_ channel: EmbeddedChannel) throws -> [Frame] {
        var reader = FrameReader(limit: FrameLimit.established)
        while let bytes = try channel.readOutbound(as: ByteBuffer.self) { reader.append(bytes) }
        var frames: [Frame] = []
        while let frame = try reader.next() { frames.append(frame) }
        return frames
    }

    private var hello: Hello { Hello(genesisHash: sampleGenesis, listenAddress: "", agent: "x", endorsement: nil) }

    @Test func greetsWelcomesAndDelivers() async throws {
        try await withHandler { channel, network, key in
            #expect(try frames(channel).map(\.kind) == [FrameKind.hello])
            #expect(network.metrics.pending == 1)
            try feed(channel, FrameKind.hello, hello.borsh)
            #expect(try frames(channel).map(\.kind) == [FrameKind.welcome] && network.peers.isEmpty)
            try feed(channel, FrameKind.welcome)
            #expect(network.peers.map(\.id) == [PeerId(key)] && network.metrics.pending == 0)
            try feed(channel, FrameKind.ping, [UInt8](repeating: 1, count: 8))
            #expect(try frames(channel) == [Frame(kind: FrameKind.pong, payload: [UInt8](repeating: 1, count: 8))])
            try feed(channel, 16, [1, 2])
            #expect(network.metrics.messagesReceived == 1 && network.metrics.inboundBytes == 2)
            try feed(channel, FrameKind.goodbye, Goodbye(.shutdown).borsh)
            #expect(network.peers.isEmpty && network.metrics.inboundBytes == 0)
        }
    }

    @Test func saysWhyAndCloses() async throws {
        try await withHandler { channel, network, _ in
            _ = try frames(channel)
            try feed(channel, 16, [1])
            let last = try #require(try frames(channel).last)
            let goodbye = try Goodbye(borsh: last.payload)
            #expect(last.kind == FrameKind.goodbye && goodbye.code == DisconnectReason.malformed("").code)
            #expect(network.metrics.offences == 0, "nobody is blamed before anything is closed")
            channel.embeddedEventLoop.advanceTime(by: .seconds(2))
            #expect(!channel.isActive && network.metrics.offences == 1)
        }
    }

    @Test func whoSaysNothingIsOut() async throws {
        try await withHandler { channel, network, _ in
            channel.embeddedEventLoop.advanceTime(by: .seconds(6))
            let last = try #require(try frames(channel).last)
            let goodbye = try Goodbye(borsh: last.payload)
            #expect(goodbye.code == DisconnectReason.handshakeTimeout.code)
            channel.embeddedEventLoop.advanceTime(by: .seconds(2))
            #expect(!channel.isActive && network.metrics.pending == 0)
        }
    }
}
