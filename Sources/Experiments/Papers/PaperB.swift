import Cryptography
import Encoding
import Foundation
import Tensor
public import Training

/// Paper B: fog learning. An MLP and a CNN on SVHN (or MNIST), 3, 5 and 7 fog nodes with 6 devices each.
public struct PaperB: Sendable {
    public enum Model: String, Codable, Sendable, CaseIterable {
        case mlp, cnn
        /// Of the user's file.
        case own

        public static let papers: [Model] = [.mlp, .cnn]

        func spec(input: [Int]) -> ModelSpec {
            switch self {
            case .mlp, .own: PaperModels.fogMLP(input: input)
            case .cnn: PaperModels.fogCNN(input: input)
            }
        }
    }

    /// What some fog nodes do wrong: each in each round with this probability.
    public struct Fault: Codable, Sendable, Equatable {
        public enum Kind: String, Codable, Sendable, CaseIterable {
            /// Trains and sends nothing.
            case withhold
            /// Sends its difference backwards, five times as large (``FogDifferenceMessage/poisoned``).
            case poison
            /// Gets one of its numbers wrong, far too little for a validation to see.
            case lie
            /// Sends what another one sent.
            case copy
        }
        public let kind: Kind
        public let share: Double

        public init(kind: Kind, share: Double) {
            self.kind = kind
            self.share = share
        }

        /// As `init(_:)` reads it.
        public var text: String { "\(kind.rawValue):\(share)" }

        /// From `poison:0.2`.
        public init(_ text: String) throws {
            let parts = text.split(separator: ":", omittingEmptySubsequences: false)
            guard parts.count == 2, let kind = Kind(rawValue: String(parts[0])) else {
                throw ExperimentError(
                    "'\(text)' is no fault: write one of \(Kind.allCases.map(\.rawValue).joined(separator: ", ")), a colon and a share, such as poison:0.2")
            }
            guard let share = Double(parts[1]), share > 0, share <= 1 else {
                throw ExperimentError("the share of '\(text)' must be a number above 0 and at most 1")
            }
            self.init(kind: kind, share: share)
        }
    }

    public struct Settings: Codable, Sendable, Equatable {
        public var fogNodes: [Int]
        public var clients: Int
        public var models: [Model]
        /// By the model's name.
        public var epochs: [String: Int]
        /// Samples of all devices together, and of the cloud for validation.
        public var samples: [String: Int]
        public var validation: [String: Int]
        public var testSamples: Int
        public var seeds: Int
        /// Samples of a step, which the paper does not give.
        public var batch: [String: Int]
        public var learningRate: UInt32
        /// How much less accurate, in millionths, a round may make the model and still be accepted. On a few hundred
        /// samples the accuracy of honest rounds goes up and down by two or three points.
        public var epsilonMicro: UInt32
        public var fault: Fault?
        /// Also compare the ways to aggregate, share and protect.
        public var variants: Bool

        public init(fogNodes: [Int] = [3, 5, 7], clients: Int = 6, models: [Model] = Model.papers, seeds: Int = 2) {
            self.fogNodes = fogNodes
            self.clients = clients
            self.models = models
            // About half an hour on two processors, of which the convolutional network takes two thirds.
            epochs = ["mlp": 20, "cnn": 5]
            samples = ["mlp": 8_000, "cnn": 8_000]
            validation = ["mlp": 500, "cnn": 300]
            testSamples = 2_000
            self.seeds = seeds
            batch = ["mlp": 32, "cnn": 16]
            learningRate = 100_000
            epsilonMicro = 50_000
            fault = nil
            variants = true
        }

        /// The paper's own: table 1's shards, 100 and 20 epochs, 50 seeds.
        public static let full: Settings = {
            var settings = Settings(seeds: 50)
            settings.epochs = ["mlp": 100, "cnn": 20]
            settings.samples = ["mlp": 70_000, "cnn": 70_000]
            settings.validation = ["mlp": 10_000, "cnn": 10_000]
            settings.testSamples = 10_000
            return settings
        }()
    }

    public struct FogPoint: Codable, Sendable {
        public let point: TrainingPoint
        /// Of each fog node on its own samples, with its own weights after the epoch; nil for one that sent nothing.
        public let own: [Double?]
        public let ownLoss: [Double?]
        public let accepted: Int
        public let refused: [String]
    }

    /// Fog learning once.
    public struct FogRun: Codable, Sendable {
        public let model: Model
        public let fogNodes: Int
        public let seed: Int
        public internal(set) var variant: String
        public let samplesEachNode: Int
        public let samplesEachDevice: Int
        public let points: [FogPoint]
        public let deviceBytes: Int
        public let upBytes: Int
        public let downBytes: Int
        /// Spent privacy, if the plan has any; nil without.
        public let epsilon: Double?
        /// Why the run ended early, if it did.
        public let ended: String?
        public let seconds: Double

