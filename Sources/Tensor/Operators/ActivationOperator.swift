import CTensorKernels

/// Functions that are applied value by value, and their derivatives in terms of their results.
package enum ActivationOperator: Sendable {
    /// What is greater than 0 passes, everything else becomes +0 (so do -0 and NaN).
    case rectifier
    case tanh
    case sigmoid
    /// `1.7159 tanh(2x / 3)`: y = 1 at x = 1 (LeCun et al., 1998, appendix A).
    case scaledTanh

    private static let amplitude: Float = 1.7159
    private static let slope: Float = 2.0 / 3

    private func value(_ x: Float) -> Float {
        switch self {
        case .rectifier: x > 0 ? x : 0
        case .tanh: Transcendental.tanh(x)
        case .sigmoid: Transcendental.sigmoid(x)
        case .scaledTanh: Self.amplitude * Transcendental.tanh(Self.slope * x)
        }
    }

    /// From the result, not the argument.
    private func derivative(_ y: Float) -> Float {
        switch self {
        case .rectifier: y > 0 ? 1 : 0
        case .tanh: 1 - y * y
        case .sigmoid: y * (1 - y)
        case .scaledTanh:
            // A S (1 - (y / A)^2) as S (A - y (y / A)).
            Self.slope * (Self.amplitude - y * (y / Self.amplitude))
        }
    }

    /// `output` may be `input`.
    package func forward(_ input: Blocks, into output: Blocks, threads: Int) {
        forEachLine(input, output, threads: threads) { x, y, count in
            for index in 0..<count { y[index] = value(x[index]) }
        }
    }

    /// `gradient`, that of the output, becomes that of the input.
    package func backward(_ gradient: Blocks, output: Blocks, threads: Int) {
        let code = InstructionSet.code
        forEachLine(output, gradient, threads: threads) { y, dy, count in
            if case .rectifier = self {
                ept_rectify_backward(code, y, dy, count)
            } else {
                for index in 0..<count { dy[index] = dy[index] * derivative(y[index]) }
            }
        }
    }

    /// Calls `body` with floats that belong together and follow each other in both.
    private func forEachLine(
        _ first: Blocks, _ second: Blocks, threads: Int,
        _ body: @Sendable (UnsafePointer<Float>, UnsafeMutablePointer<Float>, Int) -> Void
    ) {
        precondition(first.samples == second.samples && first.layout.hasSizes(of: second.layout))
        let layout = first.layout
        let isFlat = layout.isCompact && second.layout.isCompact
        let isRowed = layout.columnStep == 1 && second.layout.columnStep == 1
        let threads = Parallel.worthwhile(threads, work: layout.features * first.samples)
        Parallel.forEachRange(of: first.count, threads: threads) { blocks in
            for block in blocks {
                let (a, b) = (first.view(block), second.view(block))
                if isFlat {
                    body(a.base, b.base, layout.blockSize)
                    continue
                }
                for channel in 0..<layout.channels {
                    for row in 0..<layout.height {
                        let (from, to) = (
                            a.base + channel * a.plane + row * a.row, b.base + channel * b.plane + row * b.row)
                        if isRowed {
                            body(from, to, layout.width * BlockLayout.lanes)
                        } else {
                            for column in 0..<layout.width {
                                body(from + column * a.column, to + column * b.column, BlockLayout.lanes)
                            }
                        }
                    }
                }
            }
        }
    }
}
