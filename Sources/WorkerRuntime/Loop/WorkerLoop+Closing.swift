import ChainClient
import Cryptography
import Foundation
import JobProtocol
import Primitives
import Training

// What a closed round decided, and the job's end.

extension WorkerLoop {
    /// Takes over what the closed rounds decided.
    func close(_ status: JobStatus) async throws {
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

    func note(best round: JobRound, _ model: JobModel) throws {
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
    func model(of candidate: Candidate, as checkpoint: Digest) async throws -> JobModel? {
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

    /// The job is over, and no dispute is open that this worker has a part in.
    /// - Returns: whether nothing is left to do.
    func end(_ status: JobStatus) async throws -> Bool {
        if overSince == nil {
            if status.phase == .finished {
                try await finish(status)
            } else {
                try leaveModels()
                await claim()
            }
        }
        if try await staysToAnswer() { return false }
        if status.phase == .aborted { throw WorkerError.aborted(status.reason) }
        return true
    }

    /// Whether the last rounds' work can still be disputed: whoever did it must answer then, and validators sit on juries.
    /// Not for longer than a dispute can be opened, also where no node can be asked.
    private func staysToAnswer() async throws -> Bool {
        let hasWorked = configuration.role == .validator || opening != nil || parts.audits.holdsSome
        let since = overSince ?? .now
        overSince = since
        guard hasWorked, ContinuousClock.now - since < .milliseconds(Dispute.windowMs) else { return false }
        let left = configuration.stays ? try await job.disputableMs() : (try? await job.disputableMs()) ?? 0
        guard left > 0 else { return false }
        let minutes = (left + 59_999) / 60_000
        let time = "\(minutes) more minute\(minutes == 1 ? "" : "s")"
        if !configuration.stays {
            if configuration.role != .validator {
                report(
                    .warning(
                        "the work of the last rounds can be disputed for \(time), and this worker leaves: who is silent in a "
                            + "dispute can be found a liar. The same command without --no-stay answers"))
            }
            return false
        }
        if !hasSaidThatItStays {
            hasSaidThatItStays = true
            report(
                .waiting(
                    configuration.role == .validator
                        ? "the job is over; for \(time) its last rounds' work can be disputed, and this validator stays for the juries"
                        : "the job is over and the pay is taken; for \(time) the work of its last rounds can be disputed, and this "
                            + "worker stays to answer, since who is silent can be found a liar. It ends by itself"))
        }
        return true
    }

    func finish(_ status: JobStatus) async throws {
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
    func claim() async {
        do {
            guard try await job.owed() > 0 else { return }
            try await job.act(.paymentWorkerSignature)
        } catch { warn("the pay could not be claimed: \(error)") }
    }

    /// However the job ended: the last accepted model, and the best one where that is another.
    func leaveModels() throws {
        guard let file = configuration.modelFile, let last = accepted?.model, last.network != nil else { return }
        try ModelFile.write(last, to: file)
        report(.saved(file.path, last.digest))
        guard let best, best.model != last.digest, let model = try state.model(best.model) else { return }
        let beside = ModelFile.best(beside: file)
        try ModelFile.write(model, to: beside)
        report(.saved(beside.path, best.model))
    }
}
