// What the contract stores besides its state. Each is Borsh in the order of its fields.

/// The storage layout. A commit touches `state`, `slot`, `participant` and `work`, and nothing else.
enum Keys {
    static var spec: JobKey<JobSpec> { JobKey("spec") }
    static var state: JobKey<JobState> { JobKey("state") }
    /// Accepted rounds and pay that was not taken, by slot.
    static var pay: JobKey<Pay> { JobKey("pay") }
    /// What the running round's lead named.
    static var partners: JobKey<JobPartners> { JobKey("partners") }
    /// Who evaluates the running round.
    static var committee: JobKey<Committee> { JobKey("committee") }

    static func slot(of account: Account) -> JobKey<UInt8> { JobKey("slot/", account) }
    static func participant(_ slot: UInt8) -> JobKey<Participant> { JobKey(Participant.family, slot) }
    /// What a participant committed to, and revealed, last.
    static func work(_ slot: UInt8) -> JobKey<Work> { JobKey("work/", slot) }
    /// What a member of the committee committed to, and its score.
    static func bid(_ seat: UInt8) -> JobKey<Digest> { JobKey("bid/", seat) }
    static func score(_ seat: UInt8) -> JobKey<JobValidation> { JobKey("score/", seat) }
    static func complaint(_ slot: UInt8) -> JobKey<JobOpenComplaint> { JobKey("complaint/", slot) }
    /// What an account that has no slot can take: former participants, members of committees.
    static func owed(_ account: Account) -> JobKey<UInt128> { JobKey("owed/", account) }
    /// The last 64 rounds, by round number modulo 64.
    static func history(_ round: UInt32) -> JobKey<JobRound> {
        JobKey("history/", UInt8(truncatingIfNeeded: round % UInt32(truncatingIfNeeded: JobHistory.limit)))
    }
}

/// One participant's part in the round that it committed to last.
struct Work: JobStored {
    let commitment: Digest
    /// The round whose checkpoint it started from.
    let base: UInt32
    var stepsRoot = Digest.zero
    var artifact = Digest.zero

    init(commitment: Digest, base: UInt32) {
        self.commitment = commitment
        self.base = base
    }

    func encode(to encoder: inout BorshEncoder) {
        encoder.value(commitment)
        encoder.integer(base)
        encoder.value(stepsRoot)
        encoder.value(artifact)
    }

    init(from decoder: inout BorshDecoder) throws(BorshError) {
        commitment = try decoder.value()
        base = try decoder.integer()
        stepsRoot = try decoder.value()
        artifact = try decoder.value()
    }
}

/// What slots have earned and not taken, and in how many rounds: one value, since a closing round changes nearly all.
struct Pay: JobStored {
    var owed = [64 of UInt128](repeating: 0)
    var rounds = [64 of UInt32](repeating: 0)
    /// How many slots are stored.
    private var count = 0

    init() {}

    func owed(_ slot: UInt8) -> UInt128 { slot < 64 ? owed[Int(slot)] : 0 }
    func rounds(_ slot: UInt8) -> UInt32 { slot < 64 ? rounds[Int(slot)] : 0 }

    mutating func set(_ slot: UInt8, owed amount: UInt128, rounds accepted: UInt32) {
        guard slot < 64 else { return }
        count = max(count, Int(slot) &+ 1)
        owed[Int(slot)] = amount
        rounds[Int(slot)] = accepted
    }

    func encode(to encoder: inout BorshEncoder) {
        encoder.integer(UInt8(truncatingIfNeeded: count))
        for slot in 0..<count {
            encoder.integer(owed[slot])
            encoder.integer(rounds[slot])
        }
    }
    init(from decoder: inout BorshDecoder) throws(BorshError) {
        count = min(Int(try decoder.integer(UInt8.self)), 64)
        for slot in 0..<count {
            owed[slot] = try decoder.integer()
            rounds[slot] = try decoder.integer()
        }
    }
}

/// The seats of the running round's committee.
struct Committee: JobStored {
    var members: [Account] = []
    /// How many of those who stand by have been called.
    var called: UInt8 = 0

    init() {}

    func seat(of account: Account) -> UInt8? {
        for seat in 0..<members.count where members[seat] == account { return UInt8(truncatingIfNeeded: seat) }
        return nil
    }

    func encode(to encoder: inout BorshEncoder) {
        encoder.array(members)
        encoder.integer(called)
    }
    init(from decoder: inout BorshDecoder) throws(BorshError) {
        members = try decoder.array(limit: Int(JobCommittee.mostMembers), smallestElement: 32)
        called = try decoder.integer()
    }
}
