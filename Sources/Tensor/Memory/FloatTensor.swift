/// A dense, row-major array of `Float` with a shape.
///
/// Invariant: one to four dimensions, each at least 1, and exactly as many elements as their product.
public struct FloatTensor: Sendable {
    /// An upper bound on elements (256 MiB of storage), so that no declared shape can exhaust memory.
    public static let maximumCount = 1 << 26

    public let shape: [Int]
    public private(set) var elements: [Float]

    /// The tensor of `shape` with these elements in row-major order.
    public init(shape: [Int], elements: [Float]) throws(TensorError) {
        let count = try Self.count(of: shape)
        guard elements.count == count else {
            throw .elementCount(expected: count, found: elements.count)
        }
        self.shape = shape
        self.elements = elements
    }

    /// The tensor of `shape` whose elements are all `value`.
    public init(shape: [Int], repeating value: Float) throws(TensorError) {
        let count = try Self.count(of: shape)
        self.shape = shape
        self.elements = [Float](repeating: value, count: count)
    }

    /// A tensor whose storage `fill` writes completely; for operators that derived `shape` from valid operands.
    init(shape: [Int], filling fill: (UnsafeMutablePointer<Float>) -> Void) throws(TensorError) {
        let count = try Self.count(of: shape)
        self.shape = shape
        self.elements = [Float](unsafeUninitializedCapacity: count) { buffer, initialized in
            if let base = buffer.baseAddress {
                fill(base)
            }
            initialized = count
        }
    }

    /// How many elements a shape has.
    public static func count(of shape: [Int]) throws(TensorError) -> Int {
        guard (1...4).contains(shape.count) else {
            throw .invalidShape(shape)
        }
        var count = 1
        for size in shape {
            let (product, overflow) = count.multipliedReportingOverflow(by: size)
            guard size >= 1, !overflow, product <= maximumCount else {
                throw .invalidShape(shape)
            }
            count = product
        }
        return count
    }

    public var count: Int { elements.count }

    /// The first dimension: by convention the samples of a batch.
    public var samples: Int { shape.first ?? 0 }

    /// How many elements one sample has.
    public var stride: Int { samples == 0 ? 0 : count / samples }

    /// Whether no element is infinite or a NaN.
    public var isFinite: Bool {
        // All exponent bits set means infinity or NaN. Without an early exit the loop vectorises.
        elements.withUnsafeBufferPointer { buffer in
            var largest: UInt32 = 0
            for value in buffer {
                largest = max(largest, value.bitPattern & 0x7FFF_FFFF)
            }
            return largest < 0x7F80_0000
        }
    }

    /// The same elements under another shape.
    public func reshaped(to shape: [Int]) throws(TensorError) -> FloatTensor {
        try FloatTensor(shape: shape, elements: elements)
    }

    /// The samples of `range`, a tensor of its own.
    public func slice(samples range: Range<Int>) throws(TensorError) -> FloatTensor {
        guard range.lowerBound >= 0, range.upperBound <= samples, !range.isEmpty else {
            throw .sampleRange(lower: range.lowerBound, upper: range.upperBound, samples: samples)
        }
        return try FloatTensor(
            shape: [range.count] + shape.dropFirst(),
            elements: Array(elements[range.lowerBound * stride..<range.upperBound * stride]))
    }

    /// The samples of all `parts`, in the order given. All must agree in every dimension but the first.
    public static func concatenate(_ parts: [FloatTensor]) throws(TensorError) -> FloatTensor {
        guard let first = parts.first else {
            throw .invalidShape([])
        }
        let sampleShape = Array(first.shape.dropFirst())
        var samples = 0
        for part in parts {
            guard part.shape.count == first.shape.count, Array(part.shape.dropFirst()) == sampleShape else {
                throw .shapeMismatch(operand: "part", expected: [0] + sampleShape, found: part.shape)
            }
            samples += part.samples
        }
        let shape = [samples] + sampleShape
        var elements: [Float] = []
        elements.reserveCapacity(try count(of: shape))
        for part in parts {
            elements.append(contentsOf: part.elements)
        }
        return try FloatTensor(shape: shape, elements: elements)
    }

    /// Applies `combine` to each pair of elements at the same place.
    func zip(
        _ other: FloatTensor, operand: String, _ combine: (Float, Float) -> Float
    ) throws(TensorError) -> FloatTensor {
        guard other.shape == shape else {
            throw .shapeMismatch(operand: operand, expected: shape, found: other.shape)
        }
        return try FloatTensor(shape: shape) { target in
            elements.withUnsafeBufferPointer { a in
                other.elements.withUnsafeBufferPointer { b in
                    for index in 0..<a.count {
                        (target + index).initialize(to: combine(a[index], b[index]))
                    }
                }
            }
        }
    }

    /// `self[i] + other[i]`.
    public func adding(_ other: FloatTensor) throws(TensorError) -> FloatTensor {
        try zip(other, operand: "summand") { $0 + $1 }
    }

    /// `self[i] - other[i]`.
    public func subtracting(_ other: FloatTensor) throws(TensorError) -> FloatTensor {
        try zip(other, operand: "subtrahend") { $0 - $1 }
    }

    /// `self[i] * factor`.
    public func scaled(by factor: Float) -> FloatTensor {
        var result = self
        result.withMutableElements { buffer in
            for index in 0..<buffer.count {
                buffer[index] = buffer[index] * factor
            }
        }
        return result
    }

    /// The element-wise mean: the sum in the order given, then one division by their number.
    public static func mean(_ tensors: [FloatTensor]) throws(TensorError) -> FloatTensor {
        guard var sum = tensors.first else {
            throw .invalidShape([])
        }
        for tensor in tensors.dropFirst() {
            sum = try sum.adding(tensor)
        }
        let divisor = Float(tensors.count)
        sum.withMutableElements { buffer in
            for index in 0..<buffer.count {
                buffer[index] = buffer[index] / divisor
            }
        }
        return sum
    }

    func withElements<Result>(_ body: (UnsafeBufferPointer<Float>) -> Result) -> Result {
        elements.withUnsafeBufferPointer(body)
    }

    mutating func withMutableElements<Result>(_ body: (inout UnsafeMutableBufferPointer<Float>) -> Result) -> Result {
        elements.withUnsafeMutableBufferPointer(body)
    }
}

/// Equal means the same shape and the same *bits*: 0 and -0 differ, and a NaN equals itself.
extension FloatTensor: Equatable {
    public static func == (a: FloatTensor, b: FloatTensor) -> Bool {
        a.shape == b.shape && a.elements.elementsEqual(b.elements) { $0.bitPattern == $1.bitPattern }
    }
}
