import Encoding
import Tensor
import Testing

import Training

@Suite(.timeLimit(.minutes(20))) struct SplitLearningTests {
    private func plan(_ change: (inout TrainingPlan) -> Void = { _ in }) -> TrainingPlan {
        var plan = TrainingPlan(
            model: LeNet5.spec, data: .mnist, seed: testSeed, batchSize: 16, learningRate: 20_000, momentum: 900_000)
        change(&plan)
        return plan
    }

    /// The mean of the last five against that of the first five.
    private func hasHalved(_ losses: [Double]) -> Bool {
        var (first, last) = (0.0, 0.0)
        for loss in losses.prefix(5) { first += loss }
        for loss in losses.suffix(5) { last += loss }
        return 2 * last < first
    }

    @Test func oneEdgeGivesTheBitsOfTheWholeNetwork() throws {
        let plan = plan()
        let samples = try plan.evaluationSamples(syntheticImages(count: 64, key: 1))
        var whole = try Network(plan.model, seed: plan.seed)
        let (front, back) = try whole.split()
        var edge = try SplitLearning.Edge(plan: plan, front: front)
        var cloud = try SplitLearning.Cloud(plan: plan, back: back)
        for step in 0..<4 {
            let (inputs, labels) = try samples.batch(step * 16..<(step + 1) * 16)
            _ = try whole.train(inputs, labels: labels, optimiser: plan.optimiser)
            let (answers, _) = try cloud.step([edge.forward(inputs, labels: labels)])
            try edge.backward(answers[0])
        }
        #expect(try Network(front: edge.front, back: cloud.back) == whole)
    }

    @Test(arguments: [Join.concatenation, .weightedSum], [BoundaryPrecision.float32, .bits16, .bits8])
    func bothJoinsLearnInEveryPrecision(join: Join, precision: BoundaryPrecision) throws {
        let plan = plan {
            $0.join = join
            $0.boundary = precision
        }
        let samples = try plan.evaluationSamples(syntheticImages(count: 320, key: 2))
        let (front, back) = try Network(plan.model, seed: plan.seed).split()
        var edges = try (0..<2).map { _ in try SplitLearning.Edge(plan: plan, front: front) }
        var cloud = try SplitLearning.Cloud(plan: plan, back: back)
        var losses: [Double] = []
        for step in 0..<40 {
            var messages: [[UInt8]] = []
            for index in 0..<2 {
                let lane = join == .weightedSum ? 0 : index
                let (inputs, labels) = try samples.batch((0..<16).map { (step * 32 + lane * 16 + $0) % 320 })
                let view = join == .weightedSum
                    ? try SplitLearning.view(inputs, edge: index, of: 2, blank: -0.4242) : inputs
                messages.append(try edges[index].forward(view, labels: labels))
            }
            let (answers, loss) = try cloud.step(messages)
            for index in 0..<2 { try edges[index].backward(answers[index]) }
            let mean = try SplitLearning.mean(edges.map(\.front))
            for index in 0..<2 { edges[index].adopt(mean) }
            losses.append(loss)
        }
        #expect(hasHalved(losses), "\(losses)")
    }

    @Test func damagedMessagesAreRefused() throws {
        let plan = plan { $0.join = .weightedSum }
        let (front, back) = try Network(plan.model, seed: plan.seed).split()
        let samples = try plan.evaluationSamples(syntheticImages(count: 4, key: 3))
        var edge = try SplitLearning.Edge(plan: plan, front: front)
        var cloud = try SplitLearning.Cloud(plan: plan, back: back)
        let (inputs, labels) = try samples.batch(0..<4)
        let message = try edge.forward(inputs, labels: labels)
        #expect(throws: TrainingError.self) { try cloud.step([Array(message.dropLast())]) }
        // Edges that do not agree on whose digits these are.
        let other = try edge.forward(inputs, labels: labels.map { ($0 + 1) % 10 })
        #expect(throws: TrainingError.refused(.labels)) { try cloud.step([message, other]) }
        #expect(throws: TrainingError.self) { try edge.backward([1, 2, 3]) }
        #expect(throws: TrainingError.self) { try SplitLearning.view(inputs, edge: 2, of: 2, blank: 0) }
    }

    @Test func viewsAreDisjointAndCover() throws {
        let images = try FloatTensor(shape: [1, 1, 5, 2], elements: (1...10).map(Float.init))
        var sum = [Float](repeating: 0, count: 10)
        for index in 0..<3 {
            let view = try SplitLearning.view(images, edge: index, of: 3, blank: 0)
            for place in 0..<10 { sum[place] += view.elements[place] }
        }
        #expect(sum == images.elements)
    }

    @Test(arguments: Replicas.Mode.allCases)
    func replicasLearn(mode: Replicas.Mode) throws {
        let plan = plan()
        let samples = try plan.evaluationSamples(syntheticImages(count: 320, key: 4))
        var replicas = Replicas(
            mode: mode, count: 2, network: try Network(plan.model, seed: plan.seed), optimiser: try plan.optimiser)
        var losses: [Double] = []
        for step in 0..<40 {
            let batches = try (0..<2).map { lane in
                try samples.batch((0..<16).map { (step * 32 + lane * 16 + $0) % 320 })
            }
            losses.append(try replicas.step(batches))
        }
        #expect(hasHalved(losses), "\(losses)")
        // A gradient there, the weights back: what they take as messages.
        let message = Difference.dense(replicas.server.parameters).borsh.count
        #expect(replicas.bytesEachStep == 2 * message && message > 4 * 61_706)
    }

    @Test func oneReplicaIsCentralTraining() throws {
        let plan = plan()
        let samples = try plan.evaluationSamples(syntheticImages(count: 64, key: 5))
        for mode in Replicas.Mode.allCases {
            var network = try Network(plan.model, seed: plan.seed)
            var replicas = Replicas(mode: mode, count: 1, network: network, optimiser: try plan.optimiser)
            for step in 0..<3 {
                let batch = try samples.batch(step * 16..<(step + 1) * 16)
                _ = try network.train(batch.inputs, labels: batch.labels, optimiser: plan.optimiser)
                _ = try replicas.step([batch])
            }
            #expect(replicas.server == network)
        }
    }

    @Test func anEarlyCutGivesAwayMoreThanALateOne() throws {
        let plan = plan()
        let images = try syntheticImages(count: 300, key: 6)
        let network = try Network(plan.model, seed: plan.seed)
        func pixels(_ images: ImageSet) -> [[Float]] {
            (0..<images.count).map { index in
                images.pixels[index * images.stride..<(index + 1) * images.stride].map { Float($0) / 255 }
            }
        }
        let (known, wanted) = (try images.select(0..<250), try images.select(250..<300))
        func explained(_ cut: Int, noise: Float) throws -> Double {
            var attack = ReconstructionAttack(model: network, cut: cut, noise: noise, seed: testSeed)
            attack.hidden = 32
            return try attack.run(
                known: plan.evaluationSamples(known), knownPixels: pixels(known),
                wanted: plan.evaluationSamples(wanted), wantedPixels: pixels(wanted)
            ).explained
        }
        let early = try explained(3, noise: 0)
        #expect(early > 0.2, "\(early)")
        #expect(try explained(11, noise: 0) < early)
        #expect(try explained(3, noise: 3) < early)
        #expect(ReconstructionAttack.cuts(of: plan.model) == [2, 3, 5, 6, 9, 11])
    }
}
