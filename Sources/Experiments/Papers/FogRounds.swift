import Cryptography
import Tensor
import Training

/// The rounds of a fog job in one process, through the machines and messages that workers use; with faults, if wanted.
struct FogRounds {
    struct Round {
        let loss: Double
        let own: [Evaluation?]
        let accepted: Int
        let refused: [String]
    }

    let plan: TrainingPlan
    private let fog: [FeatureSet]
    private let validation: FeatureSet?
    private let epsilonMicro: UInt64
    private let fault: PaperB.Fault?
    private let threads: Int
    private let secret: SecretSeed
    private var chance: RandomStream
    private var memories: [FogNodeRound.Memory]
    private var round: UInt32 = 0
    private(set) var network: Network
    private(set) var up = 0
    private(set) var down = 0
    /// Fog nodes that an audit found lying: out for good.
    private var banned: Set<Int> = []

    /// The share of differences that an audit computes again.
    static let auditShare = 0.5

    init(
        plan: TrainingPlan, fog: [FeatureSet], validation: FeatureSet?, epsilonMicro: UInt64, fault: PaperB.Fault?,
        seed: Int, threads: Int
    ) throws {
        if let problem = plan.problem { throw ExperimentError(problem) }
        self.plan = plan
        self.fog = fog
        self.validation = validation
        self.epsilonMicro = epsilonMicro
        self.fault = fault
        self.threads = threads
        secret = SecretSeed(plan.seed.bytes) ?? .generate()
        chance = RandomStream(key: UInt64(seed) ^ 0xFA017)
        memories = fog.map { FogNodeRound.Memory(plan: plan, samples: $0.count) }
        network = try plan.initialNetwork()
    }

    /// The largest epsilon of any fog node.
    var epsilon: Double? {
        guard let privacy = plan.privacy else { return nil }
        return memories.compactMap { $0.account?.epsilon(delta: privacy.delta) }.max()
    }

    private mutating func strikes(_ kind: PaperB.Fault.Kind) -> Bool {
        guard let fault, fault.kind == kind else { return false }
        return Double(chance.nextUnit()) < fault.share
    }

    mutating func next() throws -> Round {
        if case .secureSum(let threshold) = plan.aggregation { return try nextSecure(threshold: Int(threshold)) }
        var cloud = try FogCloudRound(
            plan: plan, round: round, places: fog.indices.map { UInt16($0) }, quorum: 1, network: network,
            validation: validation, epsilonMicro: epsilonMicro, threads: threads)
        var own: [Evaluation?] = []
        var refused: [String] = []
        var loss = (sum: 0.0, count: 0.0)
        var previous: FogDifferenceMessage?
        var actions: [FogCloudRound.Action] = []
        for place in fog.indices {
            guard !banned.contains(place) else {
                own.append(nil)
                continue
            }
            var message = try train(place)
            loss.sum += message.loss
            loss.count += 1
            if let values = message.difference.values {
                let local = try network.adding(values)
                own.append(try local.evaluate(on: fog[place].slice(0..<min(fog[place].count, 200)), threads: threads))
            } else {
                own.append(nil)
            }
            let honest = message
            if strikes(.withhold) {
                refused.append("place \(place): nothing came")
                continue
            }
            if strikes(.poison) { message = message.poisoned ?? message }
            if strikes(.copy), let other = previous { message = other }
            if strikes(.lie), var values = message.difference.values, !values.isEmpty {
                values[chance.nextIndex(below: values.count)] += 1e-3
                message = changed(message, values)
            }
            if fault?.kind == .lie, Double(chance.nextUnit()) < Self.auditShare, honest != message {
                // Computed again from the committed inputs, the digest is another.
                banned.insert(place)
                refused.append("place \(place): an audit computed another digest; it is out")
                continue
            }
            previous = honest
            let bytes = message.borsh
            up += bytes.count
            actions += try cloud.handle(.difference(from: UInt16(place), FogDifferenceMessage(borsh: bytes)))
        }
        actions += try cloud.handle(.timedOut)
        for action in actions {
            switch action {
            case .refuse(let place, let refusal): refused.append("place \(place): \(refusal)")
            case .send(_, let message):
                down += message.payload.count
                _ = try cloud.handle(.sent(Digest(sha256: message.payload)))
            case .dropped, .completed, .starved: break
            }
        }
        var accepted = cloud.accepted.count
        if actions.contains(.completed) {
            let moved = try cloud.result().network
            // What the job's contract does with the committee's score: a model that is worse by epsilon is rolled back.
            if let validation, let before = cloud.before {
                let rule = Validation(before: before, classes: plan.model.classes, epsilonMicro: epsilonMicro)
                if rule.refusal(ofMean: try moved.evaluate(on: validation, threads: threads)) != nil {
                    refused.append("the mean: the round is rolled back")
                    accepted = 0
                }
            }
            if accepted > 0 { network = moved }
        }
        round += 1
        return Round(loss: loss.count > 0 ? loss.sum / loss.count : 0, own: own, accepted: accepted, refused: refused)
    }

