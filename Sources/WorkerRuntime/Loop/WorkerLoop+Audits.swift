import ChainClient
import Cryptography
import Foundation
import JobProtocol
import Primitives
import Training

// Steps that the beacon picks are done again by the committee, and what does not match is disputed on the chain.

extension WorkerLoop {
    /// What an auditor found about a round's workers.
    struct AuditResult: Sendable {
        var matched = JobSlots()
        /// Did not hand over what was asked for, or something else than it signed.
        var failed = JobSlots()
    }

    // MARK: What the chain tells

    /// Notes when commit phases close, since the picks' randomness is counted from there, and that there is a dispute.
    func note(_ topic: [UInt8], _ data: [UInt8], at height: UInt64) {
        if topic == JobEventTopic.dispute { mayHaveDisputes = true }
        guard topic == JobEventTopic.phase, let phase = try? JobPhaseEvent(borsh: data), phase.phase == .reveal else {
            return
        }
        commitClosed[phase.round] = height
        if commitClosed.count > 8, let oldest = commitClosed.keys.min() { commitClosed[oldest] = nil }
    }

    /// The randomness that picks the steps of a round; nil while it is not there yet.
    private func beacon(of round: UInt32) async throws -> Digest? {
        guard let height = commitClosed[round] else { return nil }
        return try await job.client.block(at: Height(height &+ Dispute.blocksToJury))?.randomness
    }

    // MARK: Audits

    /// Does the picked steps of the round again. Nil while it has to wait: for the beacon, which comes with the next
    /// blocks.
    func audit(_ status: JobStatus, _ participants: [JobParticipant]) async throws -> AuditResult? {
        let workers = participants.filter { $0.revealed && isUsed($0, status) && mayAudit($0, status.spec) }
        guard configuration.auditShare > 0, !workers.isEmpty else { return AuditResult() }
        if let audited, audited.round == status.round { return audited.result }
        if auditing?.round != status.round { auditing = (status.round, .now) }
        guard let randomness = try await beacon(of: status.round) else {
            // Not for ever: the score is due.
            let patience = Duration.milliseconds(min(60_000, status.spec.validateTimeoutMs / 3))
            if let auditing, ContinuousClock.now - auditing.since < patience { return nil }
            warn(
                "round \(status.round) is scored without an audit: the blocks that pick its steps have not come in time"
            )
            audited = (status.round, AuditResult())
            return AuditResult()
        }
        var result = AuditResult()
        let named = named(status.round)
        let asked = workers.map { ($0, questions(for: $0, status, named: named, randomness: randomness)) }
            .filter { !$0.1.isEmpty }
        // At the same time: those that are silent are waited for together.
        let terms = AskingTerms(workers: asked.count)
        let findings = try await together(asked, most: WorkerLimits.auditsAtOnce) { worker, picks in
            try await self.examine(worker, picks, status, named: named, terms)
        }
        for ((worker, _), finding) in zip(asked, findings) {
            switch finding {
            case .matched: result.matched.insert(worker.slot)
            case .skipped: break
            case .notThere: if worker.account != status.lead { result.failed.insert(worker.slot) }
            case .differs(let trace, let statement):
                toAccuse.append((status.round, statement, trace))
                if worker.account != status.lead { result.failed.insert(worker.slot) }
            }
        }
        audited = (status.round, result)
        return result
    }

    /// What doing a worker's picked steps again came to.
    private enum Finding: Sendable {
        case matched
        case skipped
        case notThere
        case differs(StepTrace, SignedStatement)
    }

    /// What those who are asked at the same time have together.
    private struct AskingTerms: Sendable {
        let room = AnswerRoom(most: WorkerLimits.auditAnswersBytes)
        /// For a whole answer: as much as if each were asked alone.
        let whole: Duration

        init(workers: Int) {
            whole = .milliseconds(WorkerLimits.auditAnswerMs) * max(1, min(workers, WorkerLimits.auditsAtOnce))
        }
    }

