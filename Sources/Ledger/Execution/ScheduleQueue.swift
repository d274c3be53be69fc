import Encoding
import Primitives

/// A call that waits in the schedule queue.
public struct ScheduledCall: BorshCodable, Hashable, Sendable {
    public let contract: Account
    public let entry: UInt32
    public let data: [UInt8]
    /// Header time from which on it is due.
    public let time: Time
    /// What it may use, and what its contract has paid for it.
    public let gas: UInt64

    public static let longestData = 4_096

    public init(contract: Account, entry: UInt32, data: [UInt8], time: Time, gas: UInt64) {
        self.contract = contract
        self.entry = entry
        self.data = data
        self.time = time
        self.gas = gas
    }

    public func encode(to encoder: inout BorshEncoder) {
        encoder.value(contract)
        encoder.integer(entry)
        encoder.variable(data)
        encoder.value(time)
        encoder.integer(gas)
    }

    public init(from decoder: inout BorshDecoder) throws(BorshError) {
        contract = try decoder.value()
        entry = try decoder.integer()
        data = try decoder.variable(limit: Self.longestData)
        time = try decoder.value()
        gas = try decoder.integer()
    }
}

/// The calls of one contract that wait, and when its turns come.
public struct ServiceQueue: BorshCodable, Hashable, Sendable {
    public struct Place: BorshCodable, Hashable, Comparable, Sendable {
        public let time: Time
        /// Of the call.
        public let number: UInt64

        public init(time: Time, number: UInt64) {
            self.time = time
            self.number = number
        }

        public func encode(to encoder: inout BorshEncoder) {
            encoder.value(time)
            encoder.integer(number)
        }

        public init(from decoder: inout BorshDecoder) throws(BorshError) {
            time = try decoder.value()
            number = try decoder.integer()
        }

        public static func < (lhs: Place, rhs: Place) -> Bool { (lhs.time, lhs.number) < (rhs.time, rhs.number) }
    }

    /// Ascending by time, then number.
    public internal(set) var calls: [Place] = []
    /// Times of its turns in the heap, ascending. There is one at or before the first call's time, and never more than
    /// calls.
    public internal(set) var turns: [Time] = []

    /// Whatever the parameters say.
    static let mostCalls = 65_536

    public init() {}

    mutating func insert(_ place: Place) { calls.insert(place, at: calls.firstIndex { place < $0 } ?? calls.endIndex) }
    mutating func insertTurn(_ time: Time) { turns.insert(time, at: turns.firstIndex { time < $0 } ?? turns.endIndex) }
    mutating func removeTurn(_ time: Time) { if let index = turns.firstIndex(of: time) { turns.remove(at: index) } }

    public func encode(to encoder: inout BorshEncoder) {
        encoder.array(calls)
        encoder.array(turns)
    }

    public init(from decoder: inout BorshDecoder) throws(BorshError) {
        calls = try decoder.array(limit: Self.mostCalls, smallestElement: 16)
        turns = try decoder.array(limit: Self.mostCalls, smallestElement: 8)
    }
}

/// The schedule queue (`Docs/decisions/0003`): for each contract the list of its calls, and over the contracts one heap of
/// *turns*. When a contract's turn comes, one of its due calls runs; if another one is due, the contract gets a new turn
/// behind all that are due by then. So contracts take turns, one call each, whatever number of calls one of them has.
///
/// The heap lies in the state in pages of ``HeapPage/width`` turns, each page the children of one turn, so that adding
/// or taking one touches about log16 of the number of contracts.
struct ScheduleQueue {
    struct Turn: BorshCodable, Hashable, Comparable {
        let time: Time
        /// Orders turns of the same time by when they were given.
        let ticket: UInt64
        let contract: Account

        init(time: Time, ticket: UInt64, contract: Account) {
            self.time = time
            self.ticket = ticket
            self.contract = contract
        }

        func encode(to encoder: inout BorshEncoder) {
            encoder.value(time)
            encoder.integer(ticket)
            encoder.value(contract)
        }

        init(from decoder: inout BorshDecoder) throws(BorshError) {
            time = try decoder.value()
            ticket = try decoder.integer()
            contract = try decoder.value()
        }

        static func < (lhs: Turn, rhs: Turn) -> Bool { (lhs.time, lhs.ticket) < (rhs.time, rhs.ticket) }
    }

    /// The children of one turn, in the order of their places; the first page has the top alone.
    struct HeapPage: BorshCodable {
        static let width: UInt64 = 16
        var turns: [Turn] = []

        init() {}
        func encode(to encoder: inout BorshEncoder) { encoder.array(turns) }
        init(from decoder: inout BorshDecoder) throws(BorshError) {
            turns = try decoder.array(limit: Int(Self.width), smallestElement: 48)
        }
    }

    private let overlay: Overlay

    init(_ overlay: Overlay) { self.overlay = overlay }

    // MARK: Calls

    /// The earliest turn. Its contract may have nothing left to do by then.
    var first: Turn? {
        get throws(LedgerError) { try counters().count > 0 ? try turn(0) : nil }
    }

    func queue(of contract: Account) throws(LedgerError) -> ServiceQueue {
        try overlay.value(.serviceQueue(contract)) ?? ServiceQueue()
    }

