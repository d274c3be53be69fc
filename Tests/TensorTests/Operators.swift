import Tensor

// The operators with rows of samples on both sides, as tests compare them.

extension ConvolutionOperator {
    init(_ naive: NaiveConvolution) throws {
        let (x, w) = (naive.x.shape, naive.w.shape)
        try self.init(
            channels: x[1], height: x[2], width: x[3], filters: w[0], kernel: (w[2], w[3]), stride: naive.stride,
            pads: naive.pads)
    }

    func forward(
        _ x: FloatTensor, _ w: FloatTensor, _ b: FloatTensor, rectifies: Bool = false, threads: Int = 1
    ) throws -> FloatTensor {
        let input = try Blocks(x, layout: inputLayout, threads: threads)
        let output = try Blocks(outputLayout, samples: x.samples)
        (w.elements + b.elements).withUnsafeBufferPointer {
            forward(input, parameters: $0.baseAddress!, into: output, rectifies: rectifies, threads: threads)
        }
        return try output.tensor(sample: outputLayout.shape, threads: threads)
    }

    func backwardInput(_ dy: FloatTensor, _ w: FloatTensor, threads: Int = 1) throws -> FloatTensor {
        let gradient = try Blocks(dy, layout: gradientLayout, threads: threads)
        let target = try Blocks(BlockLayout(inputLayout.shape), samples: dy.samples)
        w.elements.withUnsafeBufferPointer {
            backwardInput(gradient, weights: $0.baseAddress!, into: target, threads: threads)
        }
        return try target.tensor(sample: inputLayout.shape, threads: threads)
    }

    func backwardParameters(
        _ x: FloatTensor, _ dy: FloatTensor, weights shape: [Int], threads: Int = 1
    ) throws -> (weights: FloatTensor, bias: FloatTensor) {
        let input = try Blocks(x, layout: inputLayout, threads: threads)
        let gradient = try Blocks(dy, layout: gradientLayout, threads: threads)
        var result = [Float](repeating: .nan, count: weightCount + filters)
        result.withUnsafeMutableBufferPointer {
            backwardParameters(input, gradient: gradient, into: $0.baseAddress!, threads: threads)
        }
        return (
            try FloatTensor(shape: shape, elements: Array(result[..<weightCount])),
            try FloatTensor(shape: [filters], elements: Array(result[weightCount...]))
        )
    }
}

extension DenseOperator {
    func forward(
        _ x: FloatTensor, _ w: FloatTensor, _ b: FloatTensor, rectifies: Bool = false, threads: Int = 1
    ) throws -> FloatTensor {
        let input = try Blocks(x, layout: inputLayout, threads: threads)
        let output = try Blocks(outputLayout, samples: x.samples)
        (w.elements + b.elements).withUnsafeBufferPointer {
            forward(input, parameters: $0.baseAddress!, into: output, rectifies: rectifies, threads: threads)
        }
        return try output.tensor(sample: [outputs], threads: threads)
    }

    func backwardInput(_ dy: FloatTensor, _ w: FloatTensor, threads: Int = 1) throws -> FloatTensor {
        let gradient = try Blocks(dy, layout: outputLayout, threads: threads)
        let target = try Blocks(inputLayout, samples: dy.samples)
        w.elements.withUnsafeBufferPointer {
            backwardInput(gradient, weights: $0.baseAddress!, into: target, threads: threads)
        }
        return try target.tensor(sample: [inputs], threads: threads)
    }

    func backwardParameters(
        _ x: FloatTensor, _ dy: FloatTensor, threads: Int = 1
    ) throws -> (weights: FloatTensor, bias: FloatTensor) {
        let input = try Blocks(x, layout: inputLayout, threads: threads)
        let gradient = try Blocks(dy, layout: outputLayout, threads: threads)
        var result = [Float](repeating: .nan, count: weightCount + outputs)
        result.withUnsafeMutableBufferPointer {
            backwardParameters(input, gradient: gradient, into: $0.baseAddress!, threads: threads)
        }
        return (
            try FloatTensor(shape: [outputs, inputs], elements: Array(result[..<weightCount])),
            try FloatTensor(shape: [outputs], elements: Array(result[weightCount...]))
        )
    }

    /// The parameters and velocities after the fused step.
    func stepped(
        _ x: FloatTensor, _ dy: FloatTensor, parameters: [Float], velocities: [Float]?, _ optimiser: MomentumSGD,
        threads: Int = 1
    ) throws -> (parameters: [Float], velocities: [Float]?) {
        let input = try Blocks(x, layout: inputLayout, threads: threads)
        let gradient = try Blocks(dy, layout: outputLayout, threads: threads)
        var (values, speeds) = (parameters, velocities ?? [])
        values.withUnsafeMutableBufferPointer { values in
            speeds.withUnsafeMutableBufferPointer { speeds in
                step(
                    input, gradient: gradient, parameters: values.baseAddress!,
                    velocities: velocities == nil ? nil : speeds.baseAddress, optimiser: optimiser, threads: threads)
            }
        }
        return (values, velocities == nil ? nil : speeds)
    }
}

extension PoolingOperator {
    init(_ naive: Naive.Pooling) throws {
        let x = naive.x.shape
        try self.init(
            naive.isMaximum ? .maximum : .average, channels: x[1], height: x[2], width: x[3], size: naive.size,
            stride: naive.stride)
    }

    func forward(_ x: FloatTensor, threads: Int = 1) throws -> FloatTensor {
        let input = try Blocks(x, layout: inputLayout, threads: threads)
        let output = try Blocks(outputLayout, samples: x.samples)
        forward(input, into: output, threads: threads)
        return try output.tensor(sample: outputLayout.shape, threads: threads)
    }

    func backward(
        _ dy: FloatTensor, x: FloatTensor, isRectified: Bool = false, threads: Int = 1
    ) throws -> FloatTensor {
        let input = try Blocks(x, layout: inputLayout, threads: threads)
        let output = try Blocks(outputLayout, samples: x.samples)
        forward(input, into: output, threads: threads)
        let gradient = try Blocks(dy, layout: outputLayout, threads: threads)
        let target = try Blocks(inputLayout, samples: x.samples, isZeroed: !coversInput)
        backward(
            gradient, input: input, output: output, into: target, isRectified: isRectified, threads: threads)
        return try target.tensor(sample: inputLayout.shape, threads: threads)
    }
}

extension BlockLayout {
    var shape: [Int] { [channels, height, width] }
}

extension ActivationOperator {
    func forward(_ x: FloatTensor, threads: Int = 1) throws -> FloatTensor {
        let layout = BlockLayout([x.stride])
        let values = try Blocks(x, layout: layout, threads: threads)
        forward(values, into: values, threads: threads)
        return try values.tensor(sample: Array(x.shape.dropFirst()), threads: threads)
    }

    func backward(_ dy: FloatTensor, y: FloatTensor, threads: Int = 1) throws -> FloatTensor {
        let layout = BlockLayout([y.stride])
        let gradient = try Blocks(dy, layout: layout, threads: threads)
        backward(gradient, output: try Blocks(y, layout: layout, threads: threads), threads: threads)
        return try gradient.tensor(sample: Array(y.shape.dropFirst()), threads: threads)
    }
}

/// Runs the body with each instruction set of this processor and each of these numbers of threads.
func onEveryPath(_ body: (Int) throws -> Void) throws {
    for set in InstructionSet.available {
        for threads in [1, 2, 3] {
            try InstructionSet.$current.withValue(set) { try body(threads) }
        }
    }
}
