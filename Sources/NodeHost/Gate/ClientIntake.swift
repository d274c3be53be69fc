import NodeAPI
import NodeCore
import Primitives
import Synchronization

/// What clients submit, on its way to the node: bounded in sum, its signatures checked beside the node and in batches over
/// the requests that wait, and handed on together.
///
/// What is refused because of the bound costs no signature and no word of the node's. A flood of clients takes one thread
/// at most, and floods of many transactions in a request neither take the room of small requests nor go before them.
final class ClientIntake: Sendable {
    /// Transactions that are looked at, or wait for the node's word, and their bytes.
    static let mostTransactions = 8_192
    static let mostBytes = 16_000_000
    /// Of these, what is kept for requests of few.
    static let keptForSmall = 2_048
    static let small = 8
    /// Transactions that one turn takes. Larger batches would gain nothing on the signatures.
    private static let turn = 512

    /// Told of each transaction why it was refused, nil where it was not; or why none was looked at.
    typealias Answer = @Sendable (Result<[SubmissionRefusal?], SubmissionRefusal>) -> Void

    struct Entry: Sendable {
        let transactions: [SignedTransaction]
        let since: ContinuousClock.Instant
        fileprivate let bytes: Int
        fileprivate let answer: Answer
    }

    private struct State {
        var small: [Entry] = []
        var large: [Entry] = []
        var transactions = 0
        var bytes = 0
        var isRunning = false
    }

    private let check: TransactionCheck
    private let thread = WorkThread("clients", .patient)
    private let state = Mutex(State())

    init(check: TransactionCheck) { self.check = check }

    /// Takes transactions in if there is room.
    ///
    /// - Parameters:
    ///   - node: told of those whose turn it is, with the places of those that have a wrong signature.
    ///   - answer: called once: here where there is no room, else by who gives the node's word.
    func submit(
        _ transactions: [SignedTransaction], node: @escaping @Sendable ([Entry], _ wrong: [Bool]) -> Void,
        answer: @escaping Answer
    ) {
        let bytes = transactions.byteCount
        let isSmall = transactions.count <= Self.small
        let entry = Entry(transactions: transactions, since: .now, bytes: bytes, answer: answer)
        let starts: Bool? = state.withLock { state in
            let most = Self.mostTransactions - (isSmall ? 0 : Self.keptForSmall)
            guard state.transactions + transactions.count <= most, state.bytes + bytes <= Self.mostBytes else { return nil }
            state.transactions += transactions.count
            state.bytes += bytes
            if isSmall { state.small.append(entry) } else { state.large.append(entry) }
            defer { state.isRunning = true }
            return !state.isRunning
        }
        switch starts {
        case true?: thread.async { self.run(node) }
        case false?: break
        case nil:
            answer(
                .failure(
                    SubmissionRefusal(
                        .poolFull,
                        "the node is given more transactions than it can look at; send them to another node, or later",
                        retryAfterMs: 250)))
        }
    }

    /// The node's word about entries.
    func answer(_ answers: [(entry: Entry, refusals: [SubmissionRefusal?])]) {
        state.withLock { state in
            for (entry, _) in answers {
                state.transactions -= entry.transactions.count
                state.bytes -= entry.bytes
            }
        }
        for (entry, refusals) in answers { entry.answer(.success(refusals)) }
    }

    /// The first entries, until a turn is full.
    private static func take(_ waiting: inout [Entry], _ count: inout Int) -> [Entry] {
        var entries: [Entry] = []
        for entry in waiting {
            guard count < turn else { break }
            count += entry.transactions.count
            entries.append(entry)
        }
        waiting.removeFirst(entries.count)
        return entries
    }

    /// Those whose turn is next; none where nothing waits, and then whoever comes starts anew.
    private func next() -> [Entry] {
        state.withLock { state in
            var count = 0
            var entries = Self.take(&state.small, &count)
            // One of these at least, so that small ones don't hold them up for ever.
            if count >= Self.turn, !state.large.isEmpty { entries.append(state.large.removeFirst()) }
            entries += Self.take(&state.large, &count)
            if entries.isEmpty { state.isRunning = false }
            return entries
        }
    }

    private func run(_ node: @Sendable ([Entry], [Bool]) -> Void) {
        while true {
            let entries = next()
            guard !entries.isEmpty else { return }
            node(entries, check.wrong(entries.flatMap(\.transactions)))
        }
    }
}
