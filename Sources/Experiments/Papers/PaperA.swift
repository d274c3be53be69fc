import Cryptography
import Encoding
import Foundation
import Tensor
public import Training

/// Paper A: edge-enabled split learning. LeNet-5 on MNIST, cut at S2.
public struct PaperA: Sendable {
    public struct Settings: Codable, Sendable, Equatable {
        public var samples: Int
        public var epochs: Int
        public var edges: Int
        public var seeds: Int
        /// Of each edge.
        public var batch: Int
        public var testSamples: Int
        public var learningRate: UInt32 = 20_000
        public var momentum: UInt32 = 900_000
        /// As the report names it; the architecture is the experiment's.
        public var model = "LeNet-5"

        /// Three seeds and five epochs take two processors about ten minutes.
        public init(samples: Int = 60_000, epochs: Int = 5, edges: Int = 2, seeds: Int = 3, batch: Int = 32, testSamples: Int = 10_000) {
            self.samples = samples
            self.epochs = epochs
            self.edges = edges
            self.seeds = seeds
            self.batch = batch
            self.testSamples = testSamples
        }

        /// How the training is cut into the rounds of a job, at whose ends the edges' fronts are averaged: some seconds
        /// each, long enough that their border costs little, short enough to see them go by.
        public var rounds: (count: Int, steps: Int) {
            let all = max(1, samples / (edges * batch)) * epochs
            let count = min(50, max(4, all / 100))
            return (count, (all + count - 1) / count)
        }

        /// The paper names no number of epochs; 20 is where LeNet-5 has converged on MNIST.
        public static let full = Settings(epochs: 20, seeds: 5)
    }

    /// The ways to train that are compared.
    public enum Road: String, Codable, Sendable, CaseIterable {
        case central
        case splitConcatenated, splitConcatenated16, splitConcatenated8
        case splitWeightedSum
        case replicasSynchronous, replicasAsynchronous

        public var title: String {
            switch self {
            case .central: "central training"
            case .splitConcatenated: "split, batches joined by concatenation, 32-bit floats"
            case .splitConcatenated16: "split, concatenation, boundary values and gradients in 16 bits"
            case .splitConcatenated8: "split, concatenation, boundary values and gradients in 8 bits"
            case .splitWeightedSum: "split, outputs joined by weighted sum (each edge sees a part of every image)"
            case .replicasSynchronous: "replicas that exchange parameters, synchronous"
            case .replicasAsynchronous: "replicas that exchange parameters, asynchronous"
            }
        }

        var precision: BoundaryPrecision {
            switch self {
            case .splitConcatenated16: .bits16
            case .splitConcatenated8: .bits8
            default: .float32
            }
        }
    }

    /// What one run gave.
    public struct Run: Codable, Sendable {
        public let road: Road
        public let seed: Int
        public let points: [TrainingPoint]
        /// Bytes that left the edges (or replicas, or owners of the raw images) and came back, for each sample trained on.
        public let upBytesEachSample: Double
        public let downBytesEachSample: Double
        /// Processor seconds of each role in the whole run.
        public let processor: [String: Double]
        public let seconds: Double

        public var accuracy: Double { points.last?.accuracy ?? 0 }
    }

    /// Figure 5.
    public struct Scaling: Codable, Sendable {
        public let scale: Int
        /// Values of one sample at the cut, counted in a message that was encoded.
        public let boundaryValues: Int
        public let boundaryBytes: Int
        /// All weights and biases, counted in a message that was encoded.
        public let parameters: Int
        public let parameterBytes: Int
    }

    /// What crosses a cut for one sample, against the sample itself.
    public struct Saving: Codable, Sendable {
        public let input: [Int]
        public let cut: Int
        public let layer: String
        public let imageBytes: Int
        public let values: Int

        /// What crosses the cut in this precision, for each byte of the image.
        public func ratio(_ precision: BoundaryPrecision) -> Double {
            Double(BoundaryCodec.byteCount(shape: [1, values], precision: precision)) / Double(imageBytes)
        }
    }

