import Cryptography
import Encoding
import Foundation
import NIOCore
import PeerNetwork
import Primitives
import Testing

/// Nobody can make a node hold more than its bounds, or keep it from hearing others.
@Suite(.timeLimit(.minutes(20))) struct FlowTests {
    @Test func aConsumerThatLagsSlowsThePeerDown() async throws {
        let keys = try Keys(3)
        var limits = TestNode.limits
        limits.inboundMessages = 50
        limits.bulkMessages = 100
        let a = try await TestNode(key: keys.keys[0], set: keys.set, limits: limits, consumes: false)
        let dial = [a.address(keys.keys[0].publicKey)]
        let flooder = try await TestNode(key: keys.keys[1], set: keys.set, dial: dial, limits: limits)
        let quiet = try await TestNode(key: keys.keys[2], set: keys.set, dial: dial, limits: limits)
        try await withNodes([a, flooder, quiet]) {
            try await until("connected") { flooder.isConnected(keys.id(0)) && quiet.isConnected(keys.id(0)) }
            let padding = [UInt8](repeating: 0, count: 60_000)
            var sent: UInt32 = 0
            try await until("the flood backs up to its sender") {
                flooder.network.send(kind: 16, sent.borsh + padding, to: keys.id(0), priority: .bulk)
                sent += 1
                return flooder.network.metrics.messagesDropped > 50
            }
            #expect(a.network.metrics.pauses > 0)
            #expect(a.network.metrics.messagesReceived < sent)
            quiet.network.send(kind: 17, [1], to: keys.id(0), priority: .urgent)
            a.consume()
            try await until("heard") { a.messages.contains { $0.kind == 17 } }
            try await until("the flood goes on") { a.messages.count { $0.kind == 16 } > 100 }
            flooder.network.send(kind: 18, [2], to: keys.id(0), priority: .bulk)
            try await until("the last one arrives") { a.messages.contains { $0.kind == 18 } }
            let indices = a.messages.filter { $0.kind == 16 }.map { $0.payload.prefix(4).reversed().reduce(0) { $0 << 8 | UInt32($1) } }
            #expect(indices == indices.sorted() && Set(indices).count == indices.count, "in order, none twice")
            // The two find each other, and may lose one of two connections; with the slow one nothing ends.
            for node in [flooder, quiet] {
                #expect(!node.events.contains { if case .disconnected(keys.id(0), _) = $0 { true } else { false } })
            }
        }
    }

    @Test func peersTakeTurns() async throws {
        let keys = try Keys(3)
        let a = try await TestNode(key: keys.keys[0], set: keys.set, consumes: false)
        let dial = [a.address(keys.keys[0].publicKey)]
        let flooder = try await TestNode(key: keys.keys[1], set: keys.set, dial: dial)
        let quiet = try await TestNode(key: keys.keys[2], set: keys.set, dial: dial)
        try await withNodes([a, flooder, quiet]) {
            try await until("connected") { flooder.isConnected(keys.id(0)) && quiet.isConnected(keys.id(0)) }
            for _ in 0..<3000 { flooder.network.send(kind: 16, [0], to: keys.id(0), priority: .urgent) }
            try await until("the flood is there") { a.network.metrics.messagesReceived == 3000 }
            quiet.network.send(kind: 17, [1], to: keys.id(0), priority: .urgent)
            try await until("and the quiet one") { a.network.metrics.messagesReceived == 3001 }
            var place = 0
            for await event in a.network.events {
                if case .message(_, 17, _) = event { break }
                place += 1
            }
            #expect(place < 10, "the quiet peer waits for its turn, not for the flood")
        }
    }

    @Test func tooFastIsSlowedDownNotCutOff() async throws {
        let keys = try Keys(2)
        var slow = TestNode.limits
        slow.messagesPerSecond = 2000
        // Few: a sender that gets to run for a moment now and then must be too fast as well.
        slow.messageBurst = 10
        let a = try await TestNode(key: keys.keys[0], set: keys.set, limits: slow)
        let b = try await TestNode(key: keys.keys[1], set: keys.set, dial: [a.address()])
        try await withNodes([a, b]) {
            try await until("connected") { b.isConnected(keys.id(0)) }
            for index in 0..<600 { b.network.send(kind: 16, UInt32(index).borsh, to: keys.id(0), priority: .urgent) }
            try await until("all arrive") { a.messages.count == 600 }
            #expect(a.messages.map(\.payload) == (0..<600).map { UInt32($0).borsh })
            #expect(a.network.metrics.pauses > 0)
            #expect(b.disconnections.isEmpty)
        }
    }

    /// Too many messages wait, or too many bytes.
    @Test(arguments: [(500, 1 << 30), (10_000, 5_000_000)])
    func aPeerThatDoesNotTakeVotesIsDisconnected(messages: Int, bytes: Int) async throws {
        let keys = try Keys(2)
        var limits = TestNode.limits
        limits.inboundMessages = 10
        limits.urgentMessages = messages
        limits.urgentBytes = bytes
        let a = try await TestNode(key: keys.keys[0], set: keys.set, limits: limits, consumes: false)
        let b = try await TestNode(key: keys.keys[1], set: keys.set, dial: [a.address()], limits: limits)
        try await withNodes([a, b]) {
            try await until("connected") { b.hasHeard(of: keys.id(0)) }
            var sent = 0
            try await until("overflow") {
                (0..<50).contains { _ in
                    sent += 1
                    return b.network.send(kind: 16, [UInt8](repeating: 1, count: 10_000), to: keys.id(0), priority: .urgent) == .overflow
                }
            }
            // What the machine itself holds for a connection comes besides.
            #expect(sent < 6_000, "of 10,000 bytes each")
            try await until("disconnected") { b.disconnections.contains(.outboundFull) }
            #expect(b.network.metrics.overflows >= 1)
            a.consume()
            try await until("and comes back") { a.isConnected(keys.id(1)) && b.isConnected(keys.id(0)) }
        }
    }

    @Test func urgentGoesFirst() async throws {
        let keys = try Keys(2)
        var limits = TestNode.limits
        limits.inboundMessages = 4
        let a = try await TestNode(key: keys.keys[0], set: keys.set, limits: limits, consumes: false)
        let b = try await TestNode(key: keys.keys[1], set: keys.set, dial: [a.address()])
        try await withNodes([a, b]) {
            try await until("connected") { b.isConnected(keys.id(0)) }
            for _ in 0..<300 {
                b.network.send(kind: 16, [UInt8](repeating: 0, count: 60_000), to: keys.id(0), priority: .bulk)
            }
            b.network.send(kind: 17, [], to: keys.id(0), priority: .urgent)
            a.consume()
            try await until("all arrive") { a.messages.count == 301 }
            let place = try #require(a.messages.firstIndex { $0.kind == 17 })
            #expect(place < 300, "the vote overtakes bodies that wait")
        }
    }

    @Test func framesCutAnywhere() throws {
        let frames = [
            Frame(kind: 1, payload: []), Frame(kind: 200, payload: [1, 2, 3]),
            Frame(kind: 16, payload: Array(repeating: 7, count: 300)),
        ]
        let stream = frames.flatMap { UInt32($0.payload.count + 1).borsh + [$0.kind] + $0.payload }
        for size in 1...stream.count {
            var reader = FrameReader(limit: 301)
            var read: [Frame] = []
            for start in stride(from: 0, to: stream.count, by: size) {
                reader.append(ByteBuffer(bytes: stream[start..<min(stream.count, start + size)]))
                while let frame = try reader.next() { read.append(frame) }
            }
            #expect(read == frames)
        }
        var reader = FrameReader(limit: 301)
        reader.append(ByteBuffer(bytes: UInt32(302).borsh))
        #expect(throws: FrameReader.Failure.tooLong(length: 302, limit: 301)) { try reader.next() }
        reader = FrameReader(limit: 301)
        reader.append(ByteBuffer(bytes: UInt32(0).borsh))
        #expect(throws: FrameReader.Failure.empty) { try reader.next() }
    }

    @Test func addressesAndTexts() throws {
        #expect(PeerAddress("127.0.0.1:26500") == PeerAddress(host: "127.0.0.1", port: 26500))
        #expect(PeerAddress("[::1]:1") == PeerAddress(host: "::1", port: 1))
        #expect(PeerAddress("[::1]:1")?.description == "[::1]:1")
        for text in ["", "a", ":1", "a:", "a:0", "a:65536", "a:-1", "::1:1", "a:1x"] { #expect(PeerAddress(text) == nil, "\(text)") }
        // What a peer says reaches logs and terminals.
        let hostile = [UInt8(6)] + "\u{1b}[2J\nok é".borshBytes
        #expect(try Goodbye(borsh: hostile).text == "?[2J?ok ??")
        #expect(throws: BorshError.self) { try Goodbye(borsh: [6] + String(repeating: "x", count: 257).borshBytes) }
    }
}

extension String {
    fileprivate var borshBytes: [UInt8] { UInt32(utf8.count).borsh + Array(utf8) }
}
