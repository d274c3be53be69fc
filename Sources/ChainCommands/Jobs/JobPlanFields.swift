import Cryptography
import Experiments
import Foundation
import JobProtocol
import ModelFiles
import ProgramSupport
import Training

/// The fields of a job's file that only workers must understand: what becomes the training plan.
///
/// ```yaml
/// model: lenet5             # or fog-mlp, fog-cnn, or a file that describes one (Models/*.yaml)
/// dataset: mnist            # or svhn, idx
/// batchSize: 32             # for each worker and step
/// learningRate: 0.05
/// momentum: 0.9             # 0 if absent in a fog job
/// validationSamples: 1000
/// seed: any text            # or 64 hexadecimal digits
/// weights: start.safetensors  # where the job starts; from the seed if absent
/// # split learning
/// join: concatenation       # or weightedSum
/// boundaryBits: 32          # or 16, 8
/// # fog learning
/// localEpochs: 1
/// aggregation: mean         # or median, trimmed:0.1, krum:1, secureSum:3
/// sharedFraction: 1         # of a difference's entries, the largest
/// passed: last              # or epochMean: the mean of each weight over the epoch's steps
/// projection: 0             # values that devices project each sample to; 0 for none
/// # with devices, in either protocol
/// deviceFraction: 1         # of a device's samples
/// deviceNoise: 0.01         # standard deviations
/// # private gradients, all four or none: a fog node stops before the step that would go over the budget
/// clipNorm: 1               # the largest norm of one sample's gradient
/// noiseMultiplier: 1.1      # standard deviation of the noise in clip norms
/// delta: 0.00001            # at most 12 decimal places
/// epsilonBudget: 8
/// ```
enum JobPlanFields {
    static let names: Set<String> = privacyNames.union([
        "model", "dataset", "batchSize", "learningRate", "momentum", "validationSamples", "seed", "weights", "join",
        "boundaryBits",
        "localEpochs", "aggregation", "sharedFraction", "deviceFraction", "deviceNoise", "passed", "projection",
    ])

    private static let privacyNames: Set<String> = ["clipNorm", "noiseMultiplier", "delta", "epsilonBudget"]

    /// What means something in one protocol alone: in the other it would be a wish that nobody hears.
    private static let only: [(names: Set<String>, isFog: Bool)] = [
        (["join", "boundaryBits"], false),
        (
            privacyNames.union([
                "localEpochs", "aggregation", "sharedFraction", "passed", "projection",
            ]), true
        ),
    ]

    static func plan(_ fields: JobFields, name: String, protocol: JobSpec.TrainingProtocol) throws -> TrainingPlan {
        let isFog = `protocol` == .fog
        for (names, forFog) in only where forFog != isFog {
            if let name = try names.sorted().first(where: { try fields.optional($0) != nil }) {
                throw UsageError(
                    "\(fields.place(name))\(name) means something in a \(forFog ? "fog" : "split") job alone")
            }
        }
        let devices: UInt16 = try fields.number("devices", standard: 0)
        if !isFog, devices == 0,
            let name = try ["deviceFraction", "deviceNoise"].first(where: { try fields.optional($0) != nil })
        {
            throw UsageError("\(fields.place(name))\(name) means something in a job with devices alone: give devices, too")
        }
        let kind: DataPlan.Kind = try fields.choice(
            "dataset", ["mnist": .mnist, "svhn": .svhn, "idx": .idx], standard: .mnist)
        // Devices normalise by their own samples; edges of a split job by what is fixed for the data.
        let data: DataPlan =
            isFog || kind == .svhn
            ? DataPlan(kind: kind, normalisation: .measured)
            : kind == .mnist ? .mnist : DataPlan(kind: kind, normalisation: .unit)
        return TrainingPlan(
            model: try model(try fields.optional("model") ?? (isFog ? "fog-mlp" : "lenet5"), data: kind), data: data,
            seed: JobSeed(words: seed(try fields.optional("seed") ?? name).words),
            batchSize: try fields.number("batchSize"), learningRate: try fields.micro("learningRate"),
            momentum: try fields.micro("momentum", standard: isFog ? 0 : 900_000),
            localEpochs: try fields.number("localEpochs", standard: 1),
            join: try fields.choice(
                "join", ["concatenation": .concatenation, "weightedSum": .weightedSum], standard: .concatenation),
            boundary: try fields.choice(
                "boundaryBits", ["32": .float32, "16": .bits16, "8": .bits8], standard: .float32),
            passed: try fields.choice("passed", ["last": .last, "epochMean": .epochMean], standard: .last),
            aggregation: try aggregation(try fields.optional("aggregation") ?? "mean"),
            sharedFraction: try fields.micro("sharedFraction", standard: TrainingPlan.one),
            device: DevicePlan(
                fraction: try fields.micro("deviceFraction", standard: TrainingPlan.one),
                noise: try fields.micro("deviceNoise", standard: 10_000),
                projection: try fields.number("projection", standard: 0)),
            privacy: try privacy(fields),
            validationSamples: try fields.number("validationSamples", standard: 1_000))
    }

