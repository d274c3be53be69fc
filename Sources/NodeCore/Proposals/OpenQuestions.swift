import Consensus
import Primitives

/// What consensus has asked in the views of one epoch and is not answered yet: a block to propose, proposals to judge.
struct OpenQuestions {
    struct Verification {
        let proposal: Proposal
        let parentCertificate: ParentCertificate
    }

    private(set) var view = View(1)
    private(set) var viewEnteredAt = Instant(milliseconds: 0)
    private var request: ProposalRequest?
    /// Proposals that wait for a body, a parent or their time, by view.
    private var verifications: [View: Verification] = [:]

    /// Proposals under verification.
    var count: Int { verifications.count }
    /// Ascending by view.
    var waiting: [Verification] { verifications.sorted { $0.key < $1.key }.map(\.value) }
    /// The block that is to be proposed in the current view.
    var toPropose: ProposalRequest? { request.flatMap { $0.view == view ? $0 : nil } }

    mutating func propose(_ request: ProposalRequest) { self.request = request }
    mutating func proposed() { request = nil }
    mutating func judge(_ proposal: Proposal, _ certificate: ParentCertificate) {
        verifications[proposal.view] = Verification(proposal: proposal, parentCertificate: certificate)
    }
    mutating func judged(_ view: View) { verifications[view] = nil }
    func isOpen(_ view: View) -> Bool { verifications[view] != nil }

    /// No vote can follow in the views below any more.
    mutating func entered(_ view: View, at now: Instant) {
        self.view = view
        viewEnteredAt = now
        if let request, request.view < view { self.request = nil }
        verifications = verifications.filter { $0.key >= view }
    }

    mutating func finalized(through view: View) { verifications = verifications.filter { $0.key > view } }

    mutating func beginEpoch() {
        request = nil
        verifications = [:]
    }
}