    func call(_ number: UInt64) throws(LedgerError) -> ScheduledCall {
        guard let call: ScheduledCall = try overlay.value(.scheduledCall(number)) else {
            throw .corruptState(.scheduledCall(number), "the schedule names a call that is not there")
        }
        return call
    }

    /// Adds a call and returns its number.
    func add(_ call: ScheduledCall) throws(LedgerError) -> UInt64 {
        var counters = try counters()
        let number = counters.nextNumber
        counters.nextNumber = number.addingSaturating(1)
        overlay.set(.schedule, counters)
        overlay.set(.scheduledCall(number), call)
        var queue = try queue(of: call.contract)
        queue.insert(ServiceQueue.Place(time: call.time, number: number))
        try ensureTurn(&queue, at: call.time, of: call.contract)
        set(queue, of: call.contract)
        return number
    }

    /// Takes the earliest turn out of the heap, and the first due call of its contract out of its list.
    /// - Parameter mayRun: whether the contract can be served now; else its turn comes again behind all that are due.
    func takeTurn(at time: Time, mayRun: (Account) -> Bool) throws(LedgerError) -> (call: ScheduledCall, number: UInt64)? {
        guard let turn = try removeFirst() else { return nil }
        var queue = try queue(of: turn.contract)
        queue.removeTurn(turn.time)
        var taken: (call: ScheduledCall, number: UInt64)?
        if let place = queue.calls.first, place.time <= time, mayRun(turn.contract) {
            queue.calls.removeFirst()
            taken = (try call(place.number), place.number)
            overlay.set(.scheduledCall(place.number), nil)
        }
        if let next = queue.calls.first { try ensureTurn(&queue, at: max(next.time, time), of: turn.contract) }
        set(queue, of: turn.contract)
        return taken
    }

    private func ensureTurn(_ queue: inout ServiceQueue, at time: Time, of contract: Account) throws(LedgerError) {
        if let first = queue.turns.first, first <= time { return }
        queue.insertTurn(time)
        var counters = try counters()
        let ticket = counters.nextTicket
        counters.nextTicket = ticket.addingSaturating(1)
        overlay.set(.schedule, counters)
        try insert(Turn(time: time, ticket: ticket, contract: contract))
    }

    private func set(_ queue: ServiceQueue, of contract: Account) {
        let isEmpty = queue.calls.isEmpty && queue.turns.isEmpty
        overlay.set(.serviceQueue(contract), isEmpty ? nil : queue.borsh)
    }

    // MARK: Heap

    private func insert(_ turn: Turn) throws(LedgerError) {
        var counters = try counters()
        var index = counters.count
        counters.count = index.addingSaturating(1)
        overlay.set(.schedule, counters)
        while index > 0 {
            let parent = Self.parent(of: index)
            let above = try self.turn(parent)
            guard turn < above else { break }
            try put(above, at: index)
            index = parent
        }
        try put(turn, at: index)
    }

    private func removeFirst() throws(LedgerError) -> Turn? {
        var counters = try counters()
        guard counters.count > 0 else { return nil }
        let first = try turn(0)
        counters.count -= 1
        overlay.set(.schedule, counters)
        let last = try turn(counters.count)
        try put(nil, at: counters.count)
        guard counters.count > 0 else { return first }
        var index: UInt64 = 0
        while true {
            let children = try page(of: Self.firstChild(of: index)).turns
            guard let place = children.indices.min(by: { children[$0] < children[$1] }), children[place] < last else { break }
            try put(children[place], at: index)
            index = Self.firstChild(of: index) + UInt64(place)
        }
        try put(last, at: index)
        return first
    }

    // A heap has far fewer than 2^58 turns, so nothing here overflows.
    private static func parent(of index: UInt64) -> UInt64 { (index - 1) / HeapPage.width }
    private static func firstChild(of index: UInt64) -> UInt64 { index * HeapPage.width + 1 }
    /// The top is alone in the first page.
    private static func place(of index: UInt64) -> (page: UInt64, slot: Int) {
        guard index > 0 else { return (0, 0) }
        return ((index - 1) / HeapPage.width + 1, Int((index - 1) % HeapPage.width))
    }

    private func page(of index: UInt64) throws(LedgerError) -> HeapPage {
        try overlay.value(.scheduleSlot(Self.place(of: index).page)) ?? HeapPage()
    }

    private func turn(_ index: UInt64) throws(LedgerError) -> Turn {
        let (number, slot) = Self.place(of: index)
        let page = try page(of: index)
        guard page.turns.indices.contains(slot) else {
            throw .corruptState(.scheduleSlot(number), "a turn of the schedule's heap is missing")
        }
        return page.turns[slot]
    }

    /// Sets a turn, or takes the last one of the heap away.
    private func put(_ turn: Turn?, at index: UInt64) throws(LedgerError) {
        let (number, slot) = Self.place(of: index)
        var page = try page(of: index)
        guard slot <= page.turns.count else {
            throw .corruptState(.scheduleSlot(number), "a page of the schedule's heap has a hole")
        }
        if let turn {
            if slot < page.turns.count { page.turns[slot] = turn } else { page.turns.append(turn) }
        } else {
            page.turns.removeSubrange(slot...)
        }
        overlay.set(.scheduleSlot(number), page.turns.isEmpty ? nil : page.borsh)
    }

    private func counters() throws(LedgerError) -> ScheduleCounters { try overlay.value(.schedule) ?? ScheduleCounters() }
}
