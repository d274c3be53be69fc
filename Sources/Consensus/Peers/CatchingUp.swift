import Primitives

/// Certificates without which this node can't propose or vote.
struct MissingCertificates {
    let views: ClosedRange<View>
    /// Who must have them: the leader whose proposal builds on them. Nil where this node leads.
    let holder: UInt16?
}

/// A request for certificates that is under way.
struct Fetch: Sendable {
    var views: ClosedRange<View>
    var attempt: UInt64 = 0
    var againAt: Instant
    var isDue = false
}

extension Simplex {
    /// Rules 2 and 3: asks for what is missing, whoever should have it first, then others in turn until it is there.
    mutating func fetchMissing(_ missing: MissingCertificates?) {
        guard let missing, rules.fetchMissing else {
            fetch = nil
            return
        }
        if var running = fetch, missing.views.upperBound >= running.views.lowerBound {
            guard running.isDue else { return }
            running = Fetch(
                views: missing.views, attempt: running.attempt &+ 1, againAt: instant(afterBoundedDelays: 1))
            fetch = running
        } else {
            fetch = Fetch(views: missing.views, againAt: instant(afterBoundedDelays: 1))
        }
        let message = ConsensusMessage.wantCertificates(
            epoch: configuration.epoch, from: missing.views.lowerBound, through: missing.views.upperBound)
        for peer in peersToAsk(first: missing.holder) { outbox.emit(.send(message, to: .masternode(peer))) }
    }

    private func peersToAsk(first: UInt16?) -> [UInt16] {
        guard let me, let fetch else { return [] }
        if let first, fetch.attempt == 0, first != me { return [first] }
        let others = configuration.set.count - 1
        let start = Int(fetch.attempt % UInt64(max(1, others))) * ConsensusLimits.peersPerRequest
        return (0..<min(others, ConsensusLimits.peersPerRequest)).map { offset in
            UInt16((Int(me) + 1 + (start + offset) % others) % configuration.set.count)
        }
    }

    /// The unfinalised views up to this one, as many as one request can name.
    func requestable(endingAt last: View) -> ClosedRange<View> {
        let lowest = View(last.value - min(last.value, ConsensusLimits.viewsPerRequest - 1))
        return min(last, max(lowest, final.block.view.next))...last
    }

    /// Answers a request with what is held of it. What is final is answered by the last Finalization.
    mutating func answer(from first: View, through last: View, to peer: Peer) {
        if first <= final.block.view, let finalization = final.finalization {
            outbox.answer(.finalization(finalization), to: peer)
        }
        var wanted = max(first, final.block.view.next)
        let end = min(last, wanted.advanced(by: ConsensusLimits.viewsPerRequest - 1), view)
        while wanted <= end {
            if let certificate = slots[wanted]?.notarization { outbox.answer(.notarization(certificate), to: peer) }
            if let certificate = slots[wanted]?.nullification { outbox.answer(.nullification(certificate), to: peer) }
            wanted = wanted.next
        }
    }

    /// Sends a peer that waits in a view this node has left what takes it here.
    mutating func bringForward(_ peer: Peer, stuckIn left: View) {
        guard left < view else { return }
        for message in position(finalizedSince: left) { outbox.answer(message, to: peer) }
    }

    /// A peer whose connection is new may have missed anything: it gets this node's position, and its votes that can
    /// still matter.
    mutating func greet(_ peer: Peer) {
        for message in position(finalizedSince: .zero) { outbox.answer(message, to: peer) }
        guard case .masternode = peer else { return }
        if let question { outbox.emit(.send(question, to: peer)) }
        for message in standingVotes() { outbox.answer(message, to: peer) }
    }

    /// The last Finalization, where it is of `since` or above, and the certificate by which the view was entered.
    func position(finalizedSince since: View) -> [ConsensusMessage] {
        var messages: [ConsensusMessage] = []
        if let finalization = final.finalization, finalization.view >= since {
            messages.append(.finalization(finalization))
        }
        if let entry, messages != [entry.message] { messages.append(entry.message) }
        return messages
    }

    /// Own votes of the current view, and finalize votes of the views just below it that are not final yet.
    private func standingVotes() -> [ConsensusMessage] {
        var messages: [ConsensusMessage] = []
        var below = max(
            final.block.view.next, View(view.value - min(view.value, ConsensusLimits.finalizeVotesRepeated)))
        while below < view {
            if let vote = slots[below]?.own.finalize { messages.append(.finalizeVote(vote)) }
            below = below.next
        }
        if let vote = slots[view]?.own.notarize { messages.append(.notarizeVote(vote)) }
        if let vote = slots[view]?.own.nullify { messages.append(.nullifyVote(vote)) }
        return messages
    }

    /// At start: takes the view up again where the journal ends, and says again what was said there.
    mutating func resume() {
        clock.enterView()
        restartHeartbeat()
        if slots[view]?.own.nullify != nil { clock.nullifyAgainAt = instant(afterBoundedDelays: 2) }
        outbox.emit(.enteredView(view, leader: leader))
        if !final.isDelivered, let finalization = final.finalization {
            final.isDelivered = true
            outbox.publish(.finalized(finalization))
        }
        if me != nil {
            for message in position(finalizedSince: .zero) + standingVotes() { outbox.publish(.broadcast(message)) }
        }
        noticeUse()
        inquire()
        for restored in slots.keys.sorted() { completeStep(of: restored) }
    }

    /// A step whose records were written in part is completed: what its first records call for was never said.
    private mutating func completeStep(of restored: View) {
        guard let slot = slots[restored] else { return }
        if let certificate = slot.notarization { outbox.emit(.notarized(certificate)) }
        castFinalize(in: restored)
        if let vote = slot.own.notarize { formNotarization(of: vote.subject) }
        if let vote = slot.own.nullify { formNullification(of: vote.subject) }
        if let vote = slot.own.finalize { formFinalization(of: vote.subject) }
    }
}
