public import Cryptography
import Tensor

/// What a step gives when it is done again from its inputs.
public struct Replayed: Sendable {
    public let message: AnyTrainingMessage
    public let steps: [TraceNode]

    /// The trace of the message in an envelope with this context and salt.
    public func trace(context: EnvelopeContext, salt: [UInt8]) -> StepTrace {
        StepTrace(
            steps: steps, commitment: Envelope.commitment(context: context, payload: message.payload, salt: salt))
    }
}

/// Why a step can't be done again from what was handed over.
public enum ReplayError: Error, Equatable, Sendable, CustomStringConvertible {
    /// The inputs lack something, or do not lead to the step.
    case inputs(String)
    case notReproducible(String)

    public var description: String {
        switch self {
        case .inputs(let what): "what was handed over does not lead to the step: \(what)"
        case .notReproducible(let why): "the step can't be done again by anybody else: \(why)"
        }
    }
}

/// Re-execution of a worker's steps: the round's own machines, fed again with what they were fed with, from the round's
/// common start up to the step in question.
public enum Replay {
    /// An edge's message of a step: its boundary values, or after the last step its front's difference.
    /// - Parameters:
    ///   - gradients: those of the steps before, in their order.
    ///   - samples: must have what the steps up to this one draw.
    public static func edge(
        step: UInt32, plan: RoundPlan, index: UInt16, front: Network, samples: any SampleSource,
        gradients: [GradientMessage], threads: Int = 1
    ) throws -> Replayed {
        let recorder = TraceRecorder()
        var machine = try EdgeRound(
            plan: plan, index: index, front: front, shard: samples, threads: threads, trace: recorder)
        var actions = try machine.handle(.start)
        var next = gradients.makeIterator()
        while case .send(let message)? = actions.first {
            if message.step == step { return Replayed(message: message, steps: recorder.steps) }
            _ = try machine.handle(.sent(.zero))
            guard let gradient = next.next() else {
                throw ReplayError.inputs("the gradient of step \(message.step) is missing")
            }
            do { actions = try machine.handle(.gradient(gradient)) } catch {
                throw ReplayError.inputs("the gradient of step \(message.step): \(error)")
            }
        }
        throw ReplayError.inputs("the round has no step \(step)")
    }

    /// What the cloud sends of a step, to each edge: gradients, or after the last step the mean of the fronts.
    /// - Parameter heard: what came from each edge, in the order in which it came.
    public static func cloud(
        step: UInt32, plan: RoundPlan, checkpoint: Checkpoint, heard: [UInt16: [AnyTrainingMessage]], threads: Int = 1
    ) throws -> [UInt16: Replayed] {
        let recorder = TraceRecorder()
        let edges = heard.keys.sorted()
        // Below the quorum the real round starved: there is nothing to do again.
        var machine = try CloudRound(
            plan: plan, edges: edges, quorum: 1, checkpoint: checkpoint, threads: threads, trace: recorder)
        var next = Dictionary(uniqueKeysWithValues: edges.map { ($0, 0) })
        while machine.step <= plan.steps {
            let current = machine.step
            var actions: [CloudRound.Action] = []
            for edge in machine.edges {
                guard let place = next[edge], let messages = heard[edge], messages.indices.contains(place) else {
                    continue
                }
                next[edge] = place + 1
                switch messages[place] {
                case .activation(let message): actions += try machine.handle(.activation(from: edge, message))
                case .frontDifference(let message): actions += try machine.handle(.difference(from: edge, message))
                default: throw ReplayError.inputs("a message that no edge sends")
                }
            }
            if machine.step == current, !actions.contains(.completed) {
                actions += try machine.handle(.timedOut(step: current))
            }
            var sent: [UInt16: Replayed] = [:]
            for case .send(let edge, let message) in actions {
                _ = try machine.handle(.sent(.zero))
                sent[edge] = Replayed(message: message, steps: [])
            }
            if current == step {
                let steps = recorder.steps
                return sent.mapValues { Replayed(message: $0.message, steps: steps) }
            }
            guard machine.step > current else { break }
        }
        throw ReplayError.inputs("the round did not come to step \(step)")
    }

    /// A fog node's difference of a round.
    public static func fogNode(
        plan: TrainingPlan, round: UInt32, place: UInt16, start: Network, samples: FeatureSet, threads: Int = 1
    ) throws -> Replayed {
        try requireReproducible(plan)
        let recorder = TraceRecorder()
        let training = LocalTraining(plan: plan, round: round, place: place, threads: threads, trace: recorder)
        var machine = try FogNodeRound(
            training: training, start: start, samples: samples, memory: .init(plan: plan, samples: samples.count),
            secret: SecretSeed([UInt8](repeating: 0, count: 32)) ?? .generate())
        guard case .send(let message)? = try machine.handle(.start).first else {
            throw ReplayError.inputs("the round gives no difference")
        }
        return Replayed(message: message, steps: recorder.steps)
    }

