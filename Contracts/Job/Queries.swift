/// The replies to queries.
extension RoundMachine {
    func status() -> JobStatus {
        var committee: [JobEvaluator] = []
        switch state.phase {
        case .validate, .score, .challenge:
            let members = chain.get(Keys.committee)?.members ?? []
            for seat in 0..<members.count {
                let place = UInt8(truncatingIfNeeded: seat)
                let hasScored = state.scores.contains(place)
                committee.append(
                    JobEvaluator(
                        account: members[seat], committed: hasScored || state.bids.contains(place), scored: hasScored))
            }
        default: break
        }
        var lead = Account.zero
        if state.active.contains(state.lead), let cloud = chain.get(Keys.participant(state.lead)) { lead = cloud.account }
        return JobStatus(
            spec: statusSpec, phase: state.phase, round: state.round, phaseSince: Time(state.since),
            deadlineOrZero: Time(state.deadline), request: state.request, lead: lead,
            validator: chain.validator ?? .zero, committee: committee, checkpoint: state.checkpoint,
            metricMicro: state.metricMicro, lossMicro: state.lossMicro, bestMetricMicro: state.bestMetricMicro,
            acceptedRounds: state.acceptedRounds, rejectedRounds: state.rejectedRounds, escrow: state.escrow,
            owed: state.owed, bonds: state.bonds, reason: jobText(state.reason.text))
    }

    /// ``JobParticipants``, element by element: a contract has no room for the list.
    func participants(_ reply: inout BorshEncoder) {
        let pay = chain.get(Keys.pay) ?? Pay()
        reply.integer(UInt32(state.applicants))
        for slot in 0..<state.applicants {
            guard let participant = chain.get(Keys.participant(slot)) else { return }
            let work = chain.get(Keys.work(slot)) ?? Work(commitment: .zero, base: 0)
            reply.value(
                JobParticipant(
                    slot: slot, account: participant.account, role: participant.role, standing: standing(of: slot),
                    index: participant.place, samples: participant.samples, parent: participant.parent,
                    kemPublicKey: participant.kemPublicKey, endpoint: participant.endpoint,
                    committed: (state.committed | state.late).contains(slot), revealed: state.revealed.contains(slot),
                    base: work.base, misses: misses(of: slot), acceptedRounds: pay.rounds(slot), owed: pay.owed(slot),
                    bond: participant.bond, lastRoot: work.stepsRoot, lastArtifact: work.artifact))
        }
    }

    /// ``JobHistory``.
    func history(_ reply: inout BorshEncoder) {
        let kept = UInt32(truncatingIfNeeded: JobHistory.limit)
        let first = state.round >= kept ? state.round &- kept : 0
        var rounds = BorshEncoder()
        var count: UInt32 = 0
        for round in first...state.round {
            // The running round's place may still hold the record of 64 rounds before.
            guard let record = chain.get(Keys.history(round)), record.round == round else { continue }
            rounds.value(record)
            count &+= 1
        }
        reply.integer(count)
        reply.fixed(rounds.bytes)
    }

    func partners() -> JobPartners { chain.get(Keys.partners) ?? JobPartners(round: state.round, []) }

    /// The reply to a query; `account` is for ``JobQuery/owed``.
    func answer(_ query: JobQuery, account: Account) -> JobBytes {
        var reply = BorshEncoder()
        switch query {
        case .status: reply.value(status())
        case .participants: participants(&reply)
        case .history: history(&reply)
        case .partners: reply.value(partners())
        case .complaints: complaints(&reply)
        case .owed: reply.integer(owed(to: account))
        }
        return reply.bytes
    }

    /// ``JobComplaints``.
    func complaints(_ reply: inout BorshEncoder) {
        reply.integer(UInt32(state.complained.count))
        for slot in state.complained {
            if let complaint = chain.get(Keys.complaint(slot)) { reply.value(complaint) }
        }
    }

    @inline(never)
    func owed(to account: Account) -> UInt128 {
        var amount = chain.get(Keys.owed(account)) ?? 0
        if let slot = chain.get(Keys.slot(of: account)) {
            amount = plus(amount, (chain.get(Keys.pay) ?? Pay()).owed(slot))
            if state.phase.isOver, let participant = chain.get(Keys.participant(slot)) {
                amount = plus(amount, participant.bond)
            }
        }
        return amount
    }

    private func standing(of slot: UInt8) -> JobParticipant.Standing {
        if state.released.contains(slot) { return .released }
        if state.suspended.contains(slot) { return .suspended }
        if state.active.contains(slot) { return .active }
        return state.confirmed.contains(slot) ? .confirmed : .applied
    }

    /// Misses in a row.
    private func misses(of slot: UInt8) -> UInt16 {
        if state.suspended.contains(slot) { return 2 }
        return state.missed.contains(slot) ? 1 : 0
    }
}
