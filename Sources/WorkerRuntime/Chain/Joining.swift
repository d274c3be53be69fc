import JobProtocol
import Primitives
import Training

/// What a worker does next to take part in a job: decided from what the chain says alone, so it goes on where it was
/// after a restart.
package enum Joining {
    package enum Step: Equatable {
        case apply
        /// Publish the KEM key and the endpoint, which may have changed.
        case identify
        /// Take a place, or take one again after a suspension.
        case confirm
        case joined
    }

    /// - Throws: ``WorkerError`` when the job does not take this worker any more.
    package static func next(
        phase: JobPhase, known: JobParticipant?, role: Role, parent: Account = .zero, identity: JobIdentity
    ) throws -> Step {
        if phase.isOver {
            if known == nil { throw WorkerError.jobFull("it is \(phase)") }
            return .joined
        }
        guard let known, known.standing != .released else { return .apply }
        guard known.role == role else {
            throw WorkerError.wrongRole(key: known.role.description, wanted: role.description)
        }
        guard known.parent == parent else {
            throw WorkerError.cannotWork(
                "this key takes part in the job as a device of \(known.parent), not of \(parent): give --fog-node (or --edge) \(known.parent)")
        }
        if known.kemPublicKey != identity.kemPublicKey || known.endpoint != identity.endpoint { return .identify }
        return known.standing == .applied ? .confirm : .joined
    }

    /// Whether this runtime can do what a job asks for.
    /// - Returns: the plan.
    package static func check(_ spec: JobSpec, role: Role) throws -> TrainingPlan {
        if let problem = spec.problem { throw WorkerError.cannotWork(problem) }
        let plan: TrainingPlan
        do { plan = try TrainingPlan(checking: spec.plan) } catch { throw WorkerError.cannotWork("its \(error)") }
        switch (spec.trainingProtocol, role) {
        case (_, .cloud), (_, .validator), (.split, .edge), (.fog, .fog), (.fog, .device): break
        case (.split, .device) where spec.devices > 0: break
        case (let kind, _): throw WorkerError.cannotWork("a \(kind) job has no role '\(role)'")
        }
        if spec.trainingProtocol == .split, let problem = plan.splitProblem(devices: Int(spec.devices)) {
            throw WorkerError.cannotWork(problem)
        }
        if let problem = plan.problem(
            workers: Int(spec.workers), quorum: Int(spec.quorum), isAsynchronous: spec.mode == .asynchronous)
        {
            throw WorkerError.cannotWork("it asks for \(problem)")
        }
        _ = try roundPlan(plan, spec, round: 0)
        let longest = try envelopeLimit(plan, spec)
        guard longest <= shareBytes(spec), longest <= Envelope.maximumPayload + WorkerLimits.envelopeOverhead else {
            throw WorkerError.cannotWork(
                "its workers could send \(longest) bytes each at a time, more than the "
                    + "\(min(shareBytes(spec), Envelope.maximumPayload)) that this program holds for each")
        }
        return plan
    }

    package static func roundPlan(_ plan: TrainingPlan, _ spec: JobSpec, round: UInt32) throws -> RoundPlan {
        do {
            return try RoundPlan(
                seed: plan.seed, round: round, steps: spec.stepsPerRound, batchSize: Int(plan.batchSize),
                optimiser: plan.optimiser, join: plan.join, precision: plan.boundary)
        } catch { throw WorkerError.cannotWork("\(error)") }
    }

    /// Bytes that one member may have waiting at another: an even part of the room for all.
    package static func shareBytes(_ spec: JobSpec) -> Int {
        WorkerLimits.waitingBytes / max(1, Int(spec.workers) + Int(spec.clouds) + Int(spec.devices))
    }

    /// Bytes of the longest envelope that a worker of the job sends: a step's boundary values and labels, a difference,
    /// a part of a device's samples.
    package static func envelopeLimit(_ plan: TrainingPlan, _ spec: JobSpec) throws -> Int {
        let longest = try roundLimit(plan, spec)
        guard spec.trainingProtocol == .fog || spec.devices > 0 else { return longest }
        return max(longest, 5 * DeviceSamplesMessage.valuesInMessage + WorkerLimits.envelopeOverhead)
    }

    /// The same of a round's own envelopes, without devices' samples.
    package static func roundLimit(_ plan: TrainingPlan, _ spec: JobSpec) throws -> Int {
        let parameters = try plan.model.parameterCount
        switch spec.trainingProtocol {
        case .split:
            let boundary = (try plan.model.boundary ?? []).reduce(1, *) * 4
            // Differences of the front with their velocities.
            let front = 8 * (try Network(plan.model, part: .front, seed: plan.seed).parameterCount)
            return max(Int(plan.batchSize) * (boundary + 1), front) + WorkerLimits.envelopeOverhead
        case .fog:
            // A sparse difference has a position beside each value.
            let shared = plan.sharedFraction < TrainingPlan.one
            let difference =
                shared ? 8 * (parameters / Int(TrainingPlan.one) + 1) * Int(plan.sharedFraction) : 4 * parameters
            return difference + WorkerLimits.envelopeOverhead
        }
    }
}
