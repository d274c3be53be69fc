import Tensor

/// The operators as plain loops, written from their documented sums alone. Images are `[N, C, H, W]`.
struct NaiveConvolution {
    let x: FloatTensor
    let w: FloatTensor
    let b: FloatTensor
    let stride: (Int, Int)
    let pads: Bool

    private var c: Int { x.shape[1] }
    private var h: Int { x.shape[2] }
    private var wd: Int { x.shape[3] }
    private var o: Int { w.shape[0] }
    private var r: Int { w.shape[2] }
    private var s: Int { w.shape[3] }
    private var top: Int { pads ? (r - 1) / 2 : 0 }
    private var left: Int { pads ? (s - 1) / 2 : 0 }
    var oh: Int { pads ? h : (h - r) / stride.0 + 1 }
    var ow: Int { pads ? wd : (wd - s) / stride.1 + 1 }

    private func input(_ n: Int, _ channel: Int, _ y: Int, _ x: Int) -> Float {
        guard y >= 0, y < h, x >= 0, x < wd else { return 0 }
        return self.x.elements[((n * c + channel) * h + y) * wd + x]
    }

    private func weight(_ output: Int, _ channel: Int, _ u: Int, _ v: Int) -> Float {
        w.elements[((output * c + channel) * r + u) * s + v]
    }

    /// The way of 3 x 3 kernels between many channels: `kernel(o, c)` has nine weights, `source(n, c, y, x)` the inputs.
    private func winograd(
        outputs: Int, depth: Int, height: Int, width: Int, bias: (Int) -> Float, kernel: (Int, Int) -> [Float],
        source: (Int, Int, Int, Int) -> Float
    ) throws -> FloatTensor {
        func both(_ rows: [[Float]], _ line: ([Float]) -> [Float]) -> [[Float]] {
            // Down the columns, then along the rows.
            let columns = rows[0].indices.map { j in line(rows.map { $0[j] }) }
            return columns[0].indices.map { i in line(columns.map { $0[i] }) }
        }
        let kernels = (0..<outputs).map { o in
            (0..<depth).map { c in
                let g = kernel(o, c)
                return both([Array(g[0..<3]), Array(g[3..<6]), Array(g[6..<9])]) { g in
                    [g[0], ((g[0] + g[2]) + g[1]) * 0.5, ((g[0] + g[2]) - g[1]) * 0.5, g[2]]
                }
            }
        }
        var y = [Float](repeating: 0, count: x.samples * outputs * height * width)
        for n in 0..<x.samples {
            for ty in 0..<height / 2 {
                for tx in 0..<width / 2 {
                    let spread = (0..<depth).map { c in
                        both((0..<4).map { i in (0..<4).map { j in source(n, c, 2 * ty + i, 2 * tx + j) } }) { d in
                            [d[0] - d[2], d[1] + d[2], d[2] - d[1], d[1] - d[3]]
                        }
                    }
                    for o in 0..<outputs {
                        let sums = (0..<4).map { i in
                            (0..<4).map { j in
                                (0..<depth).reduce(Float(0)) { $0 + kernels[o][$1][i][j] * spread[$1][i][j] }
                            }
                        }
                        let result = both(sums) { m in [(m[0] + m[1]) + m[2], (m[1] - m[2]) - m[3]] }
                        for i in 0..<2 {
                            for j in 0..<2 {
                                y[((n * outputs + o) * height + 2 * ty + i) * width + 2 * tx + j] = result[i][j] + bias(o)
                            }
                        }
                    }
                }
            }
        }
        return try FloatTensor(shape: [x.samples, outputs, height, width], elements: y)
    }

    private func usesWinograd(_ height: Int, _ width: Int) -> Bool {
        r == 3 && s == 3 && stride == (1, 1) && c >= 32 && o >= 32 && height % 2 == 0 && width % 2 == 0
    }

