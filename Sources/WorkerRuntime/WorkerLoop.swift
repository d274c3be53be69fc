import ChainClient
import Cryptography
import Foundation
import JobProtocol
import Primitives
import Training

/// Follows the job's phases and does this worker's part in each.
///
/// One look at the job is done at a time, by `run`. Between two looks only `hold` changes the state: a round's result
/// may come at any moment.
actor WorkerLoop {
    let configuration: WorkerConfiguration
    let job: JobView
    let secrets: WorkerSecrets
    let members: Members
    let inbox: Inbox
    let postman: Postman
    let shelf: ModelShelf
    let identity: JobIdentity
    let state: WorkerState
    let report: @Sendable (WorkerEvent) -> Void

    /// The accepted model by the digest that the chain gives it: a checkpoint at the cloud, a front at an edge.
    var accepted: (digest: Digest, model: Model)?
    /// What this worker made in a round whose outcome is open.
    var candidate: (round: UInt32, model: Model)?
    /// What it committed to, or is about to.
    var opening: WorkerState.Opening?
    var work: RoundWork?
    var attempts: UInt64 = 0
    private var hasJoined = false
    private var reported: UInt32?
    private var lastOutcome: JobRound.Outcome?
    private var validated: UInt32?
    /// The last failure, so that the same is told once.
    private var lastWarning = ""

    enum Model: Sendable {
        case front(Network)
        case checkpoint(Checkpoint)

        var digest: Digest {
            switch self {
            case .front(let front): front.digest
            case .checkpoint(let checkpoint): checkpoint.digest
            }
        }
    }

    struct RoundWork {
        /// Tells a round's first attempt from one after a pause.
        let attempt: UInt64
        let round: UInt32
        let task: Task<Void, Never>
        let started: ContinuousClock.Instant
        var isAbandoned = false
    }

    init(
        configuration: WorkerConfiguration, job: JobView, secrets: WorkerSecrets, members: Members, inbox: Inbox,
        postman: Postman, shelf: ModelShelf, endpoint: String, state: WorkerState,
        report: @escaping @Sendable (WorkerEvent) -> Void
    ) {
        self.configuration = configuration
        self.job = job
        self.secrets = secrets
        self.members = members
        self.inbox = inbox
        self.postman = postman
        self.shelf = shelf
        identity = JobIdentity(kemPublicKey: secrets.kemKey.publicKey, endpoint: endpoint)
        self.state = state
        self.report = report
    }

    func run() async throws {
        try restore()
        let (changes, changed) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        let watcher = Task { [job] in
            while !Task.isCancelled {
                do {
                    for try await block in job.client.events()
                    where block.events.contains(where: { $0.contract == job.contract }) { changed.yield() }
                } catch {}
                try? await Task.sleep(for: .milliseconds(WorkerLimits.pollMs))
            }
        }
        // For what no event announces, and for events that got lost.
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
        var failures = 0
        for await _ in changes {
            try Task.checkCancellation()
            do {
                if try await advance(wake: { changed.yield() }) { return }
                failures = 0
            } catch {
                guard passes(error) else { throw error }
                if !(error is JobView.StaleAnswer) { warn("\(error)") }
                // A failure repeats at once, and costs credits, if what it needs does not come by itself.
                let pause = min(WorkerLimits.longestPauseMs, WorkerLimits.retryMs << UInt64(min(failures, 6)))
                failures += 1
                try await Task.sleep(for: .milliseconds(pause))
            }
        }
        throw CancellationError()
    }

    /// Whether another try may succeed. Before the worker has joined, a refusal of its account or of what it sends is
    /// for people to see.
    private func passes(_ error: any Error) -> Bool {
        switch error {
        case let error as ClientError:
            if hasJoined || error.isTransient { return true }
            switch error {
            case .displaced, .expired: return true
            default: return false
            }
        case is TransactionFailed, is JobView.StaleAnswer: return true
        default: return false
        }
    }

    /// Tells a failure once, however often the loop meets it.
    func warn(_ text: String) {
        if text != lastWarning { report(.warning(text)) }
        lastWarning = text
    }

    /// What a run before this one left: its commitment can be revealed, and its model may be accepted yet.
    private func restore() throws {
        guard let opening = try state.opening(job: job.key) else { return }
        let model: Model? =
            configuration.role == .cloud
            ? try state.checkpoint(opening.model).map { .checkpoint($0) } : try state.front(opening.model).map { .front($0) }
        // Without the model a commitment can still be opened, but is worth nothing to make.
        guard let model else { return }
        self.opening = opening
        candidate = (opening.round, model)
    }

    // MARK: One look at the job

    /// True when the job is over.
    private func advance(wake: @escaping @Sendable () -> Void) async throws -> Bool {
        let status = try await job.status()
        guard try await join(status) else { return false }
        await inbox.begin(round: status.round)
        // Also when the job pauses: a round that is resumed is done again, with the same commitments.
        if let work, work.round != status.round || status.phase != .commit {
            work.task.cancel()
            self.work = nil
        }
        try await close(status)
        switch status.phase {
        case .commit, .reveal, .validate, .score, .paused:
            let participants = try await job.participants()
            await members.update(participants)
            guard let me = participants.first(where: { $0.account == job.sender.account }) else { return false }
            if me.standing == .suspended {
                guard Joining.shouldComeBack(status, participants: participants, lastOutcome: lastOutcome) else { break }
                try await job.act(.reservingConfirmation)
            } else if status.phase == .commit {
                try await commit(status, me, participants, wake: wake)
            } else if status.phase == .reveal {
                try await reveal(status, me)
            } else if status.phase == .validate {
                try await validate(status)
            }
        case .finished:
            try await finish(status)
            return true
        case .aborted: throw WorkerError.aborted(status.reason)
        case .registered, .open, .challenge, .final, .starved: break
        }
        return false
    }

    /// Does what is missing to take part; false while something is.
    private func join(_ status: JobStatus) async throws -> Bool {
        if hasJoined { return true }
        try Joining.check(status.spec)
        let participants = try await job.participants()
        await members.update(participants)
        let known = participants.first { $0.account == job.sender.account }
        let step = try Joining.next(
            phase: status.phase, known: known, participants: participants, role: configuration.role, identity: identity)
        switch step {
        case .apply:
            report(.terms(status.spec))
            let application = JobApplication(
                role: configuration.role, samples: UInt32(clamping: configuration.data.count))
            try await actToJoin(.applicationTask, application.borsh)
        case .identify: try await actToJoin(.postSecondLayerId, identity.borsh)
        case .confirm: try await actToJoin(.reservingConfirmation)
        case .wait: warn("the job is \(status.phase); waiting for it to open")
        case .joined:
            hasJoined = true
            if configuration.role == .cloud, status.validator != job.sender.account, !status.phase.isOver {
                warn("the job's validator is \(status.validator), not this worker: rounds wait for it")
            }
            report(.joined(job.sender.account))
            return true
        }
        // The next step at once, unless there is nothing to do but wait.
        return step == .wait ? false : try await join(try await job.status())
    }

    private func actToJoin(_ action: ActionId, _ data: [UInt8] = []) async throws {
        do { try await job.act(action, data) } catch let error as TransactionFailed {
            // An earlier try may have done it, its answer lost; only the chain knows.
            let known = try await job.participants().first { $0.account == job.sender.account }
            let isDone =
                switch action {
                case .applicationTask: known != nil && known?.standing != .released
                case .reservingConfirmation: known.map { $0.standing != .applied } ?? false
                default: false
                }
            if !isDone { throw WorkerError.jobFull(error.message) }
        }
    }

    /// Takes over what the closed rounds decided.
    private func close(_ status: JobStatus) async throws {
        if reported != status.round || status.phase.isOver {
            for round in try await job.history() where reported.map({ round.round >= $0 }) ?? true {
                guard round.round < status.round || status.phase.isOver else { continue }
                if let candidate, candidate.round == round.round {
                    if round.outcome == .accepted, try await isAccepted(candidate.model, as: round.checkpoint) {
                        accepted = (round.checkpoint, candidate.model)
                    }
                    self.candidate = nil
                }
                lastOutcome = round.outcome
                // What closed before this run was told by the one before it.
                if reported != nil { report(.roundClosed(round)) }
            }
            reported = status.round
        }
        guard configuration.role == .cloud else { return }
        if accepted?.digest != status.checkpoint, status.checkpoint != .zero,
            let stored = try state.checkpoint(status.checkpoint)
        {
            accepted = (status.checkpoint, .checkpoint(stored))
        }
        if case .checkpoint(let checkpoint)? = accepted?.model { await shelf.put(checkpoint, round: status.round) }
    }

    /// Whether a model of this worker is the one that the chain accepted. An edge has only the front of it; the digest
    /// of the back is what the cloud revealed.
    private func isAccepted(_ model: Model, as checkpoint: Digest) async throws -> Bool {
        switch model {
        case .checkpoint(let own): return own.digest == checkpoint
        case .front(let front):
            let backs = try await job.participants().filter { $0.role == .cloud }.map(\.lastArtifact)
            return backs.contains { Checkpoint.digest(front: front.digest, back: $0) == checkpoint }
        }
    }

    // MARK: Phases

    private func commit(
        _ status: JobStatus, _ me: JobParticipant, _ participants: [JobParticipant], wake: @escaping @Sendable () -> Void
    ) async throws {
        guard me.standing == .active, !me.committed else { return }
        if let opening, opening.round == status.round {
            let commitment = opening.reveal.commitment(
                job: job.contract, round: opening.round, sender: job.sender.account)
            return try await job.act(.commitmentTask, post: .commit(round: opening.round), commitment.borsh)
        }
        guard work == nil else { return }
        try await start(status, me: me, roster: participants, wake: wake)
    }

    private func reveal(_ status: JobStatus, _ me: JobParticipant) async throws {
        guard let opening, opening.round == status.round, me.committed, !me.revealed else { return }
        try await job.act(.commitmentTask, post: .reveal(round: status.round), opening.reveal.borsh)
    }

    private func validate(_ status: JobStatus) async throws {
        guard status.validator == job.sender.account, validated != status.round,
            let candidate, candidate.round == status.round, case .checkpoint(let checkpoint) = candidate.model
        else { return }
        let samples = try configuration.data.prefix(
            min(configuration.data.count, max(1, Int(try Joining.settings(status.spec).validationSamples))))
        let evaluation = try checkpoint.evaluate(on: samples, threads: configuration.threads)
        let validation = JobValidation(
            metricMicro: evaluation.accuracyMicro, lossMicro: evaluation.lossMicro, checkpoint: checkpoint.digest)
        try await job.act(.commitmentTask, post: .validation(round: status.round), validation.borsh)
        validated = status.round
        report(
            .validated(status.round, accuracyMicro: evaluation.accuracyMicro, lossMicro: evaluation.lossMicro))
    }

    private func finish(_ status: JobStatus) async throws {
        if let file = configuration.modelFile, configuration.role == .cloud, status.checkpoint != .zero {
            guard case .checkpoint(let checkpoint)? = accepted?.model, accepted?.digest == status.checkpoint else {
                throw WorkerError.damagedState(
                    configuration.stateFolder.path, "it does not hold the accepted model \(status.checkpoint)")
            }
            do { try Data(checkpoint.borsh).write(to: file, options: .atomic) } catch {
                throw WorkerError.cannotWrite(file.path, error.localizedDescription)
            }
        }
        if try await job.owed() > 0 {
            do { try await job.act(.paymentWorkerSignature) } catch { warn("the pay could not be claimed: \(error)") }
        }
        report(.finished(acceptedRounds: status.acceptedRounds, accuracyMicro: status.metricMicro))
    }
}
