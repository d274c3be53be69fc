import Cryptography
import JobProtocol
import Primitives
import Synchronization
import Training

/// What both sides of a round's exchange need.
struct Exchange: Sendable {
    let job: JobView
    let secrets: WorkerSecrets
    let inbox: Inbox
    let postman: Postman
    let plan: RoundPlan
    /// After which nothing of this round can count any more.
    let deadline: ContinuousClock.Instant
    /// What a silent edge gets before the round goes on without it.
    let stepTimeout: Duration
    let threads: Int
    let report: @Sendable (WorkerEvent) -> Void
    private let notes = Notes()

    init(
        job: JobView, secrets: WorkerSecrets, inbox: Inbox, postman: Postman, plan: RoundPlan,
        deadline: ContinuousClock.Instant, stepTimeout: Duration, threads: Int,
        report: @escaping @Sendable (WorkerEvent) -> Void
    ) {
        self.job = job
        self.secrets = secrets
        self.inbox = inbox
        self.postman = postman
        self.plan = plan
        self.deadline = deadline
        self.stepTimeout = stepTimeout
        self.threads = threads
        self.report = report
    }

    /// What is done a bounded number of times in a round.
    private final class Notes: Sendable {
        private let state = Mutex((warnings: 0, hasComplained: false))

        func mayWarn() -> Bool {
            state.withLock {
                $0.warnings += 1
                return $0.warnings <= WorkerLimits.warningsEachRound
            }
        }

        func mayComplain() -> Bool {
            state.withLock {
                let isFirst = !$0.hasComplained
                $0.hasComplained = true
                return isFirst
            }
        }
    }

    func conversation(edge: JobParticipant, cloud: JobParticipant) -> Conversation {
        Conversation(
            genesisHash: job.sender.genesis, jobId: job.contract, round: plan.round, index: edge.index,
            edge: .init(account: edge.account, kemKey: edge.kemPublicKey),
            cloud: .init(account: cloud.account, kemKey: cloud.kemPublicKey))
    }

    func seal(_ message: AnyTrainingMessage, in conversation: inout Conversation) throws -> Envelope {
        let context = conversation.context(step: message.step, kind: message.kind)
        return try conversation.seal(
            message, salt: secrets.salt(context: context, payload: message.payload), key: secrets.key)
    }

    /// A peer can make this worker warn as often as it likes, so what is told is bounded.
    func warn(_ text: @autoclosure () -> String) {
        if notes.mayWarn() { report(.warning(text())) }
    }

    /// Tells what was passed over, and reports on the chain an envelope that its sender signed and that yet does not
    /// hold what it says: the first of a round, since the contract records one for each worker.
    func passOver(_ envelope: Envelope, of peer: Account, because error: EnvelopeError) {
        warn("passed over an envelope of \(peer.short): \(error)")
        guard error.isComplaint, notes.mayComplain() else { return }
        guard let complaint = JobComplaint(about: envelope) else { return }
        // Beside the exchange: it takes until the next block, and the round goes on.
        Task { [job, plan, report] in
            do {
                try await job.act(.commitmentTask, post: .complaint(round: plan.round), complaint.borsh)
            } catch {
                report(.warning("the complaint about \(peer.short) could not be filed: \(error)"))
            }
        }
    }
}

extension JobComplaint {
    /// What the contract needs to see that the sender signed this envelope.
    init?(about envelope: Envelope) {
        let signature = envelope.signature.bytes
        guard let start = Digest(signature.prefix(32)), let end = Digest(signature.dropFirst(32)) else { return nil }
        self.init(
            sender: envelope.context.senderKey, step: envelope.context.step, envelope: envelope.commitment,
            context: envelope.context.borsh, sealed: Digest(sha256: envelope.encapsulatedKey + envelope.ciphertext),
            signatureStart: start, signatureEnd: end)
    }
}
