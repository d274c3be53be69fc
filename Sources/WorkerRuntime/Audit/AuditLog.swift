import Cryptography
import Encoding
import JobProtocol
import Primitives
import Synchronization
import Training

/// What one round's exchange said and heard, kept so that an auditor can do its steps again. Before the round's commitment
/// goes to the chain it is on disk, too (``AuditShelf/keep(_:place:devices:partners:)``); who restarts before that does
/// the round again.
package final class AuditLog: Sendable {
    /// What the worker started from, and what it drew from.
    package struct Base: Sendable {
        package let model: JobModel
        package let plan: RoundPlan
        /// An edge's shard.
        package let shard: (any SampleSource)?
        /// All that a fog node trains on, or an edge whose devices gave it: then it is the shard, too.
        package let samples: FeatureSet?

        package init(model: JobModel, plan: RoundPlan, shard: (any SampleSource)? = nil, samples: FeatureSet? = nil) {
            self.model = model
            self.plan = plan
            self.shard = shard
            self.samples = samples
        }
    }

    private struct State {
        var statements: [SignedStatement] = []
        var said: [UInt16: [StepEvidence.Said]] = [:]
        var heard: [UInt16: [OpenedMessage]] = [:]
        var bytes = 0
        /// More was heard than is kept.
        var isCut = false
    }

    package let base: Base
    private let state = Mutex(State())

    package init(_ base: Base) { self.base = base }

    /// As it was before a restart.
    package init(_ kept: KeptAudit, _ base: Base) {
        self.base = base
        state.withLock { state in
            state.statements = kept.statements
            for said in kept.said { state.said[said.context.index, default: []].append(said) }
            for message in kept.heard {
                state.heard[message.context.index, default: []].append(message)
                state.bytes += message.payload.count
            }
        }
    }

    /// What outlives the process; nil when more was heard than is kept.
    func kept(
        job: Digest, round: UInt32, place: UInt16, devices: [Account], partners: [JobPartner]
    ) -> KeptAudit? {
        let (statements, said, heard, isCut) = state.withLock { ($0.statements, $0.said, $0.heard, $0.isCut) }
        guard !isCut else { return nil }
        return KeptAudit(
            job: job, round: round, place: place, model: base.model, samples: base.samples?.digest ?? .zero,
            devices: devices, partners: partners, statements: statements,
            said: said.keys.sorted().flatMap { said[$0] ?? [] },
            heard: heard.keys.sorted().flatMap { heard[$0] ?? [] })
    }

    /// Of what was heard, and of a fog node's samples.
    var bytes: Int { state.withLock { $0.bytes } + (base.samples?.values.count ?? 0) * 4 }

    /// The round begins anew, with the same messages.
    func restart() { state.withLock { $0 = State() } }

    func note(_ envelope: Envelope, payload: Digest, salt: [UInt8]) {
        let statement = SignedStatement(envelope, salt: salt)
        state.withLock {
            $0.statements.append(statement)
            $0.said[envelope.context.index, default: []].append(
                .init(context: envelope.context, payload: payload, salt: salt))
        }
    }

    func note(heard message: OpenedMessage) {
        state.withLock {
            $0.bytes += message.payload.count
            if $0.bytes > WorkerLimits.auditBytes { $0.isCut = true }
            if $0.isCut { $0.heard = [:] } else { $0.heard[message.context.index, default: []].append(message) }
        }
    }

    /// What somebody needs to do the step again that a statement is about; nil where this worker has signed none.
    package func evidence(_ question: AuditQuestion) throws -> StepEvidence? {
        let (statements, said, heard, isCut) = state.withLock { ($0.statements, $0.said, $0.heard, $0.isCut) }
        guard !isCut, let statement = statements.last(where: { question.isAbout($0) }) else { return nil }
        let step = Int(statement.context.step)
        let index = statement.context.index
        switch statement.context.kind {
        case .activation, .frontDifference:
            guard let shard = base.shard else { return nil }
            let drawn = try DrawnSamples(shard, plan: base.plan, edge: index, last: statement.context.step)
            return StepEvidence(
                statement: statement,
                inputs: .samples(
                    drawn.drawn, places: drawn.places.map { UInt32($0) }, of: UInt32(clamping: drawn.count)),
                heard: Array((heard[index] ?? []).prefix(step)), said: Array((said[index] ?? []).prefix(step)))
        case .fogDifference:
            guard let samples = base.samples else { return nil }
            return StepEvidence(
                statement: statement, inputs: .samples(samples, places: [], of: UInt32(clamping: samples.count)))
        case .gradient, .frontAverage, .fogMean:
            let all = heard.keys.sorted()
            return StepEvidence(
                statement: statement, heard: all.flatMap { (heard[$0] ?? []).prefix(step + 1) },
                commitments: all.map { .init(index: $0, all: (heard[$0] ?? []).map(\.commitment)) })
        case .deviceSamples, .secureSumUp, .secureSumDown: return nil
        }
    }
}

