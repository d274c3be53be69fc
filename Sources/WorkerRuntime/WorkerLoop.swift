import ChainClient
import Cryptography
import Foundation
import Primitives
import Training

/// Follows the job's phases and does this worker's part in each.
actor WorkerLoop {
    private let configuration: WorkerConfiguration
    private let job: JobView
    private let kemKey: KEMPrivateKey
    private let inbox: Inbox
    private let postman: Postman
    private let shelf: ModelShelf
    private let endpoint: String
    private let state: WorkerState
    private let report: @Sendable (WorkerEvent) -> Void

    /// The accepted model by the digest that the chain gives it: a checkpoint at the cloud, a front at an edge.
    private var accepted: (digest: Digest, model: Model)?
    /// What this worker made in a round whose outcome is open.
    private var candidate: (round: UInt32, model: Model)?
    private var opening: WorkerState.Opening?
    private var work: RoundWork?
    private var reported: UInt32?
    private var validated: UInt32?
    /// The last action that failed, so that the same failure is told once.
    private var lastWarning = ""

    private enum Model: Sendable {
        case front(FrontModel)
        case checkpoint(Checkpoint)
    }

    private struct RoundWork {
        let round: UInt32
        let task: Task<(RoundResult, Model), any Error>
        let started: ContinuousClock.Instant
        var isDone = false
    }

    init(
        configuration: WorkerConfiguration, job: JobView, kemKey: KEMPrivateKey, inbox: Inbox, postman: Postman,
        shelf: ModelShelf, endpoint: String, state: WorkerState, report: @escaping @Sendable (WorkerEvent) -> Void
    ) {
        self.configuration = configuration
        self.job = job
        self.kemKey = kemKey
        self.inbox = inbox
        self.postman = postman
        self.shelf = shelf
        self.endpoint = endpoint
        self.state = state
        self.report = report
    }

    func run() async throws {
        opening = try state.opening()
        try await join()
        let (changes, changed) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        let watcher = Task { [job] in
            while !Task.isCancelled {
                do {
                    for try await _ in job.client.events() { changed.yield() }
                } catch {}
                try? await Task.sleep(for: .milliseconds(WorkerLimits.pollMs))
            }
        }
        let poller = Task {
            while !Task.isCancelled {
                changed.yield()
                try? await Task.sleep(for: .milliseconds(WorkerLimits.pollMs))
            }
        }
        defer {
            watcher.cancel()
            poller.cancel()
            work?.task.cancel()
        }
        for await _ in changes {
            try Task.checkCancellation()
            do {
                if try await advance(wake: { changed.yield() }) { return }
            } catch let error as ClientError {
                warn("\(error)")
            } catch let error as TransactionFailed {
                warn("\(error)")
            }
        }
        throw CancellationError()
    }

    /// Tells a failure once, however often the loop meets it.
    private func warn(_ text: String) {
        if text != lastWarning { report(.warning(text)) }
        lastWarning = text
    }

    // MARK: Joining

    private func join() async throws {
        let known = try await job.participants().all.first { $0.account == job.sender.account }
        if known == nil {
            let application = JobApplication(role: configuration.role, samples: UInt32(clamping: configuration.data.count))
            do {
                try await job.act(.applicationTask, application.borsh)
            } catch let error as TransactionFailed {
                throw WorkerError.jobFull(error.message)
            }
        }
        let identity = JobIdentity(kemPublicKey: kemKey.publicKey, endpoint: endpoint)
        if known?.kemPublicKey != identity.kemPublicKey || known?.endpoint != endpoint {
            try await job.act(.postSecondLayerId, identity.borsh)
        }
        if known == nil || known?.standing == .applied || known?.standing == .suspended {
            try await job.act(.reservingConfirmation)
        }
        report(.joined(job.sender.account))
    }

    // MARK: Phases

    /// One look at the job. True when it is over.
    private func advance(wake: @escaping @Sendable () -> Void) async throws -> Bool {
        let status = try await job.status()
        try await close(status)
        if let work, work.round != status.round || status.phase != .commit, !work.isDone {
            work.task.cancel()
            self.work?.isDone = true
        }
        switch status.phase {
        case .commit: try await commit(status, wake: wake)
        case .reveal: try await reveal(status)
        case .validate: try await validate(status)
        case .finished:
            try await finish(status)
            return true
        case .aborted: throw WorkerError.aborted(status.reason)
        case .registered, .open, .challenge, .final, .starved, .paused: break
        }
        return false
    }

    /// Takes over what the closed rounds decided.
    private func close(_ status: JobStatus) async throws {
        guard reported != status.round || status.phase.isOver else { return }
        let rounds = try await job.history().rounds
        for round in rounds where reported.map({ round.round >= $0 }) ?? true {
            guard round.round < status.round || status.phase.isOver else { continue }
            if let candidate, candidate.round == round.round {
                if round.outcome == .accepted { accepted = (round.checkpoint, candidate.model) }
                self.candidate = nil
            }
            report(.roundClosed(round))
        }
        reported = status.round
        if case .checkpoint(let checkpoint)? = accepted?.model { await shelf.put(checkpoint, round: status.round) }
    }

    private func commit(_ status: JobStatus, wake: @escaping @Sendable () -> Void) async throws {
        let roster = try await job.participants().all
        guard let me = roster.first(where: { $0.account == job.sender.account }) else { return }
        if me.standing == .suspended { return try await job.act(.reservingConfirmation) }
        guard me.standing == .active, !me.committed else { return }
        if let work, work.round == status.round {
            guard work.isDone, let made = opening, made.round == status.round else { return }
            return try await send(made)
        }
        if let opening, opening.round == status.round { return try await send(opening) }
        try await start(status, me: me, roster: roster, wake: wake)
    }

    private func send(_ opening: WorkerState.Opening) async throws {
        let commitment = opening.reveal.commitment(
            job: job.contract, round: opening.round, sender: job.sender.account)
        try await job.act(.commitmentTask, post: .commit(round: opening.round), commitment.borsh)
    }

    private func reveal(_ status: JobStatus) async throws {
        guard let opening, opening.round == status.round else { return }
        let me = try await job.participants().all.first { $0.account == job.sender.account }
        guard let me, me.committed, !me.revealed else { return }
        try await job.act(.commitmentTask, post: .reveal(round: status.round), opening.reveal.borsh)
    }

    private func validate(_ status: JobStatus) async throws {
        guard status.spec.validator == job.sender.account, validated != status.round,
            let candidate, candidate.round == status.round, case .checkpoint(let checkpoint) = candidate.model
        else { return }
        let samples = try configuration.data.prefix(
            min(configuration.data.count, max(1, Int(status.spec.validationSamples))))
        let evaluation = try checkpoint.evaluate(on: samples, threads: configuration.threads)
        let validation = JobValidation(
            metricMicro: evaluation.accuracyMicro, lossMicro: evaluation.lossMicro, checkpoint: checkpoint.digest)
        try await job.act(.commitmentTask, post: .validation(round: status.round), validation.borsh)
        validated = status.round
        report(
            .validated(status.round, accuracyMicro: evaluation.accuracyMicro, lossMicro: evaluation.lossMicro))
    }

    private func finish(_ status: JobStatus) async throws {
        if case .checkpoint(let checkpoint)? = accepted?.model, let file = configuration.modelFile {
            try Data(checkpoint.borsh).write(to: file, options: .atomic)
        }
        if status.escrow > 0 {
            do { try await job.act(.paymentWorkerSignature) } catch { warn("the pay could not be claimed: \(error)") }
        }
        report(.finished(acceptedRounds: status.acceptedRounds, accuracyMicro: status.metricMicro))
    }

    // MARK: Rounds

    private func start(
        _ status: JobStatus, me: JobParticipant, roster: [JobParticipant], wake: @escaping @Sendable () -> Void
    ) async throws {
        let active = roster.filter { $0.standing == .active }
        guard let cloud = active.first(where: { $0.role == .cloud }) else { return }
        let edges = active.filter { $0.role == .edge }.sorted { $0.index < $1.index }
        guard let model = try await baseModel(status, cloud: cloud) else { return }
        let spec = status.spec
        let plan = try RoundPlan(
            seed: JobSeed(words: spec.seed.words), round: status.round, steps: spec.stepsPerRound,
            batchSize: Int(spec.batchSize), optimiser: LeNet5.optimiser(learningRateMicro: spec.learningRateMicro))
        await inbox.begin(round: status.round)
        // The contract extends a commit phase once; the loop cancels the work as soon as the phase ends.
        let now = UInt64(Date().timeIntervalSince1970 * 1_000)
        let left = (status.deadline?.value ?? now).subtractingSaturating(now) + spec.commitMaxMs
        let exchange = Exchange(
            job: job, key: configuration.key, kemKey: kemKey, inbox: inbox, postman: postman, plan: plan,
            deadline: .now + .milliseconds(left), threads: configuration.threads, report: report)
        report(.roundStarted(status.round))
        let shard = configuration.data
        let task = Task.detached {
            switch model {
            case .front(let front):
                let (result, front) = try await EdgeExchange(
                    exchange: exchange, me: me, cloud: cloud, front: front, shard: shard
                ).run()
                return (result, Model.front(front))
            case .checkpoint(let checkpoint):
                let (result, checkpoint) = try await CloudExchange(
                    exchange: exchange, me: me, edges: edges, quorum: min(edges.count, max(1, Int(spec.quorum))),
                    checkpoint: checkpoint, stepTimeout: .milliseconds(max(500, spec.commitMaxMs / WorkerLimits.stepShare))
                ).run()
                return (result, Model.checkpoint(checkpoint))
            }
        }
        work = RoundWork(round: status.round, task: task, started: .now)
        Task { await self.finished(status.round, task, wake: wake) }
    }

    private func finished(
        _ round: UInt32, _ task: Task<(RoundResult, Model), any Error>, wake: @Sendable () -> Void
    ) async {
        defer { wake() }
        do {
            let (result, model) = try await task.value
            guard let started = work?.started, work?.round == round else { return }
            candidate = (round, model)
            // Durable before public: the model and the opening, then the commitment.
            if case .checkpoint(let checkpoint) = model { try state.save(checkpoint) }
            var generator = SystemRandomNumberGenerator()
            let salt = Digest(sha256: (0..<32).map { _ in UInt8.random(in: 0...255, using: &generator) })
            let made = WorkerState.Opening(
                round: round,
                reveal: JobReveal(
                    stepsRoot: result.stepsRoot, artifact: result.artifact, salt: salt, lossMicro: result.lossMicro,
                    location: endpoint))
            try state.save(made)
            opening = made
            let elapsed = (ContinuousClock.now - started).components
            report(
                .roundDone(
                    round, lossMicro: result.lossMicro,
                    seconds: Double(elapsed.seconds) + Double(elapsed.attoseconds) / 1e18))
        } catch {
            if !(error is CancellationError) { report(.roundAbandoned(round, "\(error)")) }
        }
        if work?.round == round { work?.isDone = true }
    }

    /// The model that the round starts from: the one that the chain names.
    private func baseModel(_ status: JobStatus, cloud: JobParticipant) async throws -> Model? {
        if let accepted, accepted.digest == status.checkpoint { return accepted.model }
        let seed = JobSeed(words: status.spec.seed.words)
        let model: Model
        if configuration.role == .cloud {
            if status.checkpoint == .zero {
                model = .checkpoint(try Checkpoint.initial(seed: seed))
            } else {
                guard let stored = try state.checkpoint(status.checkpoint) else {
                    throw WorkerError.damagedState(
                        configuration.stateFolder.path, "it does not hold the accepted model \(status.checkpoint)")
                }
                model = .checkpoint(stored)
                await shelf.put(stored, round: status.round)
            }
        } else if status.checkpoint == .zero {
            model = .front(try Checkpoint.initial(seed: seed).front)
        } else {
            let sealed: SealedFront?
            do { sealed = try await postman.front(of: job.sender.account, from: cloud.endpoint) } catch {
                warn("the cloud did not give the accepted front: \(error)")
                return nil
            }
            guard let sealed else { return nil }
            model = .front(try sealed.open(job: job.contract, key: kemKey, checkpoint: status.checkpoint))
        }
        accepted = (status.checkpoint, model)
        return model
    }
}

extension UInt64 {
    fileprivate func subtractingSaturating(_ other: UInt64) -> UInt64 { self > other ? self - other : 0 }
}
