extension BorshEncodable where Self: FixedWidthInteger {
    public func encode(to encoder: inout BorshEncoder) { encoder.integer(self) }
}

extension BorshDecodable where Self: FixedWidthInteger {
    public init(from decoder: inout BorshDecoder) throws(BorshError) { self = try decoder.integer() }
}

extension UInt8: BorshEncodable, BorshDecodable {}
extension UInt16: BorshEncodable, BorshDecodable {}
extension UInt32: BorshEncodable, BorshDecodable {}
extension UInt64: BorshEncodable, BorshDecodable {}
extension UInt128: BorshEncodable, BorshDecodable {}

extension Bool: BorshEncodable, BorshDecodable {
    public func encode(to encoder: inout BorshEncoder) { encoder.bool(self) }
    public init(from decoder: inout BorshDecoder) throws(BorshError) { self = try decoder.bool() }
}
