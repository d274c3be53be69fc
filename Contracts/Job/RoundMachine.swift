/// The job as a machine: a state, what the chain offers (``JobChain``), and the only place where phases change.
///
/// It runs in scheduled calls, takes every step that is due, and leaves the next deadline in the queue. The same code
/// is compiled for the host, where a test walks through all the states that it can reach.
final class RoundMachine {
    var chain: JobChain
    let spec: JobSpec
    var state: JobState

    init(chain: JobChain, spec: JobSpec, state: JobState) {
        self.chain = chain
        self.spec = spec
        self.state = state
    }

    /// Starved rounds in a row that pause the job.
    static var starvedLimit: UInt8 { 3 }

    func run() {
        state.wakes.removeDue(chain.now)
        // Ends: every phase waits for somebody or for a time that is still to come. What is due comes before what the
        // owner asks for.
        while step() || fulfilRequest() {}
        arm()
    }

    /// One change of phase, if one is due.
    private func step() -> Bool {
        switch state.phase {
        case .registered: enter(.open, for: spec.openTimeoutMs)
        case .open: stepOpen()
        case .commit: stepCommit()
        case .reveal: stepReveal()
        case .validate: stepValidate()
        case .score: stepScore()
        case .challenge: (state.unopened == 0 || isDue) && closeValidated()
        case .paused: stepPaused()
        case .final, .starved, .aborted, .finished: false
        }
    }

    var isDue: Bool { chain.now >= state.deadline }

    // MARK: Phases that wait

    private func stepOpen() -> Bool {
        let workers = state.confirmed & state.workers
        let isFull = workers.count >= spec.workers && !(state.confirmed & state.clouds).isEmpty
        if isFull || (isDue && state.isQuorum(state.confirmed, spec)) { return begin(round: 0) }
        return isDue && pause(.tooFewWorkers, resumingAt: 0)
    }

    private func stepCommit() -> Bool {
        if state.hasAllCommits(spec) || (isDue && state.isComplete(state.committed, spec)) {
            return enter(.reveal, for: spec.revealTimeoutMs)
        }
        guard isDue else { return false }
        if state.isExtended {
            return starve(state.committed.contains(state.lead) ? .fewCommitments : .silentCloud)
        }
        // Once, and by the longest time: the adaptive deadline may have been too hopeful.
        state.isExtended = true
        state.deadline = saturatingAdd(chain.now, spec.commitMaxMs)
        return true
    }

    private func stepReveal() -> Bool {
        guard state.hasAllReveals || isDue else { return false }
        guard state.isComplete(state.revealed, spec) else {
            return starve(state.revealed.contains(state.lead) ? .fewReveals : .silentCloud)
        }
        state.bids = JobSlots()
        state.scores = JobSlots()
        guard seatCommittee() else { return starve(.silentCommittee) }
        return enter(.validate, for: spec.validateTimeoutMs)
    }

    private func stepValidate() -> Bool {
        let size = UInt16(spec.committee.size)
        if size == 1 {
            if !state.scores.isEmpty { return enter(.challenge, for: spec.challengeTimeoutMs) }
        } else if state.bids.count >= size {
            return enter(.score, for: spec.validateTimeoutMs)
        }
        guard isDue else { return false }
        // Who was silent is replaced by the next in line.
        if replaceSilent() {
            state.deadline = saturatingAdd(chain.now, spec.validateTimeoutMs)
            return true
        }
        if size > 1, state.bids.count > size / 2 { return enter(.score, for: spec.validateTimeoutMs) }
        return starve(.silentCommittee)
    }

    private func stepScore() -> Bool {
        guard state.bids.isSubset(of: state.scores) || isDue else { return false }
        guard state.scores.count > UInt16(spec.committee.size) / 2 else { return starve(.silentCommittee) }
        return enter(.challenge, for: spec.challengeTimeoutMs)
    }

    private func stepPaused() -> Bool {
        if state.reason == .tooFewWorkers || state.reason == .tooLittleMoney, canBegin { return resume() }
        if isDue {
            state.reason = .pausedTooLong
            return end(.aborted)
        }
        return false
    }

    private var canBegin: Bool {
        state.isQuorum(state.active | state.confirmed, spec) && isCovered
    }

    /// The escrow pays a whole round; and all that the job owes is there, whatever the chain has locked for its storage.
    private var isCovered: Bool {
        state.escrow >= spec.roundPrice
            && chain.balance >= plus(plus(state.escrow, state.owed), plus(state.bonds, state.burned))
    }

    // MARK: Changes of phase

    /// - Parameter time: how long the phase lasts at most; nil for one that waits for nothing.
    @discardableResult
    func enter(_ phase: JobPhase, for time: UInt64? = nil) -> Bool {
        state.phase = phase
        state.since = chain.now
        state.deadline = 0
        if let time { state.deadline = saturatingAdd(chain.now, time) }
        chain.emit("phase", JobPhaseEvent(round: state.round, phase: phase))
        return true
    }

