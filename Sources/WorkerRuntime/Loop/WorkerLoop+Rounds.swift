import Cryptography
import Foundation
import JobProtocol
import Primitives
import Training

// A round's work: what it starts from, who does it, what becomes of its result.

extension WorkerLoop {
    /// More than twice the longest commit phase: keeps what a contract says from overflowing a clock.
    private static let longestRoundMs: UInt64 = 3 * JobSpec.longestTimeoutMs

    /// What the exchange of a round needs.
    /// - Parameter deadline: after which nothing of it can count any more.
    func exchange(
        _ status: JobStatus, until deadline: ContinuousClock.Instant, audit: AuditLog? = nil
    ) throws -> Exchange {
        let spec = status.spec
        let round = status.round
        return Exchange(
            genesis: job.sender.genesis, contract: job.contract, account: account, secrets: secrets, inbox: parts.inbox,
            postman: parts.postman, plan: try Joining.roundPlan(plan, spec, round: round), deadline: deadline,
            stepTimeout: .milliseconds(
                max(500, min(Self.longestRoundMs, spec.commitMaxMs) / WorkerLimits.stepShare)),
            threads: configuration.threads, openings: openings, faults: configuration.faults,
            audit: audit, report: report
        ) { [job] complaint in
            try await job.act(.commitmentTask, post: .complaint(round: round), complaint.borsh)
        }
    }

