/// A fully connected layer: input `[N, I]`, weights `[I, O]`, bias `[O]`, output `[N, O]`.
///
/// Weights are stored input-major, so that the lanes of the forward product run across outputs without a transpose.
public enum Dense {
    /// `y[n, o] = bias[o] + sum over i of x[n, i] * weights[i, o]`, summed from the bias on, `i` ascending.
    public static func forward(
        _ input: FloatTensor, weights: FloatTensor, bias: FloatTensor, threads: Int = 1
    ) throws(TensorError) -> FloatTensor {
        let (inputs, outputs) = try sizes(of: weights)
        guard input.shape.count == 2, input.shape[1] == inputs else {
            throw .shapeMismatch(operand: "input", expected: [0, inputs], found: input.shape)
        }
        guard bias.shape == [outputs] else {
            throw .shapeMismatch(operand: "bias", expected: [outputs], found: bias.shape)
        }
        return try FloatTensor(shape: [input.samples, outputs]) { result in
            nonisolated(unsafe) let result = result
            Parallel.forEachRange(of: input.samples, threads: threads) { samples in
                input.withElements { x in
                    weights.withElements { w in
                        bias.withElements { b in
                            guard let x = x.baseAddress, let w = w.baseAddress, let b = b.baseAddress else { return }
                            let y = result + samples.lowerBound * outputs
                            for sample in 0..<samples.count {
                                (y + sample * outputs).initialize(from: b, count: outputs)
                            }
                            MatrixKernel.accumulate(
                                rows: samples.count, columns: outputs, depth: inputs,
                                left: .init(x + samples.lowerBound * inputs, rowStride: inputs, stepStride: 1),
                                right: w, rightStride: outputs,
                                into: y, resultStride: outputs)
                        }
                    }
                }
            }
        }
    }

    /// `dx[n, i] = sum over o ascending, from 0, of dy[n, o] * weights[i, o]`.
    public static func backwardInput(
        gradient: FloatTensor, weights: FloatTensor, threads: Int = 1
    ) throws(TensorError) -> FloatTensor {
        let (inputs, outputs) = try sizes(of: weights)
        guard gradient.shape.count == 2, gradient.shape[1] == outputs else {
            throw .shapeMismatch(operand: "gradient", expected: [0, outputs], found: gradient.shape)
        }
        let transposed = try FloatTensor(shape: [outputs, inputs]) { target in
            weights.withElements { w in
                for input in 0..<inputs {
                    for output in 0..<outputs {
                        (target + output * inputs + input).initialize(to: w[input * outputs + output])
                    }
                }
            }
        }
        return try FloatTensor(shape: [gradient.samples, inputs]) { result in
            nonisolated(unsafe) let result = result
            Parallel.forEachRange(of: gradient.samples, threads: threads) { samples in
                gradient.withElements { dy in
                    transposed.withElements { w in
                        guard let dy = dy.baseAddress, let w = w.baseAddress else { return }
                        let dx = result + samples.lowerBound * inputs
                        dx.initialize(repeating: 0, count: samples.count * inputs)
                        MatrixKernel.accumulate(
                            rows: samples.count, columns: inputs, depth: outputs,
                            left: .init(dy + samples.lowerBound * outputs, rowStride: outputs, stepStride: 1),
                            right: w, rightStride: inputs,
                            into: dx, resultStride: inputs)
                    }
                }
            }
        }
    }

    /// `dw[i, o] = sum over n of x[n, i] * dy[n, o]` and `db[o] = sum over n of dy[n, o]`, both from 0, `n` ascending.
    public static func backwardParameters(
        input: FloatTensor, gradient: FloatTensor, threads: Int = 1
    ) throws(TensorError) -> (weights: FloatTensor, bias: FloatTensor) {
        guard input.shape.count == 2 else {
            throw .shapeMismatch(operand: "input", expected: [0, 0], found: input.shape)
        }
        guard gradient.shape.count == 2, gradient.samples == input.samples else {
            throw .shapeMismatch(operand: "gradient", expected: [input.samples, 0], found: gradient.shape)
        }
        let (samples, inputs, outputs) = (input.samples, input.shape[1], gradient.shape[1])
        let weights = try FloatTensor(shape: [inputs, outputs]) { result in
            nonisolated(unsafe) let result = result
            Parallel.forEachRange(of: inputs, threads: threads) { rows in
                input.withElements { x in
                    gradient.withElements { dy in
                        guard let x = x.baseAddress, let dy = dy.baseAddress else { return }
                        let dw = result + rows.lowerBound * outputs
                        dw.initialize(repeating: 0, count: rows.count * outputs)
                        MatrixKernel.accumulate(
                            rows: rows.count, columns: outputs, depth: samples,
                            left: .init(x + rows.lowerBound, rowStride: 1, stepStride: inputs),
                            right: dy, rightStride: outputs,
                            into: dw, resultStride: outputs)
                    }
                }
            }
        }
        let bias = try FloatTensor(shape: [outputs]) { result in
            result.initialize(repeating: 0, count: outputs)
            gradient.withElements { dy in
                for sample in 0..<samples {
                    for output in 0..<outputs {
                        result[output] += dy[sample * outputs + output]
                    }
                }
            }
        }
        return (weights, bias)
    }

    private static func sizes(of weights: FloatTensor) throws(TensorError) -> (inputs: Int, outputs: Int) {
        guard weights.shape.count == 2 else {
            throw .shapeMismatch(operand: "weights", expected: [0, 0], found: weights.shape)
        }
        return (weights.shape[0], weights.shape[1])
    }
}
