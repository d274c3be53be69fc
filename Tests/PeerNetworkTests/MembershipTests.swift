import Cryptography
import Encoding
import Foundation
import LocalNetwork
import PeerNetwork
import Primitives
import Testing

/// Who is a masternode changes while the network runs.
@Suite(.timeLimit(.minutes(20))) struct MembershipTests {
    @Test func aMasternodeThatIsNoneAnyMoreComesBackAsAFollower() async throws {
        let keys = try Keys(3)
        let a = try await TestNode(key: keys.keys[0], set: keys.set)
        let b = try await TestNode(key: keys.keys[1], set: keys.set, dial: [a.address()])
        let c = try await TestNode(key: keys.keys[2], set: keys.set, dial: [a.address()])
        try await withNodes([a, b, c]) {
            try await until("connected") { a.hasHeard(of: keys.id(1)) && a.hasHeard(of: keys.id(2)) }
            // The other end tells why, too, once it knows of the connection.
            try await until("connected at the other end") { c.hasHeard(of: keys.id(0)) }
            a.network.update(masternodes: Array(keys.set.dropLast()))
            try await until("disconnected") {
                a.disconnections.contains(.admissionChanged(keys.set[2], isAdmitted: false))
            }
            try await until("back as a follower") { a.isConnected(PeerId(c.network.tlsKey)) }
            #expect(a.isConnected(keys.id(1)) && !a.isConnected(keys.id(2)))
            try await until("told why") { !c.disconnections.isEmpty }
            #expect(c.disconnections.contains { $0.description.contains("not admitted any more") })
            #expect(!a.events.contains { if case .disconnected(keys.id(1), _) = $0 { true } else { false } })
        }
    }

    @Test func aFollowerThatIsAdmittedComesBackAsAMasternode() async throws {
        let keys = try Keys(2)
        let a = try await TestNode(key: keys.keys[0], set: [keys.set[0]])
        // It knows of itself from the start; a learns of it.
        let b = try await TestNode(key: keys.keys[1], set: keys.set, dial: [a.address(keys.set[0])])
        try await withNodes([a, b]) {
            try await until("a follower") { a.hasHeard(of: PeerId(b.network.tlsKey)) }
            a.network.update(masternodes: keys.set)
            try await until("a masternode") { a.hasHeard(of: keys.id(1)) && a.network.peers.count == 1 }
            try await until("told why") { a.disconnections.contains(.admissionChanged(keys.set[1], isAdmitted: true)) }
            #expect(a.network.metrics.knownAddresses == 1)
        }
    }

    @Test func ownKeyThatIsNotAdmittedTwice() async throws {
        let keys = try Keys(1)
        let waiting = PrivateKey.generate()
        let w = try await TestNode(key: waiting, set: keys.set)
        let twin = try await TestNode(key: waiting, set: keys.set, dial: [w.address()])
        try await withNodes([w, twin]) {
            try await until("refused") { w.refusals.contains(.keyUsedElsewhere(waiting.publicKey)) }
            #expect(w.network.peers.isEmpty)
            // Whoever can't prove it is no twin.
            try await withRawPeer(port: w.port) { peer in
                let hello = Hello(
                    genesisHash: sampleGenesis, listenAddress: "", agent: "",
                    endorsement: Hello.Endorsement(
                        consensusKey: waiting.publicKey, signature: try endorsed(waiting, "elsewhere:1").signature))
                peer.send(Frame(kind: FrameKind.hello, payload: hello.borsh))
                let goodbye = try await peer.goodbye()
                #expect(goodbye == Goodbye(.wrongEndorsement(waiting.publicKey)))
            }
        }
    }

    /// Each end sees the other one differently, and both dial: they still keep the same connection.
    @Test(arguments: 0..<4) func bothDialWithDifferentViews(round: Int) async throws {
        let keys = try Keys(2)
        let ports = try FreePorts.take(2)
        let admitted = round % 2
        async let first = TestNode(
            key: keys.keys[0], set: [keys.set[admitted]], dial: [PeerAddress(host: "127.0.0.1", port: ports[1])],
            port: ports[0])
        async let second = TestNode(
            key: keys.keys[1], set: [keys.set[admitted]], dial: [PeerAddress(host: "127.0.0.1", port: ports[0])],
            port: ports[1])
        let (a, b) = try await (first, second)
        try await withNodes([a, b]) {
            try await until("one connection, the same at both ends") {
                guard let atA = a.network.peers.first, let atB = b.network.peers.first else { return false }
                return atA.dialled != atB.dialled && a.network.metrics.pending == 0 && b.network.metrics.pending == 0
            }
            let ids = [a, b].map { node in PeerId(node.network.tlsKey) }
            #expect(a.isConnected(admitted == 1 ? keys.id(1) : ids[1]))
            #expect(b.isConnected(admitted == 0 ? keys.id(0) : ids[0]))
        }
    }
}
