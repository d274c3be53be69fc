import Tensor

/// The operators as plain loops, written from their documented sums alone.
enum Naive {
    static func convolve(_ x: FloatTensor, _ w: FloatTensor, _ b: FloatTensor) throws -> FloatTensor {
        let (n, c, h, wd) = (x.shape[0], x.shape[1], x.shape[2], x.shape[3])
        let (o, r, s) = (w.shape[0], w.shape[2], w.shape[3])
        var y: [Float] = []
        for sample in 0..<n {
            for output in 0..<o {
                for i in 0...(h - r) {
                    for j in 0...(wd - s) {
                        var sum = b.elements[output]
                        for channel in 0..<c {
                            for u in 0..<r {
                                for v in 0..<s {
                                    let weight = w.elements[((output * c + channel) * r + u) * s + v]
                                    sum += weight * x.elements[((sample * c + channel) * h + i + u) * wd + j + v]
                                }
                            }
                        }
                        y.append(sum)
                    }
                }
            }
        }
        return try FloatTensor(shape: [n, o, h - r + 1, wd - s + 1], elements: y)
    }

    static func convolveBackwardInput(_ dy: FloatTensor, _ w: FloatTensor) throws -> FloatTensor {
        let (n, o, oh, ow) = (dy.shape[0], dy.shape[1], dy.shape[2], dy.shape[3])
        let (c, r, s) = (w.shape[1], w.shape[2], w.shape[3])
        let (h, wd) = (oh + r - 1, ow + s - 1)
        var dx: [Float] = []
        for sample in 0..<n {
            for channel in 0..<c {
                for y in 0..<h {
                    for x in 0..<wd {
                        var sum: Float = 0
                        for u in 0..<r where y - u >= 0 && y - u < oh {
                            for v in 0..<s where x - v >= 0 && x - v < ow {
                                var term: Float = 0
                                for output in 0..<o {
                                    term += w.elements[((output * c + channel) * r + u) * s + v]
                                        * dy.elements[((sample * o + output) * oh + y - u) * ow + x - v]
                                }
                                sum += term
                            }
                        }
                        dx.append(sum)
                    }
                }
            }
        }
        return try FloatTensor(shape: [n, c, h, wd], elements: dx)
    }

    static func convolveBackwardParameters(
        _ x: FloatTensor, _ dy: FloatTensor
    ) throws -> (weights: FloatTensor, bias: FloatTensor) {
        let (n, c, h, wd) = (x.shape[0], x.shape[1], x.shape[2], x.shape[3])
        let (o, oh, ow) = (dy.shape[1], dy.shape[2], dy.shape[3])
        let (r, s) = (h - oh + 1, wd - ow + 1)
        var dw: [Float] = []
        var db: [Float] = []
        for output in 0..<o {
            for channel in 0..<c {
                for u in 0..<r {
                    for v in 0..<s {
                        var sum: Float = 0
                        for sample in 0..<n {
                            for i in 0..<oh {
                                for j in 0..<ow {
                                    sum += x.elements[((sample * c + channel) * h + i + u) * wd + j + v]
                                        * dy.elements[((sample * o + output) * oh + i) * ow + j]
                                }
                            }
                        }
                        dw.append(sum)
                    }
                }
            }
            var sum: Float = 0
            for sample in 0..<n {
                for position in 0..<oh * ow {
                    sum += dy.elements[(sample * o + output) * oh * ow + position]
                }
            }
            db.append(sum)
        }
        return (try FloatTensor(shape: [o, c, r, s], elements: dw), try FloatTensor(shape: [o], elements: db))
    }

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