    /// What a device does that hands its samples to its edge server, which runs the front for it.
    public struct HandedOver: Codable, Sendable {
        public let samples: Int
        /// Of the device, for one sample: choosing, normalising, blurring and encoding it, once for all epochs.
        public let processorSecondsEachSample: Double
        public let bytesEachSample: Double
    }

    public struct Attack: Codable, Sendable {
        public let cut: Int
        public let layer: String
        public let values: Int
        public let noise: Float
        public let error: Double
        public let baseline: Double
        public let accuracy: Double
        /// PNG in base64.
        public let pictures: [String]

        public var explained: Double { baseline > 0 ? 1 - error / baseline : 0 }
    }

    public struct Report: Codable, Sendable {
        public let paper: String
        public let dataset: String
        public let settings: Settings
        public let runs: [Run]
        public let scaling: [Scaling]
        public let savings: [Saving]
        public let handedOver: HandedOver
        public let attacks: [Attack]
        /// The wanted pictures themselves: PNG in base64.
        public let originals: [String]
        public let seconds: Double
    }

    public let settings: Settings
    public let data: ExperimentData
    public let laboratory: Laboratory
    /// What is trained. Figure 5 and the table of savings are always LeNet-5's.
    public let model: ModelSpec

    public init(
        settings: Settings, data: ExperimentData, laboratory: Laboratory, model: ModelSpec = PaperModels.leNet5()
    ) {
        self.model = model
        self.settings = settings
        self.data = data
        self.laboratory = laboratory
    }

    /// What is wrong with the model for this data and split learning; nil where nothing is.
    public var problem: String? {
        let plan = plan(.splitWeightedSum, seed: 0)
        return plan.problem ?? plan.splitProblem
    }

    func plan(_ road: Road, seed: Int) -> TrainingPlan {
        TrainingPlan(
            model: model, data: data.plan, seed: .run(seed), batchSize: UInt16(clamping: settings.batch),
            learningRate: settings.learningRate, momentum: settings.momentum,
            join: road == .splitWeightedSum ? .weightedSum : .concatenation, boundary: road.precision)
    }

    /// Of everything that decides what a run gives, in short.
    private static func digest(_ plan: TrainingPlan) -> String { String(Digest(sha256: plan.borsh).hex.prefix(12)) }

    /// What a run's result is kept by.
    private func name(_ road: Road, seed: Int, training: Int, test: Int) -> String {
        "a-\(data.kind)-\(road.rawValue)-seed\(seed)-s\(training)-e\(settings.epochs)-n\(settings.edges)-b\(settings.batch)-r\(settings.rounds.steps)-t\(test)-p\(Self.digest(plan(road, seed: seed)))"
    }

    private func attackName(training: Int) -> String {
        "a-\(data.kind)-attack-s\(min(training, 6_000))-p\(Self.digest(plan(.central, seed: 0)))"
    }

    /// Seconds that what is left would take here, from a few steps of central training: runs that are kept already take
    /// none.
    public func forecast() throws -> Double {
        let probe = try data.training.prefix(512)
        let plan = plan(.central, seed: 0)
        let samples = try plan.evaluationSamples(probe)
        var network = try Network(plan.model, seed: plan.seed)
        let start = ContinuousClock.now
        let optimiser = try plan.optimiser
        let batch = min(64, probe.count)
        guard batch > 0 else { throw ExperimentError("\(data.name) has no training samples") }
        let steps = probe.count / batch
        for step in 0..<steps {
            let (inputs, labels) = try samples.batch(step * batch..<(step + 1) * batch)
            _ = try network.train(inputs, labels: labels, optimiser: optimiser, threads: laboratory.threads)
        }
        let each = (ContinuousClock.now - start).seconds / Double(steps * batch)
        let (training, test) = (min(settings.samples, data.training.count), min(settings.testSamples, data.test.count))
        var left = 0
        for seed in 0..<settings.seeds {
            for road in Road.allCases {
                let kept = try laboratory.store.load(name(road, seed: seed, training: training, test: test))
                left += kept == nil ? 1 : 0
            }
        }
        // Encoding and decoding of boundary values takes about as long again; the attacks about 40 s.
        let run = each * Double(settings.epochs) * (Double(training) * 1.6 + Double(test) / 3)
        return Double(left) * run + (try laboratory.store.load(attackName(training: training)) == nil ? 40 : 0)
    }

