import Encoding
public import Tensor

/// Split learning in one place, for any model with a cut, both joins and every precision: the arithmetic of the round
/// machines without their envelopes. Experiments run on it; each half sees of the other nothing but bytes.
public enum SplitLearning {
    /// One edge: the front and its own samples.
    public struct Edge: Sendable {
        public private(set) var front: Network
        private let precision: BoundaryPrecision
        private let optimiser: MomentumSGD
        private let threads: Int
        private var pass: Network.Pass?

        public init(plan: TrainingPlan, front: Network, threads: Int = 1) throws(TrainingError) {
            self.front = front
            precision = plan.boundary
            optimiser = try plan.optimiser
            self.threads = threads
        }

        /// Boundary values and labels, as they travel: the boundary (``BoundaryCodec``), then the labels.
        public mutating func forward(_ inputs: FloatTensor, labels: [UInt8]) throws(TrainingError) -> [UInt8] {
            let (front, threads) = (front, threads)
            let pass = try computing { () throws(TensorError) in try front.forward(inputs, threads: threads) }
            self.pass = pass
            return SplitLearning.boundaryMessage(pass.output, labels: labels, precision: precision)
        }

        /// A step down the gradient that came back.
        public mutating func backward(_ bytes: [UInt8]) throws(TrainingError) {
            guard let pass else { throw .unexpectedEvent("a gradient, while none is awaited") }
            let gradient = try SplitLearning.decode(bytes) { (decoder: inout BorshDecoder) throws(BorshError) in
                try decoder.boundary().tensor
            }
            self.pass = nil
            do {
                try front.step(pass, outputGradient: gradient, optimiser: optimiser, threads: threads)
            } catch { throw .tensor(error) }
            guard front.isFinite else { throw .diverged(step: 0) }
        }

        /// Takes the mean of the edges' fronts.
        public mutating func adopt(_ front: Network) { self.front = front }
    }

    /// The cloud: the back.
    public struct Cloud: Sendable {
        public private(set) var back: Network
        private let plan: TrainingPlan
        private let optimiser: MomentumSGD
        private let threads: Int

        public init(plan: TrainingPlan, back: Network, threads: Int = 1) throws(TrainingError) {
            self.plan = plan
            self.back = back
            optimiser = try plan.optimiser
            self.threads = threads
        }

        /// Joins what the edges sent, takes a step, and gives each edge its gradient.
        ///
        /// An edge's gradient is that of the mean loss over its own samples (concatenation) or over the common ones
        /// (weighted sum, with equal weights), times the number of edges: so the mean of the fronts moves as one front
        /// would that all edges share.
        public mutating func step(_ messages: [[UInt8]]) throws(TrainingError) -> (answers: [[UInt8]], loss: Double) {
            var parts: [FloatTensor] = []
            var labels: [[UInt8]] = []
            for message in messages {
                let (tensor, names) = try SplitLearning.decode(message) { (decoder: inout BorshDecoder) throws(BorshError) in
                    (try decoder.boundary().tensor, try decoder.variable(limit: RoundPlan.maximumBatch))
                }
                parts.append(tensor)
                labels.append(names)
            }
            let joined = try SplitLearning.join(parts, by: plan.join)
            let names: [UInt8]
            switch plan.join {
            case .concatenation: names = labels.flatMap { $0 }
            case .weightedSum:
                guard let first = labels.first, labels.allSatisfy({ $0 == first }) else { throw .refused(.labels) }
                names = first
            }
            let (current, threads) = (back, threads)
            let (pass, loss) = try computing { () throws(TensorError) in
                let pass = try current.forward(joined, threads: threads)
                return (pass, try SoftmaxCrossEntropy.evaluate(logits: pass.output, labels: names))
            }
            let gradient: FloatTensor?
            do {
                gradient = try back.step(
                    pass, outputGradient: loss.gradient, optimiser: optimiser, wantsInputGradient: true,
                    threads: threads)
            } catch { throw .tensor(error) }
            guard let gradient, loss.meanLoss.isFinite, gradient.isFinite, back.isFinite else { throw .diverged(step: 0) }
            var answers: [[UInt8]] = []
            var start = 0
            for part in parts {
                let own: FloatTensor
                switch plan.join {
                case .concatenation:
                    let range = start..<start + part.samples
                    own = try computing { () throws(TensorError) in
                        try gradient.slice(samples: range).scaled(by: Float(parts.count))
                    }
                    start += part.samples
                // The weight 1 / edges and the factor of edges cancel.
                case .weightedSum: own = gradient
                }
                var encoder = BorshEncoder(reserving: 4 * own.count + 64)
                encoder.boundary(own, as: plan.boundary)
                answers.append(encoder.bytes)
            }
            return (answers, loss.meanLoss)
        }
    }

    /// One batch after the other, or their mean (a weighted sum with equal weights), in the order given.
    public static func join(_ parts: [FloatTensor], by join: Join) throws(TrainingError) -> FloatTensor {
        try computing { () throws(TensorError) in
            switch join {
            case .concatenation: try FloatTensor.concatenate(parts)
            case .weightedSum: try FloatTensor.mean(parts)
            }
        }
    }

    /// The mean of the edges' fronts, velocities included, in the order given.
    public static func mean(_ fronts: [Network]) throws(TrainingError) -> Network {
        guard let first = fronts.first else { throw .emptyDataset }
        let parameters = RobustMean.mean(fronts.map(\.parameters))
        let velocities = first.hasMomentum ? RobustMean.mean(fronts.compactMap(\.velocities)) : nil
        return try computing { () throws(TensorError) in
            try first.replacing(parameters: parameters, velocities: velocities)
        }
    }

    /// What edge `index` of `count` sees of images `[N, C, H, W]`: its band of rows; everything else is `blank`.
    public static func view(_ images: FloatTensor, edge index: Int, of count: Int, blank: Float) throws(TrainingError) -> FloatTensor {
        let shape = images.shape
        guard shape.count == 4, count >= 1, (0..<count).contains(index) else {
            throw .invalidPlan("there is no part \(index) of \(count) of samples of shape \(shape)")
        }
        let (height, width) = (shape[2], shape[3])
        let rows = height * index / count..<height * (index + 1) / count
        var elements = [Float](repeating: blank, count: images.count)
        for plane in 0..<shape[0] * shape[1] {
            for row in rows {
                let start = (plane * height + row) * width
                for column in start..<start + width { elements[column] = images.elements[column] }
            }
        }
        return try computing { () throws(TensorError) in try FloatTensor(shape: shape, elements: elements) }
    }

    private static func decode<Value>(
        _ bytes: [UInt8], _ body: (inout BorshDecoder) throws(BorshError) -> Value
    ) throws(TrainingError) -> Value {
        do throws(BorshError) {
            var decoder = BorshDecoder(bytes)
            let value = try body(&decoder)
            try decoder.finish()
            return value
        } catch {
            throw .refused(.malformed("\(error)"))
        }
    }
}

extension SplitLearning {
    /// What an edge sends in a step: the boundary (``BoundaryCodec``), then the labels.
    public static func boundaryMessage(
        _ boundary: FloatTensor, labels: [UInt8], precision: BoundaryPrecision
    ) -> [UInt8] {
        var encoder = BorshEncoder(reserving: 4 * boundary.count + labels.count + 64)
        encoder.boundary(boundary, as: precision)
        encoder.variable(labels)
        return encoder.bytes
    }
}
