import Foundation
import Primitives
import Synchronization

/// When each transaction was due, sent and seen final.
final class Book: Sendable {
    private struct State {
        var due: [ContinuousClock.Instant?]
        /// Milliseconds, of those seen final.
        var samples: [Double] = []
        var late: [Double] = []
        var blocks = 0
        var refusals = 0
        var refusal: String?
    }

    private let indices: [TransactionId: Int]
    private let state: Mutex<State>

    init(_ ids: [TransactionId]) {
        indices = Dictionary(zip(ids, ids.indices), uniquingKeysWith: { first, _ in first })
        state = Mutex(State(due: Array(repeating: nil, count: ids.count)))
    }

    /// Transactions that are not yet seen final.
    var waiting: Int { state.withLock { indices.count - $0.samples.count } }

    /// The clock starts when a transaction was due, not when a busy generator came to send it: waiting there is waiting
    /// too.
    func submitted(_ index: Int, due: ContinuousClock.Instant, at now: ContinuousClock.Instant) {
        state.withLock { state in
            state.due[index] = due
            state.late.append(Figures.milliseconds(now - due))
        }
    }

    func refused(_ reason: String) {
        state.withLock { state in
            state.refusals += 1
            state.refusal = reason
        }
    }

    func final(_ ids: [TransactionId], at now: ContinuousClock.Instant) {
        state.withLock { state in
            if !ids.isEmpty { state.blocks += 1 }
            for id in ids {
                guard let index = indices[id], let due = state.due[index] else { continue }
                state.samples.append(Figures.milliseconds(now - due))
                state.due[index] = nil
            }
        }
    }

    func report(sending: Duration) -> String {
        state.withLock { state in
            let ordered = state.samples.sorted()
            let late = state.late.sorted()
            var lines = """
                transactions  \(indices.count), sent in \(Figures.text(Figures.seconds(sending), 1)) s, \
                late by p95 \(Figures.text(Figures.percentile(late, 95), 1)) ms, \
                longest \(Figures.text(late.last ?? 0, 1)) ms
                final         \(ordered.count) in \(state.blocks) blocks, refused \(state.refusals), \
                not seen final \(indices.count - ordered.count)
                finality      p50 \(Figures.text(Figures.percentile(ordered, 50), 1)) ms, \
                p95 \(Figures.text(Figures.percentile(ordered, 95), 1)) ms, \
                p99 \(Figures.text(Figures.percentile(ordered, 99), 1)) ms, \
                longest \(Figures.text(ordered.last ?? 0, 1)) ms
                """
            if let refusal = state.refusal { lines += "\nrefusal       \(refusal)" }
            return lines
        }
    }
}

/// Numbers as people read them.
enum Figures {
    static func seconds(_ duration: Duration) -> Double {
        let parts = duration.components
        return Double(parts.seconds) + Double(parts.attoseconds) / 1e18
    }

    static func milliseconds(_ duration: Duration) -> Double { max(0, seconds(duration) * 1e3) }
    static func microseconds(_ duration: Duration) -> Int { Int(max(0, seconds(duration) * 1e6)) }

    /// The value that `percent` of all are not above; 0 without values.
    static func percentile(_ ordered: [Double], _ percent: Int) -> Double {
        ordered.isEmpty ? 0 : ordered[min(ordered.count - 1, ordered.count * percent / 100)]
    }

    static func text(_ value: Double, _ digits: Int) -> String { String(format: "%.\(digits)f", value) }
}
