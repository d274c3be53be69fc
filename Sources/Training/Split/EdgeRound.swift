public import Cryptography
import Tensor

/// One edge's part in one round of split learning, as a pure state machine.
///
/// ```
/// start -> activation 0 -> (gradient 0) -> activation 1 -> ... -> (gradient k-1) -> front difference
///       -> (front average) -> finished
/// ```
/// The caller seals and sends what `send` names and reports each envelope's commitment by `sent` before the round ends.
/// An event that throws leaves the machine as it was, so a forged or damaged message costs nothing but itself.
public struct EdgeRound: Sendable {
    public enum Event: Sendable {
        case start
        /// The envelope of the latest message has this commitment.
        case sent(Digest)
        case gradient(GradientMessage)
        case average(FrontAverageMessage)
    }

    public enum Action: Sendable, Equatable {
        case send(AnyTrainingMessage)
        /// The round is over; `front` is where the next one starts.
        case finished(RoundResult, front: Network)
    }

    /// What the machine waits for.
    public enum Phase: Sendable, Equatable {
        case idle
        case gradient(step: UInt32)
        case average
        case finished
    }

    private enum State: Sendable {
        case idle
        case awaitingGradient(step: UInt32, Network.Pass)
        case awaitingAverage
        case finished
    }

    public let plan: RoundPlan
    /// The edge's place in the roster: its shard, and the key of its batches.
    public let index: UInt16
    private let start: Network
    private let data: any SampleSource
    private var order: SampleOrder
    private let threads: Int
    private let trace: TraceRecorder?
    private var front: Network
    private var state = State.idle
    private var log = StepLog()
    private var lossSum = 0.0

    /// No honest gradient of a mean loss comes near; beyond it a message is refused.
    static let gradientBound: Float = 65_536

    public init(
        plan: RoundPlan, index: UInt16, front: Network, shard: any SampleSource, threads: Int = 1,
        trace: TraceRecorder? = nil
    ) throws(TrainingError) {
        guard shard.count > 0 else { throw .emptyDataset }
        guard front.part == .front else { throw .model("an edge trains the front of a model") }
        self.plan = plan
        self.index = index
        start = front
        self.front = front
        data = shard
        order = SampleOrder(plan: plan, edge: index, count: shard.count)
        self.threads = threads
        self.trace = trace
    }

    public var phase: Phase {
        switch state {
        case .idle: .idle
        case .awaitingGradient(let step, _): .gradient(step: step)
        case .awaitingAverage: .average
        case .finished: .finished
        }
    }

    public mutating func handle(_ event: Event) throws(TrainingError) -> [Action] {
        // Work on a copy, so that an error leaves no half-made step.
        var next = self
        let actions = try next.advance(event)
        self = next
        return actions
    }

    private mutating func advance(_ event: Event) throws(TrainingError) -> [Action] {
        switch (event, state) {
        case (.start, .idle):
            return [try sendActivation(step: 0)]
        case (.sent(let commitment), _):
            try log.record(commitment)
            return []
        case (.gradient(let message), .awaitingGradient(let step, let pass)):
            return try take(message, step: step, pass: pass)
        case (.average(let message), .awaitingAverage):
            return try take(message)
        case (.start, _):
            throw .unexpectedEvent("the round has started already")
        case (.gradient, _):
            throw .unexpectedEvent("a gradient, while none is awaited")
        case (.average, _):
            throw .unexpectedEvent("a front average, while none is awaited")
        }
    }

    private mutating func sendActivation(step: UInt32) throws(TrainingError) -> Action {
        let (images, labels) = try data.samples(at: order.indices(step: step))
        if let trace {
            trace.begin()
            trace.note(images)
            trace.note(labels: labels)
        }
        let pass = try computing { () throws(TensorError) in
            try front.forward(images, threads: threads, trace: trace)
        }
        state = .awaitingGradient(step: step, pass)
        log.expected += 1
        return .send(
            .activation(
                ActivationMessage(
                    round: plan.round, step: step, boundary: pass.output, labels: labels, precision: plan.precision)))
    }

    private mutating func take(
        _ message: GradientMessage, step: UInt32, pass: Network.Pass
    ) throws(TrainingError) -> [Action] {
        try check(round: message.round, step: message.step, expected: step)
        guard message.gradient.shape == pass.output.shape else {
            throw .refused(.wrongShape(expected: pass.output.shape, found: message.gradient.shape))
        }
        guard message.precision == plan.precision else { throw .refused(.wrongForm) }
        guard message.gradient.isWithin(-Self.gradientBound...Self.gradientBound), message.loss >= 0,
            message.loss.isFinite
        else { throw .refused(.values) }
        do {
            try front.step(
                pass, outputGradient: message.gradient, optimiser: plan.optimiser, threads: threads, trace: trace)
        } catch {
            throw .tensor(error)
        }
        guard front.isFinite else { throw .diverged(step: step) }
        lossSum += message.loss
        if step + 1 < plan.steps {
            return [try sendActivation(step: step + 1)]
        }
        let update = try computing { () throws(TensorError) in try FrontUpdate(from: start, to: front) }
        state = .awaitingAverage
        log.expected += 1
        return [
            .send(.frontDifference(FrontDifferenceMessage(round: plan.round, step: plan.steps, update: update)))
        ]
    }

    private mutating func take(_ message: FrontAverageMessage) throws(TrainingError) -> [Action] {
        try check(round: message.round, step: message.step, expected: plan.steps)
        guard message.update.fits(start) else {
            throw .refused(.wrongShape(expected: [start.parameterCount], found: [message.update.difference.count]))
        }
        guard message.update.isInBounds else { throw .refused(.values) }
        front = try computing { () throws(TensorError) in try start.applying(message.update) }
        state = .finished
        let result = RoundResult(
            stepsRoot: try log.root(), artifact: front.digest, meanLoss: lossSum / Double(plan.steps), log: log)
        return [.finished(result, front: front)]
    }

    private func check(round: UInt32, step: UInt32, expected: UInt32) throws(TrainingError) {
        guard round == plan.round else { throw .refused(.wrongRound(expected: plan.round, found: round)) }
        guard step == expected else { throw .refused(.wrongStep(expected: expected, found: step)) }
    }
}
