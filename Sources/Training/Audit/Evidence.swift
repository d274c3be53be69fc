public import Cryptography
public import Encoding
public import Primitives

/// What a worker signed: an envelope without its ciphertext, and the salt that opens its commitment.
public struct SignedStatement: Sendable, Equatable, BorshCodable {
    public let context: EnvelopeContext
    public let commitment: Digest
    /// SHA-256 of encapsulated key and ciphertext.
    public let sealed: Digest
    public let signature: Signature
    public let salt: [UInt8]

    public init(_ envelope: Envelope, salt: [UInt8]) {
        context = envelope.context
        commitment = envelope.commitment
        sealed = Digest(sha256: envelope.encapsulatedKey + envelope.ciphertext)
        signature = envelope.signature
        self.salt = salt
    }

    public var isSigned: Bool {
        context.senderKey.publicKey.isValid(
            signature, over: SignedBody(contextDigest: context.digest, commitment: commitment, sealedDigest: sealed),
            domain: .envelope, genesis: context.genesisHash)
    }

    /// What goes on the chain when it is disputed.
    public func accusation(in service: ServiceId, trace: StepTrace) -> Accusation {
        Accusation(
            service: service, context: context.borsh, claim: commitment, sealed: sealed, signature: signature,
            list: trace.list(at: []) ?? [])
    }

    public func encode(to encoder: inout BorshEncoder) {
        encoder.value(context)
        encoder.value(commitment)
        encoder.value(sealed)
        encoder.value(signature)
        encoder.fixed(salt)
    }

    public init(from decoder: inout BorshDecoder) throws(BorshError) {
        context = try decoder.value()
        commitment = try decoder.value()
        sealed = try decoder.value()
        signature = try decoder.value()
        salt = try decoder.fixed(Envelope.saltLength)
    }
}

/// A message with what opens its commitment.
public struct OpenedMessage: Sendable, Equatable, BorshCodable {
    public let context: EnvelopeContext
    public let payload: [UInt8]
    public let salt: [UInt8]

    public init(context: EnvelopeContext, payload: [UInt8], salt: [UInt8]) {
        self.context = context
        self.payload = payload
        self.salt = salt
    }

    public var commitment: Digest { Envelope.commitment(context: context, payload: payload, salt: salt) }
    func message() throws -> AnyTrainingMessage {
        guard let message = try? AnyTrainingMessage(kind: context.kind, payload: payload) else {
            throw ReplayError.inputs("a message that is none")
        }
        return message
    }

    public func encode(to encoder: inout BorshEncoder) {
        encoder.value(context)
        encoder.variable(payload)
        encoder.fixed(salt)
    }

    public init(from decoder: inout BorshDecoder) throws(BorshError) {
        context = try decoder.value()
        payload = try decoder.variable(limit: Envelope.maximumPayload)
        salt = try decoder.fixed(Envelope.saltLength)
    }
}

/// What somebody needs who is to do a step again: what was signed, and the inputs that were committed to.
///
/// An edge's gradients are bound by its own signature: each context names the commitment before it, so the statement's
/// names them all. What a cloud heard is bound by what it named on the chain.
public struct StepEvidence: Sendable, Equatable, BorshCodable {
    public enum Inputs: Sendable, Equatable {
        /// Samples that the steps up to this one draw, of a shard of so many, by their places; all of a fog node's.
        case samples(FeatureSet, places: [UInt32], of: UInt32)
        /// A cloud works on what it hears alone.
        case none
    }

    public let statement: SignedStatement
    public let inputs: Inputs
    /// What came to the worker up to the step, in the order in which it came.
    public let heard: [OpenedMessage]
    /// Of an edge: its own messages before this one, by commitment's parts. Payloads are theirs by digest.
    public let said: [Said]
    /// Of a cloud: all commitments of the round by edge, whose roots it named on the chain.
    public let commitments: [Heard]

    public struct Said: Sendable, Equatable, BorshCodable {
        public let context: EnvelopeContext
        public let payload: Digest
        public let salt: [UInt8]

        public init(context: EnvelopeContext, payload: Digest, salt: [UInt8]) {
            self.context = context
            self.payload = payload
            self.salt = salt
        }

        public var commitment: Digest { Digest(sha256: context.digest.bytes + payload.bytes + salt) }

