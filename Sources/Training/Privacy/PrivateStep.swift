public import Cryptography
public import Tensor

/// Differentially private SGD (Abadi et al., 2016): each sample's gradient is scaled down to a norm of at most `C`, their
/// sum gets normal noise of deviation `noiseMultiplier * C` in every entry, and is divided by the expected batch size.
///
/// Who is in a step is drawn for each sample on its own, as the accountant assumes. Draws and noise come from the
/// worker's secret: with a public seed the receiver could take the noise off, or know who was in.
public struct PrivateStep: Sendable {
    private let clipNorm: Float
    private let deviation: Float
    private var choice: SecretStream
    private var noise: GaussianStream<SecretStream>

    public init(plan: PrivacyPlan, secret: SecretSeed) throws(TrainingError) {
        if let problem = plan.problem { throw .invalidPlan(problem) }
        clipNorm = Float(plan.clipNorm) / 1_000_000
        deviation = clipNorm * Float(plan.noiseMultiplier) / 1_000_000
        choice = SecretStream(secret.derived(for: "edgeproof/private-choice/1"))
        noise = GaussianStream(SecretStream(secret.derived(for: "edgeproof/private-noise/1")))
    }

    /// One step; gives the mean loss of the samples that were drawn (0 when none were).
    public mutating func take(
        _ network: inout Network, samples: FeatureSet, batchSize: Int, optimiser: MomentumSGD, threads: Int = 1
    ) throws(TrainingError) -> Double {
        // A 32-bit word is below this with the probability batch / samples; 2^32 for all.
        let bound = UInt64(Double(min(batchSize, samples.count)) / Double(max(samples.count, 1)) * 0x1p32)
        var sum = [Float](repeating: 0, count: network.parameterCount)
        var (loss, drawn) = (0.0, 0)
        for index in 0..<samples.count where UInt64(choice.nextWord()) < bound {
            let (input, label) = try samples.batch(CollectionOfOne(index))
            let current = network
            let (gradient, sampleLoss) = try computing { () throws(TensorError) in
                let pass = try current.forward(input, threads: threads)
                let loss = try SoftmaxCrossEntropy.evaluate(logits: pass.output, labels: label)
                return (
                    try current.gradient(pass, outputGradient: loss.gradient, threads: threads).parameters,
                    loss.meanLoss
                )
            }
            Self.addClipped(gradient, to: &sum, norm: clipNorm)
            loss += sampleLoss
            drawn += 1
        }
        let expected = Float(min(batchSize, samples.count))
        for index in sum.indices { sum[index] = (sum[index] + deviation * noise.next()) / expected }
        let gradient = sum
        do { try network.apply(gradient: gradient, optimiser: optimiser) } catch { throw .tensor(error) }
        return drawn > 0 ? loss / Double(drawn) : 0
    }

    /// Adds a gradient, scaled down where its norm is above the bound. One that is not finite adds nothing: it would
    /// tell of its sample without bound.
    package static func addClipped(_ gradient: [Float], to sum: inout [Float], norm: Float) {
        let length = Float(RobustMean.squaredNorm(gradient).squareRoot())
        guard length.isFinite else { return }
        let factor = length > norm ? norm / length : 1
        for index in 0..<min(sum.count, gradient.count) { sum[index] += gradient[index] * factor }
    }
}
