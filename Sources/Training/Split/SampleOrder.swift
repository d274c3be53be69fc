import Tensor

/// Which samples of its shard an edge takes, step by step.
///
/// It goes through the shard again and again, each time in another random order, and without a gap from round to round:
/// so each sample is met once in a pass, as in training anywhere else. (Draws with replacement would leave out more than
/// a third of the samples in every pass.) Of all samples that the edge takes in a job, number `n` (from 0; step `s` of
/// round `r` has those from `(r * steps + s) * batch` on) is at place `n mod count` of pass `n / count`. The order of a
/// pass is drawn from the stream keyed by the job's seed, the pass and the edge's place in the roster. For a weighted
/// sum all edges draw as the first does: they see parts of the same samples.
public struct SampleOrder: Sendable {
    private let plan: RoundPlan
    private let worker: UInt32
    private let count: Int
    /// The pass that was drawn last: steps that follow each other mostly lie in the same one.
    private var pass: (number: Int, order: [Int])?

    /// - Parameter count: samples of the shard.
    public init(plan: RoundPlan, edge: UInt16, count: Int) {
        self.plan = plan
        worker = plan.join == .weightedSum ? 0 : UInt32(edge)
        self.count = count
    }

    /// The positions of a step's samples; none of a shard without any.
    public mutating func indices(step: UInt32) -> [Int] {
        guard count > 0 else { return [] }
        // 32 bits of rounds, 16 of steps and 10 of a batch are far from 63.
        let first = (Int(plan.round) * Int(plan.steps) + Int(step)) * plan.batchSize
        return (first..<first + plan.batchSize).map { number in
            let (passNumber, place) = number.quotientAndRemainder(dividingBy: count)
            return order(of: passNumber)[place]
        }
    }

    private mutating func order(of number: Int) -> [Int] {
        if let pass, pass.number == number { return pass.order }
        var stream = RandomStream(
            key: plan.seed.key(for: "edgeproof/split-order/1"), round: UInt32(truncatingIfNeeded: number), worker: worker)
        let order = stream.choose(count, of: count)
        pass = (number, order)
        return order
    }
}
