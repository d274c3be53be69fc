public import Tensor

/// Why a computation of this module could not go on.
public enum TrainingError: Error, Equatable, Sendable, CustomStringConvertible {
    /// An operator refused its operands.
    case tensor(TensorError)
    /// The model's specification is wrong, or values are not of it.
    case model(String)
    /// A loss or a parameter is no longer finite.
    case diverged(step: UInt32)
    /// The plan of a round is out of its limits.
    case invalidPlan(String)
    /// A dataset or a shard without samples.
    case emptyDataset
    /// The event doesn't fit the state of the round: a step out of turn, a second message.
    case unexpectedEvent(String)
    /// The caller did not report the commitment of every message that it was told to send.
    case commitmentsMissing(expected: Int, found: Int)
    /// The worker's samples were exposed as far as the plan allows (epsilon, spent and allowed).
    case budgetSpent(spent: Double, budget: Double)
    /// A peer's message is malformed for this round.
    case refused(Refusal)

    public var description: String {
        switch self {
        case .tensor(let error): "\(error)"
        case .model(let what): "the model is invalid: \(what)"
        case .diverged(let step): "training diverged in step \(step): a value is no longer finite"
        case .invalidPlan(let what): "the plan of the round is invalid: \(what)"
        case .emptyDataset: "the dataset has no samples"
        case .unexpectedEvent(let what): "unexpected event: \(what)"
        case .commitmentsMissing(let expected, let found):
            "\(found) envelope commitments were reported, \(expected) messages were to be sent"
        case .budgetSpent(let spent, let budget):
            "the privacy budget is spent: one more step would bring epsilon to \((spent * 1_000).rounded(.up) / 1_000), the plan allows \(budget)"
        case .refused(let reason): "message refused: \(reason)"
        }
    }
}

/// Why a peer's message is not taken.
public enum Refusal: Error, Equatable, Sendable, CustomStringConvertible {
    /// No edge of this round has that place, or it was left behind earlier in the round.
    case notInRound
    case wrongRound(expected: UInt32, found: UInt32)
    case wrongStep(expected: UInt32, found: UInt32)
    /// The step has this edge's message already.
    case duplicate
    case wrongShape(expected: [Int], found: [Int])
    case labels
    /// A value is not finite, or beyond what any honest front or loss gives.
    case values
    /// A difference that no honest epoch gives.
    case norm(found: Float, limit: Float)
    /// The same difference as that of another place in this round.
    case copied(of: UInt16)
    /// With a part of it the model is too inaccurate on the reserved samples (accuracies in millionths, see ``Validation``).
    case worsens(needed: UInt64, after: UInt64)
    /// With a part of it the model's loss on the reserved samples is too large (in millionths, see ``Validation``).
    case misleads(most: UInt64, after: UInt64)
    /// The mean with it is too inaccurate, and half of its differences do better (accuracies in millionths).
    case spoils(needed: UInt64, after: UInt64)
    /// A masked difference in a plain round, or the other way round.
    case wrongForm
    /// Its bytes are no message.
    case malformed(String)

    public var description: String {
        switch self {
        case .notInRound: "the sender has no part in this round"
        case .wrongRound(let expected, let found): "it is for round \(found), this is round \(expected)"
        case .wrongStep(let expected, let found): "it is for step \(found), expected step \(expected)"
        case .duplicate: "there is one for this step already"
        case .wrongShape(let expected, let found): "a tensor has shape \(found), expected \(expected)"
        case .labels: "labels are missing, too many, or no classes of the model"
        case .values: "a value is not finite or out of bounds"
        case .norm(let found, let limit): "the difference has the norm \(found), at most \(limit) is taken"
        case .copied(let place): "it is the difference that place \(place) sent"
        case .worsens(let needed, let after):
            "with a part of it the accuracy on reserved samples is \(after) millionths, \(needed) are needed"
        case .misleads(let most, let after):
            "with a part of it the loss on reserved samples is \(after) millionths, at most \(most) are taken"
        case .spoils(let needed, let after):
            "the mean of all has an accuracy of \(after) millionths on reserved samples, \(needed) are needed, and without it the mean is better"
        case .malformed(let what): what
        case .wrongForm: "the difference has not the form that the plan asks for"
        }
    }
}

/// Runs operators and gives their errors this module's type.
func computing<Value>(_ body: () throws(TensorError) -> Value) throws(TrainingError) -> Value {
    do {
        return try body()
    } catch {
        throw .tensor(error)
    }
}
