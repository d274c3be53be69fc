/// Everything about the job that changes with every action, in one record of fixed size: who is where as sets of slots,
/// the running round, the model, the money, the deadlines. A commit reads it, sets two bits and writes it back.
struct JobState {
    // The phase
    var phase = JobPhase.registered
    /// 0-based; a finished job stays at its last round.
    var round: UInt32 = 0
    var since: UInt64
    /// 0 where nothing is waited for.
    var deadline: UInt64
    var request = JobRequest.none
    var reason = Reason.none
    /// While paused: the round that begins next. No round has begun before `hasStarted`.
    var resumesAt: UInt32 = 0
    var hasStarted = false

    // Participants
    /// How many slots were ever given away.
    var applicants: UInt8 = 0
    var clouds = JobSlots()
    var devices = JobSlots()
    /// Published a KEM key and an endpoint.
    var identified = JobSlots()
    /// Hold a place and wait for the next round.
    var confirmed = JobSlots()
    /// Take part in the running round.
    var active = JobSlots()
    var suspended = JobSlots()
    /// Left; the slot is free once the running round does not need it.
    var released = JobSlots()
    /// Missed the round before.
    var missed = JobSlots()
    /// Places taken, by number, of each role.
    var cloudPlaces = JobSlots()
    var workerPlaces = JobSlots()
    var devicePlaces = JobSlots()
    /// The cloud that the round's workers work with; 255 for none.
    var lead: UInt8 = 255

    // The running round
    var committed = JobSlots()
    var revealed = JobSlots()
    /// Committed too late for the running round: they are in the next.
    var late = JobSlots()
    var complained = JobSlots()
    /// Complaints that their sender has not answered.
    var unopened: UInt8 = 0
    var isExtended = false
    /// Seats of the committee that committed to a score, and that scored.
    var bids = JobSlots()
    var scores = JobSlots()
    var starvedInRow: UInt8 = 0

    // The model
    var checkpoint: Digest
    var metricMicro: UInt64 = 0
    var lossMicro: UInt64 = 0
    var bestMetricMicro: UInt64 = 0
    var acceptedRounds: UInt32 = 0
    var rejectedRounds: UInt32 = 0

    // Money. What was paid in is escrow + owed + bonds + burned + what was paid out.
    var escrow: UInt128 = 0
    var owed: UInt128 = 0
    var bonds: UInt128 = 0
    var burned: UInt128 = 0

    var arrivals = Arrivals()
    var wakes = Wakes()

    init(spec: JobSpec, time: UInt64) {
        since = time
        deadline = time
        checkpoint = spec.initialCheckpoint
    }

    // MARK: Questions

    var workers: JobSlots { JobSlots(bits: ~(clouds.bits | devices.bits)) }

    /// Slots that the running round or the next may still look at.
    var inUse: JobSlots { active | confirmed | suspended | committed | late | complained }

    func role(of slot: UInt8, _ spec: JobSpec) -> Role {
        if clouds.contains(slot) { return .cloud }
        return devices.contains(slot) ? .device : spec.workerRole
    }

    /// A cloud and enough workers are among them.
    func isQuorum(_ slots: JobSlots, _ spec: JobSpec) -> Bool {
        !(slots & clouds).isEmpty && (slots & workers).count >= spec.quorum
    }

    /// The leading cloud and enough workers are among them.
    func isComplete(_ slots: JobSlots, _ spec: JobSpec) -> Bool {
        slots.contains(lead) && (slots & workers).count >= spec.quorum
    }

    /// Who has to commit in the running round. Clouds that stand by and devices owe nothing.
    var owing: JobSlots {
        var owing = active & workers
        if lead < 64, active.contains(lead) { owing.insert(lead) }
        return owing
    }

    func hasAllCommits(_ spec: JobSpec) -> Bool {
        guard isComplete(committed, spec) else { return false }
        if spec.mode == .asynchronous { return (committed & workers).count >= spec.bufferedUpdates }
        return owing.isSubset(of: committed)
    }

    var hasAllReveals: Bool { committed.isSubset(of: revealed) }
}

