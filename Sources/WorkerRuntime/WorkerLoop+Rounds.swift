import Cryptography
import Foundation
import JobProtocol
import Primitives
import Training

// A round's work: what it starts from, who does it, what becomes of its result.

extension WorkerLoop {
    /// More than twice the longest commit phase: keeps what a contract says from overflowing a clock.
    private static let longestRoundMs: UInt64 = 3 * JobSpec.longestTimeoutMs

    func start(
        _ status: JobStatus, me: JobParticipant, roster: [JobParticipant], wake: @escaping @Sendable () -> Void
    ) async throws {
        let spec = status.spec
        let active = roster.filter { $0.standing == .active }
        let edges = active.filter { $0.role == .edge }.sorted { $0.index < $1.index }
        // With fewer the round can't succeed; those who come back may make it possible.
        guard let cloud = active.first(where: { $0.role == .cloud }), edges.count >= Int(spec.quorum) else { return }
        guard let model = try await baseModel(status, cloud: cloud) else { return }
        // The contract extends a commit phase once; the loop cancels the work as soon as the phase ends.
        let now = UInt64(clamping: Int64(Date().timeIntervalSince1970 * 1_000))
        let deadline = status.deadline?.value ?? now
        let left = min(Self.longestRoundMs, (deadline > now ? deadline - now : 0).addingSaturating(spec.commitMaxMs))
        let exchange = Exchange(
            job: job, secrets: secrets, inbox: inbox, postman: postman,
            plan: try Joining.plan(spec, round: status.round), deadline: .now + .milliseconds(left),
            stepTimeout: .milliseconds(
                max(500, min(Self.longestRoundMs, spec.commitMaxMs) / WorkerLimits.stepShare)),
            threads: configuration.threads, report: report)
        report(.roundStarted(status.round))
        attempts &+= 1
        let (attempt, round, shard) = (attempts, status.round, configuration.data)
        let task = Task.detached {
            do {
                switch model {
                case .front(let front):
                    let (result, front) = try await EdgeExchange(
                        exchange: exchange, me: me, cloud: cloud, front: front, shard: shard
                    ).run()
                    try await self.hold(result, [], .front(front), of: round, attempt: attempt)
                    wake()
                case .checkpoint(let checkpoint):
                    try await CloudExchange(
                        exchange: exchange, me: me, edges: edges, quorum: Int(spec.quorum), checkpoint: checkpoint
                    ).run { result, partners, checkpoint in
                        do { try await self.hold(result, partners, .checkpoint(checkpoint), of: round, attempt: attempt) } catch {
                            await self.abandon(round, attempt: attempt, because: error)
                        }
                        wake()
                    }
                }
            } catch {
                await self.abandon(round, attempt: attempt, because: error)
                wake()
            }
        }
        work = RoundWork(attempt: attempt, round: round, task: task, started: .now)
    }

    /// Keeps what a round gave, durable before it is public: the model and the opening, then the commitment.
    private func hold(_ result: RoundResult, _ partners: [JobPartner], _ model: Model, of round: UInt32, attempt: UInt64) throws {
        guard let work, work.attempt == attempt else { return }
        switch model {
        case .front(let front): try state.save(front)
        case .checkpoint(let checkpoint): try state.save(checkpoint)
        }
        var generator = SystemRandomNumberGenerator()
        let salt = Digest(sha256: (0..<32).map { _ in UInt8.random(in: 0...255, using: &generator) })
        let made = WorkerState.Opening(
            job: job.key, round: round, model: model.digest,
            reveal: JobReveal(
                stepsRoot: result.stepsRoot, artifact: result.artifact, partners: partners, lossMicro: result.lossMicro,
                location: identity.endpoint, salt: salt))
        try state.save(made)
        opening = made
        candidate = (round, model)
        try state.keepOnly(Set([accepted?.digest, model.digest].compactMap { $0 }))
        let elapsed = (ContinuousClock.now - work.started).components
        report(
            .roundDone(
                round, lossMicro: result.lossMicro,
                seconds: Double(elapsed.seconds) + Double(elapsed.attoseconds) / 1e18))
    }

    private func abandon(_ round: UInt32, attempt: UInt64, because error: any Error) {
        guard work?.attempt == attempt, !(error is CancellationError) else { return }
        report(.roundAbandoned(round, "\(error)"))
        work?.isAbandoned = true
        // A cloud that too few edges answered tries again while the phase lasts: those that take it for restarted begin
        // anew, too. Anything else would fail again.
        if configuration.role == .cloud, error is WorkerError, opening?.round != round { work = nil }
    }

    /// The model that the round starts from: the one that the chain names. Nil where it can't be had now.
    private func baseModel(_ status: JobStatus, cloud: JobParticipant) async throws -> Model? {
        if let accepted, accepted.digest == status.checkpoint { return accepted.model }
        let model: Model
        if status.checkpoint == .zero {
            let initial = try Checkpoint.initial(seed: JobSeed(words: try Joining.settings(status.spec).seed.words))
            model = configuration.role == .cloud ? .checkpoint(initial) : .front(initial.front)
        } else if configuration.role == .cloud {
            throw WorkerError.damagedState(
                configuration.stateFolder.path, "it does not hold the accepted model \(status.checkpoint)")
        } else {
            do {
                guard let sealed = try await postman.front(of: job.sender.account, from: cloud.account) else { return nil }
                model = .front(
                    try sealed.open(job: job.contract, key: secrets.kemKey, checkpoint: status.checkpoint))
            } catch let error as CancellationError {
                throw error
            } catch {
                // It may be starting, or have another round's model still.
                warn("the cloud did not give the accepted front: \(error)")
                return nil
            }
        }
        accepted = (status.checkpoint, model)
        return model
    }
}

extension UInt64 {
    fileprivate func addingSaturating(_ other: UInt64) -> UInt64 {
        let (sum, overflow) = addingReportingOverflow(other)
        return overflow ? .max : sum
    }
}
