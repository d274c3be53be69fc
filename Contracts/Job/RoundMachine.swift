/// The only place where phases change. It runs in scheduled calls, takes every step that is due, and
/// leaves the next deadline in the queue.
struct RoundMachine {
    let spec: JobSpec
    var state: JobState
    let now: Milliseconds

    /// Starved rounds in a row that pause the job.
    static let starvedLimit: UInt8 = 3

    mutating func run() {
        state.wakes.removeDue(now)
        // Ends: every phase but the first waits for somebody or for a time that is still to come.
        while step() {}
        Deadlines.arm(&state)
    }

    /// One change of phase, if one is due.
    private mutating func step() -> Bool {
        if state.request != .none { return fulfilRequest() }
        return switch state.phase {
        case .registered: enter(.open, for: spec.openTimeout)
        case .open: stepOpen()
        case .commit: stepCommit()
        case .reveal: stepReveal()
        case .validate: stepValidate()
        case .challenge: isDue && closeValidated()
        case .final, .starved, .paused, .aborted, .finished: false
        }
    }

    private var isDue: Bool { now >= state.deadline }

    // MARK: Phases that wait

    private mutating func stepOpen() -> Bool {
        if state.isRosterFull(spec) || (isDue && state.isQuorum(state.confirmed)) {
            state.roster = state.confirmed
            return begin(round: 0)
        }
        guard isDue else { return false }
        return pause(.tooFewWorkers, resumingAt: .open)
    }

    private mutating func stepCommit() -> Bool {
        if state.everyoneCommitted || (isDue && state.isQuorum(state.committed)) {
            return enter(.reveal, for: spec.revealTimeout)
        }
        guard isDue else { return false }
        if state.isExtended { return starve(.fewCommitments, delivered: state.committed) }
        // Once, and by the longest time: the adaptive deadline may have been too hopeful.
        state.isExtended = true
        state.deadline = saturatingAdd(now, spec.commitMax)
        return true
    }

    private mutating func stepReveal() -> Bool {
        guard state.everyoneRevealed || isDue else { return false }
        guard state.isQuorum(state.revealed) else { return starve(.fewReveals, delivered: state.revealed) }
        return enter(.validate, for: spec.validateTimeout)
    }

    private mutating func stepValidate() -> Bool {
        if state.isValidated {
            // Without a complaint the challenge takes no time.
            return enter(.challenge, for: state.complained.isEmpty ? 0 : spec.revealTimeout)
        }
        return isDue && starve(.silentValidator, delivered: state.revealed)
    }

    // MARK: Changes of phase

    /// - Parameter time: how long the phase lasts at most; nil for one that waits for nothing.
    @discardableResult
    mutating func enter(_ phase: Phase, for time: Milliseconds? = nil) -> Bool {
        state.phase = phase
        state.since = now
        state.deadline = time.map { saturatingAdd(now, $0) } ?? 0
        state.nonce &+= 1
        Chain.emit("phase", PhaseEvent(round: state.round, phase: phase.rawValue))
        return true
    }

    mutating func begin(round: UInt32) -> Bool {
        state.round = round
        state.committed = SlotSet()
        state.revealed = SlotSet()
        state.complained = SlotSet()
        state.isExtended = false
        state.isValidated = false
        admitReturned()
        return enter(.commit, for: state.arrivals.timeout(min: spec.commitMin, max: spec.commitMax))
    }

    private mutating func admitReturned() {
        state.active = state.active | state.confirmed
        state.confirmed = SlotSet()
    }

    // MARK: What the owner asked for

    private mutating func fulfilRequest() -> Bool {
        let request = state.request
        state.request = .none
        switch request {
        case .none: return false
        case .pause:
            guard state.phase != .paused, !state.phase.isOver else { return true }
            state.frozenElapsed = now &- min(state.since, now)
            // A phase that is due gets one more moment.
            let remaining = state.deadline > now ? state.deadline &- now : 1
            return pause(.pausedByOwner, resumingAt: state.phase, remaining: state.deadline == 0 ? 0 : remaining)
        case .resume: return state.phase == .paused ? resume() : true
        case .abort:
            guard !state.phase.isOver else { return true }
            state.reason = .abortedByOwner
            return end(.aborted)
        }
    }

    mutating func pause(_ reason: Reason, resumingAt phase: Phase, remaining: Milliseconds = 0) -> Bool {
        state.reason = reason
        state.frozen = phase
        state.frozenRemaining = remaining
        return enter(.paused)
    }

    private mutating func resume() -> Bool {
        state.reason = .none
        state.starvedInRow = 0
        let (phase, remaining) = (state.frozen, state.frozenRemaining)
        switch phase {
        case .starved: return begin(round: state.round &+ 1)
        case .registered: return enter(.registered)
        case .open where remaining == 0: return enter(.open, for: spec.openTimeout)
        default:
            if phase == .commit { admitReturned() }
            enter(phase, for: remaining)
            // Arrival times are measured as if there had been no pause.
            state.since = now &- min(state.frozenElapsed, now)
            return true
        }
    }

    mutating func end(_ phase: Phase) -> Bool {
        state.pot = state.escrow
        return enter(phase)
    }
}
