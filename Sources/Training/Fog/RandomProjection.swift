import Tensor

/// A random projection of samples to fewer dimensions: `y = R x / sqrt(k)` with entries of R that are 1 or -1 (Achlioptas,
/// "Database-friendly random projections", 2003). Distances survive it, pictures do not.
///
/// All participants need the same matrix, so it comes from the job's seed and hides nothing from somebody who solves for
/// the pixels; what protects is that k values can't determine more than k of d.
public struct RandomProjection: Sendable {
    /// Row-major, a row for each input.
    private let matrix: [Float]
    private let inputs: Int
    private let outputs: Int
    private let outputShape: [Int]

    /// Nil when the plan has none.
    init?(plan: TrainingPlan, inputs: Int) throws(TrainingError) {
        guard plan.device.projection > 0 else { return nil }
        try self.init(
            seed: plan.seed, inputs: inputs, outputs: Int(plan.device.projection), outputShape: plan.model.input)
    }

    public init(seed: JobSeed, inputs: Int, outputs: Int, outputShape: [Int]? = nil) throws(TrainingError) {
        let shape = outputShape ?? [outputs]
        guard inputs >= 1, outputs >= 1, shape.reduce(1, *) == outputs else {
            throw .invalidPlan("a projection from \(inputs) to \(outputs) values, for a model that takes \(shape)")
        }
        self.outputShape = shape
        let count: Int
        do { count = try FloatTensor.count(of: [inputs, outputs]) } catch { throw .tensor(error) }
        self.inputs = inputs
        self.outputs = outputs
        var stream = RandomStream(key: seed.key(for: "edgeproof/projection/1"))
        let scale = 1 / Float(outputs).squareRoot()
        var values: [Float] = []
        values.reserveCapacity(count)
        var word: UInt32 = 0
        for index in 0..<count {
            if index % 32 == 0 { word = stream.nextWord() }
            values.append(word & 1 == 1 ? scale : -scale)
            word >>= 1
        }
        matrix = values
    }

    /// `y[k] = sum over i ascending, from 0, of x[i] * R[i, k]`, each product and each sum rounded on its own.
    public func apply(_ features: FeatureSet) throws(TrainingError) -> FeatureSet {
        guard features.stride == inputs else {
            throw .invalidPlan("a projection of \(inputs) values, for samples that have \(features.stride)")
        }
        var projected = [Float](repeating: 0, count: features.count * outputs)
        projected.withUnsafeMutableBufferPointer { target in
            features.values.withUnsafeBufferPointer { source in
                matrix.withUnsafeBufferPointer { rows in
                    for sample in 0..<features.count {
                        for input in 0..<inputs {
                            let value = source[sample * inputs + input]
                            for output in 0..<outputs {
                                target[sample * outputs + output] += value * rows[input * outputs + output]
                            }
                        }
                    }
                }
            }
        }
        return try FeatureSet(shape: outputShape, values: projected, labels: features.labels)
    }
}
