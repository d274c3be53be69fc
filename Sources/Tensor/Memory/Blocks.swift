import CTensorKernels

/// Where the values of one sample lie in a block of 16 samples: `[channels, height, width]` with zeros around each
/// channel (the halo) and, for gradients of strided convolutions, between rows and columns (the steps).
///
/// A flat sample of n features has n channels of 1 x 1. Offsets count floats; each place holds 16 of them.
package struct BlockLayout: Sendable, Hashable {
    package let channels: Int
    package let height: Int
    package let width: Int
    var top = 0
    var left = 0
    var bottom = 0
    var right = 0
    var rowStep = 1
    var columnStep = 1

    package init(channels: Int, height: Int, width: Int) {
        self.channels = channels
        self.height = height
        self.width = width
    }

    /// For one sample of a shape with one or three dimensions.
    package init(_ shape: [Int]) {
        let isImage = shape.count == 3
        self.init(
            channels: isImage ? shape[0] : shape.reduce(1, *), height: isImage ? shape[1] : 1,
            width: isImage ? shape[2] : 1)
    }

    static let lanes = Int(EPT_LANES)

    var features: Int { channels * height * width }
    /// The same values as a flat sample.
    package var flattened: BlockLayout { BlockLayout(channels: features, height: 1, width: 1) }
    private var paddedHeight: Int { top + (height - 1) * rowStep + 1 + bottom }
    private var paddedWidth: Int { left + (width - 1) * columnStep + 1 + right }

    /// From a channel, row or column to the next.
    var plane: Int { paddedHeight * paddedWidth * Self.lanes }
    var row: Int { rowStep * paddedWidth * Self.lanes }
    var column: Int { columnStep * Self.lanes }
    /// From a row of the halo to the next.
    var paddedRow: Int { paddedWidth * Self.lanes }
    /// Of the first value.
    var origin: Int { (top * paddedWidth + left) * Self.lanes }
    var blockSize: Int { channels * plane }
    /// What a batch takes.
    package func floats(samples: Int) -> Int { blockSize * Blocks.count(samples) }
    /// Calls `body` for features that follow each other in memory: where they lie, the number of the first, and how many.
    func forEachRun(_ body: (Int, Int, Int) -> Void) {
        let run = columnStep == 1 ? width : 1
        for channel in 0..<channels {
            for row in 0..<height {
                for start in Swift.stride(from: 0, to: width, by: run) {
                    body(
                        origin + channel * plane + row * self.row + start * column,
                        (channel * height + row) * width + start, run)
                }
            }
        }
    }

    /// Whether the values follow each other without gaps.
    var isCompact: Bool { plane == height * width * Self.lanes }
}

