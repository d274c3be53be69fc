import Primitives

extension Simplex {
    /// q = n - f.
    var quorum: Int { max(1, configuration.set.quorum - (rules.fullQuorum ? 0 : 1)) }

    // MARK: From votes. What q checked votes make needs no check of its own.

    mutating func formNotarization(of subject: Proposal) {
        guard let slot = slots[subject.view], slot.notarization == nil,
            let certificate = certificate(on: subject, from: slot.notarizeVotes)
        else { return }
        adopt(certificate, formedHere: true)
    }

    mutating func formNullification(of subject: Nullify) {
        guard let slot = slots[subject.view], slot.nullification == nil,
            let certificate = certificate(on: subject, from: slot.nullifyVotes)
        else { return }
        adopt(certificate, formedHere: true)
    }

    mutating func formFinalization(of subject: Finalize) {
        guard let slot = slots[subject.view], let certificate = certificate(on: subject, from: slot.finalizeVotes)
        else { return }
        adopt(certificate)
    }

    private func certificate<Subject: SlotSubject>(on subject: Subject, from tray: VoteTray<Subject>) -> Certificate<Subject>? {
        guard tray.count >= quorum else { return nil }
        let votes = tray.votes(on: subject)
        return votes.count >= quorum ? Certificate(subject: subject, votes: votes) : nil
    }

    // MARK: From others. Rule 10: those above the last finalised view are taken, below and above the current one.

    mutating func receive(_ certificate: Notarization, from peer: Peer) {
        let held = slots[certificate.view]?.notarization
        guard certificate.view > final.block.view, held?.subject != certificate.subject,
            isGenuine(certificate, from: peer)
        else { return }
        keepVotes(of: certificate)
        if held == nil { adopt(certificate, formedHere: false) }
    }

    mutating func receive(_ certificate: Nullification, from peer: Peer) {
        guard certificate.view > final.block.view, slots[certificate.view]?.nullification == nil,
            isGenuine(certificate, from: peer)
        else { return }
        keepVotes(of: certificate)
        adopt(certificate, formedHere: false)
    }

    mutating func receive(_ certificate: Finalization, from peer: Peer) {
        guard certificate.view > final.block.view, isGenuine(certificate, from: peer) else { return }
        keepVotes(of: certificate)
        adopt(certificate)
    }

    /// Checks a quorum's signatures, but for those that were checked with a vote before.
    private mutating func isGenuine<Subject: SlotSubject>(_ certificate: Certificate<Subject>, from peer: Peer) -> Bool {
        guard rules.checkSignatures else { return true }
        let message = Subject.domain.message(genesis: configuration.genesis, body: certificate.subject)
        let known = slots[certificate.view].map { Subject.votes(in: $0) }
        let genuine =
            certificate.signers.count >= quorum && certificate.signers.count == certificate.signatures.count
            && zip(certificate.signers, certificate.signatures).allSatisfy { signer, signature in
                if let vote = known?.vote(of: signer), vote.subject == certificate.subject, vote.signature == signature
                {
                    return true
                }
                guard let member = configuration.set.member(signer) else { return false }
                return verifier.isValid(signature, of: member.consensusKey, message: message)
            }
        if !genuine { outbox.emit(.misbehaviour(.forgedCertificate, by: peer)) }
        return genuine
    }

    /// Rule 8 counts votes inside certificates too. A vote of this node's own key that its journal does not know
    /// shows that the journal is an old copy.
    private mutating func keepVotes<Subject: SlotSubject>(of certificate: Certificate<Subject>) {
        guard certificate.view.advanced(by: configuration.viewWindow) >= view else { return }
        for (signer, signature) in zip(certificate.signers, certificate.signatures) {
            if signer == me, rules.noticeLostVotes, certificate.view > voteFloor,
                slots[certificate.view].flatMap({ Subject.own(in: $0.own) })?.subject != certificate.subject
            {
                meetUnknownVote(in: certificate.view)
            }
            let vote = Vote(subject: certificate.subject, signer: signer, signature: signature)
            let checked = slots[certificate.view].flatMap { Subject.votes(in: $0).vote(of: signer) }
            if let held = checked ?? checkAside(of: signer, in: certificate.view) {
                accuse(Evidence.between(held, vote))
            } else {
                keep(vote)
            }
        }
    }

    // MARK: Taken

    /// Rule 4.
    private mutating func adopt(_ certificate: Notarization, formedHere: Bool) {
        slots[certificate.view, default: Slot()].notarization = certificate
        outbox.emit(.notarized(certificate))
        let moves = movesView(certificate.view)
        if moves {
            if certificate.view == view { observeLatency() }
            restartHeartbeat()
            journal(.notarization(certificate))
        }
        // One that only fills a gap was fetched; whoever lacks it fetches it too.
        if moves || formedHere { relay(.notarization(certificate)) }
        castFinalize(in: certificate.view)
        if moves { enter(certificate.view.next, by: .notarization(certificate)) }
    }

    /// Rule 6.
    private mutating func adopt(_ certificate: Nullification, formedHere: Bool) {
        slots[certificate.view, default: Slot()].nullification = certificate
        let moves = movesView(certificate.view)
        if moves { journal(.nullification(certificate)) }
        if moves || formedHere { relay(.nullification(certificate)) }
        if moves { enter(certificate.view.next, by: .nullification(certificate)) }
    }

    /// Rule 7. What lies below is forgotten: nothing there can matter to a vote again.
    private mutating func adopt(_ certificate: Finalization) {
        guard certificate.view > final.block.view else { return }
        final = FinalTip(certificate, isDelivered: true)
        slots = slots.filter { $0.key > certificate.view }
        outbox.publish(.finalized(certificate))
        guard movesView(certificate.view) else { return }
        restartHeartbeat()
        journal(.finalization(certificate))
        enter(certificate.view.next, by: .finalization(certificate))
    }

    private func movesView(_ certified: View) -> Bool { certified >= view || !rules.viewsOnlyRise }

    /// A follower has no votes to stay true to, so it keeps no journal.
    private mutating func journal(_ record: JournalRecord) {
        if me != nil { outbox.journal(record) }
    }

    private mutating func relay(_ message: ConsensusMessage) {
        if me != nil { outbox.publish(.broadcast(message)) }
    }
}
