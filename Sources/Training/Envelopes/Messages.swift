public import Encoding
public import Tensor

/// What an envelope carries; its number stands in the envelope's context.
public enum MessageKind: UInt8, Sendable, Hashable, CaseIterable {
    /// Edge to cloud, each step: boundary values and labels.
    case activation = 0
    /// Cloud to edge, each step: the gradient of those boundary values.
    case gradient = 1
    /// Edge to cloud, once a round.
    case frontDifference = 2
    /// Cloud to edge, once a round.
    case frontAverage = 3
    /// Device to fog node: samples, normalised and blurred.
    case deviceSamples = 4
    /// Fog node to cloud, once a round.
    case fogDifference = 5
    /// Cloud to fog node, once a round: what to add to the weights.
    case fogMean = 6
    /// Fog node to cloud, and back: the steps of a secure sum (``SecureSum``).
    case secureSumUp = 7
    case secureSumDown = 8
}

/// A payload names its round and step in clear words too, so that it stays meaningful once an envelope is opened.
public protocol TrainingMessage: BorshCodable, Sendable, Equatable {
    static var kind: MessageKind { get }
    var round: UInt32 { get }
    /// The messages at the end of a round have the number after that of the last step.
    var step: UInt32 { get }
}

/// `{ round, step, boundary: [N] + the shape at the cut, labels: bytes }`; the boundary travels as ``BoundaryCodec`` says.
public struct ActivationMessage: TrainingMessage {
    public static let kind = MessageKind.activation

    public let round: UInt32
    public let step: UInt32
    private let values: BoundaryTensor
    public let labels: [UInt8]
    /// As the receiver has it: rounded to the precision.
    public var boundary: FloatTensor { values.tensor }
    /// In which the boundary travels.
    public var precision: BoundaryPrecision { values.precision }

    public init(
        round: UInt32, step: UInt32, boundary: FloatTensor, labels: [UInt8], precision: BoundaryPrecision = .float32
    ) {
        self.round = round
        self.step = step
        values = BoundaryTensor(boundary, precision: precision)
        self.labels = labels
    }

    public func encode(to encoder: inout BorshEncoder) {
        encoder.integer(round)
        encoder.integer(step)
        values.encode(to: &encoder)
        encoder.variable(labels)
    }

    public init(from decoder: inout BorshDecoder) throws(BorshError) {
        round = try decoder.integer()
        step = try decoder.integer()
        values = try BoundaryTensor(from: &decoder)
        labels = try decoder.variable(limit: RoundPlan.maximumBatch)
    }
}

/// `{ round, step, gradient: tensor [N] + the boundary's shape, loss: f64 }`
public struct GradientMessage: TrainingMessage {
    public static let kind = MessageKind.gradient

    public let round: UInt32
    public let step: UInt32
    /// Of the mean loss over the receiver's own samples. So a front steps as it would in local training, however many
    /// edges share the back, and the mean of the fronts is a step of the same size.
    /// As the receiver has it: rounded to the precision.
    public var gradient: FloatTensor { values.tensor }
    /// The mean loss over the receiver's samples of this step.
    public let loss: Double
    /// In which the gradient travels.
    public var precision: BoundaryPrecision { values.precision }
    private let values: BoundaryTensor

    public init(
        round: UInt32, step: UInt32, gradient: FloatTensor, loss: Double, precision: BoundaryPrecision = .float32
    ) {
        self.round = round
        self.step = step
        values = BoundaryTensor(gradient, precision: precision)
        self.loss = loss
    }

    public func encode(to encoder: inout BorshEncoder) {
        encoder.integer(round)
        encoder.integer(step)
        values.encode(to: &encoder)
        encoder.integer(loss.bitPattern)
    }

    public init(from decoder: inout BorshDecoder) throws(BorshError) {
        round = try decoder.integer()
        step = try decoder.integer()
        values = try BoundaryTensor(from: &decoder)
        loss = Double(bitPattern: try decoder.integer())
        guard loss.isFinite else { throw decoder.failure(.notCanonical("a loss that is not finite")) }
    }
}

/// `{ round, step, update }`: an edge's own update.
public struct FrontDifferenceMessage: TrainingMessage {
    public static let kind = MessageKind.frontDifference

    public let round: UInt32
    public let step: UInt32
    public let update: FrontUpdate

    public init(round: UInt32, step: UInt32, update: FrontUpdate) {
        self.round = round
        self.step = step
        self.update = update
    }

    public func encode(to encoder: inout BorshEncoder) {
        encoder.integer(round)
        encoder.integer(step)
        encoder.value(update)
    }

    public init(from decoder: inout BorshDecoder) throws(BorshError) {
        round = try decoder.integer()
        step = try decoder.integer()
        update = try decoder.value()
    }
}

/// `{ round, step, update }`: the mean of the edges' updates, the same for all of them.
public struct FrontAverageMessage: TrainingMessage {
    public static let kind = MessageKind.frontAverage

    public let round: UInt32
    public let step: UInt32
    public let update: FrontUpdate

    public init(round: UInt32, step: UInt32, update: FrontUpdate) {
        self.round = round
        self.step = step
        self.update = update
    }

    public func encode(to encoder: inout BorshEncoder) {
        encoder.integer(round)
        encoder.integer(step)
        encoder.value(update)
    }

    public init(from decoder: inout BorshDecoder) throws(BorshError) {
        round = try decoder.integer()
        step = try decoder.integer()
        update = try decoder.value()
    }
}

/// Any message, decoded by the kind that the envelope's context names.
public enum AnyTrainingMessage: Sendable, Equatable {
    case activation(ActivationMessage)
    case gradient(GradientMessage)
    case frontDifference(FrontDifferenceMessage)
    case frontAverage(FrontAverageMessage)
    case deviceSamples(DeviceSamplesMessage)
    case fogDifference(FogDifferenceMessage)
    case fogMean(FogMeanMessage)
    case secureSumUp(SecureSumUpMessage)
    case secureSumDown(SecureSumDownMessage)

    public init(kind: MessageKind, payload: [UInt8]) throws(BorshError) {
        switch kind {
        case .activation: self = .activation(try ActivationMessage(borsh: payload))
        case .gradient: self = .gradient(try GradientMessage(borsh: payload))
        case .frontDifference: self = .frontDifference(try FrontDifferenceMessage(borsh: payload))
        case .frontAverage: self = .frontAverage(try FrontAverageMessage(borsh: payload))
        case .deviceSamples: self = .deviceSamples(try DeviceSamplesMessage(borsh: payload))
        case .fogDifference: self = .fogDifference(try FogDifferenceMessage(borsh: payload))
        case .fogMean: self = .fogMean(try FogMeanMessage(borsh: payload))
        case .secureSumUp: self = .secureSumUp(try SecureSumUpMessage(borsh: payload))
        case .secureSumDown: self = .secureSumDown(try SecureSumDownMessage(borsh: payload))
        }
    }

    private var message: any TrainingMessage {
        switch self {
        case .activation(let message): message
        case .gradient(let message): message
        case .frontDifference(let message): message
        case .frontAverage(let message): message
        case .deviceSamples(let message): message
        case .fogDifference(let message): message
        case .fogMean(let message): message
        case .secureSumUp(let message): message
        case .secureSumDown(let message): message
        }
    }

    public var kind: MessageKind { type(of: message).kind }
    public var round: UInt32 { message.round }
    public var step: UInt32 { message.step }
    public var payload: [UInt8] { message.borsh }
}