        public func encode(to encoder: inout BorshEncoder) {
            encoder.value(context)
            encoder.value(payload)
            encoder.fixed(salt)
        }

        public init(from decoder: inout BorshDecoder) throws(BorshError) {
            context = try decoder.value()
            payload = try decoder.value()
            salt = try decoder.fixed(Envelope.saltLength)
        }
    }

    public struct Heard: Sendable, Equatable, BorshCodable {
        public let index: UInt16
        public let all: [Digest]

        public init(index: UInt16, all: [Digest]) {
            self.index = index
            self.all = all
        }

        public func encode(to encoder: inout BorshEncoder) {
            encoder.integer(index)
            encoder.array(all)
        }

        public init(from decoder: inout BorshDecoder) throws(BorshError) {
            index = try decoder.integer()
            all = try decoder.array(limit: Int(RoundPlan.maximumSteps) + 1, smallestElement: 32)
        }
    }

    public init(
        statement: SignedStatement, inputs: Inputs = .none, heard: [OpenedMessage] = [], said: [Said] = [],
        commitments: [Heard] = []
    ) {
        self.statement = statement
        self.inputs = inputs
        self.heard = heard
        self.said = said
        self.commitments = commitments
    }

    public func encode(to encoder: inout BorshEncoder) {
        encoder.value(statement)
        switch inputs {
        case .none: encoder.integer(UInt8(0))
        case .samples(let samples, let places, let count):
            encoder.integer(UInt8(1))
            encoder.array(samples.shape.map { UInt32(truncatingIfNeeded: $0) })
            encoder.variable(samples.labels)
            encoder.floats(samples.values)
            encoder.array(places)
            encoder.integer(count)
        }
        encoder.array(heard)
        encoder.array(said)
        encoder.array(commitments)
    }

    public init(from decoder: inout BorshDecoder) throws(BorshError) {
        statement = try decoder.value()
        let start = decoder.offset
        let tag: UInt8 = try decoder.integer()
        switch tag {
        case 0: inputs = .none
        case 1:
            let shape = try decoder.array(of: UInt32.self, limit: 3, smallestElement: 4).map { Int($0) }
            guard (1...3).contains(shape.count), shape.allSatisfy({ (1...ModelSpec.maximumSize).contains($0) }) else {
                throw BorshError(.notCanonical("samples of shape \(shape)"), at: start)
            }
            let labels = try decoder.variable(limit: ImageSet.maximumCount)
            let (count, overflow) = labels.count.multipliedReportingOverflow(by: shape.reduce(1, *))
            guard !overflow else { throw BorshError(.notCanonical("too many values"), at: start) }
            let values = try decoder.floats(count: count)
            let places = try decoder.array(of: UInt32.self, limit: ImageSet.maximumCount, smallestElement: 4)
            do {
                inputs = .samples(
                    try FeatureSet(shape: shape, values: values, labels: labels), places: places,
                    of: try decoder.integer())
            } catch let error as BorshError { throw error } catch {
                throw BorshError(.notCanonical("\(error)"), at: start)
            }
        default: throw decoder.failure(.unknownTag(tag))
        }
        heard = try decoder.array(limit: 1 << 17, smallestElement: 207)
        said = try decoder.array(limit: Int(RoundPlan.maximumSteps) + 1, smallestElement: 235)
        commitments = try decoder.array(limit: 64, smallestElement: 6)
    }
}

/// What an auditor knows of a round from the chain.
public struct AuditedRound: Sendable {
    /// What the cloud named of each worker: the root over its messages, and whether they were used.
    public struct Named: Sendable {
        public let root: Digest
        public let isUsed: Bool

        public init(root: Digest, isUsed: Bool) {
            self.root = root
            self.isUsed = isUsed
        }
    }

    /// The model from which the round started.
    public enum Start: Sendable {
        case front(Network)
        case split(Checkpoint)
        case whole(Network)
    }

    public let plan: TrainingPlan
    public let round: RoundPlan
    public let named: [UInt16: Named]

    public init(plan: TrainingPlan, round: RoundPlan, named: [UInt16: Named]) {
        self.plan = plan
        self.round = round
        self.named = named
    }

