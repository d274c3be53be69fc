import Primitives
import Synchronization

/// What happens on the network, for one consumer of each rank.
///
/// Peers take turns, so that none starves the others; of one peer the messages of one rank come in their order, after
/// its `connected` and never after its `disconnected`. Messages that the consumer does not take stay with the peer:
/// above a limit it is not read from, and TCP slows it down. What a peer sent goes with its connection.
public struct PeerEvents: AsyncSequence, Sendable {
    public typealias Element = PeerEvent
    public typealias Failure = Never

    let queue: PeerEventQueue
    let ranks: Set<PeerRank>

    public struct Iterator: AsyncIteratorProtocol {
        let queue: PeerEventQueue
        let ranks: Set<PeerRank>

        public mutating func next() async -> PeerEvent? { await queue.next(ranks, isolation: nil) }
        public mutating func next(isolation actor: isolated (any Actor)?) async -> PeerEvent? {
            await queue.next(ranks, isolation: actor)
        }
    }

    public func makeAsyncIterator() -> Iterator { Iterator(queue: queue, ranks: ranks) }
}

/// Where a paused peer is told to go on.
protocol Resumable: AnyObject, Sendable {
    func resume()
}

/// The gate's rooms. What one peer can make it hold is bounded by rank, what all together can by room, and what ends
/// leaves nothing behind: a stranger who comes again and again under new names finds the room as it left it.
final class PeerEventQueue: Sendable {
    /// One for each rank. A dictionary allocates to change a value in its place, and each message changes some.
    fileprivate struct ByRank<Value> {
        private var values: [Value]

        init(_ make: (PeerRank) -> Value) { values = PeerRank.allCases.map(make) }

        subscript(rank: PeerRank) -> Value {
            get { values[rank.rawValue] }
            _modify { yield &values[rank.rawValue] }
        }
    }

    fileprivate struct Lane {
        var messages = FIFO<(kind: UInt8, payload: [UInt8])>()
        var bytes = 0
        var paused: (any Resumable)?
    }

    fileprivate struct Room {
        /// Of one lane, and of all together.
        let laneBytes: Int
        let laneMessages: Int
        let bytesInAll: Int
        var lanes: [PeerId: Lane] = [:]
        /// Lanes with messages, each once, in the order of their turns.
        var turns = FIFO<PeerId>()
        var bytes = 0
        /// Those that the room, not their lane, holds up.
        var paused: [PeerId: any Resumable] = [:]

        func isFull(_ lane: Lane) -> Bool { lane.bytes >= laneBytes || lane.messages.count >= laneMessages }
        var isFull: Bool { bytes >= bytesInAll }
    }

    /// Of one peer: it went, it came, or first the one and then the other.
    fileprivate struct Changes {
        var departure: PeerEvent?
        var arrival: PeerEvent?
    }

    fileprivate struct Waiter {
        let ranks: Set<PeerRank>
        let continuation: CheckedContinuation<PeerEvent?, Never>
    }

    /// A consumer that is told once that something waits, and then takes until there is nothing.
    fileprivate struct Taker {
        let wake: @Sendable () -> Void
        /// It was told, or is at it.
        var isAwake = false
        /// Messages of this kind may wait until it comes by itself, up to so many and so many bytes.
        var patience: (kind: UInt8, messages: Int, bytes: Int)?
        /// Of them, what waits.
        var held = 0
        var heldBytes = 0
        /// Something waits that may not.
        var isUrged = true
    }

    fileprivate struct State {
        var rooms: ByRank<Room>
        var changes: [PeerId: Changes] = [:]
        /// Whose changes wait, each once; those of masternodes come with what is urgent.
        var changed = ByRank { _ in FIFO<PeerId>() }
        var refusals = FIFO<PeerEvent>()
        var waiters: [Waiter] = []
        var takers = ByRank<Taker?> { _ in nil }
        /// Whom to tell that there is room again, since others went.
        var freed: [any Resumable] = []
        var finished = false
    }

    /// Refused connections cost a stranger nothing, so few of them are kept.
    private static let keptRefusals = 64

    private let state: Mutex<State>

    init(limits: PeerLimits) {
        func room(_ lane: Int, _ all: Int) -> Room {
            Room(laneBytes: max(1, lane), laneMessages: max(1, limits.inboundMessages), bytesInAll: max(1, all))
        }
        state = Mutex(
            State(rooms: ByRank { rank in
                switch rank {
                case .urgent: room(limits.inboundBytes, limits.urgentInboundBytesInAll)
                case .bulk: room(limits.inboundBytes, limits.bulkInboundBytesInAll)
                case .stranger: room(min(limits.inboundBytes, limits.strangerInboundBytes), limits.strangerInboundBytesInAll)
                }
            }))
    }

