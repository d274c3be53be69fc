extension Dataset {
    /// From a pair of IDX files as MNIST is published: images (magic 0x00000803, unsigned bytes, 3 dimensions) and
    /// labels (0x00000801), each plain or compressed by gzip.
    public init(idxImages: [UInt8], idxLabels: [UInt8]) throws(DatasetError) {
        let images = try IDXFile.read(
            idxImages, magic: IDXFile.images, limit: Self.maximumCount * Self.pixelsPerImage
        ) { (sizes) throws(DatasetError) in
            guard sizes[1] == Self.side, sizes[2] == Self.side else { throw .imageSize(rows: sizes[1], columns: sizes[2]) }
        }
        let labels = try IDXFile.read(idxLabels, magic: IDXFile.labels, limit: Self.maximumCount)
        guard images.sizes[0] == labels.sizes[0] else {
            throw .counts(images: images.sizes[0], labels: labels.sizes[0])
        }
        try self.init(pixels: images.data, labels: labels.data)
    }

    /// From MNIST's CSV form, plain or compressed by gzip: a line for each sample, the label and then 784 pixels, all
    /// decimal numbers between commas. A first line that starts with a letter or a quotation mark is a header. Lines
    /// end with LF or CR LF; the last one need not.
    public init(csv file: [UInt8]) throws(DatasetError) {
        // At most 4 characters for each of 785 fields, and a line end.
        let bytes = Gzip.isCompressed(file)
            ? try Gzip.decompress(file, limit: (4 * (Self.pixelsPerImage + 1) + 2) * Self.maximumCount) : file
        var pixels: [UInt8] = []
        var labels: [UInt8] = []
        pixels.reserveCapacity(min(bytes.count / 2, Self.maximumCount * Self.pixelsPerImage))
        var line = 1
        var position = 0
        if let first = bytes.first, first == 0x22 || (0x61...0x7A).contains(first | 0x20) {
            guard let end = bytes.firstIndex(of: 0x0A) else { throw .csv(line: 1, "neither a sample nor a header") }
            position = end + 1
            line = 2
        }
        while position < bytes.count {
            guard labels.count < Self.maximumCount else {
                throw .tooMany(labels.count + 1, limit: Self.maximumCount)
            }
            for field in 0...Self.pixelsPerImage {
                var value = 0
                let start = position
                while position < bytes.count, position - start < 4 {
                    let digit = Int(bytes[position]) - 0x30
                    guard (0...9).contains(digit) else { break }
                    value = value * 10 + digit
                    position += 1
                }
                guard position > start else { throw .csv(line: line, "field \(field + 1) is not a number") }
                guard value <= 255 else { throw .csv(line: line, "field \(field + 1) is above 255") }
                if field == 0 {
                    labels.append(UInt8(value))
                } else {
                    pixels.append(UInt8(value))
                }
                if field < Self.pixelsPerImage {
                    guard position < bytes.count, bytes[position] == 0x2C else {
                        throw .csv(line: line, "no comma after field \(field + 1) of \(Self.pixelsPerImage + 1)")
                    }
                    position += 1
                }
            }
            if position < bytes.count, bytes[position] == 0x0D { position += 1 }
            if position < bytes.count {
                guard bytes[position] == 0x0A else {
                    throw .csv(line: line, "more than \(Self.pixelsPerImage + 1) fields")
                }
                position += 1
            }
            line += 1
        }
        try self.init(pixels: pixels, labels: labels)
    }
}
