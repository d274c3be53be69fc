public import Encoding

/// A model's architecture: what a job trains, as layers with their sizes, and where it is cut.
///
/// The canonical bytes stand in a job's plan; people write the text form (YAML, module `ModelFiles`). A specification is
/// a value that may describe nonsense: `problem` says what is wrong with it, and `Network` takes none that has one.
public struct ModelSpec: Sendable, Hashable {
    /// One sample: `[features]`, or `[channels, height, width]`.
    public let input: [Int]
    public let layers: [ModelLayer]
    /// What the last layer has as output: one logit for each class. Labels are `0..<classes`.
    public let classes: Int
    /// How many layers are the front, which the edges run in split learning. Nil where the model isn't cut.
    public let cut: Int?

    public static let maximumLayers = 64
    public static let longestName = 32
    /// Labels travel as bytes.
    public static let maximumClasses = 256
    /// The largest size of anything: a dimension, a number of filters or units.
    public static let maximumSize = 65_535
    /// Values of one sample after any layer, and in its input.
    public static let maximumValues = 1 << 22
    /// Parameters in all: 256 MiB.
    public static let maximumParameters = 1 << 26

    public init(input: [Int], layers: [ModelLayer], classes: Int, cut: Int? = nil) {
        self.input = input
        self.layers = layers
        self.classes = classes
        self.cut = cut
    }

    /// What is wrong with it, for a person; nil if nothing is.
    public var problem: String? {
        switch Result(catching: { () throws(ModelProblem) in try examine() }) {
        case .success: nil
        case .failure(let problem): problem.description
        }
    }

    /// The shape of one sample after each layer.
    public var shapes: [[Int]] {
        get throws(ModelProblem) { try examine().map(\.output) }
    }

    /// The tensors that training changes, in the fixed order of a network's flat parameters: for each layer its weights,
    /// then its bias.
    public var tensors: [ParameterTensor] {
        get throws(ModelProblem) { try examine().flatMap(\.tensors) }
    }

    public var parameterCount: Int {
        get throws(ModelProblem) { try tensors.reduce(0) { $0 + $1.count } }
    }

    /// Products and sums of the forward pass of one sample; a training step takes about three times as many.
    public var multiplyAdds: Int {
        get throws(ModelProblem) { try examine().reduce(0) { $0 + $1.multiplyAdds } }
    }

    /// One sample at the cut: what travels in split learning. Nil where the model isn't cut.
    public var boundary: [Int]? {
        get throws(ModelProblem) {
            let layers = try examine()
            return cut.map { layers[$0 - 1].output }
        }
    }

    /// Why the model can't train on samples of this shape with labels below `classes`; nil if it can.
    public func problem(forSamples shape: [Int], classes: Int) -> String? {
        if let problem { return problem }
        guard input == shape else {
            return "the model takes samples of \(Self.text(input)), the data have \(Self.text(shape))"
        }
        guard classes <= self.classes else {
            return "the model tells \(self.classes) classes apart, the data have labels for \(classes)"
        }
        return nil
    }

    /// `1 x 32 x 32`
    public static func text(_ shape: [Int]) -> String { shape.map(String.init).joined(separator: " x ") }
}

/// A parameter tensor of a model: `c1.weight [6, 1, 5, 5]`. Names and shapes are those of the layer in PyTorch:
/// convolution weights `[filters, channels, height, width]`, dense weights `[units, inputs]`.
public struct ParameterTensor: Sendable, Hashable {
    public let name: String
    public let shape: [Int]

    public var count: Int { shape.reduce(1, *) }
}

/// What is wrong with a model, and where.
public struct ModelProblem: Error, Sendable, Hashable, CustomStringConvertible {
    /// The layer, counted from 0; nil for the model as a whole.
    public let layer: Int?
    public let description: String
}

/// Canonical bytes: `{ version: u8 = 1, input: [u16] of 1 to 3, layers: [Layer] of at most 64, classes: u16,
/// cut: optional u8 }`.
extension ModelSpec: BorshCodable {
    private static let version: UInt8 = 1

    public func encode(to encoder: inout BorshEncoder) {
        encoder.integer(Self.version)
        encoder.array(input.map { UInt16(clamping: $0) })
        encoder.array(layers)
        encoder.size(classes)
        encoder.optional(cut.map { UInt8(clamping: $0) })
    }

    public init(from decoder: inout BorshDecoder) throws(BorshError) {
        let version: UInt8 = try decoder.integer()
        guard version == Self.version else {
            throw decoder.failure(.notCanonical("a model of version \(version), known is \(Self.version)"))
        }
        input = try decoder.array(of: UInt16.self, limit: 3, smallestElement: 2).map { Int($0) }
        layers = try decoder.array(limit: Self.maximumLayers)
        classes = try decoder.size()
        cut = try decoder.optional(UInt8.self).map { Int($0) }
    }
}
