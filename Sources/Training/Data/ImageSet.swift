/// Labelled images of any size, one byte a channel and pixel: what MNIST, SVHN and a user's own IDX files hold.
public struct ImageSet: Sendable, Equatable {
    /// More samples than any file of these forms has; bounds what a header can declare.
    public static let maximumCount = 1 << 20
    /// 1 GiB of pixels in all.
    public static let maximumBytes = 1 << 30

    /// 1 (grey) or 3 (red, green, blue).
    public let channels: Int
    public let height: Int
    public let width: Int
    /// Sample by sample, then channel by channel, then row by row.
    public let pixels: [UInt8]
    public let labels: [UInt8]

    public var count: Int { labels.count }
    public var stride: Int { channels * height * width }

    public init(
        channels: Int, height: Int, width: Int, pixels: [UInt8], labels: [UInt8]
    ) throws(DatasetError) {
        guard channels == 1 || channels == 3, (1...1_024).contains(height), (1...1_024).contains(width) else {
            throw .imageSize(rows: height, columns: width)
        }
        guard labels.count <= Self.maximumCount else { throw .tooMany(labels.count, limit: Self.maximumCount) }
        let stride = channels * height * width
        guard pixels.count == labels.count * stride else {
            throw .counts(images: pixels.count / stride, labels: labels.count)
        }
        self.channels = channels
        self.height = height
        self.width = width
        self.pixels = pixels
        self.labels = labels
    }

    /// The samples at these positions, in the order given.
    public func select(_ indices: some Sequence<Int>) throws(DatasetError) -> ImageSet {
        var chosen: [UInt8] = []
        var names: [UInt8] = []
        for index in indices {
            guard labels.indices.contains(index) else { throw .shard(index: index, count: count) }
            chosen.append(contentsOf: pixels[index * stride..<(index + 1) * stride])
            names.append(labels[index])
        }
        return try ImageSet(channels: channels, height: height, width: width, pixels: chosen, labels: names)
    }

    /// The first `limit` samples.
    public func prefix(_ limit: Int) throws(DatasetError) -> ImageSet {
        try select(0..<Swift.min(Swift.max(limit, 0), count))
    }

    /// This set, then the other.
    public func appending(_ other: ImageSet) throws(DatasetError) -> ImageSet {
        guard (channels, height, width) == (other.channels, other.height, other.width) else {
            throw .imageSize(rows: other.height, columns: other.width)
        }
        return try ImageSet(
            channels: channels, height: height, width: width, pixels: pixels + other.pixels,
            labels: labels + other.labels)
    }

    /// Throws unless every label is a class.
    public func checkLabels(classes: Int) throws(DatasetError) {
        if let index = labels.firstIndex(where: { Int($0) >= classes }) {
            throw .label(Int(labels[index]), sample: index)
        }
    }
}

extension Dataset {
    public var images: ImageSet {
        get throws(DatasetError) {
            try ImageSet(channels: 1, height: Self.side, width: Self.side, pixels: pixels, labels: labels)
        }
    }
}
