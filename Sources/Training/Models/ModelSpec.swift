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
    /// How widely the initial weights are spread.
    public let initial: InitialWeights

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

    public init(input: [Int], layers: [ModelLayer], classes: Int, cut: Int? = nil, initial: InitialWeights = .he) {
        self.input = input
        self.layers = layers
        self.classes = classes
        self.cut = cut
        self.initial = initial
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

/// How widely a model's initial weights are spread: uniform in `-b..<b`.
public enum InitialWeights: UInt8, Sendable, Hashable, CaseIterable {
    /// `b = sqrt(6 / inputs)` where a rectifier follows, `sqrt(3 / inputs)` elsewhere: outputs keep the size of inputs
    /// through any number of layers (He et al., 2015; LeCun et al., 1998).
    case he = 0
    /// `b = 1 / sqrt(inputs)`, as PyTorch's layers start: outputs shrink from layer to layer. A step of SGD moves the
    /// logits by about rate times the squared norm of what goes into the last layer, so large rates need it.
    case narrow = 1

    public var name: String {
        switch self {
        case .he: "he"
        case .narrow: "narrow"
        }
    }
}

/// Canonical bytes: `{ version: u8, input: [u16] of 1 to 3, layers: [Layer] of at most 64, classes: u16,
/// cut: optional u8 }`, of version 1 with the initial weights of He; version 2 has a u8 more, which names others.
extension ModelSpec: BorshCodable {
    public func encode(to encoder: inout BorshEncoder) {
        encoder.integer(UInt8(initial == .he ? 1 : 2))
        encoder.array(input.map { UInt16(clamping: $0) })
        encoder.array(layers)
        encoder.size(classes)
        encoder.optional(cut.map { UInt8(clamping: $0) })
        if initial != .he { encoder.integer(initial.rawValue) }
    }

    public init(from decoder: inout BorshDecoder) throws(BorshError) {
        let version: UInt8 = try decoder.integer()
        guard (1...2).contains(version) else {
            throw decoder.failure(.notCanonical("a model of version \(version), known are 1 and 2"))
        }
        input = try decoder.array(of: UInt16.self, limit: 3, smallestElement: 2).map { Int($0) }
        layers = try decoder.array(limit: Self.maximumLayers)
        classes = try decoder.size()
        cut = try decoder.optional(UInt8.self).map { Int($0) }
        guard version == 2 else {
            initial = .he
            return
        }
        initial = try decoder.planTag()
        guard initial != .he else { throw decoder.failure(.notCanonical("initial weights that version 1 has")) }
    }
}
