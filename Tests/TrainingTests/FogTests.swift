import Cryptography
import Encoding
import Tensor
import Testing

import Training

/// Fog learning with `count` nodes on synthetic digits.
private struct Fog {
    let plan: TrainingPlan
    var network: Network
    let samples: [FeatureSet]
    let held: FeatureSet
    var memories: [FogNodeRound.Memory]

    init(_ count: Int, _ change: (inout TrainingPlan) -> Void = { _ in }) throws {
        let plan = smallPlan(change)
        self.plan = plan
        network = try plan.initialNetwork()
        samples = try (0..<count).map { place in
            try DeviceStep.samples(
                of: syntheticImages(count: 60, key: UInt64(place) + 50), plan: plan, device: UInt32(place),
                secret: testSecret)
        }
        held = try plan.evaluationSamples(syntheticImages(count: 100, key: 49))
        memories = samples.map { FogNodeRound.Memory(plan: plan, samples: $0.count) }
    }

    func node(_ place: Int, round: UInt32 = 0, threads: Int = 1) throws -> FogNodeRound {
        try FogNodeRound(
            training: LocalTraining(plan: plan, round: round, place: UInt16(place), threads: threads), start: network,
            samples: samples[place], memory: memories[place], secret: testSecret.derived(for: "\(place)"))
    }

    func cloud(round: UInt32 = 0, quorum: Int = 1, validates: Bool = true, epsilon: UInt64 = 300_000) throws -> FogCloudRound {
        try FogCloudRound(
            plan: plan, round: round, places: samples.indices.map { UInt16($0) }, quorum: quorum, network: network,
            validation: validates ? held : nil, epsilonMicro: epsilon)
    }

    func message(_ place: Int, round: UInt32 = 0) throws -> FogDifferenceMessage {
        var node = try node(place, round: round)
        guard case .send(.fogDifference(let message))? = try node.handle(.start).first else { throw DriverFailure.stalled }
        return message
    }

    /// One whole round through encoded messages; both sides must agree on the weights.
    mutating func run(round: UInt32, threads: Int = 1) throws -> [FogCloudRound.Verdict] {
        var nodes = try samples.indices.map { try node($0, round: round, threads: threads) }
        var cloud = try cloud(round: round)
        var answers: [FogCloudRound.Action] = []
        for place in nodes.indices {
            guard case .send(let message)? = try nodes[place].handle(.start).first else { throw DriverFailure.stalled }
            _ = try nodes[place].handle(.sent(Digest(sha256: message.payload)))
            guard case .fogDifference(let read) = try AnyTrainingMessage(kind: message.kind, payload: message.payload) else {
                throw DriverFailure.stalled
            }
            answers += try cloud.handle(.difference(from: UInt16(place), read))
        }
        #expect(answers.last == .completed)
        for case .send(_, let message) in answers { _ = try cloud.handle(.sent(Digest(sha256: message.payload))) }
        for case .send(let place, let message) in answers {
            guard case .fogMean(let read) = try AnyTrainingMessage(kind: message.kind, payload: message.payload),
                case .finished(let result, let network)? = try nodes[Int(place)].handle(.mean(read)).first
            else { throw DriverFailure.stalled }
            #expect(network == (try cloud.result().network))
            #expect(result.log.commitments.count == 1)
        }
        memories = nodes.map(\.memory)
        network = try cloud.result().network
        return cloud.accepted
    }
}

