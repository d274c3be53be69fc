public import Cryptography
import Tensor

/// What a device of paper B does before samples leave it: choose a fraction, normalise, add Gaussian noise.
public enum DeviceStep {
    /// The samples that a device hands to its fog node.
    ///
    /// - Parameters:
    ///   - images: the device's own.
    ///   - device: its place in the job, which keys the choice of samples.
    ///   - secret: what the noise comes from. With the job's seed, which everybody knows, the receiver could take the
    ///     noise off again.
    /// - Returns: `ceil(fraction * count)` samples, in the order in which they were drawn.
    public static func samples(
        of images: ImageSet, plan: TrainingPlan, device: UInt32, secret: SecretSeed
    ) throws(TrainingError) -> FeatureSet {
        guard images.count > 0 else { throw .emptyDataset }
        let taken = (images.count * Int(plan.device.fraction) + 999_999) / 1_000_000
        var choice = RandomStream(key: plan.seed.key(for: "edgeproof/device-choice/1"), worker: device)
        let chosen = choice.choose(max(1, taken), of: images.count)
        let features = try images.features(
            of: chosen, input: plan.imageInput(images), normalisation: plan.data.normalisation)
        let blurred = try blur(
            features, deviation: Float(plan.device.noise) / 1_000_000,
            secret: secret.derived(for: "edgeproof/device-noise/1"))
        return try RandomProjection(plan: plan, inputs: blurred.stride)?.apply(blurred) ?? blurred
    }

    /// Adds normal noise of this deviation to every value.
    static func blur(
        _ features: FeatureSet, deviation: Float, secret: SecretSeed
    ) throws(TrainingError) -> FeatureSet {
        guard deviation > 0 else { return features }
        var noise = GaussianStream(SecretStream(secret))
        let values = features.values.map { $0 + deviation * noise.next() }
        return try FeatureSet(shape: features.shape, values: values, labels: features.labels)
    }
}

extension TrainingPlan {
    /// Samples for evaluation: all of them, normalised and projected like a device's, without noise.
    public func evaluationSamples(_ images: ImageSet) throws(TrainingError) -> FeatureSet {
        let features = try images.features(
            of: Array(0..<images.count), input: imageInput(images), normalisation: data.normalisation)
        return try RandomProjection(plan: self, inputs: features.stride)?.apply(features) ?? features
    }

    /// The shape to which images are brought: the model's input, or their own where a projection comes between.
    func imageInput(_ images: ImageSet) -> [Int] {
        device.projection > 0 ? [images.channels, images.height, images.width] : model.input
    }
}