    public func run() throws -> Report {
        let start = ContinuousClock.now
        let total = Double(Road.allCases.count * settings.seeds + 2)
        var done = 0.0
        let training = try data.training.prefix(settings.samples)
        let test = try data.test.prefix(settings.testSamples)
        var runs: [Run] = []
        for seed in 0..<settings.seeds {
            for road in Road.allCases {
                let name = name(road, seed: seed, training: training.count, test: test.count)
                let run = try laboratory.result(name) {
                    try train(road, seed: seed, training: training, test: test, done: done / total, share: 1 / total)
                }
                runs.append(run)
                done += 1
                laboratory.progress("\(road.title), seed \(seed): \(Markdown.percent(run.accuracy))", done / total)
            }
        }
        let scaling = try measureScaling(training)
        let handedOver = try measureHandingOver(training)
        laboratory.progress("figure 5: values counted for scales 1 to 8", (done + 1) / total)
        let attack = try laboratory.result(attackName(training: training.count)) { try attacks(training, test) }
        return Report(
            paper: "A", dataset: data.name, settings: settings, runs: runs, scaling: scaling, savings: Self.savings(),
            handedOver: handedOver, attacks: attack.attacks, originals: attack.originals, seconds: (ContinuousClock.now - start).seconds)
    }

    // MARK: Training

    private func train(
        _ road: Road, seed: Int, training: ImageSet, test: ImageSet, done: Double, share: Double
    ) throws -> Run {
        let plan = plan(road, seed: seed)
        let samples = try plan.evaluationSamples(training)
        let held = try plan.evaluationSamples(test)
        let start = ContinuousClock.now
        var session = try Session(road, plan: plan, edges: settings.edges, laboratory: laboratory)
        var points: [TrainingPoint] = []
        // Edges have shards of their own, as in a job; with the weighted sum they see parts of the same samples.
        let lanes = road == .splitWeightedSum ? 1 : settings.edges
        let batch = road == .splitWeightedSum ? settings.batch * settings.edges : settings.batch
        let each = samples.count / lanes
        let steps = each / batch
        guard steps > 0 else { throw ExperimentError("\(samples.count) samples are too few for a batch of \(batch * lanes)") }
        let stepsOfARound = settings.rounds.steps
        for epoch in 0..<settings.epochs {
            var orders: [[Int]] = []
            for lane in 0..<lanes {
                var stream = RandomStream(key: UInt64(seed) << 32 | 0xA5, worker: UInt32(lane), step: UInt32(epoch))
                orders.append(stream.choose(each, of: each).map { $0 * lanes + lane })
            }
            var loss = 0.0
            for step in 0..<steps {
                let batches = try orders.map { try samples.batch($0[step * batch..<(step + 1) * batch]) }
                loss += try session.step(batches)
                // As a job's rounds do it; and a model that is looked at has one front.
                if (epoch * steps + step + 1) % stepsOfARound == 0 || step + 1 == steps { try session.endRound() }
            }
            let (accuracy, testLoss) = try session.evaluate(held)
            points.append(
                TrainingPoint(epoch: epoch + 1, accuracy: accuracy, loss: testLoss, trainingLoss: loss / Double(steps)))
            laboratory.progress(
                "\(road.title), seed \(seed), epoch \(epoch + 1)/\(settings.epochs): \(Markdown.percent(accuracy))",
                done + share * Double(epoch + 1) / Double(settings.epochs))
        }
        let trained = Double(steps * batch * lanes * settings.epochs)
        return Run(
            road: road, seed: seed, points: points, upBytesEachSample: Double(session.up) / trained,
            downBytesEachSample: Double(session.down) / trained, processor: session.processor,
            seconds: (ContinuousClock.now - start).seconds)
    }

