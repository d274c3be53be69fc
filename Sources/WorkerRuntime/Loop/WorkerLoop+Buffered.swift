import ChainClient
import Cryptography
import Foundation
import JobProtocol
import Primitives
import Training

// A fog node's part in an asynchronous job: its training runs over the ends of rounds, and what it gave goes into
// whichever round takes it, as long as it is not too old (``JobStaleness``).

/// One update, from its training until a round has taken it.
struct BufferedUpdate {
    /// What was trained; nil once it is spent, and after a restart.
    var message: FogDifferenceMessage?
    /// The newest round from whose model this worker has trained: the same again would be the same work.
    var lastBase: UInt32?
    /// Who has it, by the key that it was sealed for.
    var holder: Conversation.Party?
    var deliveredAt: ContinuousClock.Instant?
    /// The last round in which the chain showed its commitment.
    var committedIn: UInt32?
    /// A round whose cloud did not name this worker: it closed before it saw the commitment. The update may go into the
    /// next one.
    var passedOverIn: UInt32?
}

extension WorkerLoop {
    /// One look of a fog node at an asynchronous job.
    func takePartBuffered(
        _ status: JobStatus, _ me: JobParticipant, _ participants: [JobParticipant],
        wake: @escaping @Sendable () -> Void
    ) async throws {
        try await follow(status, me)
        switch status.phase {
        case .commit: try await commitBuffered(status, me, participants, target: status.round)
        case .reveal:
            try await revealOnce(status, me)
            try await commitBuffered(status, me, participants, target: status.round &+ 1)
        case .validate, .score, .challenge:
            try await commitBuffered(status, me, participants, target: status.round &+ 1)
        default: return
        }
        guard work == nil, me.standing == .active else { return }
        if update.message != nil {
            try await handOver(status, me, participants, wake: wake)
        } else if opening == nil, status.phase == .commit, !me.committed,
            update.lastBase.map({ $0 < status.round }) ?? true
        {
            try await start(status, me: me, roster: participants, wake: wake)
        }
    }

    /// What became of the commitment, by the chain.
    private func follow(_ status: JobStatus, _ me: JobParticipant) async throws {
        guard let opening else { return }
        if me.committed, me.base == opening.round {
            update.committedIn = status.round
            guard me.revealed, update.passedOverIn != status.round else { return }
            switch status.phase {
            case .validate, .score, .challenge: break
            default: return
            }
            let partners = try await job.partners()
            if partners.round == status.round,
                !partners.all.contains(where: { $0.index == me.index && $0.root == opening.reveal.stepsRoot })
            {
                update.passedOverIn = status.round
            }
        } else if let last = update.committedIn, last < status.round {
            update.committedIn = nil
            if update.passedOverIn != last { try spend() }
        }
    }

    /// The update has had its round, or no round can take it any more.
    private func spend() throws {
        update.message = nil
        update.holder = nil
        update.passedOverIn = nil
        opening = nil
        try state.forgetOpening()
    }

    private func commitBuffered(
        _ status: JobStatus, _ me: JobParticipant, _ participants: [JobParticipant], target: UInt32
    ) async throws {
        guard let opening, !me.committed, me.standing == .active else { return }
        guard target >= opening.round, target - opening.round <= JobStaleness.most else {
            warn("the update from round \(opening.round) comes too late for any round, and is dropped")
            return try spend()
        }
        // After a restart nobody knows who has it; the cloud that led may.
        guard update.message == nil || update.holder == holder(status, participants) else { return }
        let commitment = opening.reveal.commitment(job: job.contract, round: opening.round, sender: account)
        try await job.act(.commitmentTask, post: .commit(round: opening.round), commitment.borsh)
        update.committedIn = status.round
        if target > status.round { lateIn = status.round }
    }

    /// The cloud that leads, and the key to seal for.
    private func holder(_ status: JobStatus, _ participants: [JobParticipant]) -> Conversation.Party? {
        participants.first { $0.account == status.lead }.map { .init(account: $0.account, kemKey: $0.kemPublicKey) }
    }

    /// Hands the update to the cloud that leads, and from time to time again: one that restarted has lost it, one that has
    /// it answers from the head alone.
    private func handOver(
        _ status: JobStatus, _ me: JobParticipant, _ participants: [JobParticipant],
        wake: @escaping @Sendable () -> Void
    ) async throws {
        guard let message = update.message, let lead = participants.first(where: { $0.account == status.lead }),
            let holder = holder(status, participants)
        else { return }
        if update.holder == holder {
            if let deliveredAt = update.deliveredAt,
                ContinuousClock.now - deliveredAt < .milliseconds(WorkerLimits.redeliveryMs)
            { return }
        } else if me.committed {
            // Sealed for another it would be another commitment than the chain has.
            return
        }
        let base = message.round
        let until = ContinuousClock.now + .milliseconds(WorkerLimits.transferMs)
        let exchange = try exchange(status, until: until, audit: await parts.audits.log(of: base))
        attempts &+= 1
        let attempt = attempts
        let task = Task.detached(executorPreference: globalConcurrentExecutor) {
            do {
                let commitment = try await exchange.hand(over: message, me: me, cloud: lead)
                try await self.handedOver(message, commitment, to: holder, attempt: attempt)
            } catch { await self.gaveUp(attempt, because: error) }
            wake()
        }
        work = RunningRound(attempt: attempt, round: base, place: me.index, task: task, started: .now)
    }

    private func handedOver(
        _ message: FogDifferenceMessage, _ commitment: Digest, to holder: Conversation.Party, attempt: UInt64
    ) async throws {
        guard let work, work.attempt == attempt else { return }
        update.holder = holder
        update.deliveredAt = .now
        let root = RoundWork.root([commitment])
        // The same again keeps the salt that the chain's commitment hides.
        if opening?.round != message.round || opening?.reveal.stepsRoot != root {
            try await hold(
                RoundWork(
                    stepsRoot: root, artifact: message.difference.digest, lossMicro: Micro.of(message.loss), partners: [],
                    model: nil), of: message.round, attempt: attempt)
        }
        self.work = nil
    }

    /// What the training gave. Durable before anything leaves: what samples were exposed to is never forgotten.
    func trained(
        _ message: FogDifferenceMessage, _ memory: FogNodeRound.Memory, of round: UInt32, attempt: UInt64
    ) throws {
        guard let work, work.attempt == attempt else { return }
        if let account = memory.account { try state.save(privacySteps: account.steps, job: job.digest) }
        self.memory = memory
        update.message = message
        update.lastBase = round
        update.holder = nil
        update.deliveredAt = nil
        self.work = nil
    }

    private func gaveUp(_ attempt: UInt64, because error: any Error) {
        guard work?.attempt == attempt, !(error is CancellationError) else { return }
        warn(told(error))
        work = nil
    }
}