    /// Does a worker's picked steps again, up to the first one that is not as it should be.
    private func examine(
        _ worker: JobParticipant, _ picks: [AuditQuestion], _ status: JobStatus, named: [UInt16: AuditedRound.Named],
        _ terms: AskingTerms
    ) async throws -> Finding {
        // Late work started from an earlier round's model.
        let base = try await baseDigest(of: workRound(of: worker, status), status)
        for question in picks {
            switch try await again(question, of: worker, status.spec, named: named, base: base, terms) {
            case .matched: break
            case .tooMuch: return .skipped
            case .notThere(let why):
                report(.audited(status.round, worker.account, question.step, "\(why)"))
                return .notThere
            case .differs(let trace, let statement):
                report(
                    .audited(status.round, worker.account, question.step, "what it signed is not what the step gives"))
                return .differs(trace, statement)
            }
        }
        report(.audited(status.round, worker.account, UInt32(picks.count), nil))
        return .matched
    }

    /// Whether anything of what a worker does can be done again by this account under the job's terms. Nobody audits
    /// himself.
    private func mayAudit(_ worker: JobParticipant, _ spec: JobSpec) -> Bool {
        worker.account != account && AuditTerms.mayBeDoneAgain(worker.role, spec, plan)
    }

    /// The round from whose model a worker's work started.
    private func workRound(of worker: JobParticipant, _ status: JobStatus) -> UInt32 {
        worker.role == status.spec.workerRole ? min(worker.base, status.round) : status.round
    }

    /// Whether the lead names it as used. Whom it left out earns nothing, and owes nobody a step that it could not do.
    private func isUsed(_ worker: JobParticipant, _ status: JobStatus) -> Bool {
        worker.role != status.spec.workerRole || messages(of: worker, status) > 0
    }

    /// How many messages of a used worker the lead names.
    private func messages(of worker: JobParticipant, _ status: JobStatus) -> UInt32 {
        namedPartners[status.round]?.first { $0.index == worker.index && $0.use == .used }?.envelopes ?? 0
    }

    /// The picked messages of one worker.
    private func questions(
        for worker: JobParticipant, _ status: JobStatus, named: [UInt16: AuditedRound.Named], randomness: Digest
    ) -> [AuditQuestion] {
        let key = secrets.keys.current
        func picked(_ step: UInt32) -> Bool {
            AuditPicks.isPicked(
                step, of: worker.account.bytes, round: status.round, share: configuration.auditShare,
                randomness: randomness)
        }
        let steps = status.spec.stepsPerRound
        switch (status.spec.trainingProtocol, worker.role) {
        case (.split, .edge):
            let sent = messages(of: worker, status)
            return (0...steps).filter { $0 < sent && picked($0) }.map {
                AuditQuestion(
                    round: status.round, step: $0, kind: $0 == steps ? .frontDifference : .activation,
                    index: worker.index, key: key)
            }
        case (.split, .cloud):
            return (0...steps).filter(picked).flatMap { step in
                named.keys.sorted().filter { named[$0]?.isUsed == true }.map {
                    AuditQuestion(
                        round: status.round, step: step, kind: step == steps ? .frontAverage : .gradient, index: $0,
                        key: key)
                }
            }
        case (.fog, .fog):
            guard picked(0) else { return [] }
            let round = workRound(of: worker, status)
            return [AuditQuestion(round: round, kind: .fogDifference, index: worker.index, key: key)]
        case (.fog, .cloud):
            guard picked(0) else { return [] }
            return named.keys.sorted().prefix(1).map {
                AuditQuestion(round: status.round, kind: .fogMean, index: $0, key: key)
            }
        default: return []
        }
    }

    private enum Again: Sendable {
        case matched
        case differs(StepTrace, SignedStatement)
        case notThere(String)
        /// More work than an auditor takes on: nothing is said.
        case tooMuch
    }