        public var accuracy: Double { points.last?.point.accuracy ?? 0 }
    }

    public struct CentralRun: Codable, Sendable {
        public let model: Model
        public let seed: Int
        public let points: [TrainingPoint]
        public let seconds: Double

        public var accuracy: Double { points.last?.accuracy ?? 0 }
    }

    public struct Report: Codable, Sendable {
        public let paper: String
        public let dataset: String
        public let settings: Settings
        public let fog: [FogRun]
        public let central: [CentralRun]
        public let faults: [FogRun]
        public let variants: [FogRun]
        public let seconds: Double
    }

    public let settings: Settings
    public let data: ExperimentData
    public let laboratory: Laboratory
    /// What ``Model/own`` means.
    public let ownModel: ModelSpec?

    public init(settings: Settings, data: ExperimentData, laboratory: Laboratory, ownModel: ModelSpec? = nil) {
        self.ownModel = ownModel
        self.settings = settings
        self.data = data
        self.laboratory = laboratory
    }

    /// What of the models does not fit the data; nil where everything does.
    public var problem: String? { settings.models.lazy.compactMap { plan($0, seed: 0).problem }.first }

    public func batch(_ model: Model) -> Int { settings.batch[model.rawValue] ?? 32 }

    public func spec(_ model: Model) -> ModelSpec {
        if model == .own, let ownModel { return ownModel }
        return model.spec(input: PaperModels.input(for: data.kind, images: data.training))
    }

    func plan(_ model: Model, seed: Int) -> TrainingPlan {
        TrainingPlan(
            model: spec(model), data: data.plan,
            seed: .run(seed), batchSize: UInt16(clamping: batch(model)), learningRate: settings.learningRate,
            localEpochs: 1, device: DevicePlan(fraction: TrainingPlan.one, noise: 10_000))
    }

    /// Training and validation samples of a model, bounded by what there is.
    private func sizes(_ model: Model) throws -> (samples: Int, validation: Int) {
        let wanted = settings.samples[model.rawValue] ?? 1_000
        let validation = settings.validation[model.rawValue] ?? 200
        let all = data.training.count
        guard all >= 100 else { throw ExperimentError("\(data.name) has \(all) training samples; at least 100 are needed") }
        let kept = min(validation, all / 5)
        return (min(wanted, all - kept), kept)
    }

    /// Seconds that what is left would take here, from a few steps of each model: runs that are kept already take none.
    public func forecast() throws -> Double {
        var total = 0.0
        for model in settings.models {
            let (samples, validation) = try sizes(model)
            let plan = plan(model, seed: 0)
            let probe = try plan.evaluationSamples(data.training.prefix(64))
            var network = try plan.initialNetwork()
            let start = ContinuousClock.now
            let optimiser = try plan.optimiser
            for step in 0..<2 {
                let (inputs, labels) = try probe.batch(step * 32..<(step + 1) * 32)
                _ = try network.train(inputs, labels: labels, optimiser: optimiser, threads: laboratory.threads)
            }
            let each = (ContinuousClock.now - start).seconds / 64
            let epochs = settings.epochs[model.rawValue] ?? 1
            // A forward pass is a third of a step.
            func cost(evaluations: Int) -> Double { each * Double(epochs) * (Double(samples) + Double(evaluations) / 3) }
            func fog(_ nodes: Int, _ seed: Int, _ fault: Fault?, validates: Bool) throws -> Double {
                let name = fogName(
                    self.plan(model, seed: seed), model: model, nodes: nodes, seed: seed, samples: samples,
                    validation: validation, epochs: epochs, fault: fault, validates: validates)
                guard try laboratory.store.load(name) == nil else { return 0 }
                return cost(evaluations: validation * (nodes + 1) + settings.testSamples + min(samples, nodes * 200))
            }
            for seed in 0..<settings.seeds {
                let central = centralName(model, seed: seed, samples: samples, validation: validation, epochs: epochs)
                if try laboratory.store.load(central) == nil { total += cost(evaluations: settings.testSamples) }
                for nodes in settings.fogNodes { total += try fog(nodes, seed, nil, validates: true) }
                guard let fault = settings.fault, model == settings.models.first, let most = settings.fogNodes.max()
                else { continue }
                total += try fog(most, seed, fault, validates: true) + fog(most, seed, fault, validates: false)
            }
        }
        return total + (settings.variants ? 60 : 0)
    }

