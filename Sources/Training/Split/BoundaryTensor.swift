import Encoding
import Tensor

/// Boundary values or gradients together with the bytes in which they travel, so that both ends hold the same numbers
/// and a message that is encoded again has the bytes that came.
///
/// Values in 8 bits can't be encoded from the values alone: least + 255 steps is rounded, and the step that is taken from
/// the rounded range may differ from the first in its last bits.
struct BoundaryTensor: Sendable, Equatable {
    /// What the receiver computes with.
    let tensor: FloatTensor
    let precision: BoundaryPrecision
    /// Nil where the values say all: in 32 bits.
    private let encoded: [UInt8]?

    /// What becomes of a tensor that travels in this precision. In 8 bits a sample with a value that is not finite has
    /// none that is; such a message is refused where it arrives.
    init(_ tensor: FloatTensor, precision: BoundaryPrecision) {
        self.precision = precision
        guard precision != .float32, let rounded = try? BoundaryCodec.rounded(tensor, to: precision) else {
            self.tensor = tensor
            encoded = nil
            return
        }
        var encoder = BorshEncoder(reserving: BoundaryCodec.byteCount(shape: tensor.shape, precision: precision) + 1)
        encoder.boundary(tensor, as: precision)
        self.tensor = rounded
        encoded = encoder.bytes
    }

    func encode(to encoder: inout BorshEncoder) {
        if let encoded { encoder.fixed(encoded) } else { encoder.boundary(tensor, as: precision) }
    }

    init(from decoder: inout BorshDecoder) throws(BorshError) {
        var ahead = decoder
        (tensor, precision) = try ahead.boundary()
        let bytes = try decoder.fixed(ahead.offset - decoder.offset)
        encoded = precision == .float32 ? nil : Array(bytes)
    }
}
