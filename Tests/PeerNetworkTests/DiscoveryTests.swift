import Cryptography
import Encoding
import Foundation
import PeerNetwork
import Primitives
import Testing

/// Masternodes find each other through any one of them.
@Suite(.timeLimit(.minutes(20))) struct DiscoveryTests {
    @Test func aMeshGrowsFromOneSeed() async throws {
        let keys = try Keys(4)
        let a = try await TestNode(key: keys.keys[0], set: keys.set)
        var nodes = [a]
        for key in keys.keys.dropFirst() {
            nodes.append(try await TestNode(key: key, set: keys.set, dial: [a.address()]))
        }
        // A follower finds them as well, and a masternode in waiting is one.
        nodes.append(try await TestNode(key: nil, set: keys.set, dial: [a.address()]))
        nodes.append(try await TestNode(key: PrivateKey.generate(), set: keys.set, dial: [a.address()]))
        try await withNodes(nodes) {
            try await until("mesh") {
                nodes.prefix(4).enumerated().allSatisfy { index, node in
                    (0..<4).allSatisfy { $0 == index || node.isConnected(keys.id($0)) }
                }
            }
            try await until("followers") {
                nodes.suffix(2).allSatisfy { node in (0..<4).allSatisfy { node.isConnected(keys.id($0)) } }
            }
            // Followers are told to nobody.
            #expect(nodes[1].network.metrics.knownAddresses == 3)
        }
    }

    @Test func aFollowerDialsNoMoreThanItsShare() async throws {
        let keys = try Keys(4)
        var limits = TestNode.limits
        limits.followedMasternodes = 2
        let a = try await TestNode(key: keys.keys[0], set: keys.set)
        var nodes = [a]
        for key in keys.keys.dropFirst() {
            nodes.append(try await TestNode(key: key, set: keys.set, dial: [a.address()]))
        }
        let f = try await TestNode(key: nil, set: keys.set, dial: [a.address()], limits: limits)
        nodes.append(f)
        try await withNodes(nodes) {
            try await until("knows all") { f.network.metrics.knownAddresses == 4 }
            try await until("connected with two") { f.network.metrics.masternodes == 2 }
            // Another one takes the place of one that leaves.
            let other = try #require(nodes[1...3].first { f.isConnected(PeerId($0.key)) })
            await other.network.shutdown()
            try await until("another one") { f.network.metrics.masternodes == 2 && !f.isConnected(PeerId(other.key)) }
        }
    }

    @Test func theBookSurvivesARestart() async throws {
        try await withFolder { folder in
            let keys = try Keys(2)
            let path = folder.appending(path: "peers.json").path
            let a = try await TestNode(key: keys.keys[0], set: keys.set)
            var nodes = [a]
            let b = try await TestNode(key: keys.keys[1], set: keys.set, dial: [a.address()], book: path)
            nodes.append(b)
            do {
                try await until("written while it runs") { FileManager.default.fileExists(atPath: path) }
                await b.network.shutdown()
                // Without seeds, and the other one can't know the new port.
                let again = try await TestNode(key: keys.keys[1], set: keys.set, book: path)
                nodes.append(again)
                #expect(again.network.metrics.knownAddresses == 1)
                try await until("connected") { again.isConnected(keys.id(0)) }
                await again.network.shutdown()

                // Whatever becomes of the file, the node starts.
                let text = try String(contentsOfFile: path, encoding: .utf8)
                for damage in [
                    "", "{", String(text.dropLast(20)), text.replacing("127.0.0.1", with: "127.0.0.2"),
                    String(repeating: " ", count: 8_000_001) + text,
                ] {
                    try damage.write(toFile: path, atomically: true, encoding: .utf8)
                    let damaged = try await TestNode(key: keys.keys[1], set: keys.set, book: path)
                    nodes.append(damaged)
                    #expect(damaged.network.metrics.knownAddresses == 0)
                    await damaged.network.shutdown()
                }
            }
            try await withNodes(nodes) {}
        }
    }

    @Test func forgedAndStrangeAddressesAreNotTaken() async throws {
        let keys = try Keys(3)
        var limits = TestNode.limits
        limits.addressRoundMs = 20
        let a = try await TestNode(key: keys.keys[0], set: keys.set, limits: limits)
        try await withNodes([a]) {
            try await withRawPeer(port: a.port) { peer in
                try await peer.introduce(keys.keys[1])
                try await until("asked") { peer.frames.contains { $0.kind == FrameKind.wantAddresses } }
                let genuine = try endorsed(keys.keys[2], "127.0.0.1:1")
                let entries = [
                    // Of a key that is not admitted, of no form, of anywhere, of its own key: not taken, no offence.
                    try endorsed(.generate(), "127.0.0.1:1"), try endorsed(keys.keys[2], "nowhere"),
                    try endorsed(keys.keys[2], "0.0.0.0:1"), try endorsed(keys.keys[2], "127.0.0.1:1\n"),
                    try endorsed(keys.keys[0], "127.0.0.1:1"),
                    EndorsedAddress(
                        consensusKey: keys.set[2], tlsKey: genuine.tlsKey, listenAddress: "127.0.0.1:2",
                        signature: genuine.signature),
                    // Behind a forged one nothing is looked at.
                    genuine,
                ]
                peer.send(Frame(kind: FrameKind.addresses, payload: AddressAnswer(entries).borsh))
                let goodbye = try await peer.goodbye()
                #expect(goodbye?.code == DisconnectReason.banned(seconds: 0).code)
            }
            // The peer's own one, which its Hello confirmed.
            #expect(a.network.metrics.knownAddresses == 1)
            try await until("blamed") { a.network.metrics.offences == 1 }
            let bans = a.network.metrics.bans
            #expect(bans.map(\.who) == ["masternode \(keys.set[1])"] && bans.allSatisfy { (1...60).contains($0.secondsLeft) })
        }
    }

    @Test func floodsOfAddressFramesAreBounded() async throws {
        let keys = try Keys(3)
        var limits = TestNode.limits
        limits.addressAnswerMs = 1_000_000
        limits.addressAnswerBurst = 2
        limits.banThreshold = 1_000_000
        let a = try await TestNode(key: keys.keys[0], set: keys.set, limits: limits)
        try await withNodes([a]) {
            try await withRawPeer(port: a.port) { peer in
                try await peer.introduce(keys.keys[1])
                for _ in 0..<500 { peer.send(Frame(kind: FrameKind.wantAddresses, payload: [])) }
                peer.send(Frame(kind: FrameKind.ping, payload: [1, 2, 3, 4, 5, 6, 7, 8]))
                try await until("pong") { peer.frames.contains { $0.kind == FrameKind.pong } }
                #expect(peer.frames.count { $0.kind == FrameKind.addresses } == 2)
                #expect(a.network.metrics.offences == 498)
                // Answers that nobody asked for: at most one for each request that is out.
                for index in 0..<500 {
                    let answer = AddressAnswer([try endorsed(keys.keys[2], "127.0.0.1:\(index + 1)")])
                    peer.send(Frame(kind: FrameKind.addresses, payload: answer.borsh))
                }
                try await until("all came") {
                    peer.send(Frame(kind: FrameKind.addresses, payload: []))
                    return a.network.metrics.offences > 900 || peer.isClosed
                }
            }
        }
        // The threshold holds for them too.
        limits.banThreshold = 100
        let b = try await TestNode(key: keys.keys[0], set: keys.set, limits: limits)
        try await withNodes([b]) {
            try await withRawPeer(port: b.port) { peer in
                try await peer.introduce(keys.keys[1])
                for _ in 0..<20 { peer.send(Frame(kind: FrameKind.wantAddresses, payload: [])) }
                let goodbye = try await peer.goodbye()
                #expect(goodbye?.code == DisconnectReason.banned(seconds: 0).code)
            }
            try await withRawPeer(port: b.port) { peer in
                let many = Array(repeating: try endorsed(keys.keys[1], "127.0.0.1:1"), count: AddressAnswer.longest + 1)
                try await peer.introduce(keys.keys[2])
                try await until("asked") { peer.frames.contains { $0.kind == FrameKind.wantAddresses } }
                var encoder = BorshEncoder()
                encoder.array(many)
                peer.send(Frame(kind: FrameKind.addresses, payload: encoder.bytes))
                let goodbye = try await peer.goodbye()
                #expect(goodbye?.code == DisconnectReason.malformed("").code)
            }
        }
    }
}
