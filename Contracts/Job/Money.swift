// Actions 8 and 9: the escrow pays each accepted round, and what was earned can be taken at any time.

extension RoundMachine {
    /// Action 8: with money it funds the escrow; without, the owner of a job that is over takes back what nobody
    /// earned, the service's deposit included.
    func fundOrSettle(_ act: JobAct) throws(Refusal) {
        if act.value > 0 {
            try requireRunning()
            state.escrow = plus(state.escrow, act.value)
            if state.phase == .paused { advanceNow() }
            return
        }
        guard act.caller == chain.owner else { throw Refusal("only the owner settles") }
        guard state.phase.isOver else { throw Refusal("the job is not over") }
        let rest = minus(act.balance, plus(plus(state.owed, state.bonds), state.burned))
        guard rest > 0 else { throw Refusal("nothing is due") }
        let escrow = state.escrow
        state.escrow = 0
        // A part of the balance may be locked for what the job stores; the escrow never is.
        if !chain.transfer(rest, to: act.caller) {
            guard escrow > 0, chain.transfer(escrow, to: act.caller) else {
                throw Refusal("the contract does not hold it")
            }
        }
    }

    /// Action 9: everybody takes what it has earned; once the job is over also its bond.
    func claim(_ act: JobAct) throws(Refusal) {
        try requireEmpty(act)
        let amount = owed(to: act.caller)
        chain.remove(Keys.owed(act.caller))
        if let slot = chain.get(Keys.slot(of: act.caller)) {
            var pay = chain.get(Keys.pay) ?? Pay()
            pay.set(slot, owed: 0, rounds: pay.rounds(slot))
            chain.set(Keys.pay, pay)
            if state.phase.isOver, let participant = chain.get(Keys.participant(slot)) {
                state.owed = plus(state.owed, takeBond(participant, slot))
            }
        }
        guard amount > 0, amount <= state.owed else { throw Refusal("nothing is due") }
        state.owed = state.owed &- amount
        guard chain.transfer(amount, to: act.caller) else {
            throw Refusal("the contract does not hold it")
        }
    }

    /// Notes what an account can take; `JobState.owed` is the caller's to keep.
    func owe(_ amount: UInt128, to account: Account) {
        guard amount > 0 else { return }
        chain.set(Keys.owed(account), plus(chain.get(Keys.owed(account)) ?? 0, amount))
    }

    /// An unfounded complaint costs the bond and the place.
    func forfeitBond(of slot: UInt8) {
        guard !state.released.contains(slot), let participant = chain.get(Keys.participant(slot)) else { return }
        remove(slot, participant, keepsBond: true)
    }

    /// Actions 256 to 258. They are noted here and done by the scheduled call that follows, like every change of phase.
    func request(_ request: JobRequest, _ act: JobAct) throws(Refusal) {
        try requireEmpty(act)
        try requireRunning()
        guard act.caller == chain.owner else { throw Refusal("only the owner does that") }
        switch request {
        case .pause: if state.phase == .paused { throw Refusal("it is paused already") }
        case .resume:
            if state.phase != .paused {
                // A pause that waits for the round's end is taken back.
                guard state.request == .pause else { throw Refusal("the job is not paused") }
                state.request = .none
                return
            }
        case .abort, .none: break
        }
        // Asked for again, it is scheduled again: the first call may have been lost.
        guard state.request != .abort || request == .abort else {
            throw Refusal("the job is being aborted")
        }
        state.request = request
        guard advanceNow() else { throw Refusal("no call is scheduled: too little deposit or credits") }
    }
}
