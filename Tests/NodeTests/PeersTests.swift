import Consensus
import Foundation
import NodeHome
import NodeCore
import NodeHost
import PeerNetwork
import Primitives
import Testing

/// What a node's configuration says of peers, and what their misbehaviour weighs.
@Suite(.timeLimit(.minutes(20))) struct PeersTests {
    @Test func misbehaviourWeighs() {
        for forgery in [Misbehaviour.notTheSigner, .wrongSignature, .forgedCertificate] {
            #expect(PeerOffence(Offence.consensus(forgery)) == .forged)
        }
        #expect(PeerOffence(Offence.unprovenBlocks) == .badBlocks)
        #expect(PeerOffence(Offence.badSignature) == .badSignature)
        #expect(PeerOffence(Offence.impossibleHead(Height(1))) == .falseHead)
    }

    @Test func configurationsWithAndWithoutSeeds() throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "node-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: folder) }
        let home = NodeHome(folder.path)
        var configuration = NodeConfiguration.loopback(name: "n")
        configuration.peers = try ["10.0.0.1:1", "[::1]:2"].map { try #require(NodeConfiguration.Peer(seed: $0)) }
        configuration.advertise = "fog.example:26500"
        try home.write(configuration)
        #expect(try home.configuration() == configuration)
        #expect(configuration.peers.map(\.host) == ["10.0.0.1", "::1"])
        for text in ["", "10.0.0.1", "10.0.0.1:0", "::1:2"] { #expect(NodeConfiguration.Peer(seed: text) == nil) }
        // A file of before, without the field.
        configuration.advertise = nil
        try home.write(configuration)
        #expect(try !String(contentsOf: home.configurationFile, encoding: .utf8).contains("advertise"))
        #expect(try home.configuration() == configuration)
        configuration.advertise = "nowhere"
        try home.write(configuration)
        #expect(throws: NodeHomeError.self) { try home.configuration() }
    }
}