    /// Bytes that wait in all rooms.
    var bytes: Int { state.withLock { state in PeerRank.allCases.reduce(0) { $0 + state.rooms[$1].bytes } } }

    /// Adds a message of a peer that is connected.
    ///
    /// - Returns: whether the peer must not be read from until `source` is resumed.
    func push(_ payload: [UInt8], kind: UInt8, rank: PeerRank, from peer: PeerId, source: any Resumable) -> Bool {
        var pause = false
        deliver { state in
            let isShown = state.changes[peer]?.arrival == nil
            pause = state.rooms[rank].append(payload, kind, of: peer, isShown: isShown, source)
            // Whoever is held up waits for the consumer.
            state.urge(rank, kind, payload.count, mayWait: !pause)
        }
        return pause
    }

    /// The peer is connected: its messages follow.
    func connected(_ identity: PeerIdentity) {
        let rank = Self.rank(of: identity)
        deliver { state in
            state.drop(identity.id)
            state.urge(rank)
            if state.changes[identity.id] == nil { state.changed[rank].append(identity.id) }
            state.changes[identity.id, default: Changes()].arrival = .connected(identity)
        }
    }

    /// The peer is gone, and what waits of it with it. A connection that nobody has heard of leaves no event at all.
    func disconnected(_ identity: PeerIdentity, _ reason: DisconnectReason) {
        let rank = Self.rank(of: identity)
        deliver { state in
            state.drop(identity.id)
            state.urge(rank)
            if state.changes[identity.id]?.arrival != nil {
                state.changes[identity.id]?.arrival = nil
                guard state.changes[identity.id]?.departure == nil else { return }
                state.changes[identity.id] = nil
                for rank in PeerRank.allCases { state.changed[rank].remove(identity.id) }
                return
            }
            if state.changes[identity.id] == nil { state.changed[rank].append(identity.id) }
            state.changes[identity.id, default: Changes()].departure = .disconnected(identity.id, reason: reason)
        }
    }

    func refused(_ event: PeerEvent) {
        deliver { state in
            state.urge(.stranger)
            if state.refusals.count < Self.keptRefusals { state.refusals.append(event) }
        }
    }

    private static func rank(of identity: PeerIdentity) -> PeerRank {
        identity.consensusKey == nil ? .stranger : .urgent
    }

    /// Ends the sequences; what waits is dropped.
    func finish() {
        let waiters = state.withLock { state in
            state.finished = true
            state.takers = ByRank { _ in nil }
            state.changes = [:]
            state.changed = ByRank { _ in FIFO() }
            state.refusals = FIFO()
            for rank in PeerRank.allCases {
                state.rooms[rank].lanes = [:]
                state.rooms[rank].turns = FIFO()
                state.rooms[rank].bytes = 0
            }
            defer { state.waiters = [] }
            return state.waiters
        }
        for waiter in waiters { waiter.continuation.resume(returning: nil) }
    }

    /// Stays with the caller's actor: one that takes event after event would otherwise change threads twice for each.
    func next(_ ranks: Set<PeerRank>, isolation: isolated (any Actor)? = #isolation) async -> PeerEvent? {
        await withTaskCancellationHandler {
            // Named here, since a closure stays with an actor only that it captures: otherwise every event would pass through
            // a thread of the shared pool on its way in and on its way back.
            _ = isolation
            return await withCheckedContinuation { continuation in
                let waiter = Waiter(ranks: ranks, continuation: continuation)
                let served: [Served] = state.withLock { state in
                    // An event that makes those of other ranks visible serves their consumers too.
                    if let (event, resumed) = state.pop(ranks) { return [Served(waiter, event, resumed)] + state.serve() }
                    // One consumer of each rank: a second one that waits gets the end at once.
                    let isTaken = state.waiters.contains { !$0.ranks.isDisjoint(with: ranks) }
                    if state.finished || Task.isCancelled || isTaken { return [Served(waiter, nil, [])] }
                    state.waiters.append(waiter)
                    return []
                }
                for one in served { one.hand() }
            }
        } onCancel: {
            let waiters = state.withLock { state in
                let mine = state.waiters.filter { $0.ranks == ranks }
                state.waiters.removeAll { $0.ranks == ranks }
                return mine
            }
            for waiter in waiters { waiter.continuation.resume(returning: nil) }
        }
    }