    /// One training by one road.
    private struct Session {
        private enum Machine {
            case central(Network)
            case split([SplitLearning.Edge], SplitLearning.Cloud)
            case replicas(Replicas)
            /// While a step has the parameters to itself, so that they are changed in place.
            case working
        }
        private let plan: TrainingPlan
        private let edges: Int
        private let laboratory: Laboratory
        private let blank: Float
        private var machine: Machine
        private(set) var up = 0
        private(set) var down = 0
        private(set) var processor: [String: Double] = [:]

        init(_ road: Road, plan: TrainingPlan, edges: Int, laboratory: Laboratory) throws {
            self.plan = plan
            self.edges = edges
            self.laboratory = laboratory
            if case .fixed(let mean, let deviation) = plan.data.normalisation {
                blank = -Float(mean) / Float(deviation)
            } else {
                blank = 0
            }
            let network = try Network(plan.model, seed: plan.seed)
            switch road {
            case .central: machine = .central(network)
            case .replicasSynchronous, .replicasAsynchronous:
                machine = .replicas(
                    Replicas(
                        mode: road == .replicasSynchronous ? .synchronous : .asynchronous, count: edges,
                        network: network, optimiser: try plan.optimiser, threads: laboratory.threads))
            default:
                let (front, back) = try network.split()
                machine = .split(
                    try (0..<edges).map { _ in
                        try SplitLearning.Edge(plan: plan, front: front, threads: laboratory.threads)
                    }, try SplitLearning.Cloud(plan: plan, back: back, threads: laboratory.threads))
            }
        }

        private mutating func timed<Value>(_ role: String, _ body: () throws -> Value) rethrows -> Value {
            let start = laboratory.processorSeconds()
            let value = try body()
            processor[role, default: 0] += laboratory.processorSeconds() - start
            return value
        }

        mutating func step(_ batches: [(inputs: FloatTensor, labels: [UInt8])]) throws -> Double {
            switch machine {
            case .central(var network):
                let inputs = try FloatTensor.concatenate(batches.map(\.inputs))
                let labels = batches.flatMap(\.labels)
                // Raw images travel to the one place: a byte a pixel of 28 x 28, and the label.
                up += labels.count * (28 * 28 + 1)
                let (optimiser, threads) = (try plan.optimiser, laboratory.threads)
                machine = .working
                let loss = try timed("cloud") {
                    try network.train(inputs, labels: labels, optimiser: optimiser, threads: threads).meanLoss
                }
                machine = .central(network)
                return loss
            case .replicas(var replicas):
                machine = .working
                let loss = try timed("edge") { try replicas.step(batches) }
                machine = .replicas(replicas)
                up += replicas.bytesEachStep / 2 * batches.count
                down += replicas.bytesEachStep / 2 * batches.count
                return loss
            case .split(var all, var cloud):
                machine = .working
                var messages: [[UInt8]] = []
                for index in all.indices {
                    let (inputs, labels) = plan.join == .weightedSum ? batches[0] : batches[index]
                    let view = plan.join == .weightedSum
                        ? try SplitLearning.view(inputs, edge: index, of: edges, blank: blank) : inputs
                    messages.append(try timed("edge") { try all[index].forward(view, labels: labels) })
                }
                let (answers, loss) = try timed("cloud") { try cloud.step(messages) }
                for index in all.indices { try timed("edge") { try all[index].backward(answers[index]) } }
                up += messages.reduce(0) { $0 + $1.count }
                down += answers.reduce(0) { $0 + $1.count }
                machine = .split(all, cloud)
                return loss
            case .working: throw ExperimentError("a step failed before this one")
            }
        }

