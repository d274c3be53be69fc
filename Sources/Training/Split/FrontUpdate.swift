public import Encoding
public import Tensor

/// What an edge's front gained in a round: its weight difference from the round's common start, and its velocities.
///
/// The cloud averages updates; every edge adds the mean to the common start and takes the mean velocities. So all edges
/// leave a round with the same front, and one that was away needs nothing but the checkpoint.
public struct FrontUpdate: Sendable, Equatable {
    /// No honest difference or velocity comes near; beyond it an update is refused.
    static let bound: Float = 65_536

    /// In the order of the network's flat parameters.
    public let difference: [Float]
    /// Empty without momentum.
    public let velocities: [Float]

    private init(difference: [Float], velocities: [Float]) {
        self.difference = difference
        self.velocities = velocities
    }

    /// `trained - start`, element by element, for two fronts of one model.
    public init(from start: Network, to trained: Network) throws(TensorError) {
        guard start.parameterCount == trained.parameterCount else {
            throw .elementCount(expected: start.parameterCount, found: trained.parameterCount)
        }
        self.init(
            difference: trained.parameters.subtracting(start.parameters), velocities: trained.velocities ?? [])
    }

    /// The mean of the updates, summed in the order given (the roster's), element by element.
    public static func mean(_ updates: [FrontUpdate]) throws(TensorError) -> FrontUpdate {
        guard let difference = [Float].mean(updates.map(\.difference)),
            let velocities = [Float].mean(updates.map(\.velocities))
        else { throw .invalidShape([]) }
        return FrontUpdate(difference: difference, velocities: velocities)
    }

    /// Whether it is one of this front's, by its sizes.
    func fits(_ front: Network) -> Bool {
        difference.count == front.parameterCount && velocities.count == (front.velocities?.count ?? 0)
    }

    var isInBounds: Bool {
        difference.isWithin(-Self.bound...Self.bound) && velocities.isWithin(-Self.bound...Self.bound)
    }
}

extension Network {
    /// This front plus the difference, with the update's velocities.
    public func applying(_ update: FrontUpdate) throws(TensorError) -> Network {
        guard update.fits(self) else {
            throw .elementCount(expected: parameterCount, found: update.difference.count)
        }
        return try replacing(
            parameters: parameters.adding(update.difference), velocities: velocities == nil ? nil : update.velocities)
    }
}

/// Canonical bytes: `{ difference: [f32], velocities: [f32] }`, each with a u32 length.
extension FrontUpdate: BorshCodable {
    public func encode(to encoder: inout BorshEncoder) {
        for values in [difference, velocities] {
            encoder.integer(UInt32(truncatingIfNeeded: values.count))
            encoder.floats(values)
        }
    }

    public init(from decoder: inout BorshDecoder) throws(BorshError) {
        difference = try decoder.floats(
            count: try decoder.length(limit: ModelSpec.maximumParameters, smallestElement: 4))
        velocities = try decoder.floats(
            count: try decoder.length(limit: ModelSpec.maximumParameters, smallestElement: 4))
    }
}

extension FloatTensor {
    /// Whether every element lies in the range; a NaN does not.
    func isWithin(_ range: ClosedRange<Float>) -> Bool { elements.isWithin(range) }
}
