import ChainClient
import Cryptography
import Foundation
import JobProtocol
import Primitives
import Training

// What a participant does in each phase of a round.

extension WorkerLoop {
    func takePart(_ status: JobStatus, wake: @escaping @Sendable () -> Void) async throws {
        let participants = try await job.participants()
        await parts.members.update(participants)
        if let me = participants.first(where: { $0.account == account }), configuration.role != .validator {
            try await checkPlace(me)
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
            if status.spec.isBufferedFog, configuration.role == .fog {
                try await takePartBuffered(status, me, participants, wake: wake)
            }
            switch status.phase {
            case .commit where status.spec.isBufferedFog && configuration.role == .fog: break
            case .reveal where status.spec.isBufferedFog && configuration.role == .fog: break
            case .commit: try await commit(status, me, participants, wake: wake)
            case .reveal: try await revealOnce(status, me)
            case .challenge: try await answerComplaints(status, me)
            default: break
            }
            if configuration.role == .edge || configuration.role == .fog { try await attend(status, me, participants) }
            if configuration.role == .cloud { await stockUp(status, participants) }
        }
        if status.phase == .validate || status.phase == .score { try await validate(status, participants) }
    }

    func commit(
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

    /// A cloud that works with others and leaves this worker out would make it absent, which is a fault. So it commits to
    /// having done nothing: it earns nothing by it, and loses nothing. Where the round's cloud is silent to everybody there
    /// is no need: then nobody is at fault.
    func attend(_ status: JobStatus, _ me: JobParticipant, _ participants: [JobParticipant]) async throws {
        guard status.spec.mode == .synchronous, me.standing == .active, !me.committed, tried == status.round,
            opening?.round != status.round,
            participants.contains(where: { $0.account == status.lead && $0.committed })
        else { return }
        switch status.phase {
        case .commit:
            // Until then its answer may still come.
            let now = UInt64(clamping: Int64(Date().timeIntervalSince1970 * 1_000))
            guard let deadline = status.deadline?.value, now.addingSaturating(WorkerLimits.attendanceMs) >= deadline else {
                return
            }
        // Too late for this round, it is none of its absentees either.
        case .reveal, .validate, .score, .challenge: lateIn = status.round
        default: return
        }
        work?.task.cancel()
        work = nil
        let opening = WorkerState.Opening(
            job: job.digest, round: status.round, model: .zero,
            reveal: JobReveal(
                stepsRoot: RoundWork.root([]), artifact: .zero, lossMicro: 0, location: endpoint,
                salt: Digest(sha256: (0..<32).map { _ in UInt8.random(in: .min ... .max) })))
        try state.save(opening)
        self.opening = opening
        warn("the cloud \(status.lead.short) leaves this worker out of round \(status.round)")
        let commitment = opening.reveal.commitment(job: job.contract, round: status.round, sender: account)
        try await job.act(.commitmentTask, post: .commit(round: status.round), commitment.borsh)
    }

    /// Opens the commitment, unless it is known to be the next round's.
    func revealOnce(_ status: JobStatus, _ me: JobParticipant) async throws {
        guard lateIn != status.round else { return }
        do { try await reveal(me) } catch let error as TransactionFailed where error.message.contains("has not committed") {
            // It came when the commit phase had just closed.
            lateIn = status.round
            warn("round \(status.round) takes no reveal of this worker: \(error.message)")
        }
    }

    private func reveal(_ me: JobParticipant) async throws {
        guard let opening, opening.round == me.base, me.committed, !me.revealed else { return }
        guard !configuration.faults.happens(.withhold, round: opening.round) else {
            return warn("an experiment's fault: the commitment to round \(opening.round) stays closed")
        }
        try await job.act(.commitmentTask, post: .reveal(round: opening.round), opening.reveal.borsh)
    }

    /// Opens what others have complained of.
    func answerComplaints(_ status: JobStatus, _ me: JobParticipant) async throws {
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
    func stockUp(_ status: JobStatus, _ participants: [JobParticipant]) async {
        guard status.lead != account, status.checkpoint != .zero, accepted?.digest != status.checkpoint,
            let model = try? await fetch(status.checkpoint, status, participants)
        else { return }
        try? state.save(model)
        accepted = (status.checkpoint, model)
        await parts.shelf.put(model)
    }

    /// A device looks after what its fog node has, or its edge in a split job.
    func feed(_ status: JobStatus) async throws {
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
            warn("\(fog.role == .edge ? "the edge" : "the fog node") \(fog.account.short) can't be given the samples now: \(told(error))")
        }
    }
}
