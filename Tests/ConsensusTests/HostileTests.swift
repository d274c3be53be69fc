import Consensus
import Cryptography
import Encoding
import Primitives
import Testing

/// Rule 10: what is refused changes nothing.
@Suite(.timeLimit(.minutes(20))) struct HostileTests {
    let cast = Cast(4)

    /// A machine in view 6 whose last finalised view is 3.
    private func midway() throws -> Dialogue {
        var node = try Dialogue.started(cast, notLeading: 6...7)
        _ = node.hear(.finalization(cast.certificate(cast.finalize(3), by: node.others)), from: node.others[0])
        _ = node.notarize(cast.proposal(4, on: 3))
        _ = node.nullify(5)
        return node
    }

    private func hostile(_ node: Dialogue) -> [(ConsensusMessage, Misbehaviour?)] {
        let (liar, other) = (node.others[0], node.others[1])
        let window = cast.configuration.viewWindow
        let strangers = Cast(5)
        let wrong = Cast(4, epoch: Epoch(2))
        func forged<Subject>(_ subject: Subject) -> Certificate<Subject> {
            Certificate(
                subject: subject,
                votes: (0..<3).map {
                    Vote(subject: subject, signer: $0, signature: cast.vote(subject, by: liar).signature)
                })!
        }
        func resigned<Subject>(_ vote: Vote<Subject>) -> Vote<Subject> {
            Vote(subject: vote.subject, signer: liar, signature: cast.vote(vote.subject, by: other).signature)
        }
        return [
            // Not the signer's own connection, not a member, this node itself without its signature
            (.notarizeVote(cast.vote(cast.proposal(6, on: 4), by: other)), .notTheSigner),
            (.nullifyVote(strangers.vote(cast.nullify(6), by: 4)), .notTheSigner),
            (
                .finalizeVote(
                    Vote(subject: cast.finalize(6), signer: node.me, signature: cast.vote(cast.finalize(6), by: liar).signature)),
                .wrongSignature
            ),
            // Wrong signatures
            (.notarizeVote(resigned(cast.vote(cast.proposal(6, on: 4), by: other))), .wrongSignature),
            (.nullifyVote(resigned(cast.vote(cast.nullify(6), by: other))), .wrongSignature),
            (.finalizeVote(resigned(cast.vote(cast.finalize(4), by: other))), .wrongSignature),
            // Of another epoch, and outside the window
            (.nullifyVote(wrong.vote(wrong.nullify(6), by: liar)), nil),
            (.notarization(wrong.certificate(wrong.proposal(6))), nil),
            (.notarizeVote(cast.vote(cast.proposal(6 + window + 1), by: liar)), nil),
            (.finalizeVote(cast.vote(cast.finalize(.max), by: liar)), nil),
            (.notarizeVote(cast.vote(cast.proposal(3), by: liar)), nil),
            (.finalizeVote(cast.vote(cast.finalize(3, digest: 8), by: liar)), nil),
            // Certificates: too few, forged, by somebody else, of what is final
            (.notarization(cast.certificate(cast.proposal(7), by: [0, 1])), .forgedCertificate),
            (.nullification(forged(cast.nullify(6))), .forgedCertificate),
            (.nullification(forged(cast.nullify(.max))), .forgedCertificate),
            (.finalization(forged(cast.finalize(4))), .forgedCertificate),
            (.notarization(forged(cast.proposal(4, digest: 44))), .forgedCertificate),
            (.finalization(strangers.certificate(cast.finalize(6), by: [0, 1, 4])), .forgedCertificate),
            (.finalization(cast.certificate(cast.finalize(2))), nil),
            (.nullification(cast.certificate(cast.nullify(3))), nil),
            // Questions with nothing to answer
            (.wantCertificates(epoch: cast.configuration.epoch, from: View(9), through: View(8)), nil),
            (.wantCertificates(epoch: cast.configuration.epoch, from: View(.max), through: View(.max)), nil),
        ]
    }

    @Test func changesNothing() throws {
        var node = try midway()
        let (position, view) = (node.position, node.machine.view)
        for (message, misbehaviour) in hostile(node) {
            let effects = node.hear(message, from: node.others[0])
            #expect(effects.misbehaviour == (misbehaviour.map { [$0] } ?? []), "\(message)")
            #expect(effects.count == effects.misbehaviour.count, "\(message): \(effects)")
            #expect(node.position == position && node.machine.view == view)
        }
        // A follower's connection can't vote. That is no offence: it may have become a masternode meanwhile.
        let vote = ConsensusMessage.nullifyVote(cast.vote(cast.nullify(6), by: node.others[0]))
        #expect(node.step(.message(vote, from: .follower(1))).isEmpty)
        #expect(node.position == position && node.machine.view == view)
    }

    @Test func aLaterEpochIsReportedAndNothingElse() throws {
        var node = try midway()
        let later = Cast(4, epoch: Epoch(4))
        let peer = Peer.masternode(node.others[0])
        let message = ConsensusMessage.finalization(later.certificate(later.finalize(50)))
        #expect(node.step(.message(message, from: peer)) == [.epochAhead(Epoch(4), peer)])
        #expect(node.machine.view == View(6))
    }

    @Test func answersAreBounded() throws {
        var node = try Dialogue.started(cast, notLeading: 1...1)
        for view in 1...200 as ClosedRange<UInt64> { _ = node.nullify(view) }
        let want = ConsensusMessage.wantCertificates(epoch: cast.configuration.epoch, from: .zero, through: View(.max))
        let answers = node.hear(want, from: node.others[0]).sends
        #expect(answers.count == Int(ConsensusLimits.viewsPerRequest))
        // Without a disk nothing leaves, and what peers ask for does not pile up.
        node.diskIsSlow = true
        _ = node.nullify(201)
        for _ in 0..<1_000 { #expect(node.hear(want, from: node.others[0]).isEmpty) }
        let released = node.step(.journalDurable(JournalToken(201)))
        #expect(released.count <= ConsensusLimits.heldEffects + 1)
    }

    @Test func inputsAtTheWrongTimeDoNothing() throws {
        var node = try Dialogue(cast, me: cast.leader(1))
        #expect(node.step(.workPending(true)).isEmpty)
        #expect(node.nullify(1).isEmpty)
        _ = node.step(.start)
        #expect(node.step(.start).isEmpty)
        for input: Input in [
            .timer(.fetch), .timer(.nullifyAgain), .journalDurable(JournalToken(99)),
            .proposed(view: View(9), digest: Cast.root),
            .verified(view: View(1), digest: Cast.root, .valid), .verified(view: View(7), digest: Cast.root, .invalid),
            .declined(view: View(2)),
        ] {
            #expect(node.step(input).isEmpty, "\(input)")
        }
    }

    @Test func messagesSurviveTheirEncodingAndNothingElseDoes() throws {
        let node = try midway()
        var chance = Chance(seed: 7)
        for message in hostile(node).map(\.0) + [.wantCertificates(epoch: Epoch(1), from: View(2), through: View(3))] {
            let bytes = message.borsh
            #expect(try ConsensusMessage(borsh: bytes) == message)
            #expect(throws: BorshError.self) { try ConsensusMessage(borsh: bytes + [0]) }
            for _ in 0..<20 {
                #expect(throws: BorshError.self) {
                    try ConsensusMessage(borsh: Array(bytes.prefix(chance.below(bytes.count))))
                }
                var changed = bytes
                changed[chance.below(bytes.count)] ^= UInt8(1 << chance.below(8))
                if let other = try? ConsensusMessage(borsh: changed) {
                    #expect(other.borsh == changed && other != message)
                }
            }
        }
        for record in node.position { #expect(try JournalRecord(borsh: record.borsh) == record) }
    }

    /// The wire and journal formats, pinned: a change here breaks running networks and stored journals.
    @Test func encodingsArePinned() throws {
        let messages: [ConsensusMessage] = [
            .notarizeVote(cast.vote(cast.proposal(2, on: 1), by: 1)), .nullifyVote(cast.vote(cast.nullify(2), by: 2)),
            .finalizeVote(cast.vote(cast.finalize(2), by: 3)), .notarization(cast.certificate(cast.proposal(2, on: 1))),
            .nullification(cast.certificate(cast.nullify(2))), .finalization(cast.certificate(cast.finalize(2))),
            .wantCertificates(epoch: Epoch(3), from: View(1), through: View(32)),
        ]
        let records: [JournalRecord] = [
            .notarizeVote(cast.vote(cast.proposal(2, on: 1), by: 1)), .nullifyVote(cast.vote(cast.nullify(2), by: 2)),
            .finalizeVote(cast.vote(cast.finalize(2), by: 3)), .notarization(cast.certificate(cast.proposal(2, on: 1))),
            .nullification(cast.certificate(cast.nullify(2))), .finalization(cast.certificate(cast.finalize(2))),
        ]
        let evidence = [
            Evidence(cast.vote(cast.proposal(2), by: 1), cast.vote(cast.proposal(2, on: 1), by: 1)),
            Evidence(cast.vote(cast.finalize(2), by: 1), cast.vote(cast.finalize(2, digest: 1), by: 1)),
            Evidence(cast.vote(cast.nullify(2), by: 1), cast.vote(cast.finalize(2), by: 1)),
        ].compactMap { $0 }
        #expect(
            Digest(sha256: messages.flatMap(\.borsh)).hex
                == "ef5b3f5da210e06e08f1edee9477aa0e452bea9bf0fe8a2e8d2a38d3c4a2a13d")
        #expect(
            Digest(sha256: records.flatMap(\.borsh)).hex
                == "c7de67b95c3eb5ae91d9b3afdc32e318e8846becd1ce6e16d7bf087db1f9d3ab")
        #expect(
            Digest(sha256: evidence.flatMap(\.borsh)).hex
                == "22176566352ad551fde4275d711e81c175b573fae297827a5e77a135cb963cf0")
    }
}
