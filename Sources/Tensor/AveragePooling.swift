/// Averages over disjoint 2 x 2 windows: `[N, C, 2h, 2w]` to `[N, C, h, w]`, the subsampling of LeNet-5.
public enum AveragePooling {
    /// `(((top left + top right) + bottom left) + bottom right) / 4`.
    public static func forward(_ input: FloatTensor) throws(TensorError) -> FloatTensor {
        let shape = input.shape
        guard shape.count == 4, shape[2] % 2 == 0, shape[3] % 2 == 0 else {
            throw .shapeMismatch(operand: "input", expected: [0, 0, 0, 0], found: shape)
        }
        let (rows, columns) = (shape[0] * shape[1] * (shape[2] / 2), shape[3] / 2)
        return try FloatTensor(shape: [shape[0], shape[1], shape[2] / 2, columns]) { result in
            input.withElements { x in
                guard let x = x.baseAddress else { return }
                for row in 0..<rows {
                    let top = x + row * 4 * columns
                    let bottom = top + 2 * columns
                    let target = result + row * columns
                    for column in 0..<columns {
                        let sum = ((top[2 * column] + top[2 * column + 1]) + bottom[2 * column]) + bottom[2 * column + 1]
                        (target + column).initialize(to: sum * 0.25)
                    }
                }
            }
        }
    }

    /// Each input of a window gets a quarter of the window's gradient.
    public static func backward(gradient: FloatTensor) throws(TensorError) -> FloatTensor {
        let shape = gradient.shape
        guard shape.count == 4 else {
            throw .shapeMismatch(operand: "gradient", expected: [0, 0, 0, 0], found: shape)
        }
        let (rows, columns) = (shape[0] * shape[1] * shape[2], shape[3])
        return try FloatTensor(shape: [shape[0], shape[1], 2 * shape[2], 2 * columns]) { result in
            gradient.withElements { dy in
                guard let dy = dy.baseAddress else { return }
                for row in 0..<rows {
                    let top = result + row * 4 * columns
                    let bottom = top + 2 * columns
                    let source = dy + row * columns
                    for column in 0..<columns {
                        let quarter = source[column] * 0.25
                        (top + 2 * column).initialize(to: quarter)
                        (top + 2 * column + 1).initialize(to: quarter)
                        (bottom + 2 * column).initialize(to: quarter)
                        (bottom + 2 * column + 1).initialize(to: quarter)
                    }
                }
            }
        }
    }
}