    func forward() throws -> FloatTensor {
        if usesWinograd(oh, ow) {
            return try winograd(
                outputs: o, depth: c, height: oh, width: ow, bias: { b.elements[$0] },
                kernel: { output, channel in (0..<9).map { weight(output, channel, $0 / 3, $0 % 3) } },
                source: { input($0, $1, $2 - top, $3 - left) })
        }
        var y: [Float] = []
        for n in 0..<x.samples {
            for output in 0..<o {
                for i in 0..<oh {
                    for j in 0..<ow {
                        var sum = b.elements[output]
                        for channel in 0..<c {
                            for u in 0..<r {
                                for v in 0..<s {
                                    sum += weight(output, channel, u, v)
                                        * input(n, channel, i * stride.0 + u - top, j * stride.1 + v - left)
                                }
                            }
                        }
                        y.append(sum)
                    }
                }
            }
        }
        return try FloatTensor(shape: [x.samples, o, oh, ow], elements: y)
    }

    func backwardInput(_ dy: FloatTensor) throws -> FloatTensor {
        if usesWinograd(h, wd) {
            return try winograd(
                outputs: c, depth: o, height: h, width: wd, bias: { _ in 0 },
                kernel: { channel, output in (0..<9).map { weight(output, channel, 2 - $0 / 3, 2 - $0 % 3) } },
                source: { n, output, y, x in
                    let (i, j) = (y - (2 - top), x - (2 - left))
                    guard i >= 0, i < oh, j >= 0, j < ow else { return 0 }
                    return dy.elements[((n * o + output) * oh + i) * ow + j]
                })
        }
        var dx: [Float] = []
        for n in 0..<x.samples {
            for channel in 0..<c {
                for y in 0..<h {
                    for x in 0..<wd {
                        var sum: Float = 0
                        for output in 0..<o {
                            for u in (0..<r).reversed() {
                                for v in (0..<s).reversed() {
                                    let (i, iRest) = (y + top - u).quotientAndRemainder(dividingBy: stride.0)
                                    let (j, jRest) = (x + left - v).quotientAndRemainder(dividingBy: stride.1)
                                    guard iRest == 0, jRest == 0, y + top >= u, x + left >= v, i < oh, j < ow else {
                                        continue
                                    }
                                    sum += weight(output, channel, u, v) * dy.elements[((n * o + output) * oh + i) * ow + j]
                                }
                            }
                        }
                        dx.append(sum)
                    }
                }
            }
        }
        return try FloatTensor(shape: x.shape, elements: dx)
    }

    /// 16 sums, one for each lane, added in pairs.
    func backwardParameters(_ dy: FloatTensor) throws -> (weights: FloatTensor, bias: FloatTensor) {
        func lanes(_ term: (Int, Int, Int) -> Float) -> Float {
            laneSum(samples: x.samples) { n, sum in
                for i in 0..<oh {
                    for j in 0..<ow { sum += term(n, i, j) }
                }
            }
        }
        var dw: [Float] = []
        var db: [Float] = []
        for output in 0..<o {
            func gradient(_ n: Int, _ i: Int, _ j: Int) -> Float { dy.elements[((n * o + output) * oh + i) * ow + j] }
            for channel in 0..<c {
                for u in 0..<r {
                    for v in 0..<s {
                        dw.append(
                            lanes {
                                gradient($0, $1, $2)
                                    * input($0, channel, $1 * stride.0 + u - top, $2 * stride.1 + v - left)
                            })
                    }
                }
            }
            db.append(lanes { gradient($0, $1, $2) })
        }
        return (try FloatTensor(shape: w.shape, elements: dw), try FloatTensor(shape: [o], elements: db))
    }
}

/// Sums over samples as the operators take them: those of equal number modulo 16 in ascending order, then the 16 sums in
/// pairs 8, 4, 2 and 1 apart.
func laneSum(samples: Int, _ add: (Int, inout Float) -> Void) -> Float {
    var sums = [Float](repeating: 0, count: 16)
    for n in 0..<samples { add(n, &sums[n % 16]) }
    for width in [8, 4, 2, 1] {
        for lane in 0..<width { sums[lane] += sums[lane + width] }
    }
    return sums[0]
}

