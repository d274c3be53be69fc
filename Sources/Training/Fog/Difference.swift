public import Cryptography
public import Encoding

/// What a fog node passes on after its epochs: the difference of its weights from those it started with, flat, in the
/// model's fixed order of parameters.
public enum Difference: Sendable, Equatable {
    case dense([Float])
    /// The entries of largest magnitude; all others are 0. Positions ascend.
    case sparse(count: Int, positions: [UInt32], values: [Float])
    /// Masked for a secure sum: means nothing without all the others (``SecureSum``).
    case masked([UInt32])

    /// How many parameters it is about.
    public var count: Int {
        switch self {
        case .dense(let values): values.count
        case .sparse(let count, _, _): count
        case .masked(let words): words.count
        }
    }

    /// All entries; nil while it is masked.
    public var values: [Float]? {
        switch self {
        case .dense(let values): return values
        case .sparse(let count, let positions, let values):
            var result = [Float](repeating: 0, count: count)
            for (position, value) in zip(positions, values) where Int(position) < count {
                result[Int(position)] = value
            }
            return result
        case .masked: return nil
        }
    }

    /// SHA-256 under a domain of its own over the canonical bytes: a fog node's artifact of a round.
    public var digest: Digest { Digest(domain: "edgeproof/difference/1", parts: borsh) }
}

/// Canonical bytes: a tag (0 dense, 1 sparse, 2 masked), the number of parameters as u32, then dense: the values;
/// sparse: the number of entries as u32, their positions as u32, their values; masked: the words as u32. Values are
/// the bits of IEEE 754 binary32, and finite.
extension Difference: BorshCodable {
    /// The number of parameters that any model can have.
    static let limit = 1 << 26

    public func encode(to encoder: inout BorshEncoder) {
        switch self {
        case .dense(let values):
            encoder.integer(UInt8(0))
            encoder.integer(UInt32(truncatingIfNeeded: values.count))
            encoder.floats(values)
        case .sparse(let count, let positions, let values):
            encoder.integer(UInt8(1))
            encoder.integer(UInt32(truncatingIfNeeded: count))
            encoder.integer(UInt32(truncatingIfNeeded: positions.count))
            encoder.words(positions)
            encoder.floats(values)
        case .masked(let words):
            encoder.integer(UInt8(2))
            encoder.integer(UInt32(truncatingIfNeeded: words.count))
            encoder.words(words)
        }
    }

    public init(from decoder: inout BorshDecoder) throws(BorshError) {
        let start = decoder.offset
        let tag: UInt8 = try decoder.integer()
        switch tag {
        case 0:
            let count = try decoder.length(limit: Self.limit, smallestElement: 4)
            self = .dense(try decoder.floats(count: count))
        case 1:
            let total: UInt32 = try decoder.integer()
            guard Int(total) <= Self.limit else { throw BorshError(.notCanonical("too many parameters"), at: start) }
            let count = try decoder.length(limit: Int(total), smallestElement: 8)
            let positions = try decoder.words(count)
            guard zip(positions, positions.dropFirst()).allSatisfy({ $0 < $1 }), positions.last ?? 0 < max(total, 1) else {
                throw BorshError(.notCanonical("positions of a difference that do not ascend below \(total)"), at: start)
            }
            self = .sparse(count: Int(total), positions: positions, values: try decoder.floats(count: count))
        case 2:
            let count = try decoder.length(limit: Self.limit, smallestElement: 4)
            self = .masked(try decoder.words(count))
        default: throw BorshError(.unknownTag(tag), at: start)
        }
    }
}

extension BorshEncoder {
    /// Little-endian words without a length.
    mutating func words(_ words: [UInt32]) {
        let bytes = [UInt8](unsafeUninitializedCapacity: 4 * words.count) { buffer, initialized in
            let raw = UnsafeMutableRawBufferPointer(buffer)
            for (index, word) in words.enumerated() {
                raw.storeBytes(of: word.littleEndian, toByteOffset: 4 * index, as: UInt32.self)
            }
            initialized = 4 * words.count
        }
        fixed(bytes)
    }
}

extension BorshDecoder {
    mutating func words(_ count: Int) throws(BorshError) -> [UInt32] {
        let bytes = try fixed(4 * count)
        return bytes.withUnsafeBytes { raw in
            (0..<count).map { UInt32(littleEndian: raw.loadUnaligned(fromByteOffset: 4 * $0, as: UInt32.self)) }
        }
    }
}
