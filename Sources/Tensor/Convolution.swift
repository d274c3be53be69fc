/// Two-dimensional cross-correlation (what the field calls convolution), without padding, stride 1.
///
/// With `O` output and `C` input channels and kernels of `R x S`: input `[N, C, H, W]`, weights `[O, C, R, S]`, bias
/// `[O]`, output `[N, O, H - R + 1, W - S + 1]`. Each sample is unrolled into a matrix whose row `(c, r, s)` holds the
/// inputs that this weight meets, so that all three products go through `MatrixKernel`.
public enum Convolution {
    /// `y[n, o, i, j] = bias[o] + sum over (c, r, s) of weights[o, c, r, s] * x[n, c, i + r, j + s]`,
    /// summed from the bias on in ascending order of `(c, r, s)`.
    public static func forward(
        _ input: FloatTensor, weights: FloatTensor, bias: FloatTensor, threads: Int = 1
    ) throws(TensorError) -> FloatTensor {
        let shape = try ConvolutionShape(input: input.shape, weights: weights.shape)
        guard bias.shape == [shape.outputs] else {
            throw .shapeMismatch(operand: "bias", expected: [shape.outputs], found: bias.shape)
        }
        return try FloatTensor(shape: shape.output) { result in
            nonisolated(unsafe) let result = result
            Parallel.forEachRange(of: shape.samples, threads: threads) { samples in
                let columns = UnsafeMutablePointer<Float>.allocate(capacity: shape.depth * shape.positions)
                defer { columns.deallocate() }
                input.withElements { x in
                    weights.withElements { w in
                        bias.withElements { b in
                            guard let x = x.baseAddress, let w = w.baseAddress else { return }
                            for sample in samples {
                                shape.unroll(x + sample * shape.inputStride, rows: 0..<shape.depth, into: columns)
                                let y = result + sample * shape.outputStride
                                for output in 0..<shape.outputs {
                                    (y + output * shape.positions).initialize(repeating: b[output], count: shape.positions)
                                }
                                MatrixKernel.accumulate(
                                    rows: shape.outputs, columns: shape.positions, depth: shape.depth,
                                    left: .init(w, rowStride: shape.depth, stepStride: 1),
                                    right: columns, rightStride: shape.positions,
                                    into: y, resultStride: shape.positions)
                            }
                        }
                    }
                }
            }
        }
    }

    /// The gradient with respect to the input, from that with respect to the output.
    ///
    /// `dx[n, c, y, x]` is the sum, from 0 in ascending order of `(r, s)`, of the terms
    /// `sum over o ascending of weights[o, c, r, s] * dy[n, o, y - r, x - s]`, of which each starts at 0 itself.
    public static func backwardInput(
        gradient: FloatTensor, weights: FloatTensor, threads: Int = 1
    ) throws(TensorError) -> FloatTensor {
        let shape = try ConvolutionShape(gradient: gradient.shape, weights: weights.shape)
        return try FloatTensor(shape: shape.input) { result in
            nonisolated(unsafe) let result = result
            Parallel.forEachRange(of: shape.samples, threads: threads) { samples in
                let columns = UnsafeMutablePointer<Float>.allocate(capacity: shape.depth * shape.positions)
                defer { columns.deallocate() }
                gradient.withElements { dy in
                    weights.withElements { w in
                        guard let dy = dy.baseAddress, let w = w.baseAddress else { return }
                        for sample in samples {
                            columns.initialize(repeating: 0, count: shape.depth * shape.positions)
                            MatrixKernel.accumulate(
                                rows: shape.depth, columns: shape.positions, depth: shape.outputs,
                                left: .init(w, rowStride: 1, stepStride: shape.depth),
                                right: dy + sample * shape.outputStride, rightStride: shape.positions,
                                into: columns, resultStride: shape.positions)
                            let dx = result + sample * shape.inputStride
                            dx.initialize(repeating: 0, count: shape.inputStride)
                            shape.addRolled(columns, into: dx)
                        }
                    }
                }
            }
        }
    }

    /// The gradients with respect to weights and bias: sums from 0 over samples, then over positions, ascending.
    ///
    /// `dw[o, c, r, s] = sum over (n, i, j) of x[n, c, i + r, j + s] * dy[n, o, i, j]`, `db[o] = sum of dy[n, o, i, j]`.
    public static func backwardParameters(
        input: FloatTensor, gradient: FloatTensor, threads: Int = 1
    ) throws(TensorError) -> (weights: FloatTensor, bias: FloatTensor) {
        let shape = try ConvolutionShape(input: input.shape, gradient: gradient.shape)
        // Lanes run across output channels, so their number is rounded up to whole vectors; the surplus stays zero.
        // One more row of the unrolled input, all ones, makes the bias gradient a row like any other (1 * x is exact).
        let width = (shape.outputs + 7) / 8 * 8
        let rows = shape.depth + 1
        let sums = UnsafeMutablePointer<Float>.allocate(capacity: rows * width)
        sums.initialize(repeating: 0, count: rows * width)
        defer { sums.deallocate() }
        nonisolated(unsafe) let accumulated = sums
        Parallel.forEachRange(of: rows, threads: threads) { range in
            let columns = UnsafeMutablePointer<Float>.allocate(capacity: range.count * shape.positions)
            columns.initialize(repeating: 1, count: range.count * shape.positions)
            let transposed = UnsafeMutablePointer<Float>.allocate(capacity: shape.positions * width)
            transposed.initialize(repeating: 0, count: shape.positions * width)
            defer {
                columns.deallocate()
                transposed.deallocate()
            }
            input.withElements { x in
                gradient.withElements { dy in
                    guard let x = x.baseAddress, let dy = dy.baseAddress else { return }
                    for sample in 0..<shape.samples {
                        let unrolled = range.clamped(to: 0..<shape.depth)
                        shape.unroll(x + sample * shape.inputStride, rows: unrolled, into: columns)
                        let sampleGradient = dy + sample * shape.outputStride
                        for output in 0..<shape.outputs {
                            let row = sampleGradient + output * shape.positions
                            for position in 0..<shape.positions {
                                transposed[position * width + output] = row[position]
                            }
                        }
                        MatrixKernel.accumulate(
                            rows: range.count, columns: width, depth: shape.positions,
                            left: .init(columns, rowStride: shape.positions, stepStride: 1),
                            right: transposed, rightStride: width,
                            into: accumulated + range.lowerBound * width, resultStride: width)
                    }
                }
            }
        }
        let weights = try FloatTensor(shape: shape.weights) { result in
            for output in 0..<shape.outputs {
                for row in 0..<shape.depth {
                    (result + output * shape.depth + row).initialize(to: sums[row * width + output])
                }
            }
        }
        let bias = try FloatTensor(shape: [shape.outputs]) { result in
            result.initialize(from: sums + shape.depth * width, count: shape.outputs)
        }
        return (weights, bias)
    }
}
