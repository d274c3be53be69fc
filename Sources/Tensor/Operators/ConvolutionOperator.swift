import CTensorKernels

/// Two-dimensional cross-correlation (what the field calls convolution) with padding and strides, over blocks.
///
/// With `O` filters over `C` channels and kernels of `R x S`; weights are `[O, C, R, S]`, the bias `[O]`:
///
/// - `y[o, i, j]` is the sum, from `bias[o]` on, in ascending order of `(c, r, s)`, of
///   `weights[o, c, r, s] * x[c, i * stride + r - top, j * stride + s - left]`, where x is 0 outside;
/// - `dx[c, y, x]` is the sum, from 0, in the order of o ascending, then r and s *descending*, of
///   `weights[o, c, r, s] * dy[o, i, j]` over all places that met that input;
/// - `dw[o, c, r, s]` has 16 sums, one for the samples of each lane (sample number modulo 16), from 0 over the blocks,
///   then the positions, ascending; they are then added in pairs 8, 4, 2 and 1 lanes apart. `db[o]` likewise.
///
/// Kernels of 3 x 3 with stride 1 between at least 32 channels on both sides, with results of even height and width,
/// take Winograd's way for y and dx: transforms in the order that `CTensorKernels.h` states, with sums over channels
/// ascending, from 0; the bias is added last.
package struct ConvolutionOperator: Sendable {
    package let channels: Int
    package let filters: Int
    let kernelHeight: Int
    let kernelWidth: Int
    private let strideHeight: Int
    private let strideWidth: Int

    /// What the input must look like: with the padding as its halo.
    package let inputLayout: BlockLayout
    /// What the gradient of the output must look like, so that the way back is a convolution too.
    package let gradientLayout: BlockLayout
    /// The output's, without any halo; one with a halo will do.
    package let outputLayout: BlockLayout

    private let inputOffsets: [Int32]
    private let gradientOffsets: [Int32]

    package var depth: Int { channels * kernelHeight * kernelWidth }
    package var weightCount: Int { filters * depth }

    /// - Parameter pads: whether zeros are put around the input so that the output has its size (stride 1 only).
    package init(
        channels: Int, height: Int, width: Int, filters: Int, kernel: (height: Int, width: Int),
        stride: (height: Int, width: Int), pads: Bool
    ) throws(TensorError) {
        guard
            [channels, height, width, filters, kernel.height, kernel.width, stride.height, stride.width]
                .allSatisfy({ (1...65_535).contains($0) }), kernel.height <= height, kernel.width <= width,
            !pads || stride == (1, 1)
        else { throw .invalidShape([filters, channels, kernel.height, kernel.width]) }
        self.channels = channels
        self.filters = filters
        (kernelHeight, kernelWidth) = (kernel.height, kernel.width)
        (strideHeight, strideWidth) = (stride.height, stride.width)

        var input = BlockLayout(channels: channels, height: height, width: width)
        if pads {
            (input.top, input.left) = ((kernel.height - 1) / 2, (kernel.width - 1) / 2)
            (input.bottom, input.right) = (kernel.height - 1 - input.top, kernel.width - 1 - input.left)
        }
        let outputHeight = (height + input.top + input.bottom - kernel.height) / stride.height + 1
        let outputWidth = (width + input.left + input.right - kernel.width) / stride.width + 1
        var gradient = BlockLayout(channels: filters, height: outputHeight, width: outputWidth)
        // The gradient, spread by the stride, meets the turned kernel at every place of the input.
        (gradient.rowStep, gradient.columnStep) = (stride.height, stride.width)
        gradient.top = kernel.height - 1 - input.top
        gradient.left = kernel.width - 1 - input.left
        gradient.bottom = height + kernel.height - 1 - gradient.top - ((outputHeight - 1) * stride.height + 1)
        gradient.right = width + kernel.width - 1 - gradient.left - ((outputWidth - 1) * stride.width + 1)

        inputLayout = input
        gradientLayout = gradient
        outputLayout = BlockLayout(channels: filters, height: outputHeight, width: outputWidth)
        guard
            input.blockSize <= Int(Int32.max), gradient.blockSize <= Int(Int32.max), outputLayout.features <= 1 << 26,
            filters * channels * kernel.height * kernel.width <= FloatTensor.maximumCount
        else { throw .invalidShape([filters, channels, kernel.height, kernel.width]) }
        inputOffsets = Self.offsets(in: input, kernel: kernel)
        gradientOffsets = Self.offsets(in: gradient, kernel: kernel)
    }

    /// From the corner of the kernel's place to each value that it meets, in the order of `(channel, r, s)`.
    private static func offsets(in layout: BlockLayout, kernel: (height: Int, width: Int)) -> [Int32] {
        var offsets: [Int32] = []
        offsets.reserveCapacity(layout.channels * kernel.height * kernel.width)
        for channel in 0..<layout.channels {
            for r in 0..<kernel.height {
                for s in 0..<kernel.width {
                    offsets.append(Int32(channel * layout.plane + r * layout.paddedRow + s * BlockLayout.lanes))
                }
            }
        }
        return offsets
    }

    /// - Parameters:
    ///   - parameters: the weights, then the bias.
    ///   - rectifies: whether what is not greater than 0 becomes +0.
    package func forward(
        _ input: Blocks, parameters: UnsafePointer<Float>, into output: Blocks, rectifies: Bool, threads: Int
    ) {
        precondition(input.layout == inputLayout && output.samples == input.samples)
        precondition(output.layout.channels == filters && output.layout.height == outputLayout.height)
        precondition(output.layout.width == outputLayout.width)
        if usesWinograd(height: outputLayout.height, width: outputLayout.width) {
            return winograd(
                parameters, bias: parameters + weightCount, outputs: filters, depth: channels, from: input,
                into: output, rectifies: rectifies, threads: threads)
        }
        let code = InstructionSet.code
        nonisolated(unsafe) let parameters = parameters
        forEachPart(of: filters, blocks: input.count, threads: threads, work: weightCount * outputPositions * input.samples) {
            block, range in
            inputOffsets.withUnsafeBufferPointer { offsets in
                let view = output.view(block)
                var product = ept_product(
                    weights: parameters + range.lowerBound * depth, weights_row: depth, weights_step: 1,
                    bias: parameters + weightCount + range.lowerBound,
                    input: input.base(block), input_row: strideHeight * inputLayout.paddedRow,
                    input_column: strideWidth * BlockLayout.lanes, offsets: offsets.baseAddress,
                    output: view.base + range.lowerBound * view.plane, output_plane: view.plane,
                    output_row: view.row, output_column: view.column,
                    outputs: Int32(range.count), depth: Int32(depth), rows: Int32(outputLayout.height),
                    columns: Int32(outputLayout.width), rectify: rectifies ? 1 : 0)
                ept_run_product(code, &product)
            }
        }
    }

    /// `target` gets the gradient of the input; any layout with its sizes will do.
    package func backwardInput(_ gradient: Blocks, weights: UnsafePointer<Float>, into target: Blocks, threads: Int) {
        precondition(gradient.layout == gradientLayout && target.samples == gradient.samples)
        precondition(target.layout.channels == channels && target.layout.height == inputLayout.height)
        precondition(target.layout.width == inputLayout.width)
        let code = InstructionSet.code
        let depth = filters * kernelHeight * kernelWidth
        // [C, O, R, S] with the kernels turned by half a turn.
        let turned = BlockStorage(count: channels * depth)
        let area = kernelHeight * kernelWidth
        for filter in 0..<filters {
            for channel in 0..<channels {
                let source = weights + (filter * channels + channel) * area
                let destination = turned.base + (channel * filters + filter) * area
                for place in 0..<area { destination[place] = source[area - 1 - place] }
            }
        }
        if usesWinograd(height: inputLayout.height, width: inputLayout.width) {
            return winograd(
                turned.base, bias: nil, outputs: channels, depth: filters, from: gradient, into: target,
                rectifies: false, threads: threads)
        }
        let work = weightCount * inputLayout.height * inputLayout.width * gradient.samples
        forEachPart(of: channels, blocks: gradient.count, threads: threads, work: work) { block, range in
            gradientOffsets.withUnsafeBufferPointer { offsets in
                let view = target.view(block)
                var product = ept_product(
                    weights: turned.base + range.lowerBound * depth, weights_row: depth, weights_step: 1, bias: nil,
                    input: gradient.base(block), input_row: gradientLayout.paddedRow,
                    input_column: BlockLayout.lanes, offsets: offsets.baseAddress,
                    output: view.base + range.lowerBound * view.plane, output_plane: view.plane,
                    output_row: view.row, output_column: view.column,
                    outputs: Int32(range.count), depth: Int32(depth), rows: Int32(inputLayout.height),
                    columns: Int32(inputLayout.width), rectify: 0)
                ept_run_product(code, &product)
            }
        }
    }

    /// `result` gets the gradient of the weights, then that of the bias.
    package func backwardParameters(
        _ input: Blocks, gradient: Blocks, into result: UnsafeMutablePointer<Float>, threads: Int
    ) {
        precondition(input.layout == inputLayout && gradient.layout == gradientLayout)
        precondition(input.samples == gradient.samples)
        let code = InstructionSet.code
        let lanes = BlockLayout.lanes
        let partial = BlockStorage(count: (weightCount + filters) * lanes)
        nonisolated(unsafe) let result = result
        let threads = Parallel.worthwhile(threads, work: weightCount * outputPositions * input.samples)
        Parallel.forEachRange(of: (filters + 3) / 4, threads: threads) { groups in
            let range = groups.lowerBound * 4..<min(filters, groups.upperBound * 4)
            let biases = partial.base + (weightCount + range.lowerBound) * lanes
            let sums = partial.base + range.lowerBound * depth * lanes
            inputOffsets.withUnsafeBufferPointer { offsets in
                for block in 0..<input.count {
                    let view = gradient.view(block)
                    let source = view.base + range.lowerBound * view.plane
                    var correlation = ept_correlation(
                        gradient: source, gradient_plane: view.plane, gradient_row: view.row,
                        gradient_column: view.column,
                        input: input.base(block), input_row: strideHeight * inputLayout.paddedRow,
                        input_column: strideWidth * lanes, offsets: offsets.baseAddress, partial: sums,
                        outputs: Int32(range.count), depth: Int32(depth), rows: Int32(outputLayout.height),
                        columns: Int32(outputLayout.width), first: block == 0 ? 1 : 0)
                    ept_run_correlation(code, &correlation)
                    ept_sum_planes(
                        code, source, view.plane, view.row, view.column, biases, Int32(range.count),
                        Int32(outputLayout.height), Int32(outputLayout.width), block == 0 ? 1 : 0)
                }
            }
            ept_reduce_lanes(code, sums, result + range.lowerBound * depth, range.count * depth)
            ept_reduce_lanes(code, biases, result + weightCount + range.lowerBound, range.count)
        }
    }

    /// Weights and bias take a step along their gradient.
    package func step(
        _ input: Blocks, gradient: Blocks, parameters: UnsafeMutablePointer<Float>,
        velocities: UnsafeMutablePointer<Float>?, optimiser: MomentumSGD, threads: Int
    ) {
        let storage = BlockStorage(count: weightCount + filters)
        backwardParameters(input, gradient: gradient, into: storage.base, threads: threads)
        optimiser.step(parameters, velocities: velocities, gradient: storage.base, count: weightCount + filters)
    }

    // MARK: Winograd

    /// Whether a result of these sizes is computed by Winograd's algorithm. A function of sizes alone, as all that
    /// decides on bits must be.
    private func usesWinograd(height: Int, width: Int) -> Bool {
        kernelHeight == 3 && kernelWidth == 3 && strideHeight == 1 && strideWidth == 1 && channels >= 32
            && filters >= 32 && height % 2 == 0 && width % 2 == 0
    }

    /// `kernels` are `[outputs, depth, 3, 3]`; a result's corner meets the source's.
    private func winograd(
        _ kernels: UnsafePointer<Float>, bias: UnsafePointer<Float>?, outputs: Int, depth: Int, from source: Blocks,
        into target: Blocks, rectifies: Bool, threads: Int
    ) {
        let code = InstructionSet.code
        let lanes = BlockLayout.lanes
        let weights = BlockStorage(count: 16 * outputs * depth)
        ept_winograd_weights(kernels, outputs * depth, weights.base)
        nonisolated(unsafe) let bias = bias
        let (tileRows, tileColumns) = (target.layout.height / 2, target.layout.width / 2)
        // Some tiles at a time: their transforms stay in the caches.
        let rowsAtOnce = max(1, min(tileRows, 8 / tileColumns))
        let chunks = (tileRows + rowsAtOnce - 1) / rowsAtOnce
        let tiles = rowsAtOnce * tileColumns
        let offsets = (0..<depth).map { Int32($0 * tiles * lanes) }
        let work = outputs * depth * 4 * tileRows * tileColumns * source.samples
        Parallel.forEachRange(of: source.count * chunks, threads: Parallel.worthwhile(threads, work: work)) { items in
            let inputs = BlockStorage(count: 16 * depth * tiles * lanes)
            let sums = BlockStorage(count: 16 * outputs * tiles * lanes)
            let (inputPlace, sumPlace) = (depth * tiles * lanes, outputs * tiles * lanes)
            for item in items {
                let (block, chunk) = item.quotientAndRemainder(dividingBy: chunks)
                let row = chunk * rowsAtOnce
                let rows = min(rowsAtOnce, tileRows - row)
                ept_winograd_input(
                    code, source.base(block) + 2 * row * source.layout.paddedRow, source.layout.plane,
                    source.layout.paddedRow, Int32(depth), Int32(rows), Int32(tileColumns), inputs.base, inputPlace,
                    tiles * lanes)
                offsets.withUnsafeBufferPointer { offsets in
                    for place in 0..<16 {
                        var product = ept_product(
                            weights: weights.base + place * outputs * depth, weights_row: depth, weights_step: 1,
                            bias: nil, input: inputs.base + place * inputPlace, input_row: 0, input_column: lanes,
                            offsets: offsets.baseAddress, output: sums.base + place * sumPlace,
                            output_plane: tiles * lanes, output_row: 0, output_column: lanes,
                            outputs: Int32(outputs), depth: Int32(depth), rows: 1,
                            columns: Int32(rows * tileColumns), rectify: 0)
                        ept_run_product(code, &product)
                    }
                }
                var view = target.view(block)
                view.base += 2 * row * view.row
                ept_winograd_output(
                    code, sums.base, sumPlace, tiles * lanes, bias, view, Int32(outputs), Int32(rows),
                    Int32(tileColumns), rectifies ? 1 : 0)
            }
        }
    }

    private var outputPositions: Int { outputLayout.height * outputLayout.width }

    /// Splits the outputs of all blocks over threads: whole blocks where there are enough, else parts of their channels.
    private func forEachPart(
        of outputs: Int, blocks: Int, threads: Int, work: Int, _ body: @Sendable (Int, Range<Int>) -> Void
    ) {
        let threads = Parallel.worthwhile(threads, work: work)
        let parts = blocks % threads == 0 ? 1 : min(threads, (outputs + 3) / 4)
        Parallel.forEachRange(of: blocks * parts, threads: threads) { items in
            for item in items {
                let (block, part) = item.quotientAndRemainder(dividingBy: parts)
                body(block, outputs * part / parts..<outputs * (part + 1) / parts)
            }
        }
    }
}
