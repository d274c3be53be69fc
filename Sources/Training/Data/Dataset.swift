public import Tensor

/// Grey images of 28 x 28 pixels with a digit as label: MNIST or anything in its form.
public struct Dataset: Sendable, Equatable {
    public static let side = 28
    static let pixelsPerImage = side * side
    /// More samples than any file of this form has; bounds what a header can declare.
    public static let maximumCount = 1 << 20

    /// Row-major, one image after the other.
    let pixels: [UInt8]
    public let labels: [UInt8]

    /// `pixels` are 784 for each label; each label is 0 to 9.
    public init(pixels: [UInt8], labels: [UInt8]) throws(DatasetError) {
        guard labels.count <= Self.maximumCount else {
            throw .tooMany(labels.count, limit: Self.maximumCount)
        }
        guard pixels.count == labels.count * Self.pixelsPerImage else {
            throw .counts(images: pixels.count / Self.pixelsPerImage, labels: labels.count)
        }
        if let index = labels.firstIndex(where: { $0 >= UInt8(LeNet5.classes) }) {
            throw .label(Int(labels[index]), sample: index)
        }
        self.pixels = pixels
        self.labels = labels
    }

    public var count: Int { labels.count }

    /// Worker `index` of `count` gets the samples whose position is `index` modulo `count`, in order: shards differ by
    /// at most one sample, are disjoint, and don't depend on how the file is sorted as contiguous ranges would.
    public func shard(_ index: Int, of count: Int) throws(DatasetError) -> Dataset {
        guard count >= 1, index >= 0, index < count else {
            throw .shard(index: index, count: count)
        }
        return try select(Array(stride(from: index, to: self.count, by: count)))
    }

    /// The first `limit` samples.
    public func prefix(_ limit: Int) throws(DatasetError) -> Dataset {
        try select(Array(0..<min(max(limit, 0), count)))
    }

    private func select(_ indices: [Int]) throws(DatasetError) -> Dataset {
        var chosen: [UInt8] = []
        chosen.reserveCapacity(indices.count * Self.pixelsPerImage)
        for index in indices {
            chosen.append(contentsOf: pixels[index * Self.pixelsPerImage..<(index + 1) * Self.pixelsPerImage])
        }
        return try Dataset(pixels: chosen, labels: indices.map { labels[$0] })
    }

    /// The samples at `indices` as the front takes them: `[N, 1, 32, 32]` and their labels.
    ///
    /// A pixel `p` becomes `(p / 255 - 0.1307) / 0.3081`, the mean and the deviation of MNIST's training pixels; the
    /// border of 2 is what a pixel of 0 becomes.
    public func batch(_ indices: [Int]) throws(TrainingError) -> (images: FloatTensor, labels: [UInt8]) {
        guard !indices.isEmpty, indices.allSatisfy({ $0 >= 0 && $0 < count }) else { throw .emptyDataset }
        let padded = LeNet5.inputShape[1]
        let border = (padded - Self.side) / 2
        var values = [Float](repeating: Self.normalised[0], count: indices.count * padded * padded)
        for (sample, index) in indices.enumerated() {
            for row in 0..<Self.side {
                let source = index * Self.pixelsPerImage + row * Self.side
                let target = (sample * padded + row + border) * padded + border
                for column in 0..<Self.side {
                    values[target + column] = Self.normalised[Int(pixels[source + column])]
                }
            }
        }
        let images = try computing { () throws(TensorError) in
            try FloatTensor(shape: [indices.count] + LeNet5.inputShape, elements: values)
        }
        return (images, indices.map { labels[$0] })
    }

    private static let normalised: [Float] = (0...255).map { (Float($0) / 255 - 0.1307) / 0.3081 }
}

/// Why bytes are not a dataset.
public enum DatasetError: Error, Equatable, Sendable, CustomStringConvertible {
    /// Not an IDX file of the kind expected.
    case magic(expected: UInt32, found: UInt32)
    case truncated(expected: Int, found: Int)
    case trailingBytes(Int)
    case imageSize(rows: Int, columns: Int)
    case tooMany(Int, limit: Int)
    case counts(images: Int, labels: Int)
    case label(Int, sample: Int)
    case shard(index: Int, count: Int)
    /// A field of a CSV file; lines count from 1.
    case csv(line: Int, String)
    /// Damaged compressed data: the format, and what is wrong.
    case compressed(String, String)
    /// What is wrong with a MATLAB file.
    case mat(String)
    /// A shard that others have samples of, or that the data have not.
    case overlap(first: Int, second: Int, sample: Int)
    /// The decompressed data would be larger than the limit.
    case tooLarge(limit: Int)

    public var description: String {
        switch self {
        case .magic(let expected, let found):
            "not the expected IDX file: it starts with 0x\(String(found, radix: 16)), not 0x\(String(expected, radix: 16))"
        case .truncated(let expected, let found): "the data end after \(found) of \(expected) bytes"
        case .trailingBytes(let count): "\(count) bytes follow the data"
        case .imageSize(let rows, let columns): "images of \(rows) x \(columns) pixels, expected 28 x 28"
        case .tooMany(let count, let limit): "\(count) samples, at most \(limit) are supported"
        case .counts(let images, let labels): "\(images) images but \(labels) labels"
        case .label(let label, let sample): "label \(label) of sample \(sample) is not a digit"
        case .shard(let index, let count): "there is no shard \(index) of \(count)"
        case .csv(let line, let what): "line \(line): \(what)"
        case .compressed(let format, let what): "damaged \(format) data: \(what)"
        case .mat(let what): "not a MATLAB file of digits: \(what)"
        case .overlap(let first, let second, let sample):
            "shards \(first) and \(second) both have sample \(sample): shards must not overlap"
        case .tooLarge(let limit): "the decompressed data are larger than \(limit) bytes"
        }
    }
}
