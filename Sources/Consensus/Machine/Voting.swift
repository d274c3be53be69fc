import Cryptography
import Primitives

extension Simplex {
    /// Rule 3: works towards the notarize vote on the leader's proposal of the current view.
    /// - Returns: the certificates that must be there first.
    mutating func vote() -> MissingCertificates? {
        guard let slot = slots[view], let proposal = slot.proposal, slot.check == .notAsked, mayNotarize(in: view)
        else { return nil }
        switch justification(of: proposal) {
        case .missing(let views):
            return MissingCertificates(views: views, holder: leader)
        case .impossible:
            rejectProposal()
        case .justified(let parentCertificate):
            slots[view]?.check = .asked
            if rules.requireVerdict {
                outbox.emit(.verify(proposal, parentCertificate: parentCertificate))
            } else {
                castNotarize(proposal)
            }
        }
        return nil
    }

    mutating func verified(view: View, digest: Digest, _ verdict: Verdict) {
        guard view == self.view, let slot = slots[view], let proposal = slot.proposal, proposal.digest == digest,
            slot.check == .asked, mayNotarize(in: view)
        else { return }
        switch verdict {
        case .valid where proposal.parentView >= final.block.view: castNotarize(proposal)
        case .valid, .invalid: rejectProposal()
        }
    }

    /// No vote can follow any more, so the view is given up without waiting for its timer.
    private mutating func rejectProposal() {
        slots[view]?.check = .invalid
        giveUpView()
    }

    /// Rule 3: at most once a view, never after nullify in it.
    func mayNotarize(in view: View) -> Bool {
        guard !isObserving, view > voteFloor || !rules.keepFloor else { return false }
        guard let own = slots[view]?.own else { return true }
        return (own.notarize == nil || !rules.notarizeOnce)
            && (own.nullify == nil || !rules.neverNotarizeAfterNullify)
    }

    /// Casts this node's vote on a proposal; the leader's own is the proposal.
    mutating func castNotarize(_ proposal: Proposal) {
        guard let vote = sign(proposal) else { return }
        slots[proposal.view, default: Slot()].own.notarize = vote
        outbox.journal(.notarizeVote(vote))
        outbox.publish(.broadcast(.notarizeVote(vote)))
        slots[proposal.view]?.notarizeVotes.insert(vote)
        formNotarization(of: proposal)
    }

    /// Rule 4: on a Notarization, unless nullify was sent. The body need not have been verified here: q voters hold it.
    mutating func castFinalize(in view: View) {
        guard !isObserving, let slot = slots[view], let notarization = slot.notarization, slot.own.finalize == nil,
            slot.own.nullify == nil || !rules.neverFinalizeAfterNullify, view > voteFloor || !rules.keepFloor
        else { return }
        let subject = Finalize(epoch: configuration.epoch, view: view, digest: notarization.subject.digest)
        guard let vote = sign(subject) else { return }
        slots[view]?.own.finalize = vote
        outbox.journal(.finalizeVote(vote))
        outbox.publish(.broadcast(.finalizeVote(vote)))
        slots[view]?.finalizeVotes.insert(vote)
        formFinalization(of: subject)
    }

    /// Rule 5: on a timer of the current view, or where waiting for it is of no use.
    mutating func giveUpView() {
        guard rules.neverNullifyAfterFinalize else {
            for left in slots.keys.sorted() where left < view { castNullify(in: left) }
            return castNullify(in: view)
        }
        castNullify(in: view)
    }

    private mutating func castNullify(in view: View) {
        let own = slots[view]?.own
        guard !isObserving, view >= voteFloor || !rules.keepFloor, own?.nullify == nil, own?.finalize == nil || !rules.neverNullifyAfterFinalize else {
            return
        }
        let subject = Nullify(epoch: configuration.epoch, view: view)
        guard let vote = sign(subject) else { return }
        slots[view, default: Slot()].own.nullify = vote
        clock.nullifyAgainAt = instant(afterBoundedDelays: 2)
        outbox.journal(.nullifyVote(vote))
        outbox.publish(.broadcast(.nullifyVote(vote)))
        slots[view]?.nullifyVotes.insert(vote)
        formNullification(of: subject)
    }

    /// Rule 5: repeats the nullify, with the certificate by which the view was entered, until the view moves.
    mutating func nullifyAgain() {
        guard !isObserving, let vote = slots[view]?.own.nullify else { return }
        clock.nullifyAgainAt = instant(afterBoundedDelays: 2)
        if let entry { outbox.publish(.broadcast(entry.message)) }
        outbox.publish(.broadcast(.nullifyVote(vote)))
    }

    /// Nil where the key fails: such a node can only observe.
    private mutating func sign<Subject: VoteSubject>(_ subject: Subject) -> Vote<Subject>? {
        guard let me, let signer else { return nil }
        let message = Subject.domain.message(genesis: configuration.genesis, body: subject)
        guard let signature = try? signer.sign(message: message) else {
            observe(because: .signerFailed)
            return nil
        }
        return Vote(subject: subject, signer: me, signature: signature)
    }

    mutating func observe(because reason: ObservingReason) {
        // Whoever asks since it knows of no votes has found one: it does not come back by itself.
        let isSurprise = inquiry?.start == .asks
        guard !isObserving || isSurprise else { return }
        inquiry = nil
        isObserving = true
        outbox.emit(.observing(reason))
    }
}
