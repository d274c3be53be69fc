public import Encoding

/// One layer of a model's architecture. Layers that hold parameters carry the name of their tensors.
public enum ModelLayer: Sendable, Hashable {
    case convolution(ConvolutionLayer)
    /// The mean of each window.
    case averagePooling(PoolingLayer)
    /// The largest value of each window.
    case maximumPooling(PoolingLayer)
    case dense(DenseLayer)
    case activation(Activation)
    /// From `[channels, height, width]` to `[channels * height * width]`, row-major.
    case flatten

    /// As the text form writes it.
    public var kind: String {
        switch self {
        case .convolution: "convolution"
        case .averagePooling: "average-pooling"
        case .maximumPooling: "maximum-pooling"
        case .dense: "dense"
        case .activation(let function): function.name
        case .flatten: "flatten"
        }
    }

    /// The name that its specification gives to a layer's tensors; nil where it has none.
    var name: String? {
        switch self {
        case .convolution(let layer): layer.name
        case .dense(let layer): layer.name
        case .averagePooling, .maximumPooling, .activation, .flatten: nil
        }
    }
}

/// Cross-correlation over `[channels, height, width]` with a bias for each filter.
public struct ConvolutionLayer: Sendable, Hashable {
    public let name: String?
    public let filters: Int
    public let kernel: Extent
    public let stride: Extent
    public let padding: Padding

    /// Without a name, the layer's place in the model names its tensors (`0.weight`).
    public init(
        name: String? = nil, filters: Int, kernel: Extent, stride: Extent = Extent(1), padding: Padding = .valid
    ) {
        self.name = name
        self.filters = filters
        self.kernel = kernel
        self.stride = stride
        self.padding = padding
    }
}

/// Windows of one size over each channel, without padding; rows and columns that fill no window are left out.
public struct PoolingLayer: Sendable, Hashable {
    public let size: Extent
    public let stride: Extent

    /// Without a stride, windows lie side by side.
    public init(size: Extent, stride: Extent? = nil) {
        self.size = size
        self.stride = stride ?? size
    }
}

/// A fully connected layer with a bias for each unit.
public struct DenseLayer: Sendable, Hashable {
    public let name: String?
    public let units: Int

    public init(name: String? = nil, units: Int) {
        self.name = name
        self.units = units
    }
}

/// Height and width of a kernel, a window or a stride.
public struct Extent: Sendable, Hashable {
    public let height: Int
    public let width: Int

    public init(height: Int, width: Int) {
        self.height = height
        self.width = width
    }

    /// A square one.
    public init(_ side: Int) { self.init(height: side, width: side) }
}

public enum Padding: UInt8, Sendable, Hashable {
    /// None: the output is smaller than the input.
    case valid = 0
    /// Zeros around the input, so that the output has its size: `(kernel - 1) / 2` before, the rest after. Stride 1 only.
    case same = 1

    public var name: String {
        switch self {
        case .valid: "valid"
        case .same: "same"
        }
    }
}

public enum Activation: UInt8, Sendable, Hashable, CaseIterable {
    case relu = 0
    case tanh = 1
    case sigmoid = 2
    /// `1.7159 tanh(2x / 3)`, the squashing function of the LeNet-5 paper.
    case scaledTanh = 3

    public var name: String {
        switch self {
        case .relu: "relu"
        case .tanh: "tanh"
        case .sigmoid: "sigmoid"
        case .scaledTanh: "scaled-tanh"
        }
    }
}

// MARK: Canonical bytes: u8 tag, then the fields. Numbers are u16, a missing name is an empty one.

extension ModelLayer: BorshCodable {
    public func encode(to encoder: inout BorshEncoder) {
        switch self {
        case .convolution(let layer):
            encoder.integer(UInt8(0))
            encoder.string(layer.name ?? "")
            encoder.size(layer.filters)
            encoder.value(layer.kernel)
            encoder.value(layer.stride)
            encoder.integer(layer.padding.rawValue)
        case .averagePooling(let layer):
            encoder.integer(UInt8(1))
            encoder.value(layer)
        case .maximumPooling(let layer):
            encoder.integer(UInt8(2))
            encoder.value(layer)
        case .dense(let layer):
            encoder.integer(UInt8(3))
            encoder.string(layer.name ?? "")
            encoder.size(layer.units)
        case .activation(let function):
            encoder.integer(UInt8(4))
            encoder.integer(function.rawValue)
        case .flatten:
            encoder.integer(UInt8(5))
        }
    }

    public init(from decoder: inout BorshDecoder) throws(BorshError) {
        let start = decoder.offset
        let tag: UInt8 = try decoder.integer()
        switch tag {
        case 0:
            let name = try decoder.layerName()
            let filters = try decoder.size()
            let (kernel, stride): (Extent, Extent) = (try decoder.value(), try decoder.value())
            guard let padding = Padding(rawValue: try decoder.integer()) else {
                throw decoder.failure(.notCanonical("unknown padding"))
            }
            self = .convolution(
                ConvolutionLayer(name: name, filters: filters, kernel: kernel, stride: stride, padding: padding))
        case 1: self = .averagePooling(try decoder.value())
        case 2: self = .maximumPooling(try decoder.value())
        case 3: self = .dense(DenseLayer(name: try decoder.layerName(), units: try decoder.size()))
        case 4:
            guard let function = Activation(rawValue: try decoder.integer()) else {
                throw decoder.failure(.notCanonical("unknown activation"))
            }
            self = .activation(function)
        case 5: self = .flatten
        default: throw BorshError(.unknownTag(tag), at: start)
        }
    }
}

extension PoolingLayer: BorshCodable {
    public func encode(to encoder: inout BorshEncoder) {
        encoder.value(size)
        encoder.value(stride)
    }

    public init(from decoder: inout BorshDecoder) throws(BorshError) {
        size = try decoder.value()
        stride = try decoder.value()
    }
}

extension Extent: BorshCodable {
    public func encode(to encoder: inout BorshEncoder) {
        encoder.size(height)
        encoder.size(width)
    }

    public init(from decoder: inout BorshDecoder) throws(BorshError) {
        height = try decoder.size()
        width = try decoder.size()
    }
}

extension BorshEncoder {
    /// A size of a model. Those beyond 65,535 are no valid model's (`ModelSpec.problem`), and are written as that.
    mutating func size(_ value: Int) { integer(UInt16(clamping: value)) }
}

extension BorshDecoder {
    mutating func size() throws(BorshError) -> Int { Int(try integer(UInt16.self)) }

    mutating func layerName() throws(BorshError) -> String? {
        let name = try string(limit: ModelSpec.longestName)
        return name.isEmpty ? nil : name
    }
}