    /// What a fog job's cloud tells everybody: the mean of the differences that it used, in the order of places.
    public static func fogMean(plan: TrainingPlan, round: UInt32, used: [FogDifferenceMessage]) throws -> Replayed {
        if case .secureSum = plan.aggregation { throw ReplayError.notReproducible("single differences are never seen") }
        let values = used.compactMap(\.difference.values)
        guard values.count == used.count, let size = values.first?.count, values.allSatisfy({ $0.count == size }) else {
            throw ReplayError.inputs("differences of one model are needed")
        }
        let mean = RobustMean.combine(values, by: plan.aggregation)
        let recorder = TraceRecorder()
        recorder.begin()
        for value in values { recorder.note(TraceNode(values: value, each: 4_096)) }
        recorder.note(TraceNode(values: mean, each: 4_096))
        return Replayed(
            message: .fogMean(FogMeanMessage(round: round, difference: .dense(mean))), steps: recorder.steps)
    }

    /// Whether a fog node's work depends on nothing but the model, its samples and the plan.
    public static func requireReproducible(_ plan: TrainingPlan) throws {
        if plan.privacy != nil { throw ReplayError.notReproducible("its noise comes from the worker's secret") }
        if plan.sharedFraction < TrainingPlan.one {
            throw ReplayError.notReproducible("it depends on what was not shared in earlier rounds")
        }
        if case .secureSum = plan.aggregation { throw ReplayError.notReproducible("single differences are never seen") }
    }
}

/// The samples that some steps of an edge draw, by their places in its shard.
public struct DrawnSamples: SampleSource {
    public let count: Int
    /// Ascending.
    public let places: [Int]
    private let samples: FeatureSet

    /// - Parameter count: of the whole shard, ``ImageSet/maximumCount`` at most.
    public init(count: Int, places: [Int], samples: FeatureSet) throws {
        // The accused says how large its shard is, and who judges draws an order of all of it.
        guard (1...ImageSet.maximumCount).contains(count), places.count == samples.count,
            zip(places, places.dropFirst()).allSatisfy({ $0 < $1 }),
            places.allSatisfy({ $0 >= 0 && $0 < count })
        else { throw ReplayError.inputs("samples and their places") }
        self.count = count
        self.places = places
        self.samples = samples
    }

    /// What the steps 0 to `last` of a round draw from a shard.
    public init(_ shard: any SampleSource, plan: RoundPlan, edge: UInt16, last: UInt32) throws {
        var order = SampleOrder(plan: plan, edge: edge, count: shard.count)
        var drawn: Set<Int> = []
        for step in 0...min(last, plan.steps - 1) {
            drawn.formUnion(order.indices(step: step))
        }
        let places = drawn.sorted()
        let (inputs, labels) = try shard.samples(at: places)
        try self.init(
            count: shard.count, places: places,
            samples: FeatureSet(shape: Array(inputs.shape.dropFirst()), values: inputs.elements, labels: labels))
    }

    public var drawn: FeatureSet { samples }

    public func samples(at indices: [Int]) throws(TrainingError) -> (inputs: FloatTensor, labels: [UInt8]) {
        var found: [Int] = []
        for index in indices {
            // Sorted: a search of log n.
            var (low, high) = (0, places.count)
            while low < high {
                let middle = (low + high) / 2
                if places[middle] < index { low = middle + 1 } else { high = middle }
            }
            guard low < places.count, places[low] == index else { throw .emptyDataset }
            found.append(low)
        }
        return try samples.batch(found)
    }
}

/// Which steps of a round are done again: by randomness that nobody knew when the work was committed to. Each step of
/// each worker is picked with the probability of the share, by itself; with a larger share the same ones are, and more.
public enum AuditPicks {
    /// - Parameters:
    ///   - share: 0 to 1.
    ///   - randomness: of the block at least ``Dispute/blocksToJury`` blocks after the one that closed the commit phase.
    public static func isPicked(
        _ step: UInt32, of worker: [UInt8], round: UInt32, share: Double, randomness: Digest
    ) -> Bool {
        let draw = Digest(
            domain: "edgeproof/audit-pick/1",
            parts: randomness.bytes, worker, round.littleEndianBytes, step.littleEndianBytes)
        let number = draw.bytes[..<4].reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
        return Double(number) < share * 0x1p32
    }
}