extension JobState: JobStored {
    func encode(to encoder: inout BorshEncoder) {
        encoder.integer(phase.rawValue)
        encoder.integer(round)
        encoder.integer(since)
        encoder.integer(deadline)
        encoder.integer(request.rawValue)
        encoder.integer(reason.rawValue)
        encoder.integer(resumesAt)
        encoder.bool(hasStarted)
        encoder.integer(applicants)
        encoder.value(clouds)
        encoder.value(devices)
        encoder.value(identified)
        encoder.value(confirmed)
        encoder.value(active)
        encoder.value(suspended)
        encoder.value(released)
        encoder.value(missed)
        encoder.value(cloudPlaces)
        encoder.value(workerPlaces)
        encoder.value(devicePlaces)
        encoder.integer(lead)
        encoder.value(committed)
        encoder.value(revealed)
        encoder.value(late)
        encoder.value(complained)
        encoder.integer(unopened)
        encoder.bool(isExtended)
        encoder.value(bids)
        encoder.value(scores)
        encoder.integer(starvedInRow)
        encoder.value(checkpoint)
        encoder.integer(metricMicro)
        encoder.integer(lossMicro)
        encoder.integer(bestMetricMicro)
        encoder.integer(acceptedRounds)
        encoder.integer(rejectedRounds)
        encoder.integer(escrow)
        encoder.integer(owed)
        encoder.integer(bonds)
        encoder.integer(burned)
        encoder.value(arrivals)
        encoder.value(wakes)
    }

    init(from decoder: inout BorshDecoder) throws(BorshError) {
        phase = try decoder.tag()
        round = try decoder.integer()
        since = try decoder.integer()
        deadline = try decoder.integer()
        request = try decoder.tag()
        reason = try decoder.tag()
        resumesAt = try decoder.integer()
        hasStarted = try decoder.bool()
        applicants = try decoder.integer()
        clouds = try decoder.value()
        devices = try decoder.value()
        identified = try decoder.value()
        confirmed = try decoder.value()
        active = try decoder.value()
        suspended = try decoder.value()
        released = try decoder.value()
        missed = try decoder.value()
        cloudPlaces = try decoder.value()
        workerPlaces = try decoder.value()
        devicePlaces = try decoder.value()
        lead = try decoder.integer()
        committed = try decoder.value()
        revealed = try decoder.value()
        late = try decoder.value()
        complained = try decoder.value()
        unopened = try decoder.integer()
        isExtended = try decoder.bool()
        bids = try decoder.value()
        scores = try decoder.value()
        starvedInRow = try decoder.integer()
        checkpoint = try decoder.value()
        metricMicro = try decoder.integer()
        lossMicro = try decoder.integer()
        bestMetricMicro = try decoder.integer()
        acceptedRounds = try decoder.integer()
        rejectedRounds = try decoder.integer()
        escrow = try decoder.integer()
        owed = try decoder.integer()
        bonds = try decoder.integer()
        burned = try decoder.integer()
        arrivals = try decoder.value()
        wakes = try decoder.value()
    }
}

/// Why the job rests, or why its last round starved.
enum Reason: UInt8 {
    case none = 0
    case pausedByOwner = 1
    case abortedByOwner = 2
    case tooFewWorkers = 3
    case fewCommitments = 4
    case fewReveals = 5
    case silentCommittee = 6
    case tooLittleMoney = 7
    case pausedTooLong = 8
    case silentCloud = 9

    /// At most 64 bytes.
    var text: StaticString {
        switch self {
        case .none: ""
        case .pausedByOwner: "paused by the owner"
        case .abortedByOwner: "aborted by the owner"
        case .tooFewWorkers: "fewer workers than the quorum, or no cloud"
        case .fewCommitments: "starved: too few commitments in time"
        case .fewReveals: "starved: too few reveals in time"
        case .silentCommittee: "starved: no validation in time"
        case .tooLittleMoney: "the escrow does not cover the next round"
        case .pausedTooLong: "ended after too long a pause"
        case .silentCloud: "starved: the cloud was silent"
        }
    }
}

/// A sum of money, which stops at the top instead of trapping.
@inline(never)
func plus(_ a: UInt128, _ b: UInt128) -> UInt128 { saturatingAdd(a, b) }

/// What is left of `a`, or 0.
@inline(never)
func minus(_ a: UInt128, _ b: UInt128) -> UInt128 { a &- min(a, b) }
