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
        floats(tensor.elements)
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
            let elements = try floats(count: try FloatTensor.count(of: shape))
            return try FloatTensor(shape: shape, elements: elements)
        } catch let error as TensorError {
            throw BorshError(.notCanonical("\(error)"), at: start)
        } catch let error as BorshError {
            throw error
        } catch {
            throw BorshError(.notCanonical("tensor"), at: start)
        }
    }
}
