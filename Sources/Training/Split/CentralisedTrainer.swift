import Tensor

/// The baseline: the whole network trained in one place, without messages.
///
/// It draws the batches of one edge (place 0). A split job with that single edge ends every round with the same bits.
public struct CentralisedTrainer: Sendable {
    public private(set) var checkpoint: Checkpoint
    private let data: Dataset
    private let threads: Int

    public init(checkpoint: Checkpoint, data: Dataset, threads: Int = 1) throws(TrainingError) {
        guard data.count > 0 else { throw .emptyDataset }
        self.checkpoint = checkpoint
        self.data = data
        self.threads = threads
    }

    /// Trains one round and returns its mean loss.
    ///
    /// At the round's end the front is its start plus the rounded difference, as when a difference travels: in floating
    /// point, `a + (b - a)` need not be `b`.
    public mutating func train(_ plan: RoundPlan) throws(TrainingError) -> Double {
        var front = checkpoint.front
        var back = checkpoint.back
        var total = 0.0
        var order = SampleOrder(plan: plan, edge: 0, count: data.count)
        for step in 0..<plan.steps {
            let (images, labels) = try data.batch(order.indices(step: step))
            total += try computing { () throws(TensorError) in
                let pass = try front.forward(images, threads: threads)
                let backPass = try back.forward(pass.output, threads: threads)
                let loss = try SoftmaxCrossEntropy.evaluate(logits: backPass.output, labels: labels)
                if let gradient = try back.step(
                    backPass, outputGradient: loss.gradient, optimiser: plan.optimiser, wantsInputGradient: true,
                    threads: threads)
                {
                    try front.step(pass, outputGradient: gradient, optimiser: plan.optimiser, threads: threads)
                }
                return loss.meanLoss
            }
            guard total.isFinite, front.isFinite, back.isFinite else { throw .diverged(step: step) }
        }
        let start = checkpoint.front
        let merged = try computing { () throws(TensorError) in
            try start.applying(.mean([FrontUpdate(from: start, to: front)]))
        }
        checkpoint = Checkpoint(front: merged, back: back)
        return total / Double(plan.steps)
    }
}
