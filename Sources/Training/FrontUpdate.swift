public import Encoding
public import Tensor

/// What an edge's front gained in a round: its weight difference from the round's common start, and its velocities.
///
/// The cloud averages updates; every edge adds the mean to the common start and takes the mean velocities. So all edges
/// leave a round with the same front, and one that was away needs nothing but the checkpoint.
public struct FrontUpdate: Sendable, Equatable {
    /// No honest difference or velocity comes near; beyond it an update is refused.
    static let bound: Float = 65_536

    public let weights: FloatTensor
    public let bias: FloatTensor
    public let weightsVelocity: FloatTensor
    public let biasVelocity: FloatTensor

    private init(
        weights: FloatTensor, bias: FloatTensor, weightsVelocity: FloatTensor, biasVelocity: FloatTensor
    ) {
        self.weights = weights
        self.bias = bias
        self.weightsVelocity = weightsVelocity
        self.biasVelocity = biasVelocity
    }

    /// `trained - start`, element by element.
    public init(from start: FrontModel, to trained: FrontModel) throws(TensorError) {
        self.init(
            weights: try trained.c1.weights.subtracting(start.c1.weights),
            bias: try trained.c1.bias.subtracting(start.c1.bias),
            weightsVelocity: trained.c1.weightsVelocity, biasVelocity: trained.c1.biasVelocity)
    }

    /// The mean of the updates, summed in the order given (the roster's), element by element.
    public static func mean(_ updates: [FrontUpdate]) throws(TensorError) -> FrontUpdate {
        FrontUpdate(
            weights: try FloatTensor.mean(updates.map(\.weights)),
            bias: try FloatTensor.mean(updates.map(\.bias)),
            weightsVelocity: try FloatTensor.mean(updates.map(\.weightsVelocity)),
            biasVelocity: try FloatTensor.mean(updates.map(\.biasVelocity)))
    }

    var isInBounds: Bool {
        [weights, bias, weightsVelocity, biasVelocity].allSatisfy { $0.isWithin(-Self.bound...Self.bound) }
    }
}

extension FrontModel {
    /// This front plus the difference, with the update's velocities.
    public func applying(_ update: FrontUpdate) throws(TensorError) -> FrontModel {
        var result = self
        result.c1.weights = try c1.weights.adding(update.weights)
        result.c1.bias = try c1.bias.adding(update.bias)
        result.c1.weightsVelocity = update.weightsVelocity
        result.c1.biasVelocity = update.biasVelocity
        return result
    }
}

/// Canonical bytes: the four tensors in the order of their declaration.
extension FrontUpdate: BorshCodable {
    public func encode(to encoder: inout BorshEncoder) {
        encoder.tensor(weights)
        encoder.tensor(bias)
        encoder.tensor(weightsVelocity)
        encoder.tensor(biasVelocity)
    }

    public init(from decoder: inout BorshDecoder) throws(BorshError) {
        weights = try decoder.tensor(shape: FrontModel.weightsShape)
        bias = try decoder.tensor(shape: [6])
        weightsVelocity = try decoder.tensor(shape: FrontModel.weightsShape)
        biasVelocity = try decoder.tensor(shape: [6])
    }
}

extension FloatTensor {
    /// Whether every element lies in the range; a NaN does not.
    func isWithin(_ range: ClosedRange<Float>) -> Bool {
        elements.allSatisfy { range.contains($0) }
    }
}