/// The values of one layer for a whole batch, in blocks of 16 samples.
///
/// What a block with fewer samples holds in its other lanes is anything finite; gradients are 0 there.
package struct Blocks: @unchecked Sendable {
    package let layout: BlockLayout
    package let samples: Int
    // Written by the operator that makes it, before anyone else sees it.
    private let storage: BlockStorage

    var count: Int { Self.count(samples) }
    static func count(_ samples: Int) -> Int { (samples + BlockLayout.lanes - 1) / BlockLayout.lanes }

    /// - Throws: ``TensorError/invalidShape(_:)`` when it would need more than `FloatTensor.maximumCount` floats.
    package init(_ layout: BlockLayout, samples: Int, isZeroed: Bool = false) throws(TensorError) {
        let (size, overflow) = layout.blockSize.multipliedReportingOverflow(by: Self.count(samples))
        guard samples >= 1, !overflow, size >= 1, size <= Self.maximumFloats else {
            throw .invalidShape([samples, layout.channels, layout.height, layout.width])
        }
        self.layout = layout
        self.samples = samples
        storage = BlockStorage(count: size)
        if isZeroed || !layout.isCompact { storage.base.update(repeating: 0, count: size) }
    }

    /// 1 GiB: what a large model's layer takes for a large batch.
    static let maximumFloats = 1 << 28

    func base(_ block: Int) -> UnsafeMutablePointer<Float> { storage.base + block * layout.blockSize }

    func view(_ block: Int) -> ept_view {
        ept_view(
            base: base(block) + layout.origin, plane: layout.plane, row: layout.row, column: layout.column)
    }

    func samples(of block: Int) -> Int { min(BlockLayout.lanes, samples - block * BlockLayout.lanes) }

    /// The same values as a flat sample; only without a halo.
    package func flattened() -> Blocks {
        precondition(layout.isCompact)
        return Blocks(layout: layout.flattened, samples: samples, storage: storage)
    }

    private init(layout: BlockLayout, samples: Int, storage: BlockStorage) {
        self.layout = layout
        self.samples = samples
        self.storage = storage
    }

    /// Rows of samples into blocks. The tensor's samples must have as many values as the layout.
    package init(_ tensor: FloatTensor, layout: BlockLayout, threads: Int) throws(TensorError) {
        guard tensor.stride == layout.features else {
            throw .shapeMismatch(
                operand: "input", expected: [0, layout.channels, layout.height, layout.width], found: tensor.shape)
        }
        try self.init(layout, samples: tensor.samples)
        let (result, features) = (self, layout.features)
        let threads = Parallel.worthwhile(threads, work: tensor.count)
        Parallel.forEachRange(of: count, threads: threads) { blocks in
            tensor.withElements { rows in
                guard let rows = rows.baseAddress else { return }
                for block in blocks {
                    let source = rows + block * BlockLayout.lanes * features
                    let samples = Int32(result.samples(of: block))
                    if layout.isCompact {
                        ept_rows_to_block(source, features, samples, Int32(features), result.base(block))
                    } else {
                        layout.forEachRun { place, first, count in
                            ept_rows_to_block(
                                source + first, features, samples, Int32(count), result.base(block) + place)
                        }
                    }
                }
            }
        }
    }

    /// Blocks into rows of samples, each of `shape`.
    package func tensor(sample shape: [Int], threads: Int) throws(TensorError) -> FloatTensor {
        let features = layout.features
        return try FloatTensor(shape: [samples] + shape) { rows in
            nonisolated(unsafe) let rows = rows
            let threads = Parallel.worthwhile(threads, work: samples * features)
            Parallel.forEachRange(of: count, threads: threads) { blocks in
                for block in blocks {
                    let target = rows + block * BlockLayout.lanes * features
                    let samples = Int32(samples(of: block))
                    if layout.isCompact {
                        ept_block_to_rows(base(block), samples, Int32(features), target, features)
                    } else {
                        layout.forEachRun { place, first, count in
                            ept_block_to_rows(base(block) + place, samples, Int32(count), target + first, features)
                        }
                    }
                }
            }
        }
    }
}

extension Blocks {
    /// The same values with other zeros around them. Sizes must be equal, but for a flat sample that becomes an image.
    package func copied(to layout: BlockLayout, threads: Int) throws(TensorError) -> Blocks {
        guard layout.features == self.layout.features else {
            throw .shapeMismatch(
                operand: "values", expected: [layout.channels, layout.height, layout.width],
                found: [self.layout.channels, self.layout.height, self.layout.width])
        }
        let source = self.layout.hasSizes(of: layout) ? self : flat(as: layout)
        guard source.layout != layout else { return source }
        let target = try Blocks(layout, samples: samples)
        Parallel.forEachRange(of: count, threads: Parallel.worthwhile(threads, work: samples * layout.features)) {
            for block in $0 {
                let (from, to) = (source.view(block), target.view(block))
                for channel in 0..<layout.channels {
                    for row in 0..<layout.height {
                        var read = from.base + channel * from.plane + row * from.row
                        var write = to.base + channel * to.plane + row * to.row
                        for _ in 0..<layout.width {
                            write.update(from: read, count: BlockLayout.lanes)
                            read += from.column
                            write += to.column
                        }
                    }
                }
            }
        }
        return target
    }

    /// A flat sample seen as an image of the layout's sizes.
    private func flat(as layout: BlockLayout) -> Blocks {
        Blocks(
            layout: BlockLayout(channels: layout.channels, height: layout.height, width: layout.width),
            samples: samples, storage: storage)
    }
}