    /// Asks a worker for a step's evidence, and does the step again.
    private func again(
        _ question: AuditQuestion, of worker: JobParticipant, _ spec: JobSpec, named: [UInt16: AuditedRound.Named],
        base: Digest, _ terms: AskingTerms
    ) async throws -> Again {
        guard let key = secrets.keys.key(for: question.key) else { return .notThere("the key for the answer is gone") }
        var answer: [UInt8]?
        var silence: String?
        // One that has just restarted is to be found at its new address first, and its devices hand over their samples
        // again. But asking again makes nobody's answer take longer than the first question may, and in all no more than a
        // part of the phase.
        let phase = Duration.milliseconds(min(60_000, spec.validateTimeoutMs / 3))
        let start = ContinuousClock.now
        var within = Duration.milliseconds(WorkerLimits.auditAnswerMs)
        let left = phase - (start - (auditing?.since ?? start))
        let patience = min(within, left)
        // Until the step is done again.
        var place = terms.room.place()
        defer { withExtendedLifetime(place) {} }
        while true {
            do {
                answer = try await parts.postman.ask(
                    .audit, question.borsh, of: worker.account, limit: WorkerLimits.auditBytes * 2,
                    within: max(within, min(terms.whole, left) - (ContinuousClock.now - start)), silence: within,
                    place: place)
                silence = nil
            } catch let error as CancellationError { throw error } catch { silence = told(error) }
            within = patience - (ContinuousClock.now - start) - .seconds(1)
            guard answer == nil, within > .zero else { break }
            place = terms.room.place()
            try await Task.sleep(for: .seconds(1))
        }
        if let silence { return .notThere("it does not answer: \(silence)") }
        guard let answer else { return .notThere("it does not hand over the step's inputs") }
        let round = AuditedRound(
            plan: plan, round: try Joining.roundPlan(plan, spec, round: question.round), named: named)
        let (contract, threads) = (job.contract, configuration.threads)
        let passes = Int(plan.localEpochs)
        // A fog node without devices trains on what it has said that it has.
        let mostSamples = spec.devices == 0 ? Int(worker.samples) : .max
        return try await trainer.run { () -> Again in
            do {
                let material = try AuditMaterial.open(answer, question, key: key, job: contract)
                let statement = material.evidence.statement
                guard question.isAbout(statement), statement.context.senderKey == worker.account,
                    statement.context.jobId == contract, statement.context.round == question.round
                else { return .notThere("it handed over something else") }
                guard material.model.digest == base, let start = material.start else {
                    return .notThere("it handed over another model than the round started from")
                }
                if case .samples(let samples, _, _) = material.evidence.inputs, statement.context.kind == .fogDifference {
                    guard samples.count <= mostSamples else { return .notThere("it handed over more samples than it has") }
                    guard samples.count <= WorkerLimits.auditedPasses / passes else { return .tooMuch }
                }
                let trace = try round.replay(material.evidence, from: start, threads: threads)
                return trace.commitment == statement.commitment ? .matched : .differs(trace, statement)
            } catch { return .notThere("\(error)") }
        }
    }

    private func named(_ round: UInt32) -> [UInt16: AuditedRound.Named] {
        guard let partners = namedPartners[round] else { return parts.audits.named(in: round) ?? [:] }
        return AuditedRound.Named.byPlace(partners)
    }

    /// Keeps what the round's cloud named, once it has.
    func rememberNamed(_ status: JobStatus) async throws {
        guard configuration.role == .validator || configuration.role == .cloud, namedPartners[status.round] == nil else {
            return
        }
        switch status.phase {
        case .validate, .score, .challenge: break
        default: return
        }
        let partners = try await job.partners()
        guard partners.round == status.round else { return }
        note(named: .init(round: status.round, partners: partners.all))
        // A juror that restarts must still know it.
        try state.save(
            WorkerState.Named(
                job: job.digest,
                rounds: namedPartners.sorted { $0.key < $1.key }.map { .init(round: $0.key, partners: $0.value) }))
    }

