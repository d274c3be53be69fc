import Consensus
import Primitives
import Testing

/// Rule 9, and timers that adapt.
@Suite(.timeLimit(.minutes(20))) struct SilenceTests {
    let cast = Cast(4)

    @Test(arguments: [4, 7]) func silentLeadersCostNoDelayAndLeadAgain(masternodes: Int) {
        for seed in 0..<2 as Range<UInt64> {
            #expect(SilenceScenario.absence(seed: seed, masternodes: masternodes) == [], "seed \(seed)")
        }
    }

    @Test(arguments: [1, 4, 7]) func timersFollowTheNetwork(masternodes: Int) {
        for seed in 0..<2 as Range<UInt64> {
            #expect(SilenceScenario.slowdown(seed: seed, masternodes: masternodes) == [], "seed \(seed)")
        }
    }

    @Test func whoeverHearsFewerThanQuorumWaits() throws {
        #expect(try SilenceScenario.cutOff() == [])
    }

    /// A machine that has entered views of all leaders, up to the next view that `silent` leads and with `heard` heard
    /// in each.
    private func dialogue(
        silent: UInt16, me: UInt16, views: UInt64, heard: [UInt16], working: Bool = true
    ) throws -> Dialogue {
        var node = try Dialogue(cast, me: me)
        _ = node.step(.start)
        if working { _ = node.step(.workPending(true)) }
        var view: UInt64 = 0
        while view < views || cast.leader(view + 1) != silent {
            view += 1
            for voter in heard { _ = node.hear(.notarizeVote(cast.vote(cast.proposal(view), by: voter)), from: voter) }
            _ = node.nullify(view)
        }
        return node
    }

    @Test func aSilentLeaderIsNullifiedAtOnce() throws {
        let (me, silent) = (cast.leader(1), cast.leader(3))
        let heard = cast.others(than: me).filter { $0 != silent }
        let node = try dialogue(silent: silent, me: me, views: 8, heard: heard)
        #expect(node.machine.silentMasternodes == [silent])
        // The vote went out on entry, in the step that took the certificate.
        #expect(node.position.contains(.nullifyVote(cast.vote(cast.nullify(node.machine.view.value), by: me))))
    }

    @Test func nobodyIsSilentWithinTwoRotationsOfTheStart() throws {
        let (me, silent) = (cast.leader(1), cast.leader(3))
        let heard = cast.others(than: me).filter { $0 != silent }
        let node = try dialogue(silent: silent, me: me, views: 4, heard: heard)
        #expect(node.machine.silentMasternodes == [])
        #expect(!node.position.contains(.nullifyVote(cast.vote(cast.nullify(node.machine.view.value), by: me))))
    }

    @Test func anIdleNetworkWaitsForTheHeartbeat() throws {
        let (me, silent) = (cast.leader(1), cast.leader(3))
        let heard = cast.others(than: me).filter { $0 != silent }
        // The views that f + 1 are seen at work in are over, so nothing runs here before the heartbeat is due.
        var node = try dialogue(silent: silent, me: me, views: 8, heard: heard, working: false)
        let view = node.machine.view.value
        #expect(!node.position.contains(.nullifyVote(cast.vote(cast.nullify(view), by: me))))
        node.pass(Cast.heartbeat - 1)
        #expect(node.step(.timer(.leader)).nullifyVotes == [])
        node.pass(1)
        #expect(node.step(.timer(.leader)).nullifyVotes == [view])
        #expect(node.nullify(view).nullifyVotes == [])
    }

    @Test func oneVoteEndsTheSilence() throws {
        let (me, silent) = (cast.leader(1), cast.leader(3))
        let heard = cast.others(than: me).filter { $0 != silent }
        let votes: [(UInt64) -> ConsensusMessage] = [
            { .finalizeVote(cast.vote(cast.finalize($0 - 1), by: silent)) },
            { .nullifyVote(cast.vote(cast.nullify($0 - 2), by: silent)) },
            { .notarizeVote(cast.vote(cast.proposal($0), by: silent)) },
        ]
        for vote in votes {
            var node = try dialogue(silent: silent, me: me, views: 8, heard: heard, working: false)
            _ = node.hear(vote(node.machine.view.value), from: silent)
            #expect(node.machine.silentMasternodes == [])
            #expect(node.step(.workPending(true)).nullifyVotes == [])
        }
        // Not one of somebody else, a forged one, or one of views long left.
        let view = try dialogue(silent: silent, me: me, views: 40, heard: heard, working: false).machine.view.value
        let other = cast.vote(cast.nullify(view), by: heard[0])
        let lies: [(ConsensusMessage, UInt16)] = [
            (.nullifyVote(cast.vote(cast.nullify(view), by: silent)), heard[0]),
            (.nullifyVote(Vote(subject: other.subject, signer: silent, signature: other.signature)), silent),
            (.nullifyVote(cast.vote(cast.nullify(1), by: silent)), silent),
        ]
        for (lie, sender) in lies {
            var node = try dialogue(silent: silent, me: me, views: 40, heard: heard, working: false)
            _ = node.hear(lie, from: sender)
            #expect(node.machine.silentMasternodes == [silent])
        }
    }

    @Test func lateVotesOfFinalViewsAreHeard() throws {
        let (me, silent) = (cast.leader(1), cast.leader(3))
        let heard = cast.others(than: me).filter { $0 != silent }
        var node = try dialogue(silent: silent, me: me, views: 8, heard: heard, working: false)
        let view = node.machine.view.value
        _ = node.hear(.finalization(cast.certificate(cast.finalize(view), by: node.others)), from: heard[0])
        #expect(node.machine.silentMasternodes == [silent])
        _ = node.hear(.finalizeVote(cast.vote(cast.finalize(view - 1), by: silent)), from: silent)
        #expect(node.machine.silentMasternodes == [])
    }

    @Test func aLeaderThatNullifiesItsViewIsNotWaitedFor() throws {
        var node = try Dialogue.started(cast, notLeading: 1...1)
        let leader = cast.leader(1)
        _ = node.step(.workPending(true))
        let other = node.others.first { $0 != leader }!
        #expect(node.hear(.nullifyVote(cast.vote(cast.nullify(1), by: other)), from: other).nullifyVotes == [])
        #expect(node.hear(.nullifyVote(cast.vote(cast.nullify(1), by: leader)), from: leader).nullifyVotes == [1])
    }

    @Test func theDelayStaysWithinItsBounds() throws {
        let cast = Cast(4, minimumDelayMs: 150)
        var node = try Dialogue(cast, me: cast.leader(1))
        _ = node.step(.start)
        _ = node.step(.workPending(true))
        #expect(node.machine.delayMs == Cast.delta)
        var last = Cast.delta
        for view in 1...60 as ClosedRange<UInt64> {
            node.pass(10)
            // Each of the others is heard now and then: none is silent.
            let voter = node.others[Int(view) % node.others.count]
            _ = node.hear(.notarizeVote(cast.vote(cast.proposal(view), by: voter)), from: voter)
            _ = node.notarize(cast.proposal(view))
            #expect(node.machine.delayMs <= last && last - node.machine.delayMs <= (last + 15) / 16)
            last = node.machine.delayMs
        }
        #expect(last == 150)
        // Timers run out under leaders who propose: doubled each time, up to 32 times the bound.
        for expected in [300, 600, 1_200, 2_400, 4_800, 9_600, 19_200, 32_000, 32_000] as [UInt64] {
            let proposal = cast.proposal(node.machine.view.value, on: 60)
            let leader = node.machine.leader
            if leader == node.me {
                _ = node.step(.proposed(view: proposal.view, digest: proposal.digest))
            } else {
                _ = node.hear(.notarizeVote(cast.vote(proposal, by: leader)), from: leader)
            }
            node.pass(3 * node.machine.delayMs)
            #expect(node.step(.timer(.view)).nullifyVotes == [proposal.view.value])
            #expect(node.machine.delayMs == expected)
            _ = node.nullify(node.machine.view.value)
        }
        // A quorum is heard again: what lies beyond the bound is given up at once.
        _ = node.notarize(cast.proposal(node.machine.view.value))
        #expect(node.machine.delayMs <= Cast.delta)
        // One slow view raises it at once, to twice its latency.
        for _ in 1...60 { _ = node.notarize(cast.proposal(node.machine.view.value)) }
        #expect(node.machine.delayMs == 150)
        node.pass(300)
        _ = node.notarize(cast.proposal(node.machine.view.value))
        #expect(node.machine.delayMs == 600)
    }

    /// More patience is of no use with leaders of whom nothing is heard.
    @Test func goneLeadersAreNotWaitedForBeyondTheBound() throws {
        let cast = Cast(4, minimumDelayMs: 150)
        var node = try Dialogue(cast, me: cast.leader(1))
        _ = node.step(.start)
        _ = node.step(.workPending(true))
        for view in 1...60 as ClosedRange<UInt64> { _ = node.notarize(cast.proposal(view)) }
        #expect(node.machine.delayMs == 150)
        for expected in [300, 600, 1_000, 1_000, 1_000] as [UInt64] {
            node.pass(3 * node.machine.delayMs)
            _ = node.step(.timer(.view))
            #expect(node.machine.delayMs == expected)
            _ = node.nullify(node.machine.view.value)
        }
    }

    /// A view that an outage held up is no reason to wait as long for each leader after it.
    @Test func anOutageRaisesPatienceNoFurtherThanTheBound() throws {
        let cast = Cast(4, minimumDelayMs: 150)
        var node = try Dialogue.started(cast, notLeading: 1...2)
        _ = node.step(.workPending(true))
        node.pass(20 * Cast.delta)
        _ = node.notarize(cast.proposal(1))
        #expect(node.machine.delayMs == Cast.delta)
        // With a view that failed meanwhile it stays where that brought it, and falls back with the first quick one.
        node.pass(20 * Cast.delta)
        _ = node.step(.timer(.view))
        _ = node.notarize(cast.proposal(2))
        #expect(node.machine.delayMs == 2 * Cast.delta)
        node.pass(10)
        _ = node.notarize(cast.proposal(3))
        #expect(node.machine.delayMs == Cast.delta)
    }

    /// Who waits beyond the bound falls back when one more than f, who wait no longer, give the view up.
    @Test func patienceEndsWhenOthersGiveUp() throws {
        var node = try Dialogue.started(cast, notLeading: 1...2)
        _ = node.step(.workPending(true))
        node.pass(3 * Cast.delta)
        #expect(node.step(.timer(.view)).nullifyVotes == [1])
        #expect(node.machine.delayMs == 2 * Cast.delta)
        _ = node.nullify(1)
        let others = node.others.filter { $0 != cast.leader(2) }
        _ = node.hear(.nullifyVote(cast.vote(cast.nullify(2), by: others[0])), from: others[0])
        #expect(node.machine.delayMs == 2 * Cast.delta)
        _ = node.hear(.nullifyVote(cast.vote(cast.nullify(2), by: others[1])), from: others[1])
        #expect(node.machine.delayMs == Cast.delta)
    }
}