    /// Has `wake` called, from any thread, whenever something of this rank waits and the consumer does not know: it has said
    /// so once and takes then, by ``take(_:)``, until there is nothing. No task waits meanwhile, so that none has to be
    /// brought back to its thread for each event.
    ///
    /// - Parameter wake: must not wait, nor call the queue.
    func consume(_ rank: PeerRank, wake: @escaping @Sendable () -> Void) {
        let woken = state.withLock { state in
            guard !state.finished else { return [@Sendable () -> Void]() }
            state.takers[rank] = Taker(wake: wake)
            return state.wake()
        }
        for wake in woken { wake() }
    }

    /// Has messages of this kind wake the consumer no more, until more than so many or so many bytes of them wait, or
    /// something else does: it will come by itself, and takes them then.
    func letWait(_ kind: UInt8, of rank: PeerRank, upTo messages: Int, bytes: Int) {
        state.withLock { $0.takers[rank]?.patience = (kind, messages, bytes) }
    }

    /// Ends what ``letWait(_:of:upTo:bytes:)`` began. The consumer is about to take what waits.
    func waitNoMore(_ rank: PeerRank) { state.withLock { $0.takers[rank]?.patience = nil } }

    /// Ends what `consume` began.
    func leave(_ rank: PeerRank) { state.withLock { $0.takers[rank] = nil } }

    /// The next event for the consumer of this rank; nil where there is none, who is woken then when there is.
    func take(_ rank: PeerRank) -> PeerEvent? {
        let (event, resumed, served, woken): (PeerEvent?, [any Resumable], [Served], [@Sendable () -> Void]) =
            state.withLock { state in
                guard !state.finished, state.takers[rank] != nil else { return (nil, [], [], []) }
                guard let (event, resumed) = state.pop(rank) else {
                    state.takers[rank]?.sleeps()
                    return (nil, [], [], [])
                }
                if case .message = event { return (event, resumed, [], []) }
                // It makes messages of other ranks visible.
                return (event, resumed, state.serve(), state.wake())
            }
        for source in resumed { source.resume() }
        for one in served { one.hand() }
        for wake in woken { wake() }
        return event
    }

    /// Changes the state by `add`, and hands events to consumers that wait.
    private func deliver(_ add: (inout State) -> Void) {
        let (served, woken, freed): ([Served], [@Sendable () -> Void], [any Resumable]) = state.withLock { state in
            guard !state.finished else { return ([], [], []) }
            add(&state)
            defer { state.freed = [] }
            return (state.waiters.isEmpty ? [] : state.serve(), state.wake(), state.freed)
        }
        for source in freed { source.resume() }
        for one in served { one.hand() }
        for wake in woken { wake() }
    }

    /// An event with its consumer, and whom to tell that there is room again.
    fileprivate struct Served {
        private let waiter: Waiter
        private let event: PeerEvent?
        private let resumed: [any Resumable]

        init(_ waiter: Waiter, _ event: PeerEvent?, _ resumed: [any Resumable]) {
            self.waiter = waiter
            self.event = event
            self.resumed = resumed
        }

        func hand() {
            for source in resumed { source.resume() }
            waiter.continuation.resume(returning: event)
        }
    }
}

extension PeerEventQueue.Taker {
    /// It found nothing.
    fileprivate mutating func sleeps() { (isAwake, isUrged, held, heldBytes) = (false, false, 0, 0) }
}

extension PeerEventQueue.State {
    /// Something waits that the consumer of this rank is to hear of.
    fileprivate mutating func urge(_ rank: PeerRank) { takers[rank]?.isUrged = true }

    /// The same of a message, unless it may wait.
    fileprivate mutating func urge(_ rank: PeerRank, _ kind: UInt8, _ bytes: Int, mayWait: Bool) {
        guard let taker = takers[rank], !taker.isUrged else { return }
        if mayWait, let patience = taker.patience, kind == patience.kind, taker.held < patience.messages,
            taker.heldBytes + bytes <= patience.bytes
        {
            takers[rank]?.held += 1
            takers[rank]?.heldBytes += bytes
        } else {
            takers[rank]?.isUrged = true
        }
    }

    /// Consumers that are to be woken, since something waits that they don't know of.
    fileprivate mutating func wake() -> [@Sendable () -> Void] {
        var woken: [@Sendable () -> Void] = []
        for rank in PeerRank.allCases {
            guard let taker = takers[rank], taker.isUrged, !taker.isAwake, hasEvents(rank) else { continue }
            takers[rank]?.isAwake = true
            woken.append(taker.wake)
        }
        return woken
    }