/// The argument of a ``WorkerRequest/Kind/audit`` question: about which of the receiver's messages, and the key to seal
/// the answer for.
package struct AuditQuestion: BorshCodable, Hashable, Sendable {
    package let round: UInt32
    /// The message's commitment; zero for the message at a place.
    package let claim: Digest
    package let step: UInt32
    package let kind: UInt8
    package let index: UInt16
    package let key: KEMPublicKey

    package init(
        round: UInt32, claim: Digest = .zero, step: UInt32 = 0, kind: MessageKind = .activation, index: UInt16 = 0,
        key: KEMPublicKey
    ) {
        self.round = round
        self.claim = claim
        self.step = step
        self.kind = kind.rawValue
        self.index = index
        self.key = key
    }

    func isAbout(_ statement: SignedStatement) -> Bool {
        if claim != .zero { return statement.commitment == claim }
        let context = statement.context
        return context.step == step && context.kind.rawValue == kind && context.index == index
    }

    package func encode(to encoder: inout BorshEncoder) {
        encoder.integer(round)
        encoder.value(claim)
        encoder.integer(step)
        encoder.integer(kind)
        encoder.integer(index)
        encoder.value(key)
    }

    package init(from decoder: inout BorshDecoder) throws(BorshError) {
        round = try decoder.integer()
        claim = try decoder.value()
        step = try decoder.integer()
        kind = try decoder.integer()
        index = try decoder.integer()
        key = try decoder.value()
    }
}

/// What a worker hands to an auditor, sealed: the model that the round started from, and the step's evidence.
package struct AuditMaterial: BorshCodable, Sendable {
    package let model: JobModel
    package let evidence: StepEvidence

    package init(model: JobModel, evidence: StepEvidence) {
        self.model = model
        self.evidence = evidence
    }

    package func encode(to encoder: inout BorshEncoder) {
        encoder.value(model)
        encoder.value(evidence)
    }

    package init(from decoder: inout BorshDecoder) throws(BorshError) {
        model = try decoder.value()
        evidence = try decoder.value()
    }

    private static func info(job: Account) -> [UInt8] { Array("edgeproof/audit/1".utf8) + job.bytes }

    package func seal(for question: AuditQuestion, job: Account) throws -> [UInt8] {
        let message = try question.key.seal(borsh, info: Self.info(job: job), authenticating: question.borsh)
        return message.encapsulatedKey + message.ciphertext
    }

    package static func open(_ bytes: [UInt8], _ question: AuditQuestion, key: KEMPrivateKey, job: Account) throws
        -> AuditMaterial
    {
        guard bytes.count > 32 else { throw WorkerError.peer("the answer is no evidence") }
        let message = SealedMessage(encapsulatedKey: Array(bytes[..<32]), ciphertext: Array(bytes[32...]))
        return try AuditMaterial(borsh: key.open(message, info: info(job: job), authenticating: question.borsh))
    }

    /// Where the round's machines start with this model, for a message of this kind.
    package var start: AuditedRound.Start? {
        switch model {
        case .front(let front, _): .front(front)
        case .split(let checkpoint):
            switch evidence.statement.context.kind {
            case .activation, .frontDifference: .front(checkpoint.front)
            default: .split(checkpoint)
            }
        case .whole(let network): .whole(network)
        }
    }
}
