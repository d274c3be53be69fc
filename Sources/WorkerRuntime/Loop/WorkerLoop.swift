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
    /// A round whose commit phase was over when this worker's commitment came: it is in the next one.
    var lateIn: UInt32?
    /// The last round in which this worker began to work.
    var tried: UInt32?
    /// A fog node's, from round to round.
    var memory: FogNodeRound.Memory?
    /// The accepted model of the highest accuracy.
    var best: WorkerState.Best?
    var reserved: FeatureSet?
    /// The identity that was published last; the chain shall show no other.
    var published: JobIdentity?
    var hasAskedForOwnKey = false
    private var hasSaidFunds = false
    var hasSaidTerms = false
    var hasJoined = false
    var comparedWith: Set<Account> = []
    var fedAt: ContinuousClock.Instant?
    /// Why this worker leaves the job by itself.
    var leaving: String?
    /// A fog node's own images as samples, and all that it trains on, by the devices that gave them.
    var ownSamples: FeatureSet?
    var gathered: (devices: [Account], samples: FeatureSet)?
    /// Since when a fog node waits for its devices.
    var waitingSince: ContinuousClock.Instant?
    var reported: UInt32?
    var validated: UInt32?
    /// Blocks in which commit phases closed, by round.
    var commitClosed: [UInt32: UInt64] = [:]
    var auditing: (round: UInt32, since: ContinuousClock.Instant)?
    var audited: (round: UInt32, result: AuditResult)?
    /// What this account has accused others by.
    var accusations: [Account: StepTrace] = [:]
    /// What an audit found, until this account's own validation of the round is on the chain.
    var toAccuse: [(round: UInt32, statement: SignedStatement, trace: StepTrace)] = []
    var disputeMoves: Set<DisputeMark> = []
    /// What clouds named in the last rounds: a dispute goes on when the chain has forgotten it.
    var namedPartners: [UInt32: [JobPartner]] = [:]
    /// Events announce disputes; one may be open when the worker starts.
    var mayHaveDisputes = true
    var disputesAskedAt: ContinuousClock.Instant?
    /// Since when the job is over, its pay taken and its models left.
    var overSince: ContinuousClock.Instant?
    var hasSaidThatItStays = false
    var accusedBefore = false
    /// A fog node's update in an asynchronous job.
    var update = BufferedUpdate()
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
        let place: UInt16
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
        // Who scores must know when the running round's commit phase closed, also when it starts after that.
        let isEvaluator = configuration.role == .validator || configuration.role == .cloud
        let watcher = Task { [job, weak self] in
            var from = isEvaluator ? await Self.past(job.client) : nil
            while !Task.isCancelled {
                do {
                    let events = job.client.events(from: from)
                    // A node that joined by a snapshot may not have them.
                    from = nil
                    for try await block in events
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

    /// The height from which on events are looked at again at the start.
    private static func past(_ client: ChainClient) async -> Height? {
        guard let newest = try? await client.status().head.height else { return nil }
        return Height(max(1, newest - min(newest, WorkerLimits.blocksBack)))
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
        for round in try state.named(job: job.digest) { note(named: round) }
        for said in try parts.audits.lastSaid() { openings.note(said.commitment, payload: said.payload, salt: said.salt) }
        guard let opening = try state.opening(job: job.digest) else { return }
        // One that says that it was left out, or a fog node's: there is no model to it.
        guard opening.model != .zero else {
            self.opening = opening
            return
        }
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
        await parts.inbox.begin(
            round: status.round, stale: status.spec.isBufferedFog ? JobStaleness.most : 0)
        // Also when the job pauses: a round that is resumed is done again, with the same commitments.
        if let work, !isOfUse(work, status) {
            work.task.cancel()
            self.work = nil
        }
        try await close(status)
        await accuseFound(status)
        // Whoever has a part in a dispute stays until it is over, also when the job is.
        let isDisputed = looksForDisputes ? try await followDisputes(status, try await job.participants()) : false
        switch status.phase {
        case .finished, .aborted:
            if isDisputed { return false }
            return try await end(status)
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

    /// An asynchronous job's fog node goes on over the ends of rounds, until its update would be too old.
    private func isOfUse(_ work: RunningRound, _ status: JobStatus) -> Bool {
        if status.spec.isBufferedFog, configuration.role == .fog {
            return !status.phase.isOver && status.round - min(status.round, work.round) <= JobStaleness.most
        }
        return work.round == status.round && Self.isRunning(status.phase)
    }
}
