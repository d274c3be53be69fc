public import Cryptography
public import Tensor

/// Samples as a model takes them: normalised, perhaps blurred or projected, with their labels.
public struct FeatureSet: Sendable, Equatable {
    /// Of one sample, one to three dimensions.
    public let shape: [Int]
    /// Sample after sample, row-major.
    public private(set) var values: [Float]
    public private(set) var labels: [UInt8]

    public var count: Int { labels.count }
    public var stride: Int { shape.reduce(1, *) }

    /// Names these very samples in this order, bit for bit.
    public var digest: Digest {
        Digest(
            domain: "edgeproof/samples/1", parts: shape.flatMap { UInt32(truncatingIfNeeded: $0).littleEndianBytes },
            UInt32(truncatingIfNeeded: count).littleEndianBytes, labels, values.littleEndianBytes)
    }

    /// Throws unless there is one label for each sample and every value is finite.
    public init(shape: [Int], values: [Float], labels: [UInt8]) throws(TrainingError) {
        let stride: Int
        do { stride = try FloatTensor.count(of: shape) } catch { throw .tensor(error) }
        guard shape.count <= 3, labels.count <= ImageSet.maximumCount, values.count == labels.count * stride else {
            throw .tensor(.elementCount(expected: labels.count * stride, found: values.count))
        }
        guard values.allFinite else { throw .refused(.values) }
        self.shape = shape
        self.values = values
        self.labels = labels
    }

    /// The samples at `indices` and their labels.
    public func batch(_ indices: some Collection<Int>) throws(TrainingError) -> (inputs: FloatTensor, labels: [UInt8]) {
        guard !indices.isEmpty, indices.allSatisfy({ $0 >= 0 && $0 < count }) else { throw .emptyDataset }
        let stride = stride
        var chosen: [Float] = []
        chosen.reserveCapacity(indices.count * stride)
        for index in indices { chosen.append(contentsOf: values[index * stride..<(index + 1) * stride]) }
        let inputs = try computing { () throws(TensorError) in
            try FloatTensor(shape: [indices.count] + shape, elements: chosen)
        }
        return (inputs, indices.map { labels[$0] })
    }

    /// The samples of a range, a set of their own.
    public func slice(_ range: Range<Int>) throws(TrainingError) -> FeatureSet {
        guard range.lowerBound >= 0, range.upperBound <= count else { throw .emptyDataset }
        let stride = stride
        return try FeatureSet(
            shape: shape, values: Array(values[range.lowerBound * stride..<range.upperBound * stride]),
            labels: Array(labels[range]))
    }

    /// Another set's samples after these: what a fog node does with what its devices send.
    public mutating func append(_ other: FeatureSet) throws(TrainingError) {
        guard other.shape == shape else { throw .refused(.wrongShape(expected: shape, found: other.shape)) }
        values.append(contentsOf: other.values)
        labels.append(contentsOf: other.labels)
    }
}

/// How images become a model's inputs: grey from colour where the model wants one channel, a border where it wants
/// larger images. Anything else does not fit.
enum ImageFit {
    static func problem(channels: Int, height: Int, width: Int, input: [Int]) -> String? {
        switch input.count {
        case 3:
            guard input[0] == channels || input[0] == 1 else {
                return "the model takes \(input[0]) channels, images have \(channels)"
            }
            guard input[1] >= height, input[2] >= width, (input[1] - height) % 2 == 0, (input[2] - width) % 2 == 0
            else {
                return
                    "the model takes \(input[1]) x \(input[2]) pixels; images have \(height) x \(width), and a border is as wide on both sides"
            }
            return nil
        case 1:
            guard input[0] == channels * height * width || input[0] == height * width
                || flatSide(input[0], channels: channels, height: height, width: width) != nil
            else { return "the model takes \(input[0]) values, images have \(channels) x \(height) x \(width)" }
            return nil
        default: return "the model's input has \(input.count) dimensions; 1 or 3 are possible"
        }
    }

    /// The shape to which images are brought for a model with this input.
    static func target(channels: Int, height: Int, width: Int, input: [Int]) -> (channels: Int, height: Int, width: Int)? {
        guard problem(channels: channels, height: height, width: width, input: input) == nil else { return nil }
        if input.count == 3 { return (input[0], input[1], input[2]) }
        if input[0] == channels * height * width { return (channels, height, width) }
        if input[0] == height * width { return (1, height, width) }
        return flatSide(input[0], channels: channels, height: height, width: width).map { (1, $0, $0) }
    }

