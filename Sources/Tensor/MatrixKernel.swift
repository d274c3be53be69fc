/// The one matrix kernel under convolution and dense layers.
///
/// `C[i, j] = (((C[i, j] + A[i, 0] B[0, j]) + A[i, 1] B[1, j]) + ...)`, with the depth ascending, each product and
/// each sum rounded on its own. Tiles and vector lanes run over rows and columns only, so every element has the bits
/// of the plain triple loop, whatever the blocking, the width of the registers or the number of threads. What `C`
/// holds beforehand (a bias, or the sum over earlier samples) is the start of the sum.
///
/// 4 x 8 is the tile that fits the sixteen 128-bit registers of baseline x86-64: eight accumulators, two for B, one for
/// the broadcast element of A, and room for products.
enum MatrixKernel {
    /// A matrix operand read as `pointer[row * rowStride + step * stepStride]`: strides make a transposed A free.
    struct Left {
        let pointer: UnsafePointer<Float>
        let rowStride: Int
        let stepStride: Int

        init(_ pointer: UnsafePointer<Float>, rowStride: Int, stepStride: Int) {
            self.pointer = pointer
            self.rowStride = rowStride
            self.stepStride = stepStride
        }
    }

    /// `C += A B` for `rows x depth` times `depth x columns`; B and C are row-major with the given row lengths.
    /// The caller has checked that all operands have their full extent and that C overlaps neither A nor B.
    static func accumulate(
        rows: Int, columns: Int, depth: Int,
        left: Left,
        right: UnsafePointer<Float>, rightStride: Int,
        into result: UnsafeMutablePointer<Float>, resultStride: Int
    ) {
        var column = 0
        while column + 8 <= columns {
            strip(
                SIMD8<Float>.self, rows: rows, depth: depth, left: left,
                right: right + column, rightStride: rightStride, into: result + column, resultStride: resultStride)
            column += 8
        }
        if column + 4 <= columns {
            strip(
                SIMD4<Float>.self, rows: rows, depth: depth, left: left,
                right: right + column, rightStride: rightStride, into: result + column, resultStride: resultStride)
            column += 4
        }
        while column < columns {
            for row in 0..<rows {
                var sum = result[row * resultStride + column]
                for step in 0..<depth {
                    sum += left.pointer[row * left.rowStride + step * left.stepStride] * right[step * rightStride + column]
                }
                result[row * resultStride + column] = sum
            }
            column += 1
        }
    }

    /// All rows of one strip of columns, as wide as `Lanes`.
    @inline(__always)
    private static func strip<Lanes: SIMD>(
        _ lanes: Lanes.Type, rows: Int, depth: Int,
        left: Left,
        right: UnsafePointer<Float>, rightStride: Int,
        into result: UnsafeMutablePointer<Float>, resultStride: Int
    ) where Lanes.Scalar == Float {
        var row = 0
        while row + 4 <= rows {
            let c0 = result + row * resultStride
            let c1 = c0 + resultStride
            let c2 = c1 + resultStride
            let c3 = c2 + resultStride
            var sum0 = load(lanes, c0)
            var sum1 = load(lanes, c1)
            var sum2 = load(lanes, c2)
            var sum3 = load(lanes, c3)
            var a0 = left.pointer + row * left.rowStride
            var a1 = a0 + left.rowStride
            var a2 = a1 + left.rowStride
            var a3 = a2 + left.rowStride
            var b = right
            for _ in 0..<depth {
                let factor = load(lanes, b)
                sum0 = sum0 + factor * Lanes(repeating: a0.pointee)
                sum1 = sum1 + factor * Lanes(repeating: a1.pointee)
                sum2 = sum2 + factor * Lanes(repeating: a2.pointee)
                sum3 = sum3 + factor * Lanes(repeating: a3.pointee)
                a0 += left.stepStride
                a1 += left.stepStride
                a2 += left.stepStride
                a3 += left.stepStride
                b += rightStride
            }
            store(sum0, c0)
            store(sum1, c1)
            store(sum2, c2)
            store(sum3, c3)
            row += 4
        }
        if row + 2 <= rows {
            let c0 = result + row * resultStride
            let c1 = c0 + resultStride
            var sum0 = load(lanes, c0)
            var sum1 = load(lanes, c1)
            var a0 = left.pointer + row * left.rowStride
            var a1 = a0 + left.rowStride
            var b = right
            for _ in 0..<depth {
                let factor = load(lanes, b)
                sum0 = sum0 + factor * Lanes(repeating: a0.pointee)
                sum1 = sum1 + factor * Lanes(repeating: a1.pointee)
                a0 += left.stepStride
                a1 += left.stepStride
                b += rightStride
            }
            store(sum0, c0)
            store(sum1, c1)
            row += 2
        }
        if row < rows {
            let c0 = result + row * resultStride
            var sum0 = load(lanes, c0)
            var a0 = left.pointer + row * left.rowStride
            var b = right
            for _ in 0..<depth {
                sum0 = sum0 + load(lanes, b) * Lanes(repeating: a0.pointee)
                a0 += left.stepStride
                b += rightStride
            }
            store(sum0, c0)
        }
    }

    @inline(__always)
    private static func load<Lanes: SIMD>(_ lanes: Lanes.Type, _ pointer: UnsafePointer<Float>) -> Lanes
    where Lanes.Scalar == Float {
        UnsafeRawPointer(pointer).loadUnaligned(as: lanes)
    }

    @inline(__always)
    private static func load<Lanes: SIMD>(_ lanes: Lanes.Type, _ pointer: UnsafeMutablePointer<Float>) -> Lanes
    where Lanes.Scalar == Float {
        UnsafeRawPointer(pointer).loadUnaligned(as: lanes)
    }

    @inline(__always)
    private static func store<Lanes: SIMD>(_ value: Lanes, _ pointer: UnsafeMutablePointer<Float>)
    where Lanes.Scalar == Float {
        UnsafeMutableRawPointer(pointer).storeBytes(of: value, as: Lanes.self)
    }
}
