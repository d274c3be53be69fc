import Primitives

/// The times that rule 1 counts from.
struct ViewClock: Sendable {
    var now = Instant(milliseconds: 0)
    var enteredAt = Instant(milliseconds: 0)
    /// When a block is due though there is nothing to order.
    var heartbeatAt = Instant(milliseconds: 0)
    /// Since when something waits to be ordered.
    var workSince: Instant?
    /// Since when the current view is known to be in use by others.
    var inUseSince: Instant?
    /// When the nullify of the current view is due again; nil before the first.
    var nullifyAgainAt: Instant?
    /// What the host was last told, and has not yet given back.
    var armed: [TimerId: Instant] = [:]

    mutating func enterView() {
        enteredAt = now
        inUseSince = nil
        nullifyAgainAt = nil
    }

    mutating func setWork(_ pending: Bool) {
        workSince = pending ? workSince ?? now : nil
    }

    mutating func setInUse() {
        inUseSince = inUseSince ?? now
    }

    /// Rule 1: the view's timers run from its entry where there is work, else from the heartbeat's due time.
    var timersStartAt: Instant {
        var start = heartbeatAt
        if let workSince { start = min(start, workSince) }
        if let inUseSince { start = min(start, inUseSince) }
        return max(start, enteredAt)
    }
}

extension Simplex {
    /// Rule 1. A view ends; the one after the certificate's begins. Views only rise.
    mutating func enter(_ next: View, by certificate: EntryCertificate) {
        guard next > view || !rules.viewsOnlyRise else { return }
        view = next
        entry = certificate
        proposing = .notAsked
        fetch = nil
        clock.enterView()
        silence.viewEntered()
        for left in slots.keys where left.advanced(by: configuration.viewWindow) < next { slots[left]?.dropVotes() }
        outbox.emit(.enteredView(view, leader: leader))
        noticeUse()
    }

    /// Rule 1, idle networks: this node's timers start when it learns that others are at work in the view. Those are
    /// a proposal of its leader, or nullify votes of f + 1, one of whom is honest and saw its timer run out.
    mutating func noticeUse() {
        guard let slot = slots[view] else { return }
        let isGivenUp = slot.nullifyVotes.count > configuration.set.faultTolerance
        if slot.proposal != nil || isGivenUp { clock.setInUse() }
        // Somebody honest waits no longer, and others are heard: patience beyond the bound would only hold them up.
        if isGivenUp, slot.own.nullify == nil { delay.fallBack() }
    }

    /// A notarised or finalised block moved the view: the next heartbeat counts from here.
    mutating func restartHeartbeat() {
        clock.heartbeatAt = clock.now.advanced(byMs: configuration.heartbeatMs)
    }

    /// Sets and cancels the host's timers so that they are what the state asks for.
    mutating func armTimers() {
        for id in TimerId.allCases {
            let wanted = deadline(of: id)
            guard wanted != clock.armed[id] else { continue }
            clock.armed[id] = wanted
            outbox.emit(wanted.map { .setTimer(id, at: $0) } ?? .cancelTimer(id))
        }
    }

    func deadline(of id: TimerId) -> Instant? {
        if id == .inquire { return inquiry?.againAt }
        guard !isObserving else { return nil }
        let slot = slots[view]
        let hasNullified = slot?.own.nullify != nil
        switch id {
        case .leader:
            guard !hasNullified, slot?.proposal == nil else { return nil }
            guard !expectsNoProposal else { return clock.timersStartAt }
            return clock.timersStartAt.advanced(byMs: 2 &* delay.milliseconds)
        case .view:
            return hasNullified ? nil : clock.timersStartAt.advanced(byMs: 3 &* delay.milliseconds)
        case .nullifyAgain: return rules.repeatNullify ? clock.nullifyAgainAt : nil
        case .fetch: return fetch?.againAt
        case .inquire: return nil
        }
    }

    mutating func timerFired(_ id: TimerId) {
        // A timer that the host gave back is armed anew where the state still asks for it.
        guard let deadline = clock.armed.removeValue(forKey: id), clock.now >= deadline else { return }
        switch id {
        case .leader:
            if !expectsNoProposal { growDelay(beyondBound: isLeaderThere) }
            giveUpView()
        case .view:
            growDelay(beyondBound: isLeaderThere)
            giveUpView()
        case .nullifyAgain:
            growDelay(beyondBound: false)
            nullifyAgain()
        case .fetch: fetch?.isDue = true
        case .inquire: inquire()
        }
    }

    /// More patience is of use with a leader who is there and too slow, not with one who is gone.
    private var isLeaderThere: Bool { slots[view]?.proposal != nil || silence.views(of: leader) < configuration.silenceViews }

    private mutating func growDelay(beyondBound: Bool) {
        if rules.growDelay { delay.grow(beyondBound: beyondBound && rules.growBeyondBound) }
    }

    /// The current view is notarised: what its timers were needed for took this long.
    mutating func observeLatency() {
        let start = clock.timersStartAt
        guard start <= clock.now else { return }
        delay.notarized(afterMs: clock.now.milliseconds - start.milliseconds)
    }

    /// For what is repeated: that views fail is no reason to repeat it more rarely than the bound says.
    func instant(afterBoundedDelays count: UInt64) -> Instant {
        clock.now.advanced(byMs: count &* min(delay.milliseconds, configuration.networkDelayMs))
    }
}
