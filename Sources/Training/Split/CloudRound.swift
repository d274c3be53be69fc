public import Cryptography
import Tensor

/// The cloud's part in one round of split learning, as a pure state machine.
///
/// For each step it waits for the activations of all edges still in the round, joins them in roster order into one
/// batch, takes a step of the back and answers each edge; after the last step it collects the front differences and
/// sends their mean. An edge that a step's time-out finds missing is out for the rest of the round; below the quorum
/// the round starves. Times are the caller's: it starts a timer whenever `step` changes.
///
/// A peer's bad message never throws: it gives `refuse`, and the edge still owes a good one.
public struct CloudRound: Sendable {
    public enum Event: Sendable {
        case activation(from: UInt16, ActivationMessage)
        case difference(from: UInt16, FrontDifferenceMessage)
        /// The time for this step is over; `plan.steps` stands for the collection of differences. Ignored when stale.
        case timedOut(step: UInt32)
        /// The envelope of the next message, in the order of the `send` actions, has this commitment.
        case sent(Digest)
    }

    public enum Action: Sendable, Equatable {
        case send(to: UInt16, AnyTrainingMessage)
        case refuse(from: UInt16, Refusal)
        /// The edge is out for the rest of the round.
        case dropped(UInt16)
        /// All messages are out. Once their commitments are reported, `result()` has the round's outcome.
        case completed
        /// Fewer edges are left than the quorum: the round ends without a result.
        case starved
    }

    private enum State: Sendable, Equatable {
        case running
        case completed
        case starved
    }

    public let plan: RoundPlan
    public let quorum: Int
    /// Edges that are still in the round, ascending: the roster order of every concatenation and mean.
    public private(set) var edges: [UInt16]
    /// The step whose messages are awaited; `plan.steps` while differences are.
    public private(set) var step: UInt32 = 0
    private let start: Network
    private var back: Network
    private let threads: Int
    private let trace: TraceRecorder?
    private var state = State.running
    private var log = StepLog()
    private var lossSum = 0.0
    private var merged: Network?
    // One slot for each place in `edges`.
    private var activations: [ActivationMessage?]
    private var differences: [FrontUpdate?]

    /// What boundary values can be: never negative where the front ends in rectified sums or their means and maxima,
    /// and never near this in size.
    private let boundaryRange: ClosedRange<Float>
    static let boundaryBound: Float = 65_536

    public init(
        plan: RoundPlan, edges: [UInt16], quorum: Int, checkpoint: Checkpoint, threads: Int = 1,
        trace: TraceRecorder? = nil
    ) throws(TrainingError) {
        let roster = edges.sorted()
        guard !roster.isEmpty, zip(roster, roster.dropFirst()).allSatisfy({ $0 < $1 }) else {
            throw .invalidPlan("a roster needs edges, each once")
        }
        guard (1...roster.count).contains(quorum) else {
            throw .invalidPlan("a quorum of \(quorum) among \(roster.count) edges")
        }
        guard checkpoint.front.part == .front, checkpoint.back.part == .back,
            checkpoint.front.spec == checkpoint.back.spec
        else { throw .model("a cloud needs the front and the back of one model") }
        self.plan = plan
        self.quorum = quorum
        self.edges = roster
        boundaryRange = (checkpoint.front.spec.hasPositiveBoundary ? 0 : -Self.boundaryBound)...Self.boundaryBound
        start = checkpoint.front
        back = checkpoint.back
        self.threads = threads
        self.trace = trace
        activations = Array(repeating: nil, count: roster.count)
        differences = Array(repeating: nil, count: roster.count)
    }

    /// Edges whose message for the current step is still to come.
    public var awaited: [UInt16] {
        guard state == .running else { return [] }
        return edges.indices.filter { activations[$0] == nil && differences[$0] == nil }.map { edges[$0] }
    }

    /// Throws only for what is the caller's own fault or the end of the training (`diverged`); then the machine is as
    /// it was before.
    public mutating func handle(_ event: Event) throws(TrainingError) -> [Action] {
        var next = self
        let actions = try next.advance(event)
        self = next
        return actions
    }