    /// Does the step again. What a liar signed, and what the step gives, then differ in the trace's last digest.
    /// - Throws: ``ReplayError`` when the evidence does not hold: then nothing is shown, for or against.
    public func replay(_ evidence: StepEvidence, from start: Start, threads: Int = 1) throws -> StepTrace {
        let context = evidence.statement.context
        guard context.round == round.round, evidence.statement.isSigned else {
            throw ReplayError.inputs("the statement is not signed, or of another round")
        }
        let again: Replayed
        switch (context.kind, start) {
        case (.activation, .front(let front)), (.frontDifference, .front(let front)):
            again = try edge(evidence, front, threads)
        case (.gradient, .split(let checkpoint)), (.frontAverage, .split(let checkpoint)):
            let all = try Replay.cloud(
                step: context.step, plan: round, checkpoint: checkpoint, heard: try heardByCloud(evidence),
                threads: threads)
            guard let own = all[context.index] else {
                throw ReplayError.inputs("the round has no message to this edge")
            }
            again = own
        case (.fogDifference, .whole(let network)):
            guard case .samples(let samples, _, _) = evidence.inputs else { throw ReplayError.inputs("no samples") }
            again = try Replay.fogNode(
                plan: plan, round: round.round, place: context.index, start: network, samples: samples, threads: threads
            )
        case (.fogMean, .whole):
            let heard = try heardByCloud(evidence)
            var used: [FogDifferenceMessage] = []
            for index in named.keys.sorted() where named[index]?.isUsed == true {
                guard case .fogDifference(let message)? = heard[index]?.first else {
                    throw ReplayError.inputs("the difference of place \(index) is missing")
                }
                used.append(message)
            }
            again = try Replay.fogMean(plan: plan, round: round.round, used: used)
        default: throw ReplayError.inputs("no such message comes from this start")
        }
        return again.trace(context: context, salt: evidence.statement.salt)
    }

    private func edge(_ evidence: StepEvidence, _ front: Network, _ threads: Int) throws -> Replayed {
        let context = evidence.statement.context
        guard case .samples(let samples, let places, let count) = evidence.inputs else {
            throw ReplayError.inputs("no samples")
        }
        // Backwards: each message names the one before it.
        guard evidence.heard.count == Int(context.step), evidence.said.count == Int(context.step) else {
            throw ReplayError.inputs("not all messages before the step")
        }
        var expected = context.previousDigest
        for (said, heard) in zip(evidence.said, evidence.heard).reversed() {
            guard heard.commitment == expected, heard.context.previousDigest == said.commitment,
                said.context.senderKey == context.senderKey
            else { throw ReplayError.inputs("the messages before the step are not those that its signature names") }
            expected = said.context.previousDigest
        }
        guard expected == .zero else { throw ReplayError.inputs("the messages do not begin with the round") }
        var gradients: [GradientMessage] = []
        for heard in evidence.heard {
            guard case .gradient(let message) = try heard.message() else { throw ReplayError.inputs("no gradient") }
            gradients.append(message)
        }
        return try Replay.edge(
            step: context.step, plan: round, index: context.index, front: front,
            samples: try DrawnSamples(count: Int(count), places: places.map { Int($0) }, samples: samples),
            gradients: gradients, threads: threads)
    }

    /// By edge, as far as it was handed over: each the first of those whose root the cloud named.
    private func heardByCloud(_ evidence: StepEvidence) throws -> [UInt16: [AnyTrainingMessage]] {
        var byIndex: [UInt16: [OpenedMessage]] = [:]
        for message in evidence.heard { byIndex[message.context.index, default: []].append(message) }
        var heard: [UInt16: [AnyTrainingMessage]] = [:]
        for commitments in evidence.commitments {
            guard let named = named[commitments.index],
                MerkleLog.root(commitments.all.map { MerkleLog.leafHash($0.bytes) }) == named.root
            else { throw ReplayError.inputs("what came from place \(commitments.index) is not what the cloud named") }
            let opened = byIndex[commitments.index] ?? []
            let wanted = min(commitments.all.count, Int(evidence.statement.context.step) + 1)
            guard opened.count == wanted, zip(opened, commitments.all).allSatisfy({ $0.commitment == $1 }) else {
                throw ReplayError.inputs("not all messages of place \(commitments.index)")
            }
            heard[commitments.index] = try opened.map { try $0.message() }
        }
        guard Set(heard.keys) == Set(named.keys) else { throw ReplayError.inputs("not all that the cloud named") }
        return heard
    }
}
