import Encoding
import Primitives

/// A call that waits in the schedule queue.
public struct ScheduledCall: BorshCodable, Hashable, Sendable {
    public let contract: Account
    public let entry: UInt32
    public let data: [UInt8]
    /// Header time from which on it is due.
    public let time: Time
    /// How often it was put off since its contract could not pay.
    public let postponements: UInt8

    public static let longestData = 4_096

    public func encode(to encoder: inout BorshEncoder) {
        encoder.value(contract)
        encoder.integer(entry)
        encoder.variable(data)
        encoder.value(time)
        encoder.integer(postponements)
    }

    public init(contract: Account, entry: UInt32, data: [UInt8], time: Time, postponements: UInt8 = 0) {
        self.contract = contract
        self.entry = entry
        self.data = data
        self.time = time
        self.postponements = postponements
    }

    public init(from decoder: inout BorshDecoder) throws(BorshError) {
        contract = try decoder.value()
        entry = try decoder.integer()
        data = try decoder.variable(limit: Self.longestData)
        time = try decoder.value()
        postponements = try decoder.integer()
    }
}

/// The schedule queue: a binary min-heap over (time, number) that lies in the state, slot by slot, so that taking or
/// adding a call touches a logarithmic number of values.
struct ScheduleQueue {
    struct Slot: BorshCodable, Hashable, Comparable {
        let time: Time
        let number: UInt64

        init(time: Time, number: UInt64) {
            self.time = time
            self.number = number
        }

        func encode(to encoder: inout BorshEncoder) {
            encoder.value(time)
            encoder.integer(number)
        }

        init(from decoder: inout BorshDecoder) throws(BorshError) {
            time = try decoder.value()
            number = try decoder.integer()
        }

        static func < (lhs: Slot, rhs: Slot) -> Bool { (lhs.time, lhs.number) < (rhs.time, rhs.number) }
    }

    private let overlay: Overlay

    init(_ overlay: Overlay) { self.overlay = overlay }

    /// The earliest call's time and number.
    var first: Slot? {
        get throws(LedgerError) { try counters().count > 0 ? try slot(0) : nil }
    }

    func call(_ number: UInt64) throws(LedgerError) -> ScheduledCall {
        guard let call: ScheduledCall = try overlay.value(.scheduledCall(number)) else {
            throw .corruptState(.scheduledCall(number), "the schedule's heap names a call that is not there")
        }
        return call
    }

    /// Adds a call and returns its number.
    func add(_ call: ScheduledCall) throws(LedgerError) -> UInt64 {
        var counters = try counters()
        let number = counters.nextNumber
        counters.nextNumber = number.addingSaturating(1)
        overlay.set(.schedule, counters)
        try put(call, number: number)
        return number
    }

    /// Adds a call that was taken out before, under its old number.
    func put(_ call: ScheduledCall, number: UInt64) throws(LedgerError) {
        var counters = try counters()
        var index = counters.count
        counters.count = index.addingSaturating(1)
        overlay.set(.schedule, counters)
        overlay.set(.scheduledCall(number), call)
        let new = Slot(time: call.time, number: number)
        while index > 0 {
            let parent = (index - 1) / 2
            let above = try slot(parent)
            guard new < above else { break }
            overlay.set(.scheduleSlot(index), above)
            index = parent
        }
        overlay.set(.scheduleSlot(index), new)
    }

    /// Takes the earliest call out.
    func removeFirst() throws(LedgerError) {
        var counters = try counters()
        guard counters.count > 0 else { return }
        let first = try slot(0)
        counters.count -= 1
        overlay.set(.schedule, counters)
        overlay.set(.scheduledCall(first.number), nil)
        let last = try slot(counters.count)
        overlay.set(.scheduleSlot(counters.count), nil)
        let count = counters.count
        guard count > 0 else { return }
        var index: UInt64 = 0
        // A heap has far fewer than 2^62 slots, so 2 * index + 2 fits.
        while 2 * index + 1 < count {
            var child = 2 * index + 1
            var below = try slot(child)
            if child + 1 < count {
                let right = try slot(child + 1)
                if right < below {
                    child += 1
                    below = right
                }
            }
            guard below < last else { break }
            overlay.set(.scheduleSlot(index), below)
            index = child
        }
        overlay.set(.scheduleSlot(index), last)
    }

    private func counters() throws(LedgerError) -> ScheduleCounters { try overlay.value(.schedule) ?? ScheduleCounters() }

    private func slot(_ index: UInt64) throws(LedgerError) -> Slot {
        guard let slot: Slot = try overlay.value(.scheduleSlot(index)) else {
            throw .corruptState(.scheduleSlot(index), "a slot of the schedule's heap is missing")
        }
        return slot
    }
}
