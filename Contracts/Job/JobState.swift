/// Everything about the job that changes, in one record: who is where as sets of slots, the running
/// round, the model, the money, the deadlines. A commit reads it, sets two bits and writes it back.
struct JobState {
    // The phase
    var phase = Phase.registered
    /// 0-based; a finished job stays at its last round.
    var round: UInt32 = 0
    var since: Milliseconds
    /// 0 where nothing is waited for.
    var deadline: Milliseconds = 0
    /// Grows with every phase entered.
    var nonce: UInt32 = 0
    var request = OwnerRequest.none
    var reason = Reason.none

    // While paused
    /// The phase to go back to.
    var frozen = Phase.registered
    var frozenElapsed: Milliseconds = 0
    /// 0: that phase starts afresh.
    var frozenRemaining: Milliseconds = 0

    // Participants
    /// How many slots are given away.
    var applicants: UInt8 = 0
    var clouds = SlotSet()
    /// Published a KEM key and an endpoint.
    var identified = SlotSet()
    /// In the open phase: hold a place. Later: suspended workers that came back and wait for a round.
    var confirmed = SlotSet()
    /// Fixed when the first round starts; what places are counted in.
    var roster = SlotSet()
    var active = SlotSet()
    var suspended = SlotSet()
    var released = SlotSet()
    /// Missed the round before.
    var missed = SlotSet()

    // The running round
    var committed = SlotSet()
    var revealed = SlotSet()
    var complained = SlotSet()
    var isExtended = false
    var isValidated = false
    /// A copy from the specification: every commit needs it.
    var quorum: UInt16
    var starvedInRow: UInt8 = 0

    // The model
    var checkpoint = Digest.zero
    var metricMicro: UInt64 = 0
    var lossMicro: UInt64 = 0
    var bestMetricMicro: UInt64 = 0
    var acceptedRounds: UInt32 = 0
    var rejectedRounds: UInt32 = 0

    // Money
    /// What was paid in by action 8 and is not shared out. The service's deposit is no part of it.
    var escrow: Amount = 0
    /// The escrow when the job ended: what shares are computed from.
    var pot: Amount = 0
    /// Shares that workers have taken, and who did.
    var paidOut: Amount = 0
    var paid = SlotSet()

    var arrivals = Arrivals()
    var wakes = Wakes()

    init(spec: JobSpec, time: Milliseconds) {
        since = time
        deadline = time
        quorum = spec.quorum
    }

    // MARK: Questions

    /// A cloud and enough edges are among `workers`.
    func isQuorum(_ workers: SlotSet) -> Bool {
        !(workers & clouds).isEmpty && (workers - clouds).count >= quorum
    }

    var everyoneCommitted: Bool { active.isSubset(of: committed) && isQuorum(committed) }
    var everyoneRevealed: Bool { committed.isSubset(of: revealed) }

    /// All wanted places are confirmed.
    func isRosterFull(_ spec: JobSpec) -> Bool {
        (confirmed & clouds).count == spec.clouds && (confirmed - clouds).count == spec.edges
    }

    func role(of slot: UInt8) -> Chain.Role { clouds.contains(slot) ? .cloud : .edge }

    /// The place among those of the same role: an edge's is its shard. Final once the roster is fixed.
    func index(of slot: UInt8) -> UInt16 {
        let placed = roster.isEmpty ? confirmed : roster
        let peers = clouds.contains(slot) ? placed & clouds : placed - clouds
        return peers.before(slot).count
    }
}

extension JobState: BorshCodable {
    init(from reader: inout Reader) {
        phase = Phase(rawValue: reader.integer()) ?? .paused
        round = reader.integer()
        since = reader.integer()
        deadline = reader.integer()
        nonce = reader.integer()
        request = OwnerRequest(rawValue: reader.integer()) ?? .none
        reason = Reason(rawValue: reader.integer()) ?? .none
        frozen = Phase(rawValue: reader.integer()) ?? .registered
        frozenElapsed = reader.integer()
        frozenRemaining = reader.integer()
        applicants = reader.integer()
        clouds = SlotSet(from: &reader)
        identified = SlotSet(from: &reader)
        confirmed = SlotSet(from: &reader)
        roster = SlotSet(from: &reader)
        active = SlotSet(from: &reader)
        suspended = SlotSet(from: &reader)
        released = SlotSet(from: &reader)
        missed = SlotSet(from: &reader)
        committed = SlotSet(from: &reader)
        revealed = SlotSet(from: &reader)
        complained = SlotSet(from: &reader)
        isExtended = Bool(from: &reader)
        isValidated = Bool(from: &reader)
        quorum = reader.integer()
        starvedInRow = reader.integer()
        checkpoint = Digest(from: &reader)
        metricMicro = reader.integer()
        lossMicro = reader.integer()
        bestMetricMicro = reader.integer()
        acceptedRounds = reader.integer()
        rejectedRounds = reader.integer()
        escrow = reader.integer()
        pot = reader.integer()
        paidOut = reader.integer()
        paid = SlotSet(from: &reader)
        arrivals = Arrivals(from: &reader)
        wakes = Wakes(from: &reader)
    }

    func encode(to writer: inout Writer) {
        writer.write(phase.rawValue)
        writer.write(round)
        writer.write(since)
        writer.write(deadline)
        writer.write(nonce)
        writer.write(request.rawValue)
        writer.write(reason.rawValue)
        writer.write(frozen.rawValue)
        writer.write(frozenElapsed)
        writer.write(frozenRemaining)
        writer.write(applicants)
        writer.write(clouds)
        writer.write(identified)
        writer.write(confirmed)
        writer.write(roster)
        writer.write(active)
        writer.write(suspended)
        writer.write(released)
        writer.write(missed)
        writer.write(committed)
        writer.write(revealed)
        writer.write(complained)
        writer.write(isExtended)
        writer.write(isValidated)
        writer.write(quorum)
        writer.write(starvedInRow)
        writer.write(checkpoint)
        writer.write(metricMicro)
        writer.write(lossMicro)
        writer.write(bestMetricMicro)
        writer.write(acceptedRounds)
        writer.write(rejectedRounds)
        writer.write(escrow)
        writer.write(pot)
        writer.write(paidOut)
        writer.write(paid)
        writer.write(arrivals)
        writer.write(wakes)
    }
}