enum Naive {
    /// `a[i, k] * b[k, j]` summed from `start[j]` with `k` ascending; transposed operands by index functions.
    static func product(
        rows: Int, columns: Int, depth: Int, start: (Int) -> Float, a: (Int, Int) -> Float, b: (Int, Int) -> Float
    ) throws -> FloatTensor {
        var result: [Float] = []
        for i in 0..<rows {
            for j in 0..<columns {
                var sum = start(j)
                for k in 0..<depth {
                    sum += a(i, k) * b(k, j)
                }
                result.append(sum)
            }
        }
        return try FloatTensor(shape: [rows, columns], elements: result)
    }

    struct Pooling {
        let x: FloatTensor
        let isMaximum: Bool
        let size: (Int, Int)
        let stride: (Int, Int)

        var oh: Int { (x.shape[2] - size.0) / stride.0 + 1 }
        var ow: Int { (x.shape[3] - size.1) / stride.1 + 1 }

        private func window(_ plane: Int, _ i: Int, _ j: Int) -> [Int] {
            (0..<size.0).flatMap { u in
                (0..<size.1).map { v in (plane * x.shape[2] + i * stride.0 + u) * x.shape[3] + j * stride.1 + v }
            }
        }

        private func winner(_ places: [Int]) -> Int {
            places.dropFirst().reduce(places[0]) { x.elements[$1] > x.elements[$0] ? $1 : $0 }
        }

        func forward() throws -> FloatTensor {
            var y: [Float] = []
            for plane in 0..<x.shape[0] * x.shape[1] {
                for i in 0..<oh {
                    for j in 0..<ow {
                        let places = window(plane, i, j)
                        if isMaximum {
                            y.append(x.elements[winner(places)])
                        } else {
                            let sum = places.dropFirst().reduce(x.elements[places[0]]) { $0 + x.elements[$1] }
                            y.append(sum * (1 / Float(places.count)))
                        }
                    }
                }
            }
            return try FloatTensor(shape: [x.shape[0], x.shape[1], oh, ow], elements: y)
        }

        func backward(_ dy: FloatTensor) throws -> FloatTensor {
            var dx = [Float](repeating: 0, count: x.count)
            for plane in 0..<x.shape[0] * x.shape[1] {
                for i in 0..<oh {
                    for j in 0..<ow {
                        let places = window(plane, i, j)
                        let gradient = dy.elements[(plane * oh + i) * ow + j]
                        if isMaximum {
                            dx[winner(places)] += gradient
                        } else {
                            for place in places { dx[place] += gradient * (1 / Float(places.count)) }
                        }
                    }
                }
            }
            return try FloatTensor(shape: x.shape, elements: dx)
        }
    }
}

/// Test values from the module's own generator: a failing case is named by its seed alone.
struct Draw {
    var stream: RandomStream

    init(seed: UInt64) {
        stream = RandomStream(key: seed)
    }

    mutating func size(_ range: ClosedRange<Int>) -> Int {
        range.lowerBound + stream.nextIndex(below: range.count)
    }

    /// Uniform in -1..<1 with magnitudes over several binades, so that another order of summation shows in the bits.
    mutating func tensor(_ shape: [Int]) throws -> FloatTensor {
        let count = try FloatTensor.count(of: shape)
        return try FloatTensor(
            shape: shape,
            elements: (0..<count).map { _ in
                (stream.nextUnit() * 2 - 1) * (stream.nextIndex(below: 4) == 0 ? 16 : 1)
            })
    }
}

/// FNV-1a over the little-endian bits of the elements.
func fingerprint(_ tensors: FloatTensor...) -> UInt64 {
    var hash: UInt64 = 0xcbf2_9ce4_8422_2325
    for tensor in tensors {
        for value in tensor.elements {
            for shift in [0, 8, 16, 24] as [UInt32] {
                hash = (hash ^ UInt64(value.bitPattern >> shift & 0xFF)) &* 0x100_0000_01b3
            }
        }
    }
    return hash
}
