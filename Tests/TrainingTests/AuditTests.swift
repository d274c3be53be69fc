import Cryptography
import Encoding
import Primitives
import Tensor
import Testing
import Training

/// Steps that are done again, and what becomes of those who lied in them.
@Suite(.timeLimit(.minutes(20))) struct AuditTests {
    private static let genesis = Digest(sha256: [1])
    private static let job = Account(words: Digest(sha256: [2]).words)

    private static let model = ModelSpec(
        input: [4],
        layers: [
            .dense(.init(name: "d1", units: 6)), .activation(.relu), .dense(.init(name: "d2", units: 5)),
            .activation(.relu), .dense(.init(name: "d3", units: 2)),
        ], classes: 2, cut: 2)

    private static func plan(_ seed: UInt8) -> TrainingPlan {
        TrainingPlan(
            model: model, data: DataPlan(kind: .idx, normalisation: .unit),
            seed: JobSeed(words: Digest(sha256: [seed]).words),
            batchSize: 4, learningRate: 50_000, validationSamples: 16)
    }

    private static func samples(_ count: Int, _ seed: UInt8) throws -> FeatureSet {
        let bytes = (0..<count).map { Digest(sha256: [seed, UInt8($0 & 0xff)]).bytes }
        return try FeatureSet(
            shape: [4], values: bytes.flatMap { $0[..<4].map { Float($0) / 128 - 1 } },
            labels: bytes.map { $0[0] > $0[1] ? 1 : 0 })
    }

    /// Whether a fault happens in this step: one in `1 / share`.
    private static func happens(_ share: Double, _ parts: [UInt8]) -> Bool {
        let draw = Digest(domain: "test", parts: parts).bytes[..<4].reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
        return Double(draw) < share * 0x1p32
    }

    // MARK: A split round with everything kept that an audit asks for

    private struct SplitRound {
        var evidence: [StepEvidence] = []
        var named: [UInt16: AuditedRound.Named] = [:]
        var checkpoint: Checkpoint
    }

    /// - Parameter lies: the place and step of messages that are falsified; place 99 is the cloud's, to edge 0.
    private static func split(
        _ plan: RoundPlan, from checkpoint: Checkpoint, shards: [FeatureSet], lies: (UInt16, UInt32) -> Bool
    ) throws -> SplitRound {
        guard let cloudKeys = Worker("cloud") else { throw DriverFailure.noKeys }
        let edgeKeys = shards.indices.compactMap { Worker("edge \($0)") }
        let places = shards.indices.map { UInt16($0) }
        var cloud = try CloudRound(plan: plan, edges: places, quorum: 1, checkpoint: checkpoint)
        var edges = try places.map {
            try EdgeRound(plan: plan, index: $0, front: checkpoint.front, shard: shards[Int($0)])
        }
        var lines = places.map {
            Conversation(
                genesisHash: genesis, jobId: job, round: plan.round, index: $0, edge: edgeKeys[Int($0)].party,
                cloud: cloudKeys.party)
        }
        var said: [[StepEvidence.Said]] = places.map { _ in [] }
        var fromEdge: [[OpenedMessage]] = places.map { _ in [] }, fromCloud = fromEdge
        var cloudSaid: [(SignedStatement, StepEvidence)] = []
        var result = SplitRound(checkpoint: checkpoint)

        func seal(_ message: AnyTrainingMessage, _ line: Int, _ keys: Worker) throws -> (SignedStatement, OpenedMessage)
        {
            let context = lines[line].context(step: message.step, kind: message.kind)
            let salt = Digest(sha256: message.payload + [UInt8(line)]).bytes
            let envelope = try lines[line].seal(message, salt: salt, key: keys.key)
            return (
                SignedStatement(envelope, salt: salt),
                OpenedMessage(context: context, payload: message.payload, salt: salt)
            )
        }
        var queue: [(Int, EdgeRound.Action)] = []
        for index in edges.indices { queue += try edges[index].handle(.start).map { (index, $0) } }
        while !queue.isEmpty {
            let (index, action) = queue.removeFirst()
            guard case .send(var message) = action else { continue }
            if lies(UInt16(index), message.step), case .activation(let true_) = message {
                message = .activation(
                    ActivationMessage(
                        round: true_.round, step: true_.step, boundary: true_.boundary.scaled(by: 0.5),
                        labels: true_.labels))
            }
            let (statement, opened) = try seal(message, index, edgeKeys[index])
            let drawn = try DrawnSamples(shards[index], plan: plan, edge: UInt16(index), last: message.step)
            result.evidence.append(
                StepEvidence(
                    statement: statement,
                    inputs: .samples(drawn.drawn, places: drawn.places.map { UInt32($0) }, of: UInt32(drawn.count)),
                    heard: fromCloud[index], said: said[index]))
            said[index].append(
                .init(context: opened.context, payload: Digest(sha256: opened.payload), salt: opened.salt))
            fromEdge[index].append(opened)
            _ = try edges[index].handle(.sent(statement.commitment))
            let answers: [CloudRound.Action]
            switch message {
            case .activation(let activation): answers = try cloud.handle(.activation(from: UInt16(index), activation))
            case .frontDifference(let difference):
                answers = try cloud.handle(.difference(from: UInt16(index), difference))
            default: throw DriverFailure.stalled
            }
            for case .send(let place, var answer) in answers {
                let edge = Int(place)
                if place == 0, lies(99, answer.step), case .gradient(let true_) = answer {
                    answer = .gradient(
                        GradientMessage(
                            round: true_.round, step: true_.step, gradient: true_.gradient.scaled(by: 0.5),
                            loss: true_.loss))
                }
                let (statement, opened) = try seal(answer, edge, cloudKeys)
                _ = try cloud.handle(.sent(statement.commitment))
                cloudSaid.append((statement, StepEvidence(statement: statement)))
                fromCloud[edge].append(opened)
                switch answer {
                case .gradient(let gradient): queue += try edges[edge].handle(.gradient(gradient)).map { (edge, $0) }
                case .frontAverage(let average): queue += try edges[edge].handle(.average(average)).map { (edge, $0) }
                default: throw DriverFailure.stalled
                }
            }
        }
        let heard = places.map { StepEvidence.Heard(index: $0, all: fromEdge[Int($0)].map(\.commitment)) }
        for place in places {
            result.named[place] = .init(
                root: MerkleLog.root(fromEdge[Int(place)].map { MerkleLog.leafHash($0.commitment.bytes) }), isUsed: true
            )
        }
        for (statement, _) in cloudSaid {
            let step = Int(statement.context.step)
            result.evidence.append(
                StepEvidence(statement: statement, heard: fromEdge.flatMap { $0.prefix(step + 1) }, commitments: heard))
        }
        result.checkpoint = try cloud.result().checkpoint
        return result
    }

    private static func start(_ evidence: StepEvidence, _ checkpoint: Checkpoint) -> AuditedRound.Start {
        switch evidence.statement.context.kind {
        case .activation, .frontDifference: .front(checkpoint.front)
        default: .split(checkpoint)
        }
    }

    // MARK: A dispute between somebody who has done it again and somebody who has signed

    /// - Parameter sides: the two traces, and those of the jury.
    private static func dispute(
        _ evidence: StepEvidence, accuser: StepTrace, accused: StepTrace, jury: [StepTrace]
    ) throws -> (Dispute.Outcome?, path: [UInt16]) {
        let accusation = evidence.statement.accusation(in: ServiceId("job") ?? .chain, trace: accuser)
        #expect(try Accusation(borsh: accusation.borsh) == accusation)
        let subject = try #require(accusation.subject)
        #expect(subject.sender.publicKey.isValid(accusation.signature, message: accusation.signedMessage))
        #expect(subject.job == job && subject.sender == evidence.statement.context.senderKey)
        let jurors = (0..<jury.count).map { Account([UInt8](repeating: UInt8($0 + 1), count: 32)) ?? .zero }
        var dispute = try Dispute(
            accuser: .zero, accused: subject.sender, role: try #require(accusation.role), round: subject.round,
            step: subject.step, claim: accusation.claim, list: accusation.list, height: Height(1), time: Time(0))
        dispute.seat(jurors, at: Time(1))
        while dispute.stage != .vote {
            switch dispute.stage {
            case .answer: try dispute.answer(try #require(accused.list(at: dispute.path)), at: Time(1))
            case .unfold:
                if let list = accuser.list(at: dispute.path) {
                    try dispute.unfold(list, at: Time(1))
                } else {
                    try dispute.call(at: Time(1))
                }
            case .vote: break
            }
        }
        var outcome: Dispute.Outcome?
        for (seat, trace) in jury.enumerated() where outcome == nil {
            let vote: Dispute.Vote = trace.commitment == accusation.claim ? .right : .wrong
            outcome = try dispute.vote(vote, by: jurors[seat], at: Time(2))
        }
        return (outcome, dispute.path)
    }

    // MARK: Tests

    @Test func everyHonestStepIsDoneAgainBitForBit() throws {
        let plan = Self.plan(1)
        let round = try RoundPlan(seed: plan.seed, round: 3, steps: 5, batchSize: 4, optimiser: plan.optimiser)
        let checkpoint = try Checkpoint.initial(Self.model, seed: plan.seed)
        let shards = try (0..<2).map { try Self.samples(30, UInt8($0)) }
        let done = try Self.split(round, from: checkpoint, shards: shards) { _, _ in false }
        // Five steps and a difference of each edge, five gradients and a mean for each.
        #expect(done.evidence.count == 24)
        let audited = AuditedRound(plan: plan, round: round, named: done.named)
        for evidence in done.evidence {
            #expect(try StepEvidence(borsh: evidence.borsh) == evidence)
            for threads in [1, 3] {
                let trace = try audited.replay(evidence, from: Self.start(evidence, checkpoint), threads: threads)
                #expect(trace.commitment == evidence.statement.commitment, "\(evidence.statement.context.kind)")
            }
        }
    }

    @Test func whatIsNotTheRoundsOwnIsRefused() throws {
        let plan = Self.plan(1)
        let round = try RoundPlan(seed: plan.seed, round: 3, steps: 3, batchSize: 4, optimiser: plan.optimiser)
        let checkpoint = try Checkpoint.initial(Self.model, seed: plan.seed)
        let shards = try (0..<2).map { try Self.samples(30, UInt8($0)) }
        let done = try Self.split(round, from: checkpoint, shards: shards) { _, _ in false }
        let audited = AuditedRound(plan: plan, round: round, named: done.named)
        let own = try #require(
            done.evidence.first { $0.statement.context.kind == .activation && $0.statement.context.step == 2 })
        func refuse(_ evidence: StepEvidence, _ what: String) {
            #expect(throws: ReplayError.self, "\(what)") {
                _ = try audited.replay(evidence, from: Self.start(evidence, checkpoint))
            }
        }
        // Another gradient than the one that its signature names.
        var heard = own.heard
        heard.swapAt(0, 1)
        refuse(StepEvidence(statement: own.statement, inputs: own.inputs, heard: heard, said: own.said), "order")
        refuse(
            StepEvidence(
                statement: own.statement, inputs: own.inputs, heard: Array(own.heard.dropLast()), said: own.said),
            "less")
        refuse(StepEvidence(statement: own.statement, heard: own.heard, said: own.said), "nobody who lacks the samples")
        // A cloud that hands over another edge's message, or leaves an edge out.
        let mean = try #require(done.evidence.first { $0.statement.context.kind == .frontAverage })
        refuse(
            StepEvidence(statement: mean.statement, heard: mean.heard, commitments: Array(mean.commitments.dropLast())),
            "left out")
        refuse(
            StepEvidence(
                statement: mean.statement, heard: Array(mean.heard.dropFirst()), commitments: mean.commitments),
            "missing")
        let other = AuditedRound(
            plan: plan,
            round: try RoundPlan(seed: plan.seed, round: 4, steps: 3, batchSize: 4, optimiser: plan.optimiser),
            named: done.named)
        #expect(throws: ReplayError.self) { _ = try other.replay(own, from: .front(checkpoint.front)) }
    }

    @Test func aStoryThatDiffersInsideIsNarrowedDownToOneSampleOfOneLayer() throws {
        let plan = Self.plan(1)
        let round = try RoundPlan(seed: plan.seed, round: 0, steps: 3, batchSize: 4, optimiser: plan.optimiser)
        let checkpoint = try Checkpoint.initial(Self.model, seed: plan.seed)
        let shard = try Self.samples(30, 7)
        let done = try Self.split(round, from: checkpoint, shards: [shard]) { $1 == 1 && $0 == 0 }
        let audited = AuditedRound(plan: plan, round: round, named: done.named)
        let evidence = try #require(
            done.evidence.first { $0.statement.context.kind == .activation && $0.statement.context.step == 1 })
        let truth = try audited.replay(evidence, from: .front(checkpoint.front))
        #expect(truth.commitment != evidence.statement.commitment)
        // The liar says that the third sample of step 1's first layer came out otherwise.
        var steps = truth.steps
        var layers = steps[1].children
        var samples = layers[2].children
        samples[2] = TraceNode(value: [1, 2, 3])
        layers[2] = TraceNode(samples)
        steps[1] = TraceNode(layers)
        let lie = StepTrace(steps: steps, commitment: evidence.statement.commitment)
        let (outcome, path) = try Self.dispute(evidence, accuser: truth, accused: lie, jury: [truth, truth, truth])
        #expect(outcome == .convicted && path == [1, 2, 2])
        // One who only signs something else than it says that it computed.
        let bare = try Self.dispute(
            evidence, accuser: truth, accused: truth.ending(with: evidence.statement.commitment),
            jury: [truth, truth, truth])
        #expect(bare.0 == .convicted && bare.path == [3 - 1])
    }

    /// `lie:0.1`: the cloud and one of two edges falsify one step of ten.
    @Test func everyLiarOfASplitJobIsConvictedAndNobodyElse() throws {
        var rounds = 0
        for seed in 0..<20 as Range<UInt8> {
            let plan = Self.plan(seed)
            var checkpoint = try Checkpoint.initial(Self.model, seed: plan.seed)
            let shards = try (0..<2).map { try Self.samples(30, UInt8($0) + 2 * seed) }
            let liars: Set<Account> = [try #require(Worker("edge 0")).account, try #require(Worker("cloud")).account]
            var convicted: Set<Account> = []
            var number: UInt32 = 0
            while convicted != liars, number < 100 {
                let round = try RoundPlan(
                    seed: plan.seed, round: number, steps: 10, batchSize: 4, optimiser: plan.optimiser)
                let done = try Self.split(round, from: checkpoint, shards: shards) { place, step in
                    let isCloud = place == 99
                    let account = try? #require(Worker(isCloud ? "cloud" : "edge \(place)")).account
                    guard place != 1, let account, !convicted.contains(account) else { return false }
                    return Self.happens(0.1, [seed, UInt8(place), UInt8(number), UInt8(step)])
                }
                let audited = AuditedRound(plan: plan, round: round, named: done.named)
                let randomness = Digest(sha256: [seed, UInt8(number)])
                for evidence in done.evidence {
                    let context = evidence.statement.context
                    guard !convicted.contains(context.senderKey),
                        AuditPicks.isPicked(
                            context.step, of: context.senderKey.bytes, round: number, share: 0.2, randomness: randomness
                        )
                    else { continue }
                    let truth = try audited.replay(evidence, from: Self.start(evidence, checkpoint))
                    guard truth.commitment != evidence.statement.commitment else { continue }
                    #expect(liars.contains(context.senderKey), "seed \(seed): an honest worker is accused")
                    let (outcome, _) = try Self.dispute(
                        evidence, accuser: truth, accused: truth.ending(with: evidence.statement.commitment),
                        jury: [truth, truth, truth])
                    #expect(outcome == .convicted, "seed \(seed)")
                    convicted.insert(context.senderKey)
                }
                checkpoint = done.checkpoint
                number += 1
            }
            #expect(convicted == liars, "seed \(seed)")
            rounds += Int(number)
        }
        print("split: all liars of 20 seeds convicted, after \(Double(rounds) / 20) rounds on average")
    }

    /// `lie:0.1` of fog nodes, one round in ten, and of their cloud.
    @Test func everyLiarOfAFogJobIsConvictedAndNobodyElse() throws {
        var rounds = 0
        for seed in 0..<20 as Range<UInt8> {
            let plan = Self.plan(seed)
            var network = try plan.initialNetwork()
            let shards = try (0..<3).map { try Self.samples(20, UInt8($0) + 3 * seed) }
            let cloud = try #require(Worker("cloud"))
            let nodes = try (0..<3).map { try #require(Worker("edge \($0)")) }
            let liars: Set<Account> = [nodes[0].account, cloud.account]
            var convicted: Set<Account> = []
            var number: UInt32 = 0
            while convicted != liars, number < 250 {
                let round = try RoundPlan(
                    seed: plan.seed, round: number, steps: 1, batchSize: 4, optimiser: plan.optimiser)
                func lies(_ worker: Worker, _ mark: UInt8) -> Bool {
                    liars.contains(worker.account) && !convicted.contains(worker.account)
                        && Self.happens(0.1, [seed, mark, UInt8(number)])
                }
                var evidence: [StepEvidence] = []
                var used: [OpenedMessage] = []
                var commitments: [StepEvidence.Heard] = []
                var named: [UInt16: AuditedRound.Named] = [:]
                var lines: [Conversation] = []
                for (index, node) in nodes.enumerated() {
                    let place = UInt16(index)
                    var message = try Replay.fogNode(
                        plan: plan, round: number, place: place, start: network, samples: shards[index]
                    ).message
                    if lies(node, place == 0 ? 1 : 0), case .fogDifference(let own) = message,
                        let values = own.difference.values
                    {
                        message = .fogDifference(
                            FogDifferenceMessage(
                                round: number, samples: own.samples, loss: own.loss,
                                difference: .dense(values.map { -2 * $0 })))
                    }
                    var line = Conversation(
                        genesisHash: Self.genesis, jobId: Self.job, round: number, index: place, edge: node.party,
                        cloud: cloud.party)
                    let context = line.context(step: 0, kind: .fogDifference)
                    let salt = Digest(sha256: [seed, UInt8(index)]).bytes
                    let envelope = try line.seal(message, salt: salt, key: node.key)
                    evidence.append(
                        StepEvidence(
                            statement: SignedStatement(envelope, salt: salt),
                            inputs: .samples(shards[index], places: [], of: UInt32(shards[index].count))))
                    let opened = OpenedMessage(context: context, payload: message.payload, salt: salt)
                    used.append(opened)
                    commitments.append(.init(index: place, all: [opened.commitment]))
                    named[place] = .init(
                        root: MerkleLog.root([MerkleLog.leafHash(opened.commitment.bytes)]), isUsed: true)
                    lines.append(line)
                }
                var differences: [FogDifferenceMessage] = []
                for message in used {
                    differences.append(try FogDifferenceMessage(borsh: message.payload))
                }
                let honest = try Replay.fogMean(plan: plan, round: number, used: differences).message
                guard case .fogMean(let mean) = honest, let values = mean.difference.values else {
                    throw DriverFailure.stalled
                }
                let told: AnyTrainingMessage =
                    lies(cloud, 2)
                    ? .fogMean(FogMeanMessage(round: number, difference: .dense(values.map { $0 * 0.5 }))) : honest
                let salt = Digest(sha256: [seed, 77]).bytes
                let envelope = try lines[0].seal(told, salt: salt, key: cloud.key)
                evidence.append(
                    StepEvidence(
                        statement: SignedStatement(envelope, salt: salt), heard: used, commitments: commitments))
                let audited = AuditedRound(plan: plan, round: round, named: named)
                let randomness = Digest(sha256: [seed, UInt8(number)])
                for evidence in evidence {
                    let sender = evidence.statement.context.senderKey
                    guard !convicted.contains(sender),
                        AuditPicks.isPicked(0, of: sender.bytes, round: number, share: 0.5, randomness: randomness)
                    else { continue }
                    let truth = try audited.replay(evidence, from: .whole(network))
                    guard truth.commitment != evidence.statement.commitment else { continue }
                    #expect(liars.contains(sender), "seed \(seed): an honest worker is accused")
                    let (outcome, _) = try Self.dispute(
                        evidence, accuser: truth, accused: truth.ending(with: evidence.statement.commitment),
                        jury: [truth, truth, truth])
                    #expect(outcome == .convicted)
                    convicted.insert(sender)
                }
                network = try network.adding(values)
                number += 1
            }
            #expect(convicted == liars, "seed \(seed)")
            rounds += Int(number)
        }
        print("fog: all liars of 20 seeds convicted, after \(Double(rounds) / 20) rounds on average")
    }

    /// A lie in one step of a hundred, each step audited with the share: caught in a round of a hundred steps with
    /// 1 - (1 - share / 100) ^ 100.
    @Test func aRareLiarIsCaughtAtTheRateOfTheShare() throws {
        for share in [0.1, 0.3, 1.0] {
            var caught = 0
            let seeds = 4_000
            for seed in 0..<UInt32(seeds) {
                let worker = seed.borsh
                let randomness = Digest(domain: "beacon", parts: worker)
                let lies = (0..<100 as Range<UInt32>).filter { Self.happens(0.01, worker + $0.borsh) }
                if lies.contains(where: {
                    AuditPicks.isPicked($0, of: worker, round: 0, share: share, randomness: randomness)
                }) {
                    caught += 1
                }
            }
            var escape = 1.0
            for _ in 0..<100 { escape *= 1 - share / 100 }
            let expected = 1 - escape
            // Four standard deviations.
            let spread = 4 * (expected * (1 - expected) / Double(seeds)).squareRoot()
            #expect(abs(Double(caught) / Double(seeds) - expected) < spread, "share \(share): \(caught) of \(seeds)")
            print("audit share \(share): \(Double(caught) / Double(seeds)) caught, \(expected) predicted")
        }
        // A larger share picks the same steps, and more.
        for step in 0..<500 as Range<UInt32>
        where AuditPicks.isPicked(step, of: [1], round: 2, share: 0.1, randomness: .zero) {
            #expect(AuditPicks.isPicked(step, of: [1], round: 2, share: 0.4, randomness: .zero))
        }
    }
}
