// Actions 8 and 9: the escrow. It is shared out when the job has ended, by accepted rounds.

extension Call {
    /// Action 8: with money it funds the escrow; without, the owner of a job that is over takes
    /// back what no worker earned, the service's deposit included.
    mutating func fundOrSettle() {
        if context.value > 0 {
            requireRunning("payment")
            state.escrow = saturatingAdd(state.escrow, context.value)
            return
        }
        guard context.isOwner else { Chain.fail("settlement refused: only the owner settles") }
        guard state.phase.isOver else { Chain.fail("payment refused: it came without money") }
        let owed = earned() - state.paidOut
        guard context.balance > owed else { Chain.fail("settlement refused: nothing is due") }
        state.escrow = owed
        pay(context.balance - owed, "settlement")
    }

    /// Action 9: a worker takes its share, equal for every round in which its work was accepted.
    mutating func claimPay() {
        context.expectNoInput("claim")
        guard state.phase.isOver else { Chain.fail("claim refused: the job is not over") }
        let slot = slot("claim")
        guard !state.paid.contains(slot) else { Chain.fail("claim refused: paid already") }
        let credits = Storage.get(Keys.credits) ?? Credits()
        let share = earned().share(credits[slot], of: credits.total)
        guard share > 0, share <= state.escrow else { Chain.fail("claim refused: nothing is due") }
        state.paid.insert(slot)
        // Shares add up to at most what was earned, so this cannot overflow.
        state.paidOut += share
        state.escrow -= share
        pay(share, "claim")
    }

    /// What all workers together get: everything of a finished job, and of an aborted one the part
    /// that its accepted rounds are of all rounds.
    private func earned() -> Amount {
        guard state.acceptedRounds > 0, let spec = Storage.get(Keys.spec) else { return 0 }
        return state.phase == .finished ? state.pot : state.pot.share(state.acceptedRounds, of: spec.rounds)
    }

    private func pay(_ amount: Amount, _ what: StaticString) {
        guard Chain.transfer(amount, to: context.caller) else {
            Chain.fail("\(what) refused: the contract does not hold it")
        }
    }
}

extension Call {
    /// Actions 256 to 258. They are noted here and done by the scheduled call that follows, like
    /// every change of phase.
    mutating func request(_ request: OwnerRequest) {
        context.expectNoInput("request")
        requireRunning("request")
        guard context.isOwner else { Chain.fail("request refused: only the owner pauses, resumes and aborts") }
        switch request {
        case .pause:
            guard state.phase != .paused else { Chain.fail("request refused: the job is paused already") }
        case .resume:
            guard state.phase == .paused else { Chain.fail("request refused: the job is not paused") }
        case .abort, .none: break
        }
        // Asked for again, it is scheduled again: the first call may have been lost.
        guard state.request != .abort || request == .abort else {
            Chain.fail("request refused: the job is being aborted")
        }
        state.request = request
        guard Deadlines.scheduleNow(state) else { Chain.fail("request refused: the schedule queue is full") }
    }
}
