import ChainClient
import Primitives
import Synchronization

/// When each transaction was due, was taken, and was seen final.
final class LoadBook: Sendable {
    private struct State {
        /// By number; nil before it was first offered.
        var due: [ContinuousClock.Instant?]
        var isTaken: [Bool]
        var isFinal: [Bool]
        /// By sender: an account's become final in their order.
        var finalOfSender: [Int]
        /// Milliseconds, of those seen final.
        var samples: [Double] = []
        var offered = 0
        var submitted = 0
        var taken = 0
        /// Bytes of the transactions of each block that has any of these.
        var blockBytes: [Int] = []
        /// From the time in each such block's header until it was seen final, in milliseconds.
        var blockAges: [Double] = []
        var refused: [String: Int] = [:]
        var lastFinal: ContinuousClock.Instant?
    }

    private let numbers: [TransactionId: Int32]
    private let each: Int
    private let size: Int
    private let state: Mutex<State>

    init(_ load: SenderLoad) {
        each = load.each
        size = load.size
        var numbers: [TransactionId: Int32] = [:]
        numbers.reserveCapacity(load.each * load.senders.count)
        for (sender, one) in load.senders.enumerated() {
            for (place, id) in one.ids.enumerated() { numbers[id] = Int32(sender * load.each + place) }
        }
        self.numbers = numbers
        let count = load.each * load.senders.count
        state = Mutex(
            State(
                due: Array(repeating: nil, count: count), isTaken: Array(repeating: false, count: count),
                isFinal: Array(repeating: false, count: count),
                finalOfSender: Array(repeating: 0, count: load.senders.count)))
    }

    /// Transactions of these senders that are final.
    func final(of senders: [Int]) -> [Int] { state.withLock { state in senders.map { state.finalOfSender[$0] } } }

    /// The clock starts when a transaction was due, not when a busy program came to send it: waiting there is waiting too.
    func offered(_ numbers: [Int], due: [ContinuousClock.Instant]) {
        state.withLock { state in
            state.offered += numbers.count
            for (number, due) in zip(numbers, due) where state.due[number] == nil {
                state.due[number] = due
                state.submitted += 1
            }
        }
    }

    func answered(_ numbers: [Int], refused: [(place: Int, code: String)]) {
        state.withLock { state in
            var places = Set<Int>()
            for (place, code) in refused {
                places.insert(place)
                state.refused[code, default: 0] += 1
            }
            for (place, number) in numbers.enumerated() where !places.contains(place) && !state.isTaken[number] {
                state.isTaken[number] = true
                state.taken += 1
            }
        }
    }

    /// - Parameter ageMs: since the time in the block's header.
    func final(_ ids: [TransactionId], ageMs: Double, at now: ContinuousClock.Instant) {
        let numbers = ids.compactMap { self.numbers[$0] }
        state.withLock { state in
            if !numbers.isEmpty {
                state.blockBytes.append(ids.count * size)
                state.blockAges.append(ageMs)
                state.lastFinal = now
            }
            for number in numbers.map(Int.init) where !state.isFinal[number] {
                state.isFinal[number] = true
                state.finalOfSender[number / each] += 1
                if let due = state.due[number] { state.samples.append(LoadBook.milliseconds(now - due)) }
            }
        }
    }

    /// Taken by a node, and not final yet.
    var open: Int {
        state.withLock { state in
            zip(state.isTaken, state.isFinal).reduce(0) { $0 + ($1.0 && !$1.1 ? 1 : 0) }
        }
    }

    /// Offered, and not final yet: cheap, for the window of those under way.
    var underWay: Int { state.withLock { $0.submitted - $0.samples.count } }

    struct Summary: Sendable {
        let offered: Int, submitted: Int, taken: Int, final: Int, lost: Int
        let blockBytes: [Int]
        let refused: [String: Int]
        /// Ascending.
        let samples: [Double]
        let blockAges: [Double]
        let lastFinal: ContinuousClock.Instant?
    }

    var summary: Summary {
        let lost = open
        return state.withLock { state in
            Summary(
                offered: state.offered, submitted: state.submitted, taken: state.taken, final: state.samples.count, lost: lost,
                blockBytes: state.blockBytes, refused: state.refused, samples: state.samples.sorted(),
                blockAges: state.blockAges.sorted(), lastFinal: state.lastFinal)
        }
    }

    static func milliseconds(_ duration: Duration) -> Double {
        let parts = duration.components
        return max(0, Double(parts.seconds) * 1e3 + Double(parts.attoseconds) / 1e15)
    }
}
