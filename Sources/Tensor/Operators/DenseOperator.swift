import CTensorKernels

/// A fully connected layer over blocks, with weights `[outputs, inputs]` and a bias.
///
/// - `y[o]` is the sum, from `bias[o]` on, of `weights[o, i] * x[i]` with i ascending;
/// - `dx[i]` is the sum, from 0, of `weights[o, i] * dy[o]` with o ascending;
/// - `dw[o, i]` is the sum, from 0, of `dy[n, o] * x[n, i]` with the samples n ascending;
/// - `db[o]` has 16 sums over the samples, as those of a convolution (`ConvolutionOperator`).
package struct DenseOperator: Sendable {
    package let inputs: Int
    package let outputs: Int

    private let inputOffsets: [Int32]
    private let outputOffsets: [Int32]

    package init(inputs: Int, outputs: Int) throws(TensorError) {
        guard (1...1 << 22).contains(inputs), (1...65_535).contains(outputs),
            inputs * outputs <= FloatTensor.maximumCount
        else { throw .invalidShape([outputs, inputs]) }
        self.inputs = inputs
        self.outputs = outputs
        inputOffsets = (0..<inputs).map { Int32($0 * BlockLayout.lanes) }
        outputOffsets = (0..<outputs).map { Int32($0 * BlockLayout.lanes) }
    }

    package var weightCount: Int { inputs * outputs }
    package var inputLayout: BlockLayout { BlockLayout(channels: inputs, height: 1, width: 1) }
    package var outputLayout: BlockLayout { BlockLayout(channels: outputs, height: 1, width: 1) }

    private func check(_ input: Blocks, _ output: Blocks) {
        precondition(input.layout == inputLayout && output.layout == outputLayout && input.samples == output.samples)
    }

    package func forward(
        _ input: Blocks, parameters: UnsafePointer<Float>, into output: Blocks, rectifies: Bool, threads: Int
    ) {
        check(input, output)
        product(
            rows: outputs, depth: inputs, weights: (parameters, row: inputs, step: 1), bias: parameters + weightCount,
            from: input, offsets: inputOffsets, into: output, rectifies: rectifies, threads: threads)
    }

    package func backwardInput(_ gradient: Blocks, weights: UnsafePointer<Float>, into target: Blocks, threads: Int) {
        check(target, gradient)
        product(
            rows: inputs, depth: outputs, weights: (weights, row: 1, step: inputs), bias: nil, from: gradient,
            offsets: outputOffsets, into: target, rectifies: false, threads: threads)
    }

    private func product(
        rows: Int, depth: Int, weights: (base: UnsafePointer<Float>, row: Int, step: Int), bias: UnsafePointer<Float>?,
        from source: Blocks, offsets: [Int32], into target: Blocks, rectifies: Bool, threads: Int
    ) {
        let code = InstructionSet.code
        nonisolated(unsafe) let (weights, bias) = (weights, bias)
        let threads = Parallel.worthwhile(threads, work: rows * depth * source.samples)
        Parallel.forEachRange(of: (rows + 3) / 4, threads: threads) { groups in
            let range = groups.lowerBound * 4..<min(rows, groups.upperBound * 4)
            offsets.withUnsafeBufferPointer { offsets in
                var product = ept_product(
                    weights: weights.base + range.lowerBound * weights.row, weights_row: weights.row,
                    weights_step: weights.step, bias: bias.map { $0 + range.lowerBound },
                    input: source.base(0), input_row: 0, input_column: source.layout.blockSize,
                    offsets: offsets.baseAddress,
                    output: target.base(0) + range.lowerBound * BlockLayout.lanes, output_plane: BlockLayout.lanes,
                    output_row: 0, output_column: target.layout.blockSize,
                    outputs: Int32(range.count), depth: Int32(depth), rows: 1, columns: Int32(source.count),
                    rectify: rectifies ? 1 : 0)
                ept_run_product(code, &product)
            }
        }
    }

    /// `result` gets the gradient of the weights, then that of the bias.
    package func backwardParameters(
        _ input: Blocks, gradient: Blocks, into result: UnsafeMutablePointer<Float>, threads: Int
    ) {
        nonisolated(unsafe) let result = result
        outer(input, gradient: gradient, threads: threads) { outer in outer.result = result }
        biases(gradient, into: result + weightCount)
    }

    /// Weights and bias take a step along their gradient, which is written nowhere: the bits are those of
    /// `backwardParameters` and then `MomentumSGD.step`.
    package func step(
        _ input: Blocks, gradient: Blocks, parameters: UnsafeMutablePointer<Float>,
        velocities: UnsafeMutablePointer<Float>?, optimiser: MomentumSGD, threads: Int
    ) {
        nonisolated(unsafe) let (parameters, velocities) = (parameters, velocities)
        outer(input, gradient: gradient, threads: threads) { outer in
            outer.weights = parameters
            outer.velocity = velocities
            outer.rate = optimiser.learningRate
            outer.momentum = optimiser.momentum
        }
        let bias = BlockStorage(count: outputs)
        biases(gradient, into: bias.base)
        optimiser.step(
            parameters + weightCount, velocities: velocities.map { $0 + weightCount }, gradient: bias.base,
            count: outputs)
    }

    private func outer(
        _ input: Blocks, gradient: Blocks, threads: Int, configure: @Sendable (inout ept_outer) -> Void
    ) {
        check(input, gradient)
        let code = InstructionSet.code
        let blocks = input.count
        let width = Int(EPT_PANEL)
        let panels = BlockStorage(count: (inputs + width - 1) / width * width * blocks * BlockLayout.lanes)
        let few = Parallel.worthwhile(threads, work: inputs * blocks * BlockLayout.lanes)
        Parallel.forEachRange(of: blocks, threads: few) { range in
            for block in range {
                ept_block_to_panels(
                    input.base(block), Int32(inputs), Int32(block * BlockLayout.lanes),
                    Int32(blocks * BlockLayout.lanes), panels.base)
            }
        }
        let threads = Parallel.worthwhile(threads, work: weightCount * input.samples)
        // Threads take whole tiles of rows: 12 is the tallest.
        Parallel.forEachRange(of: (outputs + 11) / 12, threads: threads) { groups in
            var outer = ept_outer(
                gradient: gradient.base(0), gradient_block: gradient.layout.blockSize, panels: panels.base,
                blocks: Int32(blocks), first_output: Int32(groups.lowerBound * 12),
                end_output: Int32(min(outputs, groups.upperBound * 12)), inputs: Int32(inputs),
                result: nil, weights: nil, velocity: nil, rate: 0, momentum: 0)
            configure(&outer)
            ept_run_outer(code, &outer)
        }
    }

    private func biases(_ gradient: Blocks, into result: UnsafeMutablePointer<Float>) {
        let code = InstructionSet.code
        let partial = BlockStorage(count: outputs * BlockLayout.lanes)
        ept_sum_planes(
            code, gradient.base(0), BlockLayout.lanes, 0, gradient.layout.blockSize, partial.base, Int32(outputs), 1,
            Int32(gradient.count), 1)
        ept_reduce_lanes(code, partial.base, result, outputs)
    }
}
