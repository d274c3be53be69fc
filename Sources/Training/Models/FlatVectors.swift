import Encoding

// Flat vectors of floats: parameters, velocities, differences.

extension [Float] {
    /// Whether no element is infinite or a NaN. Without an early exit the loop vectorises.
    var allFinite: Bool {
        withUnsafeBufferPointer { buffer in
            var largest: UInt32 = 0
            for value in buffer { largest = Swift.max(largest, value.bitPattern & 0x7FFF_FFFF) }
            return largest < 0x7F80_0000
        }
    }

    /// Whether every element lies in the range; a NaN does not.
    func isWithin(_ range: ClosedRange<Float>) -> Bool { allSatisfy { range.contains($0) } }

    /// Whether 0 and -0 differ nowhere, and nothing else does.
    func hasBits(of other: [Float]) -> Bool {
        count == other.count && elementsEqual(other) { $0.bitPattern == $1.bitPattern }
    }

    /// The element-wise mean of vectors of one length: the sum in the order given, then one division by their number.
    static func mean(_ vectors: [[Float]]) -> [Float]? {
        guard var sum = vectors.first, vectors.allSatisfy({ $0.count == sum.count }) else { return nil }
        for vector in vectors.dropFirst() {
            for index in sum.indices { sum[index] += vector[index] }
        }
        let divisor = Float(vectors.count)
        for index in sum.indices { sum[index] /= divisor }
        return sum
    }

    /// `self[i] - other[i]`, for vectors of one length.
    func subtracting(_ other: [Float]) -> [Float] { zip(self, other).map { $0 - $1 } }

    /// `self[i] + other[i]`, for vectors of one length.
    func adding(_ other: [Float]) -> [Float] { zip(self, other).map { $0 + $1 } }
}

extension BorshEncoder {
    /// The IEEE 754 bits, little-endian, without a length.
    mutating func floats(_ values: [Float]) {
        fixed(values.littleEndianBytes)
    }
}

extension [Float] {
    /// The IEEE 754 bits of the elements, little-endian.
    var littleEndianBytes: [UInt8] {
        [UInt8](unsafeUninitializedCapacity: 4 * count) { buffer, initialized in
            let raw = UnsafeMutableRawBufferPointer(buffer)
            for (index, value) in enumerated() {
                raw.storeBytes(of: value.bitPattern.littleEndian, toByteOffset: 4 * index, as: UInt32.self)
            }
            initialized = 4 * count
        }
    }

    init(littleEndianBytes bytes: ArraySlice<UInt8>) {
        self.init(unsafeUninitializedCapacity: bytes.count / 4) { buffer, initialized in
            bytes.withUnsafeBytes { raw in
                for index in 0..<bytes.count / 4 {
                    let bits = UInt32(littleEndian: raw.loadUnaligned(fromByteOffset: 4 * index, as: UInt32.self))
                    buffer.initializeElement(at: index, to: Float(bitPattern: bits))
                }
            }
            initialized = bytes.count / 4
        }
    }
}

extension BorshDecoder {
    /// That many floats, each finite; their bytes must be there before anything is allocated.
    mutating func floats(count: Int) throws(BorshError) -> [Float] {
        let start = offset
        let (size, overflow) = count.multipliedReportingOverflow(by: 4)
        guard count >= 0, !overflow else { throw failure(.lengthOverLimit(length: count, limit: Int.max / 4)) }
        let values = [Float](littleEndianBytes: try fixed(size)[...])
        guard values.allFinite else { throw BorshError(.notCanonical("a value that is not finite"), at: start) }
        return values
    }
}
