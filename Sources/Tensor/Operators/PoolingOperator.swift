import CTensorKernels

/// Average and maximum pooling over blocks.
///
/// A window's values are taken in row-major order: added from the first on and multiplied by the float nearest to
/// one over their number, or compared, where the first of equals wins. On the way back an average's gradient goes to all
/// of them, a maximum's to the winner; where windows overlap, gradients are added in the order of the windows.
package struct PoolingOperator: Sendable {
    package enum Kind: Sendable { case average, maximum }

    package let inputLayout: BlockLayout
    package let outputLayout: BlockLayout
    /// Whether the gradient of every input is written once: then its memory need not be zero before.
    package let coversInput: Bool
    private let kind: Kind
    private let windows: Windows

    // A C structure is not Sendable by itself.
    private struct Windows: @unchecked Sendable { let value: ept_windows }

    package init(
        _ kind: Kind, channels: Int, height: Int, width: Int, size: (height: Int, width: Int),
        stride: (height: Int, width: Int)
    ) throws(TensorError) {
        guard
            [channels, height, width, size.height, size.width, stride.height, stride.width]
                .allSatisfy({ (1...65_535).contains($0) }), size.height <= height, size.width <= width
        else { throw .invalidShape([channels, height, width]) }
        inputLayout = BlockLayout(channels: channels, height: height, width: width)
        outputLayout = BlockLayout(
            channels: channels, height: (height - size.height) / stride.height + 1,
            width: (width - size.width) / stride.width + 1)
        self.kind = kind
        let isDisjoint = stride.height >= size.height && stride.width >= size.width
        coversInput =
            stride == size && height % size.height == 0 && width % size.width == 0
        windows = Windows(
            value: ept_windows(
                planes: Int32(channels), rows: Int32(outputLayout.height), columns: Int32(outputLayout.width),
                window_height: Int32(size.height), window_width: Int32(size.width),
                stride_height: Int32(stride.height), stride_width: Int32(stride.width),
                scale: 1 / Float(size.height * size.width), is_maximum: kind == .maximum ? 1 : 0,
                is_disjoint: isDisjoint ? 1 : 0, is_rectified: 0))
    }

    private func check(_ input: Blocks, _ output: Blocks) {
        precondition(input.samples == output.samples)
        precondition(input.layout.hasSizes(of: inputLayout) && output.layout.hasSizes(of: outputLayout))
    }

    package func forward(_ input: Blocks, into output: Blocks, threads: Int) {
        check(input, output)
        forEachBlock(input, threads: threads) { code, windows, block in
            var windows = windows
            ept_pool(code, &windows, input.view(block), output.view(block))
        }
    }

    /// Whether the way back can take a rectifier before the pooling along.
    package var mergesRectifier: Bool { kind == .maximum }

    /// - Parameters:
    ///   - target: must hold zeros, unless the windows cover the input.
    ///   - isRectified: the inputs are results of a rectifier, and `target` gets the gradient of its arguments.
    package func backward(
        _ gradient: Blocks, input: Blocks, output: Blocks, into target: Blocks, isRectified: Bool = false, threads: Int
    ) {
        check(input, output)
        check(target, gradient)
        precondition(!isRectified || mergesRectifier)
        forEachBlock(input, threads: threads) { code, windows, block in
            var windows = windows
            windows.is_rectified = isRectified ? 1 : 0
            ept_pool_backward(
                code, &windows, input.view(block), output.view(block), gradient.view(block), target.view(block))
        }
    }

    private func forEachBlock(
        _ input: Blocks, threads: Int, _ body: @Sendable (Int32, ept_windows, Int) -> Void
    ) {
        let code = InstructionSet.code
        let threads = Parallel.worthwhile(threads, work: input.samples * inputLayout.features)
        Parallel.forEachRange(of: input.count, threads: threads) { blocks in
            for block in blocks { body(code, windows.value, block) }
        }
    }
}

extension BlockLayout {
    func hasSizes(of other: BlockLayout) -> Bool {
        channels == other.channels && height == other.height && width == other.width
    }
}
