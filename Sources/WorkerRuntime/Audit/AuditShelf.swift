import Cryptography
import JobProtocol
import Primitives
import Synchronization
import Training

/// The evidence of the last rounds: the newest in memory, and all that a dispute may yet ask for on disk, so that a worker
/// that restarts in the middle of a challenge or a dispute still answers.
///
/// Bounded: ``mostRounds`` rounds, and ``WorkerLimits/keptAuditBytes`` on disk; rounds under dispute stay beyond that, of
/// which a service has at most ``DisputeIndex/most`` at a time.
package final class AuditShelf: Sendable {
    package static let mostRounds = 64
    static let leastRounds = 2

    /// Where the evidence is kept.
    package struct Store: Sendable {
        let job: Digest
        let state: WorkerState
        /// What a round worked on, from what was kept of it; nil while its samples are not there.
        let base: @Sendable (KeptAudit) async throws -> AuditLog.Base?
        let mostBytes: Int
        let report: @Sendable (WorkerEvent) -> Void

        package init(
            job: Digest, state: WorkerState, mostBytes: Int = WorkerLimits.keptAuditBytes,
            report: @escaping @Sendable (WorkerEvent) -> Void = { _ in },
            base: @escaping @Sendable (KeptAudit) async throws -> AuditLog.Base?
        ) {
            self.job = job
            self.state = state
            self.mostBytes = mostBytes
            self.report = report
            self.base = base
        }
    }

    private struct State {
        var logs: [(round: UInt32, log: AuditLog)] = []
        /// The last one that came from the disk. Apart, so that questions about old rounds push out none under way.
        var loaded: (round: UInt32, log: AuditLog)?
        var pinned: Set<UInt32> = []
        /// Rounds whose evidence was said to be of no use.
        var unusable: Set<UInt32> = []
    }

    private let state = Mutex(State())
    private let store: Store?

    package init(_ store: Store? = nil) { self.store = store }

    package func begin(_ round: UInt32, _ base: AuditLog.Base) -> AuditLog {
        let log = AuditLog(base)
        // With a disk the others come from there.
        let most = store == nil ? Self.mostRounds : Self.leastRounds
        state.withLock { state in
            state.logs.removeAll { $0.round == round }
            while state.logs.count >= most
                || (state.logs.count > Self.leastRounds
                    && state.logs.reduce(0) { $0 + $1.log.bytes } > WorkerLimits.auditBytes)
            { state.logs.removeFirst() }
            state.logs.append((round, log))
            if state.loaded?.round == round { state.loaded = nil }
        }
        return log
    }

    /// Makes a round's evidence durable: before its commitment goes to the chain.
    package func keep(_ round: UInt32, place: UInt16, devices: [Account] = [], partners: [JobPartner] = []) throws {
        guard let store else { return }
        let (found, pinned) = state.withLock { state in (state.logs.first { $0.round == round }?.log, state.pinned) }
        guard
            let kept = found?.kept(job: store.job, round: round, place: place, devices: devices, partners: partners)
        else { return }
        try store.state.save(kept)
        try store.state.pruneAudits(keeping: pinned, newest: round, mostBytes: store.mostBytes)
    }

    /// Rounds about which disputes are open.
    package func pin(_ rounds: Set<UInt32>) { state.withLock { $0.pinned = rounds } }

    /// - Parameter patience: how long to wait for a restarted fog node's samples.
    package func log(of round: UInt32, patience: Duration = .zero) async -> AuditLog? {
        let known = state.withLock { state in
            state.logs.first { $0.round == round }?.log ?? state.loaded.flatMap { $0.round == round ? $0.log : nil }
        }
        if let known { return known }
        guard let store, let kept = kept(round, in: store) else { return nil }
        let until = ContinuousClock.now + patience
        while true {
            if let base = try? await store.base(kept) {
                let log = AuditLog(kept, base)
                state.withLock { $0.loaded = (round, log) }
                return log
            }
            guard ContinuousClock.now < until, !Task.isCancelled else { return nil }
            try? await Task.sleep(for: .milliseconds(WorkerLimits.retryMs))
        }
    }

    /// What a cloud named in a round, if it is kept.
    package func named(in round: UInt32) -> [UInt16: AuditedRound.Named]? {
        guard let store, let kept = kept(round, in: store), !kept.partners.isEmpty else { return nil }
        return kept.named
    }

    /// A round's evidence on disk. Of a file that is there and can't be used its operator is told, once: it may be all that
    /// this worker has to show for itself.
    private func kept(_ round: UInt32, in store: Store) -> KeptAudit? {
        do { return try store.state.audit(round, job: store.job) } catch {
            if state.withLock({ $0.unusable.insert(round).inserted }) { store.report(.warning("\(error)")) }
            return nil
        }
    }

    /// Whether any round's evidence is here, of this run or one before it.
    var holdsSome: Bool {
        if state.withLock({ !$0.logs.isEmpty }) { return true }
        return store.map { store in (try? store.state.audits())?.isEmpty == false } ?? false
    }

    /// How the envelopes of the last rounds open, for complaints that came while this worker was away.
    package func lastSaid() throws -> [StepEvidence.Said] {
        guard let store else { return [] }
        return try store.state.audits().prefix(Self.leastRounds).flatMap {
            kept($0.round, in: store)?.said ?? []
        }
    }
}
