import Tensor

/// What boundary values give away: an attacker who has samples of the same kind, and the front, trains a decoder that
/// goes from the values at the cut back to the pixels.
public struct ReconstructionAttack: Sendable {
    public struct Result: Sendable {
        /// How many values cross the cut, for one sample.
        public let values: Int
        /// The mean squared error of a pixel (0 to 1), and that of always guessing the mean picture.
        public let error: Double
        public let baseline: Double
        /// Of the model that gets the values with the noise on them.
        public let accuracy: Double
        /// The first reconstructions, pixel by pixel.
        public let pictures: [[Float]]

        /// The share of the pixels' variance that the decoder explains: 1 is a perfect picture, 0 the mean picture.
        public var explained: Double { baseline > 0 ? 1 - error / baseline : 0 }
    }

    public let model: Network
    public let cut: Int
    /// The standard deviation of the noise on the boundary values, in units of theirs.
    public let noise: Float
    public let seed: JobSeed
    public var hidden = 128
    public var epochs = 8
    public var batch = 32
    public var threads = 1

    /// - Parameter model: a whole network.
    public init(model: Network, cut: Int, noise: Float, seed: JobSeed) {
        self.model = model
        self.cut = cut
        self.noise = noise
        self.seed = seed
    }

    /// The places at which a model can be cut: behind an activation or a pooling, with parameters on both sides.
    public static func cuts(of spec: ModelSpec) -> [Int] {
        (1..<max(spec.layers.count, 1)).filter { cut in
            let candidate = ModelSpec(input: spec.input, layers: spec.layers, classes: spec.classes, cut: cut)
            guard candidate.problem == nil else { return false }
            switch spec.layers[cut - 1] {
            case .activation, .averagePooling, .maximumPooling: return true
            case .convolution, .dense, .flatten: return false
            }
        }
    }

