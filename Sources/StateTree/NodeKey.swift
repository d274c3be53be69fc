import Cryptography
import Encoding

/// Position of a node: the bits of its prefix. A page of the tree has the position of its top, and a later version of it
/// takes the place of the earlier one.
///
/// As bytes: the bits, the most significant first, then a 1, then zeros up to the next whole byte; 1 to 33 bytes. The
/// order of the bytes is the order of the positions from left to right.
public struct NodeKey: Hashable, Comparable, Sendable, CustomStringConvertible {
    public let bytes: [UInt8]

    /// The position of the topmost node.
    public static let root = NodeKey(checked: [0x80])

    private init(checked bytes: [UInt8]) { self.bytes = bytes }

    /// In one piece: an array would hash each byte by itself.
    public func hash(into hasher: inout Hasher) { bytes.withUnsafeBytes { hasher.combine(bytes: $0) } }

    public func _rawHashValue(seed: Int) -> Int { bytes.withUnsafeBytes { TableHash.of($0, seed: seed) } }

    /// Nil unless the bytes are those of a position.
    public init?(bytes: [UInt8]) {
        guard let last = bytes.last, last != 0, bytes.count < 33 || (bytes.count == 33 && last == 0x80) else {
            return nil
        }
        self.bytes = bytes
    }

    /// The first `depth` bits of the path; all of them where `depth` is larger.
    init(_ path: Digest, depth: Int) {
        let depth = min(max(depth, 0), StateTree.pathBits)
        let whole = depth / 8
        let marker = UInt8(0x80) >> UInt8(depth % 8)
        var bytes = path.bytes
        let partial = depth < StateTree.pathBits ? bytes[whole] : 0
        bytes.removeLast(bytes.count - whole)
        // Keeps the bits above the marker, sets it, and clears those below.
        bytes.append(partial & ~(marker | (marker &- 1)) | marker)
        self.bytes = bytes
    }

    /// Bits of the prefix, 0 to 256.
    public var depth: Int {
        guard let last = bytes.last else { return 0 }
        return bytes.count * 8 - 1 - last.trailingZeroBitCount
    }

    /// Whether the path starts with this prefix.
    func covers(_ path: Digest) -> Bool {
        guard let last = bytes.last else { return false }
        let path = path.bytes
        let whole = bytes.count - 1
        guard path.starts(with: bytes.dropLast()) else { return false }
        // The bits above the marker; there are none where the prefix ends with a byte.
        let shift = last.trailingZeroBitCount + 1
        return shift > 7 || path[whole] >> UInt8(shift) == last >> UInt8(shift)
    }

    public static func < (lhs: NodeKey, rhs: NodeKey) -> Bool { lhs.bytes.lexicographicallyPrecedes(rhs.bytes) }

    public var description: String { "\(Hexadecimal.encode(bytes)) (depth \(depth))" }
}
