// Actions 5, 2, 4 and 7: apply, say who one is, confirm, leave.

extension RoundMachine {
    /// Action 5, at any time before the end.
    func apply(_ act: JobAct) throws(Refusal) {
        let application: JobApplication = try jobDecode(act.data, "application")
        try requireRunning()
        let isDevice = application.role == .device
        guard isDevice || application.role == .cloud || application.role == spec.workerRole else {
            throw Refusal("the job has no such role")
        }
        let bond = isDevice ? 0 : spec.bond
        guard act.value == bond else { throw Refusal("its value is not the job's bond") }
        if isDevice {
            guard let parent = chain.get(Keys.slot(of: application.parent)),
                (state.workers - state.released).contains(parent)
            else { throw Refusal("its parent is no worker of the job") }
        }
        try requirePlacement(act.caller, application.role)
        let slot = try slotForApplicant(act.caller)
        state.clouds.remove(slot)
        state.devices.remove(slot)
        if application.role == .cloud { state.clouds.insert(slot) }
        if isDevice { state.devices.insert(slot) }
        state.released.remove(slot)
        state.identified.remove(slot)
        state.missed.remove(slot)
        state.bonds = plus(state.bonds, bond)
        chain.set(
            Keys.participant(slot), Participant(application, account: act.caller, bond: bond, at: chain.now))
        chain.set(Keys.slot(of: act.caller), slot)
    }

    private func requirePlacement(_ account: Account, _ role: Role) throws(Refusal) {
        switch spec.placement.kind {
        // The bond itself came with the application.
        case .open, .bond: return
        case .allowList:
            for allowed in spec.placement.allowed where allowed == account { return }
            throw Refusal("the job takes listed accounts alone")
        case .reputation:
            guard chain.reputation(of: account, as: role) >= UInt64(spec.placement.leastReputation) else {
                throw Refusal("too little reputation in this role")
            }
        }
    }

    /// A new slot, or one that nobody needs any more.
    private func slotForApplicant(_ account: Account) throws(Refusal) -> UInt8 {
        if let slot = chain.get(Keys.slot(of: account)) {
            guard state.released.contains(slot) else { throw Refusal("this account has applied already") }
            // Back to its own slot, unless the running round still looks at what it did there.
            if !state.inUse.contains(slot) { return slot }
        }
        if state.applicants < 64 {
            state.applicants &+= 1
            return state.applicants &- 1
        }
        for slot in JobSlots(bits: ~state.inUse.bits) {
            if state.released.contains(slot) { return reuse(slot) }
            // Applied, and did not confirm in time: the place goes to somebody else.
            if let old = chain.get(Keys.participant(slot)),
                chain.now > saturatingAdd(old.appliedAt, spec.confirmTimeoutMs)
            {
                remove(slot, old, keepsBond: false)
                return reuse(slot)
            }
        }
        throw Refusal("64 have applied, no more fit")
    }

    private func reuse(_ slot: UInt8) -> UInt8 {
        if let old = chain.get(Keys.participant(slot)), chain.get(Keys.slot(of: old.account)) == slot {
            chain.remove(Keys.slot(of: old.account))
        }
        chain.remove(Keys.work(slot))
        return slot
    }

    /// Action 2, at any time before the end: KEM keys rotate, endpoints move.
    func postIdentity(_ act: JobAct) throws(Refusal) {
        let identity: JobIdentity = try jobDecode(act.data, "identity")
        try requireRunning()
        guard isEndpoint(identity.endpoint) else {
            throw Refusal("an endpoint is host:port in printable ASCII")
        }
        let slot = try slot(of: act.caller)
        guard let participant = chain.get(Keys.participant(slot)) else { throw Refusal("no such participant") }
        if participant.kemPublicKey != identity.kemPublicKey { participant.previousKey = participant.kemPublicKey }
        participant.kemPublicKey = identity.kemPublicKey
        participant.endpoint = identity.endpoint
        chain.set(Keys.participant(slot), participant)
        state.identified.insert(slot)
    }

