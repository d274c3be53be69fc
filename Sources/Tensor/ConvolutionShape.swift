/// The sizes of one convolution, checked once at its edge, and the unrolling of a sample that they define.
struct ConvolutionShape: Sendable {
    let samples: Int
    let channels: Int
    let height: Int
    let width: Int
    let outputs: Int
    let kernelHeight: Int
    let kernelWidth: Int

    var outputHeight: Int { height - kernelHeight + 1 }
    var outputWidth: Int { width - kernelWidth + 1 }
    /// Places of the kernel in one image: the columns of the unrolled sample.
    var positions: Int { outputHeight * outputWidth }
    /// Weights of one output channel: the rows of the unrolled sample.
    var depth: Int { channels * kernelHeight * kernelWidth }
    var inputStride: Int { channels * height * width }
    var outputStride: Int { outputs * positions }

    var input: [Int] { [samples, channels, height, width] }
    var weights: [Int] { [outputs, channels, kernelHeight, kernelWidth] }
    var output: [Int] { [samples, outputs, outputHeight, outputWidth] }

    init(input: [Int], weights: [Int]) throws(TensorError) {
        guard input.count == 4 else {
            throw .shapeMismatch(operand: "input", expected: [0, 0, 0, 0], found: input)
        }
        guard weights.count == 4, weights[1] == input[1], weights[2] <= input[2], weights[3] <= input[3] else {
            throw .shapeMismatch(operand: "weights", expected: [0, input[1], 0, 0], found: weights)
        }
        try self.init(
            samples: input[0], channels: input[1], height: input[2], width: input[3],
            outputs: weights[0], kernelHeight: weights[2], kernelWidth: weights[3])
    }

    init(gradient: [Int], weights: [Int]) throws(TensorError) {
        guard weights.count == 4 else {
            throw .shapeMismatch(operand: "weights", expected: [0, 0, 0, 0], found: weights)
        }
        guard gradient.count == 4, gradient[1] == weights[0] else {
            throw .shapeMismatch(operand: "gradient", expected: [0, weights[0], 0, 0], found: gradient)
        }
        // Sizes of tensors are at most `maximumCount`, so sums of two can't overflow.
        try self.init(
            samples: gradient[0], channels: weights[1],
            height: gradient[2] + weights[2] - 1, width: gradient[3] + weights[3] - 1,
            outputs: weights[0], kernelHeight: weights[2], kernelWidth: weights[3])
    }

    init(input: [Int], gradient: [Int]) throws(TensorError) {
        guard input.count == 4 else {
            throw .shapeMismatch(operand: "input", expected: [0, 0, 0, 0], found: input)
        }
        guard gradient.count == 4, gradient[0] == input[0], gradient[2] <= input[2], gradient[3] <= input[3] else {
            throw .shapeMismatch(operand: "gradient", expected: [input[0], 0, 0, 0], found: gradient)
        }
        try self.init(
            samples: input[0], channels: input[1], height: input[2], width: input[3],
            outputs: gradient[1],
            kernelHeight: input[2] - gradient[2] + 1, kernelWidth: input[3] - gradient[3] + 1)
    }

    private init(
        samples: Int, channels: Int, height: Int, width: Int, outputs: Int, kernelHeight: Int, kernelWidth: Int
    ) throws(TensorError) {
        self.samples = samples
        self.channels = channels
        self.height = height
        self.width = width
        self.outputs = outputs
        self.kernelHeight = kernelHeight
        self.kernelWidth = kernelWidth
        // Scratch space has limits too: operands that are each in bounds can still unroll into something huge.
        _ = try FloatTensor.count(of: [channels, kernelHeight, kernelWidth])
        let depth = channels * kernelHeight * kernelWidth
        _ = try FloatTensor.count(of: [depth + 1, height - kernelHeight + 1, width - kernelWidth + 1])
        _ = try FloatTensor.count(of: [depth + 1, outputs + 7])
        _ = try FloatTensor.count(of: [outputs + 7, height - kernelHeight + 1, width - kernelWidth + 1])
    }

    /// Writes the given rows of the unrolled sample, `positions` long each, one after the other from `target` on.
    func unroll(_ sample: UnsafePointer<Float>, rows: Range<Int>, into target: UnsafeMutablePointer<Float>) {
        let outputHeight = outputHeight
        let outputWidth = outputWidth
        var destination = target
        for row in rows {
            let (channel, offset) = row.quotientAndRemainder(dividingBy: kernelHeight * kernelWidth)
            let (r, s) = offset.quotientAndRemainder(dividingBy: kernelWidth)
            var source = sample + (channel * height + r) * width + s
            for _ in 0..<outputHeight {
                destination.update(from: source, count: outputWidth)
                destination += outputWidth
                source += width
            }
        }
    }

    /// The transpose of `unroll` over all rows: adds each element back to the input that it came from, rows ascending.
    func addRolled(_ columns: UnsafePointer<Float>, into sample: UnsafeMutablePointer<Float>) {
        let outputHeight = outputHeight
        let outputWidth = outputWidth
        var source = columns
        for row in 0..<depth {
            let (channel, offset) = row.quotientAndRemainder(dividingBy: kernelHeight * kernelWidth)
            let (r, s) = offset.quotientAndRemainder(dividingBy: kernelWidth)
            var destination = sample + (channel * height + r) * width + s
            for _ in 0..<outputHeight {
                for column in 0..<outputWidth {
                    destination[column] += source[column]
                }
                source += outputWidth
                destination += width
            }
        }
    }
}
