/// Why an operator refused its operands.
public enum TensorError: Error, Equatable, Sendable, CustomStringConvertible {
    /// A shape needs one to four dimensions of at least 1, and at most `FloatTensor.maximumCount` elements in all.
    case invalidShape([Int])
    /// The number of elements isn't the product of the shape.
    case elementCount(expected: Int, found: Int)
    /// An operand's shape doesn't fit the operation. `expected` uses 0 where any size would do.
    case shapeMismatch(operand: String, expected: [Int], found: [Int])
    /// A range of samples that the tensor doesn't have.
    case sampleRange(lower: Int, upper: Int, samples: Int)
    /// A label that is no class.
    case label(Int, classes: Int)
    /// The number of labels isn't the number of samples.
    case labelCount(expected: Int, found: Int)
    /// A learning rate must be finite and positive, a momentum in 0..<1.
    case hyperparameter(String)

    public var description: String {
        switch self {
        case .invalidShape(let shape):
            "invalid shape \(shape): one to four dimensions of at least 1, at most \(FloatTensor.maximumCount) elements"
        case .elementCount(let expected, let found):
            "the shape asks for \(expected) elements, found \(found)"
        case .shapeMismatch(let operand, let expected, let found):
            "\(operand) has shape \(found), expected \(expected) (0 stands for any size)"
        case .sampleRange(let lower, let upper, let samples):
            "samples \(lower)..<\(upper) of a tensor with \(samples)"
        case .label(let label, let classes):
            "label \(label) is not below \(classes)"
        case .labelCount(let expected, let found):
            "\(found) labels for \(expected) samples"
        case .hyperparameter(let name):
            "\(name) is out of range"
        }
    }
}
