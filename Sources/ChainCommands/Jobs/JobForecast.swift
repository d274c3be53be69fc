import JobProtocol
import Primitives
import Training

/// What a job will take, for each role and round: computed before any money is spent.
package struct JobForecast: Encodable, Sendable {
    package struct RoleForecast: Encodable, Sendable {
        package let role: String
        package let count: Int
        package let parameters: Int
        /// Products and sums of one step, forward and backward.
        package let multiplyAddsPerStep: Int
        package let memoryBytes: Int
        package let stepsPerRound: Int
        /// Computing alone, on this machine.
        package let computeMsPerRound: UInt64
        /// Payload, without envelopes.
        package let upBytesPerRound: Int
        package let downBytesPerRound: Int
    }

    package struct Privacy: Encodable, Sendable {
        package let delta: Double
        package let epsilonBudget: Double
        /// After all rounds.
        package let epsilon: Double
        /// Rounds until the budget is spent, if that is before the last.
        package let roundsWithinBudget: UInt64?
    }

    package let parameters: Int
    package let modelBytes: Int
    package let samplesPerWorker: Int
    /// When a round closes, in words.
    package let pace: String
    package let roles: [RoleForecast]
    /// One worker's computing and, in split learning, the cloud's after it.
    package let roundMs: UInt64
    package let jobMs: UInt64
    package let privacy: Privacy?
    /// What cannot work. Empty for a job that can.
    package let problems: [String]

    /// A step's time on this machine, for a part of the model and a number of samples.
    package typealias Timing = (Network.Part, Int) throws -> Duration

    package init(_ spec: JobSpec, _ plan: TrainingPlan, samples: Int, timing: Timing) throws {
        let hasMomentum = plan.momentum > 0
        let (batch, workers) = (Int(plan.batchSize), Int(spec.workers))
        let whole = try plan.model.forecast(batch: batch, hasMomentum: hasMomentum)
        var roles: [RoleForecast] = []
        func add(
            _ role: Role, _ count: Int, _ part: Network.Part, batch: Int, steps: Int, _ traffic: (up: Int, down: Int)
        ) throws -> UInt64 {
            let forecast = try plan.model.forecast(part, batch: batch, hasMomentum: hasMomentum)
            // Private gradients are clipped sample by sample.
            let step = plan.privacy == nil ? try timing(part, batch) : try timing(part, 1) * batch
            let time = step.milliseconds * Double(steps)
            let ms = UInt64(min(time.rounded(.up), 1e15))
            roles.append(
                RoleForecast(
                    role: role.description, count: count, parameters: forecast.parameters,
                    multiplyAddsPerStep: forecast.trainingMultiplyAdds.saturatingTimes(batch),
                    memoryBytes: forecast.trainingMemory,
                    stepsPerRound: steps, computeMsPerRound: ms, upBytesPerRound: traffic.up,
                    downBytesPerRound: traffic.down))
            return ms
        }
        let stepsPerRound: Int
        switch spec.trainingProtocol {
        case .split:
            stepsPerRound = Int(spec.stepsPerRound)
            // The cloud has all edges' samples in one batch, as far as a step's limit goes.
            let joined = min(batch * (plan.join == .concatenation ? workers : 1), RoundPlan.maximumBatch)
            let traffic = try plan.model.splitTraffic(
                batch: batch, steps: stepsPerRound, precision: plan.boundary, hasMomentum: hasMomentum)
            let edge = try add(
                .edge, workers, .front, batch: batch, steps: stepsPerRound, (up: traffic.up, down: traffic.down))
            let cloud = try add(
                .cloud, Int(spec.clouds), .back, batch: joined, steps: stepsPerRound,
                (up: traffic.down.saturatingTimes(workers), down: traffic.up.saturatingTimes(workers)))
            roundMs = edge + cloud
        case .fog:
            stepsPerRound = Int(plan.localEpochs) * max(1, (samples + batch - 1) / batch)
            let exchange = try plan.model.exchangeTraffic
            // A shared entry travels with its place.
            let shared =
                plan.sharedFraction == TrainingPlan.one
                ? exchange.up : Int(Double(2 * exchange.up) * Double(plan.sharedFraction) / Double(TrainingPlan.one))
            roundMs = try add(
                .fog, workers, .whole, batch: batch, steps: stepsPerRound, (up: shared, down: exchange.down))
        }
        self.roles = roles
        parameters = whole.parameters
        modelBytes = 4 * whole.parameters
        samplesPerWorker = samples
        pace = spec.pace
        jobMs = roundMs.saturatingTimes(UInt64(spec.rounds))

        var problems: [String] = []
        // An asynchronous fog job's slow workers take several rounds for one update.
        let longest = Self.longestWorkMs(spec)
        if roundMs > longest {
            let end =
                longest == spec.commitMaxMs ? "ends after commitMax =" : "its work is too old after 4 times commitMax ="
            problems.append(
                "a round takes about \(Format.duration(roundMs)) of computing here, and \(end) "
                    + "\(Format.duration(longest)) at the latest: fewer steps or samples a round, or a later end")
        }
        if let plan = plan.privacy {
            let accountant = plan.accountant(samples: samples, batchSize: batch)
            let steps = UInt64(stepsPerRound).saturatingTimes(UInt64(spec.rounds))
            let epsilon = accountant.epsilon(delta: plan.delta, further: steps)
            let rounds = accountant.stepsWithin(epsilon: plan.epsilon, delta: plan.delta) / UInt64(stepsPerRound)
            let isEnough = rounds >= UInt64(spec.rounds)
            privacy = Privacy(
                delta: plan.delta, epsilonBudget: plan.epsilon, epsilon: epsilon,
                roundsWithinBudget: isEnough ? nil : rounds)
            if !isEnough {
                problems.append(
                    "the privacy budget is spent after \(rounds) of \(spec.rounds) rounds: more noise, a larger budget or "
                        + "fewer rounds")
            }
        } else {
            privacy = nil
        }
        self.problems = problems
    }

    /// In which a worker's update can still be of use.
    private static func longestWorkMs(_ spec: JobSpec) -> UInt64 {
        guard spec.mode == .asynchronous, spec.trainingProtocol == .fog else { return spec.commitMaxMs }
        return spec.commitMaxMs.saturatingTimes(UInt64(JobStaleness.most) + 1)
    }

    package var text: String {
        var table = Table([
            .left("role"), .right("number"), .right("parameters"), .right("memory"), .right("multiply-adds a step"),
            .right("steps a round"), .right("computing a round"), .right("sends a round"), .right("receives a round"),
        ])
        for role in roles {
            table.add(
                role.role, String(role.count), Format.number(role.parameters), Self.bytes(role.memoryBytes),
                Format.number(role.multiplyAddsPerStep), Format.number(role.stepsPerRound),
                Format.duration(role.computeMsPerRound), Self.bytes(role.upBytesPerRound),
                Self.bytes(role.downBytesPerRound))
        }
        var lines = [
            facts([
                ("model", "\(Format.number(parameters)) parameters, \(Self.bytes(modelBytes))"),
                ("samples", "\(Format.number(samplesPerWorker)) of each worker (--samples)"),
                ("mode", pace),
                ("round", "about \(Format.duration(roundMs)) of computing on this machine"),
                ("job", "about \(Format.duration(jobMs)) of computing"),
                (
                    "privacy",
                    privacy.map {
                        "epsilon \(Self.threePlaces($0.epsilon)) at delta \($0.delta) in the end; the budget is \($0.epsilonBudget)"
                    }
                ),
            ]), "", table.text(none: ""),
        ]
        for problem in problems { lines.append("\nproblem: \(problem)") }
        return lines.joined(separator: "\n")
    }

    /// Rounded up: never less than what is told.
    private static func threePlaces(_ value: Double) -> Double {
        value < 1e12 ? (value * 1_000).rounded(.up) / 1_000 : value
    }

    private static func bytes(_ count: Int) -> String {
        switch count {
        case ..<10_000: "\(count) B"
        case ..<10_000_000: "\(count / 1_000) kB"
        default: "\(count / 1_000_000) MB"
        }
    }
}

extension FixedWidthInteger {
    fileprivate func saturatingTimes(_ other: Self) -> Self {
        let (product, overflow) = multipliedReportingOverflow(by: other)
        return overflow ? .max : product
    }
}

extension Duration {
    fileprivate var milliseconds: Double {
        Double(components.seconds) * 1e3 + Double(components.attoseconds) / 1e15
    }
}
