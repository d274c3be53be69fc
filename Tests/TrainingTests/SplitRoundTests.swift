import Cryptography
import Tensor
import Testing
import Training

@Suite(.timeLimit(.minutes(20))) struct SplitRoundTests {
    @Test func oneEdgeGivesTheBitsOfCentralisedTraining() throws {
        let data = try syntheticDataset(count: 100, key: 1)
        var split = SplitDriver(checkpoint: try .initial(seed: testSeed), shards: [data])
        var central = try CentralisedTrainer(checkpoint: .initial(seed: testSeed), data: data)
        for round in 0..<3 as Range<UInt32> {
            let plan = try testPlan(round: round)
            let outcome = try split.run(plan)
            let loss = try central.train(plan)
            #expect(outcome.cloud.meanLoss == loss)
            #expect(outcome.edges.map(\.meanLoss) == [loss])
            #expect(split.checkpoint == central.checkpoint)
        }
    }

    @Test func edgesLeaveWithOneFrontAndTheThreadsDoNotShow() throws {
        let data = try syntheticDataset(count: 100, key: 2)
        let shards = try (0..<3).map { try data.shard($0, of: 3) }
        var digests: [Digest] = []
        for threads in 1...3 {
            var split = SplitDriver(checkpoint: try .initial(seed: testSeed), shards: shards, threads: threads)
            _ = try split.run(testPlan(round: 0))
            let outcome = try split.run(testPlan(round: 1))
            #expect(outcome.fronts.allSatisfy { $0 == split.checkpoint.front })
            #expect(outcome.edges.allSatisfy { $0.artifact == split.checkpoint.front.digest })
            #expect(outcome.cloud.artifact == split.checkpoint.back.digest)
            #expect(split.checkpoint.digest == Checkpoint.digest(
                front: outcome.edges[0].artifact, back: outcome.cloud.artifact))
            // Three steps and the difference; three edges' gradients and averages.
            #expect(outcome.edges.map(\.log.commitments.count) == [4, 4, 4])
            #expect(outcome.cloud.log.commitments.count == 12)
            digests.append(split.checkpoint.digest)
        }
        #expect(Set(digests).count == 1)
    }

    @Test func aStepCanBeProvenFromTheRoot() throws {
        let data = try syntheticDataset(count: 40, key: 3)
        var split = SplitDriver(checkpoint: try .initial(seed: testSeed), shards: [data])
        let result = try split.run(testPlan()).edges[0]
        for (index, commitment) in result.log.commitments.enumerated() {
            let proof = try #require(result.log.proof(index: index))
            #expect(MerkleLog.verifyInclusion(
                leaf: MerkleLog.leafHash(commitment.bytes), index: UInt64(index),
                size: UInt64(result.log.commitments.count), proof: proof, root: result.stepsRoot))
        }
    }

    /// The promise to auditors on other machines: 2 edges, 2 rounds of 3 steps.
    @Test func goldenCheckpoint() throws {
        let data = try syntheticDataset(count: 64, key: 4)
        var split = SplitDriver(
            checkpoint: try .initial(seed: testSeed), shards: [try data.shard(0, of: 2), try data.shard(1, of: 2)])
        #expect(split.checkpoint.digest.hex == "e07e194984ef0bbe451bb0151e05c79ae9648ad3e50aca7758cbd43411ff6d4d")
        _ = try split.run(testPlan(round: 0))
        let last = try split.run(testPlan(round: 1))
        #expect(split.checkpoint.digest.hex == "4878d23aadb820986fd13a2836f813278abd1463be848f2274e28cb93c360f17")
        #expect(last.cloud.lossMicro == 1_738_452)
        #expect(last.cloud.stepsRoot.hex == "9c6009cb998ef7b2e58deb078f6aa658ed1e64f549d3fcb70bf601a374b14959")
    }

    @Test func trainingLowersTheLoss() throws {
        let data = try syntheticDataset(count: 400, key: 5)
        let held = try syntheticDataset(count: 200, key: 6)
        let shards = [try data.shard(0, of: 2), try data.shard(1, of: 2)]
        var split = SplitDriver(checkpoint: try .initial(seed: testSeed), shards: shards)
        let before = try split.checkpoint.evaluate(on: held)
        var losses: [Double] = []
        for round in 0..<4 as Range<UInt32> {
            losses.append(try split.run(testPlan(round: round, steps: 10, batchSize: 16)).cloud.meanLoss)
        }
        let after = try split.checkpoint.evaluate(on: held)
        #expect(losses[3] < losses[0] / 2, "\(losses)")
        #expect(after.meanLoss < before.meanLoss / 2)
        #expect(after.accuracy > 0.8, "\(before) \(after)")
    }

    /// Batches of 8 and 3 steps a round: passes do not end where rounds do.
    @Test(arguments: [1, 7, 24, 100]) func eachPassMeetsEverySampleOnce(count: Int) throws {
        var taken: [Int] = []
        for round in 0..<20 as Range<UInt32> {
            let plan = try testPlan(round: round)
            var order = SampleOrder(plan: plan, edge: 1, count: count)
            for step in 0..<plan.steps {
                let indices = order.indices(step: step)
                #expect(indices == plan.batchIndices(edge: 1, step: step, shardCount: count))
                taken += indices
            }
        }
        #expect(taken.count == 20 * 3 * 8)
        let passes = stride(from: 0, through: taken.count - count, by: count).map { Array(taken[$0..<$0 + count]) }
        #expect(passes.count >= 4 && passes.allSatisfy { $0.sorted() == Array(0..<count) })
        #expect(count < 24 || Set(passes).count == passes.count, "each in an order of its own")
        var empty = SampleOrder(plan: try testPlan(), edge: 1, count: 0)
        #expect(empty.indices(step: 0).isEmpty)
    }

    /// An accused that says it has billions of samples makes nobody draw an order of them.
    @Test func aShardThatNobodyCanHaveIsRefused() throws {
        let none = try FeatureSet(shape: [1], values: [], labels: [])
        for count in [0, ImageSet.maximumCount + 1, Int(UInt32.max)] {
            #expect(throws: ReplayError.self) { try DrawnSamples(count: count, places: [], samples: none) }
        }
        #expect(try DrawnSamples(count: ImageSet.maximumCount, places: [], samples: none).count == ImageSet.maximumCount)
    }

    @Test func batchesAreKeyedByEverything() throws {
        let plan = try testPlan(round: 1)
        let base = plan.batchIndices(edge: 1, step: 2, shardCount: 1000)
        #expect(base == plan.batchIndices(edge: 1, step: 2, shardCount: 1000))
        #expect(base.allSatisfy { (0..<1000).contains($0) })
        #expect(base != plan.batchIndices(edge: 0, step: 2, shardCount: 1000))
        #expect(base != plan.batchIndices(edge: 1, step: 1, shardCount: 1000))
        #expect(base != (try testPlan(round: 2)).batchIndices(edge: 1, step: 2, shardCount: 1000))
        let otherSeed = try RoundPlan(
            seed: .zero, round: 1, steps: 3, batchSize: 8, optimiser: plan.optimiser)
        #expect(base != otherSeed.batchIndices(edge: 1, step: 2, shardCount: 1000))
    }
}

