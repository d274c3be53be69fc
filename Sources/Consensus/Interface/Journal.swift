import Primitives

extension Simplex {
    /// What the journal must still hold once everything up to the last finalisation is durable in the block store: the
    /// host may then replace the journal by these records, in one atomic act. It includes records whose
    /// ``Effect/journal(_:_:)`` is still under way; that these come twice does no harm. The replacement must keep its
    /// place among the journal effects: what is journalled after this was read is appended after it.
    public var journalToKeep: [JournalRecord] {
        guard me != nil else { return [] }
        var records: [JournalRecord] = final.finalization.map { [.finalization($0)] } ?? []
        if hasFloor { records.append(.floor(configuration.epoch, voteFloor)) }
        for view in slots.keys.sorted() {
            guard let slot = slots[view] else { continue }
            if let vote = slot.own.notarize { records.append(.notarizeVote(vote)) }
            if let vote = slot.own.nullify { records.append(.nullifyVote(vote)) }
            if let certificate = slot.notarization { records.append(.notarization(certificate)) }
            if let certificate = slot.nullification { records.append(.nullification(certificate)) }
            if let vote = slot.own.finalize { records.append(.finalizeVote(vote)) }
        }
        return records
    }

    /// Restores from the journal, in order, what was said and where this node stood.
    mutating func replay(_ journal: [JournalRecord]) throws(ConsensusError) {
        guard me != nil else { return }
        for record in journal {
            switch record {
            case .notarizeVote(let vote): try restore(vote)
            case .nullifyVote(let vote): try restore(vote)
            case .finalizeVote(let vote): try restore(vote)
            case .floor(let epoch, let floor):
                guard epoch == configuration.epoch else { continue }
                (voteFloor, hasFloor) = (max(voteFloor, floor), true)
            case .notarization(let certificate):
                guard concerns(certificate.subject) else { continue }
                slots[certificate.view, default: Slot()].notarization = certificate
                stand(after: certificate.view, by: .notarization(certificate))
            case .nullification(let certificate):
                guard concerns(certificate.subject) else { continue }
                slots[certificate.view, default: Slot()].nullification = certificate
                stand(after: certificate.view, by: .nullification(certificate))
            case .finalization(let certificate):
                guard concerns(certificate.subject) else { continue }
                final = FinalTip(certificate, isDelivered: false)
                slots = slots.filter { $0.key > certificate.view }
                stand(after: certificate.view, by: .finalization(certificate))
            }
        }
    }

    /// Records of epochs before, and of views that are final by now, have served their time.
    private func concerns(_ subject: some VoteSubject) -> Bool {
        subject.epoch == configuration.epoch && subject.view > final.block.view
    }

    private mutating func stand(after certified: View, by certificate: EntryCertificate) {
        guard certified >= view else { return }
        view = certified.next
        entry = certificate
    }

    private mutating func restore(_ vote: Vote<Proposal>) throws(ConsensusError) {
        guard concerns(vote.subject) else { return }
        try checkSigner(of: vote)
        var slot = slots[vote.subject.view] ?? Slot()
        if let known = slot.own.notarize, known.subject == vote.subject { return }
        guard slot.own.notarize == nil, slot.own.nullify == nil else {
            throw .journalContradictsItself(vote.subject.view)
        }
        slot.own.notarize = vote
        slot.notarizeVotes.insert(vote)
        // What it voted for was the leader's first proposal.
        slot.proposal = vote.subject
        slots[vote.subject.view] = slot
    }

    private mutating func restore(_ vote: Vote<Nullify>) throws(ConsensusError) {
        guard concerns(vote.subject) else { return }
        try checkSigner(of: vote)
        var slot = slots[vote.subject.view] ?? Slot()
        guard slot.own.finalize == nil else { throw .journalContradictsItself(vote.subject.view) }
        slot.own.nullify = slot.own.nullify ?? vote
        slot.nullifyVotes.insert(vote)
        slots[vote.subject.view] = slot
    }

    private mutating func restore(_ vote: Vote<Finalize>) throws(ConsensusError) {
        guard concerns(vote.subject) else { return }
        try checkSigner(of: vote)
        var slot = slots[vote.subject.view] ?? Slot()
        guard slot.own.nullify == nil, slot.own.finalize == nil || slot.own.finalize?.subject == vote.subject else {
            throw .journalContradictsItself(vote.subject.view)
        }
        slot.own.finalize = vote
        slot.finalizeVotes.insert(vote)
        slots[vote.subject.view] = slot
    }

    private func checkSigner<Subject>(of vote: Vote<Subject>) throws(ConsensusError) {
        guard vote.signer == me else { throw .journalOfAnotherSigner(vote.signer) }
    }
}
