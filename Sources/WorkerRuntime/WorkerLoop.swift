import ChainClient
import Cryptography
import Foundation
import JobProtocol
import Primitives
import Training

/// Follows the job's phases and does this participant's part in each.
///
/// One look at the job is done at a time, by `run`. Between two looks only a round's task changes the state, through
/// `hold`, `adopt` and `abandon`: its result may come at any moment.
actor WorkerLoop {
    /// Waiting for the disk holds up nobody but the loop itself.
    private let queue = LoopQueue(label: "edgeproof.worker")
    nonisolated var unownedExecutor: UnownedSerialExecutor { queue.asUnownedSerialExecutor() }
    let trainer = TrainingQueue()

    let configuration: WorkerConfiguration
    let job: JobView
    let plan: TrainingPlan
    let parts: WorkerParts
    let endpoint: String
    let state: WorkerState
    let report: @Sendable (WorkerEvent) -> Void
    let openings = Openings()

    /// The accepted model by the digest that the chain gives it.
    var accepted: (digest: Digest, model: JobModel)?
    /// What this participant made in a round whose outcome is open. An edge's front waits for the back's digest.
    var candidate: (round: UInt32, model: Candidate)?
    /// What it committed to, or is about to.
    var opening: WorkerState.Opening?
    var work: RunningRound?
    var attempts: UInt64 = 0
    /// A fog node's, from round to round.
    var memory: FogNodeRound.Memory?
    /// The accepted model of the highest accuracy.
    var best: WorkerState.Best?
    var reserved: FeatureSet?
    /// The identity that was published last; the chain shall show no other.
    private var published: JobIdentity?
    private var hasAskedForOwnKey = false
    private var hasSaidFunds = false
    private var hasSaidTerms = false
    private var hasJoined = false
    private var comparedWith: Set<Account> = []
    private var fedAt: ContinuousClock.Instant?
    /// Why this worker leaves the job by itself.
    var leaving: String?
    /// A fog node's own images as samples, and all that it trains on, by the devices that gave them.
    var ownSamples: FeatureSet?
    var gathered: (devices: [Account], samples: FeatureSet)?
    /// Since when a fog node waits for its devices.
    var waitingSince: ContinuousClock.Instant?
    private var reported: UInt32?
    private var validated: UInt32?
    /// Blocks in which commit phases closed, by round.
    var commitClosed: [UInt32: UInt64] = [:]
    var auditing: (round: UInt32, since: ContinuousClock.Instant)?
    var audited: (round: UInt32, result: AuditResult)?
    /// What this account has accused others by.
    var accusations: [Account: StepTrace] = [:]
    var disputeMoves: Set<DisputeMark> = []
    /// What clouds named in the last rounds: a dispute goes on when the chain has forgotten it.
    var namedWorkers: [UInt32: [UInt16: AuditedRound.Named]] = [:]
    /// Events announce disputes; one may be open when the worker starts.
    var mayHaveDisputes = true
    var accusedBefore = false
    /// The last failure, so that the same is told once.
    private var lastWarning = ""

    enum Candidate: Sendable {
        case model(JobModel)
        case front(Network)
    }

    struct RunningRound {
        /// Tells a round's first attempt from one after a pause.
        let attempt: UInt64
        let round: UInt32
        let task: Task<Void, Never>
        let started: ContinuousClock.Instant
    }

    init(
        configuration: WorkerConfiguration, job: JobView, plan: TrainingPlan, parts: WorkerParts, endpoint: String,
        state: WorkerState, report: @escaping @Sendable (WorkerEvent) -> Void
    ) {
        self.configuration = configuration
        self.job = job
        self.plan = plan
        self.parts = parts
        self.endpoint = endpoint
        self.state = state
        self.report = report
    }

    var secrets: WorkerSecrets { parts.secrets }
    var account: Account { job.sender.account }
    var identity: JobIdentity { JobIdentity(kemPublicKey: secrets.keys.current, endpoint: endpoint) }

    func run() async throws {
        try await restore()
        let (changes, changed) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        let watcher = Task { [job, weak self] in
            while !Task.isCancelled {
                do {
                    for try await block in job.client.events()
                    where block.events.contains(where: { $0.contract == job.contract }) {
                        for event in block.events where event.contract == job.contract {
                            await self?.note(event.topic, event.data, at: block.height)
                        }
                        changed.yield()
                    }
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
                if isShortOfFunds(error) {
                    sayFunds(error)
                    try await Task.sleep(for: .milliseconds(WorkerLimits.pollMs))
                    continue
                }
                guard passes(error) else { throw error }
                if !(error is JobView.StaleAnswer) { warn(told(error)) }
                // A failure repeats at once, and costs credits, if what it needs does not come by itself.
                let pause = min(WorkerLimits.longestPauseMs, WorkerLimits.retryMs << UInt64(min(failures, 6)))
                failures += 1
                try await Task.sleep(for: .milliseconds(pause))
            }
        }
        throw CancellationError()
    }

    // MARK: Failures

    private func isShortOfFunds(_ error: any Error) -> Bool {
        ["insufficient_credits", "insufficient_balance"].contains((error as? ClientError)?.code)
    }

    /// Says what is missing, once: it comes from people, or with time.
    private func sayFunds(_ error: any Error) {
        guard !hasSaidFunds else { return }
        hasSaidFunds = true
        report(
            .waiting(
                "the account \(account) can't pay for its transactions yet: \(error). Credits grow with its balance: "
                    + "'chain-cli transfer \(account) AMOUNT --from KEY' gives it one, on a devnet 'chain-cli faucet \(account)'. "
                    + "This worker goes on by itself"))
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
        case WorkerError.peer, WorkerError.untrusted: return true
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
    private func restore() async throws {
        best = try state.best(job: job.digest)
        guard let opening = try state.opening(job: job.digest) else { return }
        if configuration.role == .edge {
            // Without the model a commitment can still be opened, but is worth nothing to make.
            guard let front = try state.front(opening.model) else { return }
            candidate = (opening.round, .front(front))
        } else if opening.model != .zero {
            guard let model = try state.model(opening.model) else { return }
            candidate = (opening.round, .model(model))
            await parts.shelf.put(model)
        }
        self.opening = opening
    }

    // MARK: One look at the job

    /// True when the job is over.
    private func advance(wake: @escaping @Sendable () -> Void) async throws -> Bool {
        let status = try await job.status()
        parts.evaluators.set(
            Set(status.committee.map(\.account) + status.spec.committee.named + [status.validator]))
        guard try await join(status) else { return false }
        await parts.inbox.begin(round: status.round)
        // Also when the job pauses: a round that is resumed is done again, with the same commitments.
        if let work, work.round != status.round || !Self.isRunning(status.phase) {
            work.task.cancel()
            self.work = nil
        }
        try await close(status)
        // Whoever has a part in a dispute stays until it is over, also when the job is.
        let isDisputed = mayHaveDisputes ? try await followDisputes(status, try await job.participants()) : false
        if status.phase.isOver, isDisputed { return false }
        switch status.phase {
        case .finished:
            try await finish(status)
            return true
        case .aborted:
            try leaveModels()
            await claim()
            throw WorkerError.aborted(status.reason)
        case .registered, .open, .final, .starved: break
        case .paused: warn("the job is paused" + (status.reason.isEmpty ? "" : ": \(status.reason)"))
        case .commit, .reveal, .validate, .score, .challenge:
            try await rememberNamed(status)
            try await takePart(status, wake: wake)
        }
        if configuration.role == .device { try await feed(status) }
        return false
    }

    /// Phases in which a round's exchange may still have something to say: after its commit the cloud tells the others.
    private static func isRunning(_ phase: JobPhase) -> Bool { phase == .commit || phase == .reveal }

    private func takePart(_ status: JobStatus, wake: @escaping @Sendable () -> Void) async throws {
        let participants = try await job.participants()
        await parts.members.update(participants)
        if let me = participants.first(where: { $0.account == account }), configuration.role != .validator {
            try checkPlace(me)
            if let leaving {
                try await job.act(.releaseRelation)
                await claim()
                throw WorkerError.cannotWork(leaving)
            }
            if try secrets.keys.prepare(for: status.round) || identity != published { try await publish() }
            if me.standing == .suspended {
                try await job.act(.reservingConfirmation)
                return
            }
            try await compare(me, with: participants)
            switch status.phase {
            case .commit: try await commit(status, me, participants, wake: wake)
            case .reveal: try await reveal(me)
            case .challenge: try await answerComplaints(status, me)
            default: break
            }
            if configuration.role == .cloud { await stockUp(status, participants) }
        }
        if status.phase == .validate || status.phase == .score { try await validate(status, participants) }
    }

    /// Does what is missing to take part; false while something is.
    private func join(_ status: JobStatus) async throws -> Bool {
        if hasJoined { return true }
        if configuration.role == .validator {
            hasJoined = true
            report(.terms(status.spec, validator: status.validator))
            report(.joined(account))
            return true
        }
        let participants = try await job.participants()
        await parts.members.update(participants)
        let known = participants.first { $0.account == account }
        try await askForOwnKey(known, phase: status.phase)
        let step = try Joining.next(
            phase: status.phase, known: known, role: configuration.role, parent: configuration.parent ?? .zero,
            identity: identity)
        switch step {
        case .apply: try await apply(status)
        case .identify: try await publish()
        case .confirm: try await actToJoin(.reservingConfirmation)
        case .joined:
            hasJoined = true
            published = published ?? identity
            report(.joined(account))
            return true
        }
        return try await join(try await job.status())
    }

    private func apply(_ status: JobStatus) async throws {
        // Once, however often it tries.
        if !hasSaidTerms { report(.terms(status.spec, validator: status.validator)) }
        hasSaidTerms = true
        let isDevice = configuration.role == .device
        if isDevice,
            !(try await job.participants().contains { $0.account == configuration.parent && $0.standing != .released })
        {
            throw WorkerError.peer("the fog node \(configuration.parent?.short ?? "") has not applied yet")
        }
        let application = JobApplication(
            role: configuration.role, samples: UInt32(clamping: parts.sampleCount),
            parent: configuration.parent ?? .zero)
        try await actToJoin(.applicationTask, application.borsh, value: isDevice ? 0 : status.spec.bond)
    }

    /// A worker that restarts finds the endpoint of its last run on the chain. If somebody still answers there with this
    /// very key, two were started with one key, and both say so.
    private func askForOwnKey(_ known: JobParticipant?, phase: JobPhase) async throws {
        guard !hasAskedForOwnKey, !phase.isOver else { return }
        hasAskedForOwnKey = true
        guard let known, known.standing != .released, known.endpoint != endpoint, let other = Endpoint(known.endpoint),
            await parts.postman.isOwnKey(at: other)
        else { return }
        throw WorkerError.keyInUse(known.endpoint)
    }

    private func publish() async throws {
        let identity = identity
        try await job.act(.postSecondLayerId, identity.borsh)
        published = identity
    }

    /// Where another worker with this key has published itself, this one ends: each would undo what the other does.
    private func checkPlace(_ me: JobParticipant) throws {
        guard let published else { return }
        guard me.endpoint == published.endpoint, me.kemPublicKey == published.kemPublicKey else {
            throw WorkerError.displaced(me.endpoint)
        }
    }

    private func actToJoin(_ action: ActionId, _ data: [UInt8] = [], value: UInt128 = 0) async throws {
        do { try await job.act(action, data, value: value) } catch let error as TransactionFailed {
            // An earlier try may have done it, its answer lost; only the chain knows.
            let known = try await job.participants().first { $0.account == account }
            let isDone =
                switch action {
                case .applicationTask: known != nil && known?.standing != .released
                case .reservingConfirmation: known.map { $0.standing != .applied } ?? false
                default: false
                }
            if !isDone { throw WorkerError.jobFull(error.message) }
        }
    }

    /// Finds out once of each other worker whether it trains on the same samples.
    private func compare(_ me: JobParticipant, with participants: [JobParticipant]) async throws {
        guard let overlap = parts.overlap else { return }
        for other in participants
        where other.role == me.role && other.account != account && other.standing != .released
            && other.kemPublicKey != .zero && comparedWith.insert(other.account).inserted
        {
            let sketch = try overlap.sealed(for: other.kemPublicKey, job: job.contract)
            // Beside the round: one that does not answer holds up nobody.
            Task { [parts, report] in
                guard let answer = try? await parts.postman.ask(.overlap, sketch, of: other.account, limit: 4),
                    let shared = try? UInt32(borsh: answer), Int(shared) >= Overlap.worthAWarning
                else { return }
                report(.warning(Overlap.warning(min(Int(shared), Overlap.size), with: other.account)))
            }
        }
    }

    /// Takes over what the closed rounds decided.
    private func close(_ status: JobStatus) async throws {
        if reported != status.round || status.phase.isOver {
            for round in try await job.history() where reported.map({ round.round >= $0 }) ?? true {
                guard round.round < status.round || status.phase.isOver else { continue }
                if let candidate, candidate.round == round.round {
                    if round.outcome == .accepted,
                        let model = try await model(of: candidate.model, as: round.checkpoint)
                    {
                        accepted = (round.checkpoint, model)
                        try note(best: round, model)
                    }
                    self.candidate = nil
                }
                // What closed before this run was told by the one before it.
                if reported != nil { report(.roundClosed(round)) }
            }
            reported = status.round
        }
        if status.checkpoint != .zero, accepted?.digest != status.checkpoint,
            let kept = try state.model(status.checkpoint)
        {
            accepted = (status.checkpoint, kept)
        }
        if let accepted { await parts.shelf.put(accepted.model) }
        var kept = Set([accepted?.digest, best?.model].compactMap { $0 })
        if let opening { kept.insert(opening.model) }
        if case .model(let model)? = candidate?.model { kept.insert(model.digest) }
        await parts.shelf.keepOnly(kept)
    }

    private func note(best round: JobRound, _ model: JobModel) throws {
        guard model.network != nil else { return }
        if let best, round.metricMicro <= best.metricMicro { return }
        let made = WorkerState.Best(
            job: job.digest, round: round.round, model: model.digest, metricMicro: round.metricMicro)
        try state.save(model)
        try state.save(made)
        best = made
    }

    /// What the chain accepted, if it is what this participant made. An edge has only the front of it; the digest of the
    /// back is what the cloud revealed.
    private func model(of candidate: Candidate, as checkpoint: Digest) async throws -> JobModel? {
        switch candidate {
        case .model(let own): return own.digest == checkpoint ? own : nil
        case .front(let front):
            let backs = try await job.participants().filter { $0.role == .cloud }.map(\.lastArtifact)
            guard let back = backs.first(where: { Checkpoint.digest(front: front.digest, back: $0) == checkpoint })
            else {
                return nil
            }
            return .front(front, back: back)
        }
    }

    // MARK: Phases

    private func commit(
        _ status: JobStatus, _ me: JobParticipant, _ participants: [JobParticipant],
        wake: @escaping @Sendable () -> Void
    ) async throws {
        guard me.standing == .active, !me.committed, configuration.role != .device else { return }
        guard configuration.role != .cloud || status.lead == account else { return }
        if let opening, opening.round == status.round {
            let commitment = opening.reveal.commitment(job: job.contract, round: opening.round, sender: account)
            return try await job.act(.commitmentTask, post: .commit(round: opening.round), commitment.borsh)
        }
        guard work == nil else { return }
        try await start(status, me: me, roster: participants, wake: wake)
    }

    private func reveal(_ me: JobParticipant) async throws {
        guard let opening, opening.round == me.base, me.committed, !me.revealed else { return }
        guard !configuration.faults.happens(.withhold, round: opening.round) else {
            return warn("an experiment's fault: the commitment to round \(opening.round) stays closed")
        }
        try await job.act(.commitmentTask, post: .reveal(round: opening.round), opening.reveal.borsh)
    }

    /// Opens what others have complained of.
    private func answerComplaints(_ status: JobStatus, _ me: JobParticipant) async throws {
        let participants = try await job.participants()
        for complaint in try await job.complaints() where complaint.accused == me.slot && !complaint.isOpened {
            guard let known = openings[complaint.envelope], let salt = Digest(known.salt),
                let complainer = participants.first(where: { $0.slot == complaint.complainer })
            else {
                warn("\(complaint.envelope) can't be opened: this run has not sent it")
                continue
            }
            let opening = JobOpening(complainer: complainer.account, payload: known.payload, salt: salt)
            try await job.act(.commitmentTask, post: .opening(round: status.round), opening.borsh)
        }
    }

    /// A cloud that stands by keeps the accepted model, so that it can take over.
    private func stockUp(_ status: JobStatus, _ participants: [JobParticipant]) async {
        guard status.lead != account, status.checkpoint != .zero, accepted?.digest != status.checkpoint,
            let model = try? await fetch(status.checkpoint, status, participants)
        else { return }
        try? state.save(model)
        accepted = (status.checkpoint, model)
        await parts.shelf.put(model)
    }

    /// A device looks after what its fog node has.
    private func feed(_ status: JobStatus) async throws {
        if let fedAt, ContinuousClock.now - fedAt < .milliseconds(WorkerLimits.feedMs) { return }
        let participants = try await job.participants()
        guard let feed = parts.feed, let me = participants.first(where: { $0.account == account }),
            me.standing == .active || me.standing == .confirmed,
            let fog = participants.first(where: { $0.account == me.parent }), fog.kemPublicKey != .zero
        else { return }
        let exchange = try exchange(status, until: .now + .milliseconds(WorkerLimits.transferMs))
        do {
            let hadAll = try await feed.deliver(exchange, me: me, fog: fog)
            if hadAll, fedAt == nil { report(.fed(feed.count, fog.account)) }
            fedAt = hadAll ? .now : nil
        } catch let error as CancellationError {
            throw error
        } catch {
            warn("the fog node \(fog.account.short) can't be given the samples now: \(told(error))")
        }
    }

    private func finish(_ status: JobStatus) async throws {
        if configuration.modelFile != nil, status.checkpoint != .zero, accepted?.digest != status.checkpoint {
            let participants = try await job.participants()
            if let model = try? await fetch(status.checkpoint, status, participants) {
                accepted = (status.checkpoint, model)
            } else {
                throw WorkerError.damagedState(
                    configuration.stateFolder.path, "it does not hold the accepted model \(status.checkpoint)")
            }
        }
        try leaveModels()
        await claim()
        report(.finished(acceptedRounds: status.acceptedRounds, accuracyMicro: status.metricMicro))
    }

    /// Takes what was earned, and the bond.
    private func claim() async {
        do {
            guard try await job.owed() > 0 else { return }
            try await job.act(.paymentWorkerSignature)
        } catch { warn("the pay could not be claimed: \(error)") }
    }

    /// However the job ended: the last accepted model, and the best one where that is another.
    private func leaveModels() throws {
        guard let file = configuration.modelFile, let last = accepted?.model, last.network != nil else { return }
        try ModelFile.write(last, to: file)
        report(.saved(file.path, last.digest))
        guard let best, best.model != last.digest, let model = try state.model(best.model) else { return }
        let beside = ModelFile.best(beside: file)
        try ModelFile.write(model, to: beside)
        report(.saved(beside.path, best.model))
    }

    // MARK: The committee

    /// Scores the round if this account is in its committee: at once where it is alone, else by a commitment first.
    private func validate(_ status: JobStatus, _ participants: [JobParticipant]) async throws {
        guard let seat = status.committee.first(where: { $0.account == account }), !seat.scored else { return }
        let isAlone = status.spec.committee.size == 1
        if status.phase == .score {
            guard seat.committed, let kept = try state.score(job: job.digest), kept.round == status.round else {
                return
            }
            return try await job.act(
                .commitmentTask, post: .validation(round: status.round), kept.validation.borsh)
        }
        guard !seat.committed, let score = try await score(status, participants, isAlone: isAlone) else { return }
        guard !isAlone else {
            return try await job.act(.commitmentTask, post: .validation(round: status.round), score.borsh)
        }
        // Durable before anybody hears of it: a commitment that can't be opened is a fault.
        try state.save(WorkerState.Score(job: job.digest, round: status.round, validation: score))
        let commitment = score.commitment(job: job.contract, round: status.round, sender: account)
        try await job.act(.commitmentTask, post: .scoreCommit(round: status.round), commitment.borsh)
    }

    /// Nil while the round's model can't be had.
    private func score(
        _ status: JobStatus, _ participants: [JobParticipant], isAlone: Bool
    ) async throws -> JobValidation? {
        if let kept = try state.score(job: job.digest), kept.round == status.round, !isAlone { return kept.validation }
        guard parts.reserved != nil else {
            warn("this account is to evaluate round \(status.round), and has no images: give --data")
            return nil
        }
        guard let audit = try await audit(status, participants),
            let digest = Self.candidate(status, participants)
        else { return nil }
        let model: JobModel
        if case .model(let own)? = candidate?.model, own.digest == digest {
            model = own
        } else {
            guard let found = try await fetch(digest, status, participants) else { return nil }
            model = found
        }
        guard let network = model.network else { return nil }
        let samples = try await reservedSamples()
        let threads = configuration.threads
        let evaluation = try await trainer.run { try network.evaluate(on: samples, threads: threads) }
        if validated != status.round {
            report(.validated(status.round, accuracyMicro: evaluation.accuracyMicro, lossMicro: evaluation.lossMicro))
        }
        validated = status.round
        let salt = isAlone ? Digest.zero : Digest(sha256: (0..<32).map { _ in UInt8.random(in: .min ... .max) })
        return JobValidation(
            metricMicro: evaluation.accuracyMicro, lossMicro: evaluation.lossMicro, checkpoint: digest,
            outliers: audit.failed, audited: audit.matched, salt: salt)
    }

    /// The model that the round gave, by what its participants revealed.
    static func candidate(_ status: JobStatus, _ participants: [JobParticipant]) -> Digest? {
        let revealed = participants.filter { $0.revealed }
        guard let lead = revealed.first(where: { $0.account == status.lead }) else { return nil }
        guard status.spec.trainingProtocol == .split else { return lead.lastArtifact }
        // All edges end with one front; a liar's is not that of most.
        var votes: [Digest: Int] = [:]
        for edge in revealed where edge.role == .edge { votes[edge.lastArtifact, default: 0] += 1 }
        let front = votes.sorted { $0.key.bytes.lexicographicallyPrecedes($1.key.bytes) }.max { $0.value < $1.value }?
            .key
        return front.map { jobCheckpoint(front: $0, back: lead.lastArtifact) }
    }

    /// Made once: normalised samples that nobody trains on.
    func reservedSamples() async throws -> FeatureSet {
        if let reserved { return reserved }
        guard let images = parts.reserved else {
            throw WorkerError.unusableData("there are no reserved images: give --data")
        }
        let plan = plan
        let made = try await trainer.run {
            try plan.evaluationSamples(images.prefix(min(images.count, Int(plan.validationSamples))))
        }
        reserved = made
        return made
    }
}
