import Cryptography
import Primitives

/// How far this node is with the proposal of the current view, where it leads it.
enum Proposing: Sendable {
    case notAsked
    case asked(parent: BlockReference)
    case answered
}

/// Whether a proposal may be voted on, as far as certificates tell.
enum Justification {
    case justified(ParentCertificate)
    /// Not yet: these views have no certificate that would decide.
    case missing(ClosedRange<View>)
    /// Never.
    case impossible
}

extension Simplex {
    /// Rule 2: where this node leads the current view, asks the application for a block.
    /// - Returns: the certificates that must be there first.
    mutating func propose() -> MissingCertificates? {
        guard let me, leader == me, case .notAsked = proposing, !isObserving, mayNotarize(in: view),
            slots[view]?.own.notarize == nil
        else { return nil }
        switch parentOfNextProposal() {
        case .missing(let views):
            return MissingCertificates(views: views, holder: nil)
        case .found(let parent, let certificate):
            proposing = .asked(parent: parent)
            outbox.emit(
                .propose(
                    ProposalRequest(
                        view: view, parent: parent, parentCertificate: certificate, heartbeatAt: clock.heartbeatAt)))
            return nil
        }
    }

    mutating func proposed(view: View, digest: Digest) {
        guard view == self.view, case .asked(let parent) = proposing else { return }
        proposing = .answered
        guard mayNotarize(in: view), parent.view >= final.block.view else { return }
        let proposal = Proposal(
            epoch: configuration.epoch, view: view, parentView: parent.view, parentDigest: parent.digest, digest: digest
        )
        slots[view, default: Slot()].proposal = proposal
        clock.setInUse()
        castNotarize(proposal)
    }

    mutating func declined(view: View) {
        guard view == self.view, case .asked = proposing else { return }
        proposing = .answered
        giveUpView()
    }

    private enum Parent {
        case found(BlockReference, ParentCertificate)
        case missing(ClosedRange<View>)
    }

    /// Rule 2: the highest notarised view below the current one such that every view between is nullified.
    private func parentOfNextProposal() -> Parent {
        var candidate = view
        while rules.proposeOnHighestNotarized, let below = candidate.previous, below > final.block.view {
            candidate = below
            let slot = slots[below]
            if let notarization = slot?.notarization {
                return .found(
                    BlockReference(view: below, digest: notarization.subject.digest), .notarization(notarization))
            }
            if slot?.nullification == nil { return .missing(requestable(endingAt: below)) }
        }
        return .found(final.block, final.proof)
    }

    /// Rule 3: the parent is notarised, all views between are nullified, lastFinalized <= parentView.
    func justification(of proposal: Proposal) -> Justification {
        guard proposal.parentView < proposal.view, proposal.parentView >= final.block.view else { return .impossible }
        let parentCertificate: ParentCertificate?
        if proposal.parentView == final.block.view {
            guard proposal.parentDigest == final.block.digest else { return .impossible }
            parentCertificate = final.proof
        } else if let notarization = slots[proposal.parentView]?.notarization {
            guard proposal.parentDigest == notarization.subject.digest else { return .impossible }
            parentCertificate = .notarization(notarization)
        } else {
            parentCertificate = nil
        }
        guard rules.justifyParent else { return .justified(parentCertificate ?? final.proof) }
        var between = proposal.view
        while let below = between.previous, below > proposal.parentView {
            between = below
            if slots[below]?.nullification == nil { return .missing(requestable(endingAt: below)) }
        }
        guard let parentCertificate else { return .missing(requestable(endingAt: proposal.parentView)) }
        return .justified(parentCertificate)
    }
}
