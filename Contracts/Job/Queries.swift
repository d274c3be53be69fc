/// The replies to the three queries, in their Borsh form.
enum Queries {
    static func status(_ state: JobState) -> Bytes {
        var reply = Writer(capacity: 512)
        reply.write(raw: Storage.raw(Keys.spec.bytes) ?? .empty)
        reply.write(state.phase.rawValue)
        reply.write(state.round)
        reply.write(state.since)
        reply.write(state.deadline)
        reply.write(state.checkpoint)
        reply.write(state.metricMicro)
        reply.write(state.lossMicro)
        reply.write(state.bestMetricMicro)
        reply.write(state.acceptedRounds)
        reply.write(state.rejectedRounds)
        reply.write(state.escrow)
        reply.write(string: Bytes(state.reason.text))
        return reply.bytes
    }

    static func participants(_ state: JobState) -> Bytes {
        let credits = Storage.get(Keys.credits) ?? Credits()
        var reply = Writer(capacity: 1_024)
        reply.write(UInt32(state.applicants))
        for slot in 0..<state.applicants {
            guard let participant = Storage.get(Keys.participant(slot)) else {
                Chain.fail("participant \(slot) is missing")
            }
            let result = Storage.get(Keys.result(slot)) ?? RoundResult(stepsRoot: .zero, artifact: .zero)
            reply.write(participant.account)
            reply.write(state.role(of: slot).rawValue)
            reply.write(standing(of: slot, state))
            reply.write(state.index(of: slot))
            reply.write(participant.samples)
            reply.write(participant.kemPublicKey)
            reply.write(string: participant.endpoint)
            reply.write(state.committed.contains(slot))
            reply.write(state.revealed.contains(slot))
            reply.write(misses(of: slot, state))
            reply.write(credits[slot])
            reply.write(result)
        }
        return reply.bytes
    }

    static func history(_ state: JobState) -> Bytes {
        let first = state.round >= RoundRecord.kept ? state.round &- RoundRecord.kept : 0
        var count: UInt32 = 0
        var records = Writer(capacity: 1_024)
        for round in first...state.round {
            // The running round's place may still hold the record of 64 rounds before.
            guard let record = Storage.get(Keys.history(round)), record.round == round else { continue }
            records.write(record)
            count &+= 1
        }
        var reply = Writer(capacity: 4 &+ records.bytes.count)
        reply.write(count)
        reply.write(raw: records.bytes)
        return reply.bytes
    }

    /// 0 applied, 1 confirmed, 2 active, 3 suspended, 4 released.
    private static func standing(of slot: UInt8, _ state: JobState) -> UInt8 {
        if state.released.contains(slot) { return 4 }
        if state.suspended.contains(slot) { return 3 }
        if state.active.contains(slot) { return 2 }
        return state.confirmed.contains(slot) ? 1 : 0
    }

    /// Misses in a row.
    private static func misses(of slot: UInt8, _ state: JobState) -> UInt16 {
        if state.suspended.contains(slot) { return 2 }
        return state.missed.contains(slot) ? 1 : 0
    }
}