    func note(named round: WorkerState.Named.Round) {
        namedPartners[round.round] = round.partners
        while namedPartners.count > AuditShelf.mostRounds, let oldest = namedPartners.keys.min() {
            namedPartners[oldest] = nil
        }
    }

    /// The digest of the model from which a round started.
    private func baseDigest(of round: UInt32, _ status: JobStatus) async throws -> Digest {
        var digest = status.checkpoint
        if status.round != round || status.phase.isOver {
            digest =
                round == 0
                ? status.spec.initialCheckpoint
                : try await job.history().first { $0.round == round - 1 }?.checkpoint ?? .zero
        }
        if digest == .zero { digest = try JobModel.initial(plan, protocol: status.spec.trainingProtocol).digest }
        return digest
    }

    // MARK: Disputes

    /// Puts what an audit found on the chain. A round's work can be disputed once it is validated.
    func accuseFound(_ status: JobStatus) async {
        guard !toAccuse.isEmpty else { return }
        let hasScored = status.committee.contains { $0.account == account && $0.scored }
        let isPast = toAccuse.contains { $0.round < status.round } || status.phase.isOver
        guard hasScored || isPast else { return }
        let found = toAccuse
        toAccuse = []
        for (_, statement, trace) in found { await accuse(statement, trace) }
    }

    /// Where this account's word counts.
    private func accuse(_ statement: SignedStatement, _ trace: StepTrace) async {
        let accused = statement.context.senderKey
        do {
            try await job.actOnChain(.accuse, statement.accusation(in: job.job, trace: trace).borsh)
            accusations[accused] = trace
            mayHaveDisputes = true
            report(.disputed(accused, "accused of step \(statement.context.step) of round \(statement.context.round)"))
        } catch { warn("\(accused.short) could not be accused: \(error)") }
    }

    /// Whether to ask for open disputes: an event has told of one, or it is long ago.
    var looksForDisputes: Bool {
        guard !mayHaveDisputes, let disputesAskedAt else { return true }
        return ContinuousClock.now - disputesAskedAt >= .milliseconds(WorkerLimits.disputePollMs)
    }

    /// Does what this account owes in open disputes.
    /// - Returns: whether one is open that it has, or may yet have, a part in.
    func followDisputes(_ status: JobStatus, _ participants: [JobParticipant]) async throws -> Bool {
        disputesAskedAt = .now
        let open = try await job.disputes()
        if open.isEmpty { mayHaveDisputes = false }
        parts.evaluators.setJurors(Set(open.flatMap(\.jury)))
        parts.audits.pin(Set(open.filter { $0.accused == account }.map(\.round)))
        for dispute in open {
            switch dispute.stage {
            case .answer where dispute.accused == account: try await answer(dispute)
            case .unfold where dispute.accuser == account: try await unfold(dispute)
            case .vote where dispute.jury.contains(account): try await judge(dispute, status, participants)
            default: break
            }
        }
        if accusedBefore || open.contains(where: { $0.accused == account }) {
            accusedBefore = true
            if let tombstone = try await job.tombstone() {
                throw WorkerError.cannotWork(
                    "a jury found this account's work false at height \(tombstone.height): no service takes its actions any more"
                )
            }
        }
        return open.contains {
            $0.accused == account || $0.accuser == account || $0.jury.contains(account)
                || (configuration.role == .validator && $0.jury.isEmpty)
        }
    }

    private func move(_ dispute: Dispute, _ list: [Digest]) async throws {
        let mark = DisputeMark(dispute, dispute.stage, level: dispute.path.count)
        // Certified state lags a block behind what was sent.
        guard disputeMoves.insert(mark).inserted else { return }
        do {
            try await job.actOnChain(
                .narrowDispute, DisputeMove(service: job.job, accused: dispute.accused, list: list).borsh)
            report(
                .disputed(
                    dispute.accused, list.isEmpty ? "the jury is called" : "level \(dispute.path.count + 1) is shown"))
        } catch {
            disputeMoves.remove(mark)
            throw error
        }
    }

