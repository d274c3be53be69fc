/// # ModelFiles
///
/// Models as people write them.
///
/// The text form of `Training.ModelSpec` is YAML, so that an architecture can be read, commented and kept in a
/// repository (`Models/` has LeNet-5 and the fog paper's two). Commands and workers read it here, the same way.
///
/// - A key that means nothing here is an error, never ignored: a misspelt `stride` must not train another model.
/// - An error names the line, what is wrong and what is allowed. The model as a whole is checked too.
/// - What `ModelSpec.yaml` writes is read back as the same specification.

public import Training
import Yams

/// Why a text is no model.
public struct ModelFileError: Error, Equatable, Sendable, CustomStringConvertible {
    /// Counted from 1; nil where no line is to blame.
    public let line: Int?
    public let reason: String

    public var description: String { line.map { "line \($0): \(reason)" } ?? reason }
}

public enum ModelFile {
    /// Bytes of the longest text that is read; real ones have less than two thousand.
    public static let longestText = 16_384

    /// A model from its text form:
    /// ```yaml
    /// input: [1, 32, 32]        # [features], or [channels, height, width]
    /// classes: 10
    /// initial-weights: he       # or narrow, as in PyTorch; he if absent
    /// layers:
    ///   - convolution: {name: c1, filters: 6, kernel: 5, stride: 1, padding: valid}
    ///   - relu
    ///   - average-pooling: {size: 2}
    ///   - cut                   # split learning: the edges run what is above
    ///   - flatten
    ///   - dense: {units: 10}
    /// ```
    /// Kernels, sizes and strides are one number, or `[height, width]`.
    public static func read(_ text: String) throws(ModelFileError) -> ModelSpec {
        guard text.utf8.count <= longestText else {
            throw ModelFileError(line: nil, reason: "the text is longer than \(longestText) bytes")
        }
        let root: Node?
        do { root = try Yams.compose(yaml: text) } catch {
            let (line, problem) = YAMLText.problem(error)
            throw ModelFileError(line: line, reason: "not YAML: \(problem)")
        }
        guard let root else { throw ModelFileError(line: nil, reason: "the text is empty") }
        var fields = try Fields(root, of: "a model")
        let input = try fields.numbers("input")
        let classes = try fields.number("classes")
        let (layers, cut) = try read(layers: fields.required("layers"))
        let initial = try initialWeights(fields.text("initial-weights"), line: root.mark?.line)
        try fields.finish(allowed: "input, classes, initial-weights, layers")
        let spec = ModelSpec(input: input, layers: layers, classes: classes, cut: cut, initial: initial)
        if let problem = spec.problem { throw ModelFileError(line: nil, reason: problem) }
        return spec
    }

    private static func initialWeights(_ name: String?, line: Int?) throws(ModelFileError) -> InitialWeights {
        guard let name else { return .he }
        guard let initial = InitialWeights.allCases.first(where: { $0.name == name }) else {
            throw ModelFileError(
                line: line,
                reason: "there are no initial weights '\(name)'; they are \(InitialWeights.allCases.map(\.name).joined(separator: " or "))")
        }
        return initial
    }

    private static func read(layers node: Node) throws(ModelFileError) -> ([ModelLayer], cut: Int?) {
        guard let sequence = node.sequence else {
            throw ModelFileError(line: node.mark?.line, reason: "'layers' must be a list, each layer behind a '-'")
        }
        guard sequence.count <= ModelSpec.maximumLayers + 1 else {
            throw ModelFileError(
                line: node.mark?.line, reason: "more than \(ModelSpec.maximumLayers) layers")
        }
        var layers: [ModelLayer] = []
        var cut: Int?
        for item in sequence {
            if item.scalar?.string == "cut" {
                guard cut == nil else { throw ModelFileError(line: item.mark?.line, reason: "a second cut") }
                cut = layers.count
            } else {
                layers.append(try layer(item))
            }
        }
        return (layers, cut)
    }

    private static let kinds =
        "convolution, average-pooling, maximum-pooling, dense, relu, tanh, sigmoid, scaled-tanh, flatten, cut"

