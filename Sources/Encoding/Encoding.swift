/// # Encoding
///
/// Borsh, the one byte format of everything that Edgeproof hashes, signs, stores or sends between nodes
/// (specification: borsh.io).
///
/// The module promises
/// - **canonical form**: a value has one encoding, and `decode(encode(x)) == x` byte for byte;
/// - **bounded decoding**: a declared length never allocates more than the bytes that are there, every
///   variable-length field is decoded under a limit that its type names, and trailing bytes are an error;
/// - **no traps**: whatever the bytes, decoding returns a value or throws ``BorshError``.
public protocol BorshEncodable {
    func encode(to encoder: inout BorshEncoder)
}

public protocol BorshDecodable {
    init(from decoder: inout BorshDecoder) throws(BorshError)
}

public typealias BorshCodable = BorshEncodable & BorshDecodable

extension BorshEncodable {
    /// The canonical bytes of this value.
    @inlinable
    public var borsh: [UInt8] {
        // Most values fit, so that few grow in steps.
        var encoder = BorshEncoder(reserving: 256)
        encode(to: &encoder)
        return encoder.bytes
    }
}

extension BorshDecodable {
    /// Decodes a whole message: every byte must belong to the value.
    public init(borsh bytes: [UInt8]) throws(BorshError) {
        var decoder = BorshDecoder(bytes)
        try self.init(from: &decoder)
        try decoder.finish()
    }
}
