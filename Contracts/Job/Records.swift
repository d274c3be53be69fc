// What is stored besides the job's state. Each is Borsh in the order of its fields.

/// Who takes part, and how to reach it.
struct Participant: BorshCodable {
    /// First, so that it can be read without the rest.
    let account: Account
    var samples: UInt32
    var kemPublicKey = Bytes32.zero
    /// host:port
    var endpoint = Bytes.empty

    init(account: Account, samples: UInt32) {
        self.account = account
        self.samples = samples
    }

    init(from reader: inout Reader) {
        account = Account(from: &reader)
        samples = reader.integer()
        kemPublicKey = reader.bytes32()
        endpoint = reader.byteString(limit: 128)
    }

    func encode(to writer: inout Writer) {
        writer.write(account)
        writer.write(samples)
        writer.write(kemPublicKey)
        writer.write(string: endpoint)
    }

    /// The account alone.
    static func account(_ slot: UInt8) -> Account? {
        Storage.get(firstOf: Keys.participant(slot), size: Bytes32.byteCount, as: Account.self)
    }
}

/// What one participant revealed for a round.
struct RoundResult: BorshCodable {
    /// Root over the digests of the round's steps.
    let stepsRoot: Digest
    /// The checkpoint after the round.
    let artifact: Digest

    init(stepsRoot: Digest, artifact: Digest) {
        self.stepsRoot = stepsRoot
        self.artifact = artifact
    }

    init(from reader: inout Reader) {
        stepsRoot = Digest(from: &reader)
        artifact = Digest(from: &reader)
    }

    func encode(to writer: inout Writer) {
        writer.write(stepsRoot)
        writer.write(artifact)
    }
}

/// What the validator found.
struct Validation: BorshCodable {
    let metricMicro: UInt64
    let lossMicro: UInt64
    let checkpoint: Digest

    init(from reader: inout Reader) {
        metricMicro = reader.integer()
        lossMicro = reader.integer()
        checkpoint = Digest(from: &reader)
    }

    func encode(to writer: inout Writer) {
        writer.write(metricMicro)
        writer.write(lossMicro)
        writer.write(checkpoint)
    }
}

/// One closed round: an element of the history and the data of the event "round".
struct RoundRecord: BorshCodable {
    static let kept: UInt32 = 64

    let round: UInt32
    let outcome: UInt8
    let metricMicro: UInt64
    let lossMicro: UInt64
    let closedAt: Milliseconds
    /// The accepted model after the round: unless the outcome is accepted, the one before it.
    let checkpoint: Digest
    /// How many delivered.
    let participants: UInt16

    init(
        round: UInt32, outcome: Outcome, metricMicro: UInt64, lossMicro: UInt64, closedAt: Milliseconds,
        checkpoint: Digest, participants: UInt16
    ) {
        self.round = round
        self.outcome = outcome.rawValue
        self.metricMicro = metricMicro
        self.lossMicro = lossMicro
        self.closedAt = closedAt
        self.checkpoint = checkpoint
        self.participants = participants
    }

    init(from reader: inout Reader) {
        round = reader.integer()
        outcome = reader.integer()
        metricMicro = reader.integer()
        lossMicro = reader.integer()
        closedAt = reader.integer()
        checkpoint = Digest(from: &reader)
        participants = reader.integer()
    }

    func encode(to writer: inout Writer) {
        writer.write(round)
        writer.write(outcome)
        writer.write(metricMicro)
        writer.write(lossMicro)
        writer.write(closedAt)
        writer.write(checkpoint)
        writer.write(participants)
    }
}

/// Accepted rounds by slot: one value, since a closing round changes nearly all of them.
struct Credits: BorshCodable {
    private var bySlot = [64 of UInt32](repeating: 0)
    /// How many slots are stored.
    private var count: UInt8 = 0

    init() {}

    subscript(slot: UInt8) -> UInt32 { slot < count ? bySlot[Int(slot)] : 0 }

    /// Never overflows: a job has at most 1,000,000 rounds and 64 participants.
    var total: UInt32 {
        var total: UInt32 = 0
        for slot in 0..<count { total &+= self[slot] }
        return total
    }

    mutating func addOne(_ slot: UInt8) {
        count = max(count, slot &+ 1)
        bySlot[Int(slot)] &+= 1
    }

    init(from reader: inout Reader) {
        count = min(reader.integer(), UInt8(SlotSet.capacity))
        for slot in 0..<count { bySlot[Int(slot)] = reader.integer() }
    }

    func encode(to writer: inout Writer) {
        writer.write(count)
        for slot in 0..<count { writer.write(self[slot]) }
    }
}

/// Data of the event "phase".
struct PhaseEvent: BorshCodable {
    let round: UInt32
    let phase: UInt8

    init(round: UInt32, phase: UInt8) {
        self.round = round
        self.phase = phase
    }

    init(from reader: inout Reader) {
        round = reader.integer()
        phase = reader.integer()
    }

    func encode(to writer: inout Writer) {
        writer.write(round)
        writer.write(phase)
    }
}