    func start(
        _ status: JobStatus, me: JobParticipant, roster: [JobParticipant], wake: @escaping @Sendable () -> Void
    ) async throws {
        let spec = status.spec
        let round = status.round
        let active = roster.filter { $0.standing == .active }
        // Who is in with work of an earlier round does no other in this one.
        let workers = active.filter {
            $0.role == spec.workerRole && (spec.isBufferedFog || !$0.committed || $0.base == round)
        }.sorted { $0.index < $1.index }
        // With fewer the round can't succeed; those who come back may make it possible.
        guard let cloud = active.first(where: { $0.account == status.lead }), workers.count >= Int(spec.quorum) else {
            return
        }
        if configuration.faults.happens(.copy, round: round), configuration.role != .cloud {
            return try await copy(status, roster)
        }
        guard let model = try await baseModel(status, roster) else { return }
        // The contract extends a commit phase once; the loop cancels the work as soon as the round ends.
        let now = UInt64(clamping: Int64(Date().timeIntervalSince1970 * 1_000))
        let phaseEnds = status.deadline?.value ?? now
        let left = phaseEnds > now ? min(Self.longestRoundMs, phaseEnds - now) : 0
        let end = ContinuousClock.now + .milliseconds(min(Self.longestRoundMs, left.addingSaturating(spec.commitMaxMs)))
        let roundPlan = try Joining.roundPlan(plan, spec, round: round)
        func kept(shard: (any SampleSource)? = nil, samples: FeatureSet? = nil) throws -> Exchange {
            let base = AuditLog.Base(model: model, plan: roundPlan, shard: shard, samples: samples)
            return try exchange(status, until: end, audit: parts.audits.begin(round, base))
        }
        attempts &+= 1
        tried = round
        let attempt = attempts
        let body: @Sendable () async throws -> Void
        switch (spec.trainingProtocol, configuration.role, model) {
        case (.split, .cloud, .split(let checkpoint)):
            let exchange = try kept()
            let quorum = Int(spec.quorum)
            let enough = spec.mode == .asynchronous ? Int(spec.bufferedUpdates) : workers.count
            body = {
                try await CloudExchange(
                    exchange: exchange, me: me, edges: workers, quorum: quorum, enough: enough, checkpoint: checkpoint
                ).run { work in
                    do { try await self.hold(work, of: round, attempt: attempt) } catch {
                        await self.abandon(round, attempt: attempt, because: error)
                    }
                    wake()
                }
            }
        case (.split, _, .front(let front, _)):
            // With devices, what they have handed over comes first, and is kept as a fog node's is.
            let handed = try await parts.samples == nil ? nil : samples(status, roster, deadline: left)
            if parts.samples != nil, handed == nil { return }
            let source: any SampleSource
            if let handed { source = handed } else {
                guard let images = parts.images else {
                    throw WorkerError.unusableData("an edge needs images: give --data")
                }
                source = try plan.source(images, edge: Int(me.index), of: Int(spec.workers))
            }
            let exchange = try kept(shard: source, samples: handed)
            body = {
                let (work, front) = try await EdgeExchange(
                    exchange: exchange, me: me, cloud: cloud, front: front, shard: source
                ).run()
                try await self.hold(work, front: front, of: round, attempt: attempt)
                wake()
            }
        case (.fog, .cloud, .whole(let network)) where plan.isSecureSum:
            let exchange = try exchange(status, until: end)
            let (plan, closing) = (plan, ContinuousClock.now + .milliseconds(left * WorkerLimits.collectPercent / 100))
            body = {
                try await SecureFogCloudExchange(
                    exchange: exchange, me: me, nodes: workers, plan: plan, start: network, closing: closing
                ).run { work in
                    try await self.hold(work, of: round, attempt: attempt)
                    wake()
                }
            }
        case (.fog, .cloud, .whole(let network)) where spec.isBufferedFog:
            let reserved = parts.reserved == nil || !configuration.triesEachUpdate ? nil : try await reservedSamples()
            let exchange = try exchange(status, until: end)
            let (plan, quorum, enough) = (plan, Int(spec.quorum), Int(spec.bufferedUpdates))
            let (job, buffer, epsilon) = (job, parts.updates, UInt64(spec.epsilonMicro))
            let closing = ContinuousClock.now + .milliseconds(left * WorkerLimits.collectPercent / 100)
            body = {
                try await BufferedFogCloudExchange(
                    exchange: exchange, me: me, nodes: workers, plan: plan, quorum: quorum, enough: enough,
                    epsilonMicro: epsilon, start: network, reserved: reserved, closing: closing, buffer: buffer,
                    committed: { try await job.fogCommitments(in: round) }
                ).run { work in
                    try await self.hold(work, of: round, attempt: attempt)
                    wake()
                }
            }
        case (.fog, .cloud, .whole(let network)):
            let reserved = parts.reserved == nil || !configuration.triesEachUpdate ? nil : try await reservedSamples()
            let exchange = try kept()
            let (plan, quorum, epsilon) = (plan, Int(spec.quorum), UInt64(spec.epsilonMicro))
            body = {
                try await FogCloudExchange(
                    exchange: exchange, me: me, nodes: workers, plan: plan, quorum: quorum, epsilonMicro: epsilon,
                    start: network, reserved: reserved,
                    closing: .now + .milliseconds(left * WorkerLimits.collectPercent / 100)
                ).run { work in
                    try await self.hold(work, of: round, attempt: attempt)
                    wake()
                }
            }
        case (.fog, _, .whole(let network)):
            guard let samples = try await samples(status, roster, deadline: left) else { return }
            let memory = try self.memory ?? freshMemory(samples: samples.count)
            let (plan, secret) = (plan, try state.secret())
            let exchange = try plan.isSecureSum ? exchange(status, until: end) : kept(samples: samples)
            guard !spec.isBufferedFog else {
                body = {
                    try await exchange.dawdle()
                    let (message, memory) = try FogNodeExchange(
                        exchange: exchange, me: me, cloud: cloud, plan: plan, start: network, samples: samples,
                        memory: memory, secret: secret
                    ).train()
                    try await self.trained(message, memory, of: round, attempt: attempt)
                    wake()
                }
                break
            }
            guard !plan.isSecureSum else {
                body = {
                    try await SecureFogNodeExchange(
                        exchange: exchange, me: me, cloud: cloud, plan: plan, start: network, samples: samples,
                        memory: memory, secret: secret
                    ).run { work, memory in
                        try await self.hold(work, memory: memory, of: round, attempt: attempt)
                        wake()
                    } moved: { model in
                        try await self.adopt(model, of: round, attempt: attempt)
                        wake()
                    }
                }
                break
            }
            body = {
                try await FogNodeExchange(
                    exchange: exchange, me: me, cloud: cloud, plan: plan, start: network, samples: samples,
                    memory: memory, secret: secret
                ).run { work, memory in
                    try await self.hold(work, memory: memory, of: round, attempt: attempt)
                    wake()
                } moved: { model in
                    try await self.adopt(model, of: round, attempt: attempt)
                    wake()
                }
            }
        default:
            throw WorkerError.damagedState(configuration.stateFolder.path, "its model is of another kind of job")
        }
        report(.roundStarted(round))
        let task = Task.detached(executorPreference: trainer) {
            do { try await body() } catch {
                await self.abandon(round, attempt: attempt, because: error)
                wake()
            }
        }
        work = RunningRound(attempt: attempt, round: round, place: me.index, task: task, started: .now)
    }

