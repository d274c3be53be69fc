import Cryptography
import Encoding
import Primitives

/// The keys of ``ChainStore``: one byte names the column; numbers are big endian, so that key order is their order.
enum Column: UInt8, CaseIterable {
    case meta = 0x6d  // m
    case block = 0x62  // b
    case height = 0x68  // h
    case transaction = 0x74  // t
    case receipts = 0x72  // r
    case value = 0x76  // v
    /// Keys of the values by their places in the state tree.
    case path = 0x70  // p
    /// Pages of the state tree.
    case page = 0x67  // g
    /// The tree's nodes, a key each: stores of earlier formats (``StoreUpgrade``).
    case node = 0x6e  // n
    case history = 0x69  // i
    case link = 0x6c  // l

    func key(_ rest: [UInt8]) -> [UInt8] {
        var key: [UInt8] = []
        key.reserveCapacity(rest.count + 1)
        key.append(rawValue)
        key.append(contentsOf: rest)
        return key
    }

    func key(_ height: Height) -> [UInt8] { key(Self.bigEndian(height.value)) }

    static func history(_ account: Account, _ index: UInt64) -> [UInt8] {
        Column.history.key(account.bytes + bigEndian(index))
    }

    /// By the epoch that the link ends.
    static func link(_ epoch: Epoch) -> [UInt8] { Column.link.key(bigEndian(epoch.value)) }

    static func bigEndian(_ value: UInt64) -> [UInt8] {
        withUnsafeBytes(of: value.bigEndian) { Array($0) }
    }
}

/// The single values of the meta column.
enum Meta: String {
    case format, genesis, head, stateHeight, base, voted
    /// The newest batch of the logs that LevelDB holds (``LoggedDatabase``).
    case ahead
    /// The height that was put back last: a file of the database is damaged (``StoreRewrite``).
    case healed
    /// Heights whose blocks were left out when the store was written anew, and are not back yet.
    case lost

    var key: [UInt8] { Column.meta.key(Array(rawValue.utf8)) }
}

/// A list as the store keeps it: a u32 count, then the elements.
struct StoredReceipts: BorshCodable {
    let receipts: [Receipt]

    /// The smallest receipt: of a border, without events.
    private static let smallestReceipt = 54

    func encode(to encoder: inout BorshEncoder) { encoder.array(receipts) }

    init(_ receipts: [Receipt]) { self.receipts = receipts }

    init(from decoder: inout BorshDecoder) throws(BorshError) {
        receipts = try decoder.array(limit: 1 << 24, smallestElement: Self.smallestReceipt)
    }
}
