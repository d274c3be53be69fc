import JobProtocol
import Primitives
import Training

/// What of a job's work can be done again by others under the job's terms. Auditors ask for nothing else, nobody is to be
/// accused of anything else, and a juror finds nobody wrong in it: who is accused of it could not answer.
package enum AuditTerms {
    /// Whether messages of participants with this role can be done again.
    package static func mayBeDoneAgain(_ role: Role, _ spec: JobSpec, _ plan: TrainingPlan) -> Bool {
        // Longer rounds are not kept (``AuditLog``): nobody is to blame for that.
        let messages = Int(clamping: spec.stepsPerRound) + 1
        // Devices hand samples to an edge in envelopes apart, which are no part of what a round has to show.
        let isSplit = spec.trainingProtocol == .split
        let each = (try? isSplit ? Joining.roundLimit(plan, spec) : Joining.envelopeLimit(plan, spec)) ?? .max
        let senders = role == .cloud ? max(1, Int(spec.workers)) : 1
        guard each <= WorkerLimits.auditBytes / messages / senders else { return false }
        switch (spec.trainingProtocol, role) {
        case (.split, .cloud): return true
        case (.split, .edge): return spec.inputAudit == .committee
        // In an asynchronous round the cloud signs nothing for anybody: the committee's score alone speaks of its mean.
        case (.fog, .cloud): return !plan.isSecureSum && spec.mode == .synchronous
        case (.fog, .fog): return spec.inputAudit == .committee && (try? Replay.requireReproducible(plan)) != nil
        default: return false
        }
    }
}
