/// How the job wakes itself up.
enum Deadlines {
    /// The only entry for scheduled calls: look at the state and do what is due.
    static let entry: UInt32 = 1

    /// A scheduled call that is this late was lost, say for want of credits.
    private static let lostAfter: Milliseconds = 10_000

    /// Has the round machine run at the end of this block; false when the queue is full.
    static func scheduleNow(_ state: JobState) -> Bool {
        Chain.schedule(.now, entry: entry, data: Wake(state))
    }

    /// Makes sure that a call comes no later than the deadline, at most moments after it.
    static func arm(_ state: inout JobState) {
        guard state.deadline > 0, !state.wakes.contains(noLaterThan: state.deadline) else { return }
        // With a full queue some call of this job comes earlier, and arms again.
        if Chain.schedule(.at(state.deadline), entry: entry, data: Wake(state)) {
            state.wakes.add(state.deadline)
        }
    }

    /// Any action that succeeds revives a job whose scheduled call was lost, once in a while.
    static func recover(_ state: inout JobState, now: Milliseconds) {
        guard state.deadline > 0, now > saturatingAdd(state.deadline, lostAfter) else { return }
        state.wakes.removeDue(now &- lostAfter)
        guard !state.wakes.contains(noLaterThan: now) else { return }
        if Chain.schedule(.at(now), entry: entry, data: Wake(state)) { state.wakes.add(now) }
    }
}

/// Data of a scheduled call: the phase for which it was made.
struct Wake: BorshCodable {
    let round: UInt32
    let phase: UInt8
    let nonce: UInt32

    init(_ state: JobState) {
        round = state.round
        phase = state.phase.rawValue
        nonce = state.nonce
    }

    init(from reader: inout Reader) {
        round = reader.integer()
        phase = reader.integer()
        nonce = reader.integer()
    }

    func encode(to writer: inout Writer) {
        writer.write(round)
        writer.write(phase)
        writer.write(nonce)
    }
}

/// The calls that wait in the queue, by time, the earliest last.
///
/// A phase that ends early leaves its call behind, and a fast job would soon fill its 256 places
/// with them. So a phase uses a call that is there already if it comes no later than its deadline:
/// found too early, it only arms the next one. What is in the queue then grows with the number of
/// different timeouts, not with the number of rounds.
struct Wakes: BorshCodable {
    private var times = [8 of UInt64](repeating: 0)
    private var count = 0

    init() {}

    func contains(noLaterThan deadline: Milliseconds) -> Bool {
        count > 0 && times[count &- 1] <= deadline
    }

    /// `time` is earlier than all that are here, or there is none.
    mutating func add(_ time: Milliseconds) {
        if count == times.count {
            // The latest is forgotten. It still comes, and finds nothing to do.
            for index in 1..<count { times[index &- 1] = times[index] }
            count &-= 1
        }
        times[count] = time
        count &+= 1
    }

    mutating func removeDue(_ now: Milliseconds) {
        while contains(noLaterThan: now) { count &-= 1 }
    }

    init(from reader: inout Reader) {
        count = min(Int(reader.integer(UInt8.self)), times.count)
        for index in 0..<count { times[index] = reader.integer() }
    }

    func encode(to writer: inout Writer) {
        writer.write(UInt8(truncatingIfNeeded: count))
        for index in 0..<count { writer.write(times[index]) }
    }
}
