import Encoding
import Tensor
import Testing

import Training

/// A small model for images of 32 x 32 in grey.
func smallModel(input: [Int] = [1, 32, 32]) -> ModelSpec {
    ModelSpec(
        input: input,
        layers: [
            .flatten, .dense(DenseLayer(name: "fc1", units: 16)), .activation(.relu),
            .dense(DenseLayer(name: "output", units: 10)),
        ], classes: 10)
}

func smallPlan(_ change: (inout TrainingPlan) -> Void = { _ in }) -> TrainingPlan {
    var plan = TrainingPlan(
        model: smallModel(), data: .mnist, seed: testSeed, batchSize: 16, learningRate: 100_000, localEpochs: 1)
    change(&plan)
    return plan
}

@Suite(.timeLimit(.minutes(20))) struct PlanTests {
    @Test func bytesRoundTripForEveryChoice() throws {
        var plans = [smallPlan()]
        plans.append(
            smallPlan {
                $0.model = ModelSpec(
                    input: $0.model.input, layers: $0.model.layers, classes: $0.model.classes, cut: $0.model.cut,
                    initial: .narrow)
            })
        for join in Join.allCases { plans.append(smallPlan { $0.join = join }) }
        for precision in BoundaryPrecision.allCases { plans.append(smallPlan { $0.boundary = precision }) }
        for passed in PassedWeights.allCases { plans.append(smallPlan { $0.passed = passed }) }
        for aggregation in [
            Aggregation.mean, .trimmed(200_000), .median, .krum(malicious: 1), .secureSum(threshold: 3),
        ] { plans.append(smallPlan { $0.aggregation = aggregation }) }
        for kind in DataPlan.Kind.allCases {
            for normalisation in [
                DataPlan.Normalisation.unit, .measured, .fixed(mean: 500_000, deviation: 250_000),
            ] { plans.append(smallPlan { $0.data = DataPlan(kind: kind, normalisation: normalisation) }) }
        }
        plans.append(
            smallPlan {
                $0.privacy = PrivacyPlan(
                    clipNorm: 1_000_000, noiseMultiplier: 1_100_000, deltaPico: 10_000_000, epsilonBudget: 3_000_000)
                $0.device = DevicePlan(fraction: 500_000, noise: 10_000, projection: 1_024)
            })
        for plan in plans {
            #expect(try TrainingPlan(borsh: plan.borsh) == plan)
            #expect(plan.borsh.count < TrainingPlan.maximumBytes)
        }
        #expect(Set(plans.map(\.borsh)).count >= plans.count - 4)
    }

    @Test func goodPlansHaveNoProblem() throws {
        #expect(smallPlan().problem == nil)
        #expect(smallPlan { $0.data = .svhn }.problem == nil)
        #expect(smallPlan { $0.device.projection = 1_024 }.problem == nil)
        #expect(try TrainingPlan(checking: smallPlan().borsh) == smallPlan())
    }

    @Test(arguments: [
        ("batch size", smallPlan { $0.batchSize = 0 }), ("batch size", smallPlan { $0.batchSize = 1_025 }),
        ("learning rate", smallPlan { $0.learningRate = 0 }), ("momentum", smallPlan { $0.momentum = 1_000_000 }),
        ("local epochs", smallPlan { $0.localEpochs = 0 }), ("shared fraction", smallPlan { $0.sharedFraction = 0 }),
        ("secure sum", smallPlan { $0.sharedFraction = 10; $0.aggregation = .secureSum(threshold: 3) }),
        ("threshold", smallPlan { $0.aggregation = .secureSum(threshold: 1) }),
        ("trimmed", smallPlan { $0.aggregation = .trimmed(500_000) }),
        ("fraction", smallPlan { $0.device.fraction = 1_000_001 }),
        ("noise", smallPlan { $0.device.noise = .max }), ("projected", smallPlan { $0.device.projection = 100 }),
        ("validation samples", smallPlan { $0.validationSamples = 0 }),
        ("divided", smallPlan { $0.data.normalisation = .fixed(mean: 0, deviation: 0) }),
        ("do not fit", smallPlan { $0.model = smallModel(input: [3, 32, 32]) }),
        ("do not fit", smallPlan { $0.model = smallModel(input: [1, 20, 20]) }),
        ("the model", smallPlan { $0.model = ModelSpec(input: [1, 32, 32], layers: [], classes: 10) }),
        (
            "clip norm",
            smallPlan {
                $0.privacy = PrivacyPlan(clipNorm: 0, noiseMultiplier: 1_000_000, deltaPico: 1, epsilonBudget: 1)
            }
        ),
        (
            "delta",
            smallPlan {
                $0.privacy = PrivacyPlan(
                    clipNorm: 1, noiseMultiplier: 1_000_000, deltaPico: 1_000_000_000_000, epsilonBudget: 1)
            }
        ),
    ] as [(String, TrainingPlan)])
    func problemsAreNamed(what: String, plan: TrainingPlan) {
        let problem = plan.problem ?? "none"
        #expect(problem.contains(what), "\(problem)")
        #expect(throws: TrainingError.self) { try TrainingPlan(checking: plan.borsh) }
    }

    @Test func damagedBytesAreRefused() {
        let bytes = smallPlan().borsh
        for count in 0..<bytes.count { #expect(throws: BorshError.self) { try TrainingPlan(borsh: Array(bytes[..<count])) } }
        #expect(throws: BorshError.self) { try TrainingPlan(borsh: bytes + [0]) }
        var stream = RandomStream(key: 77)
        for _ in 0..<2_000 {
            var damaged = bytes
            for _ in 0...stream.nextIndex(below: 3) {
                damaged[stream.nextIndex(below: damaged.count)] = UInt8(truncatingIfNeeded: stream.nextWord())
            }
            // Whatever it says, it is read back as written or refused, and asking for its problem traps nowhere.
            if let plan = try? TrainingPlan(borsh: damaged) {
                #expect(plan.borsh == damaged)
                _ = plan.problem
            }
        }
        #expect(throws: TrainingError.self) { try TrainingPlan(checking: Array(repeating: 0, count: 16_385)) }
    }

    @Test func millionthsAsText() {
        #expect(Micro.text(1_000_000) == "1")
        #expect(Micro.text(20_000) == "0.02")
        #expect(Micro.text(1) == "0.000001")
        #expect(Micro.text(12_500_000) == "12.5")
    }
}