    /// Action 4: takes a place. While the job runs, and after a suspension, it holds from the next round on.
    func confirm(_ act: JobAct) throws(Refusal) {
        try requireEmpty(act)
        try requireRunning()
        let slot = try slot(of: act.caller)
        guard !(state.confirmed | state.active).contains(slot) else {
            throw Refusal("confirmed already")
        }
        guard state.identified.contains(slot), let participant = chain.get(Keys.participant(slot)) else {
            throw Refusal("publish a KEM key and an endpoint first (action 2)")
        }
        let role = state.role(of: slot, spec)
        let (taken, places): (JobSlots, UInt16) =
            switch role {
            case .cloud: (state.cloudPlaces, spec.clouds)
            case .device: (state.devicePlaces, spec.devices)
            default: (state.workerPlaces, spec.workers)
            }
        let place = UInt8(truncatingIfNeeded: (~taken.bits).trailingZeroBitCount)
        guard UInt16(place) < places else { throw Refusal("all places of this role are taken") }
        switch role {
        case .cloud: state.cloudPlaces.insert(place)
        case .device: state.devicePlaces.insert(place)
        default: state.workerPlaces.insert(place)
        }
        participant.place = UInt16(place)
        chain.set(Keys.participant(slot), participant)
        state.suspended.remove(slot)
        state.confirmed.insert(slot)
        if state.phase == .open || state.phase == .paused { advanceNow() }
    }

    /// Action 7: leaves, or the owner releases somebody. Who leaves before its commit, or after its reveal, leaves
    /// without fault and takes its bond along; who owes a reveal leaves the bond.
    func release(_ act: JobAct) throws(Refusal) {
        try requireRunning()
        var leaver = act.caller
        if act.data.byteCount > 0 {
            guard act.caller == chain.owner else { throw Refusal("only the owner releases others") }
            let release: JobRelease = try jobDecode(act.data, "release")
            leaver = release.account
        }
        let slot = try slot(of: leaver)
        guard let participant = chain.get(Keys.participant(slot)) else { throw Refusal("no such participant") }
        let owesReveal = state.committed.contains(slot) && !state.revealed.contains(slot)
        remove(slot, participant, keepsBond: owesReveal && leaver == act.caller)
        if owesReveal { state.committed.remove(slot) }
        state.late.remove(slot)
        advanceIfComplete()
    }

    /// Takes a participant out; what it has earned stays its own.
    @inline(never)
    func remove(_ slot: UInt8, _ participant: Participant, keepsBond: Bool) {
        if (state.active | state.confirmed).contains(slot) { freePlace(of: slot) }
        state.active.remove(slot)
        state.confirmed.remove(slot)
        state.suspended.remove(slot)
        state.missed.remove(slot)
        state.released.insert(slot)
        var pay = chain.get(Keys.pay) ?? Pay()
        owe(pay.owed(slot), to: participant.account)
        pay.set(slot, owed: 0, rounds: 0)
        chain.set(Keys.pay, pay)
        let bond = takeBond(participant, slot)
        if keepsBond {
            state.burned = plus(state.burned, bond)
        } else {
            state.owed = plus(state.owed, bond)
            owe(bond, to: participant.account)
        }
    }

    /// A bond that is held no longer; where it goes is the caller's to say.
    @inline(never)
    func takeBond(_ participant: Participant, _ slot: UInt8) -> UInt128 {
        let bond = participant.bond
        state.bonds = minus(state.bonds, bond)
        participant.bond = 0
        chain.set(Keys.participant(slot), participant)
        return bond
    }

    func freePlace(of slot: UInt8) {
        guard let participant = chain.get(Keys.participant(slot)) else { return }
        let place = UInt8(truncatingIfNeeded: participant.place)
        switch state.role(of: slot, spec) {
        case .cloud: state.cloudPlaces.remove(place)
        case .device: state.devicePlaces.remove(place)
        default: state.workerPlaces.remove(place)
        }
    }

    /// The phase may be complete now that nobody waits for somebody any more.
    func advanceIfComplete() {
        switch state.phase {
        case .commit: if state.hasAllCommits(spec) { advanceNow() }
        case .reveal: if state.hasAllReveals { advanceNow() }
        default: break
        }
    }

    // MARK: Rules

    func slot(of account: Account) throws(Refusal) -> UInt8 {
        guard let slot = chain.get(Keys.slot(of: account)), !state.released.contains(slot) else {
            throw Refusal("this account has not applied to the job, or has left it")
        }
        return slot
    }

    func requireRunning() throws(Refusal) {
        guard !state.phase.isOver else { throw Refusal("the job is over") }
    }

    func requireEmpty(_ act: JobAct) throws(Refusal) {
        guard act.data.byteCount == 0 else { throw Refusal("this action takes no data") }
    }

    private func isEndpoint(_ text: JobText) -> Bool {
        let bytes = jobBytes(text)
        guard bytes.byteCount > 0 else { return false }
        for byte in bytes where byte < 0x21 || byte > 0x7E { return false }
        return true
    }
}