        /// The edges leave a round with the mean of their fronts, which travels both ways with its velocities.
        mutating func endRound() throws {
            guard case .split(var all, let cloud) = machine, all.count > 1 else { return }
            let mean = try SplitLearning.mean(all.map(\.front))
            for index in all.indices { all[index].adopt(mean) }
            up += all.count * 8 * mean.parameterCount
            down += all.count * 8 * mean.parameterCount
            machine = .split(all, cloud)
        }

        func evaluate(_ samples: FeatureSet) throws -> (accuracy: Double, loss: Double) {
            switch machine {
            case .central(let network):
                let result = try network.evaluate(on: samples, threads: laboratory.threads)
                return (result.accuracy, result.meanLoss)
            case .replicas(let replicas):
                let result = try replicas.server.evaluate(on: samples, threads: laboratory.threads)
                return (result.accuracy, result.meanLoss)
            case .split(let all, let cloud):
                guard let front = all.first?.front else { throw ExperimentError("a split without edges") }
                if plan.join == .concatenation {
                    let result = try Network(front: front, back: cloud.back).evaluate(on: samples, threads: laboratory.threads)
                    return (result.accuracy, result.meanLoss)
                }
                var (correct, loss) = (0, 0.0)
                for start in stride(from: 0, to: samples.count, by: 128) {
                    let (inputs, labels) = try samples.batch(start..<min(start + 128, samples.count))
                    let parts = try all.enumerated().map { index, edge in
                        try edge.front.forward(
                            SplitLearning.view(inputs, edge: index, of: edges, blank: blank), threads: laboratory.threads
                        ).output
                    }
                    let logits = try cloud.back.forward(
                        SplitLearning.join(parts, by: plan.join), threads: laboratory.threads).output
                    let output = try SoftmaxCrossEntropy.evaluate(logits: logits, labels: labels)
                    correct += output.correct
                    loss = output.losses.reduce(loss) { $0 + Double($1) }
                }
                return (Double(correct) / Double(samples.count), loss / Double(samples.count))
            case .working: throw ExperimentError("a step failed before this one")
            }
        }
    }

    // MARK: Figure 5 and what it leaves out

    private func measureScaling(_ training: ImageSet) throws -> [Scaling] {
        try [1, 2, 4, 8].map { scale in
            var plan = plan(.splitConcatenated, seed: 0)
            plan.model = PaperModels.leNet5(scale: scale)
            let network = try Network(plan.model, seed: plan.seed, hasMomentum: false)
            let front = try network.split().front
            let (inputs, labels) = try plan.evaluationSamples(training.prefix(1)).batch(0..<1)
            let message = SplitLearning.boundaryMessage(
                try front.forward(inputs).output, labels: labels, precision: .float32)
            let parameters = Difference.dense(network.parameters).borsh
            // Counted in what arrives.
            var decoder = BorshDecoder(message)
            return Scaling(
                scale: scale, boundaryValues: try decoder.boundary().tensor.count, boundaryBytes: message.count,
                parameters: try Difference(borsh: parameters).values?.count ?? 0, parameterBytes: parameters.count)
        }
    }

    private func measureHandingOver(_ training: ImageSet) throws -> HandedOver {
        var plan = plan(.central, seed: 0)
        plan.device = DevicePlan(fraction: TrainingPlan.one, noise: 10_000)
        let images = try training.prefix(2_000)
        let secret = SecretSeed(plan.seed.bytes) ?? .generate()
        let start = laboratory.processorSeconds()
        let sent = try DeviceStep.samples(of: images, plan: plan, device: 0, secret: secret)
        let bytes = try DeviceSamplesMessage.parts(of: sent, round: 0).reduce(0) { $0 + $1.borsh.count }
        let seconds = laboratory.processorSeconds() - start
        let count = Double(max(sent.count, 1))
        return HandedOver(
            samples: sent.count, processorSecondsEachSample: seconds / count, bytesEachSample: Double(bytes) / count)
    }

