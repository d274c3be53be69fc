import ChainClient
import Cryptography
import Foundation
import JobProtocol
import Primitives
import Training

// The committee's part: scores.

extension WorkerLoop {
    /// Scores the round if this account is in its committee: at once where it is alone, else by a commitment first.
    func validate(_ status: JobStatus, _ participants: [JobParticipant]) async throws {
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
    func score(
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
        // Who was left out has none.
        for edge in revealed where edge.role == .edge && edge.lastArtifact != .zero { votes[edge.lastArtifact, default: 0] += 1 }
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
