public import Encoding
public import Tensor

// A tensor's canonical bytes: u8 rank, a u32 for each dimension, then the elements' IEEE 754 bits, little-endian and
// row-major. Values that are not finite have no encoding that decodes: processors differ in the bits of a NaN.

extension BorshEncoder {
    public mutating func tensor(_ tensor: FloatTensor) {
        integer(UInt8(truncatingIfNeeded: tensor.shape.count))
        for size in tensor.shape {
            integer(UInt32(truncatingIfNeeded: size))
        }
        let bytes = [UInt8](unsafeUninitializedCapacity: 4 * tensor.count) { buffer, initialized in
            let raw = UnsafeMutableRawBufferPointer(buffer)
            for (index, value) in tensor.elements.enumerated() {
                raw.storeBytes(of: value.bitPattern.littleEndian, toByteOffset: 4 * index, as: UInt32.self)
            }
            initialized = 4 * tensor.count
        }
        fixed(bytes)
    }
}

extension BorshDecoder {
    /// Decodes a tensor; the elements that its shape declares must be there before anything is allocated.
    public mutating func tensor() throws(BorshError) -> FloatTensor {
        let start = offset
        let rank: UInt8 = try integer()
        var shape: [Int] = []
        guard rank <= 4 else { throw BorshError(.notCanonical("tensor of rank \(rank)"), at: start) }
        for _ in 0..<rank {
            let size: UInt32 = try integer()
            shape.append(Int(size))
        }
        do {
            let count = try FloatTensor.count(of: shape)
            let bytes = try fixed(4 * count)
            let elements = [Float](unsafeUninitializedCapacity: count) { buffer, initialized in
                bytes.withUnsafeBytes { raw in
                    for index in 0..<count {
                        let bits = UInt32(littleEndian: raw.loadUnaligned(fromByteOffset: 4 * index, as: UInt32.self))
                        buffer.initializeElement(at: index, to: Float(bitPattern: bits))
                    }
                }
                initialized = count
            }
            let tensor = try FloatTensor(shape: shape, elements: elements)
            guard tensor.isFinite else { throw BorshError(.notCanonical("a value that is not finite"), at: start) }
            return tensor
        } catch let error as TensorError {
            throw BorshError(.notCanonical("\(error)"), at: start)
        } catch let error as BorshError {
            throw error
        } catch {
            throw BorshError(.notCanonical("tensor"), at: start)
        }
    }

    /// Decodes a tensor that must have this shape.
    public mutating func tensor(shape: [Int]) throws(BorshError) -> FloatTensor {
        let start = offset
        let tensor = try tensor()
        guard tensor.shape == shape else {
            throw BorshError(.notCanonical("tensor of shape \(tensor.shape), expected \(shape)"), at: start)
        }
        return tensor
    }
}