    /// The outcome, and the checkpoint from which the next round starts if this one is accepted.
    public func result() throws(TrainingError) -> (result: RoundResult, checkpoint: Checkpoint) {
        guard state == .completed, let merged else { throw .unexpectedEvent("the round has no result yet") }
        let result = RoundResult(
            stepsRoot: try log.root(), artifact: back.digest, meanLoss: lossSum / Double(plan.steps), log: log)
        return (result, Checkpoint(front: merged, back: back))
    }

    private mutating func advance(_ event: Event) throws(TrainingError) -> [Action] {
        switch event {
        case .sent(let commitment):
            try log.record(commitment)
            return []
        case .activation(let edge, let message):
            if let refusal = refusal(of: message, from: edge) { return [.refuse(from: edge, refusal)] }
            guard let place = edges.firstIndex(of: edge) else { return [.refuse(from: edge, .notInRound)] }
            activations[place] = message
            return try proceed()
        case .difference(let edge, let message):
            if let refusal = refusal(of: message, from: edge) { return [.refuse(from: edge, refusal)] }
            guard let place = edges.firstIndex(of: edge) else { return [.refuse(from: edge, .notInRound)] }
            differences[place] = message.update
            return try proceed()
        case .timedOut(let step):
            guard state == .running, step == self.step else { return [] }
            return try dropMissing()
        }
    }

    // MARK: Admission

    private func refusal(of message: ActivationMessage, from edge: UInt16) -> Refusal? {
        if let refusal = refusal(round: message.round, step: message.step, from: edge, collecting: false) {
            return refusal
        }
        let shape = [plan.batchSize] + back.inputShape
        guard message.boundary.shape == shape else {
            return .wrongShape(expected: shape, found: message.boundary.shape)
        }
        guard message.labels.count == plan.batchSize, message.labels.allSatisfy({ Int($0) < back.spec.classes }) else {
            return .labels
        }
        guard message.precision == plan.precision else { return .wrongForm }
        return message.boundary.isWithin(boundaryRange) ? nil : .values
    }

    private func refusal(of message: FrontDifferenceMessage, from edge: UInt16) -> Refusal? {
        refusal(round: message.round, step: message.step, from: edge, collecting: true)
            ?? (message.update.fits(start)
                ? nil
                : .wrongShape(expected: [start.parameterCount], found: [message.update.difference.count]))
            ?? (message.update.isInBounds ? nil : .values)
    }

    private func refusal(round: UInt32, step: UInt32, from edge: UInt16, collecting: Bool) -> Refusal? {
        guard state == .running, let place = edges.firstIndex(of: edge) else { return .notInRound }
        guard round == plan.round else { return .wrongRound(expected: plan.round, found: round) }
        guard step == self.step, collecting == (self.step == plan.steps) else {
            return .wrongStep(expected: self.step, found: step)
        }
        return activations[place] == nil && differences[place] == nil ? nil : .duplicate
    }

    // MARK: Progress

    /// A weighted sum is over one set of samples: an edge whose labels are not those of most is out of the round.
    private mutating func dropOthersLabels(_ batch: [ActivationMessage]) -> [Action] {
        var votes: [(labels: [UInt8], count: Int)] = []
        for message in batch {
            if let known = votes.firstIndex(where: { $0.labels == message.labels }) {
                votes[known].count += 1
            } else {
                votes.append((message.labels, 1))
            }
        }
        // Among equals the one that comes first in the roster.
        guard votes.count > 1, let most = votes.map(\.count).max(),
            let common = votes.first(where: { $0.count == most })
        else {
            return []
        }
        let present = edges.indices.filter { activations[$0]?.labels == common.labels }
        let gone = edges.indices.filter { !present.contains($0) }.map { edges[$0] }
        activations = present.map { activations[$0] }
        differences = present.map { differences[$0] }
        edges = present.map { edges[$0] }
        if edges.count < quorum { state = .starved }
        return gone.flatMap { [Action.refuse(from: $0, .labels), .dropped($0)] }
    }

