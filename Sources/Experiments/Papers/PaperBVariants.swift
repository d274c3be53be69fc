import Training

extension PaperB {
    /// One way to run the same job otherwise: what the paper's related work and outlook ask for.
    package struct Variant: Sendable {
        package let name: String
        let change: @Sendable (inout TrainingPlan) -> Void

        package static let all: [Variant] = [
            Variant(name: "weights at the end of the epoch (our reading)") { _ in },
            Variant(name: "mean of each weight over the epoch (the other reading)") { $0.passed = .epochMean },
            Variant(name: "the largest 10 % of each difference") { $0.sharedFraction = 100_000 },
            Variant(name: "the largest 1 % of each difference") { $0.sharedFraction = 10_000 },
            Variant(name: "random projection to 512 values") {
                $0.device.projection = 512
                $0.model = PaperModels.fogMLP(input: [512])
            },
            Variant(name: "trimmed mean, 20 %") { $0.aggregation = .trimmed(200_000) },
            Variant(name: "median") { $0.aggregation = .median },
            Variant(name: "Krum, 1 malicious") { $0.aggregation = .krum(malicious: 1) },
            Variant(name: "secure sum") { $0.aggregation = .secureSum(threshold: 5) },
            Variant(name: "private gradients, noise 1.0, epsilon at most 8") {
                $0.model = ModelSpec(
                    input: $0.model.input,
                    layers: [
                        .flatten, .dense(DenseLayer(name: "fc1", units: 64)), .activation(.relu),
                        .dense(DenseLayer(name: "output", units: 10)),
                    ], classes: 10)
                $0.privacy = PrivacyPlan(
                    clipNorm: 1_000_000, noiseMultiplier: 1_000_000, deltaPico: 10_000_000, epsilonBudget: 8_000_000)
            },
        ]
    }

    /// Small, so that all of them fit: an MLP with a few epochs, the same for every variant. Small batches make enough
    /// steps of them to leave the plateau on which training on house numbers begins.
    func variantRun(_ variant: Variant, nodes: Int) throws -> FogRun {
        var plan = plan(.mlp, seed: 0)
        plan.batchSize = min(plan.batchSize, 16)
        variant.change(&plan)
        if case .secureSum = plan.aggregation { plan.aggregation = .secureSum(threshold: UInt16(nodes / 2 + 1)) }
        let samples = min(settings.samples["mlp"] ?? 4_000, 4_000, data.training.count * 4 / 5)
        return try fogRun(
            plan, model: .mlp, nodes: nodes, seed: 0, samples: samples, validation: min(300, data.training.count / 5),
            epochs: min(settings.epochs["mlp"] ?? 8, 8), variant: variant.name)
    }
}