    public func run() throws -> Report {
        let start = ContinuousClock.now
        let jobs = settings.models.count * settings.seeds * (settings.fogNodes.count + 1)
        let extra = (settings.fault == nil ? 0 : 3 * settings.seeds) + (settings.variants ? Variant.all.count : 0)
        var done = 0
        func progress(_ text: String) { laboratory.progress(text, Double(done) / Double(max(jobs + extra, 1))) }
        var faults: [FogRun] = []
        if let fault = settings.fault, let model = settings.models.first, let nodes = settings.fogNodes.max() {
            for seed in 0..<settings.seeds {
                for (name, fault, validates) in [
                    ("no fault", nil, true), ("with validation", fault, true), ("without validation", fault, false),
                ] as [(String, Fault?, Bool)] {
                    let run = try fogRun(model, nodes: nodes, seed: seed, variant: name, fault: fault, validates: validates)
                    faults.append(run)
                    done += 1
                    progress("fault, \(name), seed \(seed): \(Markdown.percent(run.accuracy))")
                }
            }
        }
        var fog: [FogRun] = []
        var central: [CentralRun] = []
        for model in settings.models {
            for seed in 0..<settings.seeds {
                let run = try centralRun(model, seed: seed)
                central.append(run)
                done += 1
                progress("central \(model.rawValue), seed \(seed): \(Markdown.percent(run.accuracy))")
                for nodes in settings.fogNodes {
                    let run = try fogRun(model, nodes: nodes, seed: seed)
                    fog.append(run)
                    done += 1
                    progress("\(nodes) fog nodes, \(model.rawValue), seed \(seed): \(Markdown.percent(run.accuracy))")
                }
            }
        }
        var variants: [FogRun] = []
        // Krum needs five for one liar.
        if settings.variants, let nodes = settings.fogNodes.min(by: { abs($0 - 5) < abs($1 - 5) }) {
            for variant in Variant.all {
                let run = try variantRun(variant, nodes: nodes)
                variants.append(run)
                done += 1
                progress("\(variant.name): \(Markdown.percent(run.accuracy))")
            }
        }
        // As many as there were: a fifth of the training samples at most.
        var used = settings
        for model in settings.models { used.validation[model.rawValue] = try sizes(model).validation }
        return Report(
            paper: "B", dataset: data.name, settings: used, fog: fog, central: central, faults: faults,
            variants: variants, seconds: (ContinuousClock.now - start).seconds)
    }

    // MARK: One run

    /// Of everything that decides what a run gives, in short.
    private static func digest(_ plan: TrainingPlan) -> String { String(Digest(sha256: plan.borsh).hex.prefix(12)) }

    // What a result is kept by.

    private func centralName(_ model: Model, seed: Int, samples: Int, validation: Int, epochs: Int) -> String {
        "b-\(data.kind)-central-\(model.rawValue)-seed\(seed)-s\(samples)-v\(validation)-e\(epochs)-t\(settings.testSamples)-c\(settings.clients)-p\(Self.digest(plan(model, seed: seed)))"
    }

    private func fogName(
        _ plan: TrainingPlan, model: Model, nodes: Int, seed: Int, samples: Int, validation: Int, epochs: Int,
        fault: Fault?, validates: Bool
    ) -> String {
        let faultName = fault.map { "-\($0.kind.rawValue)\($0.share)-\(validates)" } ?? ""
        return "b-\(data.kind)-fog\(nodes)-\(model.rawValue)-seed\(seed)-s\(samples)-v\(validation)-e\(epochs)-t\(settings.testSamples)-c\(settings.clients)-x\(settings.epsilonMicro)-p\(Self.digest(plan))\(faultName)"
    }

    /// What the devices of all fog nodes hand over, and what the cloud keeps.
    private struct Stage {
        var fog: [FeatureSet]
        let validation: FeatureSet
        let test: FeatureSet
        let deviceBytes: Int
        let eachDevice: Int
    }

    private func stage(_ plan: TrainingPlan, nodes: Int, samples: Int, validation: Int) throws -> Stage {
        let total = samples + validation
        let shards = try Shards(
            fogNodes: nodes, devicesEach: settings.clients, validation: validation, total: total)
        let secret = SecretSeed(plan.seed.bytes) ?? .generate()
        var fog: [FeatureSet] = []
        var bytes = 0
        for (node, devices) in shards.devices.enumerated() {
            var own: FeatureSet?
            for (index, range) in devices.enumerated() {
                let device = node * settings.clients + index
                // Seeds make the noise repeatable here; a worker takes a secret of its own.
                let sent = try DeviceStep.samples(
                    of: data.training.select(range), plan: plan, device: UInt32(device),
                    secret: secret.derived(for: "device \(device)"))
                for part in try DeviceSamplesMessage.parts(of: sent, round: 0) { bytes += part.borsh.count }
                if own == nil { own = sent } else { try own?.append(sent) }
            }
            guard let own else { throw ExperimentError("a fog node without devices") }
            fog.append(own)
        }
        return Stage(
            fog: fog, validation: try plan.evaluationSamples(data.training.select(shards.validation)),
            test: try plan.evaluationSamples(data.test.prefix(settings.testSamples)), deviceBytes: bytes,
            eachDevice: shards.devices.first?.first?.count ?? 0)
    }

