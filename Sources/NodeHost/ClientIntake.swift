import Dispatch
import NodeAPI
import NodeCore
import Primitives
import Synchronization

/// What clients submit, on its way to the node: bounded in sum, its signatures checked beside the node and in batches over
/// the requests that wait, and handed on together.
///
/// What is refused because of the bound costs no signature and no word of the node's. A flood of clients takes one thread
/// at most.
final class ClientIntake: Sendable {
    /// Transactions that are looked at, or wait for the node's word, and their bytes.
    static let mostTransactions = 8_192
    static let mostBytes = 16_000_000
    /// Transactions that one turn takes. Larger batches would gain nothing on the signatures.
    private static let turn = 512

    struct Entry: Sendable {
        let transactions: [SignedTransaction]
        let since: ContinuousClock.Instant
        fileprivate let bytes: Int
        fileprivate let continuation: CheckedContinuation<[SubmissionRefusal?], Never>
    }

    private struct State {
        var waiting: [Entry] = []
        var transactions = 0
        var bytes = 0
        var isRunning = false
    }

    private let check: TransactionCheck
    private let queue = DispatchQueue(label: "edgeproof.clients", qos: .utility)
    private let state = Mutex(State())

    init(check: TransactionCheck) { self.check = check }

    /// Takes transactions in if there is room.
    ///
    /// - Parameter node: told of those whose turn it is, with the places of those that have a wrong signature.
    /// - Returns: for each why it was refused; nil where it was not.
    func submit(
        _ transactions: [SignedTransaction], node: @escaping @Sendable ([Entry], _ wrong: [Bool]) -> Void
    ) async throws(SubmissionRefusal) -> [SubmissionRefusal?] {
        let since = ContinuousClock.now
        let bytes = transactions.reduce(0) { $0 + $1.byteCount }
        let isAdmitted = state.withLock { state in
            guard state.transactions + transactions.count <= Self.mostTransactions, state.bytes + bytes <= Self.mostBytes
            else { return false }
            state.transactions += transactions.count
            state.bytes += bytes
            return true
        }
        guard isAdmitted else {
            throw SubmissionRefusal(
                .poolFull, "the node is given more transactions than it can look at; send them to another node, or later",
                retryAfterMs: 250)
        }
        return await withCheckedContinuation { continuation in
            let starts = state.withLock { state in
                state.waiting.append(
                    Entry(transactions: transactions, since: since, bytes: bytes, continuation: continuation))
                defer { state.isRunning = true }
                return !state.isRunning
            }
            if starts { queue.async { self.run(node) } }
        }
    }

    /// The node's word about an entry.
    func answer(_ entry: Entry, _ refusals: [SubmissionRefusal?]) {
        state.withLock { state in
            state.transactions -= entry.transactions.count
            state.bytes -= entry.bytes
        }
        entry.continuation.resume(returning: refusals)
    }

    private func run(_ node: @escaping @Sendable ([Entry], [Bool]) -> Void) {
        let entries = state.withLock { state in
            var count = 0
            let entries = Array(
                state.waiting.prefix { entry in
                    defer { count += entry.transactions.count }
                    return count < Self.turn
                })
            state.waiting.removeFirst(entries.count)
            if entries.isEmpty { state.isRunning = false }
            return entries
        }
        guard !entries.isEmpty else { return }
        node(entries, check.wrong(entries.flatMap(\.transactions)))
        queue.async { self.run(node) }
    }
}