    private mutating func dropMissing() throws(TrainingError) -> [Action] {
        let missing = awaited
        let present = edges.indices.filter { !missing.contains(edges[$0]) }
        activations = present.map { activations[$0] }
        differences = present.map { differences[$0] }
        edges = present.map { edges[$0] }
        let actions = missing.map(Action.dropped)
        guard edges.count >= quorum else {
            state = .starved
            return actions + [.starved]
        }
        return actions + (try proceed())
    }

    private mutating func proceed() throws(TrainingError) -> [Action] {
        if step < plan.steps {
            let batch = activations.compactMap { $0 }
            guard batch.count == edges.count else { return [] }
            let dropped = plan.join == .weightedSum ? dropOthersLabels(batch) : []
            if state == .starved { return dropped + [.starved] }
            return dropped + (try train(on: activations.compactMap { $0 }))
        }
        let updates = differences.compactMap { $0 }
        return updates.count == edges.count ? try merge(updates) : []
    }

    private mutating func train(on batch: [ActivationMessage]) throws(TrainingError) -> [Action] {
        let (loss, stepped) = try computing { () throws(TensorError) in
            let joined: FloatTensor
            let labels: [UInt8]
            switch plan.join {
            case .concatenation:
                joined = try .concatenate(batch.map(\.boundary))
                labels = batch.flatMap(\.labels)
            case .weightedSum:
                joined = try .mean(batch.map(\.boundary))
                labels = batch.first?.labels ?? []
            }
            if let trace {
                trace.begin()
                trace.note(joined)
                trace.note(labels: labels)
            }
            let pass = try back.forward(joined, threads: threads, trace: trace)
            let loss = try SoftmaxCrossEntropy.evaluate(logits: pass.output, labels: labels)
            let gradient = try back.step(
                pass, outputGradient: loss.gradient, optimiser: plan.optimiser, wantsInputGradient: true,
                threads: threads, trace: trace)
            return (loss, gradient)
        }
        guard let gradient = stepped else { throw .diverged(step: step) }
        guard loss.meanLoss.isFinite, gradient.isFinite, back.isFinite else { throw .diverged(step: step) }
        lossSum += loss.meanLoss

        var actions: [Action] = []
        for (place, edge) in edges.enumerated() {
            let own: FloatTensor
            let ownLoss: Double
            switch plan.join {
            case .concatenation:
                // From the mean over all samples to the mean over one edge's own: batches are of equal size.
                let samples = place * plan.batchSize..<(place + 1) * plan.batchSize
                own = try computing { () throws(TensorError) in
                    try gradient.slice(samples: samples).scaled(by: Float(edges.count))
                }
                ownLoss = loss.meanLoss(of: samples)
            case .weightedSum:
                // The weight 1 / edges and the factor of edges cancel.
                own = gradient
                ownLoss = loss.meanLoss
            }
            let message = GradientMessage(
                round: plan.round, step: step, gradient: own, loss: ownLoss, precision: plan.precision)
            actions.append(.send(to: edge, .gradient(message)))
        }
        log.expected += actions.count
        step += 1
        activations = Array(repeating: nil, count: edges.count)
        return actions
    }

    private mutating func merge(_ updates: [FrontUpdate]) throws(TrainingError) -> [Action] {
        let (mean, front) = try computing { () throws(TensorError) in
            let mean = try FrontUpdate.mean(updates)
            return (mean, try start.applying(mean))
        }
        guard front.isFinite else { throw .diverged(step: step) }
        if let trace {
            trace.begin()
            for update in updates + [mean] {
                trace.note(TraceNode(values: update.difference + update.velocities, each: 4_096))
            }
        }
        merged = front
        state = .completed
        log.expected += edges.count
        let message = FrontAverageMessage(round: plan.round, step: plan.steps, update: mean)
        return edges.map { .send(to: $0, .frontAverage(message)) } + [.completed]
    }
}
