import ChainClient
import Cryptography
import Foundation
import JobProtocol
import Primitives
import Training

// What it takes to take part: the application, the identity, the place; and that nobody else has this key or these samples.

extension WorkerLoop {
    /// Does what is missing to take part; false while something is.
    func join(_ status: JobStatus) async throws -> Bool {
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

    func apply(_ status: JobStatus) async throws {
        // Once, however often it tries.
        if !hasSaidTerms { report(.terms(status.spec, validator: status.validator)) }
        hasSaidTerms = true
        let isDevice = configuration.role == .device
        if isDevice,
            !(try await job.participants().contains { $0.account == configuration.parent && $0.standing != .released })
        {
            let parent = status.spec.trainingProtocol == .split ? "edge" : "fog node"
            throw WorkerError.peer("the \(parent) \(configuration.parent?.short ?? "") has not applied yet")
        }
        let application = JobApplication(
            role: configuration.role, samples: UInt32(clamping: parts.sampleCount),
            parent: configuration.parent ?? .zero)
        try await actToJoin(.applicationTask, application.borsh, value: isDevice ? 0 : status.spec.bond)
    }

    /// A worker that restarts finds the endpoint of its last run on the chain. If somebody still answers there with this
    /// very key, two were started with one key, and both say so.
    func askForOwnKey(_ known: JobParticipant?, phase: JobPhase) async throws {
        guard !hasAskedForOwnKey, !phase.isOver else { return }
        hasAskedForOwnKey = true
        guard let known, known.standing != .released, known.endpoint != endpoint, let other = Endpoint(known.endpoint),
            await parts.postman.isOwnKey(at: other)
        else { return }
        throw WorkerError.keyInUse(known.endpoint)
    }

    func publish() async throws {
        let identity = identity
        try await job.act(.postSecondLayerId, identity.borsh)
        published = identity
    }

    /// Where another worker with this key has published itself, this one ends: each would undo what the other does.
    func checkPlace(_ me: JobParticipant) async throws {
        guard let published, me.endpoint != published.endpoint || me.kemPublicKey != published.kemPublicKey else {
            return
        }
        // Nor is a node believed when it says so: whoever lies could end any worker.
        guard try await job.isCertain(me) else {
            return warn("a node says that another worker has this one's place, and the certified state does not show it")
        }
        throw WorkerError.displaced(me.endpoint)
    }

    func actToJoin(_ action: ActionId, _ data: [UInt8] = [], value: UInt128 = 0) async throws {
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
    func compare(_ me: JobParticipant, with participants: [JobParticipant]) async throws {
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
}
