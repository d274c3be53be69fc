import Consensus
import Primitives
import Testing

/// Rule 12: who does not know the votes of its key asks the others, and votes above what they show.
@Suite(.timeLimit(.minutes(20))) struct WayBackTests {
    let cast = Cast(4)

    private func asking(_ start: VotingStart = .rejoins(insists: false), rules: Rules = Rules()) throws -> Dialogue {
        var node = try Dialogue(cast, me: 0, start: start, rules: rules)
        let effects = node.step(.start)
        #expect(effects.contains { if case .broadcast(.wantPosition) = $0 { true } else { false } })
        return node
    }

    private func answer(_ node: inout Dialogue, _ view: UInt64, from other: UInt16, returned: [UInt16] = []) -> [Effect] {
        node.hear(.position(epoch: cast.configuration.epoch, view: View(view), returned: returned), from: other)
    }

    private func floor(_ effects: [Effect]) -> View? {
        for case .takesPart(let view) in effects { return view }
        return nil
    }

    /// What lies below the view that the others are in: without it no proposal on the root could be voted for.
    private func fillViews(_ node: inout Dialogue) {
        for view in 1...4 as ClosedRange<UInt64> {
            _ = node.hear(.nullification(cast.certificate(cast.nullify(view), by: [1, 2, 3])), from: 2)
        }
    }

    @Test func votesFromTheViewAboveOn() throws {
        var node = try asking()
        // Two of the three others answer, one of them from view 6.
        #expect(floor(answer(&node, 4, from: 1)) == nil)
        #expect(floor(answer(&node, 6, from: 2)) == nil, "a claim without certificates is no answer")
        var effects = node.hear(.nullification(cast.certificate(cast.nullify(5), by: [1, 2, 3])), from: 2)
        #expect(floor(effects) == View(6) && node.machine.view == View(6))
        // In the floor's view it may give up, and nothing else, though all that a vote needs is here.
        fillViews(&node)
        effects = node.hearValid(cast.proposal(6))
        #expect(effects.notarizeVotes.isEmpty)
        _ = node.step(.workPending(true))
        node.pass(10 * Cast.delta)
        effects = node.step(.timer(.view))
        #expect(effects.nullifyVotes == [6])
        #expect(node.journal.contains(.floor(cast.configuration.epoch, View(6))))
        // Above it takes full part.
        _ = node.hear(.nullification(cast.certificate(cast.nullify(6), by: [1, 2, 3])), from: 1)
        if cast.leader(7) != 0 { #expect(node.hearValid(cast.proposal(7)).notarizeVotes.count == 1) }
    }

    @Test func itsOwnVotesLiftTheFloor() throws {
        var node = try asking()
        #expect(node.hear(.nullifyVote(cast.vote(cast.nullify(9), by: 0)), from: 1).nullifyVotes.isEmpty)
        // Nobody but the key itself can.
        let forged = Vote(subject: cast.nullify(90), signer: 0, signature: cast.vote(cast.nullify(90), by: 3).signature)
        #expect(node.hear(.nullifyVote(forged), from: 3).contains(.misbehaviour(.wrongSignature, by: .masternode(3))))
        _ = answer(&node, 1, from: 1)
        #expect(floor(answer(&node, 1, from: 2)) == View(9))
    }

    @Test func othersTellWhatTheyHoldOfTheAsker() throws {
        var node = try Dialogue(cast, me: 0)
        _ = node.step(.start)
        _ = node.hear(.nullifyVote(cast.vote(cast.nullify(1), by: 2)), from: 2)
        let effects = node.hear(.wantPosition(epoch: cast.configuration.epoch, isRejoin: true), from: 2)
        let sent = effects.compactMap { if case .send(let message, .masternode(2)) = $0 { message } else { nil } }
        #expect(sent.contains(.nullifyVote(cast.vote(cast.nullify(1), by: 2))))
        #expect(sent.last == .position(epoch: cast.configuration.epoch, view: View(1), returned: []))
        let third = node.hear(.wantPosition(epoch: cast.configuration.epoch, isRejoin: false), from: 3)
        #expect(third.contains(.send(.position(epoch: cast.configuration.epoch, view: View(1), returned: [2]), to: .masternode(3))))
    }

    /// Of the votes that came after the certificate too, once they are known to be genuine.
    @Test func othersTellOfVotesThatCameLate() throws {
        var node = try Dialogue.started(cast, notLeading: 1...1)
        let rest = node.others.filter { $0 != cast.leader(1) }
        _ = node.hearValid(cast.proposal(1))
        _ = node.hear(.notarizeVote(cast.vote(cast.proposal(1), by: rest[0])), from: rest[0])
        let asker = rest[1]
        let own = ConsensusMessage.notarizeVote(cast.vote(cast.proposal(1), by: asker))
        #expect(node.hear(own, from: asker).isEmpty)
        for _ in 0..<2 {
            let answers = node.hear(.wantPosition(epoch: cast.configuration.epoch, isRejoin: false), from: asker)
            #expect(answers.contains(.send(own, to: .masternode(asker))))
        }
    }

    /// Of four, two that lost votes are more than the set tolerates.
    @Test func noMoreComeBackThanTheSetTolerates() throws {
        var node = try asking()
        #expect(floor(answer(&node, 1, from: 1, returned: [3])) == nil)
        let effects = answer(&node, 1, from: 2, returned: [3])
        #expect(floor(effects) == nil && effects.contains(.rejoinRefused([3])))
        // Unless its operator insists; nor is it kept out by what the others know of itself.
        node = try asking(.rejoins(insists: true))
        _ = answer(&node, 1, from: 1, returned: [3])
        #expect(floor(answer(&node, 1, from: 2, returned: [3])) == View(1))
        node = try asking()
        _ = answer(&node, 1, from: 1, returned: [0])
        #expect(floor(answer(&node, 1, from: 2, returned: [0])) == View(1))
    }

    @Test func theFloorOutlivesARestart() throws {
        var node = try asking()
        _ = node.hear(.nullification(cast.certificate(cast.nullify(5), by: [1, 2, 3])), from: 2)
        _ = answer(&node, 6, from: 1)
        #expect(floor(answer(&node, 6, from: 2)) == View(6))
        var again = try Dialogue(cast, me: 0, journal: node.journal)
        _ = again.step(.start)
        _ = again.hear(.nullification(cast.certificate(cast.nullify(5), by: [1, 2, 3])), from: 2)
        fillViews(&again)
        #expect(again.hearValid(cast.proposal(6)).notarizeVotes.isEmpty)
    }

    @Test func aVoteOfItsOwnKeyThatItDoesNotKnowEndsVoting() throws {
        var node = try Dialogue.started(cast, notLeading: 1...3)
        let vote = cast.vote(cast.nullify(2), by: node.me)
        #expect(node.hear(.nullifyVote(vote), from: node.others[0]).contains(.observing(.voteUnknownToJournal(View(2)))))
    }

    @Test func whoKnowsOfNoVotesAndMeetsOneIsNoNewcomer() throws {
        var node = try asking(.asks)
        let effects = node.hear(.nullifyVote(cast.vote(cast.nullify(2), by: 0)), from: 1)
        #expect(effects.contains(.observing(.voteUnknownToJournal(View(2)))))
        _ = answer(&node, 1, from: 1)
        #expect(floor(answer(&node, 1, from: 2)) == nil)
    }
}
