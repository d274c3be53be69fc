import Tensor
import Testing

/// Each backward operator against central differences of its forward operator.
@Suite struct GradientTests {
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

    @Test func convolution() throws {
        var draw = Draw(seed: 5)
        let x = try draw.tensor([2, 3, 7, 8])
        let w = try draw.tensor([4, 3, 3, 2])
        let b = try draw.tensor([4])
        let dy = try draw.tensor([2, 4, 5, 7])
        let (dw, db) = try Convolution.backwardParameters(input: x, gradient: dy)
        try check(x, Convolution.backwardInput(gradient: dy, weights: w), weight: dy) {
            try Convolution.forward($0, weights: w, bias: b)
        }
        try check(w, dw, weight: dy) { try Convolution.forward(x, weights: $0, bias: b) }
        try check(b, db, weight: dy) { try Convolution.forward(x, weights: w, bias: $0) }
    }

    @Test func dense() throws {
        var draw = Draw(seed: 6)
        let x = try draw.tensor([3, 9])
        let w = try draw.tensor([9, 5])
        let b = try draw.tensor([5])
        let dy = try draw.tensor([3, 5])
        let (dw, db) = try Dense.backwardParameters(input: x, gradient: dy)
        try check(x, Dense.backwardInput(gradient: dy, weights: w), weight: dy) {
            try Dense.forward($0, weights: w, bias: b)
        }
        try check(w, dw, weight: dy) { try Dense.forward(x, weights: $0, bias: b) }
        try check(b, db, weight: dy) { try Dense.forward(x, weights: w, bias: $0) }
    }

    @Test func poolingAndRectifier() throws {
        var draw = Draw(seed: 7)
        let x = try draw.tensor([2, 3, 4, 6])
        let dy = try draw.tensor([2, 3, 2, 3])
        try check(x, AveragePooling.backward(gradient: dy), weight: dy) { try AveragePooling.forward($0) }
        let seed = try draw.tensor(x.shape)
        // Small steps: away from the kink at 0 the rectifier is linear.
        try check(
            x, Rectifier.backward(gradient: seed, output: Rectifier.forward(x)), weight: seed, step: 1.0 / 16384
        ) { Rectifier.forward($0) }
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