    /// The accused shows what it has computed, and stands by what it has signed.
    private func answer(_ dispute: Dispute) async throws {
        guard let log = await parts.audits.log(of: dispute.round),
            let evidence = try log.evidence(
                AuditQuestion(round: dispute.round, claim: dispute.claim, key: secrets.keys.current))
        else {
            return warn(
                "a dispute about round \(dispute.round) can't be answered: its steps, or the samples that they worked on, are not there"
            )
        }
        let material = AuditMaterial(model: log.base.model, evidence: evidence)
        guard let start = material.start else { return }
        let round = AuditedRound(plan: plan, round: log.base.plan, named: named(dispute.round))
        let threads = configuration.threads
        let trace = try await trainer.run { try round.replay(evidence, from: start, threads: threads) }
        guard let list = trace.ending(with: dispute.claim).list(at: dispute.path) else {
            return warn("there is nothing below the place \(dispute.path) of the dispute")
        }
        try await move(dispute, list)
    }

    private func unfold(_ dispute: Dispute) async throws {
        try await move(dispute, accusations[dispute.accused]?.list(at: dispute.path) ?? [])
    }

    /// A juror does the step again. Who lacks the inputs says so.
    private func judge(_ dispute: Dispute, _ status: JobStatus, _ participants: [JobParticipant]) async throws {
        guard let seat = dispute.jury.firstIndex(of: account), dispute.votes.indices.contains(seat),
            dispute.votes[seat] == .none,
            !disputeMoves.contains(DisputeMark(dispute, .vote))
        else { return }
        // Who is accused of what nobody can do again has no way to answer.
        guard AuditTerms.mayBeDoneAgain(dispute.role, status.spec, plan) else {
            return try await say(.right, "by the job's terms nobody does this step again", dispute)
        }
        let question = AuditQuestion(round: dispute.round, claim: dispute.claim, key: secrets.keys.current)
        var vote = Dispute.Vote.unavailable
        var reason = "it has left the job"
        if let worker = participants.first(where: { $0.account == dispute.accused }) {
            switch try await again(
                question, of: worker, status.spec, named: named(dispute.round),
                base: try await baseDigest(of: dispute.round, status), AskingTerms(workers: 1))
            {
            case .matched: (vote, reason) = (.right, "the step gives what was signed")
            case .differs: (vote, reason) = (.wrong, "the step gives something else than was signed")
            case .notThere(let why): reason = why
            case .tooMuch: reason = "it is more than an auditor does again"
            }
        }
        // Once more before the time is over, where the accused may only be slow.
        let now = UInt64(clamping: Int64(Date().timeIntervalSince1970 * 1_000))
        if vote == .unavailable, !dispute.isSilent, now + Dispute.turnMs / 3 < dispute.deadline.value { return }
        try await say(vote, reason, dispute)
    }

    private func say(_ vote: Dispute.Vote, _ reason: String, _ dispute: Dispute) async throws {
        try await job.actOnChain(
            .judgeDispute, DisputeVote(service: job.job, accused: dispute.accused, vote: vote).borsh)
        disputeMoves.insert(DisputeMark(dispute, .vote))
        report(.disputed(dispute.accused, "this juror says \(vote): \(reason)"))
    }
}

/// A move that was sent, so that it is not sent twice.
struct DisputeMark: Hashable {
    private let accused: Account
    /// An account may be accused again.
    private let openedAt: Height
    private let stage: Dispute.Stage
    private let level: Int

    init(_ dispute: Dispute, _ stage: Dispute.Stage, level: Int = 0) {
        accused = dispute.accused
        openedAt = dispute.openedAt
        self.stage = stage
        self.level = level
    }
}
