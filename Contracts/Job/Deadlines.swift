/// How the job wakes itself up.
extension RoundMachine {
    /// The only entry for scheduled calls: look at the state and do what is due.
    static var entry: UInt32 { 1 }
    /// A scheduled call that is this late was lost, say for want of credits.
    private static var lostAfter: UInt64 { 10_000 }

    /// Has the machine run at the end of this block. With a full queue the phase's deadline, which is in it, does the
    /// same later.
    @discardableResult
    func advanceNow() -> Bool { chain.schedule(at: 0) }

    /// Makes sure that a call comes no later than the deadline, at most moments after it.
    func arm() {
        guard state.deadline > 0, !state.wakes.contains(noLaterThan: state.deadline) else { return }
        // With a full queue some call of this job comes earlier, and arms again.
        if chain.schedule(at: state.deadline) { state.wakes.add(state.deadline) }
    }

    /// Any action that succeeds revives a job whose scheduled call was lost, once in a while.
    func recover() {
        guard state.deadline > 0, chain.now > saturatingAdd(state.deadline, Self.lostAfter) else { return }
        state.wakes.removeDue(chain.now &- Self.lostAfter)
        guard !state.wakes.contains(noLaterThan: chain.now) else { return }
        if chain.schedule(at: chain.now) { state.wakes.add(chain.now) }
    }
}

/// The calls that wait in the queue, by time, the earliest last.
///
/// A phase that ends early leaves its call behind, and a fast job would soon fill its 256 places with them. So a phase
/// uses a call that is there already if it comes no later than its deadline: found too early, it only arms the next
/// one. What is in the queue then grows with the number of different time-outs, not with the number of rounds.
struct Wakes: JobStored {
    private var times = [8 of UInt64](repeating: 0)
    private var count = 0

    init() {}

    func contains(noLaterThan deadline: UInt64) -> Bool {
        count > 0 && times[count &- 1] <= deadline
    }

    /// `time` is earlier than all that are here, or there is none.
    mutating func add(_ time: UInt64) {
        if count == times.count {
            // The latest is forgotten. It still comes, and finds nothing to do.
            for index in 1..<count { times[index &- 1] = times[index] }
            count &-= 1
        }
        times[count] = time
        count &+= 1
    }

    mutating func removeDue(_ now: UInt64) {
        while contains(noLaterThan: now) { count &-= 1 }
    }

    func encode(to encoder: inout BorshEncoder) {
        encoder.integer(UInt8(truncatingIfNeeded: count))
        for index in 0..<count { encoder.integer(times[index]) }
    }

    init(from decoder: inout BorshDecoder) throws(BorshError) {
        count = min(Int(try decoder.integer(UInt8.self)), times.count)
        for index in 0..<count { times[index] = try decoder.integer() }
    }

    /// The same times, counted from `now`: what two states of the same job are compared by.
    func counted(from now: UInt64) -> Wakes {
        var result = self
        for index in 0..<count { result.times[index] = times[index] &- now }
        return result
    }
}
