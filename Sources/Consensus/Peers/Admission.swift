import Primitives

extension Simplex {
    /// Rule 10. What is refused changes nothing.
    mutating func receive(_ message: ConsensusMessage, from peer: Peer) {
        guard message.epoch == configuration.epoch else {
            if message.epoch > configuration.epoch { outbox.emit(.epochAhead(message.epoch, peer)) }
            return
        }
        switch message {
        case .notarizeVote(let vote) where vote.signer == me: receiveOwn(vote, from: peer)
        case .nullifyVote(let vote) where vote.signer == me: receiveOwn(vote, from: peer)
        case .finalizeVote(let vote) where vote.signer == me: receiveOwn(vote, from: peer)
        case .notarizeVote(let vote): receive(vote, from: peer)
        case .nullifyVote(let vote): receive(vote, from: peer)
        case .finalizeVote(let vote): receive(vote, from: peer)
        case .notarization(let certificate): receive(certificate, from: peer)
        case .nullification(let certificate): receive(certificate, from: peer)
        case .finalization(let certificate): receive(certificate, from: peer)
        case .wantCertificates(_, let from, let through): answer(from: from, through: through, to: peer)
        case .wantPosition(_, let isRejoin): answerPosition(isRejoin: isRejoin, to: peer)
        case .position(_, let view, let returned): receivePosition(view, returned: returned, from: peer)
        }
    }

    private mutating func receive(_ vote: Vote<Proposal>, from peer: Peer) {
        let proposal = vote.subject
        let isLeaders = vote.signer == configuration.leaders.leader(of: proposal.view)
        switch admit(vote, from: peer) {
        case .new:
            if isLeaders, slots[proposal.view]?.proposal == nil { slots[proposal.view]?.proposal = proposal }
            formNotarization(of: proposal)
            noticeUse()
        case .contradicting where isLeaders && !rules.notarizeOnce:
            slots[proposal.view]?.proposal = proposal
            slots[proposal.view]?.check = .notAsked
        case .contradicting, .repeated, .refused: break
        }
    }

    private mutating func receive(_ vote: Vote<Nullify>, from peer: Peer) {
        let admission = admit(vote, from: peer)
        if admission == .new {
            formNullification(of: vote.subject)
            noticeUse()
        }
        // A vote sent again, or for a view long left, is of a peer that waits there.
        if peer == .masternode(vote.signer), admission == .repeated || vote.subject.view.next < view {
            bringForward(peer, stuckIn: vote.subject.view)
        }
    }

    private mutating func receive(_ vote: Vote<Finalize>, from peer: Peer) {
        if admit(vote, from: peer) == .new { formFinalization(of: vote.subject) }
    }

    private enum Admission {
        /// Kept.
        case new
        /// Held already.
        case repeated
        /// Genuine, and at odds with one that is held.
        case contradicting
        case refused
    }

    /// Rule 10: sender is signer; in the window; one vote of each kind for each signer and view.
    private mutating func admit<Subject: SlotSubject>(_ vote: Vote<Subject>, from peer: Peer) -> Admission {
        guard peer == .masternode(vote.signer), vote.signer != me, let member = configuration.set.member(vote.signer)
        else {
            // A node that this one takes for a follower may have become a masternode meanwhile: no offence.
            if case .masternode = peer { outbox.emit(.misbehaviour(.notTheSigner, by: peer)) }
            return .refused
        }
        let view = vote.subject.view
        guard view > final.block.view else {
            hear(vote.signer, in: view)
            return .refused
        }
        guard view.advanced(by: configuration.viewWindow) >= self.view,
            view <= self.view.advanced(by: configuration.viewWindow)
        else { return .refused }
        var held = slots[view].flatMap { Subject.votes(in: $0).vote(of: vote.signer) }
        if let held, held.subject == vote.subject {
            hear(vote.signer, in: view)
            return .repeated
        }
        if held == nil, let place = slots.index(forKey: view) {
            // What there is a certificate on needs no more votes: its signature is checked where another vote contradicts it.
            if Subject.setAside(vote, in: &slots.values[place]) {
                hear(vote.signer, in: view)
                return .repeated
            }
            held = checkAside(of: vote.signer, in: view)
            if held?.subject == vote.subject {
                hear(vote.signer, in: view)
                return .repeated
            }
        }
        let slot = slots[view]
        // Once accused, a signer has nothing more to say in this view: its contradictions cost no more checks.
        if held != nil, slot?.accused.contains(vote.signer) == true, rules.notarizeOnce { return .refused }
        guard
            !rules.checkSignatures
                || vote.isGenuine(of: member, genesis: configuration.genesis, verifier: verifier)
        else {
            outbox.emit(.misbehaviour(.wrongSignature, by: peer))
            return .refused
        }
        hear(vote.signer, in: view)
        if let held {
            accuse(Evidence.between(held, vote))
            return .contradicting
        }
        keep(vote)
        return .new
    }

    /// Takes up what was put aside of a signer, as it says something else now, or asks for its votes. It came from the signer
    /// itself: of a forged one it is told then.
    /// - Returns: the vote, if it is genuine.
    mutating func checkAside<Subject: SlotSubject>(of signer: UInt16, in view: View) -> Vote<Subject>? {
        guard let place = slots.index(forKey: view),
            let member = configuration.set.member(signer),
            let vote = Subject.takeAside(of: signer, in: &slots.values[place])
        else { return nil }
        guard
            !rules.checkSignatures
                || vote.isGenuine(of: member, genesis: configuration.genesis, verifier: verifier)
        else {
            outbox.emit(.misbehaviour(.wrongSignature, by: .masternode(signer)))
            return nil
        }
        keep(vote)
        return vote
    }

    /// Keeps a genuine vote, the signer's first of its kind in the view, and looks whether another kind contradicts it.
    mutating func keep<Subject: SlotSubject>(_ vote: Vote<Subject>) {
        let view = vote.subject.view
        Subject.insert(vote, in: &slots[view, default: Slot()])
        guard Subject.self != Proposal.self, let slot = slots[view],
            let nullify = slot.nullifyVotes.vote(of: vote.signer),
            let finalize = slot.finalizeVotes.vote(of: vote.signer)
        else { return }
        accuse(Evidence(nullify, finalize))
    }

    /// Rule 8: tells of a contradiction once for each signer and view.
    mutating func accuse(_ evidence: Evidence?) {
        guard rules.keepEvidence, let evidence, evidence.signer != me,
            slots[evidence.view, default: Slot()].accused.insert(evidence.signer).inserted
        else { return }
        outbox.emit(.evidence(evidence))
    }
}

extension Evidence {
    /// Nil where the two don't contradict each other.
    static func between<Subject>(_ first: Vote<Subject>, _ second: Vote<Subject>) -> Evidence? {
        switch (first, second) {
        case (let first as Vote<Proposal>, let second as Vote<Proposal>): Evidence(first, second)
        case (let first as Vote<Finalize>, let second as Vote<Finalize>): Evidence(first, second)
        default: nil
        }
    }
}
