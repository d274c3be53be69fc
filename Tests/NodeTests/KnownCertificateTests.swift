import Consensus
import Cryptography
import NodeCore
import Primitives
import Simulation
import Testing

/// Everybody tells everybody of a Notarization: what a node could have made itself it does not decode.
@Suite(.timeLimit(.minutes(20))) struct KnownCertificateTests {
    @Test func aNotarizationOfWhatIsNotarisedHereIsKnown() throws {
        let cast = try Cast.of(4, realSignatures: false)
        let bench = try Bench(cast, masternode: 0)
        func proposal(_ view: UInt64, _ digest: UInt8) -> Proposal {
            Proposal(
                epoch: .zero, view: View(view), parentView: .zero, parentDigest: bench.machine.head.digest,
                digest: Digest(sha256: [digest]))
        }
        func votes(_ subject: Proposal, by signers: [UInt16]) throws -> [Vote<Proposal>] {
            try signers.map { try cast.keys[Int($0)].vote(subject, by: $0, genesis: cast.genesisHash) }
        }
        func knows(_ subject: Proposal, by signers: [UInt16]) throws -> Bool {
            let certificate = try #require(Certificate(subject: subject, votes: votes(subject, by: signers)))
            let message = NodeMessage.consensus(.notarization(certificate))
            return bench.machine.knows(message.kind.rawValue, message.payload)
        }
        let subject = proposal(1, 7)
        #expect(try !knows(subject, by: [1, 2, 3]))
        for vote in try votes(subject, by: [1, 2, 3]) {
            #expect(try !knows(subject, by: [1, 2, 3]))
            bench.receive(.consensus(.notarizeVote(vote)), from: cast.peer(vote.signer))
        }
        // Whosever votes the other one holds.
        #expect(try knows(subject, by: [1, 2, 3]) && knows(subject, by: [0, 2, 3]))
        // A second one of the view is evidence, and votes, Finalizations and other kinds of messages are not the same.
        #expect(try !knows(proposal(1, 8), by: [1, 2, 3]) && !knows(proposal(2, 7), by: [1, 2, 3]))
        let vote = NodeMessage.consensus(.notarizeVote(try votes(subject, by: [3])[0]))
        #expect(!bench.machine.knows(vote.kind.rawValue, vote.payload))
        let finalize = Finalize(epoch: .zero, view: View(1), digest: subject.digest)
        let finalization = try #require(
            Certificate(
                subject: finalize,
                votes: try ([1, 2, 3] as [UInt16]).map {
                    try cast.keys[Int($0)].vote(finalize, by: $0, genesis: cast.genesisHash)
                }))
        let final = NodeMessage.consensus(.finalization(finalization))
        #expect(!bench.machine.knows(final.kind.rawValue, final.payload))
        let beginning = ConsensusMessage.beginning(ofNotarizationOf: subject)
        let certificate = try #require(Certificate(subject: subject, votes: votes(subject, by: [0, 1, 3])))
        let whole = NodeMessage.consensus(.notarization(certificate)).payload
        let consensus = NodeMessage.Kind.consensus.rawValue
        #expect(whole.starts(with: beginning) && bench.machine.knows(consensus, whole))
        #expect(!bench.machine.knows(NodeMessage.Kind.body.rawValue, whole))
        // What is malformed goes on, to be told as such.
        for length in 0..<whole.count {
            #expect(!bench.machine.knows(consensus, Array(whole.prefix(length))), "\(length) bytes")
        }
        #expect(!bench.machine.knows(consensus, whole + [0]))
        for (place, byte) in [(0, 0), (0, 2), (3, 255), (4, 0), (4, 3), (4, 255)] as [(Int, UInt8)] {
            var other = whole
            other[beginning.count + place] = byte
            let decodes = (try? NodeMessage(kind: consensus, payload: other)) != nil
            #expect(!decodes && !bench.machine.knows(consensus, other), "\(byte) at \(place)")
        }
    }
}
