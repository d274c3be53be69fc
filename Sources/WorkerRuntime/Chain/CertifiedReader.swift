import Audit
import ChainClient
import Foundation
import Primitives
import Synchronization

/// Reads the chain's state without believing the node that answers: every value comes with a proof against a root that a
/// quorum of masternodes has certified, checked from the genesis on.
///
/// A node that lies is passed over for the next one. An answer that is true but old is told by its time: a node can keep
/// news back, but not for longer than ``WorkerLimits/certifiedAgeMs`` without being noticed.
package struct CertifiedReader: Sendable {
    private let genesis: Genesis
    private let ask: @Sendable ([StateKey]) async throws -> [UInt8]?
    private let distrust: @Sendable () -> Void
    private let nodes: Int
    private let report: @Sendable (WorkerEvent) -> Void
    private let newest = Newest()

    private final class Newest: Sendable {
        private let height = Mutex(Height.zero)

        /// False for what is older than what was seen before.
        func admits(_ new: Height) -> Bool {
            height.withLock { height in
                guard new >= height else { return false }
                height = new
                return true
            }
        }

        var value: Height { height.withLock { $0 } }
    }

    package init(
        genesis: Genesis, nodes: Int, ask: @escaping @Sendable ([StateKey]) async throws -> [UInt8]?,
        distrust: @escaping @Sendable () -> Void = {}, report: @escaping @Sendable (WorkerEvent) -> Void = { _ in }
    ) {
        self.genesis = genesis
        self.nodes = nodes
        self.ask = ask
        self.distrust = distrust
        self.report = report
    }

    init(genesis: Genesis, client: ChainClient, report: @escaping @Sendable (WorkerEvent) -> Void) {
        self.init(
            genesis: genesis, nodes: client.nodes.count, ask: { try await client.stateExtract(of: $0) },
            distrust: { client.distrustNode() }, report: report)
    }

    /// Of the newest certified header that was seen.
    private var height: Height { newest.value }

    /// Whether a block of which a node speaks can be there: far beyond what is certified, none is. Whoever believed in one
    /// would take all answers after it for old ones.
    package func allows(block: UInt64, now: Date = Date()) async throws -> Bool {
        func isNear() -> Bool { block <= height.value.addingSaturating(WorkerLimits.blocksAhead) }
        if isNear() { return true }
        // This worker may have slept.
        _ = try await read([], now: now)
        return isNear()
    }

    /// A minute of asking.
    private static let firstBlockTries = 60_000 / max(1, WorkerLimits.retryMs)

    /// - Throws: ``WorkerError/untrusted(_:)`` when no node gives an answer that holds.
    package func read(_ keys: [StateKey], now: Date = Date()) async throws -> CertifiedState {
        var reason = "the chain has no block yet"
        // A chain that has just begun has nothing certified before its first block, which comes by its heartbeat.
        var patience = Self.firstBlockTries
        // A node that lags may have caught up the second time.
        for attempt in 0..<2 * max(1, nodes) {
            if attempt >= nodes { try await Task.sleep(for: .milliseconds(WorkerLimits.retryMs)) }
            var answer = try await ask(keys)
            while answer == nil, patience > 0 {
                patience -= 1
                try await Task.sleep(for: .milliseconds(WorkerLimits.retryMs))
                answer = try await ask(keys)
            }
            guard let bytes = answer else { continue }
            do {
                let state = try StateExtract(borsh: bytes).verify(genesis: genesis, keys: keys)
                guard newest.admits(state.height) else {
                    reason = "it is older than what was seen before (height \(state.height))"
                    distrust()
                    continue
                }
                let clock = UInt64(clamping: Int64(now.timeIntervalSince1970 * 1_000))
                let age = clock > state.time.value ? clock - state.time.value : 0
                if age > WorkerLimits.certifiedAgeMs {
                    report(
                        .warning(
                            "the newest certified block is \(age / 1_000) s old: the network stands still, the nodes keep "
                                + "news back, or this machine's clock is wrong"))
                }
                return state
            } catch {
                reason = "\(error)"
                report(.warning("a node's answer does not hold, and is not used: \(error)"))
                distrust()
            }
        }
        throw WorkerError.untrusted(reason)
    }
}
