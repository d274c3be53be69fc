import Cryptography
import Tensor
import Testing
import Training

/// What absent, late, confused and hostile participants can do to a round: nothing but be left out.
@Suite(.timeLimit(.minutes(20))) struct RoundFaultTests {
    private let checkpoint: Checkpoint
    private let data: Dataset

    init() throws {
        checkpoint = try .initial(seed: testSeed)
        data = try syntheticDataset(count: 60, key: 7)
    }

    private func edge(_ index: UInt16, steps: UInt32 = 2) throws -> EdgeRound {
        try EdgeRound(
            plan: testPlan(steps: steps), index: index, front: checkpoint.front, shard: data.shard(Int(index), of: 3))
    }

    private func activation(_ edge: inout EdgeRound, _ event: EdgeRound.Event = .start) throws -> ActivationMessage {
        guard case .send(.activation(let message)) = try edge.handle(event).first else { throw DriverFailure.stalled }
        return message
    }

    private func gradients(_ actions: [CloudRound.Action]) -> [UInt16: GradientMessage] {
        var found: [UInt16: GradientMessage] = [:]
        for case .send(let edge, .gradient(let message)) in actions { found[edge] = message }
        return found
    }

    @Test func theRoundGoesOnWithoutAMissingEdge() throws {
        var cloud = try CloudRound(plan: testPlan(steps: 2), edges: [2, 0, 1], quorum: 2, checkpoint: checkpoint)
        var (zero, one, two) = (try edge(0), try edge(1), try edge(2))
        #expect(try cloud.handle(.activation(from: 2, activation(&two))).isEmpty)
        #expect(try cloud.handle(.activation(from: 0, activation(&zero))).isEmpty)
        #expect(cloud.awaited == [1])
        #expect(try cloud.handle(.timedOut(step: 1)).isEmpty, "a stale timer")
        let actions = try cloud.handle(.timedOut(step: 0))
        #expect(actions.first == .dropped(1))
        let answers = gradients(actions)
        #expect(answers.keys.sorted() == [0, 2])
        #expect(cloud.step == 1)
        // Too late now.
        #expect(try cloud.handle(.activation(from: 1, activation(&one))) == [.refuse(from: 1, .notInRound)])

        for (index, machine) in [(UInt16(0), zero), (2, two)] {
            var machine = machine
            let gradient = try #require(answers[index])
            let next = try activation(&machine, .gradient(gradient))
            _ = try cloud.handle(.activation(from: index, next))
        }
        #expect(cloud.step == 2)
        // Nobody sends a difference: below the quorum the round starves, and stays so.
        #expect(try cloud.handle(.timedOut(step: 2)) == [.dropped(0), .dropped(2), .starved])
        #expect(try cloud.handle(.timedOut(step: 2)).isEmpty)
        #expect(throws: TrainingError.self) { try cloud.result() }
    }

    @Test func badActivationsAreRefusedAndStillOwed() throws {
        var cloud = try CloudRound(plan: testPlan(steps: 2), edges: [0, 1], quorum: 1, checkpoint: checkpoint)
        var zero = try edge(0)
        let good = try activation(&zero)
        func variant(
            round: UInt32 = 0, step: UInt32 = 0, boundary: FloatTensor? = nil, labels: [UInt8]? = nil
        ) -> ActivationMessage {
            ActivationMessage(
                round: round, step: step, boundary: boundary ?? good.boundary, labels: labels ?? good.labels)
        }
        func poisoned(_ value: Float) throws -> FloatTensor {
            var elements = good.boundary.elements
            elements[77] = value
            return try FloatTensor(shape: good.boundary.shape, elements: elements)
        }
        let short = try good.boundary.slice(samples: 0..<7)
        let expected: [(ActivationMessage, Refusal)] = [
            (variant(round: 1), .wrongRound(expected: 0, found: 1)),
            (variant(step: 1), .wrongStep(expected: 0, found: 1)),
            (variant(boundary: short), .wrongShape(expected: [8, 6, 14, 14], found: [7, 6, 14, 14])),
            (variant(labels: Array(good.labels.dropLast())), .labels),
            (variant(labels: good.labels.dropLast() + [10]), .labels),
            (variant(boundary: try poisoned(.nan)), .values),
            (variant(boundary: try poisoned(.infinity)), .values),
            (variant(boundary: try poisoned(-0.5)), .values),
            (variant(boundary: try poisoned(1e9)), .values),
        ]
        for (message, refusal) in expected {
            #expect(try cloud.handle(.activation(from: 0, message)) == [.refuse(from: 0, refusal)])
        }
        #expect(try cloud.handle(.activation(from: 9, good)) == [.refuse(from: 9, .notInRound)])
        let update = try FrontUpdate(from: checkpoint.front, to: checkpoint.front)
        let early = FrontDifferenceMessage(round: 0, step: 2, update: update)
        #expect(try cloud.handle(.difference(from: 0, early))
            == [.refuse(from: 0, .wrongStep(expected: 0, found: 2))])
        #expect(cloud.awaited == [0, 1])
        #expect(try cloud.handle(.activation(from: 0, good)).isEmpty)
        #expect(try cloud.handle(.activation(from: 0, good)) == [.refuse(from: 0, .duplicate)])
    }

    @Test func anEdgeSurvivesBadAnswers() throws {
        var machine = try edge(0, steps: 1)
        let sent = try activation(&machine)
        let zero = try FloatTensor(shape: sent.boundary.shape, repeating: 0)
        let huge = try FloatTensor(shape: sent.boundary.shape, repeating: 1e30)
        let update = try FrontUpdate(from: checkpoint.front, to: checkpoint.front)
        let bad: [EdgeRound.Event] = [
            .start,
            .gradient(GradientMessage(round: 1, step: 0, gradient: zero, loss: 1)),
            .gradient(GradientMessage(round: 0, step: 1, gradient: zero, loss: 1)),
            .gradient(GradientMessage(round: 0, step: 0, gradient: try zero.slice(samples: 0..<1), loss: 1)),
            .gradient(GradientMessage(round: 0, step: 0, gradient: huge, loss: 1)),
            .gradient(GradientMessage(round: 0, step: 0, gradient: zero, loss: .nan)),
            .average(FrontAverageMessage(round: 0, step: 1, update: update)),
        ]
        for event in bad {
            #expect(throws: TrainingError.self) { try machine.handle(event) }
            #expect(machine.phase == .gradient(step: 0))
        }
        let wild = GradientMessage(round: 0, step: 0, gradient: huge, loss: 1)
        #expect(throws: TrainingError.refused(.values), "not only where it spoils the weights at once") {
            try machine.handle(.gradient(wild))
        }
        let good = try machine.handle(.gradient(GradientMessage(round: 0, step: 0, gradient: zero, loss: 1)))
        guard case .send(.frontDifference(let difference)) = good.first else { throw DriverFailure.stalled }
        // No gradient, no velocity: the front stays.
        #expect(difference.update == update)
        let average = EdgeRound.Event.average(FrontAverageMessage(round: 0, step: 1, update: update))
        #expect(throws: TrainingError.commitmentsMissing(expected: 2, found: 0)) { try machine.handle(average) }
        _ = try machine.handle(.sent(Digest(sha256: [1])))
        _ = try machine.handle(.sent(Digest(sha256: [2])))
        #expect(throws: TrainingError.self) { try machine.handle(.sent(Digest(sha256: [3]))) }
        // What is beyond anything that training does would only show later.
        var moved = checkpoint.front.parameters
        moved[7] += 100_000
        let far = try checkpoint.front.replacing(parameters: moved, velocities: checkpoint.front.velocities)
        let leap = FrontAverageMessage(round: 0, step: 1, update: try FrontUpdate(from: checkpoint.front, to: far))
        #expect(throws: TrainingError.refused(.values)) { try machine.handle(.average(leap)) }
        guard case .finished(let result, let front) = try machine.handle(average).first else {
            throw DriverFailure.stalled
        }
        #expect(front.digest == result.artifact)
        #expect(machine.phase == .finished)
    }

    @Test func invalidPlansAreRefused() throws {
        let optimiser = try LeNet5.optimiser(learningRateMicro: 20_000)
        for (steps, batch) in [(UInt32(0), 8), (1 << 17, 8), (1, 0), (1, 1025), (1, -1)] {
            #expect(throws: TrainingError.self) {
                try RoundPlan(seed: testSeed, round: 0, steps: steps, batchSize: batch, optimiser: optimiser)
            }
        }
        #expect(throws: TensorError.self) { try LeNet5.optimiser(learningRateMicro: 0) }
        for (edges, quorum) in [([], 1), ([1, 1], 1), ([0, 1], 3), ([0, 1], 0)] as [([UInt16], Int)] {
            #expect(throws: TrainingError.self) {
                try CloudRound(plan: testPlan(), edges: edges, quorum: quorum, checkpoint: checkpoint)
            }
        }
        let empty = try Dataset(pixels: [], labels: [])
        #expect(throws: TrainingError.emptyDataset) {
            try EdgeRound(plan: testPlan(), index: 0, front: checkpoint.front, shard: empty)
        }
        #expect(throws: TrainingError.emptyDataset) { try checkpoint.evaluate(on: empty) }
    }
}
