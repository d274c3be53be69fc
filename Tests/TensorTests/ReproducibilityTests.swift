import Tensor
import Testing

@Suite(.timeLimit(.minutes(20))) struct ReproducibilityTests {
    @Test func theProcessorsWidestSetIsInUse() {
        #expect(InstructionSet.current == InstructionSet.widest)
        #expect(InstructionSet.available.first == .scalar)
        #expect(InstructionSet.available.last == InstructionSet.widest)
    }

    @Test(arguments: 0..<80 as Range<UInt64>)
    func convolutionHasTheBitsOfThePlainLoops(seed: UInt64) throws {
        var draw = Draw(seed: seed)
        let (r, s) = (draw.size(1...5), draw.size(1...5))
        let pads = draw.size(0...2) == 0
        let stride = pads ? (1, 1) : (draw.size(1...3), draw.size(1...2))
        let x = try draw.tensor([draw.size(1...35), draw.size(1...4), r + draw.size(0...9), s + draw.size(0...13)])
        let w = try draw.tensor([draw.size(1...11), x.shape[1], r, s])
        let b = try draw.tensor([w.shape[0]])
        let naive = NaiveConvolution(x: x, w: w, b: b, stride: stride, pads: pads)
        let dy = try draw.tensor([x.shape[0], w.shape[0], naive.oh, naive.ow])
        let (y, dx, parameters) = (try naive.forward(), try naive.backwardInput(dy), try naive.backwardParameters(dy))
        let convolution = try ConvolutionOperator(naive)
        try onEveryPath { threads in
            #expect(try convolution.forward(x, w, b, threads: threads) == y)
            #expect(
                try convolution.forward(x, w, b, rectifies: true, threads: threads)
                    == ActivationOperator.rectifier.forward(y))
            #expect(try convolution.backwardInput(dy, w, threads: threads) == dx)
            let (dw, db) = try convolution.backwardParameters(x, dy, weights: w.shape, threads: threads)
            #expect(dw == parameters.weights)
            #expect(db == parameters.bias)
        }
    }

    @Test(arguments: 0..<12 as Range<UInt64>)
    func convolutionOfManyChannelsHasTheBitsOfThePlainLoops(seed: UInt64) throws {
        var draw = Draw(seed: 700 + seed)
        // Around the border between the two ways, of the sizes and of the channels.
        let pads = draw.size(0...1) == 0
        let x = try draw.tensor([draw.size(1...3), draw.size(30...36), draw.size(4...7), draw.size(4...19)])
        let w = try draw.tensor([draw.size(31...37), x.shape[1], 3, 3])
        let b = try draw.tensor([w.shape[0]])
        let naive = NaiveConvolution(x: x, w: w, b: b, stride: (1, 1), pads: pads)
        let dy = try draw.tensor([x.shape[0], w.shape[0], naive.oh, naive.ow])
        let (y, dx) = (try naive.forward(), try naive.backwardInput(dy))
        let convolution = try ConvolutionOperator(naive)
        try onEveryPath { threads in
            #expect(try convolution.forward(x, w, b, threads: threads) == y)
            let rectified = try convolution.forward(x, w, b, rectifies: true, threads: threads)
            #expect(rectified == (try ActivationOperator.rectifier.forward(y)))
            #expect(try convolution.backwardInput(dy, w, threads: threads) == dx)
        }
    }

    /// The bits above are those of a formula; this says that the formula is a convolution. Against sums in double
    /// precision, and the way back as the adjoint: `<y(x), dy> = <x, dx(dy)>`.
    @Test(arguments: [true, false]) func convolutionOfManyChannelsIsOne(pads: Bool) throws {
        var draw = Draw(seed: 77)
        let x = try draw.tensor([2, 32, 8, 6])
        let w = try draw.tensor([34, 32, 3, 3])
        let b = try FloatTensor(shape: [34], repeating: 0)
        let convolution = try ConvolutionOperator(NaiveConvolution(x: x, w: w, b: b, stride: (1, 1), pads: pads))
        let y = try convolution.forward(x, w, b)
        let (height, width, border) = pads ? (8, 6, 1) : (6, 4, 0)
        #expect(y.shape == [2, 34, height, width])
        var worst = 0.0
        for (place, found) in y.elements.enumerated() {
            let (rest, j) = place.quotientAndRemainder(dividingBy: width)
            let (image, i) = rest.quotientAndRemainder(dividingBy: height)
            let (n, o) = image.quotientAndRemainder(dividingBy: 34)
            var (sum, size) = (0.0, 0.0)
            for c in 0..<32 {
                for r in 0..<3 {
                    for s in 0..<3 {
                        let (row, column) = (i + r - border, j + s - border)
                        guard row >= 0, row < 8, column >= 0, column < 6 else { continue }
                        let term = Double(w.elements[((o * 32 + c) * 3 + r) * 3 + s])
                            * Double(x.elements[((n * 32 + c) * 8 + row) * 6 + column])
                        sum += term
                        size += abs(term)
                    }
                }
            }
            worst = max(worst, abs(Double(found) - sum) / size)
        }
        #expect(worst < 2e-6, "\(worst)")
        let dy = try draw.tensor(y.shape)
        let dx = try convolution.backwardInput(dy, w)
        func product(_ a: FloatTensor, _ b: FloatTensor) -> (Double, Double) {
            zip(a.elements, b.elements).reduce((0.0, 0.0)) { sum, pair in
                let term = Double(pair.0) * Double(pair.1)
                return (sum.0 + term, sum.1 + abs(term))
            }
        }
        let (forward, size) = product(y, dy)
        #expect(abs(forward - product(x, dx).0) < 1e-5 * size)
    }

    @Test(arguments: 0..<60 as Range<UInt64>)
    func denseHasTheBitsOfThePlainLoops(seed: UInt64) throws {
        var draw = Draw(seed: seed)
        // One in four is deeper than a block of the depth.
        let depth = draw.size(0...3) == 0 ? draw.size(500...1100) : draw.size(1...70)
        let (n, i, o) = (draw.size(1...40), depth, draw.size(1...37))
        let x = try draw.tensor([n, i])
        let w = try draw.tensor([o, i])
        let b = try draw.tensor([o])
        let dy = try draw.tensor([n, o])
        let y = try Naive.product(
            rows: n, columns: o, depth: i, start: { b.elements[$0] },
            a: { x.elements[$0 * i + $1] }, b: { w.elements[$1 * i + $0] })
        let dx = try Naive.product(
            rows: n, columns: i, depth: o, start: { _ in 0 },
            a: { dy.elements[$0 * o + $1] }, b: { w.elements[$0 * i + $1] })
        let dw = try Naive.product(
            rows: o, columns: i, depth: n, start: { _ in 0 },
            a: { dy.elements[$1 * o + $0] }, b: { x.elements[$0 * i + $1] })
        let db = (0..<o).map { output in laneSum(samples: n) { $1 += dy.elements[$0 * o + output] } }
        let dense = try DenseOperator(inputs: i, outputs: o)
        let velocities = try draw.tensor([w.count + o]).elements
        try onEveryPath { threads in
            #expect(try dense.forward(x, w, b, threads: threads) == y)
            #expect(try dense.backwardInput(dy, w, threads: threads) == dx)
            let parameters = try dense.backwardParameters(x, dy, threads: threads)
            #expect(parameters.weights == dw)
            #expect(parameters.bias.elements == db)
            for momentum in [nil, 0.9] as [Float?] {
                let optimiser = try MomentumSGD(learningRate: 0.05, momentum: momentum ?? 0)
                var (values, speeds) = (w.elements + b.elements, velocities)
                for (place, gradient) in (dw.elements + db).enumerated() {
                    let speed = momentum.map { $0 * speeds[place] + gradient } ?? gradient
                    if momentum != nil { speeds[place] = speed }
                    values[place] -= 0.05 * speed
                }
                let stepped = try dense.stepped(
                    x, dy, parameters: w.elements + b.elements, velocities: momentum == nil ? nil : velocities,
                    optimiser, threads: threads)
                #expect(stepped.parameters == values)
                #expect(stepped.velocities == (momentum == nil ? nil : speeds))
            }
        }
    }

    @Test(arguments: 0..<40 as Range<UInt64>)
    func poolingHasTheBitsOfThePlainLoops(seed: UInt64) throws {
        var draw = Draw(seed: seed)
        let size = (draw.size(1...3), draw.size(1...3))
        let stride = draw.size(0...1) == 0 ? size : (draw.size(1...3), draw.size(1...3))
        var x = try draw.tensor([
            draw.size(1...33), draw.size(1...5), size.0 + draw.size(0...8), size.1 + draw.size(0...8),
        ])
        // Ties, as rectified values have them.
        if draw.size(0...1) == 0 { x = try ActivationOperator.rectifier.forward(x) }
        // Rectified values are at least 0; for others the merged rectifier has no meaning, and none is asked for.
        let isRectified = x.elements.allSatisfy { $0 >= 0 }
        for isMaximum in [false, true] {
            let naive = Naive.Pooling(x: x, isMaximum: isMaximum, size: size, stride: stride)
            let dy = try draw.tensor([x.shape[0], x.shape[1], naive.oh, naive.ow])
            let (y, dx) = (try naive.forward(), try naive.backward(dy))
            let pooling = try PoolingOperator(naive)
            try onEveryPath { threads in
                let found = (try pooling.forward(x, threads: threads), try pooling.backward(dy, x: x, threads: threads))
                #expect(found.0 == y)
                #expect(found.1 == dx)
                if isMaximum, isRectified {
                    let rectified = try pooling.backward(dy, x: x, isRectified: true, threads: threads)
                    #expect(rectified == (try ActivationOperator.rectifier.backward(dx, y: x)))
                }
            }
        }
    }

    /// These constants are the promise to other machines: a processor or a compiler that changes one breaks audits.
    @Test func goldenBits() throws {
        var draw = Draw(seed: 1)
        let x = try draw.tensor([19, 2, 12, 14])
        let w = try draw.tensor([6, 2, 5, 5])
        let b = try draw.tensor([6])
        let weights = try draw.tensor([10, 6 * 4 * 5])
        let bias = try draw.tensor([10])
        let labels = (0..<19).map { UInt8($0 % 10) }
        let convolution = try ConvolutionOperator(
            channels: 2, height: 12, width: 14, filters: 6, kernel: (5, 5), stride: (1, 1), pads: false)
        let pooling = try PoolingOperator(
            .average, channels: 6, height: 8, width: 10, size: (2, 2), stride: (2, 2))
        let dense = try DenseOperator(inputs: 120, outputs: 10)
        try onEveryPath { threads in
            let y = try convolution.forward(x, w, b, rectifies: true, threads: threads)
            let pooled = try pooling.forward(y, threads: threads)
            let flat = try pooled.reshaped(to: [19, 120])
            let logits = try dense.forward(flat, weights, bias, threads: threads).scaled(by: 0.01)
            let loss = try SoftmaxCrossEntropy.evaluate(logits: logits, labels: labels)
            let dPooled = try dense.backwardInput(loss.gradient, weights, threads: threads)
                .reshaped(to: pooled.shape)
            let dy = try ActivationOperator.rectifier.backward(
                pooling.backward(dPooled, x: y, threads: threads), y: y, threads: threads)
            let (dw, db) = try convolution.backwardParameters(x, dy, weights: w.shape, threads: threads)
            let dx = try convolution.backwardInput(dy, w, threads: threads)
            #expect(fingerprint(x, w, b) == 0x643c_94e2_9313_cfd2)
            #expect(fingerprint(y, pooled) == 0x0214_5d90_9700_dbb3)
            #expect(fingerprint(logits, loss.gradient) == 0xef85_d8c4_7929_63d5)
            #expect(loss.meanLoss.bitPattern == 0x4046_eaea_acaf_285d)
            #expect(fingerprint(dw, db, dx) == 0xc80f_bf3b_00ca_c2aa)
        }
    }

    @Test func goldenBitsOfTheFunctions() throws {
        let arguments = (-2000...2000).map { Float($0) * 0.053 }
        let values = arguments.flatMap { [Transcendental.exp($0), Transcendental.log($0.magnitude + 1e-9)] }
        let bits = fingerprint(try FloatTensor(shape: [values.count], elements: values))
        #expect(bits == 0x82f4_be89_f23e_7918)
        let squashed = arguments.flatMap { [Transcendental.tanh($0 / 10), Transcendental.sigmoid($0)] }
        let squashedBits = fingerprint(try FloatTensor(shape: [squashed.count], elements: squashed))
        #expect(squashedBits == 0xf378_b010_9520_32f0)
    }
}