    private func hasEvents(_ rank: PeerRank) -> Bool {
        !rooms[rank].turns.isEmpty || !changed[rank].isEmpty
            || (rank == .stranger && !refusals.isEmpty)
    }

    /// Events for all consumers that wait and have one.
    fileprivate mutating func serve() -> [PeerEventQueue.Served] {
        var served: [PeerEventQueue.Served] = []
        var wasServed = true
        while wasServed {
            wasServed = false
            for place in waiters.indices {
                guard let (event, resumed) = pop(waiters[place].ranks) else { continue }
                served.append(PeerEventQueue.Served(waiters.remove(at: place), event, resumed))
                wasServed = true
                break
            }
        }
        return served
    }

    /// Forgets the messages of a peer. Its connection is over; others may go on for the room that it leaves.
    fileprivate mutating func drop(_ peer: PeerId) {
        for rank in PeerRank.allCases {
            rooms[rank].paused[peer] = nil
            if let lane = rooms[rank].lanes.removeValue(forKey: peer) {
                rooms[rank].bytes -= lane.bytes
                rooms[rank].turns.remove(peer)
            }
            freed += rooms[rank].takeRested()
        }
    }

    /// The next event of these ranks, and whom to resume because there is room again.
    fileprivate mutating func pop(_ ranks: Set<PeerRank>) -> (PeerEvent, [any Resumable])? {
        for rank in PeerRank.allCases where ranks.contains(rank) {
            if let found = pop(rank) { return found }
        }
        return nil
    }

    fileprivate mutating func pop(_ rank: PeerRank) -> (PeerEvent, [any Resumable])? {
        if let event = popChange(rank) { return (event, []) }
        if rank == .stranger, let event = refusals.popFirst() { return (event, []) }
        return rooms[rank].popFirst()
    }

    private mutating func popChange(_ rank: PeerRank) -> PeerEvent? {
        while let peer = changed[rank].popFirst() {
            guard var waiting = changes[peer] else { continue }
            if let departure = waiting.departure {
                waiting.departure = nil
                if waiting.arrival == nil {
                    changes[peer] = nil
                } else {
                    changes[peer] = waiting
                    changed[rank].append(peer)
                }
                return departure
            }
            changes[peer] = nil
            guard let arrival = waiting.arrival else { continue }
            // What came meanwhile may be shown now.
            for rank in PeerRank.allCases {
                guard let lane = rooms[rank].lanes[peer], !lane.messages.isEmpty else { continue }
                rooms[rank].turns.append(peer)
                urge(rank)
            }
            return arrival
        }
        return nil
    }
}

extension PeerEventQueue.Room {
    /// - Parameter isShown: whether the consumer may see the peer's messages yet.
    /// - Returns: whether the peer must not be read from until `source` is resumed.
    fileprivate mutating func append(
        _ payload: [UInt8], _ kind: UInt8, of peer: PeerId, isShown: Bool, _ source: any Resumable
    ) -> Bool {
        // Taken out while it changes, so that its storage is not copied.
        var lane = lanes.removeValue(forKey: peer) ?? PeerEventQueue.Lane()
        defer { lanes[peer] = lane }
        if lane.messages.isEmpty, isShown { turns.append(peer) }
        lane.messages.append((kind, payload))
        lane.bytes += payload.count
        bytes += payload.count
        if isFull(lane) {
            lane.paused = source
            return true
        }
        guard isFull else { return false }
        paused[peer] = source
        return true
    }

    /// The next message, and whom to resume because there is room again.
    fileprivate mutating func popFirst() -> (PeerEvent, [any Resumable])? {
        guard let peer = turns.popFirst(), var lane = lanes.removeValue(forKey: peer),
            let (kind, payload) = lane.messages.popFirst()
        else { return nil }
        lane.bytes -= payload.count
        bytes -= payload.count
        var resumed: [any Resumable] = []
        let isLaneLow = lane.bytes <= laneBytes / 2 && lane.messages.count <= laneMessages / 2
        if let source = lane.paused, isLaneLow {
            lane.paused = nil
            if isFull { paused[peer] = source } else { resumed.append(source) }
        }
        if !lane.messages.isEmpty || lane.paused != nil { lanes[peer] = lane }
        if !lane.messages.isEmpty { turns.append(peer) }
        resumed += takeRested()
        return (.message(peer, kind: kind, payload: payload), resumed)
    }

    /// Those that the room held up, once it is half empty.
    fileprivate mutating func takeRested() -> [any Resumable] {
        guard !paused.isEmpty, bytes <= bytesInAll / 2 else { return [] }
        defer { paused = [:] }
        return Array(paused.values)
    }
}
