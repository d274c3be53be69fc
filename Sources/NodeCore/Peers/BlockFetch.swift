import Primitives

/// Final blocks on their way from several peers at once: spans of heights that were asked for, and answers that wait
/// for those below them. Pure bookkeeping; what the blocks are worth, ``NodeMachine`` judges.
struct BlockFetch {
    /// Spans under way and answers waiting, together. An answer has at most ``NodeLimits/syncBytes`` and one block.
    static let mostSpans = 4
    /// How long an answer may take at least, and at most: twice as long as the peer's good ones took of late. A full block and a slow
    /// line take seconds, and to ask elsewhere meanwhile makes them more.
    static let shortestTimeoutMs: UInt64 = 2_000
    static let longestTimeoutMs: UInt64 = 16_000
    /// Requests that ran out and whose answers are taken none the less.
    static let mostLate = 64

    struct Request: Equatable {
        let from: Height
        let count: UInt16
        let peer: NodePeer
        let askedAt: UInt64

        var end: Height { from.advanced(by: UInt64(count)) }
    }

    struct Answer {
        let blocks: [FinalizedBlock]
        let peer: NodePeer
        /// Milliseconds from the request.
        let took: UInt64

        var end: Height { (blocks.last?.block.header.height ?? .zero).next }
    }

    /// At most one for each peer.
    private(set) var requests: [Request] = []
    /// Requests that ran out, the latest of each peer: on a slow line all answers come late, and none may be lost.
    private(set) var late: [Request] = []
    /// By the height that was asked for.
    private(set) var answers: [Height: Answer] = [:]
    /// Of peers whose good answers took longer than usual.
    private var timeouts: [NodePeer: UInt64] = [:]

    /// What all answers wait for is always asked for: late ones of higher spans must not take the last place.
    var hasRoom: Bool { requests.isEmpty || requests.count + answers.count < Self.mostSpans }

    /// The request that the block at this height is to come by.
    func request(of height: Height) -> Request? { requests.first { $0.from <= height && height < $0.end } }

    func isAsking(_ peer: NodePeer) -> Bool { requests.contains { $0.peer == peer } }

    /// The first height above the head that is neither asked for nor here.
    func nextStart(after head: Height) -> Height {
        var start = head.next
        while true {
            if let answer = answers[start], answer.end > start {
                start = answer.end
            } else if let request = requests.first(where: { $0.from <= start && start < $0.end }) {
                start = request.end
            } else {
                return start
            }
        }
    }

    mutating func ask(_ peer: NodePeer, from: Height, count: UInt16, at milliseconds: UInt64) {
        requests.append(Request(from: from, count: count, peer: peer, askedAt: milliseconds))
    }

    /// Ends the peer's request that these blocks answer: from the height that was asked for, or the next one alone that
    /// proves it, where all between them are more than a message holds. An empty answer is one to any.
    mutating func answered(_ peer: NodePeer, by blocks: [FinalizedBlock]) -> Request? {
        if let place = requests.firstIndex(where: { $0.peer == peer && Self.answer($0, blocks) }) {
            return requests.remove(at: place)
        }
        guard !blocks.isEmpty, let place = late.firstIndex(where: { $0.peer == peer && Self.answer($0, blocks) }) else {
            return nil
        }
        return late.remove(at: place)
    }

    private static func answer(_ request: Request, _ blocks: [FinalizedBlock]) -> Bool {
        guard let first = blocks.first else { return true }
        let height = first.block.header.height
        if height == request.from { return true }
        return blocks.count == 1 && first.finalization != nil && height > request.from
            && height.distance(since: request.from) < UInt64(NodeLimits.syncBlocksUnproven)
    }

    mutating func keep(_ blocks: [FinalizedBlock], answering request: Request, at now: UInt64) {
        // What waits is judged first.
        guard answers[request.from] == nil else { return }
        answers[request.from] = Answer(blocks: blocks, peer: request.peer, took: now &- min(now, request.askedAt))
    }

    func timeout(for peer: NodePeer) -> UInt64 { timeouts[peer] ?? Self.shortestTimeoutMs }

    /// An answer was right. Each peer has a time of its own, so that a slow one makes nobody wait for others.
    mutating func tookWell(_ milliseconds: UInt64, _ peer: NodePeer) {
        let enough = min(Self.longestTimeoutMs, max(Self.shortestTimeoutMs, milliseconds &* 2))
        let before = timeout(for: peer)
        let now = enough >= before ? enough : before - (before - enough + 7) / 8
        timeouts[peer] = now > Self.shortestTimeoutMs ? now : nil
    }

    /// The answer that holds the block after the head, and forgets those that the head has passed.
    mutating func take(after head: Height) -> Answer? {
        answers = answers.filter { $0.value.end > head.next }
        guard let first = answers.keys.filter({ $0 <= head.next }).min() else { return nil }
        return answers.removeValue(forKey: first)
    }

    /// Requests that nobody answered in time; they are no longer under way.
    mutating func takeOverdue(at milliseconds: UInt64) -> [Request] {
        let overdue = requests.filter { $0.askedAt &+ timeout(for: $0.peer) <= milliseconds }
        requests.removeAll { overdue.contains($0) }
        for request in overdue {
            late.removeAll { $0.peer == request.peer }
            late.append(request)
        }
        if late.count > Self.mostLate { late.removeFirst(late.count - Self.mostLate) }
        return overdue
    }

    mutating func forget(_ peer: NodePeer) {
        requests.removeAll { $0.peer == peer }
        late.removeAll { $0.peer == peer }
        timeouts[peer] = nil
    }
}
