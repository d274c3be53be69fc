import Tensor
import Testing

@Suite struct ReproducibilityTests {
    @Test(arguments: 0..<60 as Range<UInt64>)
    func convolutionHasTheBitsOfThePlainLoops(seed: UInt64) throws {
        var draw = Draw(seed: seed)
        let (r, s) = (draw.size(1...5), draw.size(1...5))
        let x = try draw.tensor([draw.size(1...4), draw.size(1...4), r + draw.size(0...9), s + draw.size(0...13)])
        let w = try draw.tensor([draw.size(1...11), x.shape[1], r, s])
        let b = try draw.tensor([w.shape[0]])
        let dy = try draw.tensor([x.shape[0], w.shape[0], x.shape[2] - r + 1, x.shape[3] - s + 1])
        let y = try Naive.convolve(x, w, b)
        let dx = try Naive.convolveBackwardInput(dy, w)
        let parameters = try Naive.convolveBackwardParameters(x, dy)
        for threads in 1...3 {
            #expect(try Convolution.forward(x, weights: w, bias: b, threads: threads) == y)
            #expect(try Convolution.backwardInput(gradient: dy, weights: w, threads: threads) == dx)
            let (dw, db) = try Convolution.backwardParameters(input: x, gradient: dy, threads: threads)
            #expect(dw == parameters.weights)
            #expect(db == parameters.bias)
        }
    }

    @Test(arguments: 0..<60 as Range<UInt64>)
    func denseHasTheBitsOfThePlainLoops(seed: UInt64) throws {
        var draw = Draw(seed: seed)
        let (n, i, o) = (draw.size(1...13), draw.size(1...70), draw.size(1...37))
        let x = try draw.tensor([n, i])
        let w = try draw.tensor([i, o])
        let b = try draw.tensor([o])
        let dy = try draw.tensor([n, o])
        let y = try Naive.product(
            rows: n, columns: o, depth: i, start: { b.elements[$0] },
            a: { x.elements[$0 * i + $1] }, b: { w.elements[$0 * o + $1] })
        let dx = try Naive.product(
            rows: n, columns: i, depth: o, start: { _ in 0 },
            a: { dy.elements[$0 * o + $1] }, b: { w.elements[$1 * o + $0] })
        let dw = try Naive.product(
            rows: i, columns: o, depth: n, start: { _ in 0 },
            a: { x.elements[$1 * i + $0] }, b: { dy.elements[$0 * o + $1] })
        let db = try Naive.product(
            rows: 1, columns: o, depth: n, start: { _ in 0 }, a: { _, _ in 1 }, b: { dy.elements[$0 * o + $1] })
        for threads in 1...3 {
            #expect(try Dense.forward(x, weights: w, bias: b, threads: threads) == y)
            #expect(try Dense.backwardInput(gradient: dy, weights: w, threads: threads) == dx)
            let parameters = try Dense.backwardParameters(input: x, gradient: dy, threads: threads)
            #expect(parameters.weights == dw)
            #expect(parameters.bias == (try db.reshaped(to: [o])))
        }
    }

    /// These constants are the promise to other machines: a processor or a compiler that changes one breaks audits.
    @Test func goldenBits() throws {
        var draw = Draw(seed: 1)
        let x = try draw.tensor([3, 2, 12, 14])
        let w = try draw.tensor([6, 2, 5, 5])
        let b = try draw.tensor([6])
        let dense = try draw.tensor([6 * 4 * 5, 10])
        let bias = try draw.tensor([10])

        let y = try Convolution.forward(x, weights: w, bias: b)
        let pooled = try AveragePooling.forward(Rectifier.forward(y))
        let flat = try pooled.reshaped(to: [3, 120])
        let logits = try Dense.forward(flat, weights: dense, bias: bias).scaled(by: 0.01)
        let loss = try SoftmaxCrossEntropy.evaluate(logits: logits, labels: [3, 0, 9])
        let dPooled = try Dense.backwardInput(gradient: loss.gradient, weights: dense).reshaped(to: pooled.shape)
        let dy = try Rectifier.backward(gradient: AveragePooling.backward(gradient: dPooled), output: y)
        let (dw, db) = try Convolution.backwardParameters(input: x, gradient: dy)
        let dx = try Convolution.backwardInput(gradient: dy, weights: w)
        var (parameters, velocity) = (w, try FloatTensor(shape: w.shape, repeating: 0))
        let optimiser = try MomentumSGD(learningRate: 0.05, momentum: 0.9)
        for _ in 0..<3 {
            try optimiser.step(&parameters, velocity: &velocity, gradient: dw)
        }
        #expect(fingerprint(x, w, b) == 0xfbb4_ea04_282f_2d07)
        #expect(fingerprint(y, pooled) == 0x2269_748b_9f59_1d34)
        #expect(fingerprint(logits, loss.gradient) == 0xd721_7218_e7b3_0fee)
        #expect(loss.meanLoss.bitPattern == 0x404c_3d1e_14a6_0000)
        #expect(fingerprint(dw, db, dx) == 0x855b_6607_9e66_36e9)
        #expect(fingerprint(parameters, velocity) == 0x1ae8_99e8_74d1_95c5)
    }

    @Test func goldenBitsOfExpAndLog() throws {
        let arguments = (-2000...2000).map { Float($0) * 0.053 }
        let values = arguments.flatMap { [Transcendental.exp($0), Transcendental.log($0.magnitude + 1e-9)] }
        let bits = fingerprint(try FloatTensor(shape: [values.count], elements: values))
        #expect(bits == 0x82f4_be89_f23e_7918)
    }
}
