import Consensus
import Cryptography
import Primitives
import Testing

/// Durable before public, restarts, catching up.
@Suite(.timeLimit(.minutes(20))) struct JournalTests {
    let cast = Cast(4)

    @Test func nothingLeavesBeforeItIsDurable() throws {
        var node = try Dialogue.started(cast, notLeading: 1...3)
        node.diskIsSlow = true
        let voted = node.hearValid(cast.proposal(1))
        #expect(voted.broadcasts.isEmpty)
        #expect(voted.contains(.journal([.notarizeVote(cast.vote(cast.proposal(1), by: node.me))], JournalToken(1))))
        let certificate = cast.certificate(cast.proposal(1), by: Array(node.others))
        let moved = node.hear(.notarization(certificate), from: node.others[0])
        #expect(moved.broadcasts.isEmpty)
        #expect(
            moved.contains(
                .journal(
                    [.notarization(certificate), .finalizeVote(cast.vote(cast.finalize(1), by: node.me))],
                    JournalToken(2))))
        // The Finalization needs no record, but holds a vote whose record is under way.
        _ = node.hear(.finalizeVote(cast.vote(cast.finalize(1), by: node.others[0])), from: node.others[0])
        #expect(
            node.hear(.finalizeVote(cast.vote(cast.finalize(1), by: node.others[1])), from: node.others[1]).finalized
                .isEmpty)
        #expect(
            node.step(.journalDurable(JournalToken(1))).broadcasts == [
                .notarizeVote(cast.vote(cast.proposal(1), by: node.me))
            ])
        let released = node.step(.journalDurable(JournalToken(2)))
        #expect(released.finalizeVotes == [cast.finalize(1)])
        #expect(released.broadcasts.contains(.notarization(certificate)))
        #expect(released.finalized == [View(1)])
    }

    @Test func oneSyncServesManyTokens() throws {
        var node = try Dialogue.started(cast, notLeading: 4...4)
        node.diskIsSlow = true
        for view in 1...3 as ClosedRange<UInt64> { _ = node.nullify(view) }
        #expect(node.step(.journalDurable(JournalToken(3))).broadcasts.count == 3)
        #expect(node.step(.journalDurable(JournalToken(2))).isEmpty)
    }

    /// A node in view 4: notarized and finalised 1, nullified 2, finalize of 3 sent, notarize and nullify of 4 sent.
    private func experienced() throws -> Dialogue {
        var node = try Dialogue.started(cast, notLeading: 4...4)
        _ = node.notarize(cast.proposal(1))
        _ = node.hear(.finalization(cast.certificate(cast.finalize(1), by: node.others)), from: node.others[0])
        _ = node.step(.workPending(true))
        node.pass(2 * Cast.delta)
        _ = node.step(.timer(.leader))
        _ = node.nullify(2)
        _ = node.notarize(cast.proposal(3, on: 1))
        _ = node.hearValid(cast.proposal(4, on: 3))
        node.pass(3 * Cast.delta)
        _ = node.step(.timer(.view))
        return node
    }

    @Test func aRestartSaysTheSameAgain() throws {
        let node = try experienced()
        #expect(node.machine.view == View(4))
        let start = Floor.start(Cast.root, proof: .genesis)
        let stored = Floor.finalized(cast.certificate(cast.finalize(1), by: node.others))
        // The journal as written, over a floor that the store holds; and as cut, over a store that lost its tail.
        for (floor, journal) in [
            (stored, node.journal), (stored, node.position), (start, node.position),
            (start, node.position + node.journal),
        ] {
            var again = try Dialogue(cast, me: node.me, floor: floor, journal: journal)
            let effects = again.step(.start)
            #expect(again.machine.view == View(4))
            #expect(again.machine.lastFinalized.view == View(1))
            #expect(effects.finalized == (floor.block.view == .zero ? [View(1)] : []))
            #expect(effects.notarizeVotes == [cast.proposal(4, on: 3)])
            #expect(effects.nullifyVotes == [4])
            #expect(effects.finalizeVotes == [cast.finalize(3)])
            #expect(again.position == node.position)
            // It is done with view 4, as before.
            #expect(again.hearValid(cast.proposal(4, on: 3, digest: 40)).notarizeVotes.isEmpty)
            #expect(again.notarize(cast.proposal(4, on: 3)).finalizeVotes.isEmpty)
        }
    }

    @Test func whatALostTailLeavesIsCompleted() throws {
        let node = try experienced()
        for length in 0...node.journal.count {
            var again = try Dialogue(cast, me: node.me, journal: Array(node.journal.prefix(length)))
            let effects = again.step(.start)
            #expect(again.machine.view <= View(4))
            // A Notarization that reached the disk without the finalize vote of its step gets it now.
            if case .notarization(let certificate)? = node.journal.prefix(length).last, !again.position.isEmpty,
                certificate.view > again.machine.lastFinalized.view
            {
                #expect(effects.finalizeVotes.last?.view == certificate.view)
            }
        }
    }

    @Test func theFloorMayBeAheadOfTheJournal() throws {
        let node = try experienced()
        let nine = cast.certificate(cast.finalize(9))
        var again = try Dialogue(cast, me: node.me, floor: .finalized(nine), journal: node.journal)
        #expect(again.step(.start).finalized.isEmpty)
        #expect(again.machine.view == View(10))
        #expect(again.position == [.finalization(nine)])
    }

    @Test func aJournalThatCannotBeIsRefused() throws {
        let other = cast.vote(cast.proposal(1), by: 1)
        #expect(throws: ConsensusError.journalOfAnotherSigner(1)) {
            try Dialogue(cast, me: 0, journal: [.notarizeVote(other)])
        }
        let nullify = JournalRecord.nullifyVote(cast.vote(cast.nullify(1), by: 0))
        let finalize = JournalRecord.finalizeVote(cast.vote(cast.finalize(1), by: 0))
        for journal in [[nullify, finalize], [finalize, nullify]] {
            #expect(throws: ConsensusError.journalContradictsItself(View(1))) {
                try Dialogue(cast, me: 0, journal: journal)
            }
        }
        #expect(throws: ConsensusError.notAMember(4)) {
            try Simplex(
                configuration: cast.configuration, role: .masternode(4, cast.signer(0)),
                floor: .start(Cast.root, proof: .genesis), journal: [])
        }
    }

    @Test func aVoteThatTheJournalLostEndsVoting() throws {
        // This masternode voted in view 2, in a life that its journal does not know.
        var node = try Dialogue.started(cast, notLeading: 3...3)
        let certificate = cast.certificate(cast.proposal(2), by: [node.me] + node.others.prefix(2))
        let effects = node.hear(.notarization(certificate), from: node.others[0])
        #expect(effects.contains(.observing(.voteUnknownToJournal(View(2)))))
        #expect(effects.finalizeVotes.isEmpty)
        #expect(node.hearValid(cast.proposal(3, on: 2)).notarizeVotes.isEmpty)
        #expect(node.notarize(cast.proposal(3, on: 2)).entered == [4])
    }

    // MARK: Bringing peers forward

    @Test func aPeerThatConnectsIsBroughtHere() throws {
        var node = try experienced()
        let messages = node.step(.peerConnected(.masternode(node.others[1]))).sends.map(\.0)
        #expect(
            messages == [
                .finalization(cast.certificate(cast.finalize(1), by: node.others)),
                .notarization(cast.certificate(cast.proposal(3, on: 1), by: node.others)),
                .finalizeVote(cast.vote(cast.finalize(3), by: node.me)),
                .notarizeVote(cast.vote(cast.proposal(4, on: 3), by: node.me)),
                .nullifyVote(cast.vote(cast.nullify(4), by: node.me)),
            ])
        var newcomer = try Dialogue.started(cast, notLeading: 5...5)
        for message in messages { _ = newcomer.hear(message, from: node.me) }
        #expect(newcomer.machine.view == View(4))
        // A follower gets certificates only.
        #expect(node.step(.peerConnected(.follower(3))).sends.count == 2)
    }

    @Test func aPeerThatWaitsBehindIsBroughtHere() throws {
        var node = try experienced()
        let peer = node.others[1]
        let vote = ConsensusMessage.nullifyVote(cast.vote(cast.nullify(3), by: peer))
        // Once may be a latecomer of a view just left; again is a peer that waits.
        #expect(node.hear(vote, from: peer).sends.isEmpty)
        #expect(node.hear(vote, from: peer).sends.count == 1)
        let old = ConsensusMessage.nullifyVote(cast.vote(cast.nullify(1), by: peer))
        #expect(node.hear(old, from: peer).sends.count == 2)
    }

    @Test func aFollowerFollows() throws {
        var follower = try Simplex(
            configuration: cast.configuration, role: .follower, floor: .start(Cast.root, proof: .genesis), journal: [],
            verifier: KeyedHash())
        let now = Instant(milliseconds: 5)
        #expect(follower.step(.start, now: now).entered == [1])
        #expect(follower.step(.workPending(true), now: now).isEmpty)
        let certificate = ConsensusMessage.finalization(cast.certificate(cast.finalize(7)))
        let effects = follower.step(.message(certificate, from: .masternode(2)), now: now)
        #expect(effects.finalized == [View(7)])
        #expect(effects.entered == [8])
        #expect(effects.count == 2)
        #expect(follower.journalToKeep.isEmpty)
        let want = ConsensusMessage.wantCertificates(epoch: cast.configuration.epoch, from: View(1), through: View(9))
        #expect(follower.step(.message(want, from: .follower(4)), now: now).sends.map(\.0) == [certificate])
    }
}
