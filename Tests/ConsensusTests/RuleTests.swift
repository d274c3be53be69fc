import Consensus
import Cryptography
import Primitives
import Testing

/// Each rule of `simplex.md` as short dialogues with one machine.
@Suite(.timeLimit(.minutes(20))) struct RuleTests {
    let cast = Cast(4)

    // MARK: 1. Entering views, timers

    @Test func idleTimersRunFromTheHeartbeat() throws {
        var node = try Dialogue(cast, me: cast.others(than: cast.leader(1))[0])
        let start = node.step(.start)
        #expect(start.entered == [1])
        let due = node.now + Cast.heartbeat
        #expect(start.timer(.leader) == due + 2 * Cast.delta)
        #expect(start.timer(.view) == due + 3 * Cast.delta)

        node.pass(500)
        let work = node.step(.workPending(true))
        #expect(work.timer(.leader) == node.now + 2 * Cast.delta)
        #expect(work.timer(.view) == node.now + 3 * Cast.delta)
        #expect(node.step(.workPending(true)).isEmpty)
        let idle = node.step(.workPending(false))
        #expect(idle.timer(.view) == due + 3 * Cast.delta)
    }

    @Test func aProposalStopsTheLeaderTimerAndStartsTheOther() throws {
        var node = try Dialogue.started(cast, notLeading: 1...1)
        node.pass(700)
        let effects = node.hear(.notarizeVote(cast.vote(cast.proposal(1), by: cast.leader(1))), from: cast.leader(1))
        #expect(effects.contains(.cancelTimer(.leader)))
        #expect(effects.timer(.view) == node.now + 3 * Cast.delta)
    }

    @Test func nullifyVotesOfMoreThanFStartTheTimers() throws {
        var node = try Dialogue.started(cast, notLeading: 1...1)
        let voters = node.others.filter { $0 != cast.leader(1) }
        let first = node.hear(.nullifyVote(cast.vote(cast.nullify(1), by: voters[0])), from: voters[0])
        #expect(first.isEmpty)
        let second = node.hear(.nullifyVote(cast.vote(cast.nullify(1), by: voters[1])), from: voters[1])
        #expect(second.timer(.leader) == node.now + 2 * Cast.delta)
    }

    @Test func theNextHeartbeatCountsFromTheNotarizedBlock() throws {
        var node = try Dialogue.started(cast, notLeading: 1...3)
        node.pass(4_000)
        let notarized = node.notarize(cast.proposal(1))
        let due = node.now + Cast.heartbeat
        #expect(notarized.timer(.view) == due + 3 * Cast.delta)
        // A nullified view leaves it where it was: somebody still owes the block.
        node.pass(Cast.heartbeat + 100)
        #expect(node.nullify(2).timer(.leader) == node.now + 2 * Cast.delta)
    }

    // MARK: 2. Proposing

    @Test func theLeaderProposesOnTheStart() throws {
        var node = try Dialogue(cast, me: cast.leader(1))
        let request = try #require(node.step(.start).requests.first)
        #expect(request.parent == BlockReference(view: .zero, digest: Cast.root))
        #expect(request.parentCertificate == .genesis)
        #expect(request.heartbeatAt.milliseconds == node.now + Cast.heartbeat)
        let effects = node.step(.proposed(view: View(1), digest: Cast.digest(1)))
        #expect(effects.notarizeVotes == [cast.proposal(1)])
        #expect(node.step(.proposed(view: View(1), digest: Cast.digest(2))).isEmpty)
    }

    @Test func theParentIsTheHighestNotarizedBelowANullifiedGap() throws {
        let leader = cast.leader(4)
        var node = try Dialogue(cast, me: leader)
        _ = node.step(.start)
        _ = node.notarize(cast.proposal(1))
        // View 3 is left while nothing is known of view 2.
        let waiting = node.nullify(3)
        #expect(waiting.requests.isEmpty)
        let want = ConsensusMessage.wantCertificates(epoch: cast.configuration.epoch, from: View(1), through: View(2))
        #expect(waiting.sends.map(\.0) == [want, want, want])
        #expect(waiting.timer(.fetch) == node.now + Cast.delta)

        node.pass(Cast.delta)
        #expect(node.step(.timer(.fetch)).sends.map(\.0).contains(want))
        let request = try #require(node.nullify(2).requests.first)
        #expect(request.view == View(4))
        #expect(request.parent == BlockReference(view: View(1), digest: Cast.digest(1)))
        #expect(
            request.parentCertificate.proves(epoch: cast.configuration.epoch, view: View(1), digest: Cast.digest(1)))
    }

    @Test func aFinalizationCountsAsNotarization() throws {
        var node = try Dialogue(cast, me: cast.leader(6))
        _ = node.step(.start)
        let certificate = cast.certificate(cast.finalize(5), by: Array(node.others))
        let request = try #require(node.hear(.finalization(certificate), from: node.others[0]).requests.first)
        #expect(request.parent == BlockReference(view: View(5), digest: Cast.digest(5)))
        #expect(request.parentCertificate == .finalization(certificate))
    }

    @Test func aLeaderThatNullifiedDoesNotPropose() throws {
        var node = try Dialogue(cast, me: cast.leader(1))
        _ = node.step(.start)
        #expect(node.step(.declined(view: View(1))).nullifyVotes == [1])
        #expect(node.step(.proposed(view: View(1), digest: Cast.digest(1))).isEmpty)
    }

    // MARK: 3. Notarize

    @Test func votesOnceForTheLeadersFirstProposal() throws {
        var node = try Dialogue.started(cast, notLeading: 1...1)
        let leader = cast.leader(1)
        #expect(
            node.hear(.notarizeVote(cast.vote(cast.proposal(1), by: leader)), from: leader).verifies == [
                cast.proposal(1)
            ])
        #expect(node.step(.verified(view: View(1), digest: Cast.digest(2), .valid)).isEmpty)
        #expect(node.step(.verified(view: View(1), digest: Cast.digest(1), .valid)).notarizeVotes == [cast.proposal(1)])
        #expect(node.step(.verified(view: View(1), digest: Cast.digest(1), .valid)).isEmpty)
        let second = node.hear(.notarizeVote(cast.vote(cast.proposal(1, digest: 9), by: leader)), from: leader)
        #expect(second.verifies.isEmpty)
        #expect(second.evidence.count == 1)
    }

    @Test func othersVotesAreNoProposal() throws {
        var node = try Dialogue.started(cast, notLeading: 1...1)
        let other = node.others.first { $0 != cast.leader(1) }!
        #expect(node.hear(.notarizeVote(cast.vote(cast.proposal(1), by: other)), from: other).verifies.isEmpty)
    }

    @Test func anInvalidBodyEndsTheViewForThisNode() throws {
        var node = try Dialogue.started(cast, notLeading: 1...1)
        let leader = cast.leader(1)
        _ = node.hear(.notarizeVote(cast.vote(cast.proposal(1), by: leader)), from: leader)
        #expect(node.step(.verified(view: View(1), digest: Cast.digest(1), .invalid)).nullifyVotes == [1])
        #expect(node.step(.verified(view: View(1), digest: Cast.digest(1), .valid)).isEmpty)
    }

    @Test func missingCertificatesMeanWait() throws {
        var node = try Dialogue.started(cast, notLeading: 4...4)
        _ = node.nullify(3)
        let leader = cast.leader(4)
        let proposal = cast.proposal(4, on: 1)
        let waiting = node.hear(.notarizeVote(cast.vote(proposal, by: leader)), from: leader)
        #expect(waiting.verifies.isEmpty && waiting.nullifyVotes.isEmpty)
        #expect(waiting.sends.map(\.1) == [.masternode(leader)])
        #expect(node.nullify(2).verifies.isEmpty)
        #expect(node.notarize(cast.proposal(1)).verifies == [proposal])
    }

    @Test func neverOnAParentBelowTheLastFinalizedOrOnAnotherBlock() throws {
        for proposal in [cast.proposal(4, on: 1), cast.proposal(4, on: 3, Cast.digest(77)), cast.proposal(4, on: 4)] {
            var node = try Dialogue.started(cast, notLeading: 4...4)
            _ = node.hear(.finalization(cast.certificate(cast.finalize(3), by: node.others)), from: node.others[0])
            let effects = node.hear(.notarizeVote(cast.vote(proposal, by: cast.leader(4))), from: cast.leader(4))
            #expect(effects.verifies.isEmpty)
            #expect(effects.nullifyVotes == [4])
        }
    }

    @Test func aProposalThatCameEarlyIsTakenUpOnEntry() throws {
        var node = try Dialogue.started(cast, notLeading: 1...2)
        let proposal = cast.proposal(2, on: 1)
        #expect(
            node.hear(.notarizeVote(cast.vote(proposal, by: cast.leader(2))), from: cast.leader(2)).verifies.isEmpty)
        #expect(node.notarize(cast.proposal(1)).verifies == [proposal])
    }

    // MARK: 4. Notarization

    @Test func aNotarizationIsRelayedOnceAndFollowedByFinalize() throws {
        var node = try Dialogue.started(cast, notLeading: 1...2)
        let certificate = cast.certificate(cast.proposal(1), by: Array(node.others))
        let effects = node.hear(.notarization(certificate), from: node.others[0])
        #expect(effects.broadcasts.contains(.notarization(certificate)))
        #expect(effects.finalizeVotes == [cast.finalize(1)])
        #expect(effects.entered == [2])
        #expect(effects.contains(.notarized(certificate)))
        #expect(node.hear(.notarization(certificate), from: node.others[1]).isEmpty)
        let again = cast.certificate(cast.proposal(1), by: Array(node.others.dropLast()) + [node.me])
        #expect(node.hear(.notarization(again), from: node.others[1]).isEmpty)
    }

    @Test func votesOfAQuorumMakeANotarization() throws {
        var node = try Dialogue.started(cast, notLeading: 1...2)
        let other = node.others.first { $0 != cast.leader(1) }!
        #expect(node.hearValid(cast.proposal(1)).entered.isEmpty)
        let effects = node.hear(.notarizeVote(cast.vote(cast.proposal(1), by: other)), from: other)
        #expect(effects.entered == [2])
        let certificate = try #require(
            effects.compactMap { if case .notarized(let certificate) = $0 { certificate } else { nil } }.first)
        try certificate.verify(by: cast.set, genesis: Cast.genesis, verifier: KeyedHash())
        #expect(certificate.signers.contains(node.me))
    }

    // MARK: 5. Timers

    @Test func aTimerNullifiesAndRepeatsWithTheEntryCertificate() throws {
        var node = try Dialogue.started(cast, notLeading: 1...2)
        let entry = cast.certificate(cast.nullify(1), by: Array(node.others))
        _ = node.hear(.nullification(entry), from: node.others[0])
        _ = node.step(.workPending(true))
        node.pass(2 * Cast.delta - 1)
        // Early: armed again. Later: once.
        #expect(node.step(.timer(.leader)).timer(.leader) == node.now + 1)
        node.pass(1)
        let effects = node.step(.timer(.leader))
        #expect(effects.nullifyVotes == [2])
        #expect(effects.contains(.cancelTimer(.view)))
        #expect(node.step(.timer(.view)).isEmpty)
        for _ in 0..<3 {
            node.pass(2 * Cast.delta)
            let again = node.step(.timer(.nullifyAgain))
            #expect(again.broadcasts == [.nullification(entry), .nullifyVote(cast.vote(cast.nullify(2), by: node.me))])
            #expect(again.timer(.nullifyAgain) == node.now + 2 * Cast.delta)
        }
    }

    @Test func notarizeThenNullifyIsLegalAndNothingFollows() throws {
        var node = try Dialogue.started(cast, notLeading: 1...2)
        #expect(node.hearValid(cast.proposal(1)).notarizeVotes.count == 1)
        node.pass(3 * Cast.delta)
        #expect(node.step(.timer(.view)).nullifyVotes == [1])
        let effects = node.notarize(cast.proposal(1))
        #expect(effects.entered == [2])
        #expect(effects.finalizeVotes.isEmpty)
    }

    @Test func aTimerOfAViewThatMovedDoesNothing() throws {
        var node = try Dialogue.started(cast, notLeading: 1...3)
        _ = node.step(.workPending(true))
        node.pass(2 * Cast.delta)
        _ = node.notarize(cast.proposal(1))
        #expect(node.step(.timer(.leader)).nullifyVotes.isEmpty)
    }

    // MARK: 6. Nullification

    @Test func aViewBothNullifiedAndNotarized() throws {
        var node = try Dialogue.started(cast, notLeading: 1...2)
        let effects = node.nullify(1)
        #expect(effects.entered == [2])
        #expect(effects.broadcasts.count == 1)
        // This node did not nullify, so it may still promise; it does not go back.
        let late = node.notarize(cast.proposal(1))
        #expect(late.finalizeVotes == [cast.finalize(1)])
        #expect(late.entered.isEmpty)
        // Later leaders may build on either.
        #expect(
            node.hear(.notarizeVote(cast.vote(cast.proposal(2, on: 1), by: cast.leader(2))), from: cast.leader(2))
                .verifies.count == 1)
        var other = try Dialogue.started(cast, notLeading: 1...2)
        _ = other.nullify(1)
        _ = other.notarize(cast.proposal(1))
        #expect(
            other.hear(.notarizeVote(cast.vote(cast.proposal(2, on: 0), by: cast.leader(2))), from: cast.leader(2))
                .verifies.count == 1)
    }

    // MARK: 7. Finalization

    @Test func aFinalizationIsDeliveredOnceAndUpwards() throws {
        var node = try Dialogue.started(cast, notLeading: 10...10)
        _ = node.notarize(cast.proposal(1))
        let nine = cast.certificate(cast.finalize(9), by: Array(node.others))
        let effects = node.hear(.finalization(nine), from: node.others[0])
        #expect(effects.finalized == [View(9)])
        #expect(effects.entered == [10])
        #expect(node.machine.lastFinalized == BlockReference(view: View(9), digest: Cast.digest(9)))
        #expect(node.position == [.finalization(nine)])
        let before = cast.certificate(cast.finalize(4), by: Array(node.others))
        for certificate in [nine, before] {
            #expect(node.hear(.finalization(certificate), from: node.others[1]).isEmpty)
        }
        #expect(node.notarize(cast.proposal(5)).isEmpty)
    }

    @Test func votesOfAFinalViewComeToNothing() throws {
        var node = try Dialogue.started(cast, notLeading: 10...10)
        let nine = cast.certificate(cast.finalize(9), by: Array(node.others))
        _ = node.hear(.finalization(nine), from: node.others[0])
        for view in [5, 9] as [UInt64] {
            for other in node.others {
                let effects =
                    node.hear(.nullifyVote(cast.vote(cast.nullify(view), by: other)), from: other)
                    + node.hear(.notarizeVote(cast.vote(cast.proposal(view), by: other)), from: other)
                #expect(effects.broadcasts.isEmpty && effects.entered.isEmpty && effects.verifies.isEmpty)
            }
        }
        #expect(node.position == [.finalization(nine)])
    }

    @Test func votesOfAQuorumMakeAFinalization() throws {
        var node = try Dialogue.started(cast, notLeading: 1...2)
        _ = node.notarize(cast.proposal(1))
        #expect(
            node.hear(.finalizeVote(cast.vote(cast.finalize(1), by: node.others[0])), from: node.others[0]).finalized
                .isEmpty)
        let effects = node.hear(.finalizeVote(cast.vote(cast.finalize(1), by: node.others[1])), from: node.others[1])
        #expect(effects.finalized == [View(1)])
    }

    @Test func aSingleMasternodeAgreesWithItself() throws {
        let alone = Cast(1)
        var node = try Dialogue(alone, me: 0)
        #expect(node.step(.start).requests.count == 1)
        for view in 1...5 as ClosedRange<UInt64> {
            let effects = node.step(.proposed(view: View(view), digest: Cast.digest(view)))
            #expect(effects.finalized == [View(view)])
            #expect(effects.requests.map(\.view) == [View(view + 1)])
            // Even here the votes are on the disk before the block is final.
            guard
                case .journal(let records, _) = effects.first(where: { if case .journal = $0 { true } else { false } })
            else {
                Issue.record("no journal")
                return
            }
            #expect(records.count == 4)
        }
    }
}