    /// Begins a round with all that hold a place, if they suffice and the escrow covers it.
    func begin(round: UInt32) -> Bool {
        guard isCovered else { return pause(.tooLittleMoney, resumingAt: round) }
        guard state.isQuorum(state.active | state.confirmed, spec) else {
            return pause(.tooFewWorkers, resumingAt: round)
        }
        state.active = state.active | state.confirmed
        state.confirmed = JobSlots()
        state.hasStarted = true
        state.round = round
        state.reason = .none
        if !state.active.contains(state.lead) { state.lead = nextCloud(after: 255) }
        state.committed = state.late & state.active
        state.late = JobSlots()
        state.revealed = JobSlots()
        state.complained = JobSlots()
        state.unopened = 0
        state.isExtended = false
        chain.remove(Keys.partners)
        return enter(
            .commit, for: state.arrivals.timeout(min: spec.commitMinMs, max: spec.commitMaxMs))
    }

    /// The active cloud next in line, by slot, after the first one; 255 where there is none.
    func nextCloud(after slot: UInt8) -> UInt8 {
        let clouds = state.active & state.clouds
        var first: UInt8 = 255
        for cloud in clouds {
            if first == 255 { first = cloud }
            if slot < 64, cloud > slot { return cloud }
        }
        return first
    }

    func pause(_ reason: Reason, resumingAt round: UInt32) -> Bool {
        state.reason = reason
        state.resumesAt = round
        return enter(.paused, for: spec.pauseLimitMs)
    }

    func resume() -> Bool {
        state.reason = .none
        state.starvedInRow = 0
        return state.hasStarted ? begin(round: state.resumesAt) : enter(.open, for: spec.openTimeoutMs)
    }

    func end(_ phase: JobPhase) -> Bool {
        state.request = .none
        return enter(phase)
    }

    // MARK: What the owner asked for

    /// Pause and abort wait for the end of a round in which somebody has committed: no work is taken without its pay,
    /// and no abort beats a validation.
    private func fulfilRequest() -> Bool {
        let request = state.request
        if request == .none { return false }
        switch state.phase {
        case .registered, .open, .paused: break
        case .commit: if !state.committed.isEmpty { return false }
        case .aborted, .finished:
            state.request = .none
            return false
        default: return false
        }
        state.request = .none
        switch request {
        case .none: return false
        case .pause: return state.phase != .paused && pause(.pausedByOwner, resumingAt: state.round)
        case .resume: return state.phase == .paused && resume()
        case .abort:
            state.reason = .abortedByOwner
            return end(.aborted)
        }
    }

    /// What follows a closed round.
    func next() -> Bool {
        if state.request == .abort {
            state.reason = .abortedByOwner
            return end(.aborted)
        }
        if state.round &+ 1 >= spec.rounds { return end(.finished) }
        let round = state.round &+ 1
        if state.request == .pause {
            state.request = .none
            return pause(.pausedByOwner, resumingAt: round)
        }
        if state.starvedInRow >= Self.starvedLimit { return pause(state.reason, resumingAt: round) }
        return begin(round: round)
    }

    // MARK: The committee

    /// False when nobody is there to evaluate.
    private func seatCommittee() -> Bool {
        var committee = Committee()
        switch spec.committee.kind {
        case .validator:
            guard let validator = chain.validator else { return false }
            committee.members.append(validator)
        case .masternodes:
            committee.members = chain.drawCommittee(size: spec.committee.size, attempt: 0)
            if committee.members.count < Int(spec.committee.size) { return false }
        case .named:
            for member in spec.committee.named.prefix(Int(spec.committee.size)) { committee.members.append(member) }
            committee.called = spec.committee.size
        }
        chain.set(Keys.committee, committee)
        return true
    }

    /// Gives the seats of those who have not acted to the next in line; false when nobody stands by.
    private func replaceSilent() -> Bool {
        guard var committee = chain.get(Keys.committee) else { return false }
        if spec.committee.kind == .masternodes {
            // One more draw, of a whole committee: its majority has to have sent the validation.
            guard committee.called == 0 else { return false }
            let drawn = chain.drawCommittee(size: spec.committee.size, attempt: 1)
            guard drawn.count == Int(spec.committee.size) else { return false }
            committee.members = drawn
            committee.called = 1
            state.bids = JobSlots()
            state.scores = JobSlots()
            chain.set(Keys.committee, committee)
            return true
        }
        var hasReplaced = false
        for seat in 0..<committee.members.count {
            let place = UInt8(truncatingIfNeeded: seat)
            guard !state.bids.contains(place), !state.scores.contains(place) else { continue }
            guard Int(committee.called) < spec.committee.named.count else { break }
            committee.members[seat] = spec.committee.named[Int(committee.called)]
            committee.called &+= 1
            hasReplaced = true
        }
        if hasReplaced { chain.set(Keys.committee, committee) }
        return hasReplaced
    }
}