    private func changed(_ message: FogDifferenceMessage, _ values: [Float]) -> FogDifferenceMessage {
        FogDifferenceMessage(
            round: message.round, samples: message.samples, loss: message.loss, difference: .dense(values))
    }

    private mutating func train(_ place: Int) throws -> FogDifferenceMessage {
        var node = try FogNodeRound(
            training: LocalTraining(plan: plan, round: round, place: UInt16(place), threads: threads), start: network,
            samples: fog[place], memory: memories[place], secret: secret.derived(for: "fog node \(place)"))
        let actions = try node.handle(.start)
        memories[place] = node.memory
        for case .send(.fogDifference(let message)) in actions { return message }
        throw ExperimentError("a fog node said nothing")
    }

    /// A round under masks: the cloud sees the sum alone, so it can validate nothing but the whole.
    private mutating func nextSecure(threshold: Int) throws -> Round {
        let context = Array("paper b, round \(round)".utf8)
        var workers: [SecureSum.Worker] = []
        var cloud = SecureSum.Cloud(threshold: threshold, count: network.parameterCount, context: context)
        for place in fog.indices {
            let worker = try SecureSum.Worker(
                place: UInt16(place), threshold: threshold,
                seed: secret.derived(for: "mask \(place) \(round)"), context: context)
            try cloud.add(worker.keys, from: worker.place)
            workers.append(worker)
        }
        var sealed: [(from: UInt16, shares: [SecureSum.SealedShares])] = []
        for index in workers.indices { sealed.append((workers[index].place, try workers[index].share(cloud.keys))) }
        for (from, shares) in sealed {
            try cloud.accept(shares, from: from)
            for share in shares {
                up += share.borsh.count
                try workers[Int(share.to)].keep(share, from: from)
            }
        }
        var own: [Evaluation?] = []
        var loss = 0.0
        var refused: [String] = []
        for place in fog.indices {
            let message = try train(place)
            loss += message.loss / Double(fog.count)
            guard let values = message.difference.values else { throw ExperimentError("a masked difference before its mask") }
            own.append(
                try network.adding(values).evaluate(on: fog[place].slice(0..<min(fog[place].count, 200)), threads: threads))
            if strikes(.withhold) {
                refused.append("place \(place): left after it had shared its keys")
                continue
            }
            let masked = try workers[place].mask(SecureSum.encode(values, participants: fog.count))
            up += Difference.masked(masked).borsh.count
            try cloud.add(masked: masked, from: UInt16(place))
        }
        let included = cloud.included
        for place in included { try cloud.add(workers[Int(place)].unmask(included: included), from: place) }
        let mean = SecureSum.decode(try cloud.sum()).map { $0 / Float(included.count) }
        let moved = try network.adding(mean)
        var accepted = included.count
        if let validation {
            let before = try network.evaluate(on: validation, threads: threads)
            let after = try moved.evaluate(on: validation, threads: threads)
            let rule = Validation(before: before, classes: plan.model.classes, epsilonMicro: epsilonMicro)
            if let refusal = rule.refusals(of: [after]).first ?? nil {
                refused.append("the sum: \(refusal)")
                accepted = 0
            }
        }
        if accepted > 0 { network = moved }
        down += fog.count * Difference.dense(mean).borsh.count
        round += 1
        return Round(loss: loss, own: own, accepted: accepted, refused: refused)
    }
}
