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
        case confirm
        /// Nothing can be done now.
        case wait
        case joined
    }

    /// - Throws: ``WorkerError`` when the job does not take this worker any more.
    package static func next(
        phase: JobPhase, known: JobParticipant?, participants: [JobParticipant], role: Role, identity: JobIdentity
    ) throws -> Step {
        let hasStarted = participants.contains { $0.standing == .active || $0.standing == .suspended }
        if phase.isOver {
            if known == nil { throw WorkerError.jobFull("it is \(phase)") }
            return .joined
        }
        guard let known, known.standing != .released || phase != .open else {
            if phase == .open { return .apply }
            if known == nil, !hasStarted, phase == .registered || phase == .paused { return .wait }
            throw WorkerError.jobFull("it has started already")
        }
        guard known.role == role else {
            throw WorkerError.wrongRole(key: known.role.description, wanted: role.description)
        }
        if known.standing == .released { throw WorkerError.jobFull("this worker has left it") }
        if known.kemPublicKey != identity.kemPublicKey || known.endpoint != identity.endpoint { return .identify }
        if known.standing == .applied {
            if phase == .open { return .confirm }
            if !hasStarted { return .wait }
            throw WorkerError.jobFull("it has started without this worker")
        }
        return .joined
    }

    /// Whether this runtime can do what a job asks for.
    package static func check(_ spec: JobSpec) throws {
        guard spec.trainingProtocol == .split else {
            throw WorkerError.cannotWork("it asks for the protocol '\(spec.trainingProtocol)', this worker knows 'split'")
        }
        if let problem = spec.problem { throw WorkerError.cannotWork(problem) }
        do { _ = try plan(spec, round: 0) } catch { throw WorkerError.cannotWork("\(error)") }
    }

    package static func plan(_ spec: JobSpec, round: UInt32) throws -> RoundPlan {
        let plan = try settings(spec)
        return try RoundPlan(
            seed: JobSeed(words: plan.seed.words), round: round, steps: spec.stepsPerRound,
            batchSize: Int(plan.batchSize), optimiser: LeNet5.optimiser(learningRateMicro: plan.learningRateMicro))
    }

    package static func settings(_ spec: JobSpec) throws -> JobSplitPlan {
        do { return try JobSplitPlan(borsh: spec.plan) } catch {
            throw WorkerError.cannotWork("its plan is none that this worker knows (\(error))")
        }
    }

    /// Bytes of the longest envelope that a worker of the job sends: a step's boundary values and labels.
    package static func envelopeLimit(_ spec: JobSpec) throws -> Int {
        let boundary = LeNet5.boundaryShape.reduce(1, *) * 4
        return min(Int(try settings(spec).batchSize), RoundPlan.maximumBatch) * (boundary + 1) + WorkerLimits.envelopeOverhead
    }

    /// When a suspended worker comes back. In the commit phase it would at once be waited for, in a round that the
    /// others are in the middle of; so there it comes back only where they can't go on without it.
    package static func shouldComeBack(
        _ status: JobStatus, participants: [JobParticipant], lastOutcome: JobRound.Outcome?
    ) -> Bool {
        guard status.phase == .commit else { return !status.phase.isOver }
        let active = participants.filter { $0.standing == .active }
        let edges = active.filter { $0.role == .edge }.count
        return edges < Int(status.spec.quorum) || !active.contains { $0.role == .cloud } || lastOutcome == .starved
    }
}
