// The end of a round: what becomes of the model, who is credited and paid, what is found about the workers.

/// What the committee found, by its majority and median.
struct Tally {
    var metricMicro: UInt64 = 0
    var lossMicro: UInt64 = 0
    var checkpoint = Digest.zero
    var outliers = JobSlots()
    var audited = JobSlots()
    var unfounded = JobSlots()
    /// Seats that named the checkpoint.
    var agreeing = JobSlots()
}

/// Scores that agree, as rows of five words.
struct ScoreTable {
    private var words: [UInt64] = []
    private static var columns: Int { 5 }
    private var rows: Int { words.count / Self.columns }

    mutating func add(_ score: JobValidation) {
        append(score.metricMicro)
        append(score.lossMicro)
        append(score.outliers.bits)
        append(score.audited.bits)
        append(score.unfounded.bits)
    }

    @inline(never)
    private mutating func append(_ word: UInt64) { words.append(word) }

    /// The lower of two middle values: the one that just half of the others come before.
    @inline(never)
    func median(_ column: Int) -> UInt64 {
        for candidate in 0..<rows {
            let value = words[candidate &* Self.columns &+ column]
            var before = 0
            for row in 0..<rows {
                let other = words[row &* Self.columns &+ column]
                if other < value || (other == value && row < candidate) { before &+= 1 }
            }
            if before == (rows &- 1) / 2 { return value }
        }
        return 0
    }

    /// The bits that more than half of the rows have.
    @inline(never)
    func majority(_ column: Int) -> JobSlots {
        var result: UInt64 = 0
        var bit: UInt64 = 1
        while bit != 0 {
            var count = 0
            for row in 0..<rows where words[row &* Self.columns &+ column] & bit != 0 { count &+= 1 }
            if count &* 2 > rows { result |= bit }
            bit &<<= 1
        }
        return JobSlots(bits: result)
    }
}

extension RoundMachine {
    /// After the challenge: accepts the update if it is what cloud and workers both say that they made, and the metric
    /// is no worse than before by more than epsilon. Else the model rolls back, that is, the checkpoint stays.
    func closeValidated() -> Bool {
        enter(.final)
        let tally = tally()
        let accused = accusedInSilence()
        let matched = tally.agreeing.isEmpty ? JobSlots() : matchedWorkers(tally.checkpoint)
        let isAccepted = matched.count >= spec.quorum && isNoWorse(tally)
        if isAccepted {
            state.checkpoint = tally.checkpoint
            state.metricMicro = tally.metricMicro
            state.lossMicro = tally.lossMicro
            state.bestMetricMicro = max(state.bestMetricMicro, tally.metricMicro)
            state.acceptedRounds &+= 1
        } else {
            state.rejectedRounds &+= 1
        }
        let absent = absentees
        // Of a round that rolls back nobody knows who spoiled it but whom the committee names.
        let (credited, paid) = judge(tally, matched: isAccepted ? matched : JobSlots(), accused, absent)
        for slot in tally.unfounded & state.complained { forfeitBond(of: slot) }

        state.starvedInRow = 0
        state.reason = .none
        countMisses(absent)
        record(
            isAccepted ? .accepted : .rolledBack, tally.metricMicro, tally.lossMicro, credited: credited, paid: paid)
        return next()
    }

    /// Ends a round that nobody validated: the model stays, nothing is found about anybody, and who delivered is not
    /// said to have missed it.
    func starve(_ reason: Reason) -> Bool {
        let delivered = state.phase == .commit ? state.committed : state.revealed
        enter(.starved)
        state.reason = reason
        state.starvedInRow = min(state.starvedInRow &+ 1, Self.starvedLimit)
        if reason == .silentCloud {
            // Without it nobody else could do anything. The next in line takes over.
            let others = ((state.active | state.confirmed) & state.clouds)
            var lead = JobSlots()
            lead.insert(state.lead)
            if (others - lead).isEmpty {
                countMisses(lead)
            } else {
                suspend(state.lead)
                state.lead = nextCloud(after: state.lead)
            }
        } else {
            countMisses(state.owing - delivered - state.late)
        }
        record(.starved, 0, 0, credited: 0, paid: 0)
        return next()
    }

    // MARK: Evidence

    /// What the members say who name the same model, if they are the majority of those who scored.
    private func tally() -> Tally {
        var tally = Tally()
        for candidate in state.scores {
            guard let leader = chain.get(Keys.score(candidate)) else { continue }
            tally = Tally()
            tally.checkpoint = leader.checkpoint
            var table = ScoreTable()
            for seat in state.scores {
                guard let score = chain.get(Keys.score(seat)), score.checkpoint == leader.checkpoint else { continue }
                tally.agreeing.insert(seat)
                table.add(score)
            }
            guard tally.agreeing.count &* 2 > state.scores.count else { continue }
            tally.metricMicro = table.median(0)
            tally.lossMicro = table.median(1)
            tally.outliers = table.majority(2)
            tally.audited = table.majority(3)
            tally.unfounded = table.majority(4)
            return tally
        }
        return Tally()
    }

    private func isNoWorse(_ tally: Tally) -> Bool {
        switch spec.metric {
        case .accuracy: saturatingAdd(tally.metricMicro, UInt64(spec.epsilonMicro)) >= state.metricMicro
        case .loss:
            state.acceptedRounds == 0 || tally.lossMicro <= saturatingAdd(state.lossMicro, UInt64(spec.epsilonMicro))
        }
    }