    /// Keeps what a round gave, durable before it is public: the model and the opening, then the commitment.
    func hold(
        _ made: RoundWork, front: Network? = nil, memory: FogNodeRound.Memory? = nil, of round: UInt32, attempt: UInt64
    ) async throws {
        guard let work, work.attempt == attempt else { return }
        var digest = Digest.zero
        if let model = made.model {
            try state.save(model)
            digest = model.digest
            candidate = (round, .model(model))
            await parts.shelf.put(model)
        } else if let front {
            try state.save(front: front)
            digest = front.digest
            candidate = (round, .front(front))
        }
        if let memory {
            // Durable before the chain hears of the round: what samples were exposed to is never forgotten.
            if let account = memory.account { try state.save(privacySteps: account.steps, job: job.digest) }
            self.memory = memory
        }
        try parts.audits.keep(
            round, place: work.place, devices: gathered?.devices ?? [], partners: made.partners)
        var generator = SystemRandomNumberGenerator()
        let salt = Digest(sha256: (0..<32).map { _ in UInt8.random(in: 0...255, using: &generator) })
        let opening = WorkerState.Opening(
            job: job.digest, round: round, model: digest,
            reveal: JobReveal(
                stepsRoot: made.stepsRoot, artifact: made.artifact, partners: made.partners, lossMicro: made.lossMicro,
                location: endpoint, salt: salt))
        try state.save(opening)
        self.opening = opening
        try state.keepOnly(Set([accepted?.digest, digest, best?.model].compactMap { $0 }))
        let elapsed = (ContinuousClock.now - work.started).components
        report(
            .roundDone(
                round, lossMicro: made.lossMicro,
                seconds: Double(elapsed.seconds) + Double(elapsed.attoseconds) / 1e18))
    }

    /// The model that a fog node was told of: the next one if the round is accepted.
    private func adopt(_ model: JobModel, of round: UInt32, attempt: UInt64) async throws {
        guard let work, work.attempt == attempt, candidate?.round != round else { return }
        try state.save(model)
        candidate = (round, .model(model))
        await parts.shelf.put(model)
    }

    private func abandon(_ round: UInt32, attempt: UInt64, because error: any Error) {
        guard work?.attempt == attempt, !(error is CancellationError) else { return }
        report(.roundAbandoned(round, told(error)))
        // Nobody's fault, and no round will be possible any more: the worker leaves before it commits.
        if case TrainingError.budgetSpent? = error as? TrainingError { leaving = "\(error)" }
        // A cloud that too few answered tries again while the phase lasts: those that take it for restarted begin anew,
        // too. Anything else would fail again.
        if error is WorkerError, opening?.round != round { work = nil }
    }

    /// A copier's commitment, for experiments: another's, word for word, as soon as there is one.
    private func copy(_ status: JobStatus, _ roster: [JobParticipant]) async throws {
        guard let other = roster.first(where: { $0.committed && $0.account != account }),
            let commitment = try await job.commitment(of: other.slot)
        else { return }
        warn("an experiment's fault: what \(other.account.short) has committed to in round \(status.round) is copied")
        try await job.act(
            .commitmentTask, post: .commit(round: status.round), JobCommitment(commitment: commitment).borsh)
    }

    private func freshMemory(samples: Int) throws -> FogNodeRound.Memory {
        var memory = FogNodeRound.Memory(plan: plan, samples: samples)
        memory.account?.step(try state.privacySteps(job: job.digest))
        return memory
    }

    // MARK: Models

    /// The model that the round starts from: the one that the chain names, as far as this role needs it. Nil where it
    /// can't be had now.
    private func baseModel(_ status: JobStatus, _ roster: [JobParticipant]) async throws -> JobModel? {
        if let accepted, accepted.digest == status.checkpoint { return accepted.model.part(for: configuration.role) }
        let model: JobModel
        if status.checkpoint == .zero {
            model = try JobModel.initial(plan, protocol: status.spec.trainingProtocol)
        } else if let kept = try state.model(status.checkpoint) {
            model = kept
        } else if let given = try startingModel(status) {
            model = given
            try state.save(given)
        } else if let found = try await fetch(status.checkpoint, status, roster) {
            model = found
            try state.save(found)
        } else {
            warn("nobody gave the accepted model \(status.checkpoint)")
            return nil
        }
        accepted = (status.checkpoint, model)
        await parts.shelf.put(model)
        return model.part(for: configuration.role)
    }

