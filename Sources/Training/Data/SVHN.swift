/// The Street View House Numbers, cropped digits (Netzer et al., 2011, format 2): `X` is `32 x 32 x 3 x N` bytes, `y` is
/// `N x 1` with labels 1 to 10, where 10 stands for the digit 0.
public enum SVHN {
    public static let side = 32

    public static func images(mat file: [UInt8]) throws(DatasetError) -> ImageSet {
        // Two arrays; the larger is 3,072 bytes a sample.
        let mat = try MatFile(file)
        let x = try mat.array("X")
        let y = try mat.array("y")
        guard x.dimensions.count == 4 || x.dimensions.count == 3, x.dimensions[0] == side, x.dimensions[1] == side,
            x.dimensions[2] == 3
        else { throw .mat("X has the shape \(x.dimensions), expected [32, 32, 3, N]") }
        let count = x.dimensions.count == 4 ? x.dimensions[3] : 1
        guard count <= ImageSet.maximumCount else { throw .tooMany(count, limit: ImageSet.maximumCount) }
        guard y.dimensions == [count, 1] || y.dimensions == [1, count] else {
            throw .mat("y has the shape \(y.dimensions), expected [\(count), 1] as X has \(count) samples")
        }
        let columns = try x.unsignedBytes()
        var labels = try y.unsignedBytes()
        for index in labels.indices {
            guard (1...10).contains(labels[index]) else { throw .label(Int(labels[index]), sample: index) }
            if labels[index] == 10 { labels[index] = 0 }
        }
        let plane = side * side
        // MATLAB's first index, the row, runs fastest.
        let pixels = [UInt8](unsafeUninitializedCapacity: columns.count) { target, initialized in
            columns.withUnsafeBufferPointer { source in
                for channel in 0..<count * 3 {
                    for row in 0..<side {
                        for column in 0..<side {
                            target.initializeElement(
                                at: channel * plane + row * side + column,
                                to: source[channel * plane + column * side + row])
                        }
                    }
                }
            }
            initialized = columns.count
        }
        return try ImageSet(channels: 3, height: side, width: side, pixels: pixels, labels: labels)
    }
}
