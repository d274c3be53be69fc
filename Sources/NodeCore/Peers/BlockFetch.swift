import Primitives

/// Final blocks on their way from several peers at once: spans of heights that were asked for, and answers that wait
/// for those below them. Pure bookkeeping; what the blocks are worth, ``NodeMachine`` judges.
struct BlockFetch {
    /// Spans under way and answers waiting, together. An answer has at most ``NodeLimits/syncBytes`` and one block.
    static let mostSpans = 4
    static let timeoutMs: UInt64 = 2_000

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

        var end: Height { (blocks.last?.block.header.height ?? .zero).next }
    }

    /// At most one for each peer.
    private(set) var requests: [Request] = []
    /// By the height of the first block.
    private(set) var answers: [Height: Answer] = [:]

    var hasRoom: Bool { requests.count + answers.count < Self.mostSpans }

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

    /// Ends the peer's request that blocks from this height answer; nil stands for an empty answer.
    /// - Returns: whether there was one.
    mutating func answered(_ peer: NodePeer, from: Height?) -> Bool {
        guard let place = requests.firstIndex(where: { $0.peer == peer && from ?? $0.from == $0.from }) else { return false }
        requests.remove(at: place)
        return true
    }

    mutating func keep(_ blocks: [FinalizedBlock], from peer: NodePeer) {
        guard let first = blocks.first?.block.header.height else { return }
        answers[first] = Answer(blocks: blocks, peer: peer)
    }

    /// The answer that holds the block after the head, and forgets those that the head has passed.
    mutating func take(after head: Height) -> Answer? {
        answers = answers.filter { $0.value.end > head.next }
        guard let first = answers.keys.filter({ $0 <= head.next }).min() else { return nil }
        return answers.removeValue(forKey: first)
    }

    /// Requests that nobody answered in time; they are no longer under way.
    mutating func takeOverdue(at milliseconds: UInt64) -> [Request] {
        let overdue = requests.filter { $0.askedAt &+ Self.timeoutMs <= milliseconds }
        requests.removeAll { overdue.contains($0) }
        return overdue
    }

    mutating func forget(_ peer: NodePeer) { requests.removeAll { $0.peer == peer } }
}
