/// The IDX form in which MNIST is published: a magic number, the dimensions, the elements as unsigned bytes; plain or
/// compressed by gzip.
enum IDXFile {
    static let images: UInt32 = 0x0803
    static let labels: UInt32 = 0x0801

    /// The dimensions and the elements. The magic's last byte is the number of dimensions.
    ///
    /// - Parameters:
    ///   - limit: the most elements that are taken.
    ///   - check: looks at the dimensions before anything is made of them.
    static func read(
        _ file: [UInt8], magic: UInt32, limit: Int, check: ([Int]) throws(DatasetError) -> Void = { _ in }
    ) throws(DatasetError) -> (sizes: [Int], data: [UInt8]) {
        let bytes = Gzip.isCompressed(file) ? try Gzip.decompress(file, limit: 16 + limit) : file
        func word(_ index: Int) throws(DatasetError) -> UInt32 {
            guard bytes.count >= 4 * index + 4 else { throw .truncated(expected: 4 * index + 4, found: bytes.count) }
            return bytes[4 * index..<4 * index + 4].reduce(0) { $0 << 8 | UInt32($1) }
        }
        let found = try word(0)
        guard found == magic else { throw .magic(expected: magic, found: found) }
        let rank = Int(magic & 0xFF)
        var sizes: [Int] = []
        for dimension in 1...rank { sizes.append(Int(try word(dimension))) }
        guard sizes[0] <= ImageSet.maximumCount else { throw .tooMany(sizes[0], limit: ImageSet.maximumCount) }
        try check(sizes)
        var count = 1
        for size in sizes {
            let (product, overflow) = count.multipliedReportingOverflow(by: size)
            guard !overflow, product <= limit else { throw .tooLarge(limit: limit) }
            count = product
        }
        let expected = 4 + 4 * rank + count
        guard bytes.count >= expected else { throw .truncated(expected: expected, found: bytes.count) }
        guard bytes.count == expected else { throw .trailingBytes(bytes.count - expected) }
        return (sizes, Array(bytes[(4 + 4 * rank)...]))
    }
}

extension ImageSet {
    /// Grey images of any one size from a pair of IDX files: a user's own data in MNIST's form. Which labels are classes
    /// is the model's to say (``checkLabels(classes:)``).
    public init(idxImages: [UInt8], idxLabels: [UInt8]) throws(DatasetError) {
        let images = try IDXFile.read(idxImages, magic: IDXFile.images, limit: Self.maximumBytes)
        let labels = try IDXFile.read(idxLabels, magic: IDXFile.labels, limit: Self.maximumCount)
        guard images.sizes[0] == labels.sizes[0] else {
            throw .counts(images: images.sizes[0], labels: labels.sizes[0])
        }
        try self.init(
            channels: 1, height: images.sizes[1], width: images.sizes[2], pixels: images.data, labels: labels.data)
    }
}
