import Primitives

/// Rule 9: for how many views each masternode was not heard. Local and volatile: two nodes may differ, and a restart
/// begins anew with everybody heard.
struct Silence: Sendable {
    /// By place in the set: views that this node entered since it last heard a vote of that masternode. A jump over
    /// many views counts once, since nothing could be heard in those between.
    private var viewsUnheard: [UInt64]

    init(masternodes: Int) { viewsUnheard = Array(repeating: 0, count: masternodes) }

    /// Begins with what another epoch has heard, or not, of those who are in both sets.
    mutating func inherit(_ before: Silence, from old: MasternodeSet, to new: MasternodeSet) {
        for (place, member) in new.members.enumerated() {
            if let known = old.index(of: member.consensusKey) { viewsUnheard[place] = before.views(of: known) }
        }
    }

    mutating func viewEntered() {
        for place in viewsUnheard.indices { viewsUnheard[place] &+= 1 }
    }

    mutating func heard(_ masternode: UInt16) {
        guard viewsUnheard.indices.contains(Int(masternode)) else { return }
        viewsUnheard[Int(masternode)] = 0
    }

    func views(of masternode: UInt16) -> UInt64 {
        viewsUnheard.indices.contains(Int(masternode)) ? viewsUnheard[Int(masternode)] : 0
    }

    /// Ascending.
    func silent(for views: UInt64) -> [UInt16] {
        viewsUnheard.indices.filter { viewsUnheard[$0] >= views }.map { UInt16(truncatingIfNeeded: $0) }
    }
}

extension Simplex {
    /// Masternodes that this node holds to be silent (rule 9), ascending: empty while fewer than q are heard, this
    /// node among them, since then it is this node that is cut off.
    public var silentMasternodes: [UInt16] {
        guard me != nil else { return [] }
        let silent = silence.silent(for: configuration.silenceViews).filter { $0 != me }
        return configuration.set.count - silent.count >= quorum || !rules.silenceNeedsQuorum ? silent : []
    }

    /// Rule 9: no proposal is to be waited for in the current view. Its leader is silent, or gave the view up itself.
    var expectsNoProposal: Bool {
        let slot = slots[view]
        guard rules.skipSilentLeaders, leader != me, slot?.proposal == nil else { return false }
        if slot?.nullifyVotes.vote(of: leader) != nil { return true }
        // Whoever was heard of late needs no look at the others.
        return silence.views(of: leader) >= configuration.silenceViews && silentMasternodes.contains(leader)
    }

    /// A vote came from its signer itself. One of a view that is final by now counts too, though nobody checks its
    /// signature: the connection proves the sender, and whoever is slow is not silent. One of a view long left does
    /// not: its sender is not where it could propose.
    mutating func hear(_ masternode: UInt16, in view: View) {
        guard view.advanced(by: configuration.viewWindow) >= self.view,
            view <= self.view.advanced(by: configuration.viewWindow),
            rules.hearReturningLeaders || silence.views(of: masternode) < configuration.silenceViews
        else { return }
        silence.heard(masternode)
    }

    /// Rule 9: gives up the current view, and those after it, where no proposal is to be waited for and the view's
    /// timers run.
    mutating func skipSilentLeaders() {
        while let deadline = deadline(of: .leader), deadline <= clock.now, expectsNoProposal {
            let before = view
            giveUpView()
            guard view > before else { return }
        }
    }
}