    /// For larger images: what one sample is, and what crosses each cut of the front's two stages.
    static func savings() -> [Saving] {
        var rows: [Saving] = []
        for (side, channels) in [(32, 1), (32, 3), (64, 3), (128, 3), (224, 3)] {
            let model = PaperModels.leNet5(side: side, channels: channels)
            guard let shapes = try? model.shapes else { continue }
            // MNIST's images are 28 x 28 before the border.
            let raw = side == 32 && channels == 1 ? 28 * 28 : side * side * channels
            for (cut, name) in [(3, "S2"), (6, "S4"), (9, "C5"), (11, "F6")] {
                rows.append(
                    Saving(
                        input: [channels, side, side], cut: cut, layer: name, imageBytes: raw,
                        values: shapes[cut - 1].reduce(1, *)))
            }
        }
        return rows
    }

    // MARK: Attacks

    private struct Attacks: Codable {
        let attacks: [Attack]
        let originals: [String]
    }

    private func attacks(_ training: ImageSet, _ test: ImageSet) throws -> Attacks {
        var plan = plan(.central, seed: 0)
        let samples = try plan.evaluationSamples(training.prefix(6_000))
        var network = try Network(plan.model, seed: plan.seed)
        plan.batchSize = 32
        let optimiser = try plan.optimiser
        for epoch in 0..<3 as Range<UInt32> {
            var stream = RandomStream(key: 0xA77A, step: epoch)
            let order = stream.choose(samples.count, of: samples.count)
            for start in stride(from: 0, to: order.count, by: 32) {
                let (inputs, labels) = try samples.batch(order[start..<min(start + 32, order.count)])
                _ = try network.train(inputs, labels: labels, optimiser: optimiser, threads: laboratory.threads)
            }
        }
        // The attacker's samples are not the ones that the model was trained on, where there are enough.
        let known = try training.select(max(0, training.count - 2_000)..<training.count)
        let wanted = try test.prefix(200)
        func pixels(_ images: ImageSet) -> [[Float]] {
            (0..<images.count).map { index in
                images.pixels[index * images.stride..<(index + 1) * images.stride].map { Float($0) / 255 }
            }
        }
        let (knownPixels, wantedPixels) = (pixels(known), pixels(wanted))
        let knownFeatures = try plan.evaluationSamples(known)
        let wantedFeatures = try plan.evaluationSamples(wanted)
        var found: [Attack] = []
        let names: [Int: String] = model == PaperModels.leNet5()
            ? [2: "C1 (rectified)", 3: "S2", 5: "C3 (rectified)", 6: "S4", 9: "C5 (rectified)", 11: "F6 (rectified)"] : [:]
        for cut in ReconstructionAttack.cuts(of: plan.model) {
            for noise in [0, 0.5, 1] as [Float] {
                var attack = ReconstructionAttack(model: network, cut: cut, noise: noise, seed: plan.seed)
                attack.threads = laboratory.threads
                let result = try attack.run(
                    known: knownFeatures, knownPixels: knownPixels, wanted: wantedFeatures, wantedPixels: wantedPixels)
                found.append(
                    Attack(
                        cut: cut, layer: names[cut] ?? "layer \(cut)", values: result.values, noise: noise,
                        error: result.error, baseline: result.baseline, accuracy: result.accuracy,
                        pictures: result.pictures.map { GreyPNG.base64($0, width: test.width) }))
                laboratory.progress(
                    "reconstruction at \(names[cut] ?? "\(cut)"), noise \(noise): \(Markdown.percent(result.explained)) of the variance",
                    0.97)
            }
        }
        return Attacks(attacks: found, originals: wantedPixels.prefix(8).map { GreyPNG.base64($0, width: test.width) })
    }
}

extension Duration {
    var seconds: Double { Double(components.seconds) + Double(components.attoseconds) / 1e18 }
}