    /// The file that the job starts from, while it is at its start.
    private func startingModel(_ status: JobStatus) throws -> JobModel? {
        guard let file = configuration.weightsFile, status.checkpoint == status.spec.initialCheckpoint else {
            return nil
        }
        let model = try JobModel.starting(plan, protocol: status.spec.trainingProtocol, from: file)
        guard model.digest == status.checkpoint else {
            throw WorkerError.unusableModel(
                file.path, "it is the checkpoint \(model.digest), the job starts from \(status.checkpoint)")
        }
        return model
    }

    /// Asks those who should have it: the leading cloud first, the other clouds, in a fog job the fog nodes. What comes
    /// is the model with the digest or nothing.
    func fetch(_ digest: Digest, _ status: JobStatus, _ roster: [JobParticipant]) async throws -> JobModel? {
        let holders = roster.filter { other in
            guard other.account != account, other.standing == .active || other.standing == .confirmed else {
                return false
            }
            return other.role == .cloud || (status.spec.trainingProtocol == .fog && other.role == .fog)
        }.sorted { first, second in
            func rank(_ other: JobParticipant) -> (Int, UInt8) {
                (other.account == status.lead ? 0 : other.role == .cloud ? 1 : 2, other.slot)
            }
            return rank(first) < rank(second)
        }
        let limit = try JobModel.limit(plan)
        for holder in holders {
            let key = secrets.keys.current
            guard let own = secrets.keys.key(for: key) else { return nil }
            do {
                guard
                    let answer = try await parts.postman.ask(
                        .model, SealedModel.question(digest, key: key), of: holder.account, limit: limit)
                else { continue }
                return try SealedModel.open(answer, digest: digest, key: own, job: job.contract)
            } catch let error as CancellationError {
                throw error
            } catch {
                // It may be starting, or have another round's model still.
                warn("\(holder.account.short) did not give the model: \(told(error))")
            }
        }
        return nil
    }

    // MARK: Samples

    /// What a fog node trains on, or an edge with devices: what these have handed over, and its own. It waits for devices
    /// that hold a place for a part of the time.
    private func samples(
        _ status: JobStatus, _ roster: [JobParticipant], deadline left: UInt64
    ) async throws -> FeatureSet? {
        let devices = roster.filter {
            $0.role == .device && $0.parent == account && ($0.standing == .active || $0.standing == .confirmed)
        }.sorted { $0.index < $1.index }
        guard let store = parts.samples else { return nil }
        await store.keepOnly(Set(roster.filter { $0.parent == account && $0.standing != .released }.map(\.account)))
        var complete: [Account] = []
        for device in devices where await store.isComplete(device.account, samples: device.samples) {
            complete.append(device.account)
        }
        let waited = waitingSince.map { ContinuousClock.now - $0 } ?? .zero
        if complete.count < devices.count, waited < .milliseconds(left / WorkerLimits.deviceShare) {
            if waitingSince == nil {
                waitingSince = .now
                report(
                    .waiting(
                        "\(devices.count - complete.count) of \(devices.count) devices have not handed over their samples"
                    ))
            }
            return nil
        }
        waitingSince = nil
        if let gathered, gathered.devices == complete { return gathered.samples }
        if ownSamples == nil, let images = parts.images {
            let plan = plan
            ownSamples = try await trainer.run { try plan.evaluationSamples(images) }
        }
        var all = try await store.samples(of: complete)
        if let ownSamples {
            if all == nil { all = ownSamples } else { try all?.append(ownSamples) }
        }
        if let all { gathered = (complete, all) }
        if all == nil { warn("there are no samples to train on: no device has handed over any, and --data gives none") }
        return all
    }
}

extension UInt64 {
    func addingSaturating(_ other: UInt64) -> UInt64 {
        let (sum, overflow) = addingReportingOverflow(other)
        return overflow ? .max : sum
    }
}
