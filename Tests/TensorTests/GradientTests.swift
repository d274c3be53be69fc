import Tensor
import Testing

/// Each backward operator against central differences of its forward operator.
@Suite(.timeLimit(.minutes(20))) struct GradientTests {
    /// `d/dx of sum(weight * f(x))` by differences, at a few elements, against the analytic gradient.
    private func check(
        _ x: FloatTensor, _ analytic: FloatTensor, weight: FloatTensor, step: Float = 1.0 / 64,
        _ forward: (FloatTensor) throws -> FloatTensor
    ) throws {
        var draw = Draw(seed: 99)
        #expect(analytic.shape == x.shape)
        for _ in 0..<24 {
            let index = draw.size(0...x.count - 1)
            func objective(_ delta: Float) throws -> Double {
                var elements = x.elements
                elements[index] += delta
                let y = try forward(FloatTensor(shape: x.shape, elements: elements))
                return zip(y.elements, weight.elements).reduce(0) { $0 + Double($1.0) * Double($1.1) }
            }
            let numeric = try (objective(step) - objective(-step)) / Double(2 * step)
            let exact = Double(analytic.elements[index])
            #expect(abs(numeric - exact) <= 2e-3 * max(1, abs(exact)), "element \(index)")
        }
    }

    @Test(arguments: [(1, 1, false), (1, 1, true), (2, 1, false), (3, 2, false)])
    func convolution(strideHeight: Int, strideWidth: Int, pads: Bool) throws {
        var draw = Draw(seed: 5)
        let x = try draw.tensor([2, 3, 7, 8])
        let w = try draw.tensor([4, 3, 3, 2])
        let b = try draw.tensor([4])
        let naive = NaiveConvolution(x: x, w: w, b: b, stride: (strideHeight, strideWidth), pads: pads)
        let dy = try draw.tensor([2, 4, naive.oh, naive.ow])
        let convolution = try ConvolutionOperator(naive)
        let (dw, db) = try convolution.backwardParameters(x, dy, weights: w.shape)
        try check(x, convolution.backwardInput(dy, w), weight: dy) { try convolution.forward($0, w, b) }
        try check(w, dw, weight: dy) { try convolution.forward(x, $0, b) }
        try check(b, db, weight: dy) { try convolution.forward(x, w, $0) }
    }

    @Test func dense() throws {
        var draw = Draw(seed: 6)
        let x = try draw.tensor([3, 9])
        let w = try draw.tensor([5, 9])
        let b = try draw.tensor([5])
        let dy = try draw.tensor([3, 5])
        let dense = try DenseOperator(inputs: 9, outputs: 5)
        let (dw, db) = try dense.backwardParameters(x, dy)
        try check(x, dense.backwardInput(dy, w), weight: dy) { try dense.forward($0, w, b) }
        try check(w, dw, weight: dy) { try dense.forward(x, $0, b) }
        try check(b, db, weight: dy) { try dense.forward(x, w, $0) }
    }

    @Test(arguments: [(2, 2), (2, 1), (3, 2)])
    func pooling(size: Int, stride: Int) throws {
        var draw = Draw(seed: 7)
        let x = try draw.tensor([2, 3, 5, 6])
        for isMaximum in [false, true] {
            let naive = Naive.Pooling(x: x, isMaximum: isMaximum, size: (size, size), stride: (stride, stride))
            let dy = try draw.tensor([2, 3, naive.oh, naive.ow])
            let pooling = try PoolingOperator(naive)
            // Small steps: away from a change of the largest value the maximum is linear.
            try check(x, pooling.backward(dy, x: x), weight: dy, step: 1.0 / 1024) { try pooling.forward($0) }
        }
    }

    @Test(arguments: [ActivationOperator.rectifier, .tanh, .sigmoid, .scaledTanh])
    func activations(function: ActivationOperator) throws {
        var draw = Draw(seed: 9)
        let x = try draw.tensor([2, 3, 4, 6]).scaled(by: 0.25)
        let dy = try draw.tensor(x.shape)
        try check(x, function.backward(dy, y: function.forward(x)), weight: dy, step: 1.0 / 1024) {
            try function.forward($0)
        }
    }

    @Test func softmaxCrossEntropy() throws {
        var draw = Draw(seed: 8)
        let logits = try draw.tensor([4, 10]).scaled(by: 0.25)
        let labels: [UInt8] = [0, 9, 4, 4]
        let output = try SoftmaxCrossEntropy.evaluate(logits: logits, labels: labels)
        let one = try FloatTensor(shape: [1], repeating: 1)
        try check(logits, output.gradient, weight: one) {
            let loss = try SoftmaxCrossEntropy.evaluate(logits: $0, labels: labels).meanLoss
            return try FloatTensor(shape: [1], elements: [Float(loss)])
        }
    }
}