    /// The side of a larger square, grey image with that many values: 1,024 for MNIST's 28 x 28 is 32 x 32.
    private static func flatSide(_ values: Int, channels: Int, height: Int, width: Int) -> Int? {
        guard height == width else { return nil }
        var side = height
        while side * side < values { side += 2 }
        return side * side == values ? side : nil
    }
}

extension ImageSet {
    /// The samples at `indices` as a model with this input takes them, brought to its size and normalised.
    ///
    /// Grey is 0.299 R + 0.587 G + 0.114 B (ITU-R BT.601). Normalisation comes before the border, which holds what
    /// a pixel of 0 becomes. `measured` takes mean and deviation over the chosen samples, in double precision, channel
    /// by channel.
    public func features(
        of indices: some Collection<Int>, input: [Int], normalisation: DataPlan.Normalisation
    ) throws(TrainingError) -> FeatureSet {
        guard let target = ImageFit.target(channels: channels, height: height, width: width, input: input) else {
            let problem = ImageFit.problem(channels: channels, height: height, width: width, input: input)
            throw .invalidPlan(problem ?? "the data do not fit the model")
        }
        guard !indices.isEmpty, indices.allSatisfy({ $0 >= 0 && $0 < count }) else { throw .emptyDataset }
        let plane = height * width
        var planes = [Float]()
        planes.reserveCapacity(indices.count * target.channels * plane)
        for index in indices {
            let start = index * stride
            if target.channels == channels {
                for offset in 0..<stride { planes.append(Float(pixels[start + offset]) / 255) }
            } else {
                for offset in 0..<plane {
                    let red = Float(pixels[start + offset])
                    let green = Float(pixels[start + plane + offset])
                    let blue = Float(pixels[start + 2 * plane + offset])
                    planes.append((0.299 * red + 0.587 * green + 0.114 * blue) / 255)
                }
            }
        }
        let (means, deviations) = Self.moments(
            planes, channels: target.channels, plane: plane, normalisation: normalisation)
        let (top, left) = ((target.height - height) / 2, (target.width - width) / 2)
        let targetPlane = target.height * target.width
        var values = [Float](repeating: 0, count: indices.count * target.channels * targetPlane)
        for item in 0..<indices.count * target.channels {
            let channel = item % target.channels
            let (mean, deviation) = (means[channel], deviations[channel])
            let base = item * targetPlane
            if targetPlane > plane {
                let border = (0 - mean) / deviation
                for offset in 0..<targetPlane { values[base + offset] = border }
            }
            for row in 0..<height {
                let source = item * plane + row * width
                let destination = base + (row + top) * target.width + left
                for column in 0..<width {
                    values[destination + column] = (planes[source + column] - mean) / deviation
                }
            }
        }
        return try FeatureSet(shape: input, values: values, labels: indices.map { labels[$0] })
    }

    private static func moments(
        _ planes: [Float], channels: Int, plane: Int, normalisation: DataPlan.Normalisation
    ) -> (means: [Float], deviations: [Float]) {
        switch normalisation {
        case .unit: return (Array(repeating: 0, count: channels), Array(repeating: 1, count: channels))
        case .fixed(let mean, let deviation):
            return (
                Array(repeating: Float(mean) / 1_000_000, count: channels),
                Array(repeating: Float(deviation) / 1_000_000, count: channels)
            )
        case .measured:
            var means: [Float] = []
            var deviations: [Float] = []
            for channel in 0..<channels {
                var (sum, squares, number) = (0.0, 0.0, 0.0)
                for start in Swift.stride(from: channel * plane, to: planes.count, by: channels * plane) {
                    for offset in 0..<plane {
                        let value = Double(planes[start + offset])
                        sum += value
                        squares += value * value
                        number += 1
                    }
                }
                let mean = number > 0 ? sum / number : 0
                let variance = number > 0 ? Swift.max(0, squares / number - mean * mean) : 1
                means.append(Float(mean))
                // Samples of one colour have no deviation: they become 0, not NaN.
                deviations.append(Swift.max(Float(variance.squareRoot()), 1e-3))
            }
            return (means, deviations)
        }
    }
}