    private static func layer(_ node: Node) throws(ModelFileError) -> ModelLayer {
        func fail(_ reason: String) -> ModelFileError { ModelFileError(line: node.mark?.line, reason: reason) }
        if let name = node.scalar?.string {
            if name == "flatten" { return .flatten }
            if let function = Activation.allCases.first(where: { $0.name == name }) { return .activation(function) }
            throw fail("there is no layer '\(name)' without sizes; the kinds are \(kinds)")
        }
        guard let mapping = node.mapping, mapping.count == 1, let (key, value) = mapping.first,
            let kind = key.string
        else { throw fail("a layer is a kind, or a kind with its sizes: 'dense: {units: 10}'") }
        var fields = try Fields(value, of: "'\(kind)'")
        let result: ModelLayer
        switch kind {
        case "convolution":
            let padding: Padding
            switch try fields.text("padding") {
            case nil, "valid": padding = .valid
            case "same": padding = .same
            case let other?: throw fail("there is no padding '\(other)'; it is valid or same")
            }
            result = .convolution(
                ConvolutionLayer(
                    name: try fields.text("name"), filters: try fields.number("filters"),
                    kernel: try fields.extent("kernel"), stride: try fields.optionalExtent("stride") ?? Extent(1),
                    padding: padding))
            try fields.finish(allowed: "name, filters, kernel, stride, padding")
        case "average-pooling", "maximum-pooling":
            let layer = PoolingLayer(size: try fields.extent("size"), stride: try fields.optionalExtent("stride"))
            result = kind == "average-pooling" ? .averagePooling(layer) : .maximumPooling(layer)
            try fields.finish(allowed: "size, stride")
        case "dense":
            result = .dense(DenseLayer(name: try fields.text("name"), units: try fields.number("units")))
            try fields.finish(allowed: "name, units")
        default: throw fail("there is no layer '\(kind)' with sizes; the kinds are \(kinds)")
        }
        return result
    }
}

/// The fields of one mapping; what nobody asked for is an error in the end.
private struct Fields {
    private var open: [String: Node] = [:]
    private let line: Int?
    private let owner: String

    init(_ node: Node, of owner: String) throws(ModelFileError) {
        line = node.mark?.line
        self.owner = owner
        guard let mapping = node.mapping else {
            throw ModelFileError(line: line, reason: "\(owner) needs fields, such as 'name: value'")
        }
        for (key, value) in mapping {
            guard let name = key.string else {
                throw ModelFileError(line: key.mark?.line ?? line, reason: "a field of \(owner) has no name")
            }
            guard open.updateValue(value, forKey: name) == nil else {
                throw ModelFileError(line: key.mark?.line ?? line, reason: "'\(name)' stands twice in \(owner)")
            }
        }
    }

    mutating func required(_ name: String) throws(ModelFileError) -> Node {
        guard let node = open.removeValue(forKey: name) else {
            throw ModelFileError(line: line, reason: "\(owner) needs '\(name)'")
        }
        return node
    }

    private func number(_ node: Node, _ name: String) throws(ModelFileError) -> Int {
        guard let text = node.scalar?.string, let value = Int(text) else {
            throw ModelFileError(line: node.mark?.line ?? line, reason: "'\(name)' must be a whole number")
        }
        return value
    }

    mutating func number(_ name: String) throws(ModelFileError) -> Int { try number(required(name), name) }

    mutating func numbers(_ name: String) throws(ModelFileError) -> [Int] {
        let node = try required(name)
        guard let sequence = node.sequence, sequence.count <= 8 else { return [try number(node, name)] }
        var values: [Int] = []
        for item in sequence { values.append(try number(item, name)) }
        return values
    }

    mutating func extent(_ name: String) throws(ModelFileError) -> Extent {
        guard let extent = try optionalExtent(name) else {
            throw ModelFileError(line: line, reason: "\(owner) needs '\(name)'")
        }
        return extent
    }

    mutating func optionalExtent(_ name: String) throws(ModelFileError) -> Extent? {
        guard let node = open[name] else { return nil }
        let values = try numbers(name)
        guard (1...2).contains(values.count) else {
            throw ModelFileError(line: node.mark?.line ?? line, reason: "'\(name)' is one number, or [height, width]")
        }
        return Extent(height: values[0], width: values[values.count - 1])
    }

    mutating func text(_ name: String) throws(ModelFileError) -> String? {
        guard let node = open.removeValue(forKey: name) else { return nil }
        guard let text = node.scalar?.string, !text.isEmpty else {
            throw ModelFileError(line: node.mark?.line ?? line, reason: "'\(name)' must be a word")
        }
        return text
    }

    func finish(allowed: String) throws(ModelFileError) {
        if let (name, node) = open.min(by: { $0.key < $1.key }) {
            throw ModelFileError(
                line: node.mark?.line ?? line, reason: "\(owner) has no '\(name)'; its fields are \(allowed)")
        }
    }
}
