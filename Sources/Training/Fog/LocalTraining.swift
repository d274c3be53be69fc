public import Cryptography
public import Tensor

/// What a fog node computes in a round: epochs of SGD over its samples, from the round's common weights.
public struct LocalTraining: Sendable {
    public struct Outcome: Sendable {
        /// Trained weights (or their mean over the epoch, as the plan says) less the start's, in the model's order.
        public let difference: [Float]
        /// Over all steps.
        public let meanLoss: Double
        public let steps: UInt64
    }

    public let plan: TrainingPlan
    public let round: UInt32
    /// The fog node's place in the job, which keys the order of its samples.
    public let place: UInt16
    public let threads: Int
    private let trace: TraceRecorder?

    public init(
        plan: TrainingPlan, round: UInt32, place: UInt16, threads: Int = 1, trace: TraceRecorder? = nil
    ) {
        self.plan = plan
        self.round = round
        self.place = place
        self.threads = threads
        self.trace = trace
    }

    /// Trains from `start` on `samples`. Each epoch meets every sample once, in an order of its own; the last batch may
    /// be short. Velocities start at 0: a round's result depends on nothing but weights and samples.
    ///
    /// With a privacy plan the steps are those of ``PrivateStep``: `account` must be there, is charged for each step,
    /// and ends the training with `budgetSpent` *before* a step that would go over the budget.
    ///
    /// - Parameter secret: what private noise comes from.
    public func run(
        from start: Network, samples: FeatureSet, account: inout PrivacyAccountant?, secret: SecretSeed
    ) throws(TrainingError) -> Outcome {
        guard samples.count > 0 else { throw .emptyDataset }
        let optimiser = try plan.optimiser
        var network = try computing { () throws(TensorError) in
            try start.replacing(
                parameters: start.parameters,
                velocities: optimiser.momentum > 0 ? [Float](repeating: 0, count: start.parameterCount) : nil)
        }
        var privateStep = try plan.privacy.map { plan throws(TrainingError) in
            try PrivateStep(
                plan: plan, secret: secret.derived(for: "edgeproof/private-step/1", round.littleEndianBytes))
        }
        let batch = Int(plan.batchSize)
        let perEpoch = (samples.count + batch - 1) / batch
        var sum = [Double](repeating: 0, count: plan.passed == .epochMean ? network.parameterCount : 0)
        var (loss, steps, summed) = (0.0, UInt64(0), 0.0)
        for epoch in 0..<UInt32(plan.localEpochs) {
            var stream = RandomStream(
                key: plan.seed.key(for: "edgeproof/fog-order/1"), round: round, worker: UInt32(place), step: epoch)
            let order = privateStep == nil ? stream.choose(samples.count, of: samples.count) : []
            for step in 0..<perEpoch {
                if privateStep != nil, let privacy = plan.privacy {
                    let spent = account?.epsilon(delta: privacy.delta, further: 1) ?? .infinity
                    guard spent <= privacy.epsilon else {
                        throw .budgetSpent(spent: spent, budget: privacy.epsilon)
                    }
                    account?.step()
                    let mean = try privateStep?.take(
                        &network, samples: samples, batchSize: batch, optimiser: optimiser, threads: threads)
                    loss += mean ?? 0
                } else {
                    let part = order[step * batch..<min((step + 1) * batch, order.count)]
                    let (inputs, labels) = try samples.batch(part)
                    loss += try computing { () throws(TensorError) in
                        try network.train(inputs, labels: labels, optimiser: optimiser, threads: threads, trace: trace)
                            .meanLoss
                    }
                }
                steps += 1
                guard loss.isFinite else { throw .diverged(step: UInt32(clamping: steps)) }
                if plan.passed == .epochMean, epoch + 1 == UInt32(plan.localEpochs) {
                    for index in sum.indices { sum[index] += Double(network.parameters[index]) }
                    summed += 1
                }
            }
        }
        guard network.parameters.allFinite else { throw .diverged(step: UInt32(clamping: steps)) }
        var difference = start.parameters
        for index in difference.indices {
            let passed = plan.passed == .epochMean ? Float(sum[index] / summed) : network.parameters[index]
            difference[index] = passed - difference[index]
        }
        if let trace {
            trace.begin()
            trace.note(TraceNode(values: difference, each: 4_096))
        }
        return Outcome(difference: difference, meanLoss: loss / Double(max(steps, 1)), steps: steps)
    }
}

extension TrainingPlan {
    public var optimiser: MomentumSGD {
        get throws(TrainingError) {
            try computing { () throws(TensorError) in
                try MomentumSGD(
                    learningRate: Float(learningRate) / 1_000_000, momentum: Float(momentum) / 1_000_000)
            }
        }
    }

    /// Where a fog job starts.
    public func initialNetwork() throws(TrainingError) -> Network {
        try Network(model, seed: seed, hasMomentum: false)
    }
}

extension UInt32 {
    var littleEndianBytes: [UInt8] { (0..<4).map { UInt8(truncatingIfNeeded: self >> (8 * $0)) } }
}

extension Network {
    /// How well a whole network does on samples. The result depends neither on the threads nor on how the work is
    /// batched.
    public func evaluate(on samples: FeatureSet, threads: Int = 1) throws(TrainingError) -> Evaluation {
        guard samples.count > 0 else { throw .emptyDataset }
        var (correct, loss) = (0, 0.0)
        for start in stride(from: 0, to: samples.count, by: 128) {
            let (inputs, labels) = try samples.batch(start..<min(start + 128, samples.count))
            let output = try computing { () throws(TensorError) in
                try SoftmaxCrossEntropy.evaluate(logits: forward(inputs, threads: threads).output, labels: labels)
            }
            correct += output.correct
            loss = output.losses.reduce(loss) { $0 + Double($1) }
        }
        return Evaluation(samples: samples.count, correct: correct, meanLoss: loss / Double(samples.count))
    }

    /// This network with weights moved by a difference.
    public func adding(_ difference: [Float]) throws(TrainingError) -> Network {
        var moved = parameters
        guard difference.count == moved.count else {
            throw .refused(.wrongShape(expected: [moved.count], found: [difference.count]))
        }
        for index in moved.indices { moved[index] += difference[index] }
        return try computing { () throws(TensorError) in try replacing(parameters: moved, velocities: velocities) }
    }
}