    /// Private gradients, if the file has any of their fields: then it needs all. A forgotten one has no default that
    /// would suit everybody.
    private static func privacy(_ fields: JobFields) throws -> PrivacyPlan? {
        guard try privacyNames.contains(where: { try fields.optional($0) != nil }) else { return nil }
        let delta = try fields.text("delta")
        guard let pico = Decimals.pico(delta) else {
            throw UsageError(
                "\(fields.place("delta"))delta '\(delta)' is not a decimal number above 0 and below 1 with at most 12 places, as in 0.00001"
            )
        }
        return PrivacyPlan(
            clipNorm: try fields.micro("clipNorm"), noiseMultiplier: try fields.micro("noiseMultiplier"),
            deltaPico: pico,
            epsilonBudget: UInt64(try fields.micro("epsilonBudget")))
    }

    /// The checkpoint that a job starts from with the weights of this file.
    static func start(_ plan: TrainingPlan, _ kind: JobSpec.TrainingProtocol, from path: String) throws -> Digest {
        do {
            let file = try InputFile.read(path, "file of weights", limit: 1 << 30)
            return switch kind {
            case .split: try Checkpoint(plan.model, startingFrom: file).digest
            case .fog: try Network(plan.model, startingFrom: file).weightsDigest
            }
        } catch {
            throw UsageError("weights '\(path)': \(Reason.text(error))")
        }
    }

    /// 64 hexadecimal digits are the seed itself; any other text is hashed.
    private static func seed(_ text: String) -> Digest {
        Digest(hex: text) ?? Digest(sha256: Array(text.utf8))
    }

    private static func aggregation(_ text: String) throws -> Aggregation {
        let parts = text.split(separator: ":", maxSplits: 1).map(String.init)
        switch (parts.first, parts.count) {
        case ("mean", 1): return .mean
        case ("median", 1): return .median
        case ("trimmed", 2): if let share = Decimals.micro(parts[1]) { return .trimmed(share) }
        case ("secureSum", 2): if let threshold = UInt16(parts[1]) { return .secureSum(threshold: threshold) }
        case ("krum", 2): if let malicious = UInt16(parts[1]) { return .krum(malicious: malicious) }
        default: break
        }
        throw UsageError(
            "aggregation '\(text)' is not one of: mean, median, trimmed:0.1, krum:1, secureSum:3 (so many must stay)")
    }

    /// A built-in architecture, or the file that describes one.
    private static func model(_ name: String, data: DataPlan.Kind) throws -> ModelSpec {
        // MNIST's digits are brought to 32 x 32; SVHN's are that large, and coloured.
        let input = data == .svhn ? [3, 32, 32] : [1, 32, 32]
        switch name {
        case "lenet5", "lenet5-s2": return LeNet5.spec
        case "fog-mlp": return PaperModels.fogMLP(input: input)
        case "fog-cnn": return PaperModels.fogCNN(input: input)
        default: break
        }
        guard let text = try? String(contentsOfFile: FilePath.expanded(name), encoding: .utf8) else {
            throw UsageError(
                "model '\(name)' is neither lenet5, fog-mlp nor fog-cnn, nor a file that can be read; Models/ holds some, as in Models/lenet5.yaml"
            )
        }
        do { return try ModelFile.read(text) } catch { throw UsageError("model '\(name)': \(error)") }
    }
}