    /// Workers that revealed just what the lead says that it got from them and used, towards this model.
    private func matchedWorkers(_ checkpoint: Digest) -> JobSlots {
        var matched = JobSlots()
        guard let partners = chain.get(Keys.partners), partners.round == state.round,
            let cloud = chain.get(Keys.work(state.lead))
        else { return matched }
        var front: Digest?
        for slot in state.revealed & state.workers {
            guard let worker = chain.get(Keys.participant(slot)), let work = chain.get(Keys.work(slot)) else { continue }
            var isNamed = false
            for partner in partners.all where partner.index == worker.place {
                isNamed = partner.use == .used && partner.envelopes > 0 && partner.root == work.stepsRoot
            }
            guard isNamed else { continue }
            switch spec.trainingProtocol {
            case .fog: if cloud.artifact != checkpoint { continue }
            case .split:
                // All edges hold the same front: its digest is computed once.
                if front != work.artifact {
                    guard jobCheckpoint(front: work.artifact, back: cloud.artifact) == checkpoint else { continue }
                    front = work.artifact
                }
            }
            matched.insert(slot)
        }
        return matched
    }

    /// Senders that did not open what they were asked to.
    private func accusedInSilence() -> JobSlots {
        var accused = JobSlots()
        for slot in state.complained {
            if let complaint = chain.get(Keys.complaint(slot)), !complaint.isOpened { accused.insert(complaint.accused) }
        }
        return accused
    }

    /// Who owed the round something and did not deliver it. In the asynchronous mode a round does not wait for
    /// everybody, so only who let it run into its deadline is absent.
    private var absentees: JobSlots {
        if spec.mode == .asynchronous, !state.isExtended { return state.committed - state.revealed }
        return state.owing - state.revealed - state.late
    }

    // MARK: Consequences

    /// Credits, pays and blames, each participant once; then pays those who scored the round.
    /// - Returns: how many workers were credited, and what all together earned.
    private func judge(
        _ tally: Tally, matched: JobSlots, _ accused: JobSlots, _ absent: JobSlots
    ) -> (credited: UInt16, paid: UInt128) {
        var pay = chain.get(Keys.pay) ?? Pay()
        var credited: UInt16 = 0
        var paid: UInt128 = 0
        for slot in state.committed | state.owing | accused {
            guard let participant = chain.get(Keys.participant(slot)) else { continue }
            let isLead = slot == state.lead
            var price: UInt128?
            var finding: JobFinding?
            if accused.contains(slot) {
                finding = .committedNotRevealed
            } else if !state.revealed.contains(slot) {
                if state.committed.contains(slot) { finding = .committedNotRevealed }
                else if absent.contains(slot) { finding = .absent }
            } else if tally.outliers.contains(slot), !isLead {
                finding = .outlier
            } else if matched.contains(slot) {
                credited &+= 1
                price = spec.workerPrice
                finding = .accepted
                if tally.audited.contains(slot), spec.inputAudit != .none { finding = .auditedMatch }
                if let work = chain.get(Keys.work(slot)), work.base < state.round { finding = .lateButUsed }
            } else if isLead, !matched.isEmpty {
                price = spec.cloudPrice
                finding = .accepted
            }
            // About who has left nothing is said any more; but what it had revealed before is paid.
            let hasLeft = state.released.contains(slot)
            if let finding, !hasLeft {
                chain.verdict(finding, about: participant.account, as: participant.role, round: state.round)
            }
            guard let price else { continue }
            paid = plus(paid, price)
            if hasLeft {
                owe(price, to: participant.account)
            } else {
                pay.set(slot, owed: plus(pay.owed(slot), price), rounds: pay.rounds(slot) &+ 1)
            }
        }
        chain.set(Keys.pay, pay)
        if !matched.isEmpty, let committee = chain.get(Keys.committee), spec.validatorPrice > 0 {
            for seat in tally.agreeing where Int(seat) < committee.members.count {
                owe(spec.validatorPrice, to: committee.members[Int(seat)])
                paid = plus(paid, spec.validatorPrice)
            }
        }
        // The escrow covered the whole round before it began.
        state.escrow = minus(state.escrow, paid)
        state.owed = plus(state.owed, paid)
        return (credited, paid)
    }

    /// Two misses in a row suspend.
    @inline(never)
    private func countMisses(_ missing: JobSlots) {
        let again = missing & state.missed
        for slot in again & state.active { suspend(slot) }
        state.missed = missing - again
    }

    func suspend(_ slot: UInt8) {
        state.active.remove(slot)
        state.suspended.insert(slot)
        freePlace(of: slot)
    }

    @inline(never)
    private func record(
        _ outcome: JobRound.Outcome, _ metricMicro: UInt64, _ lossMicro: UInt64, credited: UInt16, paid: UInt128
    ) {
        let record = JobRound(
            round: state.round, outcome: outcome, metricMicro: metricMicro, lossMicro: lossMicro,
            closedAt: Time(chain.now), checkpoint: state.checkpoint, participants: state.revealed.count,
            credited: credited, paid: paid)
        chain.set(Keys.history(state.round), record)
        chain.emit("round", record)
    }
}
