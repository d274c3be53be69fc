import Consensus
import Cryptography
import Encoding
import Primitives
import Testing

/// Rule 8.
@Suite(.timeLimit(.minutes(20))) struct EvidenceTests {
    let cast = Cast(4)

    @Test func eachContradictionIsToldOnceAndVerifies() throws {
        var node = try Dialogue.started(cast, notLeading: 1...1)
        let liar = node.others[1]
        let pairs: [(ConsensusMessage, ConsensusMessage)] = [
            (
                .notarizeVote(cast.vote(cast.proposal(2), by: liar)),
                .notarizeVote(cast.vote(cast.proposal(2, on: 1), by: liar))
            ),
            (
                .finalizeVote(cast.vote(cast.finalize(3), by: liar)),
                .finalizeVote(cast.vote(cast.finalize(3, digest: 8), by: liar))
            ),
            (.nullifyVote(cast.vote(cast.nullify(4), by: liar)), .finalizeVote(cast.vote(cast.finalize(4), by: liar))),
            (.finalizeVote(cast.vote(cast.finalize(5), by: liar)), .nullifyVote(cast.vote(cast.nullify(5), by: liar))),
        ]
        for (first, second) in pairs {
            #expect(node.hear(first, from: liar).evidence.isEmpty)
            let evidence = try #require(node.hear(second, from: liar).evidence.first)
            #expect(evidence.signer == liar)
            #expect(evidence.epoch == cast.configuration.epoch)
            try evidence.verify(by: cast.set, genesis: Cast.genesis, verifier: KeyedHash())
            #expect(try Evidence(borsh: evidence.borsh) == evidence)
            #expect(node.hear(second, from: liar).evidence.isEmpty)
            #expect(node.hear(first, from: liar).evidence.isEmpty)
        }
    }

    /// Whoever contradicts itself in several ways is accused once in each view.
    @Test func oneAccusationOfASignerInAViewIsEnough() throws {
        var node = try Dialogue.started(cast, notLeading: 1...1)
        let liar = node.others[1]
        for view in [2, 3] as [UInt64] {
            let messages: [ConsensusMessage] = [
                .notarizeVote(cast.vote(cast.proposal(view), by: liar)),
                .notarizeVote(cast.vote(cast.proposal(view, digest: 99), by: liar)),
                .nullifyVote(cast.vote(cast.nullify(view), by: liar)),
                .finalizeVote(cast.vote(cast.finalize(view), by: liar)),
            ]
            let accusations = messages.map { node.hear($0, from: liar).evidence.count }
            #expect(accusations == [0, 1, 0, 0], "view \(view)")
        }
    }

    @Test func votesInsideCertificatesCount() throws {
        var node = try Dialogue.started(cast, notLeading: 1...1)
        let liar = node.others[0]
        _ = node.hear(.notarizeVote(cast.vote(cast.proposal(1, digest: 9), by: liar)), from: liar)
        #expect(node.notarize(cast.proposal(1)).evidence.map(\.signer) == [liar])
        _ = node.hear(.nullifyVote(cast.vote(cast.nullify(1), by: node.others[1])), from: node.others[1])
        let final = cast.certificate(cast.finalize(1), by: Array(node.others))
        #expect(node.hear(.finalization(final), from: node.others[2]).evidence.map(\.signer) == [node.others[1]])
    }

    /// A node that has voted in view 1 and holds the Notarization, and the one whose vote it does not have.
    private func notarised() throws -> (node: Dialogue, late: UInt16) {
        var node = try Dialogue.started(cast, notLeading: 1...1)
        let rest = node.others.filter { $0 != cast.leader(1) }
        _ = node.hearValid(cast.proposal(1))
        #expect(node.hear(.notarizeVote(cast.vote(cast.proposal(1), by: rest[0])), from: rest[0]).entered == [2])
        return (node, rest[1])
    }

    /// A vote on what is notarised already is of no use, and not checked, until its signer says something else.
    @Test(arguments: [false, true]) func aVoteThatComesLateCountsWhereItIsContradicted(byCertificate: Bool) throws {
        var (node, late) = try notarised()
        #expect(node.hear(.notarizeVote(cast.vote(cast.proposal(1), by: late)), from: late).isEmpty)
        let other = cast.proposal(1, digest: 9)
        let message: ConsensusMessage =
            byCertificate ? .notarization(cast.certificate(other, by: node.others)) : .notarizeVote(cast.vote(other, by: late))
        let evidence = node.hear(message, from: late).evidence
        #expect(evidence.map(\.signer).sorted() == (byCertificate ? node.others : [late]))
        for one in evidence { try one.verify(by: cast.set, genesis: Cast.genesis, verifier: KeyedHash()) }
        #expect(node.hear(.notarizeVote(cast.vote(cast.proposal(1), by: late)), from: late).isEmpty)
    }

    /// Nobody is accused by what he did not sign.
    @Test func aForgedVoteThatComesLateIsNoEvidence() throws {
        var (node, late) = try notarised()
        let forged = Vote(
            subject: cast.proposal(1), signer: late, signature: cast.vote(cast.proposal(2), by: late).signature)
        #expect(node.hear(.notarizeVote(forged), from: late).isEmpty)
        #expect(node.hear(.notarizeVote(cast.vote(cast.proposal(1, digest: 9), by: late)), from: late).evidence.isEmpty)
        // What is held of it now is the one that it signed.
        let evidence = node.hear(.notarizeVote(cast.vote(cast.proposal(1, digest: 10), by: late)), from: late).evidence
        #expect(evidence.map(\.signer) == [late])
        for one in evidence { try one.verify(by: cast.set, genesis: Cast.genesis, verifier: KeyedHash()) }
    }

    /// Nor is what he did sign hidden behind what he did not, and whoever sends such a thing is told of.
    @Test(arguments: [false, true]) func aForgedVoteHidesNoGenuineOne(isFirst: Bool) throws {
        var (node, late) = try notarised()
        let genuine = cast.vote(cast.proposal(1), by: late)
        let forged = Vote(
            subject: cast.proposal(1), signer: late, signature: cast.vote(cast.proposal(2), by: late).signature)
        #expect(node.hear(.notarizeVote(isFirst ? forged : genuine), from: late).isEmpty)
        let told = node.hear(.notarizeVote(isFirst ? genuine : forged), from: late)
        // Behind a genuine one nothing is looked at, as with a vote that is held.
        #expect(told.misbehaviour == (isFirst ? [.wrongSignature] : []))
        let evidence = node.hear(.notarizeVote(cast.vote(cast.proposal(1, digest: 9), by: late)), from: late).evidence
        #expect(evidence.map(\.signer) == [late])
        for one in evidence { try one.verify(by: cast.set, genesis: Cast.genesis, verifier: KeyedHash()) }
    }

    /// A forged one alone is found where it would be used.
    @Test func whoSentAForgedVoteLateIsTold() throws {
        var (node, late) = try notarised()
        let forged = Vote(
            subject: cast.proposal(1), signer: late, signature: cast.vote(cast.proposal(2), by: late).signature)
        #expect(node.hear(.notarizeVote(forged), from: late).isEmpty)
        let other = cast.certificate(cast.proposal(1, digest: 9), by: node.others)
        let told = node.hear(.notarization(other), from: node.others[0])
        #expect(told.contains(.misbehaviour(.wrongSignature, by: .masternode(late))))
        #expect(!told.evidence.map(\.signer).contains(late))
    }

    @Test func whatIsLegalIsNoEvidence() throws {
        var node = try Dialogue.started(cast, notLeading: 1...1)
        let other = node.others[0]
        for message: ConsensusMessage in [
            .notarizeVote(cast.vote(cast.proposal(1), by: other)),
            .finalizeVote(cast.vote(cast.finalize(1, digest: 9), by: other)),
            .notarizeVote(cast.vote(cast.proposal(2), by: other)), .nullifyVote(cast.vote(cast.nullify(2), by: other)),
        ] {
            #expect(node.hear(message, from: other).evidence.isEmpty)
        }
    }

    @Test func onlyContradictionsCanBeWritten() throws {
        let vote = cast.vote(cast.proposal(1), by: 0)
        #expect(Evidence(vote, vote) == nil)
        #expect(Evidence(vote, cast.vote(cast.proposal(1, digest: 2), by: 1)) == nil)
        #expect(Evidence(vote, cast.vote(cast.proposal(2), by: 0)) == nil)
        #expect(Evidence(cast.vote(cast.nullify(1), by: 0), cast.vote(cast.finalize(2), by: 0)) == nil)
        // One contradiction has one encoding.
        let other = cast.vote(cast.proposal(1, digest: 2), by: 0)
        let evidence = try #require(Evidence(vote, other))
        #expect(evidence == Evidence(other, vote))
        let bytes = evidence.borsh
        let swapped = [bytes[0]] + bytes[(1 + bytes.count / 2)...] + bytes[1..<(1 + bytes.count / 2)]
        #expect(throws: BorshError.self) { try Evidence(borsh: swapped) }
        #expect(throws: BorshError.self) { try Evidence(borsh: [0] + vote.borsh + vote.borsh) }
    }

    @Test func realSignaturesAndForgedOnes() throws {
        let keys = (0..<4).map { PrivateKey(seed: [UInt8](repeating: UInt8($0 + 1), count: 32))! }
        let set = try MasternodeSet(
            keys.enumerated().map {
                Masternode(
                    name: "\($0)", consensusKey: $1.publicKey, owner: Account($1.publicKey.bytes)!, beaconTip: .zero)
            })
        func vote(_ subject: Finalize, key: Int, signer: UInt16) throws -> Vote<Finalize> {
            Vote(
                subject: subject, signer: signer,
                signature: try keys[key].sign(subject, domain: Finalize.domain, genesis: Cast.genesis))
        }
        let (first, second) = (cast.finalize(1), cast.finalize(1, digest: 2))
        let evidence = try #require(Evidence(try vote(first, key: 2, signer: 2), try vote(second, key: 2, signer: 2)))
        try evidence.verify(by: set, genesis: Cast.genesis)
        #expect(throws: EvidenceError.wrongSignature(2)) { try evidence.verify(by: set, genesis: Cast.root) }
        let forged = try #require(Evidence(try vote(first, key: 2, signer: 2), try vote(second, key: 1, signer: 2)))
        #expect(throws: EvidenceError.wrongSignature(2)) { try forged.verify(by: set, genesis: Cast.genesis) }
        let stranger = try #require(Evidence(try vote(first, key: 2, signer: 9), try vote(second, key: 2, signer: 9)))
        #expect(throws: EvidenceError.unknownSigner(9)) { try stranger.verify(by: set, genesis: Cast.genesis) }
    }
}