@Suite(.timeLimit(.minutes(20))) struct SplitRoundChoiceTests {
    private func plan(_ join: Join, _ precision: BoundaryPrecision, round: UInt32 = 0) throws -> RoundPlan {
        try RoundPlan(
            seed: testSeed, round: round, steps: 3, batchSize: 8, optimiser: LeNet5.optimiser(learningRateMicro: 20_000),
            join: join, precision: precision)
    }

    @Test(arguments: Join.allCases, BoundaryPrecision.allCases)
    func everyJoinAndPrecisionGoesThroughEnvelopes(join: Join, precision: BoundaryPrecision) throws {
        let data = try syntheticDataset(count: 60, key: 8)
        // Of a weighted sum all edges have the same samples (here whole ones), else shards of their own.
        let shards = try (0..<2).map { try join == .weightedSum ? data : data.shard($0, of: 2) }
        var digests: Set<Digest> = []
        for threads in 1...2 {
            var split = SplitDriver(checkpoint: try .initial(seed: testSeed), shards: shards, threads: threads)
            for round in 0..<2 as Range<UInt32> {
                let outcome = try split.run(plan(join, precision, round: round))
                #expect(outcome.fronts.allSatisfy { $0 == split.checkpoint.front })
            }
            digests.insert(split.checkpoint.digest)
        }
        #expect(digests.count == 1)
    }

    @Test func aWeightedSumOfTheSameIsTheSame() throws {
        // Two edges with the same whole samples: (x + x) / 2 == x, so the cloud's back is that of one edge.
        let data = try syntheticDataset(count: 60, key: 9)
        var two = SplitDriver(checkpoint: try .initial(seed: testSeed), shards: [data, data])
        var one = SplitDriver(checkpoint: try .initial(seed: testSeed), shards: [data])
        _ = try two.run(plan(.weightedSum, .float32))
        _ = try one.run(plan(.concatenation, .float32))
        #expect(two.checkpoint == one.checkpoint)
    }

    @Test func otherPrecisionsAndOtherLabelsAreRefused() throws {
        let data = try syntheticDataset(count: 60, key: 10)
        let checkpoint = try Checkpoint.initial(seed: testSeed)
        let plan = try plan(.weightedSum, .bits16)
        var cloud = try CloudRound(plan: plan, edges: [0, 1, 2], quorum: 2, checkpoint: checkpoint)
        func activation(_ edge: UInt16) throws -> ActivationMessage {
            var round = try EdgeRound(plan: plan, index: edge, front: checkpoint.front, shard: data)
            guard case .send(.activation(let message))? = try round.handle(.start).first else { throw DriverFailure.stalled }
            return message
        }
        let good = try activation(0)
        let wide = ActivationMessage(round: 0, step: 0, boundary: good.boundary, labels: good.labels)
        #expect(try cloud.handle(.activation(from: 0, wide)) == [.refuse(from: 0, .wrongForm)])
        // The first says other labels than the two others: it is out, and they go on.
        let lie = ActivationMessage(
            round: 0, step: 0, boundary: good.boundary, labels: good.labels.map { ($0 + 1) % 10 }, precision: .bits16)
        _ = try cloud.handle(.activation(from: 0, lie))
        _ = try cloud.handle(.activation(from: 1, activation(1)))
        let actions = try cloud.handle(.activation(from: 2, activation(2)))
        #expect(Array(actions.prefix(2)) == [.refuse(from: 0, .labels), .dropped(0)])
        #expect(actions.count == 4 && cloud.edges == [1, 2] && cloud.step == 1)
    }
}