    private func centralRun(_ model: Model, seed: Int) throws -> CentralRun {
        let (samples, validation) = try sizes(model)
        let epochs = settings.epochs[model.rawValue] ?? 1
        let name = centralName(model, seed: seed, samples: samples, validation: validation, epochs: epochs)
        return try laboratory.result(name) {
            let start = ContinuousClock.now
            let plan = plan(model, seed: seed)
            // The same samples as the fog nodes get, in one place.
            let stage = try stage(plan, nodes: 1, samples: samples, validation: validation)
            var network = try plan.initialNetwork()
            var points: [TrainingPoint] = []
            var nobody: PrivacyAccountant?
            for epoch in 0..<epochs {
                let training = LocalTraining(plan: plan, round: UInt32(epoch), place: 0, threads: laboratory.threads)
                let outcome = try training.run(
                    from: network, samples: stage.fog[0], account: &nobody, secret: SecretSeed(plan.seed.bytes) ?? .generate())
                network = try network.adding(outcome.difference)
                let result = try network.evaluate(on: stage.test, threads: laboratory.threads)
                points.append(
                    TrainingPoint(
                        epoch: epoch + 1, accuracy: result.accuracy, loss: result.meanLoss, trainingLoss: outcome.meanLoss))
                laboratory.progress("  central \(model.rawValue), seed \(seed), epoch \(epoch + 1)/\(epochs): \(Markdown.percent(result.accuracy))", -1)
            }
            return CentralRun(model: model, seed: seed, points: points, seconds: (ContinuousClock.now - start).seconds)
        }
    }

    private func fogRun(
        _ model: Model, nodes: Int, seed: Int, variant: String = "", fault: Fault? = nil, validates: Bool = true
    ) throws -> FogRun {
        let (samples, validation) = try sizes(model)
        return try fogRun(
            plan(model, seed: seed), model: model, nodes: nodes, seed: seed, samples: samples, validation: validation,
            epochs: settings.epochs[model.rawValue] ?? 1, variant: variant, fault: fault, validates: validates)
    }

    func fogRun(
        _ plan: TrainingPlan, model: Model, nodes: Int, seed: Int, samples: Int, validation: Int, epochs: Int,
        variant: String, fault: Fault? = nil, validates: Bool = true
    ) throws -> FogRun {
        let name = fogName(
            plan, model: model, nodes: nodes, seed: seed, samples: samples, validation: validation, epochs: epochs,
            fault: fault, validates: validates)
        var run = try laboratory.result(name) { () throws -> FogRun in
            let start = ContinuousClock.now
            let stage = try stage(plan, nodes: nodes, samples: samples, validation: validation)
            var rounds = try FogRounds(
                plan: plan, fog: stage.fog, validation: validates ? stage.validation : nil,
                epsilonMicro: UInt64(settings.epsilonMicro), fault: fault, seed: seed, threads: laboratory.threads)
            var points: [FogPoint] = []
            var ended: String?
            for epoch in 0..<epochs {
                do {
                    let round = try rounds.next()
                    let result = try rounds.network.evaluate(on: stage.test, threads: laboratory.threads)
                    points.append(
                        FogPoint(
                            point: TrainingPoint(
                                epoch: epoch + 1, accuracy: result.accuracy, loss: result.meanLoss,
                                trainingLoss: round.loss),
                            own: round.own.map { $0?.accuracy }, ownLoss: round.own.map { $0?.meanLoss },
                            accepted: round.accepted, refused: round.refused))
                    laboratory.progress("  \(nodes) fog nodes, \(model.rawValue)\(variant.isEmpty ? "" : ", \(variant)"), seed \(seed), epoch \(epoch + 1)/\(epochs): \(Markdown.percent(result.accuracy)), \(round.accepted) accepted", -1)
                } catch let error as TrainingError {
                    ended = "\(error)"
                    break
                }
            }
            return FogRun(
                model: model, fogNodes: nodes, seed: seed, variant: variant, samplesEachNode: stage.fog[0].count,
                samplesEachDevice: stage.eachDevice, points: points, deviceBytes: stage.deviceBytes, upBytes: rounds.up,
                downBytes: rounds.down, epsilon: rounds.epsilon, ended: ended,
                seconds: (ContinuousClock.now - start).seconds)
        }
        // The same run may have been kept under another title.
        run.variant = variant
        return run
    }
}
