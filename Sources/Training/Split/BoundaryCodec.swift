public import Encoding
public import Tensor

/// Boundary values and their gradients in fewer bits. Every step is one IEEE 754 operation or one on integers, so that
/// both ends and every auditor have the same bits.
///
/// | precision | bytes of N samples with d values |
/// | --- | --- |
/// | float32 | 4 N d |
/// | 16 bits | 2 N d: bfloat16, rounded to nearest, ties to even |
/// | 8 bits | N (d + 8): for each sample its least value and a step, then a byte for each value |
///
/// Before them stand u8 precision, u8 rank and a u32 for each dimension.
public enum BoundaryCodec {
    /// What arrives when a tensor travels in this precision.
    public static func rounded(_ tensor: FloatTensor, to precision: BoundaryPrecision) throws(TensorError) -> FloatTensor {
        switch precision {
        case .float32: return tensor
        case .bits16:
            return try FloatTensor(shape: tensor.shape, elements: tensor.elements.map { float(bits16: bits16($0)) })
        case .bits8:
            var values: [Float] = []
            values.reserveCapacity(tensor.count)
            forEachSample(of: tensor) { sample in
                let range = Range8(sample)
                for value in sample { values.append(range.value(range.byte(value))) }
            }
            return try FloatTensor(shape: tensor.shape, elements: values)
        }
    }

    package static func bits16(_ value: Float) -> UInt16 {
        let bits = value.bitPattern
        let upper = bits >> 16
        // More than half, or half and odd: up. What would become infinite stays the largest finite number.
        let rounded = (bits &+ 0x7FFF &+ (upper & 1)) >> 16
        return UInt16(truncatingIfNeeded: rounded & 0x7F80 == 0x7F80 ? upper : rounded)
    }

    package static func float(bits16 bits: UInt16) -> Float { Float(bitPattern: UInt32(bits) << 16) }

    /// The 256 values that 8 bits give one sample: from its least value in equal steps.
    struct Range8 {
        let least: Float
        let step: Float

        init(least: Float, step: Float) {
            self.least = least
            self.step = step
        }

        init(_ sample: ArraySlice<Float>) {
            var (least, largest) = (sample.first ?? 0, sample.first ?? 0)
            for value in sample {
                least = min(least, value)
                largest = max(largest, value)
            }
            self.least = least
            // Halves first, so that the difference of two finite numbers is finite.
            step = (largest / 255 - least / 255)
        }

        func byte(_ value: Float) -> UInt8 {
            guard step > 0 else { return 0 }
            let position = ((value - least) / step).rounded(.toNearestOrEven)
            return position >= 255 ? 255 : position > 0 ? UInt8(position) : 0
        }

        func value(_ byte: UInt8) -> Float { least + Float(byte) * step }
    }

    static func forEachSample(of tensor: FloatTensor, _ body: (ArraySlice<Float>) -> Void) {
        let stride = max(tensor.stride, 1)
        for start in Swift.stride(from: 0, to: tensor.count, by: stride) {
            body(tensor.elements[start..<start + stride])
        }
    }

    /// The bytes that a tensor takes on the wire.
    public static func byteCount(shape: [Int], precision: BoundaryPrecision) -> Int {
        let count = shape.reduce(1, *)
        let header = 2 + 4 * shape.count
        return switch precision {
        case .float32: header + 4 * count
        case .bits16: header + 2 * count
        case .bits8: header + count + 8 * (shape.first ?? 0)
        }
    }
}

extension BorshEncoder {
    /// A tensor in this precision (see ``BoundaryCodec``).
    public mutating func boundary(_ tensor: FloatTensor, as precision: BoundaryPrecision) {
        integer(precision.rawValue)
        switch precision {
        case .float32: self.tensor(tensor)
        case .bits16:
            shape(tensor.shape)
            var bytes: [UInt8] = []
            bytes.reserveCapacity(2 * tensor.count)
            for value in tensor.elements {
                let bits = BoundaryCodec.bits16(value)
                bytes.append(UInt8(truncatingIfNeeded: bits))
                bytes.append(UInt8(truncatingIfNeeded: bits >> 8))
            }
            fixed(bytes)
        case .bits8:
            shape(tensor.shape)
            BoundaryCodec.forEachSample(of: tensor) { sample in
                let range = BoundaryCodec.Range8(sample)
                integer(range.least.bitPattern)
                integer(range.step.bitPattern)
                fixed(sample.map { range.byte($0) })
            }
        }
    }

    private mutating func shape(_ shape: [Int]) {
        integer(UInt8(truncatingIfNeeded: shape.count))
        for size in shape { integer(UInt32(truncatingIfNeeded: size)) }
    }
}

extension BorshDecoder {
    /// A tensor in any precision, as it arrives; with the precision that it had.
    public mutating func boundary() throws(BorshError) -> (tensor: FloatTensor, precision: BoundaryPrecision) {
        let start = offset
        let precision: BoundaryPrecision = try planTag()
        if precision == .float32 { return (try tensor(), precision) }
        let rank: UInt8 = try integer()
        guard (1...4).contains(rank) else { throw BorshError(.notCanonical("tensor of rank \(rank)"), at: start) }
        var shape: [Int] = []
        for _ in 0..<rank { shape.append(Int(try integer(UInt32.self))) }
        do {
            let count = try FloatTensor.count(of: shape)
            var elements: [Float] = []
            if precision == .bits16 {
                let bytes = try fixed(2 * count)
                elements = (0..<count).map {
                    BoundaryCodec.float(bits16: UInt16(bytes[2 * $0]) | UInt16(bytes[2 * $0 + 1]) << 8)
                }
            } else {
                let samples = shape[0]
                let stride = count / samples
                try need(count)
                elements.reserveCapacity(count)
                for _ in 0..<samples {
                    let range = BoundaryCodec.Range8(
                        least: Float(bitPattern: try integer()), step: Float(bitPattern: try integer()))
                    for byte in try fixed(stride) { elements.append(range.value(byte)) }
                }
            }
            let tensor = try FloatTensor(shape: shape, elements: elements)
            guard tensor.isFinite else { throw BorshError(.notCanonical("a value that is not finite"), at: start) }
            return (tensor, precision)
        } catch let error as TensorError {
            throw BorshError(.notCanonical("\(error)"), at: start)
        } catch let error as BorshError {
            throw error
        } catch {
            throw BorshError(.notCanonical("tensor"), at: start)
        }
    }

    private func need(_ count: Int) throws(BorshError) {
        guard remaining >= count else { throw failure(.truncated(needed: count, available: remaining)) }
    }
}