@Suite(.timeLimit(.minutes(20))) struct FogTests {
    @Test func threeFogNodesLearnTogether() throws {
        var fog = try Fog(3)
        let before = try fog.network.evaluate(on: fog.held)
        for round in 0..<8 as Range<UInt32> { _ = try fog.run(round: round) }
        let after = try fog.network.evaluate(on: fog.held)
        #expect(after.accuracy > 0.7 && after.meanLoss < before.meanLoss, "\(before) \(after)")
    }

    @Test func threadsDoNotShow() throws {
        var digests: Set<Digest> = []
        for threads in 1...3 {
            var fog = try Fog(3)
            _ = try fog.run(round: 0, threads: threads)
            _ = try fog.run(round: 1, threads: threads)
            digests.insert(fog.network.weightsDigest)
        }
        #expect(digests.count == 1)
    }

    @Test func oneFogNodeIsCentralTraining() throws {
        var fog = try Fog(1)
        var nobody: PrivacyAccountant?
        var central = fog.network
        for round in 0..<3 as Range<UInt32> {
            let outcome = try LocalTraining(plan: fog.plan, round: round, place: 0).run(
                from: central, samples: fog.samples[0], account: &nobody, secret: testSecret)
            central = try central.adding(outcome.difference)
            _ = try fog.run(round: round)
            #expect(fog.network == central)
        }
    }

    /// An asynchronous round: W <- W + the mean of the differences, each with its age's weight.
    @Test func staleDifferencesCountLess() throws {
        let fog = try Fog(3)
        let weights: [Float] = [1, 724 / 1_024, 512 / 1_024]
        var cloud = try FogCloudRound(
            plan: fog.plan, round: 5, places: [0, 1, 2], quorum: 2, network: fog.network, validation: nil,
            epsilonMicro: 0, answers: false)
        let messages = try [fog.message(0, round: 5), fog.message(1, round: 4), fog.message(2, round: 2)]
        var actions: [FogCloudRound.Action] = []
        for place in messages.indices {
            actions += try cloud.handle(.stale(from: UInt16(place), messages[place], weight: weights[place]))
        }
        // Nobody is told how far they moved: each has another start.
        #expect(actions == [.completed])
        let weighed = try zip(messages, weights).map { message, weight in
            try #require(message.difference.values).map { $0 * weight }
        }
        let (result, network) = try cloud.result()
        #expect(network == (try fog.network.adding(RobustMean.combine(weighed, by: .mean))))
        #expect(result.log.commitments.isEmpty)

        // What is of a later round, weighs nothing, or more than a fresh one is refused; the round goes on.
        var other = try FogCloudRound(
            plan: fog.plan, round: 5, places: [0, 1], quorum: 1, network: fog.network, validation: nil, epsilonMicro: 0,
            answers: false)
        for (message, weight) in [(try fog.message(0, round: 6), Float(1)), (messages[0], 0), (messages[0], 1.5), (messages[0], .nan)] {
            #expect(try other.handle(.stale(from: 0, message, weight: weight)) == [
                .refuse(from: 0, .wrongRound(expected: 5, found: message.round))
            ])
        }
        #expect(try other.handle(.stale(from: 1, messages[1], weight: 1)).isEmpty)
        #expect(try other.handle(.timedOut) == [.dropped(0), .completed])
        // In a synchronous round an old one is none.
        var synchronous = try fog.cloud(round: 5)
        #expect(try synchronous.handle(.difference(from: 1, messages[1])) == [
            .refuse(from: 1, .wrongRound(expected: 5, found: 4))
        ])
    }

    @Test func badDifferencesAreRefusedByNameAndTheRoundGoesOn() throws {
        let fog = try Fog(5)
        var cloud = try fog.cloud()
        func refusal(_ place: UInt16, _ message: FogDifferenceMessage) throws -> Refusal? {
            for case .refuse(_, let refusal) in try cloud.handle(.difference(from: place, message)) { return refusal }
            return nil
        }
        func message(_ difference: Difference, round: UInt32 = 0, step: UInt32 = 0) -> FogDifferenceMessage {
            FogDifferenceMessage(round: round, step: step, samples: 1, loss: 1, difference: difference)
        }
        let honest = try fog.message(0)
        let count = fog.network.parameterCount
        #expect(try refusal(0, message(.dense([1]))) == .wrongShape(expected: [count], found: [1]))
        #expect(try refusal(0, message(.dense(Array(repeating: .nan, count: count)))) == .values)
        #expect(try refusal(0, message(.masked(Array(repeating: 1, count: count)))) == .wrongForm)
        #expect(try refusal(0, message(honest.difference, round: 1)) == .wrongRound(expected: 0, found: 1))
        #expect(try refusal(0, message(honest.difference, step: 1)) == .wrongStep(expected: 0, found: 1))
        #expect(try refusal(9, honest) == .notInRound)
        guard case .norm? = try refusal(0, message(.dense(Array(repeating: 1_000, count: count)))) else {
            Issue.record("an absurd norm was taken")
            return
        }
        #expect(try refusal(0, honest) == nil)
        #expect(try refusal(0, honest) == .duplicate)
        #expect(try refusal(1, honest) == .copied(of: 0))
        #expect(try refusal(1, fog.message(1)) == nil)
        let actions = try cloud.handle(.timedOut)
        #expect(actions.contains(.dropped(2)) && actions.last == .completed)
        #expect(cloud.accepted.map(\.place) == [0, 1])
        // After its end.
        #expect(try refusal(2, fog.message(2)) == .notInRound)
        #expect(try cloud.handle(.timedOut).isEmpty)
    }

    @Test func poisonIsRefusedByValidationAndDoesHarmWithout() throws {
        var accuracy: [Bool: Double] = [:]
        for validates in [true, false] {
            var fog = try Fog(4)
            for round in 0..<6 as Range<UInt32> {
                var cloud = try fog.cloud(round: round, validates: validates, epsilon: 10_000)
                var actions: [FogCloudRound.Action] = []
                for place in 0..<4 {
                    var message = try fog.message(place, round: round)
                    if place == 3, let values = message.difference.values {
                        message = FogDifferenceMessage(
                            round: round, samples: 1, loss: 0, difference: .dense(values.map { $0 * -5 }))
                    }
                    actions += try cloud.handle(.difference(from: UInt16(place), message))
                }
                for case .send(_, let message) in actions { _ = try cloud.handle(.sent(Digest(sha256: message.payload))) }
                if actions.last == .completed { fog.network = try cloud.result().network }
            }
            accuracy[validates] = try fog.network.evaluate(on: fog.held).accuracy
        }
        #expect((accuracy[true] ?? 0) > 0.6 && (accuracy[false] ?? 1) < (accuracy[true] ?? 0) - 0.2, "\(accuracy)")
    }

    /// Weights that know nothing can hardly become less accurate: it is the loss that gives the poisoner away.
    @Test(arguments: [8, 9, 10, 11] as [UInt8]) func poisonInTheFirstRoundIsRefusedToo(key: UInt8) throws {
        let fog = try Fog(4) { $0.seed = JobSeed(words: Digest(sha256: [key]).words) }
        var cloud = try fog.cloud(epsilon: 300_000)
        var refused: [UInt16] = []
        for place in 0..<4 {
            let honest = try fog.message(place)
            let message = place == 2 ? try #require(honest.poisoned) : honest
            for case .refuse(let place, _) in try cloud.handle(.difference(from: UInt16(place), message)) {
                refused.append(place)
            }
        }
        #expect(refused == [2] && cloud.accepted.map(\.place) == [0, 1, 3], "\(refused) \(cloud.accepted)")
    }

    @Test func aDifferenceIsMeasuredByTheWeightsBeforeAndByTheOthers() {
        func evaluation(_ correct: Int, _ loss: Double) -> Evaluation {
            Evaluation(samples: 100, correct: correct, meanLoss: loss)
        }
        func refused(_ before: Evaluation, _ shares: Evaluation...) -> [Int] {
            let refusals = Validation(before: before, classes: 10, epsilonMicro: 20_000).refusals(of: shares)
            return refusals.indices.filter { refusals[$0] != nil }
        }
        // One or two have nobody to be compared with.
        let blank = evaluation(10, 2.4)
        #expect(refused(blank).isEmpty)
        #expect(refused(blank, evaluation(12, 2.2)).isEmpty)
        #expect(refused(blank, evaluation(8, 2.9)).isEmpty, "within the tolerances")
        #expect(refused(blank, evaluation(7, 2.2)) == [0])
        #expect(refused(blank, evaluation(12, 2.2), evaluation(10, 9)) == [1], "it knows less than a guess")
        #expect(refused(blank, evaluation(10, .nan)) == [0] && refused(blank, evaluation(10, .infinity)) == [0])
        #expect(refused(evaluation(10, .infinity), evaluation(10, 2.2)).isEmpty)
        // Who has overfitted may have a loss above a guess's and goes on from there.
        #expect(refused(evaluation(80, 3), evaluation(80, 3.1)).isEmpty)
        #expect(refused(evaluation(80, 3), evaluation(99, 40)) == [0])
        // From three on the losses count, and what is usual is what the best third does.
        func refused(_ losses: Double..., before: Double = 1.2) -> [Int] {
            let rule = Validation(before: evaluation(60, before), classes: 10, epsilonMicro: 20_000)
            let refusals = rule.refusals(of: losses.map { evaluation(60, $0) })
            return refusals.indices.filter { refusals[$0] != nil }
        }
        #expect(refused(1.18, 1.17, 1.19, 1.17, 1.2).isEmpty)
        #expect(refused(1.18, 1.17, 1.19, 1.26, 1.18) == [3])
        #expect(refused(1.18, 1.17, 1.19, .nan, .infinity) == [3, 4])
        #expect(refused(1.18, 1.17, 1.19, 1.205, 1.18).isEmpty, "within the tolerance")
        // Most of them are poisoned; two in three have no say.
        #expect(refused(1.4, 1.18, 1.45, 1.19, 1.5, 1.6) == [0, 2, 4, 5])
        #expect(refused(1.4, 1.18, .nan) == [0, 2])
        // One that gains much by itself makes no room for another that harms.
        #expect(refused(1.18, 0.7, 1.19, 1.25, 1.17) == [3])
        // Small gains, as on a plateau: little is allowed.
        #expect(refused(2.219, 2.2188, 2.2192, 2.2245, 2.2189, before: 2.22) == [3])
        // Where all have learned too much, each raises it a little.
        #expect(refused(1.21, 1.212, 1.208, 1.213, 1.209).isEmpty)
        #expect(refused(1.21, 1.212, 1.208, 1.24, 1.209) == [3])
        // Weights that are no numbers are left by any that are.
        #expect(refused(2.3, 2.31, .nan, before: .infinity) == [2] && refused(.nan, .nan, .nan) == [0, 1, 2])
    }

    @Test func aMeanThatSpoilsTheWeightsIsRefused() {
        func evaluation(_ loss: Double) -> Evaluation { Evaluation(samples: 10, correct: 5, meanLoss: loss) }
        let rule = Validation(before: evaluation(1), classes: 10, epsilonMicro: 20_000)
        #expect(rule.refusal(ofMean: evaluation(3)) == nil)
        #expect(rule.refusal(ofMean: evaluation(.nan)) != nil)
        #expect(rule.refusal(ofMean: Evaluation(samples: 10, correct: 4, meanLoss: 1)) == .spoils(needed: 480_000, after: 400_000))
    }

    /// Weights that do what those before do, with the hidden units in another order, by one, two or three places: each is
    /// as good as those before, and so is a part of the way there; but of the first and the last the mean knows nothing.
    @Test func ofAMeanThatSpoilsOnlyTheBestPartIsTaken() throws {
        let plan = smallPlan {
            $0.model = ModelSpec(
                input: [4],
                layers: [.dense(DenseLayer(units: 4)), .activation(.relu), .dense(DenseLayer(units: 4))], classes: 4)
        }
        func weights(shiftedBy shift: Int) -> [Float] {
            func matrix(_ value: Float, _ isSet: (Int, Int) -> Bool) -> [Float] {
                (0..<16).map { isSet($0 / 4, $0 % 4) ? value : 0 }
            }
            let zeros = [Float](repeating: 0, count: 4)
            return matrix(1) { $0 == ($1 + shift) % 4 } + zeros + matrix(5) { $1 == ($0 + shift) % 4 } + zeros
        }
        let start = try plan.initialNetwork().replacing(parameters: weights(shiftedBy: 0), velocities: nil)
        let held = try FeatureSet(
            shape: [4], values: (0..<16).map { $0 / 4 == $0 % 4 ? 1 : 0 }, labels: [0, 1, 2, 3])
        func round(_ validation: FeatureSet?) throws -> (actions: [FogCloudRound.Action], cloud: FogCloudRound) {
            var cloud = try FogCloudRound(
                plan: plan, round: 0, places: [0, 1, 2], quorum: 1, network: start, validation: validation,
                epsilonMicro: 20_000)
            var actions: [FogCloudRound.Action] = []
            for place in 0..<3 {
                let values = zip(weights(shiftedBy: place + 1), start.parameters).map { $0 - $1 }
                let message = FogDifferenceMessage(round: 0, samples: 1, loss: 0, difference: .dense(values))
                actions += try cloud.handle(.difference(from: UInt16(place), message))
            }
            for case .send(_, let message) in actions { _ = try cloud.handle(.sent(Digest(sha256: message.payload))) }
            return (actions, cloud)
        }
        let (actions, cloud) = try round(held)
        #expect(cloud.before?.accuracy == 1)
        var refused: [UInt16: Refusal] = [:]
        for case .refuse(let place, let refusal) in actions { refused[place] = refusal }
        guard case .misleads? = refused[1] else {
            Issue.record("\(refused)")
            return
        }
        // Of the first and the last either will do.
        #expect(cloud.accepted.count == 1 && refused.count == 2 && actions.last == .completed)
        #expect((refused[0] ?? refused[2]) == .spoils(needed: 980_000, after: 500_000))
        #expect(try cloud.result().network.evaluate(on: held).accuracy == 1)
        // All hear what became of the round.
        #expect(actions.count { if case .send = $0 { true } else { false } } == 3)
        let open = try round(nil).cloud
        #expect(open.accepted.map(\.place) == [0, 1, 2])
        #expect(try open.result().network.evaluate(on: held).meanLoss > 0.5)
    }

    @Test func belowTheQuorumTheWeightsStay() throws {
        let fog = try Fog(3)
        var cloud = try fog.cloud(quorum: 2)
        _ = try cloud.handle(.difference(from: 0, fog.message(0)))
        #expect(try cloud.handle(.timedOut).last == .starved)
        #expect(throws: TrainingError.self) { try cloud.result() }
        #expect(throws: TrainingError.self) { try fog.cloud(quorum: 4) }
    }

    @Test func theOtherReadingIsTheMeanOverTheEpoch() throws {
        let last = try Fog(1)
        let mean = try Fog(1) { $0.passed = .epochMean }
        let (a, b) = (try last.message(0).difference.values ?? [], try mean.message(0).difference.values ?? [])
        #expect(a != b)
        // The same direction, a shorter way.
        let dot = zip(a, b).reduce(0.0) { $0 + Double($1.0) * Double($1.1) }
        #expect(dot > 0 && RobustMean.squaredNorm(b) < RobustMean.squaredNorm(a))
    }

    @Test func aSharedFractionIsSmallerOnTheWireAndStillLearns() throws {
        var fog = try Fog(3) { $0.sharedFraction = 100_000 }
        let dense = try Fog(3).message(0).borsh.count
        #expect(try fog.message(0).borsh.count < dense / 4)
        for round in 0..<10 as Range<UInt32> { _ = try fog.run(round: round) }
        #expect(try fog.network.evaluate(on: fog.held).accuracy > 0.6)
        #expect(fog.memories.allSatisfy { !$0.unshared.residual.isEmpty })
    }

    @Test func aSpentBudgetStopsTheJob() throws {
        var fog = try Fog(1) {
            $0.privacy = PrivacyPlan(
                clipNorm: 1_000_000, noiseMultiplier: 4_000_000, deltaPico: 10_000_000, epsilonBudget: 4_000_000)
        }
        let allowed = fog.memories[0].account?.stepsWithin(epsilon: 4, delta: 1e-5) ?? 0
        #expect(allowed > 4)
        var rounds: UInt32 = 0
        while rounds < 1_000 {
            do { _ = try fog.run(round: rounds) } catch TrainingError.budgetSpent(let spent, let budget) {
                #expect(spent > budget && budget == 4)
                break
            }
            rounds += 1
        }
        #expect(rounds > 0 && rounds < 1_000)
        let steps = fog.memories[0].account?.steps ?? 0
        // Not one step more than allowed, and the round that would go over was not begun again and again for free.
        #expect(steps <= allowed && steps + 4 > allowed)
        #expect((fog.memories[0].account?.epsilon(delta: 1e-5) ?? 9) <= 4)
    }

    @Test func clippedGradientsAreBounded() throws {
        var sum = [Float](repeating: 0, count: 3)
        PrivateStep.addClipped([3, 4, 0], to: &sum, norm: 1)
        #expect(abs(sum[0] - 0.6) < 1e-6 && abs(sum[1] - 0.8) < 1e-6)
        PrivateStep.addClipped([0.1, 0, 0], to: &sum, norm: 1)
        #expect(abs(sum[0] - 0.7) < 1e-6)
        PrivateStep.addClipped([.nan, 1, 1], to: &sum, norm: 1)
        PrivateStep.addClipped([.infinity, 1, 1], to: &sum, norm: 1)
        #expect(sum.allSatisfy { $0.isFinite })
    }

    @Test func messagesOfDevices() throws {
        let fog = try Fog(1)
        let parts = try DeviceSamplesMessage.parts(of: fog.samples[0], round: 4)
        #expect(parts.map(\.samples.count).reduce(0, +) == 60)
        for part in parts {
            let bytes = part.borsh
            #expect(try DeviceSamplesMessage(borsh: bytes) == part)
            #expect(throws: BorshError.self) { try DeviceSamplesMessage(borsh: Array(bytes.dropLast())) }
        }
        // Shapes that multiply to nonsense, and numbers that are none.
        var encoder = BorshEncoder()
        encoder.integer(UInt32(0))
        encoder.integer(UInt32(0))
        encoder.array([UInt32(65_535), 65_535, 65_535])
        encoder.variable([1, 2, 3])
        #expect(throws: BorshError.self) { try DeviceSamplesMessage(borsh: encoder.bytes) }
    }
}
