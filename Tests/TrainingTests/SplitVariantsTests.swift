import Cryptography
import Tensor
import Testing
import Training

/// Both joins and all precisions through the round's machines and real envelopes.
@Suite(.timeLimit(.minutes(20))) struct SplitVariantsTests {
    private func plan(
        _ round: UInt32 = 0, steps: UInt32 = 3, join: Join = .concatenation, precision: BoundaryPrecision = .float32
    ) throws -> RoundPlan {
        try RoundPlan(
            seed: testSeed, round: round, steps: steps, batchSize: 8,
            optimiser: LeNet5.optimiser(learningRateMicro: LeNet5.suggestedLearningRateMicro), join: join,
            precision: precision)
    }

    private func parts(_ data: Dataset, of count: Int) -> [any SampleSource] {
        (0..<count).map { PartialSamples(data, edge: $0, of: count, blank: -0.1307 / 0.3081) }
    }

    @Test(arguments: [BoundaryPrecision.float32, .bits16, .bits8])
    func fewerBitsGiveTheSameBitsEverywhere(precision: BoundaryPrecision) throws {
        let data = try syntheticDataset(count: 60, key: 7)
        let shards = try (0..<2).map { try data.shard($0, of: 2) }
        var digests: Set<Digest> = []
        for threads in 1...2 {
            var split = SplitDriver(checkpoint: try .initial(seed: testSeed), shards: shards, threads: threads)
            let outcome = try split.run(plan(precision: precision))
            #expect(outcome.fronts.allSatisfy { $0 == split.checkpoint.front })
            digests.insert(split.checkpoint.digest)
        }
        #expect(digests.count == 1)
        // It is not the arithmetic of 32 bits.
        var full = SplitDriver(checkpoint: try .initial(seed: testSeed), shards: shards)
        _ = try full.run(plan())
        #expect(digests.contains(full.checkpoint.digest) == (precision == .float32))
    }

    @Test func aWeightedSumOfOneIsTheWhole() throws {
        let data = try syntheticDataset(count: 60, key: 8)
        var concatenated = SplitDriver(checkpoint: try .initial(seed: testSeed), shards: [data])
        var summed = SplitDriver(checkpoint: try .initial(seed: testSeed), shards: parts(data, of: 1))
        _ = try concatenated.run(plan())
        _ = try summed.run(plan(join: .weightedSum))
        #expect(summed.checkpoint == concatenated.checkpoint)
    }

    @Test(arguments: [2, 4]) func edgesThatSeePartsOfTheSameSamplesLearn(edges: Int) throws {
        let data = try syntheticDataset(count: 300, key: 9)
        var split = SplitDriver(checkpoint: try .initial(seed: testSeed), shards: parts(data, of: edges))
        var losses: [Double] = []
        for round in 0..<4 as Range<UInt32> {
            let outcome = try split.run(plan(round, steps: 12, join: .weightedSum))
            #expect(Set(outcome.edges.map(\.meanLoss)).count == 1, "one loss for all: \(outcome.edges.map(\.meanLoss))")
            losses.append(outcome.cloud.meanLoss)
        }
        #expect(losses[3] < losses[0] / 2, "\(losses)")
    }

    @Test func allEdgesOfAWeightedSumDrawTheSameSamples() throws {
        let (sum, own) = (try plan(join: .weightedSum), try plan())
        func draw(_ plan: RoundPlan, _ edge: UInt16) -> [Int] { plan.batchIndices(edge: edge, step: 1, shardCount: 1_000) }
        #expect(draw(sum, 0) == draw(sum, 3) && draw(sum, 0) == draw(own, 0))
        #expect(draw(own, 0) != draw(own, 3))
    }

    private func cloud(_ plan: RoundPlan, edges: [UInt16], quorum: Int) throws -> CloudRound {
        try CloudRound(plan: plan, edges: edges, quorum: quorum, checkpoint: .initial(seed: testSeed))
    }

    private func activation(_ plan: RoundPlan, labels: UInt8, precision: BoundaryPrecision? = nil) throws -> ActivationMessage {
        ActivationMessage(
            round: plan.round, step: 0,
            boundary: try FloatTensor(shape: [8] + LeNet5.boundaryShape, repeating: 0.5),
            labels: Array(repeating: labels, count: 8), precision: precision ?? plan.precision)
    }

    @Test func whoHasOtherLabelsThanMostIsOut() throws {
        let plan = try plan(join: .weightedSum)
        var round = try cloud(plan, edges: [0, 1, 2], quorum: 2)
        #expect(try round.handle(.activation(from: 0, activation(plan, labels: 9))) == [])
        #expect(try round.handle(.activation(from: 1, activation(plan, labels: 3))) == [])
        let actions = try round.handle(.activation(from: 2, activation(plan, labels: 3)))
        #expect(actions.prefix(2) == [.refuse(from: 0, .labels), .dropped(0)])
        #expect(round.edges == [1, 2] && round.step == 1)
        // Below the quorum nobody can say who is right.
        var two = try cloud(plan, edges: [0, 1], quorum: 2)
        _ = try two.handle(.activation(from: 0, activation(plan, labels: 9)))
        #expect(try two.handle(.activation(from: 1, activation(plan, labels: 3))).last == .starved)
    }

    @Test func anotherPrecisionThanThePlansIsRefused() throws {
        let plan = try plan(precision: .bits16)
        var round = try cloud(plan, edges: [0], quorum: 1)
        #expect(
            try round.handle(.activation(from: 0, activation(plan, labels: 1, precision: .float32)))
                == [.refuse(from: 0, .wrongForm)])
    }
}
