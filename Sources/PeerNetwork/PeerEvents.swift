import Primitives
import Synchronization

/// What happens on the network, for one consumer.
///
/// Peers take turns, so that none starves the others; of one peer the events come in their order. Messages that the
/// consumer does not take stay with the peer: above a limit it is not read from, and TCP slows it down.
public struct PeerEvents: AsyncSequence, Sendable {
    public typealias Element = PeerEvent
    public typealias Failure = Never

    let queue: PeerEventQueue

    public struct Iterator: AsyncIteratorProtocol {
        let queue: PeerEventQueue

        public mutating func next() async -> PeerEvent? { await queue.next(isolation: nil) }
        public mutating func next(isolation actor: isolated (any Actor)?) async -> PeerEvent? {
            await queue.next(isolation: actor)
        }
    }

    public func makeAsyncIterator() -> Iterator { Iterator(queue: queue) }
}

/// Where a paused peer is told to go on.
protocol Resumable: AnyObject, Sendable {
    func resume()
}

final class PeerEventQueue: Sendable {
    fileprivate enum LaneKey: Hashable {
        case peer(PeerId)
        case refusals
    }

    fileprivate struct Lane {
        var events = FIFO<PeerEvent>()
        var messages = 0
        var bytes = 0
        var paused: [any Resumable] = []
    }

    fileprivate struct State {
        var lanes: [LaneKey: Lane] = [:]
        /// Lanes with events, each once, in the order of their turns.
        var turns = FIFO<LaneKey>()
        var waiter: CheckedContinuation<PeerEvent?, Never>?
        var finished = false
    }

    /// Refused connections cost a stranger nothing, so few of them are kept.
    private static let keptRefusals = 64

    private let inboundBytes: Int
    private let inboundMessages: Int
    private let state = Mutex(State())

    init(limits: PeerLimits) {
        inboundBytes = max(1, limits.inboundBytes)
        inboundMessages = max(1, limits.inboundMessages)
    }

    /// Adds a message of the peer.
    ///
    /// - Returns: whether the peer must not be read from until `source` is resumed.
    func push(_ payload: [UInt8], kind: UInt8, from peer: PeerId, source: any Resumable) -> Bool {
        deliver { state in
            state.add(.message(peer, kind: kind, payload: payload), to: .peer(peer)) { lane in
                lane.messages += 1
                lane.bytes += payload.count
                guard lane.bytes >= inboundBytes || lane.messages >= inboundMessages else { return false }
                if !lane.paused.contains(where: { $0 === source }) { lane.paused.append(source) }
                return true
            }
        }
    }

    /// Adds an event about the peer.
    func push(_ event: PeerEvent, about peer: PeerId) {
        _ = deliver { state in state.add(event, to: .peer(peer)) { _ in false } }
    }

    func pushRefusal(_ event: PeerEvent) {
        _ = deliver { state in
            if let lane = state.lanes[.refusals], lane.events.count >= Self.keptRefusals { return false }
            return state.add(event, to: .refusals) { _ in false }
        }
    }

    /// Whether the peer's events, left by its earlier connections, leave room for another connection.
    func hasRoom(for peer: PeerId) -> Bool {
        state.withLock { state in
            guard let lane = state.lanes[.peer(peer)] else { return true }
            return lane.bytes < inboundBytes && lane.events.count < 2 * inboundMessages
        }
    }

    /// Ends the sequence; what waits is dropped.
    func finish() {
        let waiter = state.withLock { state in
            state.finished = true
            state.lanes = [:]
            state.turns = FIFO()
            defer { state.waiter = nil }
            return state.waiter
        }
        waiter?.resume(returning: nil)
    }

    /// Stays with the caller's actor: one that takes event after event would otherwise change threads twice for each.
    func next(isolation: isolated (any Actor)? = #isolation) async -> PeerEvent? {
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                enum Step {
                    case now(PeerEvent?, [any Resumable])
                    case wait
                }
                let step: Step = state.withLock { state in
                    if let (event, resumed) = state.pop(inboundBytes / 2, inboundMessages / 2) { return .now(event, resumed) }
                    // One consumer: a second one that waits gets the end at once.
                    if state.finished || Task.isCancelled || state.waiter != nil { return .now(nil, []) }
                    state.waiter = continuation
                    return .wait
                }
                guard case .now(let event, let resumed) = step else { return }
                for source in resumed { source.resume() }
                continuation.resume(returning: event)
            }
        } onCancel: {
            let waiter = state.withLock { state in
                defer { state.waiter = nil }
                return state.waiter
            }
            waiter?.resume(returning: nil)
        }
    }

    /// Adds by `add`, and hands an event to the consumer if it waits.
    private func deliver(_ add: (inout State) -> Bool) -> Bool {
        let (pause, waiter, popped) = state.withLock { state in
            guard !state.finished else {
                return (false, nil as CheckedContinuation<PeerEvent?, Never>?, nil as (PeerEvent, [any Resumable])?)
            }
            let pause = add(&state)
            guard let waiter = state.waiter, let popped = state.pop(inboundBytes / 2, inboundMessages / 2) else {
                return (pause, nil, nil)
            }
            state.waiter = nil
            return (pause, waiter, popped)
        }
        guard let waiter, let (event, resumed) = popped else { return pause }
        for source in resumed { source.resume() }
        waiter.resume(returning: event)
        return pause
    }
}

extension PeerEventQueue.State {
    fileprivate mutating func add(
        _ event: PeerEvent, to key: PeerEventQueue.LaneKey, account: (inout PeerEventQueue.Lane) -> Bool
    ) -> Bool {
        var lane = lanes[key] ?? PeerEventQueue.Lane()
        // Taken out while it changes, so that its storage is not copied.
        lanes[key] = nil
        if lane.events.isEmpty { turns.append(key) }
        lane.events.append(event)
        let result = account(&lane)
        lanes[key] = lane
        return result
    }

    /// The next event, and whom to resume because its lane has drained to the given bounds.
    fileprivate mutating func pop(_ lowBytes: Int, _ lowMessages: Int) -> (PeerEvent, [any Resumable])? {
        guard let key = turns.popFirst(), var lane = lanes[key] else { return nil }
        lanes[key] = nil
        guard let event = lane.events.popFirst() else { return nil }
        if case .message(_, _, let payload) = event {
            lane.messages -= 1
            lane.bytes -= payload.count
        }
        var resumed: [any Resumable] = []
        if !lane.paused.isEmpty, lane.bytes <= lowBytes, lane.messages <= lowMessages { swap(&resumed, &lane.paused) }
        if !lane.events.isEmpty {
            turns.append(key)
            lanes[key] = lane
        }
        return (event, resumed)
    }
}
