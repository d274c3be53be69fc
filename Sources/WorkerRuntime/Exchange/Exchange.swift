import Cryptography
import JobProtocol
import Primitives
import Synchronization
import Training

/// What both sides of a round's exchange need. It knows no chain: what belongs on it goes through `complain`.
package struct Exchange: Sendable {
    let genesis: Digest
    /// The job's contract.
    let contract: Account
    /// The worker itself.
    let account: Account
    let secrets: WorkerSecrets
    let inbox: Inbox
    let postman: Postman
    let plan: RoundPlan
    /// After which nothing of this round can count any more.
    let deadline: ContinuousClock.Instant
    /// What a silent worker gets before the round goes on without it.
    let stepTimeout: Duration
    let threads: Int
    let report: @Sendable (WorkerEvent) -> Void
    let complain: @Sendable (JobComplaint) async throws -> Void
    let openings: Openings
    let faults: Faults
    /// Nil where nobody will ask.
    let audit: AuditLog?
    private let notes = Notes()

    package init(
        genesis: Digest, contract: Account, account: Account, secrets: WorkerSecrets, inbox: Inbox, postman: Postman,
        plan: RoundPlan, deadline: ContinuousClock.Instant, stepTimeout: Duration, threads: Int, openings: Openings,
        faults: Faults = Faults(), audit: AuditLog? = nil, report: @escaping @Sendable (WorkerEvent) -> Void,
        complain: @escaping @Sendable (JobComplaint) async throws -> Void
    ) {
        self.genesis = genesis
        self.contract = contract
        self.account = account
        self.secrets = secrets
        self.inbox = inbox
        self.postman = postman
        self.plan = plan
        self.deadline = deadline
        self.stepTimeout = stepTimeout
        self.threads = threads
        self.openings = openings
        self.faults = faults
        self.audit = audit
        self.report = report
        self.complain = complain
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

    /// - Parameters:
    ///   - edge: who sends activations, differences or samples; its place names the conversation.
    ///   - cloud: the other side.
    func conversation(edge: JobParticipant, cloud: JobParticipant, round: UInt32? = nil) -> Conversation {
        Conversation(
            genesisHash: genesis, jobId: contract, round: round ?? plan.round, index: edge.index,
            edge: .init(account: edge.account, kemKey: edge.kemPublicKey),
            cloud: .init(account: cloud.account, kemKey: cloud.kemPublicKey))
    }

    func seal(_ message: AnyTrainingMessage, in conversation: inout Conversation) throws -> Envelope {
        let context = conversation.context(step: message.step, kind: message.kind)
        let payload = message.payload
        let salt = secrets.salt(context: context, payload: payload)
        let envelope = try conversation.seal(message, salt: salt, key: secrets.key)
        let digest = Digest(sha256: payload)
        openings.note(envelope.commitment, payload: digest, salt: salt)
        audit?.note(envelope, payload: digest, salt: salt)
        return envelope
    }

    /// Opens the conversation's next envelope, and keeps it for audits.
    func open(
        _ envelope: Envelope, in conversation: inout Conversation, step: UInt32, kind: MessageKind, key: KEMPrivateKey
    ) throws(EnvelopeError) -> AnyTrainingMessage {
        let (message, salt) = try conversation.openKeepingSalt(envelope, step: step, kind: kind, key: key)
        audit?.note(heard: OpenedMessage(context: envelope.context, payload: message.payload, salt: salt))
        return message
    }

    /// A slow worker's delay, for experiments.
    func dawdle() async throws {
        guard faults.happens(.slow, round: plan.round) else { return }
        try await Task.sleep(for: stepTimeout * Int(WorkerLimits.stepShare) / 4)
    }

    /// A peer can make this worker warn as often as it likes, so what is told is bounded.
    func warn(_ text: String) {
        if notes.mayWarn() { report(.warning(text)) }
    }

    /// Tells what was passed over, and reports on the chain an envelope that its sender signed and that yet does not
    /// hold what it says: the first of a round, since the contract takes one for each worker.
    func passOver(_ envelope: Envelope, of peer: Account, because error: EnvelopeError) {
        warn("passed over an envelope of \(peer.short): \(error)")
        // The contract takes complaints about the running round alone.
        guard error.isComplaint, envelope.context.round == plan.round, notes.mayComplain(), let complaint = JobComplaint(about: envelope) else { return }
        // Beside the exchange: it takes until the next block, and the round goes on.
        Task(executorPreference: globalConcurrentExecutor) { [complain, report] in
            do { try await complain(complaint) } catch {
                report(.warning("the complaint about \(peer.short) could not be filed: \(error)"))
            }
        }
    }
}

/// How the envelopes that this worker sent in its last rounds open, for when somebody complains of one.
package final class Openings: Sendable {
    package struct Opening: Sendable {
        /// SHA-256 of the payload.
        package let payload: Digest
        package let salt: [UInt8]
    }

    /// More than two rounds of an edge need; the oldest go first.
    private static let limit = 4_096
    private let state = Mutex((byCommitment: [Digest: Opening](), order: [Digest]()))

    package init() {}

    func note(_ commitment: Digest, payload: Digest, salt: [UInt8]) {
        state.withLock { state in
            let isNew = state.byCommitment.updateValue(Opening(payload: payload, salt: salt), forKey: commitment) == nil
            guard isNew else { return }
            state.order.append(commitment)
            if state.order.count > Self.limit { state.byCommitment[state.order.removeFirst()] = nil }
        }
    }

    package subscript(commitment: Digest) -> Opening? { state.withLock { $0.byCommitment[commitment] } }
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

/// What a participant has made in a round: what it commits to, and the model that the round may have given.
package struct RoundWork: Sendable {
    package let stepsRoot: Digest
    package let artifact: Digest
    package let lossMicro: UInt64
    /// The cloud's: every worker that it heard.
    package let partners: [JobPartner]
    /// Of the cloud, and of an edge its front: what becomes the accepted model if the round is accepted. A fog node
    /// takes it from the cloud.
    package let model: JobModel?

    /// The RFC 9162 root over commitments.
    package static func root(_ commitments: [Digest]) -> Digest {
        MerkleLog.root(commitments.map { MerkleLog.leafHash($0.bytes) })
    }
}
