// The end of a round: what becomes of the model, what is found about the workers, what comes next.

extension RoundMachine {
    /// After the challenge: accepts the update if the metric is no worse than the last accepted one
    /// by more than epsilon; else the model rolls back, that is, the checkpoint stays.
    mutating func closeValidated() -> Bool {
        enter(.final)
        guard let validation = Storage.get(Keys.validation) else {
            return starve(.silentValidator, delivered: state.revealed)
        }
        let isAccepted = saturatingAdd(validation.metricMicro, UInt64(spec.epsilonMicro)) >= state.metricMicro
        if isAccepted {
            state.checkpoint = validation.checkpoint
            state.metricMicro = validation.metricMicro
            state.lossMicro = validation.lossMicro
            state.bestMetricMicro = max(state.bestMetricMicro, validation.metricMicro)
            state.acceptedRounds &+= 1
            addCredits(state.revealed)
        } else {
            state.rejectedRounds &+= 1
        }
        state.starvedInRow = 0
        state.reason = .none
        // Of a round that is rolled back nobody knows who spoiled it: no credit, no blame.
        judge(delivered: state.revealed, credit: isAccepted ? .accepted : nil)
        record(
            isAccepted ? .accepted : .rolledBack, metricMicro: validation.metricMicro,
            lossMicro: validation.lossMicro, delivered: state.revealed)
        return next()
    }

    /// Ends a round that cannot be completed: who delivered is credited with half a unit, since
    /// nobody validated it; the model stays.
    mutating func starve(_ reason: Reason, delivered: SlotSet) -> Bool {
        enter(.starved)
        state.reason = reason
        state.starvedInRow = min(state.starvedInRow &+ 1, Self.starvedLimit)
        judge(delivered: delivered, credit: .lateButUsed)
        record(.starved, metricMicro: 0, lossMicro: 0, delivered: delivered)
        return next()
    }

    private mutating func next() -> Bool {
        if state.round &+ 1 >= spec.rounds { return end(.finished) }
        if state.starvedInRow >= Self.starvedLimit {
            return pause(state.reason.afterThree, resumingAt: .starved)
        }
        return begin(round: state.round &+ 1)
    }

    /// Findings about everybody who was to deliver, and the count of misses: two in a row suspend.
    private mutating func judge(delivered: SlotSet, credit: Chain.Finding?) {
        for slot in state.active | state.committed {
            guard let account = Participant.account(slot) else { continue }
            let finding: Chain.Finding? =
                if delivered.contains(slot) { credit }
                else if state.committed.contains(slot) { .committedNotRevealed }
                else { .absent }
            if let finding { Chain.verdict(finding, about: account, as: state.role(of: slot)) }
        }
        let missing = state.active - delivered
        let again = missing & state.missed
        state.suspended = state.suspended | again
        state.active = state.active - again
        state.missed = missing - again
    }

    private func addCredits(_ workers: SlotSet) {
        var credits = Storage.get(Keys.credits) ?? Credits()
        for slot in workers { credits.addOne(slot) }
        Storage.set(Keys.credits, credits)
    }

    private func record(_ outcome: Outcome, metricMicro: UInt64, lossMicro: UInt64, delivered: SlotSet) {
        let record = RoundRecord(
            round: state.round, outcome: outcome, metricMicro: metricMicro, lossMicro: lossMicro,
            closedAt: now, checkpoint: state.checkpoint, participants: delivered.count)
        Storage.set(Keys.history(state.round), record)
        Chain.emit("round", record)
    }
}