    /// - Parameters:
    ///   - known: the attacker's own samples, as the model takes them, and their pixels in 0...1.
    ///   - wanted: those that it has not seen.
    public func run(
        known: FeatureSet, knownPixels: [[Float]], wanted: FeatureSet, wantedPixels: [[Float]], pictures: Int = 8
    ) throws(TrainingError) -> Result {
        let spec = ModelSpec(
            input: model.spec.input, layers: model.spec.layers, classes: model.spec.classes, cut: cut)
        let (front, back) = try Network(spec, parameters: model.parameters, velocities: nil).split()
        guard let pixels = knownPixels.first?.count, knownPixels.count == known.count,
            wantedPixels.count == wanted.count, wantedPixels.allSatisfy({ $0.count == pixels }), known.count > 0
        else { throw .emptyDataset }
        let values = front.outputShape.reduce(1, *)
        // The last layer only makes it a model; the front is the decoder.
        let decoderSpec = ModelSpec(
            input: [values],
            layers: [
                .dense(DenseLayer(name: "hidden", units: hidden)), .activation(.relu),
                .dense(DenseLayer(name: "pixels", units: pixels)), .dense(DenseLayer(name: "unused", units: 2)),
            ], classes: 2, cut: 3)
        var decoder = try Network(decoderSpec, part: .front, seed: seed)
        var average = [Double](repeating: 0, count: pixels)
        for picture in knownPixels { for pixel in 0..<pixels { average[pixel] += Double(picture[pixel]) } }
        for pixel in 0..<pixels { average[pixel] /= Double(knownPixels.count) }
        // It starts with the mean picture: no weights to the pixels, and that as their bias.
        var initial = decoder.parameters
        let outputs = initial.count - pixels * (hidden + 1)
        for index in outputs..<initial.count - pixels { initial[index] = 0 }
        for pixel in 0..<pixels { initial[initial.count - pixels + pixel] = Float(average[pixel]) }
        let velocities = [Float](repeating: 0, count: initial.count)
        decoder = try computing { () throws(TensorError) in
            try decoder.replacing(parameters: initial, velocities: velocities)
        }

        let seen = try boundary(front, known, stream: 0)
        let centre = Self.centre(seen, width: values)
        let deviation = Self.moments(seen).deviation
        func scaled(_ sample: ArraySlice<Float>) -> ArraySlice<Float> {
            zip(sample, centre).map { ($0 - $1) / deviation }[...]
        }
        // Curvature grows with the number of inputs; the step shrinks with it.
        let rate = min(0.01, 1.5 / Float(values))
        let optimiser = try computing { () throws(TensorError) in try MomentumSGD(learningRate: rate, momentum: 0.9) }
        for epoch in 0..<UInt32(epochs) {
            var order = RandomStream(key: seed.key(for: "edgeproof/attack/1"), step: epoch)
            let indices = order.choose(known.count, of: known.count)
            for start in Swift.stride(from: 0, to: indices.count, by: batch) {
                let part = indices[start..<min(start + batch, indices.count)]
                let input = try tensor(part.map { scaled(seen[($0 * values)..<($0 + 1) * values]) }, width: values)
                let current = decoder
                let pass = try computing { () throws(TensorError) in try current.forward(input, threads: threads) }
                var gradient = pass.output.elements
                for (row, index) in part.enumerated() {
                    for pixel in 0..<pixels {
                        gradient[row * pixels + pixel] =
                            (gradient[row * pixels + pixel] - knownPixels[index][pixel]) / Float(part.count)
                    }
                }
                do {
                    try decoder.step(
                        pass, outputGradient: FloatTensor(shape: pass.output.shape, elements: gradient),
                        optimiser: optimiser, threads: threads)
                } catch { throw .tensor(error) }
            }
        }
        guard decoder.isFinite else { throw .diverged(step: 0) }

        let heard = try boundary(front, wanted, stream: 1)
        var (error, baseline, correct) = (0.0, 0.0, 0)
        var shown: [[Float]] = []
        for index in 0..<wanted.count {
            let own = heard[(index * values)..<(index + 1) * values]
            let input = try tensor([scaled(own)], width: values)
            let picture = try computing { () throws(TensorError) in try decoder.forward(input).output.elements }
            for pixel in 0..<pixels {
                let truth = Double(wantedPixels[index][pixel])
                let miss = Double(min(max(picture[pixel], 0), 1)) - truth
                error += miss * miss
                baseline += (average[pixel] - truth) * (average[pixel] - truth)
            }
            if shown.count < pictures { shown.append(picture.map { min(max($0, 0), 1) }) }
            let boundary = Array(own)
            let logits = try computing { () throws(TensorError) in
                try back.forward(FloatTensor(shape: [1] + front.outputShape, elements: boundary)).output.elements
            }
            let best = logits.indices.max { logits[$0] < logits[$1] } ?? 0
            correct += best == Int(wanted.labels[index]) ? 1 : 0
        }
        let count = Double(wanted.count * pixels)
        return Result(
            values: values, error: error / count, baseline: baseline / count,
            accuracy: Double(correct) / Double(wanted.count), pictures: shown)
    }

    /// All values at the cut, with the noise on them.
    private func boundary(_ front: Network, _ samples: FeatureSet, stream: UInt32) throws(TrainingError) -> [Float] {
        var values: [Float] = []
        for start in Swift.stride(from: 0, to: samples.count, by: 128) {
            let (inputs, _) = try samples.batch(start..<min(start + 128, samples.count))
            values += try computing { () throws(TensorError) in
                try front.forward(inputs, threads: threads).output.elements
            }
        }
        guard noise > 0 else { return values }
        let deviation = Self.moments(values).deviation * noise
        var gaussian = GaussianStream(RandomStream(key: seed.key(for: "edgeproof/attack-noise/1"), worker: stream))
        return values.map { $0 + deviation * gaussian.next() }
    }

    private func tensor(_ rows: [ArraySlice<Float>], width: Int) throws(TrainingError) -> FloatTensor {
        try computing { () throws(TensorError) in
            try FloatTensor(shape: [rows.count, width], elements: rows.flatMap { Array($0) })
        }
    }

    /// The mean of each value over all samples.
    private static func centre(_ values: [Float], width: Int) -> [Float] {
        var sum = [Double](repeating: 0, count: width)
        for (index, value) in values.enumerated() { sum[index % width] += Double(value) }
        return sum.map { Float($0 / Double(max(values.count / max(width, 1), 1))) }
    }

    private static func moments(_ values: [Float]) -> (mean: Float, deviation: Float) {
        let mean = values.reduce(0.0) { $0 + Double($1) } / Double(max(values.count, 1))
        let square = values.reduce(0.0) { $0 + (Double($1) - mean) * (Double($1) - mean) } / Double(max(values.count, 1))
        return (Float(mean), max(Float(square.squareRoot()), 1e-6))
    }
}
