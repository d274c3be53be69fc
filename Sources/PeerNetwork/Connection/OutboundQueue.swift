/// First in, first out.
struct FIFO<Element> {
    private var elements: [Element?] = []
    private var head = 0

    var count: Int { elements.count - head }
    var isEmpty: Bool { count == 0 }

    mutating func append(_ element: Element) { elements.append(element) }

    /// Keeps the order of the others.
    mutating func removeAll(where isGone: (Element) -> Bool) {
        elements = elements[head...].filter { $0.map { !isGone($0) } ?? false }
        head = 0
    }

    mutating func popFirst() -> Element? {
        guard head < elements.count else { return nil }
        let element = elements[head]
        elements[head] = nil
        head += 1
        // Moving the rest once for as many steps keeps each step cheap.
        if head > 64, head * 2 > elements.count {
            elements.removeFirst(head)
            head = 0
        }
        return element
    }
}

extension FIFO where Element: Equatable {
    mutating func remove(_ element: Element) { removeAll { $0 == element } }
}

/// Which queue a message waits in.
public enum PeerPriority: Sendable {
    /// Votes and certificates: they go first and are never dropped; a peer that does not take them is disconnected.
    case urgent
    /// Bodies, sync, transactions: when too many wait, the oldest is dropped.
    case bulk
}

/// Messages that wait for one peer.
struct OutboundQueue {
    enum Offer: Equatable {
        case queued
        case queuedDropping(Int)
        case overflow
    }

    private struct Lane {
        var frames = FIFO<OutboundFrame>()
        var bytes = 0

        mutating func append(_ frame: OutboundFrame) {
            frames.append(frame)
            bytes += frame.byteCount
        }

        mutating func popFirst() -> OutboundFrame? {
            guard let frame = frames.popFirst() else { return nil }
            bytes -= frame.byteCount
            return frame
        }
    }

    private let limits: PeerLimits
    private var urgent = Lane()
    private var bulk = Lane()

    init(limits: PeerLimits) { self.limits = limits }

    var bytes: Int { urgent.bytes + bulk.bytes }
    var isEmpty: Bool { urgent.frames.isEmpty && bulk.frames.isEmpty }

    mutating func offer(_ frame: OutboundFrame, _ priority: PeerPriority) -> Offer {
        switch priority {
        case .urgent:
            guard urgent.bytes + frame.byteCount <= limits.urgentBytes, urgent.frames.count < limits.urgentMessages else {
                return .overflow
            }
            urgent.append(frame)
            return .queued
        case .bulk:
            var dropped = 0
            // One frame fits whatever its size, so that no setting makes blocks impossible to send.
            while !bulk.frames.isEmpty,
                bulk.bytes + frame.byteCount > limits.bulkBytes || bulk.frames.count >= limits.bulkMessages
            {
                _ = bulk.popFirst()
                dropped += 1
            }
            bulk.append(frame)
            return dropped == 0 ? .queued : .queuedDropping(dropped)
        }
    }

    mutating func next() -> OutboundFrame? { urgent.popFirst() ?? bulk.popFirst() }
}
