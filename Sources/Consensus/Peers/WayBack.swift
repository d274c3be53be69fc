import Primitives

/// How a masternode's part begins (rule 12).
public enum VotingStart: Hashable, Sendable {
    /// Its journal has every vote of its key: it takes part at once.
    case remembers
    /// Nothing is known of votes of its key: it asks the others where they stand, and takes part from there.
    case asks
    /// Votes of its key are lost, and its operator wants it back at once. Refused where so many others do the same that
    /// all together are more than the set tolerates, unless its operator insists.
    case rejoins(insists: Bool)
}

/// Asks the other masternodes for their positions, until enough have answered.
struct Inquiry: Sendable {
    let start: VotingStart
    /// The highest view in which somebody showed a vote of this node's key, by its signature.
    var voted = View.zero
    /// The views that the others say they are in.
    var positions: [UInt16: View] = [:]
    /// Others that lost votes and came back in this epoch, as the others tell.
    var returned: Set<UInt16> = []
    var againAt: Instant
    /// Whether the host was told that this node may not come back.
    var isRefused = false

    var isRejoin: Bool { if case .rejoins = start { true } else { false } }
    var insists: Bool { if case .rejoins(let insists) = start { insists } else { true } }
}

extension Simplex {
    /// Rule 12 b. Positions count once this node stands there itself, which only certificates bring about: nobody can keep
    /// it out, or lift it, by a claim.
    mutating func concludeInquiry() {
        guard let me, let inquiry else { return }
        let others = configuration.set.count - 1
        let needed = max(0, others - configuration.set.faultTolerance)
        guard inquiry.positions.values.count(where: { $0 <= view }) >= needed else { return }
        let returned = inquiry.returned.union(returning).subtracting([me])
        if inquiry.isRejoin, !inquiry.insists, !returned.isEmpty, returned.count + 1 > configuration.set.faultTolerance {
            if !inquiry.isRefused {
                self.inquiry?.isRefused = true
                outbox.emit(.rejoinRefused(returned.sorted()))
            }
            return
        }
        self.inquiry = nil
        isObserving = false
        // A chain on which nobody has certified anything yet: there was nothing to vote on.
        let isFresh = view == View(1) && final.finalization == nil && configuration.epoch == .zero && !inquiry.isRejoin
        setFloor(isFresh ? inquiry.voted : max(view, inquiry.voted))
        outbox.emit(.takesPart(from: voteFloor))
        clock.enterView()
        noticeUse()
    }

    /// Never a vote below this view; in it nullify alone.
    private mutating func setFloor(_ floor: View) {
        voteFloor = floor
        hasFloor = true
        outbox.journal(.floor(configuration.epoch, floor))
    }

    /// The host found that votes of this key are lost: it does not come back by itself.
    public mutating func stopVoting() {
        inquiry = nil
        isObserving = true
    }

    /// Asks the others where they stand, to come back though votes are lost.
    public mutating func rejoin(_ start: VotingStart) {
        guard me != nil else { return }
        inquiry = Inquiry(start: start, againAt: clock.now)
        isObserving = true
    }

    /// Whether it still asks the others where they stand.
    public var isInquiring: Bool { inquiry != nil }

    mutating func inquire() {
        guard inquiry != nil else { return }
        let again = instant(afterBoundedDelays: 2)
        inquiry?.againAt = again
        if let question { outbox.emit(.broadcast(question)) }
    }

    var question: ConsensusMessage? {
        inquiry.map { .wantPosition(epoch: configuration.epoch, isRejoin: $0.isRejoin) }
    }

    /// Another masternode asks where this one stands.
    mutating func answerPosition(isRejoin: Bool, to peer: Peer) {
        guard let me, case .masternode(let asker) = peer, asker != me else { return }
        if isRejoin { returning.insert(asker) }
        for message in position(finalizedSince: .zero) + votes(of: asker) { outbox.answer(message, to: peer) }
        outbox.answer(
            .position(epoch: configuration.epoch, view: view, returned: returning.subtracting([asker]).sorted()), to: peer)
    }

    /// What this node holds of another's votes: its own signatures show it how far it has voted.
    private mutating func votes(of signer: UInt16) -> [ConsensusMessage] {
        var messages: [ConsensusMessage] = []
        for view in slots.keys.sorted().suffix(Int(ConsensusLimits.viewsPerRequest)) {
            guard let slot = slots[view] else { continue }
            let late: Vote<Proposal>? = checkAside(of: signer, in: view)
            if let vote = slot.notarizeVotes.vote(of: signer) ?? late { messages.append(.notarizeVote(vote)) }
            if let vote = slot.nullifyVotes.vote(of: signer) { messages.append(.nullifyVote(vote)) }
            if let vote = slot.finalizeVotes.vote(of: signer) { messages.append(.finalizeVote(vote)) }
        }
        return messages
    }

    /// Somebody shows a vote of this node's own key.
    mutating func receiveOwn<Subject: SlotSubject>(_ vote: Vote<Subject>, from peer: Peer) {
        let view = vote.subject.view
        guard let me, let member = configuration.set.member(me), view > final.block.view, view > voteFloor,
            slots[view].flatMap({ Subject.own(in: $0.own) })?.subject != vote.subject
        else { return }
        guard vote.isGenuine(of: member, genesis: configuration.genesis, verifier: verifier) || !rules.checkSignatures else {
            return outbox.emit(.misbehaviour(.wrongSignature, by: peer))
        }
        if let inquiry, inquiry.isRejoin {
            self.inquiry?.voted = max(inquiry.voted, view)
        } else if rules.noticeLostVotes {
            meetUnknownVote(in: view)
        }
    }

    /// A vote of this node's key that its journal does not know. Whoever came back in this epoch knows that there are such
    /// votes, and goes on above this one as well; for all others it is the end of voting.
    mutating func meetUnknownVote(in view: View) {
        let own = slots[view]?.own
        let hasVoted = own?.notarize != nil || own?.nullify != nil || own?.finalize != nil
        if voteFloor > .zero, !hasVoted, !isObserving {
            setFloor(max(voteFloor, view))
        } else {
            observe(because: .voteUnknownToJournal(view))
        }
    }

    mutating func receivePosition(_ view: View, returned: [UInt16], from peer: Peer) {
        guard inquiry != nil, case .masternode(let other) = peer, other != me else { return }
        inquiry?.positions[other] = view
        for place in returned where configuration.set.member(place) != nil { inquiry?.returned.insert(place) }
    }
}
